"""Learns a user's taste from wishes: the embedding that serves them best while staying a plausible person.

A wish is one line: in this state, this parameter should be about that. The embedding is the maximum a posteriori under
its N(0, I) prior; each wish counts as a measurement whose error is about what a listener just notices. Found by
Gauss-Newton, which also tells how sure it is (Laplace's approximation at the optimum).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from kelly_live.domain import MODES, RHYTHMS, EmotionState
from kelly_live.errors import ConfigError
from kelly_live.nets.mapper import USER_DIM, USER_RADIUS, DynamicEmotionToMusicMapper, within_radius

MAX_WEIGHT = 100.0  # of one wish
_MAJOR = [MODES.index(name) for name in ("ionian", "lydian", "mixolydian")]
_STEPS = 12
_SETTLED = 1e-3  # of the regret; a step that gains less ends the search
_HALVINGS = (1.0, 0.5, 0.25, 0.125, 0.0625)


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
    many wishes. `side` -1: at most that much, +1: at least; what already is so is content."""

    state: EmotionState
    parameter: str
    value: float
    weight: float = 1.0
    side: int = 0

    def __post_init__(self) -> None:
        if self.parameter not in WISHES:
            raise ConfigError(f"nothing is called {self.parameter!r}; a wish is about one of {', '.join(WISHES)}")
        scale = WISHES[self.parameter]
        if not (math.isfinite(self.value) and scale.low <= self.value <= scale.high):
            raise ConfigError(f"{self.parameter} is {self.value:g}; it must be from {scale.low:g} to {scale.high:g}")
        if not (math.isfinite(self.weight) and 0.0 <= self.weight <= MAX_WEIGHT):
            raise ConfigError(f"a wish weighs {self.weight:g}; it must be from 0 to {MAX_WEIGHT:g}")
        if self.side not in (-1, 0, 1):
            raise ConfigError(f"the side of a wish is {self.side}; it must be -1, 0 or 1")


class Told(NamedTuple):
    """What is played at some states, on the scales of even steps `[n]`; how much of that the taste moved, how unsure
    that still is and how unsure it was before any wish (standard deviations), in the same steps."""

    values: Tensor
    spread: Tensor
    prior_spread: Tensor


