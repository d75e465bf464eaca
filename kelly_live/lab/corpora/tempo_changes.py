"""Songs of POP909 whose tempo changes: the notes are moved in time, and with them the annotated beats."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.engine.audio_input import read_note_file
from kelly_live.lab.corpora.pop909 import read_beats
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS, render_midi

FIRST_BEAT = 16  # of the song; some begin with an upbeat or a free introduction
STEADY_BEATS, CHANGE_BEATS, LAST_BEATS = 24, 16, 24
CHANGES = {"ramp up": 1.4, "ramp down": 0.6, "step up": 1.2, "step down": 0.8}  # the last tempo over the first
_TICKS_PER_BEAT = 960  # of a file whose beats are half a second: finer than a millisecond
_TAIL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ChangedSong:
    """A song whose tempo changes between beats STEADY_BEATS and STEADY_BEATS + CHANGE_BEATS.

    A step changes at once. `beats` in seconds; `notes` are the messages, `sound` their rendering.
    """

    name: str
    change: str
    beats: tuple[float, ...]
    notes: tuple[ReceivedMessage, ...]
    sound: Path


def read_changed_songs(songs: Sequence[Path], cache: Path, *, held_out: bool) -> list[ChangedSong]:
    """Make each change of songs of POP909, and render it into `cache`.

    Soundfonts alternate; one of those for held-out songs is never trained on. Raises ConfigError, KellyError.
    """
    soundfonts = (HELD_OUT_SOUNDFONT, SOUNDFONTS[0]) if held_out else SOUNDFONTS
    changed = []
    for number, song in enumerate(songs):
        beats = np.array(read_beats(song))
        if len(beats) <= FIRST_BEAT + STEADY_BEATS + CHANGE_BEATS + LAST_BEATS:
            continue
        messages = read_note_file(song / f"{song.name}.mid")
        for change, factor in CHANGES.items():
            target = cache / "tempo_changes" / song.name / f"{change.replace(' ', '_')}.mid"
            moved_beats, notes = change_tempo(beats, messages, factor, is_step=change.startswith("step"))
            if not target.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                _write_midi(notes, target)
            sound = render_midi(
                target, cache, soundfonts[number % len(soundfonts)], seconds=float(moved_beats[-1]) + _TAIL_SECONDS
            )
            changed.append(ChangedSong(song.name, change, tuple(moved_beats.tolist()), tuple(notes), sound))
    return changed


def change_tempo(
    beats: Floats, messages: Sequence[ReceivedMessage], factor: float, *, is_step: bool
) -> tuple[Floats, list[ReceivedMessage]]:
    """Cut a song from FIRST_BEAT on and move it in time; return its beats and messages, in seconds from 0.

    After STEADY_BEATS the tempo goes to `factor` of its own, by the same share each beat over CHANGE_BEATS, or at once.
    """
    count = STEADY_BEATS + CHANGE_BEATS + LAST_BEATS
    part = beats[FIRST_BEAT : FIRST_BEAT + count + 1]
    middles = np.arange(count) + 0.5 - STEADY_BEATS
    progress = (middles > 0.0).astype(float) if is_step else np.clip(middles / CHANGE_BEATS, 0.0, 1.0)
    moved = np.concatenate([[0.0], np.cumsum(np.diff(part) / factor**progress)])
    notes, state = list[ReceivedMessage](), dict[tuple[int, int], ReceivedMessage]()
    sounding = set[tuple[int, int]]()
    for message in messages:
        kind, data = message.data[0] & 0xF0, message.data
        if kind in (0xB0, 0xC0) and message.seconds < part[0]:  # programs and controllers that are in force
            state[data[0], data[1] if kind == 0xB0 else 0] = replace(message, seconds=0.0)
        elif part[0] <= message.seconds < part[-1]:
            key = (data[0] & 0x0F, data[1])
            is_on = kind == 0x90 and data[2] > 0
            if kind in (0x80, 0x90) and not is_on and key not in sounding:
                continue
            sounding = sounding | {key} if is_on else sounding - {key}
            notes.append(replace(message, seconds=float(np.interp(message.seconds, part, moved))))
    return moved, [*state.values(), *notes]


def _write_midi(messages: Sequence[ReceivedMessage], target: Path) -> None:
    import mido

    track = mido.MidiTrack()
    ticks = [round(message.seconds * 2 * _TICKS_PER_BEAT) for message in messages]
    for message, (before, now) in zip(messages, itertools.pairwise([0, *ticks]), strict=True):
        track.append(mido.Message.from_bytes(message.data, time=now - before))
    file = mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_BEAT)
    file.tracks.append(track)
    file.save(target)
