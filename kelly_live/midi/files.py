"""Standard MIDI files of what a scheduler sent, and the notes that a receiver plays of it.

The notes are for a synthesiser or a plot.
"""

from __future__ import annotations

import io
import itertools
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import mido

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.commands import Signature
from kelly_live.core.midi_messages import (
    BRIGHTNESS,
    CONTROLLERS,
    EXPRESSION,
    SETTING_UP,
    TICKS_PER_BEAT,
    get_channel,
    get_kind,
    program_change,
    tuned_program,
)
from kelly_live.core.timebase import TempoMap
from kelly_live.core.values import DRUM_CHANNEL, ControllerPoint, NoteEvent, SoundingNote
from kelly_live.midi.ports import RecordedMessage
from kelly_live.midi.receiver_state import ReceiverState

# From seven flats to seven sharps, as mido spells them.
_MAJOR_KEYS = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"]
_MINOR_KEYS = ["Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m", "A#m"]
_SENT_WITHIN_SECONDS = 0.05  # of when it was due; offline it is sent at exactly that time
_SLOWEST_MICROSECONDS = 0xFFFFFF  # a tempo is 3 bytes: under 3.58 BPM cannot be written


def write_midi(
    path: Path,
    messages: Sequence[RecordedMessage],
    tempo_map: TempoMap,
    *,
    track_names: Mapping[int, str] | None = None,
    programs: Mapping[int, int] | None = None,
    title: str = "Kelly Live",
    owners: Mapping[int, int] | None = None,
    signatures: Sequence[Signature] = (),
) -> None:
    """Write a standard MIDI file of type 1: a tempo track, then a track a channel.

    Channels and keys that were tuned are so in the file. What sets a channel up before its first note stands at the
    start, and what brings it back (bends, parameters, controllers) at the end, where the last message is: a file leaves
    a synth as it found it. Every track ends there. Clock and what silences are left out. Controllers stand at their
    time.

    Args:
        path: The file.
        messages: What was sent, in order.
        tempo_map: The tempo curve that it was played along.
        track_names: Names of the tracks, by channel (1-16).
        programs: General MIDI programs (0-127) of the tracks, by channel.
        title: The tempo track's name.
        owners: Whose notes a borrowed channel holds (`find_owners`); without it, programs have to tell.
        signatures: Metre and key, in the order of their beats; 4/4 if there is none.

    Raises:
        OutputError: The file cannot be written.
    """
    data = encode_midi(
        messages,
        tempo_map,
        track_names=track_names,
        programs=programs,
        title=title,
        owners=owners,
        signatures=signatures,
    )
    write_atomically(path, data)


def encode_midi(
    messages: Sequence[RecordedMessage],
    tempo_map: TempoMap,
    *,
    track_names: Mapping[int, str] | None = None,
    programs: Mapping[int, int] | None = None,
    title: str = "Kelly Live",
    owners: Mapping[int, int] | None = None,
    signatures: Sequence[Signature] = (),
) -> bytes:
    """Return what `write_midi` writes; the same input gives the same bytes."""
    names, programs = track_names or {}, programs or {}
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, charset="utf-8")
    end = max((_tick(tempo_map, message.seconds) for message in messages), default=0)
    file.tracks.append(_tempo_track(tempo_map, title, signatures, end))
    by_channel: dict[int, list[RecordedMessage]] = {}
    part_channels: dict[int, dict[int, None]] = {}  # the parts' channels whose notes a channel holds, in their order
    for number, message in enumerate(messages):
        if (channel := _track_of(message.data)) is not None:
            by_channel.setdefault(channel, []).append(message)
            if owners is not None and number in owners:
                part_channels.setdefault(channel, {})[owners[number]] = None
    by_program = _list_channels_by_program(programs)
    for channel, music in sorted(by_channel.items()):
        program, score = _score(music, tempo_map, programs.get(channel))
        whose = [channel]
        if owners is not None:
            whose = list(part_channels.get(channel, whose))
        elif program is not None and program != programs.get(channel):  # lent by a tuning to a part that plays this
            whose = by_program.get(program, whose)
        or_and = " or " if owners is None else ", "  # one of them, unknown which; each of them
        name = or_and.join(names.get(part, f"Channel {part}") for part in whose)
        if whose != [channel]:
            name += f" (channel {channel})"
        events = [(0, program_change(channel, programs[channel]))] if channel in programs else []
        file.tracks.append(
            _track(
                [
                    (0, mido.MetaMessage("track_name", name=name)),
                    *((tick, mido.Message.from_bytes(data)) for tick, data in events + score),
                ],
                end,
            )
        )
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def find_owners(messages: Sequence[RecordedMessage], notes: Sequence[NoteEvent], tempo_map: TempoMap) -> dict[int, int]:
    """Return the channel that each note was composed for, by its note-on's place in `messages`.

    A note that a tuning sends on another channel is found by when it was due, its key and its velocity.
    """
    note_times: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for note in notes:
        note_times.setdefault((note.pitch, note.velocity), []).append(
            (tempo_map.seconds_at(note.onset_beats), note.channel)
        )
    owners: dict[int, int] = {}
    for number, message in enumerate(messages):
        if get_kind(message.data) != "note_on":
            continue
        candidates = note_times.get((message.data[1], message.data[2]), [])
        nearest = min(candidates, key=lambda one: abs(one[0] - message.seconds), default=None)
        if nearest is not None and abs(nearest[0] - message.seconds) < _SENT_WITHIN_SECONDS:
            candidates.remove(nearest)
            owners[number] = nearest[1]
    return owners


