"""The cycles of traditions: every line fits its metre, and is heard stroke by stroke."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kelly_live.core.values import GROOVES, CultureStyle, Metre, NoteEvent, Scale
from kelly_live.music.context import MusicContext
from kelly_live.music.cycles import CYCLES, find_cycle_line, list_cycle_strokes, list_gongs
from kelly_live.music.harmony import plan_phrase
from kelly_live.music.theory import Key, build_mode_scale
from tests.music.band import make_parameters, play_piece

AKSAK = Metre("9/8", 1.0, 0.5, (2, 2, 2, 3), (1.0,) * 18)
TEENTAL = Metre("16/4", 1.0, 1.0, (4, 4, 4, 4), (0.9,) * 64)
GATRA = Metre("4/4", 1.0, 1.0, (2, 2), (0.9,) * 16)
SLENDRO = Scale("slendro", (0.0, 233.4, 474.3, 718.6, 961.2))


def context(beats_per_bar: int, bars: int = 4) -> MusicContext:
    key = Key(0, build_mode_scale("ionian"))
    phrase = plan_phrase(1, 0, key, start_bar=0, beats_per_bar=beats_per_bar, bars=bars)
    return MusicContext(seed=1, phrase=phrase, rhythm="straight", bpm=100.0)


def heard(notes: list[NoteEvent], part: str, beats: float) -> list[tuple[float, int]]:
    """Beats to the nearest eighth, and keys."""
    return sorted((round(2 * n.onset_beats) / 2, n.pitch) for n in notes if n.part == part and n.onset_beats < beats)


@pytest.mark.parametrize("name", CYCLES)
def test_every_syllable_has_its_keys_and_every_metre_as_many_units_as_it_says(name: str) -> None:
    book = CYCLES[name]
    assert name in GROOVES
    for metre, line in book.lines.items():
        words = line.replace("|", " ").split()
        units = int(metre.split("/")[0])
        assert len(words) % units == 0, (metre, len(words))
        for syllable in (part for word in words for part in word.split("-") if part != "."):
            assert syllable in book.gongs or syllable.lower() in book.syllables, syllable


def test_aksak_is_two_two_two_three_and_comes_twice_in_a_bar_of_nine_beats() -> None:
    low, high = 64, 60
    strokes = [(s.position, s.key) for s in list_cycle_strokes("usul", AKSAK, context(9), 0) if s.density == 0.0]
    once = [(0.0, low), (1.0, high), (1.5, 61), (2.0, low), (3.0, high), (4.0, high)]
    assert strokes == [*once, *((beat + 4.5, key) for beat, key in once)]


def test_the_left_hand_is_silent_in_the_middle_of_teental() -> None:
    """Tin and ta lack the bass drum: so a listener knows where the cycle is (khali)."""
    bass = {s.position for s in list_cycle_strokes("tala", TEENTAL, context(16), 0) if s.key == 64}
    assert bass == set(range(16)) - {9.0, 10.0, 11.0, 12.0}


def test_a_metre_without_a_cycle_has_none() -> None:
    assert find_cycle_line("usul", Metre("32/4", 1.0, 1.0, (4,) * 8, (0.9,) * 32), 16) == ""
    assert find_cycle_line("pop", None, 4) == ""
    assert list_cycle_strokes("usul", None, context(11), 0) == []


def test_fills_wait_for_density() -> None:
    strokes = {s.density for s in list_cycle_strokes("usul", AKSAK, context(9), 0)}
    assert len(strokes) == 2
    assert min(strokes) == 0.0


def test_the_gong_ends_a_phrase_of_any_length() -> None:
    for bars in (3, 4, 5):
        phrase = context(4, bars)
        gongs = [
            (4 * bar + beat, gong) for bar in range(bars) for beat, gong in list_gongs("gamelan", GATRA, phrase, bar)
        ]
        assert gongs[-1] == (4.0 * bars - 1.0, "G")
        assert gongs[-2] == (4.0 * bars - 5.0, "P")


def test_a_gamelan_s_lowest_part_is_gongs_on_the_melody_s_tones() -> None:
    style = CultureStyle("gamelan", SLENDRO, texture="heterophony", metres=(GATRA,), groove="gamelan")
    notes = play_piece(replace(make_parameters(groove="gamelan"), style=style), bars=9).notes
    gongs = heard(notes, "bass", 16.0)
    assert [beat for beat, _ in gongs] == [7.0, 11.0, 15.0]
    assert gongs[-1][1] == min(pitch for _, pitch in gongs)
    tune = [n for n in notes if n.part == "melody" and n.onset_beats < 7.2]
    assert (gongs[0][1] - tune[-1].pitch) % 12 == 0


def test_a_melody_alone_keeps_a_frame_drum_beside_it() -> None:
    style = CultureStyle("tunes", texture="monophony", groove="reel")
    notes = play_piece(replace(make_parameters(groove="reel"), style=style), bars=5).notes
    assert {n.part for n in notes} == {"melody", "percussion"}
    assert {beat % 2.0 for beat, key in heard(notes, "percussion", 16.0) if key == 41} == {0.0}


def test_a_style_of_playing_without_a_tradition_plays_its_cycle_too() -> None:
    notes = play_piece(make_parameters(groove="jig"), bars=5, beats_per_bar=2).notes
    thirds = {round(3 * n.onset_beats) % 3 for n in notes if n.part == "percussion" and n.onset_beats < 8}
    assert thirds == {0, 2}
