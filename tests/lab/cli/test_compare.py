"""`kelly-live lab compare`: what it plays and how it fails; its statistics are tested elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kelly_live.cli import run_program
from kelly_live.lab.judging.composers import FORM_BARS, SteppedConductor, create_score_composer
from kelly_live.lab.judging.reaction_time import measure_reach
from tests.fakes import parameters


def test_a_missing_manifest_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["lab", "compare", "--symbolic", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "manifest.jsonl is missing" in error
    assert error.count("\n") == 1


def test_a_piece_is_long_enough_for_its_form_and_two_seeds_differ() -> None:
    compose = create_score_composer(lambda state: parameters(bpm=240.0))
    one, other = (compose("solo", 0.5, 0.5, seed, 10.0) for seed in (1, 2))
    assert one.beats[-1] >= 4.0 * (FORM_BARS - 1)
    assert np.all(np.diff(one.onsets) >= 0.0)
    assert one.pitches[:50].tolist() != other.pitches[:50].tolist()


def test_parameters_reach_a_note_within_the_look_ahead() -> None:
    """Played live, what sounds 200 ms after a change was generated after it: look-ahead and one slice."""
    moments = [1.0 + 0.037 * i for i in range(50)]
    responses = measure_reach(SteppedConductor("solo", 1), parameters(bpm=120.0), 4.0, moments)
    assert max(one.stale_seconds for one in responses) < 0.2
    assert min(one.seconds for one in responses) > 0.0
