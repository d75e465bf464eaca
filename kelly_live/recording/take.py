"""A tape as a standard MIDI file: a track a channel, of every port that notes went to."""

from __future__ import annotations

import io

import mido

from kelly_live.core.values import MAIN_PORT
from kelly_live.midi.files import encode_midi
from kelly_live.recording.packed_tape import RecordedMusic


def encode_take(music: RecordedMusic) -> bytes:
    """Return a standard MIDI file of type 1. The same music gives the same bytes.

    The tracks of other ports than the main one say so in their names and by a port message. Raises ConfigError if
    nothing was played.
    """
    main_file = _encode_port(music, MAIN_PORT)
    others = [port for port in music.tape.ports if port != MAIN_PORT]
    if not others:
        return main_file
    file = mido.MidiFile(file=io.BytesIO(main_file), charset="utf-8")
    for number, port in enumerate(others, start=1):
        for track in mido.MidiFile(file=io.BytesIO(_encode_port(music, port)), charset="utf-8").tracks[1:]:
            track[0].name = f"{track[0].name} ({port})"
            track.insert(0, mido.MetaMessage("midi_port", port=min(number, 255)))
            file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _encode_port(music: RecordedMusic, port: str) -> bytes:
    tape = music.tape
    # Of a channel's parts, the first names it.
    port_parts = [part for part in reversed(music.parts) if part.port == port]
    return encode_midi(
        tape.messages(port),
        tape.tempo_map,
        track_names={part.channel: part.name for part in port_parts},
        programs={part.channel: part.program for part in port_parts},
        title=music.title,
        signatures=tape.signatures,
    )
