"""Control latency of a live session with the real nets, conductor and scheduler process.

Counted from the end of the window in which an emotion changed: to the first beat that can show the change (what the
software takes), to the first note that shows it (what the music takes as well: there is not always a note), and to the
first difference that is heard: such a note, or a note that is held since before the change and whose controller 11 has
moved by AUDIBLE_DB the right way. The last is also counted from a key's press.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kelly_live.core.midi_messages import EXPRESSION, get_channel, get_kind
from kelly_live.core.protocols import Mapper
from kelly_live.core.sync_state import SyncState
from kelly_live.core.termination import temporary_folder
from kelly_live.core.timebase import read_clock
from kelly_live.core.values import Dynamics, EmotionState, MusicParameters
from kelly_live.engine.journal import NoJournal
from kelly_live.lab.bench.playing import create_engine
from kelly_live.midi.trace import TracedMessage, read_trace
from kelly_live.music.conductor import Conductor

HOPS_A_TURN = 7  # 1.75 s: no multiple of a beat, so that turns fall everywhere in the bar
START_SECONDS, PRESS_SECONDS, PRESSED_AROUSAL = 2.0, 1.73, 0.6
SOFT, LOUD = Dynamics(0.05, 0.1, 0.0), Dynamics(0.9, 0.95, 0.0)
# Velocities that show a turn: outside the range that was played before it, by more than one step.
SOFTEST_LOUD, LOUDEST_SOFT = 108, 19
AUDIBLE_DB = 1.0  # by General MIDI's law: 6 of 127 around 100, as far as a rendered chord gets louder by it
DENSITY = 2.5  # busy, so that what is measured is the software's wait more than the music's


@dataclass(frozen=True, slots=True)
class Turn:
    """A change of dynamics in the window that ended at `seconds`."""

    seconds: float
    loud: bool


@dataclass(frozen=True, slots=True)
class Latencies:
    """The seconds from each turn to the first beat, note and difference at all that show it."""

    beats: tuple[float, ...]
    notes: tuple[float, ...]
    differences: tuple[float, ...]


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


class PressedMapper:
    """The real mapper, with its dynamics replaced: loud where arousal is high, else soft."""

    audience = None

    def __init__(self, mapper: Mapper) -> None:
        self._mapper = mapper

    def __call__(self, state: EmotionState) -> MusicParameters:
        """Map a state, and replace the dynamics."""
        return replace(self._mapper(state), dynamics=LOUD if state.arousal > 0.0 else SOFT, density=DENSITY)


def measure_presses(recording: Path, device: str, seconds: float) -> tuple[float, ...]:
    """Set arousal high and low by turns, as a key does, and return the seconds to the first difference that is heard.

    Raises:
        KellyError: The recording, a model or the MIDI side fails.
    """
    turns: list[Turn] = []
    with temporary_folder() as folder:
        trace = Path(folder) / "trace"
        engine = create_engine(recording, trace, device, wrap_mapper=PressedMapper)
        with engine:
            is_over, loud = engine.wait(START_SECONDS), False
            while not is_over and len(turns) * PRESS_SECONDS < seconds:
                turns.append(Turn(read_clock(), loud))
                engine.act("arousal", PRESSED_AROUSAL if loud else -PRESSED_AROUSAL)
                is_over, loud = engine.wait(PRESS_SECONDS), not loud
        return compute_difference_latencies(turns, read_trace(trace))


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
        messages = read_trace(trace)
        return Latencies(
            compute_beat_latencies(mapper.turns, first_beats.seconds),
            compute_note_latencies(mapper.turns, messages),
            compute_difference_latencies(mapper.turns, messages),
        )


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
    times = [_find_first_note(turn, trace) for turn in turns[1:]]
    return tuple(time - turn.seconds for turn, time in zip(turns[1:], times, strict=True) if time is not None)


def compute_difference_latencies(turns: Sequence[Turn], trace: Sequence[TracedMessage]) -> tuple[float, ...]:
    """Compute the seconds from each turn but the first to the first note, or move of a held one, that shows it."""
    latencies = []
    for turn in turns[1:]:
        times = [time for time in (_find_first_note(turn, trace), _find_first_move(turn, trace)) if time is not None]
        latencies += [min(times) - turn.seconds] if times else []
    return tuple(latencies)


def _find_first_note(turn: Turn, trace: Sequence[TracedMessage]) -> float | None:
    ons = ((time, data[2]) for time, data in trace if get_kind(data) == "note_on" and time >= turn.seconds)
    return next((time for time, v in ons if (v > LOUDEST_SOFT if turn.loud else v < SOFTEST_LOUD)), None)


def _find_first_move(turn: Turn, trace: Sequence[TracedMessage]) -> float | None:
    """Find when controller 11 of a channel whose notes have sounded since before the turn has moved far enough."""
    before = [message for message in trace if message.seconds < turn.seconds]
    levels, held = dict(_list_levels(before)), set[tuple[int, int]]()
    for _, data in before:
        _note_held(held, data)
    since_before = set(held)
    for time, data in trace[len(before) :]:
        if get_kind(data) in ("note_on", "note_off"):
            since_before.discard((get_channel(data), data[1]))
        for channel, level in _list_levels([TracedMessage(time, data)]):
            if channel in levels and any(channel == number for number, _ in since_before):
                moved_db = 40.0 * math.log10(level / levels[channel])
                if (moved_db if turn.loud else -moved_db) >= AUDIBLE_DB:
                    return time
    return None


def _list_levels(trace: Sequence[TracedMessage]) -> Iterator[tuple[int, int]]:
    """Yield the channel and value of each controller 11."""
    for _, data in trace:
        if get_kind(data) == "control_change" and data[1] == EXPRESSION:
            yield get_channel(data), data[2]


def _note_held(held: set[tuple[int, int]], data: bytes) -> None:
    """Take a message into the set of the notes that sound."""
    if get_kind(data) == "note_on":
        held.add((get_channel(data), data[1]))
    elif get_kind(data) == "note_off":
        held.discard((get_channel(data), data[1]))
