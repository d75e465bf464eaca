"""Control latency: from the end of the window in which a feeling turned to the first note that shows it, in a live
session with the real nets, conductor and scheduler process, in real time."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kelly_live.bench.playing import play_for
from kelly_live.cli.listening import Listening
from kelly_live.domain import AudioWindow, Dynamics
from kelly_live.interpreter import backstage, on_stage
from kelly_live.midi.client import SchedulerClient
from kelly_live.midi.messages import kind_of
from kelly_live.midi.trace import Traced, read_trace
from kelly_live.protocols import Analyzer, Reading, Steering

HOPS_A_TURN = 7  # 1.75 s: no multiple of a beat, so that turns fall everywhere in the bar
SOFT, LOUD = Dynamics(0.05, 0.1, 0.0), Dynamics(0.9, 0.95, 0.0)
# Velocities that show a turn: out of the band that was played before it, by more than the nearest grain.
SOFTEST_LOUD, LOUDEST_SOFT = 108, 19
DENSITY = 2.5  # busy, so that what is measured is the software's wait more than the music's


@dataclass(frozen=True, slots=True)
class Turn:
    """The dynamics turned in the window that ended at `seconds`."""

    seconds: float
    loud: bool


class TurningAnalyzer:
    """The real analyzer at its real pace; what it says of dynamics is replaced, soft and loud by turns."""

    def __init__(self, analyzer: Analyzer) -> None:
        self.hop_seconds = analyzer.hop_seconds
        self.turns: list[Turn] = []
        self._analyzer = analyzer
        self._hops = 0

    def steer(self, steering: Steering) -> None:
        self._analyzer.steer(steering)

    def restart(self) -> None:
        self._analyzer.restart()

    def push(self, block: AudioWindow, bar: float = 0.0) -> Sequence[Reading]:
        readings = []
        for reading in self._analyzer.push(block, bar):
            loud = self._hops // HOPS_A_TURN % 2 == 1
            if self._hops % HOPS_A_TURN == 0:
                self.turns.append(Turn(reading.state.time, loud))
            self._hops += 1
            parameters = replace(reading.parameters, dynamics=LOUD if loud else SOFT, density=DENSITY)
            readings.append(replace(reading, parameters=parameters))
        return readings


def measure_control(recording: Path, device: str, seconds: float) -> tuple[float, ...]:
    """The latency of each turn, seconds. Raises KellyError."""
    on_stage()
    ears = Listening()
    with closing(ears), ExitStack() as after, tempfile.TemporaryDirectory() as folder:
        after.callback(backstage)
        opening = ears.make(device, Steering(freeze=True))
        turning = TurningAnalyzer(ears)
        trace = Path(folder) / "trace"
        sink = SchedulerClient(trace=trace)
        sink.open()
        play_for(seconds, recording, sink, turning, opening)
        return latencies(turning.turns, read_trace(trace))


def latencies(turns: Sequence[Turn], trace: Sequence[Traced]) -> tuple[float, ...]:
    """For each turn but the first, the time until the first note-on that shows it: the dynamics are on their way then.
    A turn that was over before any did counts until the note that came at last."""
    ons = [(t, data[2]) for t, data in trace if kind_of(data) == "note_on"]
    found = []
    for turn in turns[1:]:
        after = [(t, velocity) for t, velocity in ons if t >= turn.seconds]
        shown = next((t for t, v in after if (v > LOUDEST_SOFT if turn.loud else v < SOFTEST_LOUD)), None)
        if shown is not None:
            found.append(shown - turn.seconds)
    return tuple(found)


def quantile(times: Sequence[float], share: float) -> float:
    return round(1e3 * float(np.quantile(times, share)), 1)
