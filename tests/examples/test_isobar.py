"""examples/kelly-live-isobar: isobar's patterns in an environment of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kelly_live.testing import ExternalGenerator, assert_conforms, make_context
from tests.examples.environment import EXAMPLES, make_environment, play_with

pytest.importorskip("isobar", reason="what isobar needs has wheels for Python up to 3.12: pip install isobar==0.1.2")
C_MAJOR = {0, 2, 4, 5, 7, 9, 11}


@pytest.fixture(scope="module")
def isobar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExternalGenerator]:
    folder = tmp_path_factory.mktemp("isobar")
    python = make_environment(folder, "isobar", "mido", "python-osc", "python-rtmidi", "packaging")
    with ExternalGenerator(str(EXAMPLES / "kelly-live-isobar" / "kelly_live_isobar.py"), python=str(python)) as player:
        yield player


def test_it_keeps_the_contract(isobar: ExternalGenerator) -> None:
    assert_conforms(isobar)


@pytest.mark.parametrize("figure", ["walk", "arpeggio", "fractal"])
def test_it_plays_in_the_key_the_same_for_a_seed_and_otherwise_for_another(
    isobar: ExternalGenerator, figure: str
) -> None:
    notes = play_with(isobar, figure=figure)
    assert {note.pitch % 12 for note in notes} <= C_MAJOR
    assert notes == play_with(isobar, figure=figure)
    assert notes != play_with(isobar, figure=figure, seed=4)


def test_an_arpeggio_has_the_tones_of_the_chord_alone(isobar: ExternalGenerator) -> None:
    phrase = make_context(tonic=0).phrase
    for note in play_with(isobar, figure="arpeggio"):
        assert note.pitch % 12 in phrase.span_at(note.onset_beats).chord.pitch_classes


def test_it_follows_density_and_octave(isobar: ExternalGenerator) -> None:
    sparse, dense = play_with(isobar, density=0.4), play_with(isobar, density=2.5)
    assert len(sparse) < len(dense) / 2
    low, high = play_with(isobar, octave=-2), play_with(isobar, octave=0)
    assert max(note.pitch for note in low) < min(note.pitch for note in high) + 12
    assert sum(note.pitch for note in low) / len(low) < sum(note.pitch for note in high) / len(high) - 12
