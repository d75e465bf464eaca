"""A player's notes as an audio source: they are heard through the built-in synthesiser.

Threads: the consumer (analysis) thread calls everything but `health` and `close`, which any thread may.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from kelly_live.audio.note_synth import NoteSynth
from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.audio.sources import BlockSource
from kelly_live.audio.synth import SAMPLE_RATE
from kelly_live.core.level import SILENCE_DBFS, rms_dbfs
from kelly_live.core.midi_messages import ReceivedMessage, get_kind
from kelly_live.core.protocols import AudioHealth, AudioSource
from kelly_live.core.timebase import Clock, ManualClock
from kelly_live.core.values import AudioWindow

BLOCK_SECONDS = 0.05
_LATEST_SECONDS = 2.0  # after a longer stall, what was played meanwhile is not heard
_MOST_MESSAGES = 512  # of a block; a flood loses the rest
ALL_KEYS = (0, 127)
_RETURNS_SECONDS = 10.0  # for so long after the last of the band's own notes it is said that they come back
_SAID_RETURNS = 3  # from so many on: one is chance


class NoteInput(Protocol):
    """Where the notes come from: a MIDI input that polls. Thread: the one that reads the source."""

    @property
    def problem(self) -> str | None:
        """Why nothing comes, for as long as that lasts."""

    def poll(self) -> Sequence[ReceivedMessage]:
        """Return what arrived since the last poll, in order, without waiting."""

    def close(self) -> None:
        """Close it; safe to call twice."""


class NoteRenderer:
    """Renders what arrives at a NoteInput, block after block of ANALYSIS_RATE. Thread: one.

    `keys`: the lowest and highest MIDI note number that are heard; the drums of channel 10 always are. The others sound
    `transpose` semitones higher. `is_own` tells which messages are the band's own, which come back and are not heard.
    """

    def __init__(
        self,
        source: NoteInput,
        keys: tuple[int, int] = ALL_KEYS,
        *,
        transpose: int = 0,
        is_own: Callable[[ReceivedMessage], bool] = lambda message: False,
    ) -> None:
        import soxr

        self.dropped_messages = 0
        self._source = source
        self._keys = keys
        self._transpose = transpose
        self._is_own = is_own
        self._returned_notes = 0  # of the band
        self._returned_at = -math.inf
        self._synth = NoteSynth()
        self._resampler = soxr.ResampleStream(SAMPLE_RATE, ANALYSIS_RATE, 1, dtype="float32")
        self._pending = np.zeros(0, np.float32)
        self._waiting: list[ReceivedMessage] = []
        self._connection = 0
        self._owed = 0.0  # samples of the synthesiser, a fraction of one

    def render(self, end_seconds: float, count: int) -> AudioWindow:
        """Render the `count` samples that end at `end_seconds` (monotonic), with the messages heard in them."""
        start_seconds = end_seconds - count / ANALYSIS_RATE
        messages = [*self._waiting, *self._source.poll()]
        self._waiting = [message for message in messages if message.seconds >= end_seconds][:_MOST_MESSAGES]
        due = [message for message in messages if message.seconds < end_seconds]
        self.dropped_messages += max(0, len(due) - _MOST_MESSAGES)
        if self._source.problem is not None:
            self._synth.release_all()
        heard = list[ReceivedMessage]()
        for message in due[:_MOST_MESSAGES]:
            if message.connection != self._connection:  # the release of a key may have been lost in between
                self._connection = message.connection
                self._synth.release_all()
            if self._is_own(message):
                self._returned_notes, self._returned_at = self._returned_notes + 1, message.seconds
            elif (played := self._select(message)) is not None:
                heard.append(played)
                self._synth.play(played.data, max(0, round((message.seconds - start_seconds) * SAMPLE_RATE)))
        if end_seconds - self._returned_at > _RETURNS_SECONDS:
            self._returned_notes = 0
        self._owed += count * SAMPLE_RATE / ANALYSIS_RATE
        sound = self._synth.render(int(self._owed))
        self._owed -= len(sound)
        self._pending = np.concatenate([self._pending, self._resampler.resample_chunk(sound)])
        missing = max(0, count - len(self._pending))  # at the start only, while the resampler fills
        block, self._pending = self._pending[: count - missing], self._pending[count - missing :]
        samples = np.concatenate([np.zeros(missing, np.float32), block])
        return AudioWindow(samples, ANALYSIS_RATE, end_seconds, tuple(heard))

    @property
    def problem(self) -> str | None:
        """Why no notes come, or are left out, for as long as that lasts."""
        if self._source.problem is None and self._returned_notes >= _SAID_RETURNS:
            return "the band's own notes come back into --play-in and are left out; disconnect its output from there"
        return self._source.problem

    def close(self) -> None:
        """Close the input."""
        self._source.close()

    def _select(self, message: ReceivedMessage) -> ReceivedMessage | None:
        """Return a message as it is heard; None: it is not."""
        data = message.data
        if get_kind(data) not in ("note_on", "note_off") or data[:1] in (b"\x99", b"\x89"):
            return message
        pitch = data[1] + self._transpose
        if not self._keys[0] <= data[1] <= self._keys[1] or not 0 <= pitch <= 127:
            return None
        return replace(message, data=bytes((data[0], pitch, data[2]))) if self._transpose else message


class NoteSource:
    """An AudioSource of a player's notes alone, in real time."""

    sample_rate = ANALYSIS_RATE
    is_finished = False

    def __init__(self, renderer: NoteRenderer, clock: Clock, name: str) -> None:
        self.name = name
        self._renderer = renderer
        self._clock = clock
        self._next_seconds = 0.0
        self._level = SILENCE_DBFS
        self._dropped_seconds = 0.0

    def start(self) -> None:
        """Begin to listen."""
        self._next_seconds = self._clock.now() + BLOCK_SECONDS

    def read(self, timeout: float) -> AudioWindow | None:
        """Return the next block, or None if it is not due within `timeout` s."""
        self._clock.sleep_until(min(self._next_seconds, self._clock.now() + timeout))
        now = self._clock.now()
        if now < self._next_seconds:
            return None
        if now - self._next_seconds > _LATEST_SECONDS:
            self._dropped_seconds += now - self._next_seconds
            self._next_seconds = now
        end_seconds = self._next_seconds
        self._next_seconds += BLOCK_SECONDS
        block = self._renderer.render(end_seconds, round(BLOCK_SECONDS * ANALYSIS_RATE))
        self._level = rms_dbfs(block.samples)
        return block

    def health(self) -> AudioHealth:
        """Return the level, and what was lost."""
        return AudioHealth(
            self._level, self._renderer.dropped_messages, self._dropped_seconds, problem=self._renderer.problem
        )

    def close(self) -> None:
        """Close the input; safe to call twice."""
        self._renderer.close()


