"""What a corpus has in common, on tunes with known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.pitch import octave_distance_cents
from kelly_live.core.values import MODES, RHYTHMS
from kelly_live.cultures.preset import Mode
from kelly_live.lab.cultures import statistics
from kelly_live.lab.cultures.recipe import measure_tunes
from kelly_live.lab.cultures.tune import Tune
from tests.cultures.example import tune

MAJOR = [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2, 0, 0]
PENTATONIC = [0, 2, 4, 7, 9, 12, 9, 7, 4, 2, 0, 2, 4, 2, 0, 0]


def test_a_scale_is_what_the_tunes_rest_on() -> None:
    cents, weights = statistics.measure_scale([tune(PENTATONIC)] * 6, "x")
    assert cents is not None
    assert weights is not None
    assert cents.value == (0.0, 200.0, 400.0, 700.0, 900.0)
    assert weights.value == pytest.approx([5 / 16, 4 / 16, 3 / 16, 2 / 16, 2 / 16])
    assert (cents.source, cents.n) == ("measured", 6 * 16)


def test_neighbouring_commas_are_one_degree() -> None:
    comma = 1200.0 / 53.0
    tunes = [Tune(cents=np.array([0, 8, 8, 7, 13, 22, 31] * 2) * comma) for _ in range(6)]
    cents, weights = statistics.measure_scale(tunes, "x", divisions=53, min_gap=2)
    assert cents is not None
    assert weights is not None
    assert cents.value == pytest.approx([0, 8 * comma, 13 * comma, 22 * comma, 31 * comma], abs=0.1)
    assert weights.value[1] == pytest.approx(3 / 7)


def test_steps_are_signed() -> None:
    steps = statistics.measure_intervals([tune([0, 2, 4, 0] * 4)] * 5, "x")
    assert steps is not None
    shares = dict(steps.value)
    assert shares["200"] == pytest.approx(8 / 15)
    assert shares["-400"] == pytest.approx(4 / 15)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_a_mode_s_steps_are_those_between_its_degrees() -> None:
    """A passing tone that is no degree gives the mode no steps.

    A passing tone that is no degree, now and then, gives the mode no steps: its two semitones are a whole tone's way,
    and no player who has but five tones can take them.
    """
    with_passing_tone = tune([0, 2, 3, 4, 7, 9, 12, 9, 7, 4, 2, 0], mode="five")
    plain = [tune(PENTATONIC * 4, mode="five")] * 5
    (mode,) = statistics.measure_modes([*plain, with_passing_tone], "x")
    assert mode.scale_cents is not None
    assert mode.intervals is not None
    assert mode.scale_cents.value == (0.0, 200.0, 400.0, 700.0, 900.0)
    assert "100" not in dict(mode.intervals.value)
    assert mode.intervals.n == 5 * (4 * 16 - 1) + 11 - 2
    (without,) = statistics.measure_modes([*plain, tune(PENTATONIC * 4, mode="five")], "x")
    assert without.intervals == statistics.measure_intervals([*plain, plain[0]], "x")


def test_a_degree_sung_a_comma_off_is_that_degree() -> None:
    comma = 1200.0 / 53.0
    tune = Tune(cents=np.array([0, 8, 17, 16, -22, 61, 61, 75, 4]) * comma)
    scale = (0.0, 8 * comma, 17 * comma, 31 * comma)
    commas = statistics.move_to_degrees(tune, scale, divisions=53, min_gap=2).cents / comma
    assert commas[:-2] == pytest.approx([0, 8, 17, 17, -22, 61, 61])
    assert np.isnan(commas[-2:]).all()


def test_steps_are_as_wide_as_the_degrees_sound() -> None:
    """A limma and an apotome that are sung alike give the mode steps of one size."""
    comma = 1200.0 / 53.0
    notated_tunes = [Tune(cents=np.array([0, 9, 13, 22, 13, 9, 0, -4] * 3) * comma, mode="x") for _ in range(6)]
    as_sung = np.array([0.0, 9 * comma, 13.5 * comma, 22 * comma, 48.5 * comma])

    def tuning(modes: tuple[Mode, ...]) -> tuple[Mode, ...]:
        (mode,) = modes
        assert mode.scale_cents is not None
        return (replace(mode, scale_cents=replace(mode.scale_cents, value=tuple(as_sung))),)

    (mode,) = statistics.measure_modes(notated_tunes, "x", divisions=53, min_gap=2, grid=comma / 2, tuning=tuning)
    assert mode.intervals is not None
    sizes = {int(cents) for cents, _ in mode.intervals.value}
    assert sizes == {round(n * comma) for n in (9, -9, 4.5, -4.5, 8.5, -8.5)}


@given(
    st.lists(st.integers(-2000, 3000), min_size=1, max_size=20),
    st.sampled_from([(12, 1), (24, 1), (53, 2)]),
    st.lists(st.integers(1, 52), max_size=8, unique=True),
)
def test_what_is_on_a_degree_was_near_it(cents: list[int], grid: tuple[int, int], degrees: list[int]) -> None:
    divisions, min_gap = grid
    scale = (0.0, *(1200.0 * degree / divisions for degree in sorted(degrees) if degree < divisions))
    moved_cents = statistics.move_to_degrees(Tune(cents=np.array(cents, dtype=float)), scale, divisions, min_gap).cents
    is_on_degree = ~np.isnan(moved_cents)
    assert (np.abs(moved_cents - cents)[is_on_degree] <= (min_gap - 0.5) * 1200.0 / divisions + 1e-6).all()
    off = np.abs(octave_distance_cents(moved_cents[is_on_degree, None], np.array(scale))).min(axis=1, initial=0.0)
    assert (off < 1e-6).all() or not is_on_degree.any()


def test_only_seven_note_diatonic_tunes_have_mode_preferences() -> None:
    preferences, _ = statistics.measure_mode_preferences([tune(MAJOR)] * 6, "x")
    assert preferences is not None
    assert MODES[int(np.argmax(preferences.value))] == "ionian"
    assert sum(preferences.value) == pytest.approx(1.0)
    assert statistics.measure_mode_preferences([tune(PENTATONIC)] * 6, "x") == (
        None,
        "not seven-note: the median tune uses 5 degrees, which fit several modes",
    )
    freygish = [0, 1, 4, 5, 7, 8, 10, 12, 10, 8, 7, 5, 4, 1, 0, 4]
    none, why = statistics.measure_mode_preferences([tune(freygish)] * 6, "x")
    assert none is None
    assert why.startswith("not diatonic")


def bars(lengths: list[float], metre: str) -> Tune:
    return tune([0] * 8 * len(lengths), lengths * 8, metre=metre)


@pytest.mark.parametrize(
    ("groups", "metre"),
    [((2, 2, 2, 3), "9/8"), ((3, 3, 3), "9/8"), ((3, 2, 2), "7/8"), ((2, 3), "5/8"), ((3, 3, 2), "8/8")],
)
def test_the_grouping_of_a_bar_is_found_by_where_long_notes_start(groups: tuple[int, ...], metre: str) -> None:
    units = int(metre.split("/")[0])
    assert sum(groups) == units
    assert statistics.find_grouping([bars([part / 2.0 for part in groups], metre)], metre, units) == groups


def test_even_eighths_have_no_grouping() -> None:
    even = bars([0.5] * 7, "7/8")
    assert statistics.find_grouping([even], "7/8", 7) is None


@given(st.integers(0, 18))
def test_compositions_are_all_and_only_the_twos_and_threes(units: int) -> None:
    compositions = statistics.list_compositions(units)
    assert len(set(compositions)) == len(compositions)
    assert all(sum(parts) == units and set(parts) <= {2, 3} for parts in compositions)
    assert bool(compositions) == (units != 1)


def test_onset_profile_is_the_share_of_bars() -> None:
    quarter_and_eighths = tune([0] * 24, [1.0, 0.5, 0.5, 2.0] * 6)
    profile = statistics.compute_onset_profile([quarter_and_eighths], "4/4")
    assert profile == pytest.approx([1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0])


def test_density_rhythm_and_contrast() -> None:
    even = [tune([0, 2] * 16, [0.5] * 32)] * 5
    assert statistics.measure_density(even, "x").value == pytest.approx(2.0)  # type: ignore[union-attr]
    assert statistics.measure_npvi(even, "x").value == pytest.approx(0.0)  # type: ignore[union-attr]
    rhythms = statistics.measure_rhythms(even, "x")
    assert rhythms is not None
    assert RHYTHMS[int(np.argmax(rhythms.value))] == "straight"
    jigs = [tune([0, 2, 4] * 12, [0.5] * 36, metre="6/8", beat=1.5)] * 5
    rhythms = statistics.measure_rhythms(jigs, "x")
    assert rhythms is not None
    assert RHYTHMS[int(np.argmax(rhythms.value))] == "triplet"


def test_register_counts_time_and_is_absent_where_tunes_were_transposed() -> None:
    high_and_low = [tune([0, 12] * 8, [0.5, 1.5] * 8)] * 5
    register = statistics.measure_register(high_and_low, "x")
    assert register is not None
    assert register.value == (60.0, 72.0, 72.0)
    assert statistics.measure_register([tune(MAJOR, tonic=None)] * 5, "x") is None


def test_what_is_not_in_the_corpus_is_absent() -> None:
    pitches_only = [Tune(cents=100.0 * np.array(MAJOR, float)) for _ in range(6)]
    findings = measure_tunes(pitches_only, "x")
    silent = (
        "tempo_bpm",
        "metres",
        "groupings",
        "onset_profiles",
        "rhythms",
        "density",
        "npvi",
        "register",
        "ornaments",
    )
    assert [name for name in silent if findings.parameters[name] is not None] == []
    assert findings.parameters["scale_cents"] is not None
    assert measure_tunes(pitches_only[:3], "x").parameters["intervals"] is None  # three tunes prove nothing


def test_modes_are_the_commonest_first_and_rare_ones_are_left_out() -> None:
    tunes = [tune(MAJOR, mode="plain")] * 7 + [tune(PENTATONIC, mode="open")] * 5 + [tune(MAJOR, mode="rare")] * 2
    modes = statistics.measure_modes(tunes, "x", {"open": "The open one"})
    assert [(mode.name, mode.title) for mode in modes] == [("plain", "plain"), ("open", "The open one")]
    assert modes[0].share is not None
    assert modes[0].share.value == pytest.approx(0.5)
