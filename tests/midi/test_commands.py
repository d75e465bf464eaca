"""The pipe's language: every message comes back as it was sent, however the bytes are cut; garbage is refused."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.timebase import TempoPoint
from kelly_live.core.values import ControlChange, NoteEvent
from kelly_live.midi.commands import (
    MAX_TEXT_BYTES,
    NOTES_PER_FRAME,
    VERSION,
    Control,
    Decoder,
    Failed,
    Message,
    Pause,
    Play,
    Ready,
    Start,
    Stop,
    encode,
    encode_notes,
)
from kelly_live.midi.tuning import TUNINGS, Tuning

seconds = st.floats(-1e9, 1e9)
bpms = st.floats(1.0, 400.0)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
counts = st.integers(0, 2**63)
notes = st.builds(
    NoteEvent,
    onset_beats=seconds,
    duration_beats=st.floats(1e-6, 1e6),
    pitch=st.integers(0, 127),
    velocity=st.integers(1, 127),
    channel=st.integers(1, 16),
    part=st.just(""),
    cents=st.floats(-100.0, 100.0, width=32),
)
controls = st.builds(ControlChange, st.integers(1, 16), st.integers(0, 119), st.integers(0, 127))
messages = st.one_of(
    st.builds(Start, seconds, bpms, seconds),
    st.builds(Control, st.lists(controls, max_size=20).map(tuple)),
    st.just(Pause()),
    st.builds(TempoPoint, seconds, bpms),
    st.builds(Play, st.lists(notes, max_size=20).map(tuple)),
    st.builds(
        Tuning,
        st.sampled_from(TUNINGS),
        st.sampled_from([None, 2, 48]),
        st.lists(st.tuples(st.integers(1, 16), st.integers(0, 127)), max_size=16).map(tuple),
    ),
    st.just(Stop()),
    st.builds(Ready, texts, st.booleans()),
    st.builds(Failed, texts),
    st.builds(SchedulerHealth, counts, counts, counts, counts, seconds, seconds, seconds, st.none() | texts),
)


@given(st.lists(messages, max_size=10), st.data())
def test_messages_survive_the_pipe_however_it_cuts_them(sent: list[Message], data: st.DataObject) -> None:
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    decoder = Decoder()
    received = [
        message
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for message in decoder.feed(stream[start:end])
    ]
    assert received == sent


@given(st.binary(min_size=8, max_size=300))
def test_garbage_is_refused_or_waited_on_but_never_obeyed(garbage: bytes) -> None:
    try:
        received = Decoder().feed(garbage)
    except MidiError:
        return
    assert received == [] or garbage.startswith(b"KL")


@given(messages, st.data())
def test_a_flipped_byte_raises_nothing_but_midi_errors(message: Message, data: st.DataObject) -> None:
    frame = bytearray(encode(message))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(MidiError):  # anything else fails the test
        Decoder().feed(bytes(frame))


def framed(kind: int, payload: bytes, version: int = VERSION) -> bytes:
    return struct.pack("<2sBBI", b"KL", version, kind, len(payload)) + payload


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (b"Traceback (most recent call last)", "something else"),
        (framed(4, b"", version=1), f"version 1, not {VERSION}"),
        (framed(99, b""), "99 is not a valid"),
        (framed(4, b"x"), "after a stop"),
        (struct.pack("<2sBBI", b"KL", 1, 3, 2**31), "something else"),  # a length that would fill the memory
        (framed(1, struct.pack("<ddd", float("nan"), 120.0, 0.0)), "nan"),
        (framed(1, struct.pack("<ddd", 0.0, 120.0, float("inf"))), "beat inf"),
        (framed(9, bytes([1, 120, 0])), "controller is 120"),
        (framed(10, b"x"), "after a pause"),
        (framed(2, struct.pack("<dd", 0.0, -5.0)), "-5.0 BPM"),
        (framed(3, struct.pack("<dd3BfB", 0.0, 1.0, 200, 64, 1, 0.0, 255)), "pitch is 200"),
        (framed(3, struct.pack("<dd3BfB", 0.0, 1.0, 60, 64, 1, 0.0, 128)), "program is 128"),
        (framed(3, b"short"), "damaged"),
        (framed(8, b""), "damaged"),
        (framed(8, bytes([9, 2])), "tuning number 9"),
        (framed(8, bytes([1, 7])), "bend range is 7"),
        (framed(8, bytes([1, 2, 17, 0])), "channel 17"),
    ],
)
def test_what_does_not_fit_is_named(frame: bytes, complaint: str) -> None:
    with pytest.raises(MidiError, match=complaint):
        Decoder().feed(frame)


def test_many_notes_travel_in_several_frames() -> None:
    many = [NoteEvent(float(i), 1.0, 60, 64, 1, "") for i in range(NOTES_PER_FRAME * 2 + 1)]
    frames = encode_notes(many)
    assert [count for count, _ in frames] == [NOTES_PER_FRAME, NOTES_PER_FRAME, 1]
    decoded = Decoder().feed(b"".join(frame for _, frame in frames))
    assert [note for play in decoded if isinstance(play, Play) for note in play.notes] == many
    with pytest.raises(MidiError, match="at most 256"):
        encode(Play(tuple(many)))


def test_a_report_always_fits_one_atomic_write() -> None:
    health = SchedulerHealth(error="ü" * 5000)
    assert len(encode(health)) < 4096
    (back,) = Decoder().feed(encode(health))
    assert isinstance(back, SchedulerHealth)
    assert back.error == "ü" * (MAX_TEXT_BYTES // 2)
