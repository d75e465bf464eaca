"""Whether a player plays, from the level of scripted inputs."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_live.core.sync_state import PlayerActivity
from kelly_live.core.values import AudioWindow
from kelly_live.sync.activity import ActivityTracker

RATE = 8000


def noise(seconds: float, dbfs: float, seed: int = 1) -> np.ndarray:
    """White noise of an RMS level."""
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return (samples * 10.0 ** (dbfs / 20.0)).astype(np.float32)


def listen(samples: np.ndarray, block: int = 400) -> list[tuple[float, PlayerActivity | None]]:
    """Return each new activity with the second at which it was known."""
    tracker, changes = ActivityTracker(), list[tuple[float, PlayerActivity | None]]()
    for start in range(0, len(samples), block):
        part = samples[start : start + block]
        end = (start + len(part)) / RATE
        tracker.push(AudioWindow(part, RATE, end))
        player = tracker.estimate(end).player
        if player is not None and (not changes or changes[-1][1] != player):
            changes.append((end, player))
    return changes


def states(changes: list[tuple[float, PlayerActivity | None]]) -> list[bool]:
    return [player.is_playing for _, player in changes if player is not None]


@pytest.mark.parametrize("dbfs", [-120.0, -66.0])
def test_silence_is_no_player(dbfs: float) -> None:
    assert listen(noise(20.0, dbfs)) == []


def test_a_click_and_a_cough_are_no_player() -> None:
    click, cough = noise(0.05, -10.0), noise(0.6, -20.0)
    quiet = noise(3.0, -90.0)
    assert listen(np.concatenate((quiet, click, quiet, cough, quiet))) == []


def test_a_rest_is_known_within_a_second_and_dated_from_the_last_sound() -> None:
    changes = listen(np.concatenate((noise(5.0, -20.0), noise(5.0, -90.0), noise(3.0, -20.0))))
    assert states(changes) == [True, False, True]
    (_, _), (rest_known, rest), (return_known, _) = changes
    assert rest is not None
    assert rest.since == pytest.approx(5.0, abs=0.06)
    assert rest_known - 5.0 < 1.0
    assert 10.1 < return_known < 10.3


def test_a_breath_between_two_notes_is_no_rest() -> None:
    notes = [np.concatenate((noise(0.3, -20.0), noise(0.6, -100.0))) for _ in range(20)]
    assert states(listen(np.concatenate(notes))) == [True]


def test_a_noisy_microphone_hides_no_rest() -> None:
    sound = np.concatenate((noise(6.0, -18.0), noise(30.0, -50.0), noise(3.0, -18.0)))
    assert states(listen(sound)) == [True, False, True]


def test_a_soft_passage_after_a_loud_one_is_playing() -> None:
    """30 dB softer, in notes with gaps: it stands out from what is left between them."""
    loud = noise(10.0, -12.0)
    soft = np.concatenate([np.concatenate((noise(0.4, -42.0), noise(0.2, -75.0))) for _ in range(20)])
    assert states(listen(np.concatenate((loud, soft)))) == [True]


def test_a_decrescendo_to_nothing_is_playing_until_it_is_over() -> None:
    steps = [noise(0.5, dbfs) for dbfs in range(-12, -58, -1)]
    changes = listen(np.concatenate((*steps, noise(5.0, -100.0))))
    assert states(changes) == [True, False]
    rest = changes[-1][1]
    assert rest is not None
    assert rest.since > 15.0


def test_blocks_of_any_size_give_the_same_answer() -> None:
    sound = np.concatenate((noise(4.0, -20.0), noise(4.0, -90.0), noise(3.0, -20.0)))
    answers = [[player for _, player in listen(sound, block)] for block in (37, 400, 5000)]
    for answer in answers[1:]:
        assert [one.is_playing for one in answer if one] == [one.is_playing for one in answers[0] if one]
        assert [one.since for one in answer if one] == pytest.approx([one.since for one in answers[0] if one], abs=0.01)


def test_samples_that_are_no_numbers_do_no_harm() -> None:
    broken = np.full(RATE, np.nan, np.float32)
    broken[::2] = np.inf
    changes = listen(np.concatenate((noise(4.0, -20.0), broken, noise(2.0, -20.0), noise(4.0, -90.0))))
    assert states(changes)[-1] is False