class MixedSource:
    """An AudioSource whose sound a player's notes are added to."""

    def __init__(self, audio: AudioSource, renderer: NoteRenderer) -> None:
        self.sample_rate = audio.sample_rate
        self.audio = audio
        self._renderer = renderer

    @property
    def is_finished(self) -> bool:
        """Whether the sound has ended."""
        return self.audio.is_finished

    def start(self) -> None:
        """Start the audio input."""
        self.audio.start()

    def read(self, timeout: float) -> AudioWindow | None:
        """Return the next block of sound with the notes that were played meanwhile."""
        block = self.audio.read(timeout)
        if block is None:
            return None
        rendered = self._renderer.render(block.end_time, len(block.samples))
        return replace(block, samples=block.samples + rendered.samples, notes=rendered.notes)

    def health(self) -> AudioHealth:
        """Return the health of the audio input, and what is wrong with either."""
        health = self.audio.health()
        return replace(health, problem=health.problem or self._renderer.problem)

    def close(self) -> None:
        """Close both."""
        self.audio.close()
        self._renderer.close()


class NoteFileSource(BlockSource):
    """The notes of a MIDI file as a source, faster than real time; `end_time` is the position, from 0."""

    damage = None
    replaced_samples = 0

    def __init__(self, messages: Sequence[ReceivedMessage], name: str, *, tail_seconds: float = 1.0) -> None:
        super().__init__(ManualClock(), realtime=False, sample_rate=ANALYSIS_RATE, block_seconds=BLOCK_SECONDS)
        self.name = name
        self.duration_seconds = (messages[-1].seconds if messages else 0.0) + tail_seconds
        self._messages = messages
        self._rendered: deque[AudioWindow] = deque()  # one block ahead of what is read

    def _open(self) -> Iterator[np.ndarray]:
        renderer = NoteRenderer(_KnownNotes(self._messages))
        for number in range(1, math.ceil(self.duration_seconds / BLOCK_SECONDS) + 1):
            block = renderer.render(number * BLOCK_SECONDS, round(BLOCK_SECONDS * ANALYSIS_RATE))
            self._rendered.append(block)
            yield block.samples

    def read(self, timeout: float) -> AudioWindow | None:
        """Return the next block with its messages, or None if all are delivered."""
        block = super().read(timeout)
        return None if block is None else replace(block, notes=self._rendered.popleft().notes)


class _KnownNotes:
    """A NoteInput whose messages are known: each poll returns those of the next block."""

    problem = None

    def __init__(self, messages: Sequence[ReceivedMessage]) -> None:
        self._messages = messages
        self._next = 0
        self._until = 0.0

    def poll(self) -> Sequence[ReceivedMessage]:
        first = self._next
        self._until += BLOCK_SECONDS
        while self._next < len(self._messages) and self._messages[self._next].seconds < self._until:
            self._next += 1
        return self._messages[first : self._next]

    def close(self) -> None:
        """Do nothing."""
