"""The grooves: every pattern fits its bar, and what is said of a groove is heard."""

from __future__ import annotations

import itertools
import statistics

import pytest

from kelly_live.core.values import GROOVES, MusicParameters, NoteEvent
from kelly_live.music.groove import PATTERNS, Groove, choose_level, find_groove, place_cell
from tests.music.band import make_parameters as make_plain
from tests.music.band import play_piece

DRUM_MARKS, BASS_MARKS, CHORD_MARKS = ".Xx-o", ".R583ANBWD", ".XxdP0123"


def play(groove: str, density: float = 1.0, seed: int = 1, bars: int = 17, **parameters: float) -> list[NoteEvent]:
    return play_piece(make_plain(density=density, groove=groove, **parameters), seed=seed, bars=bars).notes


def places(notes: list[NoteEvent], part: str, key: int | None = None) -> list[tuple[int, int]]:
    """Bar and sixteenth of each note of a part, without the closing bar."""
    found = [n for n in notes if n.part == part and key in (None, n.pitch)]
    cells = [round(4.0 * n.onset_beats) for n in found]
    return [(cell // 16, cell % 16) for cell in cells if cell < 256]


@pytest.mark.parametrize("groove", PATTERNS.values(), ids=lambda groove: groove.name)
def test_every_pattern_fills_its_bar_with_marks_that_are_known(groove: Groove) -> None:
    for beats, lines in groove.drums.items():
        for bar in itertools.chain.from_iterable(line.bars for line in lines):
            assert len(bar) == 4 * beats
            assert set(bar) <= set(DRUM_MARKS)
    for part, marks in ((groove.bass, BASS_MARKS), (groove.chords, CHORD_MARKS)):
        for beats, levels in part.items():
            densities = [density for density, _ in levels]
            assert densities == sorted(densities)
            assert densities[0] == 0.0
            for bar in itertools.chain.from_iterable(bars for _, bars in levels):
                assert len(bar) == 4 * beats
                assert set(bar) <= set(marks)


@pytest.mark.parametrize("name", GROOVES)
def test_a_groove_plays_at_any_density_without_a_muted_player(name: str) -> None:
    metre = next(iter(find_groove(name).drums), 4)
    for density in (0.0, 0.5, 1.0, 2.0, 3.0):
        sink = play_piece(make_plain(density=density, groove=name), bars=9, beats_per_bar=metre)
        assert {n.part for n in sink.notes} >= {"melody", "bass"} if density else sink.notes
        assert all(0 <= n.pitch <= 127 for n in sink.notes)


def test_the_highest_level_that_is_reached_is_played() -> None:
    levels = ((0.0, ("R...",)), (0.8, ("R.R.", "R.5.")))
    assert choose_level(levels, 0.5, 3) == "R..."
    assert [choose_level(levels, 0.8, bar) for bar in range(3)] == ["R.R.", "R.5.", "R.R."]
    assert choose_level(((0.4, ("X",)),), 0.2, 0) is None


@pytest.mark.parametrize(
    ("name", "density"),
    [("pop", 0.96), ("rock", 0.98), ("suspense", 0.97), ("stop-time", 1.02), ("march", 0.87), ("lament", 0.67),
     ("dance", 1.02)],
)  # fmt: skip
def test_a_listener_who_asks_for_more_notes_gets_them_from_bass_and_chords(name: str, density: float) -> None:
    """A preference moves a feeling's own density by a quarter; what is learned must be heard in every groove."""
    sparse, dense = (play(name, density=share * density) for share in (0.8, 1.25))
    for part in ("bass", "chords"):
        counts = [sum(note.part == part for note in notes) for notes in (sparse, dense)]
        assert counts[1] > 1.1 * counts[0], (part, counts)


def test_cells_move_to_the_thirds_where_the_band_plays_those() -> None:
    assert [place_cell(cell, "straight") for cell in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [place_cell(cell, "triplet") for cell in (0, 1, 2, 4)] == pytest.approx([0.0, 1 / 3, 2 / 3, 1.0])


def test_a_rock_bass_plays_eighths_with_the_kick() -> None:
    notes = play("rock", density=0.6)
    bass, kick = set(places(notes, "bass")), set(places(notes, "percussion", 36))
    assert statistics.mean(place in bass for place in kick) > 0.8
    assert {cell % 2 for _, cell in bass} == {0}
    assert statistics.mean(n.pitch for n in notes if n.part == "chords") < 55


@pytest.mark.parametrize("groove", ["pop", "dance", "ballad", "lament"])
def test_the_tune_leads_and_the_bass_is_softer_as_under_peoples_hands(groove: str) -> None:
    notes = play(groove)
    tune, bass = (statistics.mean(n.velocity for n in notes if n.part == part) for part in ("melody", "bass"))
    assert 0.5 < bass / tune < 0.95


def test_anger_and_disgust_lie_low_and_joy_does_not() -> None:
    def measure_middle(groove: str, part: str) -> float:
        return statistics.median(n.pitch for n in play(groove) if n.part == part)

    for heavy in ("rock", "march"):
        assert measure_middle(heavy, "bass") <= measure_middle("pop", "bass") - 4
        assert min(n.pitch for n in play(heavy) if n.part == "bass") >= 24
    assert measure_middle("march", "chords") <= measure_middle("pop", "chords") - 4


def test_joy_is_drummed_lightly_with_the_cymbals_as_usual() -> None:
    pop, plain = (
        [n for n in play_piece(make_plain(groove=name), bars=17).notes if n.part == "percussion"]
        for name in ("pop", "march")
    )
    kicks, heavy_kicks = ([n.velocity for n in notes if n.pitch == 36] for notes in (pop, plain))
    assert statistics.mean(kicks) < 0.95 * statistics.mean(heavy_kicks)
    assert max(n.velocity for n in pop if n.pitch == 54) > 0.8 * max(kicks)


def test_a_clock_ticks_through_suspense_but_for_the_silence() -> None:
    ticks = places(play("suspense"), "percussion", 76)
    assert {cell % 2 for _, cell in ticks} == {0}
    assert {bar % 4 for bar, cell in ticks if cell >= 8} == {0, 1, 2}


def test_suspense_breaks_off_in_every_fourth_bar_and_a_cymbal_swells_out_of_the_silence() -> None:
    notes = play("suspense")
    struck = {(bar, cell) for part in ("chords", "bass") for bar, cell in places(notes, part)}
    assert not [place for place in struck if place[0] % 4 == 3 and place[1] >= 8]
    swells = [n for n in notes if n.pitch == 51 and n.onset_beats // 4 % 4 == 3 and n.onset_beats < 64.0]
    assert all(n.onset_beats % 4.0 > 2.9 for n in swells)
    early, late = ([n.velocity for n in swells if (n.onset_beats % 4.0 > 3.4) == is_late] for is_late in (False, True))
    assert statistics.mean(late) > 1.3 * statistics.mean(early)


def test_stirred_fear_trembles() -> None:
    strokes = [place for place in places(play("suspense", density=1.8), "chords") if place[0] % 4 != 3]
    assert len(set(strokes)) > 0.8 * 12 * 16


def test_stop_time_leaves_holes() -> None:
    notes, plain = play("stop-time"), play("")

    def share_of_silence(notes: list[NoteEvent]) -> float:
        sounding = {round(4 * n.onset_beats) + k for n in notes if n.part in ("chords", "bass")
                    for k in range(max(1, round(4 * n.duration_beats)))}  # fmt: skip
        return 1.0 - len([cell for cell in sounding if 0 <= cell < 256]) / 256.0

    assert share_of_silence(notes) > share_of_silence(plain) + 0.3


def test_one_clave_is_kept() -> None:
    for seed in range(4):
        clave = places(play("son", seed=seed, bars=33), "percussion", 75)
        by_bar: dict[int, set[int]] = {}
        for bar, cell in clave:
            by_bar.setdefault(bar, set()).add(cell)
        assert set(map(frozenset, by_bar.values())) == {frozenset({0, 3, 6, 10, 12})}


def test_a_tumbao_comes_before_the_beat() -> None:
    cells = {cell for _, cell in places(play("son"), "bass")}
    assert cells == {3, 6, 11, 14}


def test_a_walking_bass_walks_in_quarters_by_small_steps() -> None:
    notes = play("swing", density=0.8)
    bass = sorted((n for n in notes if n.part == "bass" and n.onset_beats < 63.5), key=lambda n: n.onset_beats)
    assert {cell % 4 for _, cell in places(notes, "bass")} == {0}
    steps = [abs(a.pitch - b.pitch) for a, b in itertools.pairwise(bass)]
    assert statistics.mean(step <= 5 for step in steps) > 0.7
    assert statistics.mean(step == 0 for step in steps) < 0.25


def test_a_drummer_hardly_plays_a_bar_twice_alike() -> None:
    notes = play("pop", density=1.2, bars=33)
    bars = [frozenset((cell, key) for key in range(128) for at, cell in places(notes, "percussion", key) if at == bar)
            for bar in range(16)]  # fmt: skip
    assert len(set(bars)) > 8
    hats = [n.velocity for n in notes if n.part == "percussion" and n.pitch == 42]
    assert statistics.stdev(hats) > 15
    snares = [n.velocity for n in notes if n.part == "percussion" and n.pitch == 38]
    assert statistics.mean(velocity < 55 for velocity in snares) > 0.15


def test_a_groove_changes_only_where_it_lasts() -> None:
    """A flicker of another feeling for a bar does not change who plays what."""
    from kelly_live.music.conductor import Conductor
    from tests.music.band import RecordingSink, band

    def play_along(at_beat: float, until: float) -> RecordingSink:
        sink = RecordingSink()

        def choose(beat: float) -> MusicParameters:
            return make_plain(groove="swing" if at_beat <= beat < until else "rock")

        Conductor(sink, band(), seed=1, tonic=0, length_bars=17).play_through(make_plain(groove="rock"), choose)
        return sink

    flicker, lasting = play_along(5.0, 8.0), play_along(5.0, 99.0)
    assert 51 not in {n.pitch for n in flicker.part("percussion")}
    rides = [n.onset_beats for n in lasting.part("percussion") if n.pitch == 51]
    assert 7.9 < min(rides) < 20.0


def test_a_lament_repeats_its_chords_in_eighths_and_its_tune_sinks() -> None:
    notes = play("lament", density=0.65)
    strokes = [cell for _, cell in places(notes, "chords")]
    assert {cell % 2 for cell in strokes} == {0}
    assert len(set(places(notes, "chords"))) > 6 * 16
    tunes = [[n for n in play("lament", density=0.65, seed=seed) if n.part == "melody"] for seed in range(6)]
    opening, ending = (
        [n.pitch for tune in tunes for n in tune if n.onset_beats // 4 % 4 == bar and n.onset_beats < 64.0]
        for bar in (0, 2)
    )
    assert statistics.mean(opening) > statistics.mean(ending)


def test_a_ballad_flows_one_tone_at_a_time() -> None:
    notes = play("ballad", density=0.65)
    strokes = places(notes, "chords")
    assert len(set(strokes)) > 0.9 * len(strokes)
    assert {cell % 2 for _, cell in strokes} == {0}


def test_glad_music_has_claps_in_place_of_the_backbeat_s_snare() -> None:
    notes = play("pop", density=0.8)
    assert {cell for _, cell in places(notes, "percussion", 39)} == {4, 12}