def find_sounding_notes(
    messages: Sequence[RecordedMessage],
    programs: Mapping[int, int] | None = None,
    owners: Mapping[int, int] | None = None,
) -> list[SoundingNote]:
    """Return the notes as a receiver plays them, by start time.

    A note that nothing ended ends with the last message. A note on a channel that a tuning lent to a part is given on
    the part's own, if `owners` tell or, without them, the parts' `programs` (of two parts with one program, the first).
    """
    parts = (
        {}
        if owners is not None
        else {p: channels[0] for p, channels in _list_channels_by_program(programs or {}).items()}
    )
    borrowers: dict[int, int] = {}
    notes: list[SoundingNote] = []
    receiver = ReceiverState()
    # (channel, key) -> (start, velocity, pitch, the part's channel)
    open_notes: dict[tuple[int, int], tuple[float, int, float, int]] = {}

    curves: dict[int, list[ControllerPoint]] = {}  # by channel

    def end(key: tuple[int, int], seconds: float) -> None:
        start_seconds, velocity, sounding_pitch, part = open_notes.pop(key)
        curve = tuple(_read_curve(curves.get(key[0], ()), start_seconds, seconds))
        pitch = key[1] if abs(sounding_pitch - key[1]) < 1.01 else min(127, max(0, round(sounding_pitch)))
        cents = round(100.0 * (sounding_pitch - pitch), 3)
        notes.append(SoundingNote(start_seconds, seconds, pitch, velocity, part, cents, curve))

    for number, message in enumerate(messages):
        receiver.take(message.data)
        kind = get_kind(message.data)
        if kind == "control_change" and message.data[1] in CONTROLLERS.values():
            for key in [key for key in open_notes if key[0] == get_channel(message.data)]:
                end(key, message.seconds)
        elif kind == "control_change" and message.data[1] in (EXPRESSION, BRIGHTNESS):
            curve = curves.setdefault(get_channel(message.data), [])
            level, brightness = curve[-1][1:] if curve else (127, 64)
            value = message.data[2]
            if message.data[1] == EXPRESSION:
                curve.append(ControllerPoint(message.seconds, value, brightness))
            else:
                curve.append(ControllerPoint(message.seconds, level, value))
        elif kind == "program_change" and message.data[1] in parts:
            borrowers[get_channel(message.data)] = parts[message.data[1]]
        elif kind in ("note_on", "note_off"):
            key = (get_channel(message.data), message.data[1])
            if key in open_notes:
                end(key, message.seconds)
            if kind == "note_on":
                part = borrowers.get(key[0], key[0]) if owners is None else owners.get(number, key[0])
                open_notes[key] = (message.seconds, message.data[2], receiver.pitch(*key), part)
    for key in list(open_notes):
        end(key, messages[-1].seconds)
    return sorted(notes, key=lambda note: (note.start_seconds, note.channel, note.pitch))


