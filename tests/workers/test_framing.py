"""Messages come back as they were sent, however the bytes are cut; garbage raises one clear error."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.errors import WorkerError
from kelly_live.core.values import ControlChange
from kelly_live.workers.framing import VERSION, FrameDecoder, decode_payload, encode_frame, encode_payload


class SetLevel(msgspec.Struct, frozen=True, tag=True, array_like=True):
    level: float
    label: str | None = None


class SendControls(msgspec.Struct, frozen=True, tag=True, array_like=True):
    changes: tuple[ControlChange, ...]


class Samples(msgspec.Struct, frozen=True, tag=True, array_like=True, eq=False):
    values: np.ndarray


MESSAGES = SetLevel | SendControls
controls = st.builds(ControlChange, st.integers(1, 16), st.integers(0, 119), st.integers(0, 127))
messages = st.one_of(
    st.builds(SetLevel, st.floats(allow_nan=False), st.none() | st.text(st.characters(exclude_categories=["Cs"]))),
    st.builds(SendControls, st.lists(controls, max_size=20).map(tuple)),
)


def decoder(**options: Any) -> FrameDecoder[Any]:
    return FrameDecoder(MESSAGES, sender="the test", **options)


def frame(payload: bytes, version: int = VERSION) -> bytes:
    return struct.pack("<2sBI", b"KL", version, len(payload)) + payload


@given(st.lists(messages, max_size=10), st.data())
def test_messages_survive_the_pipe_however_it_cuts_them(values: list[Any], data: st.DataObject) -> None:
    stream = b"".join(map(encode_frame, values))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    reader = decoder()
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [message for piece in pieces for message in reader.feed(piece)] == values


@given(st.binary(min_size=8, max_size=300))
def test_garbage_is_refused_or_waited_on_but_never_obeyed(garbage: bytes) -> None:
    try:
        received = decoder().feed(garbage)
    except WorkerError:
        return
    assert received == [] or garbage.startswith(b"KL")


@given(messages, st.data())
def test_a_flipped_byte_raises_nothing_but_a_worker_error(message: Any, data: st.DataObject) -> None:
    damaged_frame = bytearray(encode_frame(message))
    damaged_frame[data.draw(st.integers(0, len(damaged_frame) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(WorkerError):  # anything else fails the test
        decoder().feed(bytes(damaged_frame))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"Traceback (most recent call last)", "the test sent something else than messages"),
        (frame(encode_payload(SetLevel(0.5)), version=VERSION + 1), f"speaks version {VERSION + 1}, not {VERSION}"),
        (struct.pack("<2sBI", b"KL", VERSION, 2**31), "something else"),  # a length that would fill the memory
        (frame(b""), "damaged"),
        (frame(encode_payload(["SetPanic"])), "damaged message .*'SetPanic'"),
        (frame(encode_payload(["SetLevel", "loud"])), "Expected `float`, got `str`"),
        (frame(encode_payload(["SetLevel", 0.5]) + b"x"), "damaged"),
        (frame(encode_payload(["SetLevel", 0.5, b"\xff"])), "damaged"),
        (
            frame(encode_payload(["SendControls", [{"channel": 1, "controller": 120, "value": 0}]])),
            "controller is 120; it must be in 0..119",
        ),
        (frame(b"\x91" * 100_000), "damaged"),  # lists in lists in lists
    ],
)
def test_what_is_no_message_is_named(data: bytes, complaint: str) -> None:
    with pytest.raises(WorkerError, match=complaint) as caught:
        decoder().feed(data)
    assert "\n" not in str(caught.value)


def test_a_message_over_the_bound_is_refused_at_both_ends() -> None:
    long = SetLevel(0.5, "x" * 100)
    with pytest.raises(WorkerError, match=r"a SetLevel of \d+ bytes is too long; a message has at most 50 bytes"):
        encode_frame(long, max_bytes=50)
    with pytest.raises(WorkerError, match="something else"):
        decoder(max_bytes=50).feed(encode_frame(long))


def test_what_has_no_schema_is_refused_before_it_is_sent() -> None:
    with pytest.raises(WorkerError, match="a list cannot be sent to another process"):
        encode_frame([object()])
    with pytest.raises(WorkerError, match="damaged"):
        decode_payload(encode_payload([1, 2]), complex)


@given(st.lists(st.floats(-1.0, 1.0, width=32), max_size=50))
def test_arrays_travel_as_float32_and_can_be_written_to(values: list[float]) -> None:
    array = np.array(values)
    (received,) = FrameDecoder[Samples](Samples).feed(encode_frame(Samples(array)))
    assert received.values.dtype == np.float32
    assert received.values.tolist() == values
    received.values[:] = 0.0


def test_an_array_keeps_its_shape_and_one_that_lacks_samples_is_refused() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    np.testing.assert_array_equal(decode_payload(encode_payload(array), np.ndarray), array)
    with pytest.raises(WorkerError, match="damaged"):
        decode_payload(encode_payload([[2, 3], bytes(20)]), np.ndarray)
