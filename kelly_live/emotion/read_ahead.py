"""Reading a recording ahead of the music: parts of it, each in a thread of its own, beside whoever plays.

What the net says of a hop depends on the last twelve seconds alone. So a part of the recording needs no more than the
sound before it, and the parts can be read in any order; the temporal model, which remembers, takes them in turn. The
parts are the same however many cores there are, and so is the answer, to the bit.
Threads: everything here belongs to the caller's, but `_read_part`, which runs in several at once.
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

from kelly_live.core.protocols import AudioHealth, AudioSource
from kelly_live.core.values import AudioWindow, EmotionState
from kelly_live.emotion.analyzer import LiveAnalyzer
from kelly_live.emotion.captured_hop import HISTORY_STEPS
from kelly_live.emotion.features import FeatureStream
from kelly_live.emotion.nets.emotion import EmotionStream, Window
from kelly_live.emotion.nets.scales import HOP_SAMPLES, HOP_SECONDS, SAMPLE_RATE, SCALES, SPEECH_HOP
from kelly_live.emotion.reader import SILENCE_DBFS, LiveEmotionReader, RawReading
from kelly_live.workers.realtime import switch_interval

PART_HOPS = 160  # 40 s: getting into a part costs about a second of it
TOGETHER_HOPS = 8  # that the frames, the speech encoder and the judges take at once
MOST_WORKERS = 4  # the music is made in one thread, and cannot follow more
# A reading thread needs the interpreter for a moment after each operation, thousands of times a second. Were it to wait
# the usual 5 ms for whoever makes the music, the nets would stand still as long as music is made.
_TURN_SECONDS = 50e-6

Said: TypeAlias = tuple[RawReading, float]  # and the hop's level
# Frames before a part that its first hop still sees: the window, one more for what rose since, and for mel_400 as many
# more as put the speech encoder's passes where they fall in a stream.
_BEFORE = {s.name: s.frames + (SPEECH_HOP - 1 if s.name == "mel_400" else 1) for s in SCALES}
# Hops of sound that these are in; the first frames of what is cut off there know nothing of the sound before.
_BEFORE_HOPS = math.ceil(max(_BEFORE[s.name] * s.hop + s.fft for s in SCALES) / HOP_SAMPLES)
# So often a frame of every scale falls on a hop's first sample: what begins there has its frames where the stream has.
_IN_STEP_HOPS = math.lcm(*(s.hop for s in SCALES), HOP_SAMPLES) // HOP_SAMPLES


def read_ahead(source: AudioSource, analyzer: LiveAnalyzer, workers: int | None = None) -> AudioSource:
    """The source to play along with: from now on `analyzer` knows it ahead, if its net is on the CPU."""
    reader = analyzer.reader
    if not isinstance(reader, LiveEmotionReader) or reader.device.type != "cpu":
        return source
    ahead = ReadAhead(source, reader, workers or min(_cores(), MOST_WORKERS))
    analyzer.reader = ahead
    return ahead


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ReadAhead:
    """Both ends: the finite source that is played along with, and the EmotionReader that then knows what it says.

    `push` must be given just what `read` gave. Memory is bounded: `workers` + 1 parts.
    """

    hop_seconds = LiveEmotionReader.hop_seconds

    def __init__(self, source: AudioSource, reader: LiveEmotionReader, workers: int) -> None:
        self.sample_rate = source.sample_rate
        self._source, self._reader, self._workers = source, reader, workers
        self._stream = reader.fork_stream()
        self._pool: ThreadPoolExecutor | None = None
        self._turns = ExitStack()
        self._forget()

    def _forget(self) -> None:
        self._blocks: deque[AudioWindow] = deque()
        self._hop: list[np.ndarray] = []  # samples of the hop that is coming in
        self._part: list[np.ndarray] = []  # hops of the part that is coming in
        self._before: list[np.ndarray] = []  # and those that it still hears
        self._sent = 0  # hops in the parts that are under way
        self._parts: deque[Future[list[Said]]] = deque()
        self._said: deque[Said] = deque()  # of the part that is played
        self._evolved: deque[np.ndarray | None] = deque()  # what the temporal model said of them
        self._history: deque[tuple[np.ndarray, float]] = deque(maxlen=HISTORY_STEPS)  # as the reader will have it
        self._settled = 0  # hops
        self._taken = self._told = 0  # samples read from the source, and given on
        self._pushed = 0

    def start(self) -> None:
        self._source.start()
        self._forget()
        self._pool = ThreadPoolExecutor(self._workers, "read-ahead")
        self._turns.enter_context(switch_interval(_TURN_SECONDS))

    def read(self, timeout: float) -> AudioWindow | None:
        """The source's next block, once its parts are under way. Raises AudioError."""
        while self._taken - self._told < (self._workers + 1) * PART_HOPS * HOP_SAMPLES and self._take(timeout):
            pass
        if not self._blocks:
            return None
        block = self._blocks.popleft()
        self._told += len(block.samples)
        return block

    @property
    def finished(self) -> bool:
        return self._source.finished and not self._blocks

    def health(self) -> AudioHealth:
        return self._source.health()

    def close(self) -> None:
        self._source.close()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        self._turns.close()

    def push(self, block: AudioWindow) -> Sequence[EmotionState]:
        states, total = [], len(block.samples)
        for end in range(HOP_SAMPLES - self._pushed % HOP_SAMPLES, total + 1, HOP_SAMPLES):
            if not self._said:
                self._settle_part(self._parts.popleft().result())
            end_time = block.end_time - (total - end) / SAMPLE_RATE
            states.append(self._reader.update(*self._said.popleft(), end_time, self._evolved.popleft()))
        self._pushed += total
        return states

    def _settle_part(self, said: Sequence[Said]) -> None:
        """What the net said of a part's hops, and the temporal model of those with a whole history, all at once."""
        evolved: list[np.ndarray | None] = [None] * len(said)
        rows, times, places = [], [], []
        self._said.extend(said)
        for place, (raw, level) in enumerate(said):
            if level >= SILENCE_DBFS:
                self._history.append((raw.to_row(), self._settled * HOP_SECONDS))
                if len(self._history) == HISTORY_STEPS:
                    rows.append([row for row, _ in self._history])
                    times.append([time - self._history[-1][1] for _, time in self._history])
                    places.append(place)
            self._settled += 1
        if places:
            for place, felt in zip(
                places, self._reader.run_temporal_model(np.array(rows), np.array(times)), strict=True
            ):
                evolved[place] = felt
        self._evolved.extend(evolved)

    def reset(self) -> None:
        """Only what was felt is forgotten; what was read stays true of the recording."""
        self._reader.reset()

    def _take(self, timeout: float) -> bool:
        """Another block of the source into the parts; False at the end."""
        block = self._source.read(timeout)
        if block is None:
            if self._source.finished:
                self._send_part()
            return False
        self._blocks.append(block)
        start = 0
        while start < len(block.samples):
            piece = block.samples[start : start + HOP_SAMPLES - self._taken % HOP_SAMPLES]
            self._hop.append(piece)
            start, self._taken = start + len(piece), self._taken + len(piece)
            if self._taken % HOP_SAMPLES == 0:
                self._part.append(np.concatenate(self._hop))
                self._hop = []
                if len(self._part) == PART_HOPS:
                    self._send_part()
        return True

    def _send_part(self) -> None:
        part, self._part = self._part, []
        if not part:
            return
        assert self._pool is not None
        self._parts.append(self._pool.submit(_read_part, self._stream.fork(), self._before, part))
        self._sent += len(part)
        begin = max(0, self._sent - _BEFORE_HOPS) // _IN_STEP_HOPS * _IN_STEP_HOPS
        self._before = (self._before + part)[begin - self._sent :]


@torch.inference_mode()
def _read_part(stream: EmotionStream, before: Sequence[np.ndarray], part: Sequence[np.ndarray]) -> list[Said]:
    """What the net says at the end of each hop of `part`, `before` which this sound came (none: silence)."""
    features = FeatureStream()
    if before:
        mels = features.push(np.concatenate(before)).mels
        stream.push({name: frames[:, -_BEFORE[name] :] for name, frames in mels.items()})
    said: list[Said] = []
    for first in range(0, len(part), TOGETHER_HOPS):
        hops = features.push_each(part[first : first + TOGETHER_HOPS])
        windows = []
        for frames, coming in zip(hops, stream.hear_ahead([frames.mels for frames in hops]), strict=True):
            stream.push(frames.mels, coming)
            windows.append(stream.window())
        raws = RawReading.from_output(stream.net.judge(stream.net.summarise(*Window.batch(windows))))
        said += [(raw, frames.levels_dbfs[0]) for raw, frames in zip(raws, hops, strict=True)]
    return said
