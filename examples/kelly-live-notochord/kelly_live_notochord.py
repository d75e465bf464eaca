"""Notochord as a player of kelly-live: a line by a neural network of MIDI performances, in the band's harmony.

Notochord (by Victor Shepardson, Intelligent Instruments Lab, MIT) predicts the next event of a performance. Here it is
asked for one line: which of the tones that fit comes next, when, and how loud. Its times are moved to the band's grid.

Its weights are not in its package. KELLY_LIVE_NOTOCHORD names the file; without it, the one that notochord itself
downloads is taken. This file needs notochord alone: kelly-live runs it in notochord's own environment, and gives it
plain values.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from notochord import Notochord

WEIGHTS = "KELLY_LIVE_NOTOCHORD"
DOWNLOADED = "notochord-latest.ckpt"  # in the folder that Notochord.user_data_dir() names
REMEMBERED_NOTES = 8  # that each bar is made after; each costs two steps of the network
MOST_NOTES = 8  # in a bar
LONGEST_BEATS = 2.0
RELEASE = 0.9  # of the time to the next note, a note sounds
CHANNEL, PROGRAM = 9, 73  # flute
SOFTEST, LOUDEST = 30.0, 110.0  # what the network may choose, before the feeling's dynamics


class NotochordPlayer:
    """A line that goes on from the notes that it played last; those are its state."""

    descriptor: Mapping[str, Any] = {
        "name": "notochord",
        "part": "notochord",
        "channel": CHANNEL,
        "program": PROGRAM,
        "help": "a line by the neural network Notochord; its weights are a file of your own",
        "parameters": [
            {
                "name": "octave", "default": 0, "low": -3, "high": 1, "unit": "octaves",
                "help": "its middle from the tune's",
            },
            {
                "name": "share", "default": 0.7, "low": 0.1, "high": 2.0,
                "help": "how many notes it has for each one of the tune",
            },
            {"name": "freedom", "default": 0.7, "low": 0.0, "high": 1.0, "help": "how unlikely its notes may be"},
        ],
    }  # fmt: skip

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._model = Notochord.from_checkpoint(find_weights())
        self._octave, self._share, self._freedom = 0, 0.7, 0.7
        self.reset()

    def configure(self, values: Mapping[str, Any]) -> None:
        self._octave, self._share, self._freedom = values["octave"], values["share"], values["freedom"]

    def reset(self) -> None:
        self._played: list[dict[str, Any]] = []  # the latest notes, sorted
        self._planned: tuple[Any, list[dict[str, Any]]] | None = None  # a bar, and what it was made for

    def save_state(self) -> Any:
        return self._played

    def load_state(self, state: Any) -> None:
        self.reset()
        self._played = list(state)

    def generate(self, parameters: Any, context: Any, start_beat: float, end_beat: float) -> Sequence[dict[str, Any]]:
        notes: list[dict[str, Any]] = []
        for bar in range(context.bar_at(start_beat), context.bar_at(end_beat - 1e-9) + 1):
            notes += self._find_bar(parameters, context, bar)
        return [note for note in notes if start_beat <= note["onset_beats"] < end_beat]

    def _find_bar(self, parameters: Any, context: Any, bar: int) -> list[dict[str, Any]]:
        """Return the notes of a bar, made once for the same parameters and harmony."""
        made_for = (bar, repr(parameters), repr(context), self._octave, self._share, self._freedom)
        if self._planned is None or self._planned[0] != made_for:
            before = [note for note in self._played if note["onset_beats"] < bar * context.beats_per_bar]
            notes = self._make_bar(parameters, context, bar, before)
            self._planned = (made_for, notes)
            self._played = [*before, *notes][-REMEMBERED_NOTES:]
        return self._planned[1]

    def _make_bar(self, parameters: Any, context: Any, bar: int, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
        per_bar, start = context.beats_per_bar, float(bar * context.beats_per_bar)
        count = min(MOST_NOTES, self._share * parameters.density * per_bar)
        if count < 0.5:
            return []
        seconds_per_beat = 60.0 / context.bpm
        grid = 1.0 / (3 if context.rhythm == "triplet" else 4 if count > 1.5 * per_bar else 2)
        between = per_bar / count  # beats from a note to the next
        self._listen(before, start, seconds_per_beat)
        torch.manual_seed(zlib.crc32(f"{context.seed} {context.theme} {bar}".encode()))
        notes: list[dict[str, Any]] = []
        beat = start
        while beat < start + per_bar and len(notes) < MOST_NOTES:
            is_first = not notes
            pitches = [pitch for pitch, _ in self._list_tones(parameters, context, beat)]
            event = self._model.query(
                next_inst=PROGRAM + 1,
                **({"next_pitch": pitches[0]} if len(pitches) == 1 else {"include_pitch": pitches}),
                min_time=0.0 if is_first else 0.5 * between * seconds_per_beat,
                max_time=(0.5 if is_first else 1.5) * between * seconds_per_beat,
                min_vel=SOFTEST,
                max_vel=LOUDEST,
                pitch_temp=None if len(pitches) == 1 else self._freedom,
                rhythm_temp=self._freedom,
            )
            steps = round(event["time"] / seconds_per_beat / grid)
            onset = beat if context.closing else beat + grid * max(0 if is_first else 1, steps)
            if onset >= start + per_bar - 1e-9:
                break
            notes.append(self._build_note(parameters, context, onset, event))
            self._feed(notes[-1], (onset - beat) * seconds_per_beat)
            beat = onset
            if context.closing:
                break
        for note, end in zip(notes, [*(one["onset_beats"] for one in notes[1:]), start + per_bar], strict=True):
            note["duration_beats"] = RELEASE * min(end - note["onset_beats"], LONGEST_BEATS)
        return notes

    def _listen(self, before: list[dict[str, Any]], start: float, seconds_per_beat: float) -> None:
        """Let the network hear the latest notes."""
        self._model.reset()
        beat = before[0]["onset_beats"] if before else start
        for note in before:
            self._feed(note, (note["onset_beats"] - beat) * seconds_per_beat)
            beat = note["onset_beats"]

    def _feed(self, note: Mapping[str, Any], seconds: float) -> None:
        """Feed a note, after the end of those that sound: the line has one voice."""
        for instrument, pitch in list(self._model.held_notes):
            self._model.feed(inst=instrument, pitch=pitch, time=RELEASE * seconds, vel=0.0)
            seconds *= 1.0 - RELEASE
        self._model.feed(inst=PROGRAM + 1, pitch=note["pitch"], time=seconds, vel=float(note["velocity"]))

    def _list_tones(self, parameters: Any, context: Any, beat: float) -> list[tuple[int, float]]:
        """List the tones that may come next: the chord's where it counts, else the scale's, within the register."""
        middle = min(100.0, max(30.0, parameters.register.centre + 12.0 * self._octave))
        counts = context.closing or beat % context.beats_per_bar == 0.0
        tones = context.tones_between(middle - 9.0, middle + 9.0, beat if counts else None)
        return tones or context.tones_between(middle - 9.0, middle + 9.0) or context.tones_between(0.0, 127.0)

    def _build_note(self, parameters: Any, context: Any, onset: float, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the network's note at its place on the grid: there, the chord's tone next to it where that counts."""
        tones = self._list_tones(parameters, context, onset)
        pitch, cents = min(tones, key=lambda tone: abs(tone[0] - event["pitch"]))
        weight = (event["vel"] - SOFTEST) / (LOUDEST - SOFTEST)
        loud = parameters.dynamics.floor + (parameters.dynamics.ceiling - parameters.dynamics.floor) * weight
        velocity = max(1, min(127, round(127.0 * loud)))
        return {"onset_beats": onset, "duration_beats": 1.0, "pitch": pitch, "cents": cents, "velocity": velocity}


def find_weights() -> str:
    """Return the file of the weights; raises FileNotFoundError that says how to get one."""
    named = os.environ.get(WEIGHTS)
    path = Path(named) if named else Path(Notochord.user_data_dir()) / DOWNLOADED
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there; Notochord's package has no weights: download them, and set {WEIGHTS} to the file"
        )
    return str(path)
