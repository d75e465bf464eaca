"""OSC both ways, through real sockets on this machine; python-osc is the other end."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from kelly_live.control.osc_address import OscAddress, resolve_address
from kelly_live.control.osc_input import MESSAGES_PER_SECOND, OscInput
from kelly_live.control.osc_output import ADDRESSES, OscOutput, encode_bundle
from kelly_live.control.osc_packet import MAX_PACKET_BYTES, Message, read_packet
from kelly_live.core.control_surface import ControlView
from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.timebase import MonotonicClock
from kelly_live.core.values import EMOTIONS, GEMS, EmotionState

HERE = OscAddress(socket.AF_INET, "127.0.0.1", 0)
SAD = tuple(float(name == "sad") for name in EMOTIONS)


def view(valence: float = -0.5) -> ControlView:
    state = EmotionState(SAD, valence, -0.25, 0.125, 0.75, 1.0)
    return ControlView(state, EmotionOverride(), 92.5, 3, "D", "dorian", "ii7")


def message(address: str, *arguments: object) -> bytes:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    return bytes(builder.build().dgram)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9000", "127.0.0.1:9000"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("[::1]:9000", "[::1]:9000"),
        ("192.168.1.20:65535", "192.168.1.20:65535"),
    ],
)
def test_a_port_alone_is_on_this_machine(text: str, address: str) -> None:
    address_info = resolve_address(text)
    assert str(address_info) == address
    assert address_info.is_loopback == ("192" not in text)


@pytest.mark.parametrize("text", ["", "nine", "host:", ":9000", "9000:", "127.0.0.1:0", "127.0.0.1:65536", "a:b:c"])
def test_what_is_no_address_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="write PORT or HOST:PORT"):
        resolve_address(text)


def test_a_bundle_tells_every_address_that_is_documented() -> None:
    bundle = OscBundle(encode_bundle(replace(view(), word="lonely", gems=tuple((name, 0.25) for name in GEMS))))
    arguments_by_address = {one.address: one.params for one in bundle}
    assert arguments_by_address.keys() == ADDRESSES.keys()
    assert arguments_by_address["/kelly/valence"] == [-0.5]
    assert arguments_by_address["/kelly/emotion"] == ["sad"]
    assert arguments_by_address["/kelly/emotion/sad"] == [1.0]
    assert arguments_by_address["/kelly/bar"] == [3]
    assert arguments_by_address["/kelly/tempo"] == [92.5]
    assert arguments_by_address["/kelly/word"] == ["lonely"]
    assert arguments_by_address["/kelly/gems/tension"] == [0.25]
    plain = {one.address for one in OscBundle(encode_bundle(view()))}
    assert plain == {address for address in ADDRESSES if address != "/kelly/word" and "/gems/" not in address}


def test_every_new_state_is_sent_once_and_nobody_has_to_listen() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10.0)
        out = OscOutput(OscAddress(socket.AF_INET, "127.0.0.1", receiver.getsockname()[1]))
        first, second = view(0.25), view(0.5)
        out.publish(first)
        out.publish(first)
        out.publish(second)
        assert receiver.recv(4096) == encode_bundle(first)
        assert receiver.recv(4096) == encode_bundle(second)  # not the old one again
    for i in range(1, 4):  # the receiver is gone; the system may report it once, by the next send
        out.publish(view(i / 8))
    assert 4 <= out.sent_bundles <= 5
    out.close()
    out.close()


@pytest.fixture
def inlet() -> Iterator[OscInput]:
    inlet = OscInput(HERE, MonotonicClock())
    yield inlet
    inlet.close()


def send(inlet: OscInput, *packets: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in packets:
            sender.sendto(packet, ("127.0.0.1", inlet.address.port))


def receive(inlet: OscInput, count: int) -> list[tuple[str, object]]:
    """As soon as that many came or were refused."""
    actions: list[tuple[str, object]] = []
    deadline = time.monotonic() + 20.0
    while len(actions) + inlet.refused_messages < count and time.monotonic() < deadline:
        actions += inlet.poll()
        time.sleep(0.005)
    return actions


def test_what_a_performer_does_comes_in(inlet: OscInput) -> None:
    bundle = OscBundleBuilder(0)
    for name in ("arousal", "dominance"):
        builder = OscMessageBuilder(f"/kelly/do/{name}")
        builder.add_arg(0.25)
        bundle.add_content(builder.build())
    send(
        inlet,
        message("/kelly/do/valence", -0.5),
        message("/kelly/do/freeze", True),
        message("/kelly/do/emotion", "sad"),
        message("/kelly/do/panic"),
        b"/kelly/do/let-go\x00\x00\x00\x00",  # without its types, as some send
        bytes(bundle.build().dgram),
        message("/someone/else", 1.0),
    )
    assert receive(inlet, 8) == [
        ("valence", -0.5),
        ("freeze", True),
        ("emotion", "sad"),
        ("panic", None),
        ("let-go", None),
        ("arousal", 0.25),
        ("dominance", 0.25),
    ]
    assert inlet.refused_messages == 1


def test_a_flood_is_cut(inlet: OscInput) -> None:
    sent_count = 20 * MESSAGES_PER_SECOND
    start = time.monotonic()
    kept_count = 0
    for _ in range(20):
        before = kept_count + inlet.refused_messages
        send(inlet, *[message("/kelly/do/panic")] * MESSAGES_PER_SECOND)
        deadline = time.monotonic() + 20.0
        while kept_count + inlet.refused_messages < before + MESSAGES_PER_SECOND and time.monotonic() < deadline:
            kept_count += len(inlet.poll())
            time.sleep(0.001)
    assert kept_count + inlet.refused_messages == sent_count
    assert kept_count <= MESSAGES_PER_SECOND * (1.0 + time.monotonic() - start)


def test_a_port_that_is_taken_is_one_line(inlet: OscInput) -> None:
    with pytest.raises(ConfigError, match=r"cannot receive OSC at .*take another port"):
        OscInput(inlet.address, MonotonicClock())


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    for packet in (garbage, b"#bundle\x00" + garbage, b"/a\x00\x00,s\x00\x00" + garbage):
        try:
            messages = read_packet(packet)
        except ValueError:
            continue
        assert all(one.address.startswith("/") for one in messages)


@given(
    st.one_of(st.none(), st.booleans(), st.floats(width=32, allow_nan=False), st.integers(-(2**31), 2**31 - 1))
    | st.text(st.characters(codec="ascii", exclude_characters="\x00"), max_size=60)
)
def test_what_the_library_writes_is_read(value: object) -> None:
    packet = message("/kelly/do/valence") if value is None else message("/kelly/do/valence", value)
    assert read_packet(packet) == [Message("/kelly/do/valence", () if value is None else (value,))]


@pytest.mark.parametrize(
    "packet",
    [
        b"#bundle\x00" + bytes(8) + struct.pack(">i", -4),  # which would go round for ever
        b"#bundle\x00" + bytes(8) + struct.pack(">i", 2**31 - 1),
        message("/kelly/do/valence", 1.0) + b"\x00\x00\x00\x01",
        b"/" + bytes(MAX_PACKET_BYTES),
        b"/" + b"a" * 100 + bytes(3),
        b"",
    ],
)
def test_more_than_it_must_know_is_refused(packet: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (any: it is never shown)
        read_packet(packet)