class _Rows:
    """Wishes as rows of one batch: what is played for each, and how that moves with the embedding."""

    def __init__(self, net: DynamicEmotionToMusicMapper, states: Sequence[EmotionState], names: Sequence[str]) -> None:
        device = net.centre.device
        self._net = net
        self._probabilities = torch.tensor([state.probabilities for state in states], device=device)
        self._vad = torch.tensor([(state.valence, state.arousal, state.dominance) for state in states], device=device)
        self._rows = {
            name: torch.tensor([row for row, other in enumerate(names) if other == name], device=device)
            for name in dict.fromkeys(names)
        }

    def played(self, embeddings: Tensor) -> Tensor:
        """What is played `[n]`, on the even scales, for a taste a row `[n, 64]`."""
        music = self._net.play(self._probabilities, self._vad, embeddings)
        values = torch.zeros(len(embeddings), device=embeddings.device)
        for name, rows in self._rows.items():
            values = values.index_put((rows,), WISHES[name].even(WISHES[name].read(music)[rows]))
        return values

    def with_slopes(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """What is played `[n]` and its derivatives by the embedding `[n, 64]`: no row depends on another's taste."""
        with torch.enable_grad():
            each = embedding.detach().expand(len(self._vad), -1).clone().requires_grad_(True)
            values = self.played(each)
            (slopes,) = torch.autograd.grad(values.sum(), each)
        return values.detach(), torch.nan_to_num(slopes, nan=0.0, posinf=0.0, neginf=0.0)


class _Place(NamedTuple):
    """A taste, its regret, and Gauss-Newton's matrix `[64, 64]` (prior included) and right-hand side `[64]` for the
    taste that would be better."""

    embedding: Tensor
    regret: float
    matrix: Tensor
    right: Tensor


class _Problem:
    """The regret of a taste under some wishes: half its squared length, and a Student's t (4 degrees) of what each
    wish missed: one that cannot be met must not drown those that can."""

    def __init__(self, net: DynamicEmotionToMusicMapper, wishes: Sequence[Wish]) -> None:
        device = net.centre.device
        self._rows = _Rows(net, [wish.state for wish in wishes], [wish.parameter for wish in wishes])
        scales = [WISHES[wish.parameter] for wish in wishes]
        wanted = [scale.even(torch.tensor(wish.value)) for scale, wish in zip(scales, wishes, strict=True)]
        self._wanted = torch.stack(wanted).to(device)
        self._error = torch.tensor([scale.error for scale in scales], device=device)
        self._weight = torch.tensor([wish.weight for wish in wishes], device=device)
        self._side = torch.tensor([float(wish.side) for wish in wishes], device=device)

    def _missed(self, values: Tensor) -> Tensor:
        missed = torch.nan_to_num((values - self._wanted) / self._error)
        return torch.where(self._side * missed > 0.0, torch.zeros_like(missed), missed)

    def at(self, embedding: Tensor) -> _Place:
        """The regret of a taste, and from where to go on."""
        values, slopes = self._rows.with_slopes(embedding)
        missed, slopes = self._missed(values), slopes / self._error[:, None]
        content = (missed == 0.0) & (self._side != 0.0)
        strength = torch.where(content, torch.zeros_like(missed), self._weight * 1.25 / (1.0 + missed**2 / 4.0))
        pulled = slopes.T * strength
        matrix: Tensor = torch.eye(USER_DIM, device=embedding.device) + pulled @ slopes
        regret = 0.5 * (embedding**2).sum() + (self._weight * 2.5 * torch.log1p(missed**2 / 4.0)).sum()
        return _Place(embedding, float(regret), matrix, pulled @ (slopes @ embedding - missed))


def fit_taste(net: DynamicEmotionToMusicMapper, wishes: Sequence[Wish]) -> Tensor:
    """The embedding `[64]` most probable given these wishes, inside USER_RADIUS; zeros for none. Deterministic."""
    embedding = torch.zeros(USER_DIM, device=net.centre.device)
    active = [wish for wish in wishes if wish.weight > 0.0]
    if not active:
        return embedding
    problem = _Problem(net, active)
    here = problem.at(embedding)
    for _ in range(_STEPS):
        way = _inside(here.matrix, here.right) - here.embedding
        tried = (problem.at(here.embedding + share * way) for share in _HALVINGS)
        better = next((place for place in tried if place.regret < here.regret), None)
        if better is None:
            break
        gained, here = here.regret - better.regret, better
        if gained < _SETTLED * max(here.regret, 1.0):
            break
    return within_radius(here.embedding)


@torch.no_grad()
def played(
    net: DynamicEmotionToMusicMapper, embedding: Tensor, states: Sequence[EmotionState], names: Sequence[str]
) -> Tensor:
    """What a taste `[64]`, or one for each state `[states, 64]`, plays `[states, names]`, on scales of even steps."""
    rows = _Rows(net, [state for state in states for _ in names], [name for _ in states for name in names])
    each = embedding.expand(len(states), -1).repeat_interleave(len(names), dim=0)
    return rows.played(each).reshape(len(states), len(names))


def told(
    net: DynamicEmotionToMusicMapper,
    wishes: Sequence[Wish],
    embedding: Tensor,
    asked: Sequence[tuple[EmotionState, str]],
) -> Told:
    """What a taste plays for each (state, parameter) asked, and how sure that is given the wishes it came from."""
    active = [wish for wish in wishes if wish.weight > 0.0]
    values, slopes = _Rows(net, [state for state, _ in asked], [name for _, name in asked]).with_slopes(embedding)
    matrix = torch.eye(USER_DIM, device=embedding.device)
    if active:
        matrix = _Problem(net, active).at(embedding).matrix
    variance = (slopes * torch.linalg.solve(matrix, slopes.T).T).sum(-1)
    return Told(values, variance.clamp(min=0.0).sqrt(), slopes.norm(dim=-1))


def _inside(matrix: Tensor, right: Tensor) -> Tensor:
    """The solution of `matrix` x = `right`, or the best one within USER_RADIUS: damped just enough (Levenberg)."""
    free: Tensor = torch.linalg.solve(matrix.double(), right.double())
    if float(free.norm()) <= USER_RADIUS:
        return free.to(right)
    sizes, ways = torch.linalg.eigh(matrix.double())
    along = ways.T @ right.double()

    def solved(damping: float) -> Tensor:
        shrunk: Tensor = along / (sizes.clamp(min=1.0) + damping)
        return shrunk

    low, high = 0.0, 1.0
    while float(solved(high).norm()) > USER_RADIUS:
        high *= 4.0
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if float(solved(middle).norm()) > USER_RADIUS else (low, middle)
    found: Tensor = (ways @ solved(high)).to(right)
    return found


def learn_user(net: DynamicEmotionToMusicMapper, user: int, wishes: Sequence[Wish]) -> Tensor:
    """Fit a user's taste and keep it in the net; without wishes the user is forgotten. Raises ConfigError."""
    embedding = fit_taste(net, wishes)
    net.remember(user, embedding)
    return embedding
