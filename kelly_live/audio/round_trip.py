"""When clicks of known times are heard again: the round trip from a MIDI port through the rig to the audio input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.errors import AudioError
from kelly_live.core.level import rms_dbfs
from kelly_live.core.values import AudioWindow

LONGEST_SECONDS = 0.75  # a click that comes later is taken for lost
ROOM_SECONDS = 0.25  # of sound before a click, by which the room is judged
TOLERANCE_SECONDS = 0.01  # clicks that lie further from the median than this are other sounds
LEAST_SHARE = 0.6  # of the clicks, that must agree
_OVER_ROOM = 4.0  # a click's steepest edge is so many times the room's
_ONSET_SHARE = 0.2  # of the steepest edge: where a click begins
_SILENT_PEAK = 1e-4  # -80 dBFS: an input that nothing is connected to
_CLIPPED_PEAK = 0.99
_LOUD_ROOM_DBFS = -30.0
_FAINT_DBFS = -60.0
_RINGING_DB = 20.0  # over the room before the first click: what a click leaves behind until the next one
_STAMP_SPAN_SECONDS = 0.5  # windows this near tell a sample's time


class HeardSound:
    """The windows of one take as a single sound, and the time of each of its samples.

    A window is stamped when it arrives, so a stamp may be late but is never early: a sample's time is told by the
    promptest window nearby. Only nearby, as the input may lose sound, or its server stand still, at any moment.
    """

    def __init__(self, windows: Sequence[AudioWindow]) -> None:
        """Join the windows. Raises AudioError if there are none."""
        if not windows:
            raise AudioError("the audio input delivered no sound at all; check that its device runs, and try again")
        self.sample_rate = windows[0].sample_rate
        self.samples = np.concatenate([window.samples for window in windows])
        self._ends = np.cumsum([len(window.samples) for window in windows]) / self.sample_rate
        self._stamps = np.array([window.end_time for window in windows])

    def find_index(self, seconds: float) -> int:
        """Return the index of the sample that was taken at `seconds`; at least 0, possibly past the end."""
        origin = self._find_origin(np.abs(self._stamps - seconds))
        return max(0, round((seconds - origin) * self.sample_rate))

    def find_time(self, index: int) -> float:
        """Return when the sample of this index was taken, in seconds on the clock of the stamps."""
        place = index / self.sample_rate
        return self._find_origin(np.abs(self._ends - place)) + place

    def _find_origin(self, distances: np.ndarray) -> float:
        """Return when the first sample would have been taken, by the windows at these distances in seconds."""
        near = distances <= max(_STAMP_SPAN_SECONDS, float(distances.min()))
        return float((self._stamps - self._ends)[near].min())

    def cut(self, start: float, end: float) -> np.ndarray:
        """Return the samples float32 `[n]` from `start` to `end` (seconds), as far as they were heard."""
        return self.samples[self.find_index(start) : self.find_index(end)]


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """How long a click takes from its time to its arrival.

    `latencies`: seconds, of the clicks that agree, in their order. `sent`: how many were played; `lost` were not heard,
    and the rest came at other times. `is_clipped`: the input was overdriven.
    """

    latencies: tuple[float, ...]
    sent: int
    lost: int
    is_clipped: bool

    @property
    def seconds(self) -> float:
        """The median."""
        return float(np.median(self.latencies))

    @property
    def spread(self) -> float:
        """From the earliest to the latest click that agrees, in seconds."""
        return max(self.latencies) - min(self.latencies)


def measure_round_trip(sound: HeardSound, click_times: Sequence[float], *, source: str, output: str) -> RoundTrip:
    """Find each click in what was heard.

    `click_times` are seconds on the clock of the sound's stamps. `source` and `output` name the audio input and the
    MIDI output in errors.

    Raises:
        AudioError: Nothing was heard, the room is too loud, the clicks do not die away, or they do not agree.
    """
    onsets = [_find_onset(sound, seconds) for seconds in click_times]
    heard = [onset for onset in onsets if onset is not None]
    middle = float(np.median(heard)) if heard else 0.0
    agreeing = tuple(onset for onset in heard if abs(onset - middle) <= TOLERANCE_SECONDS)
    if len(heard) < LEAST_SHARE * len(onsets):
        raise AudioError(_explain_silence(sound, click_times, len(heard), source, output))
    if len(agreeing) < LEAST_SHARE * len(onsets):
        raise AudioError(
            f"the clicks came back at different times, {min(heard) * 1e3:.0f} to {max(heard) * 1e3:.0f} ms after they "
            f"were due: {source!r} hears something else, or the synth does not play a click; make the room quiet, "
            "choose a short sound with --note, and try again"
        )
    peak = float(np.max(np.abs(sound.samples), initial=0.0))
    return RoundTrip(agreeing, len(onsets), len(onsets) - len(heard), peak >= _CLIPPED_PEAK)


def _find_onset(sound: HeardSound, seconds: float) -> float | None:
    """Return how long after `seconds` a click begins; None if none stands out of the room."""
    before, after = sound.cut(seconds - ROOM_SECONDS, seconds), sound.cut(seconds, seconds + LONGEST_SECONDS)
    # Steps between samples instead of levels: an offset has none, and a hum of 50 Hz hardly any.
    room, edges = np.max(np.abs(np.diff(before)), initial=0.0), np.abs(np.diff(after))
    steepest = np.max(edges, initial=0.0)
    if len(before) == 0 or steepest < max(_OVER_ROOM * room, _SILENT_PEAK):
        return None
    onset = int(np.argmax(edges >= max(_ONSET_SHARE * steepest, 0.5 * _OVER_ROOM * room)))
    return sound.find_time(sound.find_index(seconds) + onset) - seconds


def _explain_silence(sound: HeardSound, click_times: Sequence[float], heard: int, source: str, output: str) -> str:
    """Say why too few clicks stand out, and what to do."""
    first = click_times[0]
    room = sound.cut(first - ROOM_SECONDS, first)
    room_dbfs = rms_dbfs(room)
    # The quietest, as a sound from elsewhere may fall into some of the pauses.
    between_dbfs = min(rms_dbfs(sound.cut(seconds - ROOM_SECONDS, seconds)) for seconds in click_times[1:])
    if float(np.max(np.abs(sound.samples), initial=0.0)) < _SILENT_PEAK:
        return (
            f"nothing was heard: {source!r} stays silent while clicks play into {output!r}; connect the synth's sound "
            "to that input, check its level, or name other ones with --audio-in and --midi-out"
        )
    if room_dbfs > _LOUD_ROOM_DBFS:
        return (
            f"the room is too loud to hear the clicks ({room_dbfs:.0f} dBFS in {source!r}); make it quieter, or turn "
            "the synth up"
        )
    if between_dbfs > max(room_dbfs + _RINGING_DB, _FAINT_DBFS):
        return (
            f"the clicks do not die away in {source!r} ({between_dbfs:.0f} dBFS between them, {room_dbfs:.0f} before): "
            "it goes round from the output into the input, or sounds too long; turn monitoring off, or choose a short "
            "sound with --note"
        )
    return (
        f"{heard} of {len(click_times)} clicks stand out in {source!r} (the room is at {room_dbfs:.0f} dBFS); turn the "
        f"synth up, and check that it plays what comes into {output!r}, and nothing else"
    )
