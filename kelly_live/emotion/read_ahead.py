"""Reads a recording ahead of the music, in parts, each in a thread of its own.

The emotion net's answer for a hop depends only on the last twelve seconds. So a part of the recording needs only the
sound before it, and parts can be read in any order; the temporal model, which has a memory, takes them in turn. The
parts do not depend on the number of cores, so the results are identical to the bit.
Threads: the caller's, except `_read_part`, which runs in several at once.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeAlias

import numpy as np
import torch

from kelly_live.core.protocols import AudioHealth, AudioSource, EmotionReader
from kelly_live.core.values import AudioWindow, EmotionState
from kelly_live.emotion.captured_hop import HISTORY_STEPS
from kelly_live.emotion.features import FeatureStream
from kelly_live.emotion.nets.adaptation import VoiceAdaptation
from kelly_live.emotion.nets.emotion import Window
from kelly_live.emotion.nets.emotion_stream import EmotionStream
from kelly_live.emotion.nets.members import Description
from kelly_live.emotion.nets.scales import HOP_SAMPLES, HOP_SECONDS, SAMPLE_RATE, SCALES, SPEECH_HOP
from kelly_live.emotion.reader import SILENCE_DBFS, LiveEmotionReader, RawReading
from kelly_live.workers.realtime import switch_interval

PART_HOPS = 160  # 40 s: the sound before a part costs about a second of it
TOGETHER_HOPS = 8  # hops that the frames, the speech encoder and the members take at once
MAX_WORKERS = 4  # the music is generated in one thread, which is not faster than this
# A reading thread needs the interpreter briefly after each operation, thousands of times a second. With the usual
# switch interval of 5 ms the nets would stand still while the music thread computes.
_SWITCH_SECONDS = 50e-6

HopReading: TypeAlias = tuple[RawReading, float]  # and the hop's level in dBFS
HopDescription: TypeAlias = tuple[RawReading | Description, float]  # a Description if the net adapts to the session
# Frames before a part that its first hop depends on: the window, one more for differences, and for mel_400 as many
# more as are needed to align the speech encoder's passes with those of a stream.
_BEFORE = {s.name: s.frames + (SPEECH_HOP - 1 if s.name == "mel_400" else 1) for s in SCALES}
# The hops that contain these frames. The first frames computed from them are incomplete and not used.
_BEFORE_HOPS = math.ceil(max(_BEFORE[s.name] * s.hop + s.fft for s in SCALES) / HOP_SAMPLES)
# The period in hops after which a frame of every scale is aligned with a hop's first sample, as in a stream from 0.
_ALIGNED_HOPS = math.lcm(*(s.hop for s in SCALES), HOP_SAMPLES) // HOP_SAMPLES


def read_ahead(
    source: AudioSource, reader: EmotionReader, workers: int | None = None
) -> tuple[AudioSource, EmotionReader]:
    """Return a source like `source`, and a reader like `reader` that reads it ahead.

    Only the shipped reader on the CPU does; for any other both are returned as they are.
    """
    if not isinstance(reader, LiveEmotionReader) or reader.device.type != "cpu":
        return source, reader
    ahead = ReadAhead(source, reader, workers or min(_count_cores(), MAX_WORKERS))
    return ahead, ahead


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ReadAhead:
    """The finite source that is played along with, and at once the EmotionReader that has read it ahead.

    `push` must be given exactly what `read` returned. Memory is bounded: `workers` + 1 parts.
    """

    hop_seconds = LiveEmotionReader.hop_seconds

    def __init__(self, source: AudioSource, reader: LiveEmotionReader, workers: int) -> None:
        self.sample_rate = source.sample_rate
        self._source, self._reader, self._workers = source, reader, workers
        self._stream = reader.fork_stream()
        self._adaptation = VoiceAdaptation(reader.net)
        self._pool: ThreadPoolExecutor | None = None
        self._switching = ExitStack()
        self._forget()

    def _forget(self) -> None:
        self._adaptation.reset()
        self._blocks: deque[AudioWindow] = deque()
        self._hop: list[np.ndarray] = []  # samples of the incomplete hop
        self._part: list[np.ndarray] = []  # hops of the incomplete part
        self._before: list[np.ndarray] = []  # and the hops before it that it depends on
        self._submitted_hops = 0  # hops in the parts that were submitted
        self._parts: deque[Future[list[HopDescription]]] = deque()
        self._read_hops: deque[HopReading] = deque()  # of the part that is played now
        self._temporal_outputs: deque[np.ndarray | None] = deque()  # the temporal model's answers for them
        self._history: deque[tuple[np.ndarray, float]] = deque(maxlen=HISTORY_STEPS)  # as in the reader
        self._updated = 0  # hops
        self._samples_read = self._samples_returned = 0  # samples read from the source, and returned by `read`
        self._samples_pushed = 0

    def start(self) -> None:
        """Start the source and the threads. Raises AudioError."""
        self._source.start()
        self._forget()
        self._pool = ThreadPoolExecutor(self._workers, "read-ahead")
        self._switching.enter_context(switch_interval(_SWITCH_SECONDS))

    def read(self, timeout: float) -> AudioWindow | None:
        """Return the source's next block, after the parts that it needs were submitted. Raises AudioError."""
        while self._samples_read - self._samples_returned < (
            self._workers + 1
        ) * PART_HOPS * HOP_SAMPLES and self._take(timeout):
            pass
        if not self._blocks:
            return None
        block = self._blocks.popleft()
        self._samples_returned += len(block.samples)
        return block

    @property
    def is_finished(self) -> bool:
        """Whether every block of the source was returned."""
        return self._source.is_finished and not self._blocks

    def health(self) -> AudioHealth:
        """Return the source's counters."""
        return self._source.health()

    def close(self) -> None:
        """Close the source and end the threads; safe to call twice."""
        self._source.close()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        self._switching.close()

    def push(self, block: AudioWindow) -> Sequence[EmotionState]:
        """Return the states of the hops that end in the block, which `read` returned."""
        states, total = [], len(block.samples)
        for end in range(HOP_SAMPLES - self._samples_pushed % HOP_SAMPLES, total + 1, HOP_SAMPLES):
            if not self._read_hops:
                self._take_part([self._finish(*hop) for hop in self._parts.popleft().result()])
            end_time = block.end_time - (total - end) / SAMPLE_RATE
            states.append(self._reader.update(*self._read_hops.popleft(), end_time, self._temporal_outputs.popleft()))
        self._samples_pushed += total
        return states

    def _finish(self, read: RawReading | Description, level: float) -> HopReading:
        """Return a hop's reading; what the net adapts to has a memory, so it takes the hops in turn."""
        if isinstance(read, RawReading):
            return read, level
        new_seconds = HOP_SECONDS if level >= SILENCE_DBFS else 0.0
        (raw,) = RawReading.from_output(self._adaptation.predict(read, new_seconds))
        return raw, level

    def _take_part(self, part: Sequence[HopReading]) -> None:
        """Take the net's answers for a part; run the temporal model at once for all hops with a full history."""
        outputs: list[np.ndarray | None] = [None] * len(part)
        rows, times, places = [], [], []
        self._read_hops.extend(part)
        for place, (raw, level) in enumerate(part):
            if level >= SILENCE_DBFS:
                self._history.append((raw.to_row(), self._updated * HOP_SECONDS))
                if len(self._history) == HISTORY_STEPS:
                    rows.append([row for row, _ in self._history])
                    times.append([time - self._history[-1][1] for _, time in self._history])
                    places.append(place)
            self._updated += 1
        if places:
            for place, answer in zip(
                places, self._reader.run_temporal_model(np.array(rows), np.array(times)), strict=True
            ):
                outputs[place] = answer
        self._temporal_outputs.extend(outputs)

    def reset(self) -> None:
        """Reset the reader's state; what was read of the recording stays valid."""
        self._reader.reset()
        self._adaptation.reset()

    def _take(self, timeout: float) -> bool:
        """Add a block of the source to the parts; return False at the end of the source."""
        block = self._source.read(timeout)
        if block is None:
            if self._source.is_finished:
                self._submit_part()
            return False
        self._blocks.append(block)
        start = 0
        while start < len(block.samples):
            piece = block.samples[start : start + HOP_SAMPLES - self._samples_read % HOP_SAMPLES]
            self._hop.append(piece)
            start, self._samples_read = start + len(piece), self._samples_read + len(piece)
            if self._samples_read % HOP_SAMPLES == 0:
                self._part.append(np.concatenate(self._hop))
                self._hop = []
                if len(self._part) == PART_HOPS:
                    self._submit_part()
        return True

    def _submit_part(self) -> None:
        part, self._part = self._part, []
        if not part:
            return
        assert self._pool is not None
        self._parts.append(self._pool.submit(_read_part, self._stream.fork(), self._before, part))
        self._submitted_hops += len(part)
        begin = max(0, self._submitted_hops - _BEFORE_HOPS) // _ALIGNED_HOPS * _ALIGNED_HOPS
        self._before = (self._before + part)[begin - self._submitted_hops :]


