"""Learns a user's taste from wishes: the embedding that serves them best while staying a plausible person.

A wish is one line: in this state, this parameter should be about that. The embedding is the maximum a posteriori under
its N(0, I) prior; each wish counts as a measurement whose error is about what a listener just notices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kelly_live.domain import MODES, RHYTHMS, EmotionState
from kelly_live.errors import ConfigError
from kelly_live.nets.mapper import USER_DIM, DynamicEmotionToMusicMapper, within_radius

MAX_WEIGHT = 100.0  # of one wish
_MAJOR = [MODES.index(name) for name in ("ionian", "lydian", "mixolydian")]
_STEPS = 30


@dataclass(frozen=True, slots=True)
class _Scale:
    """How a parameter is read from what is played, put on a scale of even steps, and how fine a wish about it is."""

    read: Callable[[dict[str, Tensor]], Tensor]
    even: Callable[[Tensor], Tensor]
    error: float
    low: float
    high: float


def _log2(values: Tensor) -> Tensor:
    return torch.log2(torch.clamp(values, min=1e-3))


def _plain(values: Tensor) -> Tensor:
    return values


# The errors are ours: a tenth of an octave of tempo is about two just noticeable differences, the rest alike.
WISHES: dict[str, _Scale] = {
    "tempo": _Scale(lambda music: music["tempo_suggested"], _log2, 0.1, 20.0, 300.0),
    "register": _Scale(lambda music: music["register_center"], _plain, 2.0, 0.0, 127.0),
    "level": _Scale(lambda music: (music["dynamics_floor"] + music["dynamics_ceiling"]) / 2.0, _plain, 0.05, 0.0, 1.0),
    "variation": _Scale(lambda music: music["dynamics_variance"], _plain, 0.05, 0.0, 1.0),
    "density": _Scale(lambda music: music["density"], _log2, 0.25, 0.0, 3.0),
    "major": _Scale(lambda music: music["mode_weights"][:, _MAJOR].sum(-1), _plain, 0.1, 0.0, 1.0),
    **{
        name: _Scale(lambda music, index=index: music["rhythm_weights"][:, index], _plain, 0.1, 0.0, 1.0)  # type: ignore[misc]
        for index, name in enumerate(RHYTHMS)
    },
    **{
        name: _Scale(lambda music, index=index: music["timing_weights"][:, index], _plain, 0.1, 0.0, 1.0)  # type: ignore[misc]
        for index, name in enumerate(("behind", "on", "ahead"))
    },
}


@dataclass(frozen=True, slots=True)
class Wish:
    """In `state`, `parameter` (one of WISHES) should be `value` (BPM, MIDI note, share ...); `weight` counts it as that
    many wishes."""

    state: EmotionState
    parameter: str
    value: float
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.parameter not in WISHES:
            raise ConfigError(f"nothing is called {self.parameter!r}; a wish is about one of {', '.join(WISHES)}")
        scale = WISHES[self.parameter]
        if not (math.isfinite(self.value) and scale.low <= self.value <= scale.high):
            raise ConfigError(f"{self.parameter} is {self.value:g}; it must be from {scale.low:g} to {scale.high:g}")
        if not (math.isfinite(self.weight) and 0.0 <= self.weight <= MAX_WEIGHT):
            raise ConfigError(f"a wish weighs {self.weight:g}; it must be from 0 to {MAX_WEIGHT:g}")


def fit_taste(net: DynamicEmotionToMusicMapper, wishes: Sequence[Wish]) -> Tensor:
    """The embedding `[64]` most probable given these wishes, inside USER_RADIUS; zeros for none. Deterministic."""
    device = net.centre.device
    embedding = torch.zeros(USER_DIM, device=device)
    active = [wish for wish in wishes if wish.weight > 0.0]
    if not active:
        return embedding
    states = [wish.state for wish in active]
    probabilities = torch.tensor([state.probabilities for state in states], device=device)
    vad = torch.tensor([(state.valence, state.arousal, state.dominance) for state in states], device=device)

    def regret(candidate: Tensor) -> Tensor:
        music = net.play(probabilities, vad, within_radius(candidate)[None].expand(len(active), -1))
        total = 0.5 * (candidate**2).sum()
        for row, wish in enumerate(active):
            scale = WISHES[wish.parameter]
            missed = (
                scale.even(scale.read(music)[row]) - scale.even(torch.tensor(wish.value, device=device))
            ) / scale.error
            # Student's t, 4 degrees: a wish that cannot be met must not drown those that can.
            total = total + wish.weight * 2.5 * torch.log1p(missed**2 / 4.0)
        return total

    embedding.requires_grad_(True)
    optimiser = torch.optim.LBFGS([embedding], max_iter=_STEPS, line_search_fn="strong_wolfe")
    with torch.enable_grad():

        def closure() -> Tensor:
            loss = regret(embedding)
            (embedding.grad,) = torch.autograd.grad(loss, embedding)
            return loss

        optimiser.step(closure)  # type: ignore[no-untyped-call]
    found = within_radius(torch.nan_to_num(embedding.detach()))
    with torch.no_grad():
        better = regret(found) < regret(torch.zeros_like(found))
    return found if bool(better) else torch.zeros_like(found)


def learn_user(net: DynamicEmotionToMusicMapper, user: int, wishes: Sequence[Wish]) -> Tensor:
    """Fit a user's taste and keep it in the net; without wishes the user is forgotten. Raises ConfigError."""
    embedding = fit_taste(net, wishes)
    net.remember(user, embedding)
    return embedding
