"""Where notes may fall in a bar: rankings, and how people's bars grow inside them."""

from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.values import RHYTHMS
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import list_rhythm_cells, rank_by_rhythm_cells, rank_places
from kelly_live.music.vocabulary import load_vocabulary


@given(st.integers(0, 999), st.sampled_from(RHYTHMS), st.sampled_from(("melody", "accompaniment")), st.integers(1, 14))
def test_rhythm_cells_reorder_places_and_add_none(seed: int, rhythm: str, part: str, onsets: int) -> None:
    ranks = rank_places(rhythm, 4, rng_for(seed, "ranks"), freedom=0.2)
    grown = rank_by_rhythm_cells(ranks, rhythm, part, onsets, rng_for(seed, "cells"))
    assert sorted(grown) == sorted(ranks)
    assert grown == rank_by_rhythm_cells(ranks, rhythm, part, onsets, rng_for(seed, "cells"))
    bars = {places for places, _ in list_rhythm_cells(rhythm, part)}
    if any(len(places) == onsets for places in bars):
        assert frozenset(grown[:onsets]) in bars  # the bar that it grew from is one of theirs
    else:
        assert grown == ranks


@given(st.integers(0, 999))
def test_a_phrase_that_must_begin_on_its_first_beat_does_and_a_breath_stays_free(seed: int) -> None:
    ranks = tuple(place for place in rank_places("straight", 4, rng_for(seed, "ranks"), freedom=0.2) if place < 3.5)
    grown = rank_by_rhythm_cells(ranks, "straight", "melody", 5, rng_for(seed, "cells"), from_first=True)
    assert grown[0] == 0.0
    assert max(grown) < 3.5


def test_most_bars_are_people_s_at_every_density() -> None:
    bars = {places for places, _ in list_rhythm_cells("straight", "melody")}
    for notes in range(1, 8):
        matches = 0
        for seed in range(50):
            ranks = rank_places("straight", 4, rng_for(seed, "ranks"), freedom=0.22)
            grown = rank_by_rhythm_cells(ranks, "straight", "melody", 5, rng_for(seed, "cells"))
            matches += frozenset(grown[:notes]) in bars
        assert matches > 35, notes


def test_triplets_and_dotted_rhythms_keep_their_own_ranking_while_people_s_bars_have_none() -> None:
    words = load_vocabulary()
    assert words is not None
    assert not list_rhythm_cells("triplet", "melody")
    assert not list_rhythm_cells("dotted", "melody")
    offsets = [{place % 1 for place in places} for n in range(3, 17) for places, _ in words.cells("melody", n)]
    assert all(some <= {0.0, 0.25, 0.5, 0.75} for some in offsets)
    assert not any({0.75} <= some <= {0.0, 0.75} for some in offsets)
