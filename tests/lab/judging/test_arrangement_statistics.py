"""How melody, accompaniment and drums fit together, on bars whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_live.lab.judging.arrangement_statistics import (
    STATISTICS,
    Arrangement,
    compute_arrangement_statistics,
    describe_bars,
    detect_half_bar_chords,
    measure_structure,
    summarise_arrangements,
)

Rows = list[tuple[float, float, int, int]]
C_MAJOR, F_MAJOR, G_MAJOR, A_MINOR = (36, 60, 64, 67), (41, 60, 65, 69), (43, 59, 62, 67), (45, 60, 64, 69)


def arrange(melody: Rows, chords: Rows, drums: Rows | None = None) -> Arrangement:
    return Arrangement(
        np.array(melody, dtype=float),
        np.array(chords, dtype=float),
        0,
        np.array(drums or [], dtype=float).reshape(-1, 4),
    )


def strike(*chords: tuple[int, ...], velocity: int = 60) -> Rows:
    """A chord on each half bar."""
    return [(2.0 * number, 1.9, pitch, velocity) for number, chord in enumerate(chords) for pitch in chord]


def sing(*notes: tuple[float, float, int]) -> Rows:
    return [(onset, length, pitch, 70) for onset, length, pitch in notes]


def test_triads_are_found_under_passing_notes() -> None:
    chords = [*strike(C_MAJOR, F_MAJOR, G_MAJOR, A_MINOR), (0.5, 0.3, 62, 50)]
    assert detect_half_bar_chords(np.array(sorted(chords)), 2) == [0, 5, 7, 12 + 9]


def test_a_melody_a_semitone_from_the_chord_clashes_and_its_octave_too() -> None:
    melody = sing((0.0, 0.5, 77), (1.0, 0.5, 72), (2.0, 0.5, 71), (3.0, 0.5, 72))
    clashing = compute_arrangement_statistics(arrange(melody, strike(C_MAJOR, C_MAJOR)), bars=1)
    assert clashing["semitone clashes"] == 50.0


def test_an_appoggiatura_is_resolved_and_a_held_one_is_not() -> None:
    resolved = sing((0.0, 1.0, 74), (1.0, 1.0, 72), (2.0, 1.0, 77), (3.0, 1.0, 76))
    held = sing((0.0, 2.0, 74), (2.0, 1.0, 77), (3.0, 1.0, 77))
    good, bad = (
        compute_arrangement_statistics(arrange(melody, strike(C_MAJOR, C_MAJOR)), bars=1) for melody in (resolved, held)
    )
    assert (good["strong non-chord tones resolved"], good["strong non-chord tones held"]) == (100.0, 0.0)
    assert (bad["strong non-chord tones resolved"], bad["strong non-chord tones held"]) == (0.0, 100.0)


def test_phrases_barlines_and_syncopations_are_counted() -> None:
    bars = [(4.0 * bar + 1.5, 1.0, 72) for bar in range(8)]  # off the beat, over the next one, then a rest
    tied = [(4.0 * bar + 3.5, 1.0, 72) for bar in range(8)]
    loose, held = (
        compute_arrangement_statistics(arrange(sing(*notes), strike(*[C_MAJOR] * 16)), bars=8) for notes in (bars, tied)
    )
    assert loose["phrases from beat 1"] == held["phrases from beat 1"] == 0.0
    assert loose["notes over a barline"] == 0.0
    assert held["notes over a barline"] == 100.0
    assert loose["syncopations a bar"] == pytest.approx(1.0, abs=0.15)
    assert loose["commonest rhythm of every fourth bar"] == 100.0


def test_a_loop_of_chords_is_new_once() -> None:
    melody = sing(*((4.0 * bar, 1.0, 72) for bar in range(16)))
    loop = strike(*[C_MAJOR, A_MINOR, F_MAJOR, G_MAJOR] * 8)
    # 29 groups of four in 32 half bars: four of them are new.
    assert compute_arrangement_statistics(arrange(melody, loop), bars=16)["new chord 4-grams"] == pytest.approx(
        100.0 * 4 / 29
    )


def test_a_section_that_returns_has_structure_and_noise_has_none() -> None:
    rng = np.random.default_rng(1)

    def describe(section: np.ndarray) -> np.ndarray:
        return section / np.linalg.norm(section, axis=1, keepdims=True)

    section = describe(rng.random((16, 48)) ** 4)
    noise = describe(rng.random((64, 48)) ** 4)
    assert measure_structure(np.tile(section, (4, 1))) > 0.6
    assert measure_structure(noise) < 0.35


def test_loudness_density_and_mode_are_by_windows() -> None:
    quiet, loud = strike(*[C_MAJOR] * 16, velocity=40), strike(*[(36, 60, 63, 67)] * 16, velocity=60)
    melody = sing(*((4.0 * bar, 1.0, 67) for bar in range(16)))
    chords = quiet + [(onset + 32.0, length, pitch, velocity) for onset, length, pitch, velocity in loud]
    found = compute_arrangement_statistics(arrange(melody, chords), bars=16)
    assert found["velocity range"] == pytest.approx(18.0, abs=1.0)
    assert found["density variation"] == pytest.approx(0.0, abs=0.01)
    assert found["parallel flips"] == pytest.approx(100.0 / 3)


def test_drums_by_timing_velocity_and_variety() -> None:
    melody = sing(*((4.0 * bar, 1.0, 72) for bar in range(4)))
    plain: Rows = [(4.0 * bar + beat, 0.2, 42, 80) for bar in range(4) for beat in range(4)]
    played: Rows = [
        (4.0 * bar + beat + 0.02 * (beat % 2), 0.2, 42, 60 + 20 * (beat % 2)) for bar in range(4) for beat in range(4)
    ]
    played += [(4.0 * bar + 0.25 * bar + 0.25, 0.2, 38, 30) for bar in range(3)]
    stiff, lively = (
        compute_arrangement_statistics(arrange(melody, strike(*[C_MAJOR] * 8), sorted(drums)), bars=4)
        for drums in (plain, played)
    )
    assert (stiff["drum timing SD ms"], stiff["hat velocity SD"], stiff["distinct drum bars"]) == (0.0, 0.0, 25.0)
    assert "ghost snares" not in stiff
    assert lively["drum timing SD ms"] > 4.0
    assert lively["hat velocity SD"] == pytest.approx(10.0)
    assert (lively["ghost snares"], lively["distinct drum bars"]) == (100.0, 100.0)


def test_a_piece_begins_with_its_melody_s_bar() -> None:
    melody = sing((9.0, 1.0, 72), (10.0, 1.0, 74))
    chords = strike(*[G_MAJOR] * 4) + [(onset + 8.0, length, pitch, v) for onset, length, pitch, v in strike(C_MAJOR)]
    selected = arrange(melody, chords).select_bars(1)
    assert selected.melody[0, 0] == 1.0
    assert detect_half_bar_chords(selected.accompaniment, 1)[0] == 0
    assert describe_bars(selected, 1).shape == (1, 48)


def test_a_summary_has_quantiles_and_leaves_out_what_no_piece_has() -> None:
    rows = [{"melody range": float(value)} for value in range(11)]
    (row,) = summarise_arrangements(rows)
    assert (row.statistic, row.low, row.middle, row.high, row.pieces) == ("melody range", 1.0, 5.0, 9.0, 11)
    assert set(STATISTICS) >= {row.statistic}
