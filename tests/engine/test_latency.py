"""`measure_latency` on fakes: a sink that keeps the clicks, and a source that plays them back so much later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kelly_live.audio.sources import ScriptedSource
from kelly_live.core.errors import AudioError
from kelly_live.core.protocols import AudioHealth
from kelly_live.core.timebase import ManualClock
from kelly_live.engine.latency import LEAD_SECONDS, LatencyReport, list_click_times, measure_latency
from kelly_live.engine.options.latency import LatencyOptions
from kelly_live.midi.offline import NoteList

RATE = 16_000


class Input(ScriptedSource):
    """A device that says how long sound takes through it, and what is wrong with it."""

    def __init__(
        self, samples: np.ndarray, clock: ManualClock, delay: float | None = None, problem: str | None = None
    ) -> None:
        super().__init__(samples, clock, realtime=True)
        self.delay, self.problem = delay, problem

    def health(self) -> AudioHealth:
        return replace(super().health(), delay_seconds=self.delay, problem=self.problem)


def play_back(latency: float, count: int = 8) -> np.ndarray:
    samples = np.random.default_rng(3).normal(0.0, 1e-4, round((list_click_times(count)[-1] + 4.0) * RATE))
    for seconds in list_click_times(count):
        start = round((LEAD_SECONDS + seconds + latency) * RATE)
        samples[start : start + 200] += 0.3 * np.exp(-np.arange(200) / 40.0)
    return samples.astype(np.float32)


def measure(
    latency: float, options: LatencyOptions | None = None, delay: float | None = None, problem: str | None = None
) -> tuple[LatencyReport, NoteList]:
    clock, sink, options = ManualClock(1000.0), NoteList(), options or LatencyOptions()
    source = Input(play_back(latency, options.clicks), clock, delay, problem)
    return measure_latency(source, sink, clock, options, source_name="Mic", output="Synth"), sink


def test_the_sound_input_is_taken_off_the_round_trip() -> None:
    report, _ = measure(0.0482, delay=0.0101)
    assert report.round_trip.seconds == pytest.approx(0.0482, abs=0.0003)
    assert report.latency_seconds == pytest.approx(0.0381, abs=0.0003)
    heard, part, suggested = report.describe()
    assert heard.startswith("'Synth' is heard in 'Mic' 48.")
    assert "; 8 of 8 clicks heard)" in heard
    assert "by about 10.1 ms" in part
    assert suggested == f"suggested: --latency-ms {report.latency_seconds * 1e3:.1f}"


def test_an_input_that_does_not_tell_its_part_is_said_to() -> None:
    report, _ = measure(0.03)
    assert report.latency_seconds == pytest.approx(0.03, abs=0.0003)
    assert "its driver does not tell" in report.describe()[1]


def test_the_clicks_are_the_note_that_was_asked_for() -> None:
    _, sink = measure(0.02, LatencyOptions(note=72, channel=3, clicks=5))
    assert [(note.pitch, note.channel) for note in sink.notes] == [(72, 3)] * 5
    assert [note.onset_beats for note in sink.notes] == list_click_times(5)
    assert [tempo.bpm for tempo in sink.tempos] == [60.0]


def test_clicks_keep_no_steady_beat() -> None:
    times = list_click_times(8)
    gaps = np.diff(times)
    assert gaps.min() >= 1.0
    assert len(set(np.round(gaps[:6], 6))) == 6


def test_an_input_that_is_lost_meanwhile_is_one_line() -> None:
    with pytest.raises(AudioError, match="the measurement broke off: the audio input 'Mic' is gone"):
        measure(0.02, problem="the audio input 'Mic' is gone")
