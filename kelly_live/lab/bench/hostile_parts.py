"""What plays, reads and leads against the limits in their bench.

Hostile players, a listener, a sync source and a cue sheet.
"""

from __future__ import annotations

import queue
import random
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kelly_live.core.emotion_space import create_state
from kelly_live.core.protocols import AudioHealth
from kelly_live.core.sync_state import BeatEstimate, KeyEstimate, PlayerNote, SongPosition, SyncState, Transport
from kelly_live.core.values import EMOTIONS, MODES, AudioWindow, EmotionState, MusicParameters, NoteEvent
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.parameter import Value
from kelly_live.generators.plugin_generator import PluginGenerator
from kelly_live.generators.plugin_process import PluginCommand, begin_plugin, start_plugin
from kelly_live.lab.bench import hostile_plugin
from kelly_live.music.context import MusicContext
from kelly_live.music.randomness import rng_for

BLOCK_SECONDS = 0.25
CUE_NAMES = ("calm", "storm", "blow", "follow", "stir")
CUES = """format: 1
cues:
  - {name: calm, place: sad, cut: yes, preset: band}
  - {name: storm, path: [{place: excited, fade: 1 bars}, {place: fearful, fade: 2 bars}], role: lead}
  - {name: blow, place: excited, cut: yes, culture: swedish-polska}
  - {name: follow, follow: yes, key: D dorian, role: accompany}
  - {name: stir, goal: excited, meet: 1 s, fade: 10 s}
"""
_ANSWER_SECONDS = 5.0


class HostilePlayer:
    """A player in this process, as loud and as much as it likes.

    It plays swells, blows, rolls, and stacks of one pitch.
    """

    values: Mapping[str, Value] = {}  # as a PluginGenerator has them, in whose place it stands in a band

    def __init__(self, number: int) -> None:
        self.descriptor = Descriptor(f"hostile-{number}", f"hostile-{number}", number + 1, 48)

    def configure(self, values: Mapping[str, Value]) -> None:
        """Take nothing."""

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> list[NoteEvent]:
        """Return notes that nobody asked for."""
        rng = rng_for(context.seed, self.descriptor.name, round(start_beat * 64))
        if rng.random() < 0.8:
            return []
        pitch, velocity = rng.randrange(128), rng.choice((1, 30, 100, 127, 127))
        count = rng.choice((1, 1, 2, 6))
        pitches = [pitch if rng.random() < 0.5 else rng.randrange(128) for _ in range(count)]
        length, own = rng.choice((0.05, 0.05, 0.5, 0.5, 8.0)), self.descriptor
        return [NoteEvent(start_beat, length, one, velocity, own.channel, own.part) for one in pitches]

    def reset(self) -> None:
        """Keep nothing."""


def start_hosted_player(name: str) -> PluginGenerator:
    """Start a player of hostile_plugin.NAMES in a process of its own; its answers are waited for."""
    command = PluginCommand(name, (sys.executable, "-I", str(Path(hostile_plugin.__file__)), name))
    process, descriptor, values = start_plugin(command, lambda found: {})
    assert isinstance(descriptor, Descriptor)
    return PluginGenerator(descriptor, process, partial(begin_plugin, command, values), waits=True)


class HostileListener:
    """A source and its reader: `feed` lets a block be heard, and waits for that; it reads anything."""

    sample_rate, hop_seconds, is_finished = 16_000, BLOCK_SECONDS, False

    def __init__(self, seed: int) -> None:
        self._rng, self._noise = random.Random(seed), np.random.default_rng(seed)
        self._blocks: queue.SimpleQueue[AudioWindow] = queue.SimpleQueue()
        self._heard = threading.Semaphore(0)
        self._is_hearing = False

    def feed(self, now: float) -> None:
        """Let a block be heard: noise, or silence."""
        level = self._rng.choice((0.0, 0.01, 1.0))
        samples = level * self._noise.standard_normal(int(BLOCK_SECONDS * self.sample_rate))
        self._blocks.put(AudioWindow(samples.astype(np.float32), self.sample_rate, now))
        self._heard.acquire(timeout=_ANSWER_SECONDS)

    def start(self) -> None:
        """Begin."""

    def read(self, timeout: float) -> AudioWindow | None:
        """Return the next block; the one before was heard."""
        if self._is_hearing:
            self._is_hearing = False
            self._heard.release()
        try:
            block = self._blocks.get(timeout=timeout)
        except queue.Empty:
            return None
        self._is_hearing = True
        return block

    def push(self, block: AudioWindow) -> Sequence[EmotionState]:
        """Read any emotion."""
        return [create_state(emotion=self._rng.choice(EMOTIONS), time=block.end_time)]

    def reset(self) -> None:
        """Forget nothing."""

    def close(self) -> None:
        """End."""

    def health(self) -> AudioHealth:
        """Return what a sound input says that loses nothing."""
        return AudioHealth(0.0, 0, 0.0)


class HostileLeader:
    """A sync source: a beat, a key, a loudness and a transport for long spans, with leaps between."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def estimate(self, now: float) -> SyncState:
        """Return where it is now."""
        rng = self._rng
        span = random.Random(int(now / 7.0) + rng.randrange(2))
        beat = None
        if span.random() < 0.6:
            beat = BeatEstimate(now, span.choice((30.0, 90.0, 240.0, 400.0)), 0.9, span.choice((None, int(now))))
        start_count = int(now / 29.0)
        is_playing = start_count == 0 or random.Random(start_count).random() < 0.8
        notes = (PlayerNote(now, rng.randrange(128), 127),) if rng.random() < 0.02 else ()
        return SyncState(
            beat=beat,
            key=KeyEstimate(span.randrange(12), span.choice(MODES), 0.9) if span.random() < 0.3 else None,
            transport=Transport(is_playing, start_count),
            start=SongPosition(29.0 * start_count, 0.0),
            notes=notes,
        )
