"""Standard MIDI files from what a scheduler sent, and the notes that were heard, for a synthesiser or a plot."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import mido

from kelly_live.atomic import write_atomically
from kelly_live.domain import SoundingNote
from kelly_live.midi.hearing import Hearing
from kelly_live.midi.messages import CONTROLLERS, SETTING_UP, channel_of, kind_of, program_change, tuned_program
from kelly_live.midi.ports import RecordedMessage
from kelly_live.timebase import TempoMap

TICKS_PER_BEAT = 480
_DRUM_CHANNEL = 10
_SLOWEST_MICROSECONDS = 0xFFFFFF  # a tempo is 3 bytes: under 3.58 BPM cannot be written


def write_midi(
    path: Path,
    messages: Sequence[RecordedMessage],
    tempo_map: TempoMap,
    *,
    track_names: Mapping[int, str] | None = None,
    programs: Mapping[int, int] | None = None,
    title: str = "Kelly Live",
) -> None:
    """Write a type 1 file: a tempo track, then a track a channel (1-16), named and given a program (0-127) by the two
    mappings. Channels and keys that were tuned are so in the file; what a channel is told before its first note stands
    at its start. Clock, and what comes after a channel's last note, are left out; controllers stand at their time.
    Raises OutputError."""
    write_atomically(path, midi_bytes(messages, tempo_map, track_names=track_names, programs=programs, title=title))


def midi_bytes(
    messages: Sequence[RecordedMessage],
    tempo_map: TempoMap,
    *,
    track_names: Mapping[int, str] | None = None,
    programs: Mapping[int, int] | None = None,
    title: str = "Kelly Live",
) -> bytes:
    """What write_midi writes; the same input gives the same bytes."""
    names, programs = track_names or {}, programs or {}
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, charset="utf-8")
    file.tracks.append(_tempo_track(tempo_map, title))
    by_channel: dict[int, list[RecordedMessage]] = {}
    for message in messages:
        if (channel := _track_of(message.data)) is not None:
            by_channel.setdefault(channel, []).append(message)
    parts = _channel_by_program(programs)
    for channel, music in sorted(by_channel.items()):
        program, score = _score(music, tempo_map, programs.get(channel))
        name = names.get(channel, f"Channel {channel}")
        if program is not None and program != programs.get(channel) and program in parts:  # lent to a part by a tuning
            name = f"{names.get(parts[program], f'Channel {parts[program]}')} (channel {channel})"
        events = [(0, program_change(channel, programs[channel]))] if channel in programs else []
        file.tracks.append(
            _track(
                [
                    (0, mido.MetaMessage("track_name", name=name)),
                    *((tick, mido.Message.from_bytes(data)) for tick, data in events + score),
                ]
            )
        )
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def notes_from_messages(
    messages: Sequence[RecordedMessage], programs: Mapping[int, int] | None = None
) -> list[SoundingNote]:
    """The notes that were heard, by start time. A note that nothing ended ends with the last message. With the parts'
    `programs`, a note on a channel that a tuning lent to a part is given on the part's own."""
    parts = _channel_by_program(programs or {})
    lent: dict[int, int] = {}
    notes: list[SoundingNote] = []
    hearing = Hearing()
    sounding: dict[tuple[int, int], tuple[float, int, float]] = {}  # (channel, key) -> (start, velocity, pitch)

    def end(key: tuple[int, int], seconds: float) -> None:
        start_seconds, velocity, heard = sounding.pop(key)
        pitch = key[1] if abs(heard - key[1]) < 1.01 else min(127, max(0, round(heard)))
        cents = round(100.0 * (heard - pitch), 3)
        notes.append(SoundingNote(start_seconds, seconds, pitch, velocity, lent.get(key[0], key[0]), cents))

    for message in messages:
        hearing.take(message.data)
        kind = kind_of(message.data)
        if kind == "control_change" and message.data[1] in CONTROLLERS.values():
            for key in [key for key in sounding if key[0] == channel_of(message.data)]:
                end(key, message.seconds)
        elif kind == "program_change" and message.data[1] in parts:
            lent[channel_of(message.data)] = parts[message.data[1]]
        elif kind in ("note_on", "note_off"):
            key = (channel_of(message.data), message.data[1])
            if key in sounding:
                end(key, message.seconds)
            if kind == "note_on":
                sounding[key] = (message.seconds, message.data[2], hearing.pitch(*key))
    for key in list(sounding):
        end(key, messages[-1].seconds)
    return sorted(notes, key=lambda note: (note.start_seconds, note.channel, note.pitch))


def _track_of(data: bytes) -> int | None:
    """The channel whose track a message belongs to, None if it is not music. A key's tuning goes with the channel that
    selected its program, so that it stays before its note."""
    if (program := tuned_program(data)) is not None:
        return program + 1
    kind = kind_of(data)
    silencing = kind == "control_change" and data[1] in CONTROLLERS.values()
    return channel_of(data) if kind and not silencing else None


def _channel_by_program(programs: Mapping[int, int]) -> dict[int, int]:
    """Whose program it is: the first channel's that plays it."""
    return {program: channel for channel, program in sorted(programs.items(), reverse=True) if channel != _DRUM_CHANNEL}


def _score(
    music: Sequence[RecordedMessage], tempo_map: TempoMap, program: int | None
) -> tuple[int | None, list[tuple[int, bytes]]]:
    """A channel's messages in ticks up to its last note, and the program it comes to play, having begun with
    `program`. What sets it up before its first note goes to the start: a synth may need time to load a sound."""
    notes = [i for i, message in enumerate(music) if kind_of(message.data) in ("note_on", "note_off")]
    first, end = (notes[0], notes[-1] + 1) if notes else (len(music), len(music))
    score = []
    for i, message in enumerate(music):
        kind = kind_of(message.data)
        moves = kind == "control_change" and message.data[1] not in SETTING_UP
        if i >= end and not moves:
            continue
        if kind == "program_change":
            if message.data[1] == program:
                continue
            program = message.data[1]
        beat = 0.0 if i < first and not moves else tempo_map.beat_at(message.seconds)
        score.append((max(0, round(beat * TICKS_PER_BEAT)), message.data))
    return program, score


def _tempo_track(tempo_map: TempoMap, title: str) -> mido.MidiTrack:
    events: list[tuple[int, mido.MetaMessage]] = [
        (0, mido.MetaMessage("track_name", name=title)),
        (0, mido.MetaMessage("time_signature", numerator=4, denominator=4)),
    ]
    for point in tempo_map.points():
        microseconds = min(_SLOWEST_MICROSECONDS, round(60e6 / point.bpm))
        tick = max(0, round(point.beat * TICKS_PER_BEAT))
        events.append((tick, mido.MetaMessage("set_tempo", tempo=microseconds)))
    return _track(events)


def _track(events: Sequence[tuple[int, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    """Ticks from the start to ticks from the event before; `events` come in the order they were sent."""
    track = mido.MidiTrack()
    now = 0
    for tick, message in events:
        track.append(message.copy(time=max(0, tick - now)))
        now = max(now, tick)
    return track
