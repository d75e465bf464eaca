"""Generators that break, one class a fault: targets of the drills.

Each plays a note on every beat, under its neighbours, and does its worst when it is first asked for its bar. It marks
that by a file, KELLY_LIVE_MARK and its name, with the time, so that the process that is started next plays on.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kelly_live import Descriptor, MusicContext, MusicParameters, NoteEvent, Parameter
from kelly_live.generators.base import Value

PITCH, CHANNEL = 30, 12
FAULT_BAR = 3
HOLD_SECONDS = 5
LEAK_BARS, LEAK_BYTES = 4, 330 << 20  # how long before, and how much in each of them
MANY_NOTES, MANY_THREADS = 10**6, 500


class Faulty:
    """Plays on every beat until it breaks, and after it was started again."""

    descriptor = Descriptor(
        "faulty",
        "faulty",
        CHANNEL,
        0,
        (
            Parameter("bar", FAULT_BAR, "when it breaks, from 0", low=0, high=1000),
            Parameter("pitch", PITCH, "what it plays", low=0, high=127),
        ),
    )

    def __init__(self) -> None:
        mark = os.environ.get("KELLY_LIVE_MARK")  # read now: a fault may change the environment
        self._mark = None if mark is None else Path(mark + type(self).__name__)
        self._bar, self._pitch = FAULT_BAR, PITCH

    def configure(self, values: Mapping[str, Value]) -> None:
        self._bar, self._pitch = int(values["bar"]), int(values["pitch"])

    def reset(self) -> None:
        """It remembers nothing."""

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start: float, end: float
    ) -> Iterable[NoteEvent]:
        if context.bar_at(start) >= self._bar and self._mark is not None and not self._mark.exists():
            self._mark.write_text(str(time.clock_gettime(time.CLOCK_MONOTONIC)))
            answer = self.break_down(start, end)
            if answer is not None:
                return answer  # type: ignore[no-any-return]
        return self.play(start, end)

    def play(self, start: float, end: float) -> list[NoteEvent]:
        beats = range(math.ceil(start), math.ceil(end))
        return [NoteEvent(float(beat), 0.5, self._pitch, 80, CHANNEL, "faulty") for beat in beats]

    def break_down(self, start: float, end: float) -> Any:
        """Do the worst; None to play on after it, anything else is the answer."""


class Sound(Faulty):
    pass


class Segfault(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        ctypes.string_at(0)


class Exit(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        os._exit(3)


class Abort(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        ctypes.CDLL(None).abort()


class HoldLock(Faulty):
    """A call into C that keeps the interpreter's lock."""

    def break_down(self, start: float, end: float) -> Any:
        ctypes.PyDLL(None).sleep(HOLD_SECONDS)


class Regex(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        re.match(r"(a+)+$", "a" * 40 + "b")


class Memory(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        self._kept = b"x" * (2 << 30)


class Leak(Faulty):
    """It keeps more and more memory, until there is no more that it may have."""

    _kept: tuple[bytearray, ...] = ()

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start: float, end: float
    ) -> Iterable[NoteEvent]:
        is_sound = self._mark is None or self._mark.exists()
        if self._bar - LEAK_BARS <= context.bar_at(start) < self._bar and not is_sound:
            self.keep_more()
        return super().generate(parameters, context, start, end)

    def break_down(self, start: float, end: float) -> Any:
        while True:
            self.keep_more()

    def keep_more(self) -> None:
        self._kept = (*self._kept, bytearray(LEAK_BYTES))


class Again(Faulty):
    """It ends each time that it is started."""

    def play(self, start: float, end: float) -> list[NoteEvent]:
        if self._mark is not None and self._mark.exists():
            os._exit(6)
        return super().play(start, end)

    def break_down(self, start: float, end: float) -> Any:
        os._exit(6)


class Threads(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        for _ in range(MANY_THREADS):
            threading.Thread(target=time.sleep, args=(60.0,), daemon=True).start()


class Flood(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        for _ in range(8):
            os.write(1, b"all work and no play \n" * 50_000)


class Patch(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        time.time = time.monotonic = time.perf_counter = lambda: 0.0
        random.random = lambda: 0.5
        random.Random.random = lambda self: 0.5  # type: ignore[assignment, method-assign]


class CloseFiles(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        os.closerange(3, 64)


class Surroundings(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        os.chdir("/")
        os.environ.clear()
        os.umask(0)


class Interrupt(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        os.kill(0, signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


class Fork(Faulty):
    """A grandchild in a session of its own, which ignores what asks it to end."""

    def break_down(self, start: float, end: float) -> Any:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for name in ("SIGTERM", "SIGHUP", "SIGINT"):
                    signal.signal(getattr(signal, name), signal.SIG_IGN)
                while True:
                    time.sleep(60.0)
            os._exit(0)


class ManyNotes(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        return [NoteEvent(start, 0.5, self._pitch, 80, CHANNEL, "faulty")] * MANY_NOTES


class _Odd:
    """A note whose numbers are what the test says."""

    def __init__(self, **values: Any) -> None:
        self.onset_beats, self.duration_beats, self.pitch, self.velocity, self.cents = 0.0, 0.5, PITCH, 80, 0.0
        vars(self).update(values)


class NotANumber(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        return [_Odd(onset_beats=start), _Odd(onset_beats=math.nan), _Odd(onset_beats=start, duration_beats=math.inf)]


class NumpyNumbers(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        import numpy as np

        numbers = {"onset_beats": np.float64(start), "duration_beats": np.float32(0.5), "velocity": np.int8(80)}
        return [_Odd(pitch=np.int64(self._pitch), **numbers)]


class NegativeLength(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        return [_Odd(onset_beats=start, duration_beats=-1.0)]


class Lazy(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        return (note for note in self.play(start, end))


class Endless(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        return itertools.cycle(self.play(start, end))


class Unsorted(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        return self.play(start, end)[::-1]


class OutsideItsSpan(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        return self.play(end, end + 4.0)


class TooLong(Faulty):
    def break_down(self, start: float, end: float) -> Any:
        return [_Odd(onset_beats=start, duration_beats=1e6)]


class Gone(Faulty):
    """Its package is removed, and it ends."""

    def break_down(self, start: float, end: float) -> Any:
        Path(sys.modules[type(self).__module__].__file__ or "").unlink()
        os._exit(4)


class SlowImport(Faulty):
    """It ends; where the drill makes its import slow, it comes back after that."""

    def break_down(self, start: float, end: float) -> Any:
        os._exit(5)
