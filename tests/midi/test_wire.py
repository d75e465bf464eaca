"""The scheduler's pipe: every message comes back as it was sent, however the bytes are cut; garbage is refused."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.commands import Notes, SinkCommand
from kelly_live.core.errors import MidiError
from kelly_live.core.values import NoteEvent
from kelly_live.midi.commands import NOTES_PER_FRAME, VERSION, Decoder, encode, split_notes
from tests.core.test_commands import commands


@given(st.lists(commands, max_size=10), st.data())
def test_messages_survive_the_pipe_however_it_cuts_them(sent: list[SinkCommand], data: st.DataObject) -> None:
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    decoder: Decoder[SinkCommand] = Decoder(SinkCommand)
    received = [
        message
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for message in decoder.feed(stream[start:end])
    ]
    assert received == sent


@given(st.binary(min_size=8, max_size=300))
def test_garbage_is_refused_or_waited_on_but_never_obeyed(garbage: bytes) -> None:
    try:
        received = Decoder(SinkCommand).feed(garbage)
    except MidiError:
        return
    assert received == [] or garbage.startswith(b"KL")


@given(commands, st.data())
def test_a_flipped_byte_raises_nothing_but_midi_errors(message: SinkCommand, data: st.DataObject) -> None:
    frame = bytearray(encode(message))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(MidiError):  # anything else fails the test
        Decoder(SinkCommand).feed(bytes(frame))


def framed(payload: bytes, version: int = VERSION) -> bytes:
    return struct.pack("<2sBI", b"KL", version, len(payload)) + payload


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (b"Traceback (most recent call last)", "something else"),
        (framed(b"", version=1), f"version 1, not {VERSION}"),
        (struct.pack("<2sBI", b"KL", 1, 2**31), "something else"),  # a length that would fill the memory
        (framed(b"short"), "damaged"),
        (framed(b"\x81\xa4type\xa4what"), "damaged"),
    ],
)
def test_what_does_not_fit_is_named(frame: bytes, complaint: str) -> None:
    with pytest.raises(MidiError, match=complaint):
        Decoder(SinkCommand).feed(frame)


def test_many_notes_travel_in_several_frames() -> None:
    many = tuple(NoteEvent(float(i), 1.0, 60, 64, 1, "") for i in range(NOTES_PER_FRAME * 2 + 1))
    parts = split_notes(Notes(many))
    assert [len(part.notes) for part in parts] == [NOTES_PER_FRAME, NOTES_PER_FRAME, 1]
    decoded = Decoder(SinkCommand).feed(b"".join(map(encode, parts)))
    assert [note for command in decoded for note in command.notes] == list(many)
