"""A profile and the mapper together: what is played for a person, what is learned of their reactions, and how sure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from kelly_live.core.override import state_from
from kelly_live.core.values import EMOTIONS, EmotionState
from kelly_live.lab.nets.mapper import (
    OWN_RADIUS,
    OWN_TASTE,
    SHARED_RADIUS,
    SHARED_TASTE,
    TASTE_WAYS,
    DynamicEmotionToMusicMapper,
    within_radius,
)
from kelly_live.lab.nets.taste import CAUTION, Wish, fit_taste, played, told
from kelly_live.mapping.mapper import relaxed
from kelly_live.profiles.profile import Profile
from kelly_live.profiles.reaction import ASKED, DISLIKE

_LOGARITHMIC = ("tempo", "density")
# How a value over ASKED is told: unit, digits.
UNITS = {
    "tempo": (" BPM", 0), "register": (" notes", 1), "level": (" of full velocity", 2), "density": (" notes a beat", 2),
    "major": (" of major", 2),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """In an emotion, what a parameter is for nobody in particular (`base`) and for this person (`own`), its `spread`
    (one standard deviation; for tempo and density of the ratio, applied to `own`), and `known`: the share of what was
    open before any reaction (variance) that the reactions have settled, 0-1.
    """

    emotion: str
    parameter: str
    base: float
    own: float
    spread: float
    known: float

    @property
    def change(self) -> float:
        return self.own - self.base


def fingerprint(net: DynamicEmotionToMusicMapper) -> str:
    """16 hex digits that differ between trained mappers: an embedding means nothing to another one."""
    layout = (TASTE_WAYS, SHARED_TASTE, OWN_TASTE, SHARED_RADIUS, OWN_RADIUS, CAUTION)
    digest = hashlib.sha256(f"taste {layout}".encode())
    for name, tensor in sorted(net.state_dict().items()):
        if not name.startswith("user."):  # who is remembered changes no one else's music
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def wishes_of(net: DynamicEmotionToMusicMapper, profile: Profile) -> list[Wish]:
    """What the reactions ask for."""
    disliked = [one for one in profile.reactions if one.kind == DISLIKE]
    # Only a dislike asks what the base plays; the states of reactions are relaxed already.
    base = dict(zip(disliked, play_for(net, embedding_of(net, None), [one.state for one in disliked]), strict=True))
    hopes = [hope for one in profile.reactions for hope in one.hopes(base.get(one, one.asked))]
    return [Wish(hope.state, hope.parameter, hope.value, hope.weight, hope.side) for hope in hopes]


def learn(net: DynamicEmotionToMusicMapper, profile: Profile) -> Profile:
    """The profile with what all its reactions teach; without any it plays the base. Deterministic, 10-50 ms."""
    if not profile.reactions:
        return replace(profile, embedding=None, learned_from=0, mapper=None)
    found = fit_taste(net, wishes_of(net, profile))
    numbers = tuple(float(f"{number:.9g}") for number in found.tolist())
    return replace(profile, embedding=numbers, learned_from=profile.count, mapper=fingerprint(net))


def embedding_of(net: DynamicEmotionToMusicMapper, profile: Profile | None) -> torch.Tensor:
    """The embedding `[64]` to play for a profile: zeros for none, learned anew if it was for another mapper."""
    device = net.centre.device
    if profile is None or profile.embedding is None:
        return torch.zeros(net.user.weight.shape[1], device=device)
    if profile.mapper != fingerprint(net):
        return fit_taste(net, wishes_of(net, profile))
    return within_radius(torch.tensor(profile.embedding, device=device))


def asked_for(
    net: DynamicEmotionToMusicMapper, profile: Profile | None, states: Sequence[EmotionState]
) -> list[tuple[float, ...]]:
    """What is played for a person in some states, over ASKED, before any culture."""
    return play_for(net, embedding_of(net, profile), [relaxed(state) for state in states])


def play_for(
    net: DynamicEmotionToMusicMapper, embedding: torch.Tensor, states: Sequence[EmotionState]
) -> list[tuple[float, ...]]:
    """The same for an embedding `[64]`, and states as the mapper takes them (`relaxed`)."""
    return [tuple(row) for row in _plain(played(net, embedding, states, ASKED))] if states else []


def differences(net: DynamicEmotionToMusicMapper, profile: Profile) -> list[Difference]:
    """For each emotion and each of ASKED, how this person's music differs from the base."""
    states = [state_from(emotion=name) for name in EMOTIONS]
    embedding = embedding_of(net, profile)
    wishes = wishes_of(net, profile) if profile.embedding is not None else []
    base = asked_for(net, None, states)
    own, spread, prior = _told(net, wishes, embedding, states)
    found = []
    for row, emotion in enumerate(EMOTIONS):
        for column, name in enumerate(ASKED):
            sd, before, value = spread[row][column], prior[row][column], own[row][column]
            known = 1.0 - min(1.0, (sd / before) ** 2) if before > 0.0 else 0.0
            shown = value * (2.0**sd - 1.0) if name in _LOGARITHMIC else sd
            found.append(Difference(emotion, name, base[row][column], value, shown, known))
    return found


def moved(before: Sequence[float], after: Sequence[float]) -> str:
    """What can be told apart of two rows over ASKED: "tempo 82 -> 70 BPM, …"; "" for nothing."""
    said = []
    for name, old, new in zip(ASKED, before, after, strict=True):
        unit, digits = UNITS[name]
        if f"{old:.{digits}f}" != f"{new:.{digits}f}":
            said.append(f"{name} {old:.{digits}f} -> {new:.{digits}f}{unit}")
    return ", ".join(said)


def _told(
    net: DynamicEmotionToMusicMapper, wishes: Sequence[Wish], embedding: torch.Tensor, states: Sequence[EmotionState]
) -> tuple[list[list[float]], list[list[float]], list[list[float]]]:
    """Values, spreads and prior spreads `[states][ASKED]`; values in their own units, spreads in even steps."""
    asked = [(relaxed(state), name) for state in states for name in ASKED]
    answer = told(net, wishes, embedding, asked)
    values, spread, prior = (numbers.reshape(len(states), len(ASKED)) for numbers in answer)
    return _plain(values), spread.tolist(), prior.tolist()


def _plain(values: torch.Tensor) -> list[list[float]]:
    """Rows over ASKED in their own units, from even steps."""
    rows = (zip(ASKED, row, strict=True) for row in values.tolist())
    return [[2.0**value if name in _LOGARITHMIC else value for name, value in row] for row in rows]