def _read_curve(curve: Sequence[ControllerPoint], start: float, end: float) -> Iterator[ControllerPoint]:
    """Yield what is in force at `start`, and the points after it up to `end`."""
    first = bisect_right(curve, start, key=lambda point: point.seconds)
    if first > 0:
        yield curve[first - 1]._replace(seconds=start)
    yield from itertools.takewhile(lambda point: point.seconds <= end, curve[first:])


def _track_of(data: bytes) -> int | None:
    """Return the channel whose track a message belongs to, None if it is not music.

    A key's tuning goes with the channel that selected its program, so that it stays before its note.
    """
    if (program := tuned_program(data)) is not None:
        return program + 1
    kind = get_kind(data)
    silencing = kind == "control_change" and data[1] in CONTROLLERS.values()
    return get_channel(data) if kind and not silencing else None


def _list_channels_by_program(programs: Mapping[int, int]) -> dict[int, list[int]]:
    """Return the channels that play each program, without the drums'."""
    channels_by_program: dict[int, list[int]] = {}
    for channel, program in sorted(programs.items()):
        if channel != DRUM_CHANNEL:
            channels_by_program.setdefault(program, []).append(channel)
    return channels_by_program


def _score(
    music: Sequence[RecordedMessage], tempo_map: TempoMap, program: int | None
) -> tuple[int | None, list[tuple[int, bytes]]]:
    """Return the program that a channel comes to play, and its messages in ticks.

    It begins with `program`. What sets it up before its first note goes to the start: a synth may need time to load a
    sound.
    """
    notes = [i for i, message in enumerate(music) if get_kind(message.data) in ("note_on", "note_off")]
    first = notes[0] if notes else len(music)
    score = []
    for i, message in enumerate(music):
        kind = get_kind(message.data)
        moves = kind == "control_change" and message.data[1] not in SETTING_UP
        if kind == "program_change":
            if message.data[1] == program:
                continue
            program = message.data[1]
        score.append((0 if i < first and not moves else _tick(tempo_map, message.seconds), message.data))
    return program, score


def _tick(tempo_map: TempoMap, seconds: float) -> int:
    return max(0, round(tempo_map.beat_at(seconds) * TICKS_PER_BEAT))


def _tempo_track(tempo_map: TempoMap, title: str, signatures: Sequence[Signature], end: int) -> mido.MidiTrack:
    events: list[tuple[int, mido.MetaMessage]] = [(0, mido.MetaMessage("track_name", name=title))]
    events += _signature_events(signatures)
    for point in tempo_map.points():
        microseconds = min(_SLOWEST_MICROSECONDS, round(60e6 / point.bpm))
        tick = max(0, round(point.beat * TICKS_PER_BEAT))
        events.append((tick, mido.MetaMessage("set_tempo", tempo=microseconds)))
    return _track(sorted(events, key=lambda event: event[0]), end)


def _signature_events(signatures: Sequence[Signature]) -> list[tuple[int, mido.MetaMessage]]:
    """Return each signature where it changes; the first at the start, 4/4 where there is none."""
    events: list[tuple[int, mido.MetaMessage]] = []
    time, key = (0, 0), ""
    for one in signatures:
        tick = max(0, round(one.beat * TICKS_PER_BEAT)) if events else 0
        if (one.numerator, one.denominator) != time:
            time = (one.numerator, one.denominator)
            numerator, denominator = time
            events.append((tick, mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)))
        name = (_MINOR_KEYS if one.is_minor else _MAJOR_KEYS)[one.sharps + 7]
        if name != key:
            key = name
            events.append((tick, mido.MetaMessage("key_signature", key=key)))
    return events or [(0, mido.MetaMessage("time_signature", numerator=4, denominator=4))]


def _track(events: Sequence[tuple[int, mido.Message | mido.MetaMessage]], end: int) -> mido.MidiTrack:
    """Create a track of events, whose ticks count from the start, in the order they were sent.

    It ends at tick `end`, or with its last event if that is later.
    """
    track = mido.MidiTrack()
    now = 0
    for tick, message in events:
        track.append(message.copy(time=max(0, tick - now)))
        now = max(now, tick)
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - now)))
    return track
