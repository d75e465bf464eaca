"""Sound without a beat: nothing is followed, and it is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from kelly_live.cli.follow import command
from kelly_live.core.values import AudioWindow
from kelly_live.engine.console import describe_synchronization
from kelly_live.sync.audio_tracker import AudioTracker
from tests.sync.synthetic_music import RATE, song

RNG = np.random.default_rng(1)


def noise(dbfs: float, seconds: float) -> np.ndarray:
    return (10.0 ** (dbfs / 20.0) * RNG.standard_normal(int(seconds * RATE))).astype(np.float32)


def track(sounds: Sequence[np.ndarray]) -> tuple[AudioTracker, float]:
    tracker, sound = AudioTracker(), np.concatenate(sounds)
    for end in range(800, len(sound) + 1, 800):
        tracker.push(AudioWindow(sound[end - 800 : end], RATE, end / RATE))
    return tracker, len(sound) / RATE


@pytest.mark.parametrize("dbfs", [-300.0, -120.0, -90.0, -76.0])
def test_a_silence_lets_go_of_beat_and_key(dbfs: float) -> None:
    tracker, now = track([song(98.0, 0)])
    estimate = tracker.estimate(now)
    assert estimate.beat is not None
    assert estimate.key is not None
    tracker, now = track([song(98.0, 0), noise(dbfs, 8.0)])
    silence = tracker.estimate(now)
    assert (silence.beat, silence.key) == (None, None)


@pytest.mark.parametrize("dbfs", [-65.0, -50.0, -20.0])
def test_noise_is_no_beat(dbfs: float) -> None:
    tracker, now = track([song(98.0, 0), noise(dbfs, 16.0)])
    beat = tracker.estimate(now).beat
    assert beat is None or beat.confidence < 0.3


def test_a_rest_of_a_bar_keeps_both_and_sound_brings_them_back() -> None:
    tracker, now = track([song(98.0, 0), noise(-120.0, 2.5)])
    assert None not in (tracker.estimate(now).beat, tracker.estimate(now).key)
    tracker, now = track([song(98.0, 0), noise(-120.0, 12.0), song(98.0, 0)])
    beat = tracker.estimate(now).beat
    assert beat is not None
    assert beat.bpm == pytest.approx(98.0, rel=0.02)


def test_the_status_says_what_is_missing() -> None:
    assert describe_synchronization((), None, ("tempo", "key")) == ["no tempo or key to follow"]
    assert describe_synchronization(("key",), None, ("tempo", "key")) == ["with your key", "no tempo to follow"]
    assert describe_synchronization(("tempo",), "clock", ("key",)) == ["with the clock", "no key to follow"]


def test_follow_prints_no_guess_and_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    sounds = {"song": song(98.0, 0), "silence": np.zeros(16 * RATE), "hiss": noise(-30.0, 16.0), "empty": np.zeros(0)}
    for name, sound in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE)
    (tmp_path / "bad.wav").write_bytes(b"no sound at all")
    names = ["bad", "song", "silence", "hiss", "empty"]
    result = CliRunner().invoke(command, [str(tmp_path / f"{name}.wav") for name in names], standalone_mode=False)
    assert result.return_value == 1
    assert "bad.wav" in result.stderr
    lines = {Path(line.split(":")[0]).stem: line for line in result.stdout.splitlines()}
    bpm = re.search(r"([\d.]+) BPM", lines["song"])
    assert bpm is not None
    assert float(bpm[1]) == pytest.approx(98.0, rel=0.01)
    assert lines["silence"].endswith("no beat, no key")
    assert "no beat" in lines["hiss"]
    assert "BPM" not in lines["hiss"]
    assert "empty" in result.output
    good = CliRunner().invoke(command, [str(tmp_path / "song.wav")], standalone_mode=False)
    assert good.return_value == 0
