"""Learns a user's taste from wishes: the embedding that serves them best while staying a plausible person.

A wish is one line: in this state, this parameter should be about that. The embedding is the maximum a posteriori under
its N(0, I) prior; each wish counts as a measurement whose error is about what a listener just notices. Found by
Gauss-Newton, which also tells how sure it is (Laplace's approximation at the optimum).

What is said of one emotion alone is about that emotion, however often it is said: what holds everywhere is learned only
as far as several emotions were spoken of (`reach`), so that whoever rates one of them does not move the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTIONS, RHYTHMS, EmotionState
from kelly_live.lab.nets.mapper import (
    TASTE_WAYS,
    USER_DIM,
    DynamicEmotionToMusicMapper,
    major_share,
    taste_parts,
    taste_radii,
    within_radius,
)

MAX_WEIGHT = 100.0  # of one wish
_STEPS = 12
_SETTLED = 1e-3  # of the regret; a step that gains less ends the search
CAUTION = 0.8  # a taste is looked for a little nearer to the base than songs lie, as what is said is noisy
_DAMPINGS = 12
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
    "major": _Scale(lambda music: major_share(music["mode_weights"]), _plain, 0.1, 0.0, 1.0),
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
    many wishes. `side` -1: at most that much, +1: at least; what already is so is content.
    """

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
    that still is and how unsure it was before any wish (standard deviations), in the same steps.
    """

    values: Tensor
    spread: Tensor
    prior_spread: Tensor


class _Rows:
    """Wishes as rows of one batch: what is played for each, and how that moves with the embedding."""

    def __init__(self, net: DynamicEmotionToMusicMapper, states: Sequence[EmotionState], names: Sequence[str]) -> None:
        device = net.centre.device
        self._net = net
        probabilities = torch.tensor([state.probabilities for state in states], device=device)
        vad = torch.tensor([(state.valence, state.arousal, state.dominance) for state in states], device=device)
        with torch.no_grad():
            self._felt = net.felt(probabilities, vad)
        self._rows = {
            name: torch.tensor([row for row, other in enumerate(names) if other == name], device=device)
            for name in dict.fromkeys(names)
        }

    def played(self, embeddings: Tensor) -> Tensor:
        """What is played `[n]`, on the even scales, for a taste a row `[n, 64]`."""
        music = self._net.play_felt(self._felt, embeddings)
        values = torch.zeros(len(embeddings), device=embeddings.device)
        for name, rows in self._rows.items():
            values = values.index_put((rows,), WISHES[name].even(WISHES[name].read(music)[rows]))
        return values

    def even(self, values: Tensor) -> Tensor:
        """Values `[n]` in their own units, one a row, on the even scales."""
        for name, rows in self._rows.items():
            values = values.index_put((rows,), WISHES[name].even(values[rows]))
        return values

    def with_slopes(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """What is played `[n]` and its derivatives by the embedding `[n, 64]`: no row depends on another's taste."""
        with torch.enable_grad():
            each = embedding.detach().expand(len(self._felt.raw), -1).clone().requires_grad_(True)
            values = self.played(each)
            (slopes,) = torch.autograd.grad(values.sum(), each)
        return values.detach(), torch.nan_to_num(slopes, nan=0.0, posinf=0.0, neginf=0.0)


class _Place(NamedTuple):
    """A taste before its reach, its regret, and Gauss-Newton's matrix `[64, 64]` (prior included) and right-hand side
    `[64]` for the taste that would be better.
    """

    taste: Tensor
    regret: float
    matrix: Tensor
    right: Tensor


class _Problem:
    """The regret of a taste under some wishes: half its squared length, and a Student's t (4 degrees) of what each
    wish missed: one that cannot be met must not drown those that can.
    """

    def __init__(self, net: DynamicEmotionToMusicMapper, wishes: Sequence[Wish], within: Tensor | None = None) -> None:
        device = net.centre.device
        self._reach = torch.ones(USER_DIM, device=device) if within is None else within.to(device)
        self._rows = _Rows(net, [wish.state for wish in wishes], [wish.parameter for wish in wishes])
        scales = [WISHES[wish.parameter] for wish in wishes]
        self._wanted = self._rows.even(torch.tensor([wish.value for wish in wishes], device=device))
        self._error = torch.tensor([scale.error for scale in scales], device=device)
        self._weight = torch.tensor([wish.weight for wish in wishes], device=device)
        self._side = torch.tensor([float(wish.side) for wish in wishes], device=device)

    def _missed(self, values: Tensor) -> Tensor:
        missed = torch.nan_to_num((values - self._wanted) / self._error)
        return torch.where(self._side * missed > 0.0, torch.zeros_like(missed), missed)

    def at(self, taste: Tensor) -> _Place:
        """The regret of a taste, of which only what is within reach is played, and from where to go on."""
        values, slopes = self._rows.with_slopes(self._reach * taste)
        missed, slopes = self._missed(values), self._reach * slopes / self._error[:, None]
        content = (missed == 0.0) & (self._side != 0.0)
        strength = torch.where(content, torch.zeros_like(missed), self._weight * 1.25 / (1.0 + missed**2 / 4.0))
        pulled = slopes.T * strength
        matrix: Tensor = torch.eye(USER_DIM, device=taste.device) + pulled @ slopes
        regret = 0.5 * (taste**2).sum() + (self._weight * 2.5 * torch.log1p(missed**2 / 4.0)).sum()
        return _Place(taste, float(regret), matrix, pulled @ (slopes @ taste - missed))


