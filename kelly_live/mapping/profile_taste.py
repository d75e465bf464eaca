"""Learn a taste from a profile, and describe what is played for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.emotion_space import create_state, relax_state
from kelly_live.core.values import EMOTIONS, EmotionState
from kelly_live.mapping.net import USER_DIM, MapperNet, limit_taste
from kelly_live.mapping.taste import LOGARITHMIC, estimate_taste, fit_taste, play_values
from kelly_live.profiles.profile import Profile
from kelly_live.profiles.reaction import DISLIKE, MOST_COUNTED, PLAYED_PARAMETERS, PreferenceTarget

# How a value over PLAYED_PARAMETERS is printed: parameter → (the words before, the unit after, digits).
_WORDING = {
    "tempo": ("tempo", " BPM", 0), "register": ("register: MIDI note", "", 1),
    "level": ("level", " of full velocity", 2), "density": ("density", " notes a beat", 2),
    "major": ("share of major", "", 2),
}  # fmt: skip

_HELD_WEIGHT = 0.25  # of a parameter that a reaction does not name, against 1 for one that it does


@dataclass(frozen=True, slots=True)
class Difference:
    """A parameter in one emotion: its value without a profile (`base`) and for this person (`own`).

    `spread` is one standard deviation (for tempo and density of the ratio, applied to `own`); `known` the share of what
    was open before any reaction (variance) that the reactions have settled, 0-1.
    """

    emotion: str
    parameter: str
    base: float
    own: float
    spread: float
    known: float

    @property
    def change(self) -> float:
        """How far the person's value lies from the base."""
        return self.own - self.base


def list_targets(net: MapperNet, profile: Profile) -> list[PreferenceTarget]:
    """List what the reactions of a profile ask for."""
    return [target for targets in _list_each_targets(net, profile) for target in targets]


def _list_each_targets(net: MapperNet, profile: Profile) -> list[list[PreferenceTarget]]:
    """List what each reaction asks for."""
    dislikes = [one for one in profile.reactions if one.kind == DISLIKE]
    # Only a dislike depends on what the base plays; the states of reactions are relaxed already.
    rows = play_for_embedding(net, np.zeros(USER_DIM), [one.state for one in dislikes])
    base = dict(zip(dislikes, rows, strict=True))
    return [one.targets(base.get(one, one.played)) for one in profile.reactions]


def list_held_targets(net: MapperNet, profile: Profile) -> list[PreferenceTarget]:
    """List the targets that keep, as the base plays it, what neither a reaction nor an earlier one names.

    In songs the parameters go together: without these, "too fast" said four times makes sad music higher by three
    errors of a target (`taste.ERRORS`). With them the others stay within one.
    """
    rows = play_for_embedding(net, np.zeros(USER_DIM), [one.state for one in profile.reactions])
    seen_topics: set[tuple[str, str]] = set()  # (emotion, parameter) until now
    held_targets = []
    for one, targets, base in zip(profile.reactions, _list_each_targets(net, profile), rows, strict=True):
        weight = _HELD_WEIGHT * min(one.count, MOST_COUNTED)
        seen_topics |= {(one.state.emotion, target.parameter) for target in targets}
        for name, value in zip(PLAYED_PARAMETERS, base, strict=True):
            if (one.state.emotion, name) not in seen_topics:
                held_targets.append(PreferenceTarget(one.state, name, value, weight))
    return held_targets


def _fit(net: MapperNet, profile: Profile) -> Floats:
    return fit_taste(net, [*list_targets(net, profile), *list_held_targets(net, profile)])


def learn_profile(net: MapperNet, profile: Profile) -> Profile:
    """Learn a profile's embedding anew from all its reactions.

    Without reactions it plays the base. Deterministic; takes a few milliseconds.
    """
    if not profile.reactions:
        return replace(profile, embedding=None, learned_from=0, mapper=None)
    embedding = _fit(net, profile)
    numbers = tuple(float(f"{number:.9g}") for number in embedding.tolist())
    return replace(profile, embedding=numbers, learned_from=profile.count, mapper=net.fingerprint)


def get_embedding(net: MapperNet, profile: Profile | None) -> Floats:
    """Return the embedding `[64]` to play for a profile.

    It is zeros for None, and learned anew if it was learned for another mapper.
    """
    if profile is None or profile.embedding is None:
        return np.zeros(USER_DIM)
    if profile.mapper != net.fingerprint:
        return _fit(net, profile)
    return limit_taste(np.array(profile.embedding))


def play_for_profile(
    net: MapperNet, profile: Profile | None, states: Sequence[EmotionState]
) -> list[tuple[float, ...]]:
    """Return what is played for a person in some states, over PLAYED_PARAMETERS, before any culture."""
    return play_for_embedding(net, get_embedding(net, profile), [relax_state(state) for state in states])


def play_for_embedding(net: MapperNet, embedding: Floats, states: Sequence[EmotionState]) -> list[tuple[float, ...]]:
    """Return what is played for an embedding `[64]` in some states, over PLAYED_PARAMETERS.

    The states are as the mapper takes them (`relax_state`).
    """
    return [tuple(row) for row in _to_units(play_values(net, embedding, states, PLAYED_PARAMETERS))] if states else []


def list_differences(net: MapperNet, profile: Profile) -> list[Difference]:
    """List, for each emotion and each of PLAYED_PARAMETERS, how this person's music differs from the base."""
    states = [create_state(emotion=name) for name in EMOTIONS]
    queries = [(relax_state(state), name) for state in states for name in PLAYED_PARAMETERS]
    targets = list_targets(net, profile) if profile.embedding is not None else []
    estimate = estimate_taste(net, targets, get_embedding(net, profile), queries)
    shape = (len(states), len(PLAYED_PARAMETERS))
    base, personal = play_for_profile(net, None, states), _to_units(estimate.values.reshape(shape))
    spread, prior = estimate.spread.reshape(shape).tolist(), estimate.prior_spread.reshape(shape).tolist()
    differences = []
    for row, emotion in enumerate(EMOTIONS):
        for column, name in enumerate(PLAYED_PARAMETERS):
            sd, before, value = spread[row][column], prior[row][column], personal[row][column]
            settled_share = 1.0 - min(1.0, (sd / before) ** 2) if before > 0.0 else 0.0
            spread_in_units = value * (2.0**sd - 1.0) if name in LOGARITHMIC else sd
            differences.append(Difference(emotion, name, base[row][column], value, spread_in_units, settled_share))
    return differences


def describe_change(before: Sequence[float], after: Sequence[float]) -> str:
    """Say what differs between two rows over PLAYED_PARAMETERS: "tempo 82 → 70 BPM, …"; "" for nothing."""
    changes = []
    for name, old, new in zip(PLAYED_PARAMETERS, before, after, strict=True):
        label, unit, digits = _WORDING[name]
        if f"{old:.{digits}f}" != f"{new:.{digits}f}":
            changes.append(f"{label} {old:.{digits}f} → {new:.{digits}f}{unit}")
    return ", ".join(changes)


def _to_units(values: Floats) -> list[list[float]]:
    """Rows over PLAYED_PARAMETERS in their own units, from even steps."""
    rows = (zip(PLAYED_PARAMETERS, row, strict=True) for row in values.tolist())
    return [[2.0**value if name in LOGARITHMIC else value for name, value in row] for row in rows]
