"""A long session in real time: nothing may hang, get lost, drift or grow (`make soak`).

The whole live path runs, nets and scheduler process included: our own recording, silence and full-scale noise by turns
for the microphone, a port that stamps what leaves, a hand that steers now and then. `python -m kelly_live.lab.bench.soak
--minutes 60` prints what was counted, and exits with 1 if a limit was broken.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kelly_live.audio.decode import read_blocks
from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.audio.sources import RepeatingSource
from kelly_live.core.commands import Notes, SinkCommand
from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, kind_of
from kelly_live.core.protocols import EmotionOverride, Morph, SchedulerHealth
from kelly_live.core.resources import find_resources
from kelly_live.core.timebase import MonotonicClock
from kelly_live.core.values import EMOTIONS
from kelly_live.engine.analysis_proxy import AnalysisProxy
from kelly_live.engine.build import create_conductor
from kelly_live.engine.session import LiveSession, Snapshot
from kelly_live.lab.bench.memory import held_bytes
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.midi.trace import Traced, read_trace
from kelly_live.workers.realtime import enable_realtime, freeze_gc

STEER_SECONDS = 20.0
SAMPLE_SECONDS = 2.0
WARM_SHARE = 0.25  # of the samples of memory: what is loaded on first use is no growth
LONG_SECONDS = 1.0  # a note that sounds this much longer than any was asked to is stuck


@dataclass(frozen=True, slots=True)
class Soak:
    """What was counted. `growth`: of all processes' memory after the warm-up, as a share; `drift`: of the last clock
    tick, seconds; `ticks_off`: clock ticks too many (+) or too few for the beats played.
    """

    minutes: float
    notes: int
    stuck: int
    lost: int
    dropped_windows: int
    growth: float
    ticks_off: int
    drift: float
    p99_late: float
    worst_late: float
    threads_grown: int

    def faults(self) -> list[str]:
        """The limits that were broken, in words."""
        found = [f"{self.stuck} notes hung"] * bool(self.stuck) + [f"{self.lost} notes got lost"] * bool(self.lost)
        found += [f"memory grew by {self.growth:.2%}; under 1 % is allowed"] * (self.growth >= 0.01)
        found += [f"the clock is {self.ticks_off} ticks off"] * (abs(self.ticks_off) > 1)
        return found + [f"{self.threads_grown} threads more than at the start"] * (self.threads_grown > 0)


class CountingSink:
    """A NoteSink that counts what it hands on, and keeps the longest note asked for."""

    def __init__(self, sink: SchedulerClient) -> None:
        self._sink = sink
        self.notes = 0
        self.longest_beats = 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self._sink, name)

    def send(self, command: SinkCommand) -> None:
        """Count and pass on."""
        if isinstance(command, Notes):
            self.notes += len(command.notes)
            self.longest_beats = max([self.longest_beats, *(note.duration_beats for note in command.notes)])
        self._sink.send(command)

    def health(self) -> SchedulerHealth:
        return self._sink.health()


def evening() -> np.ndarray:
    """A minute or so to repeat: the demo recording, silence, full-scale noise, silence. float32 `[n]`."""
    recording = np.concatenate(list(read_blocks(find_resources("presets") / "demo" / "recording.ogg", ANALYSIS_RATE)))
    noise = np.random.default_rng(1).uniform(-1.0, 1.0, 5 * ANALYSIS_RATE)
    silence = np.zeros(5 * ANALYSIS_RATE)
    return np.concatenate((recording, silence, noise, silence)).astype(np.float32)


def held_notes(trace: Sequence[Traced], longest_seconds: float) -> int:
    """How many notes sounded over `longest_seconds`, or were never ended."""
    sounding: dict[bytes, float] = {}
    stuck = 0
    for seconds, data in trace:
        kind = kind_of(data)
        if kind not in ("note_on", "note_off"):
            continue
        voice = bytes((data[0] & 0x0F, data[1]))
        began = sounding.pop(voice, None)
        stuck += began is not None and seconds - began > longest_seconds
        if kind == "note_on":
            sounding[voice] = seconds
    return stuck + len(sounding)


def growth(samples: Sequence[float]) -> float:
    """The last quarter's median over that of the first quarter after the warm-up, less 1; 0 if there are too few."""
    warm = samples[int(len(samples) * WARM_SHARE) :]
    quarter = len(warm) // 4
    if quarter == 0:
        return 0.0
    return statistics.median(warm[-quarter:]) / statistics.median(warm[:quarter]) - 1.0


