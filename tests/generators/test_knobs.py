"""What the players' own parameters do to the notes; at their defaults they do nothing."""

from __future__ import annotations

from collections import defaultdict

import pytest

from kelly_live.core.values import NoteEvent
from kelly_live.generators.builtin.percussion import HIGH_TOM, LOW_TOM, MID_TOM
from kelly_live.generators.host_preset import Setting, load_preset
from kelly_live.generators.preset_band import PresetBand
from kelly_live.music.conductor import Conductor
from tests.music.band import RecordingSink, make_parameters


def play_preset(*settings: str) -> RecordingSink:
    host = PresetBand([load_preset("band")], settings=[Setting.parse(one) for one in settings])
    sink = RecordingSink()
    Conductor(sink, host, seed=3, tonic=0, length_bars=17).play_through(make_parameters(density=2.0))
    assert host.muted == ()
    return sink


@pytest.fixture(scope="module")
def plain() -> RecordingSink:
    return play_preset()


def others(sink: RecordingSink, part: str) -> list[NoteEvent]:
    return [note for note in sink.notes if note.part != part]


def chords(sink: RecordingSink) -> list[tuple[int, ...]]:
    """Pitches struck together by the chord player, four at a time, rising."""
    pitches_by_onset = defaultdict(list)
    for note in sink.part("chords"):
        pitches_by_onset[round(note.onset_beats * 8)].append(note.pitch)
    return [tuple(sorted(pitches)) for _, pitches in sorted(pitches_by_onset.items()) if len(pitches) == 4]


def test_an_open_voicing_drops_the_second_voice_from_the_top_by_an_octave(plain: RecordingSink) -> None:
    open_voicing = play_preset("chords.voicing=open")
    assert others(open_voicing, "chords") == others(plain, "chords")
    pairs = list(zip(chords(plain), chords(open_voicing), strict=True))
    assert len(pairs) > 16
    for (a, b, c, d), wide in pairs:
        assert wide == (tuple(sorted((a, b, c - 12, d))) if c - 12 >= 45 else (a, b, c, d))
    assert any(close != wide for close, wide in pairs)


def test_an_octave_moves_the_tune_and_nothing_else(plain: RecordingSink) -> None:
    high = play_preset("melody.octave=1")
    assert others(high, "melody") == others(plain, "melody")
    shifts = {b.pitch - a.pitch for a, b in zip(plain.part("melody"), high.part("melody"), strict=True)}
    assert shifts == {12}


def test_without_fills_the_drums_keep_the_beat_through_a_phrases_last_bar(plain: RecordingSink) -> None:
    steady = play_preset("percussion.fills=off")
    assert others(steady, "percussion") == others(plain, "percussion")
    toms = {HIGH_TOM, MID_TOM, LOW_TOM}
    assert toms & {note.pitch for note in plain.part("percussion")}
    assert not toms & {note.pitch for note in steady.part("percussion")}


def test_every_shipped_default_is_the_value_that_is_set_to_it(plain: RecordingSink) -> None:
    assert play_preset("chords.voicing=close", "melody.octave=0", "percussion.fills=on").notes == plain.notes
