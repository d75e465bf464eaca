"""The time until new parameters reach the notes and become audible, in music that is stepped as live.

Parameters reach a note when it is generated with them. For any moment, `measure_reach` finds when the last note sounds
that was generated before it (the delay by the slice, the look-ahead and the timing deviations), and when the first one
sounds that was generated after it (the same delay, and the wait for the next note, as rests are music).

Whether that note *shows* them is another question, as parameters are smoothed. So the same music is played twice, once
with a change at some moment. Up to it both runs are identical. The first note-on after it that differs audibly (pitch
or channel, velocity by VELOCITY_STEPS, or time by TIME_SECONDS), or that only one run has, shows the change. There are
two numbers for each change:

- `seconds`: from the change to the first note that shows it;
- `stale_seconds`: from the change to the last note that sounds before that one (0: none), so the time for which old
  music continues.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kelly_live.core.values import MusicParameters

STEP_SECONDS = 0.005  # session.CONDUCTOR_STEP_SECONDS
VELOCITY_STEPS = 3  # of 127: about the smallest audible difference of loudness
TIME_SECONDS = 0.01
OBSERVED_SECONDS = 8.0  # after the change; a change that shows later is counted as this long


@dataclass(frozen=True, slots=True)
class NoteOn:
    """A note as it was sent: seconds, channel, pitch, velocity."""

    seconds: float
    channel: int
    pitch: int
    velocity: int


class ObservedConductor(Protocol):
    """A conductor whose notes can be listed."""

    def start(self, origin_seconds: float, parameters: MusicParameters) -> None:
        """Start the music."""

    def advance(self, now: float, parameters: MusicParameters) -> None:
        """Advance the music to `now`."""

    def list_notes(self, now: float) -> Sequence[NoteOn]:
        """List all note-ons sent up to `now`."""

    def list_creation_times(self) -> Sequence[tuple[float, float]]:
        """List, for each note so far, when it was generated and when it sounds (s)."""


@dataclass(frozen=True, slots=True)
class ResponseTime:
    """The response to a change of parameters at `change_seconds` of the music."""

    change_seconds: float
    seconds: float
    stale_seconds: float


def _run(
    player: ObservedConductor, before: MusicParameters, after: MusicParameters, change: float, until: float
) -> list[NoteOn]:
    player.start(0.0, before)
    for step in range(round(until / STEP_SECONDS) + 1):
        now = step * STEP_SECONDS
        player.advance(now, after if now >= change else before)
    return sorted(player.list_notes(until), key=lambda note: (note.seconds, note.channel, note.pitch))


def _differs(one: NoteOn, other: NoteOn) -> bool:
    return (
        one.pitch != other.pitch
        or one.channel != other.channel
        or abs(one.velocity - other.velocity) >= VELOCITY_STEPS
        or abs(one.seconds - other.seconds) >= TIME_SECONDS
    )


def measure_response(
    make: Callable[[], ObservedConductor], before: MusicParameters, after: MusicParameters, change_seconds: float
) -> ResponseTime:
    """Play until OBSERVED_SECONDS after the change, with the change and without it, and compare the notes."""
    until = change_seconds + OBSERVED_SECONDS
    unchanged_notes = _run(make(), before, before, change_seconds, until)
    changed_notes = _run(make(), before, after, change_seconds, until)
    first = next(
        (i for i, (a, b) in enumerate(zip(unchanged_notes, changed_notes, strict=False)) if _differs(a, b)), None
    )
    if first is None:
        first = min(len(unchanged_notes), len(changed_notes))
    seconds = changed_notes[first].seconds - change_seconds if first < len(changed_notes) else OBSERVED_SECONDS
    old = [note.seconds - change_seconds for note in changed_notes[:first] if note.seconds > change_seconds]
    return ResponseTime(change_seconds, seconds, max(old, default=0.0))


def measure_reach(
    player: ObservedConductor, parameters: MusicParameters, until: float, moments: Sequence[float]
) -> list[ResponseTime]:
    """Play until `until`; measure for each moment (s) when new notes begin and old ones end.

    New notes are generated from the moment on, old ones before. A moment after which no note is generated counts until
    the end.
    """
    player.start(0.0, parameters)
    for step in range(round(until / STEP_SECONDS) + 1):
        player.advance(step * STEP_SECONDS, parameters)
    creation_times, sounds = np.array(player.list_creation_times(), dtype=np.float64).reshape(-1, 2).T
    responses = []
    for moment in moments:
        new, old = sounds[creation_times >= moment], sounds[creation_times < moment]
        first = float(new.min()) if len(new) else until
        last = float(old.max()) if len(old) else 0.0
        responses.append(ResponseTime(moment, first - moment, max(0.0, last - moment)))
    return responses


def summarise_responses(reactions: Sequence[ResponseTime]) -> dict[str, float]:
    """Compute medians and 95 % quantiles, in seconds."""
    response_seconds = np.array([one.seconds for one in reactions])
    stale_seconds = np.array([one.stale_seconds for one in reactions])
    return {
        "p50": float(np.percentile(response_seconds, 50)),
        "p95": float(np.percentile(response_seconds, 95)),
        "stale p50": float(np.percentile(stale_seconds, 50)),
        "stale p95": float(np.percentile(stale_seconds, 95)),
        "changes": float(len(reactions)),
    }
