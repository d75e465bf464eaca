"""Identification of a culture by the notes of a piece, in any key."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.values import NoteEvent
from kelly_live.cultures.library import CULTURES, load_culture
from kelly_live.cultures.preset import Known, Mode
from kelly_live.lab.cultures.identify import (
    FEATURES,
    OCTAVE_COMMAS,
    SAFETY,
    ComparedPiece,
    ComposedPiece,
    Likeness,
    compute_distance,
    compute_distances,
    compute_statistics,
    count_needed_pieces,
    create_signature,
    identify,
    measure_likeness,
    place_on_circle,
)
from kelly_live.lab.intervals import compute_wilson_interval

SIGNATURES = {name: create_signature(load_culture(name)) for name in CULTURES}


def note(beat: float, length: float, pitch: int, cents: float = 0.0) -> NoteEvent:
    return NoteEvent(beat, length, pitch, 80, 3, "melody", cents)


def draw_melody(name: str, tonic: int, seed: int = 1, notes: int = 300) -> list[NoteEvent]:
    """Notes drawn from a preset's degrees, one on each beat: its tones, and nothing else of it."""
    preset = load_culture(name)
    of = next((mode for mode in preset.modes if mode.scale_cents), preset)
    assert of.scale_cents is not None
    scale = of.scale_cents.value
    weights = of.degree_weights.value if of.degree_weights else (1 / len(scale),) * len(scale)
    melody = []
    for beat, cents in enumerate(np.random.default_rng(seed).choice(scale, notes, p=weights)):
        pitch = round(tonic + cents / 100.0)
        melody.append(note(float(beat), 0.9, pitch, 100.0 * (tonic - pitch) + float(cents)))
    return melody


@settings(max_examples=10, deadline=None)
@given(tonic=st.integers(48, 72))
def test_the_key_does_not_matter(tonic: int) -> None:
    at_c, in_other_key = (compute_statistics(draw_melody("turkish-makam", t), t) for t in (60, tonic))
    np.testing.assert_allclose(at_c.degrees, in_other_key.degrees, atol=1e-6)
    np.testing.assert_allclose(at_c.intervals, in_other_key.intervals, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in CULTURES if "degrees" in SIGNATURES[n].knows])
def test_tones_drawn_from_a_tradition_are_near_it(name: str) -> None:
    far = compute_distances(compute_statistics(draw_melody(name, 60), 60), SIGNATURES[name])
    assert far["degrees"] < 0.12


def test_slendro_is_not_mistaken_for_a_tempered_pentatonic() -> None:
    melody = compute_statistics(draw_melody("javanese-gamelan", 62), 62)
    gamelan, han = (
        compute_distances(melody, SIGNATURES[n])["degrees"] for n in ("javanese-gamelan", "chinese-han-folk")
    )
    assert gamelan < 0.5 * han


def test_an_ornament_is_counted_and_is_no_note() -> None:
    plain = [note(float(beat), 0.9, 60 + beat % 5) for beat in range(16)]
    graced = [note(0.0, 0.09, 63), note(0.09, 0.8, 60), *plain[1:]]
    one, other = compute_statistics(plain, 60), compute_statistics(graced, 60)
    assert (one.ornaments, other.ornaments) == (0.0, 1 / 16)
    np.testing.assert_allclose(one.intervals, other.intervals)
    np.testing.assert_allclose(one.onsets, other.onsets)


def test_expressive_timing_is_not_rhythm() -> None:
    onsets = [0.0, 1.0, 1.5, 2.0, 2.75, 3.0, 3.5, 4.0, 5.0]
    late = compute_statistics([note(onset + 0.04, 0.3, 60) for onset in onsets], 60)
    np.testing.assert_allclose(late.onsets, onsets)
    swung = compute_statistics([note(onset if onset != 1.5 else 1.58, 0.3, 60) for onset in onsets], 60)
    np.testing.assert_allclose(swung.onsets, onsets)


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3), st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3))
def test_the_distance_is_a_metric(a: list[float], b: list[float]) -> None:
    one, other = (place_on_circle([0.0, 300.0, 700.0], [value + 0.01 for value in values]) for values in (a, b))
    assert compute_distance(one, one) == pytest.approx(0.0, abs=1e-6)
    assert compute_distance(one, other) == pytest.approx(compute_distance(other, one))
    assert 0.0 <= compute_distance(one, other) <= 1.0


def test_nothing_in_common_is_as_far_as_it_gets() -> None:
    assert compute_distance(np.eye(OCTAVE_COMMAS)[0], np.eye(OCTAVE_COMMAS)[1]) == pytest.approx(1.0)


def test_two_are_compared_over_what_both_know() -> None:
    """The second has only degrees, and is nearer in them; that it has no onsets does not count."""
    piece = ComparedPiece(
        "b", {"a": {"degrees": 0.3, "onsets": 0.1}, "b": {"degrees": 0.1}, "c": {"degrees": 0.5, "onsets": 0.5}}
    )
    assert identify([piece]) == ["b"]


