"""Ablations: a factor changes the notes while it is on, and nothing while it is off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.lab.judging import ablation
from kelly_live.lab.judging.ablation import ablate, compute_difference_share, extract_window, format_ablations
from tests.emotion.nets.test_emotion import sound, window_ending
from tests.lab.nets.test_system import SYSTEM


def make_note(pitch: int, onset: float = 0.0) -> NoteEvent:
    return NoteEvent(onset, 1.0, pitch, 80, 1, "melody")


def test_the_difference_counts_notes_of_one_piece_only() -> None:
    assert compute_difference_share([make_note(60), make_note(62)], [make_note(62), make_note(60)]) == 0.0
    assert compute_difference_share([make_note(60), make_note(62)], [make_note(60), make_note(64)]) == 0.5
    assert compute_difference_share([make_note(60)], [make_note(61)]) == 1.0
    assert compute_difference_share([make_note(60)], [make_note(60), make_note(60)]) == pytest.approx(1 / 3)
    assert compute_difference_share([], []) == 0.0


def play_tempo(parameters: MusicParameters, seed: int) -> Sequence[NoteEvent]:
    """Play one note whose pitch and onset encode tempo and density."""
    return [make_note(round(parameters.tempo.suggested / 2), onset=parameters.density)]


def test_each_stage_reaches_the_notes_only_while_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation, "PAST_SECONDS", 1.0)  # each quarter of a second is read by the net
    samples = np.concatenate((sound(10.0), np.zeros(32_000, np.float32), 0.3 * sound(10.0, seed=5)))
    ablations = ablate(
        SYSTEM, samples, (9.0, 21.0), 14.0, play_tempo, cultures=("one", "two"), users=(1, 2), seeds=(1,)
    )
    assert [a.what for a in ablations] == ["history", "culture", "user"]
    assert all(a.holds for a in ablations), format_ablations(ablations)
    same = ablate(SYSTEM, samples, (9.0, 9.0), 14.0, play_tempo, cultures=("one", "one"), users=(2, 2), seeds=(1,))
    assert not any(a.holds for a in same)  # an unchanged factor does not hold


def test_the_window_is_the_nets_own() -> None:
    samples = sound(20.0)
    for name, mel in window_ending(samples, 16 * 16_000).items():
        torch.testing.assert_close(extract_window(samples, 16.0)[name], mel, atol=1e-4, rtol=1e-4)


def test_a_past_must_lie_in_the_recording() -> None:
    with pytest.raises(ConfigError, match="the recording lasts"):
        ablate(SYSTEM, sound(10.0), (9.0, 21.0), 5.0, play_tempo, cultures=("one", "two"), users=(1, 2))
