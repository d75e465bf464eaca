"""A recording is read ahead in parts; neither that nor the number of cores changes the states."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from kelly_live.audio.sources import ScriptedSource
from kelly_live.core.errors import AudioError
from kelly_live.core.protocols import AudioSource, EmotionReader
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import EmotionState
from kelly_live.emotion import read_ahead as ahead
from kelly_live.emotion.read_ahead import ReadAhead
from kelly_live.emotion.reader import LiveEmotionReader
from tests.emotion.nets.test_emotion import sound
from tests.emotion.test_reader import make_reader

PART_HOPS = 52  # 13 s: the longest that a hop remembers, and a little


@pytest.fixture(autouse=True)
def _short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "PART_HOPS", PART_HOPS)


@pytest.fixture(scope="module")
def reader() -> LiveEmotionReader:
    return make_reader()


def recording(seconds: float, block_seconds: float, failure: AudioError | None = None) -> ScriptedSource:
    return ScriptedSource(sound(seconds), ManualClock(), block_seconds=block_seconds, failure=failure)


def read_source(source: AudioSource, reader: EmotionReader) -> list[EmotionState]:
    reader.reset()
    states: list[EmotionState] = []
    try:
        source.start()
        while (block := source.read(timeout=0.0)) is not None:
            states += reader.push(block)
    finally:
        source.close()
    return states


def read_source_ahead(reader: LiveEmotionReader, workers: int, source: ScriptedSource) -> list[EmotionState]:
    read_ahead = ReadAhead(source, reader, workers)
    return read_source(read_ahead, read_ahead)


def numbers(states: list[EmotionState]) -> np.ndarray:
    return np.array([(*s.probabilities, s.valence, s.arousal, s.dominance, s.confidence, s.time) for s in states])


def test_read_ahead_gives_the_live_states_and_the_cores_change_no_bit(reader: LiveEmotionReader) -> None:
    """Over a part's end, in blocks that are no hops; the last hop is incomplete and gives no state."""
    live = numbers(read_source(recording(15.1, 0.25), reader))
    one, three = (
        read_source_ahead(reader, workers, recording(15.1, block)) for workers, block in ((1, 0.333), (3, 0.05))
    )
    assert len(live) == 60
    assert numbers(one) == pytest.approx(live, abs=1e-4)
    assert [s.probabilities for s in one] == [s.probabilities for s in three]


def test_a_net_that_adapts_to_the_session_adapts_alike_when_read_ahead() -> None:
    adaptive = make_reader(adaptation_seconds=5.0)
    live = numbers(read_source(recording(13.5, 0.25), adaptive))
    assert numbers(read_source_ahead(adaptive, 2, recording(13.5, 0.25))) == pytest.approx(live, abs=1e-4)
    fixed = numbers(read_source(recording(13.5, 0.25), make_reader()))
    assert np.abs(live - fixed).max() > 0.01  # it does adapt


def test_less_than_a_hop_gives_no_state(reader: LiveEmotionReader) -> None:
    assert read_source_ahead(reader, 2, recording(0.2, 0.05)) == []


def test_the_switch_interval_is_short_while_it_reads_and_as_before_afterwards(reader: LiveEmotionReader) -> None:
    usual = sys.getswitchinterval()
    read_ahead = ReadAhead(recording(1.0, 0.25), reader, 2)
    read_ahead.start()
    assert sys.getswitchinterval() < usual / 10.0
    read_ahead.close()
    read_ahead.close()
    assert sys.getswitchinterval() == usual


def test_it_reads_no_further_ahead_than_its_threads_need(
    reader: LiveEmotionReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "PART_HOPS", 3)
    source = recording(10.0, 0.25)
    read_ahead = ReadAhead(source, reader, 1)
    read_ahead.start()
    read_ahead.read(timeout=0.0)
    assert read_ahead._samples_read == 2 * 3 * 4000
    read_ahead.close()


def test_a_recording_that_breaks_off_raises(reader: LiveEmotionReader) -> None:
    with pytest.raises(AudioError, match="pulled"):
        read_source_ahead(reader, 2, recording(1.0, 0.25, AudioError("pulled")))