def test_of_two_that_share_no_feature_the_one_near_in_more_features_wins() -> None:
    """Each wins its comparisons: "b" in two features, "a" in one, though that one is nearer."""
    far = {"a": {"degrees": 0.1}, "b": {"onsets": 0.2, "rhythms": 0.2}, "c": {"degrees": 0.5, "onsets": 0.5}}
    assert identify([ComparedPiece("b", far)]) == ["b"]


def test_a_perfect_sampler_is_as_far_as_computed() -> None:
    """Notes drawn from the corpus's own shares are as far as chance takes them; a wrong scale is farther."""
    preset = load_culture("jingju")
    of = next(mode for mode in preset.modes if mode.scale_cents)
    pieces = [ComposedPiece(of.name, compute_statistics(draw_melody("jingju", 60, seed), 60)) for seed in range(8)]
    likeness = measure_likeness(pieces, preset, ((), ()), "degrees")
    assert likeness is not None
    assert 0.5 * likeness.perfect < likeness.ours < 2.0 * likeness.perfect
    assert (likeness.halves, likeness.modes, likeness.notes) == (None, 1, 2400)
    flat = [NoteEvent(float(beat), 0.9, 60 + 2 * (beat % 6), 80, 3, "melody") for beat in range(2400)]
    wrong = measure_likeness([ComposedPiece(of.name, compute_statistics(flat, 60))], preset, ((), ()), "degrees")
    assert wrong is not None
    assert wrong.ours > 5.0 * wrong.perfect


def test_enough_pieces_are_composed_to_rule_chance_out() -> None:
    """With the needed pieces a sampler stays SAFETY times below the bound; with fewer it does not."""
    preset = load_culture("jingju")
    of = next(mode for mode in preset.modes if mode.scale_cents)
    mode_halves = tuple((replace(of, degree_weights=shift_weights(of, more)),) for more in (0.0, 0.01))

    def likeness_of(pieces: int) -> Likeness:
        composed_pieces = [
            ComposedPiece(of.name, compute_statistics(draw_melody("jingju", 60, seed), 60)) for seed in range(pieces)
        ]
        likeness = measure_likeness(composed_pieces, preset, (mode_halves[0], mode_halves[1]), "degrees")
        assert likeness is not None
        assert likeness.bound is not None
        return likeness

    few = likeness_of(4)
    piece_count = count_needed_pieces([few, None], 4)
    assert piece_count > 8
    enough, less = likeness_of(piece_count), likeness_of(piece_count // 2)
    assert enough.bound is not None
    assert less.bound is not None
    assert SAFETY * enough.perfect == pytest.approx(enough.bound, rel=0.1)
    assert SAFETY * less.perfect > 1.2 * less.bound
    assert count_needed_pieces([enough], piece_count) <= 1.2 * piece_count
    assert count_needed_pieces([replace(few, halves=None), None], 4) == 4  # nothing to be within


def shift_weights(of: Mode, more: float) -> Known[tuple[float, ...]]:
    """Shift weight from the second degree to the first."""
    assert of.degree_weights is not None
    first, second, *rest = of.degree_weights.value
    return replace(of.degree_weights, value=(first + more, second - more, *rest))


def test_a_step_counts_as_the_size_that_the_corpus_has_for_it() -> None:
    """What a corpus notates as whole commas is played as its scale was measured, a few cents beside."""
    preset = load_culture("turkish-makam")
    of = preset.mode("hicaz")
    assert of is not None
    assert of.intervals is not None
    sizes = np.array([float(size) for size, _ in of.intervals.value])
    steps = np.random.default_rng(0).choice(sizes, 4000, p=get_shares(of))
    notes = [note(float(beat), 0.9, 60) for beat in range(len(steps) + 1)]
    statistics = replace(compute_statistics(notes, 60), steps=steps + 9.0)
    likeness = measure_likeness([ComposedPiece("hicaz", statistics)], preset, ((), ()), "intervals")
    assert likeness is not None
    assert likeness.ours < 2.0 * likeness.perfect


def get_shares(of: Mode) -> list[float]:
    assert of.intervals is not None
    total = sum(share for _, share in of.intervals.value)
    return [share / total for _, share in of.intervals.value]


def test_the_features_of_a_preset_are_named() -> None:
    assert SIGNATURES["javanese-gamelan"].knows == ("degrees",)
    assert SIGNATURES["cuban-son"].knows == ("onsets", "rhythms")
    assert SIGNATURES["jingju"].knows == FEATURES


def test_the_interval_holds_the_share() -> None:
    low, high = compute_wilson_interval(160, 200)
    assert 0.73 < low < 0.8 < high < 0.86
    assert compute_wilson_interval(0, 10)[0] == 0.0
