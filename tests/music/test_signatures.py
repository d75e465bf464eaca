"""Signatures as a score shows them: given this metre and this scale, these."""

from __future__ import annotations

import pytest

from kelly_live.core.values import Metre, Scale
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.music.conductor import Conductor
from kelly_live.music.signatures import find_key_signature, find_time_signature
from kelly_live.music.theory import NOTE_NAMES, Key, build_mode_scale
from tests.fakes import parameters
from tests.music.band import band


def metre(unit_beats: float, *groups: int) -> Metre:
    return Metre("a metre", 1.0, unit_beats, groups, (1.0,))


@pytest.mark.parametrize(
    ("counted", "bar_beats", "signature"),
    [
        (None, 4, (4, 4)),
        (None, 3, (3, 4)),
        (metre(1.0, 3), 3, (3, 4)),  # a polska
        (metre(1.0, 4, 4, 4, 4), 16, (16, 4)),  # tintal
        (metre(0.5, 2, 2, 2, 3), 9, (9, 8)),  # aksak: two cycles make the conductor's bar of whole beats
        (metre(1.0 / 3.0, 3, 3), 4, (2, 4)),  # a jig, its beats in three
        (metre(1.0 / 3.0, 3, 3, 3), 3, (3, 4)),  # a slip jig
    ],
)
def test_a_metre_is_counted_in_its_own_units(counted: Metre | None, bar_beats: int, signature: tuple[int, int]) -> None:
    assert find_time_signature(counted, bar_beats) == signature


@pytest.mark.parametrize(
    ("tonic", "mode", "sharps", "is_minor"),
    [
        ("C", "ionian", 0, False),
        ("G", "ionian", 1, False),
        ("F#", "ionian", 6, False),
        ("C#", "ionian", -5, False),
        ("A", "aeolian", 0, True),
        ("C", "aeolian", -3, True),
        ("D", "dorian", 0, True),
        ("D", "mixolydian", 1, False),
        ("E", "phrygian", 0, True),
        ("F", "lydian", 0, False),
        ("B", "locrian", 0, True),
    ],
)
def test_a_mode_has_the_signature_of_its_tones(tonic: str, mode: str, sharps: int, is_minor: bool) -> None:
    assert find_key_signature(Key(NOTE_NAMES.index(tonic), build_mode_scale(mode))) == (sharps, is_minor)


@pytest.mark.parametrize(
    ("name", "cents", "sharps", "is_minor"),
    [
        ("major pentatonic", (0, 200, 400, 700, 900), 0, False),
        ("minor pentatonic", (0, 300, 500, 700, 1000), -3, True),
        ("rast", (0, 200, 350, 500, 700, 900, 1050), 0, False),  # neutral thirds lie between
        ("hijaz", (0, 100, 400, 500, 700, 800, 1000), -4, False),
    ],
)
def test_another_scale_on_c_has_the_nearest(name: str, cents: tuple[float, ...], sharps: int, is_minor: bool) -> None:
    assert find_key_signature(Key(0, Scale(name, cents))) == (sharps, is_minor)


def test_a_key_that_turns_is_noted_at_the_bar_line() -> None:
    scheduler = OfflineScheduler()
    conductor = Conductor(scheduler, band(), seed=1, tonic=0, length_bars=24)
    conductor.play_through(
        parameters(120.0, "ionian"), lambda beat: parameters(120.0, "ionian" if beat < 30.0 else "aeolian")
    )
    first, second = scheduler.signatures
    assert (first.beat, first.sharps, first.is_minor) == (0.0, 0, False)
    assert (second.sharps, second.is_minor) == (-3, True)
    assert second.beat % 4.0 == 0.0
    assert second.beat >= 30.0
