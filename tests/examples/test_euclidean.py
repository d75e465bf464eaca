"""examples/kelly-live-euclidean: the package euclidean-rhythm in an environment of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from kelly_live.testing import ExternalGenerator, assert_conforms, make_context
from tests.examples.environment import EXAMPLES, make_environment, play_with

pytest.importorskip("euclidean_rhythm", reason="it plays by euclidean-rhythm: pip install -e '.[test]'")


@pytest.fixture(scope="module")
def euclidean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExternalGenerator]:
    python = make_environment(tmp_path_factory.mktemp("euclidean"), "euclidean-rhythm")
    file = EXAMPLES / "kelly-live-euclidean" / "kelly_live_euclidean.py"
    with ExternalGenerator(str(file), python=str(python)) as player:
        yield player


def test_it_keeps_the_contract(euclidean: ExternalGenerator) -> None:
    assert_conforms(euclidean)


def test_three_strokes_in_a_bar_of_eighths_are_a_tresillo(euclidean: ExternalGenerator) -> None:
    notes = play_with(euclidean, share=0.75, **{"low-line": False})
    gaps = [b.onset_beats - a.onset_beats for a, b in itertools.pairwise(notes[:4])]
    assert sorted(gaps) == [1.0, 1.5, 1.5]


def test_the_high_line_leaves_the_beats_as_far_as_it_is_asked(euclidean: ExternalGenerator) -> None:
    plain, free = (
        sum(note.onset_beats % 1.0 > 0.0 for note in play_with(euclidean, syncopation=amount, **{"low-line": False}))
        for amount in (0.0, 1.0)
    )
    assert plain < free


def test_it_strikes_tones_of_the_chord_the_same_for_a_seed(euclidean: ExternalGenerator) -> None:
    phrase = make_context(tonic=0).phrase
    notes = play_with(euclidean)
    for note in notes:
        assert note.pitch % 12 in phrase.span_at(note.onset_beats).chord.pitch_classes
    assert notes == play_with(euclidean)


def test_it_follows_density(euclidean: ExternalGenerator) -> None:
    assert len(play_with(euclidean, density=0.4)) < len(play_with(euclidean, density=2.0)) / 2
