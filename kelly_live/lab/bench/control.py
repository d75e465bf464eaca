"""Control latency of a live session with the real nets, conductor and scheduler process.

Counted from the end of the window in which an emotion changed: to the first beat that can show the change (what the
software takes), and to the first note that shows it (what the music takes as well: there is not always a note).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kelly_live.core.midi_messages import get_kind
from kelly_live.core.protocols import Mapper
from kelly_live.core.sync_state import SyncState
from kelly_live.core.termination import temporary_folder
from kelly_live.core.values import Dynamics, EmotionState, MusicParameters
from kelly_live.engine.session import NoJournal
from kelly_live.lab.bench.playing import create_engine
from kelly_live.midi.trace import TracedMessage, read_trace
from kelly_live.music.conductor import Conductor

HOPS_A_TURN = 7  # 1.75 s: no multiple of a beat, so that turns fall everywhere in the bar
SOFT, LOUD = Dynamics(0.05, 0.1, 0.0), Dynamics(0.9, 0.95, 0.0)
# Velocities that show a turn: outside the range that was played before it, by more than one step.
SOFTEST_LOUD, LOUDEST_SOFT = 108, 19
DENSITY = 2.5  # busy, so that what is measured is the software's wait more than the music's


@dataclass(frozen=True, slots=True)
class Turn:
    """A change of dynamics in the window that ended at `seconds`."""

    seconds: float
    loud: bool


@dataclass(frozen=True, slots=True)
class Latencies:
    """The seconds from each turn to the first beat, and to the first note, that show it."""

    beats: tuple[float, ...]
    notes: tuple[float, ...]


class FirstBeatRecorder(NoJournal):
    """Records when the first beat falls that was not generated before the dynamics turned."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._dynamics: Dynamics | None = None
        self._generated_until_seconds = 0.0

    def record_step(self, now: float, parameters: MusicParameters, sync: SyncState, conductor: Conductor) -> None:
        """Note the first beat after each change of dynamics."""
        if self._dynamics not in (None, parameters.dynamics):
            self.seconds.append(self._generated_until_seconds)
        self._dynamics = parameters.dynamics
        self._generated_until_seconds = conductor.seconds_at(conductor.slices * conductor.slice_beats)


class TurningMapper:
    """The real mapper, with its dynamics replaced: soft and loud by turns of HOPS_A_TURN states."""

    audience = None

    def __init__(self, mapper: Mapper) -> None:
        self.turns: list[Turn] = []
        self._mapper = mapper
        self._hops = 0

    def __call__(self, state: EmotionState) -> MusicParameters:
        """Map a state, and replace the dynamics."""
        loud = self._hops // HOPS_A_TURN % 2 == 1
        if self._hops % HOPS_A_TURN == 0:
            self.turns.append(Turn(state.time, loud))
        self._hops += 1
        return replace(self._mapper(state), dynamics=LOUD if loud else SOFT, density=DENSITY)


def measure_control(recording: Path, device: str, seconds: float) -> Latencies:
    """Play for so many seconds and time every turn.

    Raises:
        KellyError: The recording, a model or the MIDI side fails.
    """
    first_beats, mappers = FirstBeatRecorder(), list[TurningMapper]()

    def wrap_mapper(mapper: Mapper) -> Mapper:
        mappers.append(TurningMapper(mapper))
        return mappers[-1]

    with temporary_folder() as folder:
        trace = Path(folder) / "trace"
        engine = create_engine(
            recording, trace, device, freeze=True, journal=first_beats, wrap_mapper=wrap_mapper
        )  # fmt: skip
        with engine:
            engine.wait(seconds)
        (mapper,) = mappers
        notes = compute_note_latencies(mapper.turns, read_trace(trace))
        return Latencies(compute_beat_latencies(mapper.turns, first_beats.seconds), notes)


def compute_beat_latencies(turns: Sequence[Turn], first_beats: Sequence[float]) -> tuple[float, ...]:
    """Compute the seconds from each turn but the first to the first beat that was generated after it."""
    latencies = []
    for turn, next_turn in zip(turns[1:], (*turns[2:], None), strict=True):
        end = float("inf") if next_turn is None else next_turn.seconds
        latencies += [beat - turn.seconds for beat in first_beats if turn.seconds <= beat < end][:1]
    return tuple(latencies)


def compute_note_latencies(turns: Sequence[Turn], trace: Sequence[TracedMessage]) -> tuple[float, ...]:
    """Compute the seconds from each turn but the first to the first note-on that shows it.

    The dynamics are on their way then. A turn that was over before any note showed it counts until the note that did.
    """
    ons = [(t, data[2]) for t, data in trace if get_kind(data) == "note_on"]
    latencies = []
    for turn in turns[1:]:
        after = [(t, velocity) for t, velocity in ons if t >= turn.seconds]
        note_time = next((t for t, v in after if (v > LOUDEST_SOFT if turn.loud else v < SOFTEST_LOUD)), None)
        if note_time is not None:
            latencies.append(note_time - turn.seconds)
    return tuple(latencies)