def soak(minutes: float, device: str = "cpu", seed: int = 1) -> Soak:
    """Raises KellyError."""
    enable_realtime()
    clock = MonotonicClock()
    rng = random.Random(seed)
    with closing(AnalysisProxy()) as ears, tempfile.TemporaryDirectory() as folder:
        trace_path = Path(folder) / "trace"
        client = SchedulerClient(trace=trace_path, send_clock=True)
        sink = CountingSink(client)
        client.open()
        opening = ears.make(device, EmotionOverride())
        conductor = create_conductor(sink, seed=seed, live=True)  # type: ignore[arg-type]
        session = LiveSession(
            source=RepeatingSource(evening(), clock, seconds=60.0 * minutes, realtime=True),
            analyzer=ears,
            conductor=conductor,
            sink=sink,  # type: ignore[arg-type]
            clock=clock,
            opening=opening,
        )
        memory: list[float] = []
        threads: list[int] = []
        steer_at = clock.now() + STEER_SECONDS
        sample_at = clock.now()

        def on_status(snapshot: Snapshot) -> None:
            nonlocal steer_at, sample_at
            now = clock.now()
            if now >= steer_at:
                steer_at = now + STEER_SECONDS
                emotion = rng.choice(EMOTIONS)
                morph = Morph(EmotionOverride(emotion=emotion), snapshot.conductor.bars, 4.0)
                ears.steer(
                    rng.choice(
                        (
                            EmotionOverride(),
                            EmotionOverride(freeze=True),
                            EmotionOverride(emotion=emotion),
                            EmotionOverride(morph=morph),
                        )
                    )
                )
            if now >= sample_at:
                sample_at = now + SAMPLE_SECONDS
                processes = (None, client.process_id, ears.process_id)
                memory.append(sum(held_bytes(process) or 0 for process in processes))
                threads.append(threading.active_count())

        freeze_gc()
        last = session.run(on_status)
        health = client.health()
        trace = read_trace(trace_path)
    ons = sum(kind_of(data) == "note_on" for _, data in trace)
    ticks = [seconds for seconds, data in trace if data == CLOCK]
    tempo = conductor.tempo_map
    beats = tempo.beat_at(ticks[-1]) * CLOCKS_PER_BEAT
    slowest = 60.0 / 40.0  # seconds a beat at the slowest tempo that the mapper asks for
    return Soak(
        minutes=minutes,
        notes=sink.notes,
        stuck=held_notes(trace, sink.longest_beats * slowest + LONG_SECONDS),
        lost=sink.notes - ons,
        dropped_windows=last.dropped_windows,
        growth=growth(memory),
        ticks_off=len(ticks) - 1 - round(beats),
        drift=ticks[-1] - tempo.seconds_at((len(ticks) - 1) / CLOCKS_PER_BEAT),
        p99_late=health.p99_late_seconds,
        worst_late=health.worst_late_seconds,
        threads_grown=threads[-1] - threads[len(threads) // 4] if threads else 0,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kelly_live.lab.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    began = time.monotonic()
    counted = soak(options.minutes)
    if options.json:
        print(json.dumps(asdict(counted) | {"faults": counted.faults()}))
    else:
        for name, value in asdict(counted).items():
            print(f"{name:<18} {value:.6g}")
        print(f"{'seconds it took':<18} {time.monotonic() - began:.0f}")
        print("\n".join(counted.faults()) or "every limit kept: 0 stuck, 0 lost, memory under 1 %, clock within a tick")
    return 1 if counted.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
