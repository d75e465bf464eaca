"""A long session in real time, in which nothing may hang, get lost, drift or grow (`make soak`).

The whole live path runs, with nets and scheduler process. The microphone is our own recording, silence and full-scale
noise by turns; the port records when each message leaves; the manual override changes now and then.
`python -m kelly_live.lab.bench.soak --minutes 60` prints the counts, and exits with 1 if a limit is broken.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kelly_live.audio.decode import read_blocks
from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.audio.sources import RepeatingSource
from kelly_live.core.actions import Action
from kelly_live.core.commands import Notes, SinkCommand
from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, get_kind
from kelly_live.core.protocols import NoteSink, SchedulerHealth
from kelly_live.core.resources import find_resources
from kelly_live.core.sync_state import SyncState
from kelly_live.core.termination import temporary_folder
from kelly_live.core.timebase import MonotonicClock, TempoMap
from kelly_live.core.values import EMOTIONS, MAIN_PORT, MusicParameters
from kelly_live.engine.journal import NoJournal
from kelly_live.engine.live import LiveEngine
from kelly_live.engine.live_parts import LiveParts
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.lab.bench.memory import read_resident_bytes
from kelly_live.midi.routing import RoutedSink
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.midi.trace import TracedMessage, read_trace
from kelly_live.music.conductor import Conductor

OVERRIDE_SECONDS = 20.0
SAMPLE_SECONDS = 2.0  # between two samples of memory and threads
WARM_SHARE = 0.25  # of the memory samples: what is loaded on first use is no growth
# What the performer does now and then; each takes the name of an emotion.
ACTIONS: tuple[Callable[[str], Action], ...] = (
    lambda emotion: Action("let-go"),
    lambda emotion: Action("freeze"),
    lambda emotion: Action("emotion", emotion),
    lambda emotion: Action("morph", emotion),
)
LONG_SECONDS = 1.0  # a note that sounds this much longer than the longest planned one is stuck


@dataclass(frozen=True, slots=True)
class SoakCounts:
    """What a soak counted.

    Attributes:
        minutes: How long it ran.
        notes: Notes that the conductor sent.
        stuck_notes: Notes that sounded too long or were never ended.
        lost_notes: Notes that never left.
        dropped_windows: Windows of sound that the analysis was too slow for.
        memory_growth: Of all processes' memory after the warm-up, as a share.
        excess_ticks: Clock ticks too many (+) or too few (-) for the beats played.
        drift_seconds: How far the last clock tick lay from its due time.
        p99_late_seconds: The 99th percentile of the messages' lateness.
        worst_late_seconds: The greatest lateness of a message.
        added_threads: Threads at the end, less those after the warm-up.
    """

    minutes: float
    notes: int
    stuck_notes: int
    lost_notes: int
    dropped_windows: int
    memory_growth: float
    excess_ticks: int
    drift_seconds: float
    p99_late_seconds: float
    worst_late_seconds: float
    added_threads: int

    def list_faults(self) -> list[str]:
        """List the limits that were broken, a sentence each."""
        limits = (
            (self.stuck_notes > 0, f"stuck notes: {self.stuck_notes}; none is allowed"),
            (self.lost_notes > 0, f"lost notes: {self.lost_notes}; none is allowed"),
            (self.memory_growth >= 0.01, f"memory grew by {self.memory_growth:.2%}; under 1 % is allowed"),
            (abs(self.excess_ticks) > 1, f"the clock is off by {self.excess_ticks} ticks; 1 is allowed"),
            (self.added_threads > 0, f"threads added since the warm-up: {self.added_threads}; none is allowed"),
        )
        return [fault for is_broken, fault in limits if is_broken]


class CountingSink:
    """A NoteSink that counts the notes it passes on, and remembers the longest."""

    def __init__(self, sink: NoteSink) -> None:
        self._sink = sink
        self.notes = 0
        self.longest_beats = 0.0

    def send(self, command: SinkCommand) -> None:
        """Count the notes of a command and pass it on."""
        if isinstance(command, Notes):
            self.notes += len(command.notes)
            self.longest_beats = max([self.longest_beats, *(note.duration_beats for note in command.notes)])
        self._sink.send(command)

    def health(self) -> SchedulerHealth:
        """Return the health of the sink behind it."""
        return self._sink.health()


class TempoJournal(NoJournal):
    """Keeps the tempo map of the music, once it has begun."""

    tempo_map: TempoMap

    def record_step(self, now: float, parameters: MusicParameters, sync: SyncState, conductor: Conductor) -> None:
        """Keep the conductor's tempo map."""
        self.tempo_map = conductor.tempo_map


def create_soak_sound() -> np.ndarray:
    """Create a minute of sound to repeat, float32 `[n]`: the demo recording, silence, noise, silence."""
    recording = np.concatenate(list(read_blocks(find_resources("presets") / "demo" / "recording.ogg", ANALYSIS_RATE)))
    noise = np.random.default_rng(1).uniform(-1.0, 1.0, 5 * ANALYSIS_RATE)
    silence = np.zeros(5 * ANALYSIS_RATE)
    return np.concatenate((recording, silence, noise, silence)).astype(np.float32)