@torch.inference_mode()
def _read_part(stream: EmotionStream, before: Sequence[np.ndarray], part: Sequence[np.ndarray]) -> list[HopDescription]:
    """Return the net's answer and the level for each hop of `part`; `before` is the sound before it.

    A net that adapts to the session answers later: then the hop's description stands in place of its answer.
    """
    features = FeatureStream()
    if before:
        mels = features.push(np.concatenate(before)).mels
        stream.push({name: frames[:, -_BEFORE[name] :] for name, frames in mels.items()})
    readings: list[HopDescription] = []
    for first in range(0, len(part), TOGETHER_HOPS):
        hops = features.push_each(part[first : first + TOGETHER_HOPS])
        windows = []
        for frames, coming in zip(hops, stream.encode_ahead([frames.mels for frames in hops]), strict=True):
            stream.push(frames.mels, coming)
            windows.append(stream.window())
        described = stream.net.summarise(*Window.batch(windows))
        reads: Sequence[RawReading | Description]
        if stream.net.adaptation_seconds > 0.0:
            reads = [Description(*(column[i : i + 1] for column in described)) for i in range(len(hops))]
        else:
            reads = RawReading.from_output(stream.net.predict(described))
        readings += [(read, frames.levels_dbfs[0]) for read, frames in zip(reads, hops, strict=True)]
    return readings
