"""The mixer of the players: who is muted, who plays solo, and how loud each one is.

It stands last, before the notes are sent, as a mixer does: a muted player goes on unheard, so the others play the same
notes meanwhile, and it comes back where it would have been. A level multiplies velocities, as a preset's `volume` does.
Channel volume (controller 7) stays the receiver's own fader: players may share a channel, and a file or a synth that
was balanced by hand keeps its balance. Pure. Thread: the conductor's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import NoteEvent
from kelly_live.core.wording import join_words

MIXER_CONTROLS = ("mute", "solo", "level")


class HasPart(Protocol):
    """A player's place in the band."""

    @property
    def part(self) -> str:
        """The player's name in the band."""


@dataclass(frozen=True, slots=True)
class MixerChange:
    """What a player's strip is to be: `control` is one of MIXER_CONTROLS.

    `value`: on or off (None turns it over), or a level from 0 to 1. Raises ConfigError.
    """

    player: str
    control: str
    value: bool | float | None = None

    def __post_init__(self) -> None:
        if self.control not in MIXER_CONTROLS:
            raise ConfigError(f"a mixer has no {self.control[:20]!r}; it has {', '.join(MIXER_CONTROLS)}")
        is_level = isinstance(self.value, float | int) and not isinstance(self.value, bool)
        if self.control == "level" and not (is_level and 0.0 <= float(self.value or 0.0) <= 1.0):
            raise ConfigError(f"the level of {self.player} is {self.value}; it must be a number from 0 to 1")
        if self.control != "level" and is_level:
            raise ConfigError(f"{self.control} of {self.player} is {self.value}; it must be on or off")


@dataclass(frozen=True, slots=True)
class MixerStrip:
    """A player in the mixer. `is_heard`: neither muted, nor at level 0, nor left out by another's solo."""

    part: str
    is_muted: bool = False
    is_soloed: bool = False
    level: float = 1.0
    is_heard: bool = True


class Mixer:
    """Holds a strip for each player that was changed, by its part: it stays when a preset comes that lacks the player.

    Several may be solo at once. A mute wins over a solo. A solo of a player that is not in the band counts for nothing.
    """

    def __init__(self) -> None:
        self._strips: dict[str, MixerStrip] = {}
        self._listed: tuple[Sequence[HasPart], tuple[MixerStrip, ...]] = ((), ())

    def set(self, change: MixerChange, slots: Sequence[HasPart]) -> tuple[str, ...]:
        """Change a strip, and return the parts of these slots that are heard no longer."""
        before = self.list_strips(slots)
        strip = self._strips.get(change.player, MixerStrip(change.player))
        if change.control == "level":
            strip = replace(strip, level=float(change.value or 0.0))
        elif change.control == "mute":
            strip = replace(strip, is_muted=not strip.is_muted if change.value is None else bool(change.value))
        else:
            strip = replace(strip, is_soloed=not strip.is_soloed if change.value is None else bool(change.value))
        self._strips = {**self._strips, change.player: strip}
        self._listed = ((), ())
        pairs = zip(before, self.list_strips(slots), strict=True)
        return tuple(now.part for was, now in pairs if was.is_heard and not now.is_heard)

    def list_strips(self, slots: Sequence[HasPart]) -> tuple[MixerStrip, ...]:
        """List the strips of these slots, in order."""
        if self._listed[0] is not slots:
            strips = [self._strips.get(slot.part, MixerStrip(slot.part)) for slot in slots]
            has_solo = any(strip.is_soloed for strip in strips)
            heard = [s.level > 0.0 and not s.is_muted and (s.is_soloed or not has_solo) for s in strips]
            mixed = tuple(replace(strip, is_heard=one) for strip, one in zip(strips, heard, strict=True))
            self._listed = (slots, mixed)
        return self._listed[1]

    def mix(self, notes: Sequence[NoteEvent], slots: Sequence[HasPart]) -> tuple[NoteEvent, ...]:
        """Return the notes that are heard, at their levels."""
        if not self._strips:
            return tuple(notes)
        strips = {strip.part: strip for strip in self.list_strips(slots)}
        return tuple(_scale(note, strips[note.part].level) for note in notes if strips[note.part].is_heard)


def describe_mix(strips: Sequence[MixerStrip]) -> list[str]:
    """Say which players are muted or solo, a few words each; empty if nobody is."""
    muted = [strip.part for strip in strips if strip.is_muted]
    soloed = [strip.part for strip in strips if strip.is_soloed]
    return [f"{join_words(names, 'and')} {word}" for names, word in ((muted, "muted"), (soloed, "solo")) if names]


def _scale(note: NoteEvent, level: float) -> NoteEvent:
    return note if level == 1.0 else replace(note, velocity=max(1, round(note.velocity * level)))
