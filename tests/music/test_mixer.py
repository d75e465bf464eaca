"""The mixer, as a score: who is heard, from which beat on, and how loud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import NoteEvent
from kelly_live.music.conductor import Conductor
from kelly_live.music.mixer import MixerChange
from tests.music.band import RecordingSink, band, make_parameters

BEAT = 0.5  # seconds, at 120 BPM
STEP = 0.01


def play(changes: Mapping[float, Sequence[MixerChange]], bars: int = 4) -> RecordingSink:
    """Play these bars; the mixer changes at these beats."""
    sink = RecordingSink()
    conductor = Conductor(sink, band(), seed=3, tonic=0)
    parameters = make_parameters(bpm=120.0, density=1.5)
    conductor.start(0.0, parameters)
    waiting = sorted(changes.items())
    for number in range(round(4 * bars * BEAT / STEP)):
        now = STEP * number
        while waiting and waiting[0][0] * BEAT <= now:
            for change in waiting.pop(0)[1]:
                conductor.mix(now, change)
        conductor.advance(now, parameters)
    return sink


def sounding(notes: Sequence[NoteEvent], first: float, last: float) -> list[NoteEvent]:
    """The notes that sound between two beats, by more than a hundredth of one."""
    return [n for n in notes if n.onset_beats < last - 0.01 and n.onset_beats + n.duration_beats > first + 0.01]


def test_a_muted_bass_ends_at_once_and_comes_back_with_the_next_note() -> None:
    plain = play({})
    mixed = play({5.0: [MixerChange("bass", "mute", True)], 10.0: [MixerChange("bass", "mute", False)]})
    assert sounding(plain.part("bass"), 5.0, 10.0)
    assert not sounding(mixed.part("bass"), 5.0, 10.0)
    late = [note for note in plain.part("bass") if note.onset_beats >= 10.2]
    assert late
    assert [note for note in mixed.part("bass") if note.onset_beats >= 10.2] == late
    for part in ("melody", "chords", "percussion"):  # the others play the same notes
        assert mixed.part(part) == plain.part(part)


def test_a_mute_that_is_pressed_twice_is_off_again() -> None:
    twice = play({0.0: [MixerChange("bass", "mute"), MixerChange("bass", "mute")]})
    assert twice.notes == play({}).notes


def test_of_a_solo_only_the_soloed_players_are_heard() -> None:
    mixed = play({8.0: [MixerChange("bass", "solo"), MixerChange("melody", "solo")]})
    assert {note.part for note in sounding(mixed.notes, 8.0, 16.0)} == {"bass", "melody"}
    assert {note.part for note in sounding(mixed.notes, 0.0, 8.0)} == {"bass", "melody", "chords", "percussion"}


def test_a_mute_wins_over_a_solo() -> None:
    mixed = play({0.0: [MixerChange("bass", "solo"), MixerChange("bass", "mute")]})
    assert not [note for note in mixed.notes if note.onset_beats > 0.1]


def test_a_solo_of_a_player_that_is_not_there_silences_nobody() -> None:
    assert play({0.0: [MixerChange("harp", "solo", True)]}).notes == play({}).notes


@pytest.mark.parametrize("level", [0.25, 0.5])
def test_a_level_multiplies_the_velocities_of_its_player_alone(level: float) -> None:
    plain, mixed = play({}), play({0.0: [MixerChange("chords", "level", level)]})
    first = [note for note in plain.part("chords") if note.onset_beats > 0.2]
    softer = [note for note in mixed.part("chords") if note.onset_beats > 0.2]
    assert first
    assert [note.velocity for note in softer] == [max(1, round(level * note.velocity)) for note in first]
    assert mixed.part("melody") == plain.part("melody")


def test_at_level_0_a_player_is_silent() -> None:
    mixed = play({6.0: [MixerChange("melody", "level", 0.0)]})
    assert not sounding(mixed.part("melody"), 6.0, 16.0)


@pytest.mark.parametrize(
    ("control", "value", "rule"),
    [("level", 1.5, "from 0 to 1"), ("level", None, "from 0 to 1"), ("level", True, "from 0 to 1"),
     ("mute", 0.5, "on or off"), ("pan", 0.5, "a mixer has no 'pan'")],
)  # fmt: skip
def test_what_a_mixer_cannot_do_is_refused(control: str, value: float | None, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        MixerChange("bass", control, value)