def reach(wishes: Sequence[Wish]) -> Tensor:
    """How far each number of an embedding may be learned from these wishes `[64]`, as a share of what songs differ by.

    What an emotion has of its own: CAUTION, and less where it was never felt by half when something was said, in
    proportion; else a wish that sad cannot meet would be looked for in the trace of neutral that sad states hold.
    What all share: CAUTION times the root of 1 - 1/n, n the number of emotions that were spoken of (the inverse Simpson
    index of the wishes' weights: 1 for one emotion alone, and hardly more for one beside a token of another).
    """
    spoken: dict[str, float] = {}
    for wish in wishes:
        spoken[wish.state.emotion] = spoken.get(wish.state.emotion, 0.0) + wish.weight
    total = sum(spoken.values())
    alone = sum((weight / total) ** 2 for weight in spoken.values()) if total > 0.0 else 1.0
    felt = [max((wish.state.probabilities[e] for wish in wishes), default=0.0) for e in range(len(EMOTIONS))]
    parts = [math.sqrt(max(0.0, 1.0 - alone)), *(min(1.0, 2.0 * share) for share in felt)]
    found: Tensor = CAUTION * torch.tensor(parts).repeat_interleave(TASTE_WAYS)
    return F.pad(found, (0, USER_DIM - len(found)))


def fit_taste(net: DynamicEmotionToMusicMapper, wishes: Sequence[Wish]) -> Tensor:
    """The embedding `[64]` most probable given these wishes, each part within its radius; zeros for none.
    Deterministic.
    """
    active = [wish for wish in wishes if wish.weight > 0.0]
    if not active:
        return torch.zeros(USER_DIM, device=net.centre.device)
    within = reach(active).to(net.centre)
    problem = _Problem(net, active, within)
    here = problem.at(torch.zeros_like(within))
    for _ in range(_STEPS):
        way = _inside(here.matrix, here.right) - here.taste
        tried = (problem.at(here.taste + share * way) for share in _HALVINGS)
        better = next((place for place in tried if place.regret < here.regret), None)
        if better is None:
            break
        gained, here = here.regret - better.regret, better
        if gained < _SETTLED * max(here.regret, 1.0):
            break
    return within_radius(within * here.taste)


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
    """The solution of `matrix` x = `right`, each part drawn in to its radius by a damping of its own (Levenberg)."""
    kind = right.dtype
    matrix, right = matrix.double(), right.double()
    radii, damping = taste_radii(right), taste_parts(torch.zeros_like(right)).norm(dim=-1)
    found = torch.linalg.solve(matrix, right)
    for _ in range(_DAMPINGS):
        length = torch.clamp(taste_parts(found).norm(dim=-1), min=1e-9)
        held = (length <= 1.001 * radii) & ((damping == 0.0) | (length >= 0.99 * radii))
        if bool(held.all()):
            break
        # How strongly a part is pulled back per step outwards, so that the damping lands where its length is right.
        pulled = taste_parts(found * (matrix @ found)).sum(-1).clamp(min=0.0) / length**2
        damping = torch.clamp((pulled + damping) * length / radii - pulled, min=0.0)
        each = F.pad(damping.repeat_interleave(TASTE_WAYS), (0, USER_DIM - len(damping) * TASTE_WAYS))
        found = torch.linalg.solve(matrix + torch.diag(each), right)
    return within_radius(found).to(kind)


def learn_user(net: DynamicEmotionToMusicMapper, user: int, wishes: Sequence[Wish]) -> Tensor:
    """Fit a user's taste and keep it in the net; without wishes the user is forgotten. Raises ConfigError."""
    embedding = fit_taste(net, wishes)
    net.remember(user, embedding)
    return embedding