def count_stuck_notes(trace: Sequence[TracedMessage], longest_seconds: float) -> int:
    """Count the notes that sounded longer than `longest_seconds`, or were never ended."""
    start_by_voice: dict[bytes, float] = {}
    count = 0
    for seconds, data in trace:
        kind = get_kind(data)
        if kind not in ("note_on", "note_off"):
            continue
        voice = bytes((data[0] & 0x0F, data[1]))
        start = start_by_voice.pop(voice, None)
        count += start is not None and seconds - start > longest_seconds
        if kind == "note_on":
            start_by_voice[voice] = seconds
    return count + len(start_by_voice)


def compute_growth(samples: Sequence[float]) -> float:
    """Compute the growth from the first quarter after the warm-up to the last.

    By the quarters' medians; 0 for too few samples.
    """
    warm = samples[int(len(samples) * WARM_SHARE) :]
    quarter = len(warm) // 4
    if quarter == 0:
        return 0.0
    return statistics.median(warm[-quarter:]) / statistics.median(warm[:quarter]) - 1.0


def run_soak(minutes: float, device: str = "cpu", seed: int = 1) -> SoakCounts:
    """Run a session for so many minutes and count.

    Raises:
        KellyError: A part of the session fails.
    """
    clock, rng = MonotonicClock(), random.Random(seed)
    journal, counting = TempoJournal(), list[CountingSink]()
    memory: list[float] = []
    threads: list[int] = []

    def wrap_sink(sink: NoteSink) -> NoteSink:
        counting.append(CountingSink(sink))
        return counting[-1]

    with temporary_folder() as folder:
        trace_path = Path(folder) / "trace"
        engine = LiveEngine(
            LiveOptions(profile="none", seed=seed, device=device),
            LiveParts(
                clock=clock,
                source=RepeatingSource(create_soak_sound(), clock, seconds=60.0 * minutes, realtime=True),
                sink=RoutedSink({MAIN_PORT: SchedulerClient(trace=trace_path, send_clock=True)}),
                journal=journal,
                wrap_sink=wrap_sink,
            ),
        )
        with engine:
            override_at, end = clock.now() + OVERRIDE_SECONDS, clock.now() + 60.0 * minutes - SAMPLE_SECONDS
            while clock.now() < end and not engine.wait(SAMPLE_SECONDS):
                if clock.now() >= override_at:
                    override_at += OVERRIDE_SECONDS
                    engine.act(rng.choice(ACTIONS)(rng.choice(EMOTIONS)))
                process_ids = (None, *engine.process_ids)
                memory.append(sum(read_resident_bytes(process_id) or 0 for process_id in process_ids))
                threads.append(threading.active_count())
            engine.wait()  # for the closing bar
        last = engine.snapshot()
        trace = read_trace(trace_path)
    (sink,) = counting
    ons = sum(get_kind(data) == "note_on" for _, data in trace)
    ticks = [seconds for seconds, data in trace if data == CLOCK]
    tempo = journal.tempo_map
    beats = tempo.beat_at(ticks[-1]) * CLOCKS_PER_BEAT
    slowest = 60.0 / 40.0  # seconds a beat at the slowest tempo that the mapper asks for
    return SoakCounts(
        minutes=minutes,
        notes=sink.notes,
        stuck_notes=count_stuck_notes(trace, sink.longest_beats * slowest + LONG_SECONDS),
        lost_notes=sink.notes - ons,
        dropped_windows=last.dropped_windows,
        memory_growth=compute_growth(memory),
        excess_ticks=len(ticks) - 1 - round(beats),
        drift_seconds=ticks[-1] - tempo.seconds_at((len(ticks) - 1) / CLOCKS_PER_BEAT),
        p99_late_seconds=last.scheduler.p99_late_seconds,
        worst_late_seconds=last.scheduler.worst_late_seconds,
        added_threads=threads[-1] - threads[len(threads) // 4] if threads else 0,
    )


def main() -> int:
    """Run a soak, print its counts, and return 1 if a limit was broken."""
    parser = argparse.ArgumentParser(prog="python -m kelly_live.lab.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()

    start = time.monotonic()
    counts = run_soak(options.minutes)
    if options.json:
        print(json.dumps(asdict(counts) | {"faults": counts.list_faults()}))
    else:
        for name, value in asdict(counts).items():
            print(f"{name:<18} {value:.6g}")
        print(f"{'seconds it took':<18} {time.monotonic() - start:.0f}")
        print(
            "\n".join(counts.list_faults())
            or "every limit is kept: 0 notes stuck, 0 lost, memory growth under 1 %, clock within 1 tick"
        )
    return 1 if counts.list_faults() else 0


if __name__ == "__main__":
    sys.exit(main())
