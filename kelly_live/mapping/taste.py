"""Learn a person's taste: the most probable embedding given their preference targets.

A preference target says which value a parameter should have in a state. The embedding is the maximum a posteriori
under its N(0, I) prior; each target counts as a measurement whose error is about what a listener just notices. Found by
Gauss-Newton, which also gives its uncertainty (Laplace's approximation at the optimum).

Targets about one emotion change that emotion alone, however many they are: the shared part is learned only in
proportion to the number of emotions that have targets (`reach`), so that rating one emotion does not move the others.

Values lie on scales of even steps: tempo and density as log2, the others as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.values import EMOTIONS, RHYTHMS, EmotionState
from kelly_live.mapping.net import (
    CAUTION,
    DENSITY_TOP,
    LEVEL_LOG2,
    LOG2_LIMIT,
    MAJOR_COLUMNS,
    OUTPUT_LIMIT,
    RADII,
    REGISTER_NOTES,
    REGISTER_SPAN_NOTES,
    SCALARS,
    TASTE_WAYS,
    TEMPO_BPM,
    TEMPO_SPAN_BPM,
    USER_DIM,
    MapperNet,
    Ranks,
    limit_taste,
    softmax,
    split_taste,
)
from kelly_live.profiles.reaction import PreferenceTarget

LOGARITHMIC = ("tempo", "density")
# Standard errors of a target, in even steps. They are ours: a tenth of an octave of tempo is about two just noticeable
# differences, the rest alike.
ERRORS = {
    "tempo": 0.1, "register": 2.0, "level": 0.05, "variation": 0.05, "density": 0.25, "major": 0.1,
    **dict.fromkeys((*RHYTHMS, "behind", "on", "ahead"), 0.1),
}  # fmt: skip
_TIMING = ("behind", "on", "ahead")
_STEPS = 12
_SETTLED = 1e-3  # of the regret; a step that gains less ends the search
_DAMPINGS = 12
_HALVINGS = (1.0, 0.5, 0.25, 0.125, 0.0625)
_LEAST = 1e-3  # of what a logarithm is taken


@dataclass(frozen=True, slots=True)
class TasteEstimate:
    """What a taste plays at some states `[n]`, in even steps, and how uncertain that is.

    `spread` is the standard deviation of what the person would prefer there, `prior_spread` the one before any target.
    """

    values: Floats
    spread: Floats
    prior_spread: Floats


def reach(targets: Sequence[PreferenceTarget]) -> Floats:
    """Return how far each number of an embedding `[64]` may move, as a share of what songs differ by.

    What an emotion has of its own: CAUTION, and less in proportion where no target's state holds half of it; else a
    target that sad cannot meet would be looked for in the trace of neutral that sad states hold. What all share:
    CAUTION times the root of 1 - 1/n, n the number of emotions that the targets are about (the inverse Simpson index of
    their weights: 1 for one emotion alone, and hardly more for one beside a token of another).
    """
    weights: dict[str, float] = {}
    for target in targets:
        weights[target.state.emotion] = weights.get(target.state.emotion, 0.0) + target.weight
    total = sum(weights.values())
    alone = sum((weight / total) ** 2 for weight in weights.values()) if total > 0.0 else 1.0
    most = [max((target.state.probabilities[e] for target in targets), default=0.0) for e in range(len(EMOTIONS))]
    parts = [math.sqrt(max(0.0, 1.0 - alone)), *(min(1.0, 2.0 * share) for share in most)]
    radii = np.zeros(USER_DIM)
    radii[: len(parts) * TASTE_WAYS] = CAUTION * np.repeat(parts, TASTE_WAYS)
    return radii


def fit_taste(net: MapperNet, targets: Sequence[PreferenceTarget]) -> Floats:
    """The embedding `[64]` most probable given these targets, each part within its radius; zeros for none.

    Deterministic, a few milliseconds.
    """
    active = [target for target in targets if target.weight > 0.0]
    if not active:
        return np.zeros(USER_DIM)
    within = reach(active)
    problem = _Problem(net, active, within)
    place = problem.evaluate(np.zeros(USER_DIM))
    for _ in range(_STEPS):
        way = _solve_within_radii(place.matrix, place.right) - place.taste
        tried = (problem.evaluate(place.taste + share * way) for share in _HALVINGS)
        better = next((candidate for candidate in tried if candidate.regret < place.regret), None)
        if better is None:
            break
        improvement, place = place.regret - better.regret, better
        if improvement < _SETTLED * max(place.regret, 1.0):
            break
    return limit_taste(within * place.taste)


def play_values(net: MapperNet, embedding: Floats, states: Sequence[EmotionState], names: Sequence[str]) -> Floats:
    """Return what a taste `[64]` or one a state `[states, 64]` plays, `[states, names]` in even steps."""
    rows = _Rows(net, [state for state in states for _ in names], [name for _ in states for name in names])
    each = np.repeat(np.broadcast_to(embedding, (len(states), USER_DIM)), len(names), axis=0)
    return rows.evaluate(each)[0].reshape(len(states), len(names))


def estimate_taste(
    net: MapperNet,
    targets: Sequence[PreferenceTarget],
    embedding: Floats,
    queries: Sequence[tuple[EmotionState, str]],
) -> TasteEstimate:
    """Estimate what a taste plays for each (state, parameter) of `asked`, and how uncertain that is."""
    active = [target for target in targets if target.weight > 0.0]
    rows = _Rows(net, [state for state, _ in queries], [name for _, name in queries])
    values, slopes = rows.evaluate_with_slopes(embedding)
    matrix = np.eye(USER_DIM)
    if active:
        matrix = _Problem(net, active).evaluate(embedding).matrix
    variance = (slopes * np.linalg.solve(matrix, slopes.T).T).sum(axis=-1)
    return TasteEstimate(values, np.sqrt(np.maximum(variance, 0.0)), np.linalg.norm(slopes, axis=-1))


class _Rows:
    """(State, parameter) pairs as rows of one batch: what each plays, and its derivatives by the taste."""

    def __init__(self, net: MapperNet, states: Sequence[EmotionState], names: Sequence[str]) -> None:
        self._net = net
        probabilities = np.array([state.probabilities for state in states])
        vad = np.array([(state.valence, state.arousal, state.dominance) for state in states])
        self._base = net.base(probabilities, vad)
        self._rows = {name: [row for row, other in enumerate(names) if other == name] for name in dict.fromkeys(names)}

    def evaluate(self, embeddings: Floats) -> tuple[Floats, Floats]:
        """Return what is played `[n]` for tastes `[n, 64]`, and its derivatives by the raw outputs `[n, O]`."""
        reading = _Reading(self._net, self._net.ranks(self._base, embeddings))
        values, slopes = np.zeros(len(embeddings)), np.zeros_like(self._base.raw)
        for name, rows in self._rows.items():
            value, slope = reading.read(name)
            values[rows], slopes[rows] = value[rows], slope[rows]
        return values, slopes

    def evaluate_with_slopes(self, embedding: Floats) -> tuple[Floats, Floats]:
        """Return what one taste `[64]` plays `[n]`, and its derivatives by the taste `[n, 64]`."""
        each = np.broadcast_to(embedding, (len(self._base.raw), USER_DIM))
        values, by_output = self.evaluate(each)
        by_way = by_output @ self._net.taste_basis
        shares = self._base.taste_shares
        slopes = np.zeros((len(values), USER_DIM))
        slopes[:, : shares.shape[1] * TASTE_WAYS] = (shares[:, :, None] * by_way[:, None, :]).reshape(len(values), -1)
        return values, np.nan_to_num(slopes, nan=0.0, posinf=0.0, neginf=0.0)

    def to_even_steps(self, values: Floats) -> Floats:
        """Values `[n]` in their own units, one a row, in even steps."""
        even = values.copy()
        for name, rows in self._rows.items():
            if name in LOGARITHMIC:
                even[rows] = np.log2(np.maximum(values[rows], _LEAST))
        return even


class _Reading:
    """Reads one parameter out of a batch.

    It returns the values `[n]` in even steps and their derivatives `[n, O]` by the raw outputs.

    It follows `MapperNet.play`, bound by bound: where a bound holds a value, the derivative is 0.
    """

    def __init__(self, net: MapperNet, ranks: Ranks) -> None:
        self._net, self._logits = net, ranks.logits
        middle = ranks.quantiles[1]
        self._values = net.scalar_mean + net.scalar_sd * np.clip(middle, -OUTPUT_LIMIT, OUTPUT_LIMIT)
        self._slopes = np.where(np.abs(middle) <= OUTPUT_LIMIT, net.scalar_sd, 0.0)

    def read(self, name: str) -> tuple[Floats, Floats]:
        if name == "tempo":
            return self._tempo()
        if name == "register":
            low, high = REGISTER_NOTES[0], REGISTER_NOTES[1] + REGISTER_SPAN_NOTES
            centre, slope = self._scalar("centre")
            return np.clip(centre, low, high), _hold(centre, low, high, slope)
        if name == "level":
            return self._level()
        if name == "variation":
            value, slope = self._power("variation")
            return np.clip(value, 0.0, 1.0), _hold(value, 0.0, 1.0, slope)
        if name == "density":
            return self._density()
        if name == "major":
            return self._weight("modes", MAJOR_COLUMNS)
        if name in RHYTHMS:
            return self._weight("rhythms", [RHYTHMS.index(name)])
        return self._weight("timing", [_TIMING.index(name)])

    def _scalar(self, name: str) -> tuple[Floats, Floats]:
        column = SCALARS.index(name)
        slopes = np.zeros((len(self._values), self._net.taste_basis.shape[0]))
        slopes[:, column] = self._slopes[:, column]
        return self._values[:, column], slopes

    def _power(self, name: str, low: float = -LOG2_LIMIT, high: float = LOG2_LIMIT) -> tuple[Floats, Floats]:
        """Two to the power of a scalar."""
        exponent, slope = self._scalar(name)
        value = np.exp2(np.clip(exponent, low, high))
        return value, math.log(2.0) * value[:, None] * _hold(exponent, low, high, slope)

    def _tempo(self) -> tuple[Floats, Floats]:
        value, slope = self._power("tempo")
        low, high = TEMPO_BPM[0], TEMPO_BPM[1] + TEMPO_SPAN_BPM
        tempo = np.clip(value, low, high)
        return np.log2(tempo), _hold(value, low, high, slope) / (math.log(2.0) * tempo[:, None])

    def _density(self) -> tuple[Floats, Floats]:
        tempo, by_tempo = self._tempo()
        rate, by_rate = self._power("rate")
        value = rate / (np.exp2(tempo) / 60.0)
        slope = by_rate / (math.log(2.0) * rate[:, None]) - by_tempo
        density = np.clip(value, _LEAST, DENSITY_TOP)
        return np.log2(density), _hold(value, _LEAST, DENSITY_TOP, slope)

    def _level(self) -> tuple[Floats, Floats]:
        level, by_level = self._power("level", *LEVEL_LOG2)
        softer, by_softer = self._power("softer")
        louder, by_louder = self._power("louder")
        floor, ceiling = level - softer, level + louder
        by_floor = _hold(floor, 0.0, 1.0, by_level - by_softer)
        by_ceiling = _hold(ceiling, 0.0, 1.0, by_level + by_louder)
        value = (np.clip(floor, 0.0, 1.0) + np.clip(ceiling, 0.0, 1.0)) / 2.0
        return value, (by_floor + by_ceiling) / 2.0

    def _weight(self, name: str, columns: Sequence[int]) -> tuple[Floats, Floats]:
        weights = softmax(self._logits[name])
        value = weights[:, columns].sum(axis=-1)
        slopes = np.zeros((len(value), self._net.taste_basis.shape[0]))
        column_mask = np.zeros(weights.shape[1])
        column_mask[list(columns)] = 1.0
        slopes[:, self._net.columns[name]] = weights * (column_mask - value[:, None])
        return value, slopes


def _hold(values: Floats, low: float, high: float, slopes: Floats) -> Floats:
    """Return the slopes `[n, O]` of clipped values `[n]`: 0 where a bound holds them."""
    return np.asarray(np.where(((values >= low) & (values <= high))[:, None], slopes, 0.0))


@dataclass(frozen=True, slots=True)
class _Place:
    """A taste before its reach is applied, and the Gauss-Newton step that leads on from it.

    `regret` is the loss; `matrix [64, 64]` (prior included) and `right [64]` are the step's linear system.
    """

    taste: Floats
    regret: float
    matrix: Floats
    right: Floats


class _Problem:
    """The regret of a taste under some targets.

    It is half the taste's squared length plus a Student's t loss (4 degrees of freedom) for each target. The heavy tail
    keeps a target that cannot be met from outweighing those that can.
    """

    def __init__(self, net: MapperNet, targets: Sequence[PreferenceTarget], within: Floats | None = None) -> None:
        self._reach = np.ones(USER_DIM) if within is None else within
        self._rows = _Rows(net, [target.state for target in targets], [target.parameter for target in targets])
        self._target_values = self._rows.to_even_steps(np.array([target.value for target in targets]))
        self._error = np.array([ERRORS[target.parameter] for target in targets])
        self._weight = np.array([target.weight for target in targets])
        self._side = np.array([float(target.side) for target in targets])

    def evaluate(self, taste: Floats) -> _Place:
        """Evaluate a taste: its regret, with only the part within reach played, and the next step's system."""
        values, slopes = self._rows.evaluate_with_slopes(self._reach * taste)
        errors = np.nan_to_num((values - self._target_values) / self._error)
        errors = np.where(self._side * errors > 0.0, 0.0, errors)
        slopes = self._reach * slopes / self._error[:, None]
        content = (errors == 0.0) & (self._side != 0.0)
        strength = np.where(content, 0.0, self._weight * 1.25 / (1.0 + errors**2 / 4.0))
        weighted_slopes = slopes.T * strength
        regret = 0.5 * (taste**2).sum() + (self._weight * 2.5 * np.log1p(errors**2 / 4.0)).sum()
        return _Place(
            taste,
            float(regret),
            np.eye(USER_DIM) + weighted_slopes @ slopes,
            weighted_slopes @ (slopes @ taste - errors),
        )


def _solve_within_radii(matrix: Floats, right: Floats) -> Floats:
    """Solve `matrix` x = `right` with each part inside its radius, each by its own Levenberg damping."""
    damping = np.zeros(len(RADII))
    solution = np.asarray(np.linalg.solve(matrix, right), np.float64)
    for _ in range(_DAMPINGS):
        length = np.maximum(np.linalg.norm(split_taste(solution), axis=-1), 1e-9)
        if bool(((length <= 1.001 * RADII) & ((damping == 0.0) | (length >= 0.99 * RADII))).all()):
            break
        # How strongly a part is pulled back per step outwards, so that the damping lands where its length is right.
        pull = np.maximum(split_taste(solution * (matrix @ solution)).sum(axis=-1), 0.0) / length**2
        damping = np.maximum((pull + damping) * length / RADII - pull, 0.0)
        diagonal = np.zeros(len(right))
        diagonal[: len(RADII) * TASTE_WAYS] = np.repeat(damping, TASTE_WAYS)
        solution = np.asarray(np.linalg.solve(matrix + np.diag(diagonal), right), np.float64)
    return limit_taste(solution)
