"""A MIDI clock master whose tempo jumps, and how far the band's next beats are off.

Run it for the table:

python -m tests.field.simulated_master
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, START
from kelly_live.core.timebase import ManualClock, TempoMap, TempoPoint
from kelly_live.generators.band import GeneratorBand
from kelly_live.midi.input_queue import ScriptedInput
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from kelly_live.sync.midi_clock import MidiClockSource
from tests.music.band import RecordingSink, make_parameters

STEP_SECONDS = 0.005
JUMP_BEAT = 16.0
OWN_BPM = 100.0
SEEDS = 4


@dataclass(frozen=True, slots=True)
class Jitter:
    """How ticks arrive: each by `noise` (s) off, then at the next point of a grid of `grain` (s).

    The input knows of the grid if `is_known`, as it does of JACK's period.
    """

    name: str
    noise: float = 0.0
    grain: float = 0.0
    is_known: bool = True

    def delay(self, seconds: float, rng: random.Random) -> float:
        """Return when a tick of this time arrives."""
        seconds += rng.uniform(-self.noise, self.noise)
        return seconds if self.grain == 0.0 else math.ceil(seconds / self.grain) * self.grain


JITTERS = (
    Jitter("none"),
    Jitter("2 ms a tick", noise=0.002),
    Jitter("USB, 1 ms grid", grain=0.001, is_known=False),
    Jitter("JACK, 256 frames", grain=256 / 48_000),
    Jitter("JACK, 512 frames", grain=512 / 48_000),
)
JUMPS = ((90.0, 120.0), (120.0, 150.0), (150.0, 100.0), (120.0, 90.0), (100.0, 160.0), (120.0, 128.0), (140.0, 70.0))


class FollowingBand:
    """A conductor without players that follows a script of MIDI messages."""

    def __init__(self, script: Iterable[tuple[float, bytes]], *, grain: float = 0.0, own_bpm: float = OWN_BPM) -> None:
        self.clock = ManualClock()
        self.source = MidiClockSource(ScriptedInput(sorted(script), self.clock, grain_seconds=grain))
        self.sink = RecordingSink()
        self.conductor = Conductor(self.sink, GeneratorBand([]), seed=1, slice_beats=LIVE_SLICE_BEATS)
        self._parameters = make_parameters(bpm=own_bpm)
        self.conductor.start(0.2, self._parameters)

    def play_until(self, seconds: float, on_step: Callable[[float], None] = lambda now: None) -> None:
        """Step the band as a session does."""
        while self.clock.now() < seconds:
            self.clock.advance(STEP_SECONDS)
            now = self.clock.now()
            self.conductor.advance(now, self._parameters, self.source.estimate(now))
            on_step(now)


def create_script(truth: TempoMap, beats: int, jitter: Jitter, seed: int) -> list[tuple[float, bytes]]:
    """Return a start and ticks at the tempo of `truth`."""
    rng = random.Random(seed)
    ticks = [jitter.delay(truth.seconds_at(i / CLOCKS_PER_BEAT), rng) for i in range(beats * CLOCKS_PER_BEAT)]
    return [(ticks[0] - 0.0001, START), *((seconds, CLOCK) for seconds in sorted(ticks))]


def measure_jump(before: float, after: float, jitter: Jitter, seed: int, *, beat: float = JUMP_BEAT) -> list[float]:
    """Return how late (s; early: negative) the band plays the six beats that follow a jump of tempo."""
    truth = TempoMap(1.0, before)
    truth.add(TempoPoint(beat, after))
    first = math.floor(beat) + 1
    band = FollowingBand(create_script(truth, first + 9, jitter, seed), grain=jitter.grain * jitter.is_known)
    band.play_until(truth.seconds_at(first + 7))
    return [band.conductor.seconds_at(float(first + k)) - truth.seconds_at(first + k) for k in range(6)]


def measure_steadiness(bpm: float, jitter: Jitter, seed: int) -> tuple[float, float]:
    """Return the largest error of a beat (s) and of the tempo (share) at a steady master's tempo."""
    truth = TempoMap(1.0, bpm)
    band = FollowingBand(create_script(truth, 64, jitter, seed), grain=jitter.grain * jitter.is_known)
    tempi: list[float] = []
    start = truth.seconds_at(12.0)
    band.play_until(
        truth.seconds_at(62.0), lambda now: tempi.append(band.conductor.tempo_map.bpm) if now > start else None
    )
    worst = max(abs(band.conductor.seconds_at(float(b)) - truth.seconds_at(b)) for b in range(12, 62))
    return worst, max(abs(tempo / bpm - 1.0) for tempo in tempi)


def main() -> None:
    """Print the worst of some seeds, in milliseconds."""
    print(f"first and second beat after a jump: the largest error of {SEEDS} seeds, ms")
    print(f"{'':18}" + "".join(f"{f'{a:.0f} to {b:.0f}':>14}" for a, b in JUMPS))
    for place in (JUMP_BEAT, JUMP_BEAT + 0.39):
        print(f"at beat {place:g}")
        for jitter in JITTERS:
            cells = []
            for before, after in JUMPS:
                runs = [measure_jump(before, after, jitter, seed, beat=place) for seed in range(SEEDS)]
                cells.append(" ".join(f"{1e3 * max((run[k] for run in runs), key=abs):6.1f}" for k in (0, 1)))
            print(f"{jitter.name:18}" + "".join(f"{cell:>14}" for cell in cells), flush=True)
    print("constant tempo: largest error of a beat, ms, and of the tempo, %")
    for jitter in JITTERS:
        steady = [measure_steadiness(bpm, jitter, seed) for bpm in (60.0, 120.0, 174.0) for seed in range(3)]
        print(f"{jitter.name:18}{1e3 * max(p for p, _ in steady):6.1f} ms {100 * max(t for _, t in steady):6.2f} %")


if __name__ == "__main__":
    main()
