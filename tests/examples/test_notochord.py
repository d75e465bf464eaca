"""examples/kelly-live-notochord: the neural network Notochord, with random weights, or a stand-in for it.

KELLY_LIVE_TEST_NOTOCHORD names the python of an environment that has notochord (7 GB with its torch on Linux); CI has
none. Without it, `stand_in/` has the calls of notochord that the adapter makes.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kelly_live.core.values import NoteEvent
from kelly_live.generators.plugin_process import PlayerFault
from kelly_live.testing import ExternalGenerator, assert_conforms, make_context, make_parameters, play
from tests.examples.environment import EXAMPLES

FILE = str(EXAMPLES / "kelly-live-notochord" / "kelly_live_notochord.py")
STAND_IN = Path(__file__).parent / "stand_in"
PYTHON = os.environ.get("KELLY_LIVE_TEST_NOTOCHORD")
MAKE_WEIGHTS = """
import sys, torch
from notochord import Notochord
torch.manual_seed(1)
size = dict(emb_size=32, rnn_hidden=32, rnn_layers=2, mlp_layers=1, time_sines=8, vel_sines=8)
size.update(time_components=4, vel_components=4)
torch.save({"kw": {"model": size}, "model_state": Notochord(**size).state_dict()}, sys.argv[1])
"""
C_MAJOR = {0, 2, 4, 5, 7, 9, 11}


@pytest.fixture(scope="module", params=["stand-in", "random weights"])
def notochord(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExternalGenerator]:
    weights = tmp_path_factory.mktemp("notochord") / "weights.ckpt"
    is_real = request.param == "random weights"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KELLY_LIVE_NOTOCHORD", str(weights))
        if is_real:
            if PYTHON is None:
                pytest.skip("KELLY_LIVE_TEST_NOTOCHORD names no python of an environment with notochord (7 GB)")
            subprocess.run([PYTHON, "-c", MAKE_WEIGHTS, str(weights)], check=True, timeout=100)
        else:
            patch.syspath_prepend(STAND_IN)
            weights.touch()
        with ExternalGenerator(FILE, python=PYTHON if is_real else None) as player:
            assert player.descriptor.name == "notochord"
            yield player


def line(
    player: ExternalGenerator, *, density: float = 1.0, seed: int = 3, rhythm: str = "straight"
) -> list[NoteEvent]:
    generator: Any = player()
    generator.configure({one.name: one.default for one in player.descriptor.parameters})
    generator.reset()
    return play(generator, make_parameters(density=density), make_context(tonic=0, seed=seed, rhythm=rhythm))


def test_it_keeps_the_contract(notochord: ExternalGenerator) -> None:
    assert_conforms(notochord)


def test_it_plays_one_line_on_the_grid_in_the_key(notochord: ExternalGenerator) -> None:
    notes = line(notochord)
    assert {note.pitch % 12 for note in notes} <= C_MAJOR
    assert {note.onset_beats % 0.5 for note in notes} == {0.0}
    assert {round(note.onset_beats % 1.0, 3) for note in line(notochord, rhythm="triplet")} <= {0.0, 0.333, 0.667}
    for note, following in itertools.pairwise(notes):
        assert note.onset_beats + note.duration_beats <= following.onset_beats


def test_on_the_first_beat_of_a_bar_stands_a_tone_of_its_chord(notochord: ExternalGenerator) -> None:
    on_first_beats = 0
    for seed in range(3):
        phrase = make_context(tonic=0, seed=seed).phrase
        for note in line(notochord, seed=seed):
            if note.onset_beats % 4.0 == 0.0:
                on_first_beats += 1
                assert note.pitch % 12 in phrase.span_at(note.onset_beats).chord.pitch_classes
    assert on_first_beats > 0


def test_it_follows_density_and_seed(notochord: ExternalGenerator) -> None:
    assert len(line(notochord, density=0.4)) < len(line(notochord, density=2.0)) / 2
    assert line(notochord) == line(notochord)
    assert line(notochord) != line(notochord, seed=4)


def test_without_weights_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(STAND_IN)
    monkeypatch.setenv("KELLY_LIVE_NOTOCHORD", "/no/such/file")
    with (
        ExternalGenerator(FILE) as player,
        pytest.raises(PlayerFault, match=r"/no/such/file is not there; .* set KELLY_LIVE_NOTOCHORD to the file"),
    ):
        line(player)
