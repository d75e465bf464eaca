"""OSC as tablets and sequencers send it: buttons that rest at 0, bundles, times, patterns."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from kelly_live.control.osc_address import OscAddress
from kelly_live.control.osc_input import CAPACITY, MESSAGES_PER_SECOND, REFUSAL_SECONDS, OscInput
from kelly_live.control.osc_output import OscOutput, encode_bundle
from kelly_live.control.osc_packet import match_address, read_packet
from kelly_live.control.osc_surface import OscSurface
from kelly_live.core.actions import ACTIONS, Action, Takes
from kelly_live.core.control_surface import ControlView
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import EMOTIONS, EmotionState
from kelly_live.ui.alerts import Alerts, LossAlerts

WALL_SECONDS = 1_700_000_000.0
TRIGGERS = [name for name, kind in ACTIONS.items() if kind.takes is Takes.NOTHING]


class Tablet:
    """Sends packets to a surface by an injected clock, and returns the actions."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        address = OscAddress(socket.AF_INET, "127.0.0.1", 0)
        self.inlet = OscInput(address, self.clock, lambda: WALL_SECONDS)
        self.surface = OscSurface(self.inlet)

    def send(self, *packets: bytes, seconds: float = 0.0) -> list[Action]:
        """Send, then a mark; let `seconds` pass, and return what came before the mark."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for packet in (*packets, message("/mark")):
                sender.sendto(packet, ("127.0.0.1", self.inlet.address.port))
        deadline = time.monotonic() + 10.0
        while "/mark" not in (self.inlet.refusal or "") and time.monotonic() < deadline:
            time.sleep(0.001)
        self.inlet.refusal = None
        self.inlet.refused_messages -= 1
        self.clock.advance(seconds)
        return self.surface.poll()


@pytest.fixture
def tablet() -> Iterator[Tablet]:
    tablet = Tablet()
    yield tablet
    tablet.surface.close()


def message(address: str, *arguments: str | bytes | float | bool) -> bytes:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    return bytes(builder.build().dgram)


def encode_message(address: str, types: str) -> bytes:
    """A message whose types carry no data."""
    return b"".join(text.encode() + bytes(4 - len(text) % 4) for text in (address, "," + types))


def bundle(*packets: bytes, at: float | None = None) -> bytes:
    tag = 1 if at is None else int((at + 2_208_988_800) * 2**32)
    return b"#bundle\x00" + struct.pack(">Q", tag) + b"".join(struct.pack(">I", len(one)) + one for one in packets)


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_button_acts_when_it_goes_down_and_not_when_it_is_released(tablet: Tablet, name: str) -> None:
    address = f"/kelly/do/{name}"
    down = [message(address), *(message(address, value) for value in (1.0, 0.3, 1, -1, 2**40, True))]
    down += [encode_message(address, "N"), encode_message(address, "I")]
    assert tablet.send(*down) == [Action(name)] * len(down)
    up = [message(address, value) for value in (0.0, -0.0, 0, False)]
    assert tablet.send(*up) == []
    assert tablet.inlet.refused_messages == 0  # a release is no fault


def test_an_emotion_is_known_in_any_case_and_a_button_may_follow_it(tablet: Tablet) -> None:
    sad = [
        message("/kelly/do/emotion", *arguments) for arguments in (("Sad",), (" SAD ",), ("sad", 1.0), ("sad", True))
    ]
    assert tablet.send(*sad) == [Action("emotion", "sad")] * 4
    assert tablet.send(message("/kelly/do/emotion", "sad", 0.0), message("/kelly/do/morph", "Sad", 0)) == []
    assert tablet.send(message("/kelly/do/valence", 0.5, 0.0)) == [Action("valence", 0.5)]  # an x-y pad


def test_a_bundle_may_hold_bundles(tablet: Tablet) -> None:
    nested = bundle(message("/kelly/do/freeze", 1), bundle(bundle(message("/kelly/do/panic"))))
    assert tablet.send(nested) == [Action("freeze", True), Action("panic")]
    deep = message("/kelly/do/panic")
    for _ in range(50):
        deep = bundle(deep)
    with pytest.raises(ValueError, match="too deep"):
        read_packet(deep)


def test_a_later_time_is_waited_for_and_a_past_one_is_now(tablet: Tablet) -> None:
    panic, freeze = message("/kelly/do/panic"), message("/kelly/do/freeze", 1)
    later = bundle(bundle(panic), at=WALL_SECONDS + 5.0)
    assert tablet.send(later, bundle(freeze, at=WALL_SECONDS - 5.0)) == [Action("freeze", True)]
    tablet.clock.advance(4.9)
    assert tablet.surface.poll() == []
    tablet.clock.advance(0.2)
    assert tablet.surface.poll() == [Action("panic")]
    assert tablet.send(bundle(freeze, at=WALL_SECONDS + 1e6)) == []
    assert tablet.inlet.refused_messages == 1


def test_a_panic_for_much_later_comes_from_a_wrong_clock_and_is_obeyed_now(tablet: Tablet) -> None:
    panic = message("/kelly/do/panic", 1.0)
    ahead = [bundle(panic, at=WALL_SECONDS + seconds) for seconds in (11.0, 3600.0, 1e8)]
    assert tablet.send(*ahead, bundle(panic, at=0.5 - 2_208_988_800)) == [Action("panic")] * 4


@pytest.mark.parametrize(
    "packet",
    [
        message("/kelly/do/panic", "on"),
        message("/kelly/do/panic", "Pänik"),
        message("/kelly/do/panic", "a" * 500),
        message("/kelly/do/panic", b"blob!", 0),
        message("/kelly/do/panic", 1.0, 0.0, 0.5),
        message("/kelly/do/panic", 5_000_000_000),
        message("/kelly/do/panic", 2.5) + bytes(64),  # a sender that pads
        message("/kelly/do/panic") + bytes(4),
        encode_message("/kelly/do/panic", "T"),
        encode_message("/kelly/do/panic", "[TF]"),
        encode_message("/kelly/do/panic", "d") + struct.pack(">d", 1.0),
        encode_message("/kelly/do/panic", "h") + struct.pack(">q", 1),
        encode_message("/kelly/do/panic", "c") + b"\0\0\0a",
        encode_message("/kelly/do/panic", "m") + b"\0\x90\x3c\x7f",
        encode_message("/kelly/do/panic", "t") + bytes(8),
        encode_message("/kelly/do/panic", "S") + b"go\0\0",
        b"/kelly/do/panic\0",  # without types
        bundle(message("/kelly/do/panic", 1), at=WALL_SECONDS),
        bundle(message("/kelly/do/panic", 1)) + bytes(4),
        bundle(b"/torn", message("/x", 1), b"", message("/kelly/do/panic", 1)),
        bundle(bundle(b"\xff\xff\xff\xff"), message("/kelly/do/panic", 1)),
        message("/kelly/do/{panic,nothing}", 1),
        message("/*/do/p[a-b]nic", 1),
    ],
)
def test_panic_is_understood_from_any_sender(tablet: Tablet, packet: bytes) -> None:
    assert tablet.send(packet) == [Action("panic")]


@pytest.mark.parametrize(
    "packet",
    [
        *(message("/kelly/do/panic", value) for value in (0, 0.0, -0.0, False, "0", "off", "False", "")),
        encode_message("/kelly/do/panic", "F"),
        encode_message("/kelly/do/panic", "d") + bytes(8),
        encode_message("/kelly/do/panic", "h") + bytes(8),
        message("/kelly/do/panic", 0.0, 1.0),
        bundle(message("/kelly/do/panic", 0)),
        message("/kelly/do/panic/z", 1.0),  # the touch that some tablets send beside
        message("/kelly/do/panics", 1.0),
        message("/kelly/panic", 1.0),
        b"/kelly/do/panic\0,f\0\0",  # its value is missing
        b"/kelly/do/panic\0,f\0\0\x3f\x80",
    ],
)
def test_a_release_and_what_is_not_panic_is_none(tablet: Tablet, packet: bytes) -> None:
    assert tablet.send(packet) == []


def test_a_fader_ends_where_32_bits_round_it(tablet: Tablet) -> None:
    actions = tablet.send(message("/kelly/do/valence", 1.0000002), message("/kelly/do/arousal", -1.0000001))
    assert actions == [Action("valence", 1.0), Action("arousal", -1.0)]
    assert tablet.send(message("/kelly/do/valence", 1.01)) == []


def test_values_may_come_as_text(tablet: Tablet) -> None:
    texts = [message("/kelly/do/valence", "0.5"), message("/kelly/do/freeze", "off"), message("/kelly/do/morph", "SAD")]
    assert tablet.send(*texts) == [Action("valence", 0.5), Action("freeze", False), Action("morph", "sad")]
    assert (
        tablet.send(
            message("/kelly/do/valence", "much"), message("/kelly/do/valence", b"\1"), message("/kelly/do/valence")
        )
        == []
    )
    assert tablet.inlet.refused_messages == 3


def test_panic_is_reached_through_broken_packets_and_releases(tablet: Tablet) -> None:
    broken = [b"#bundle", b"/", b"\xff" * 40, bundle(b"noise"), encode_message("/kelly/do/panic", "zzz")] * 20
    releases = [message("/kelly/do/panic", 0.0)] * 100
    for _ in range(5):
        assert tablet.send(*broken, *releases) == []
    assert tablet.send(message("/kelly/do/panic", 1.0)) == [Action("panic")]


def test_what_waits_for_its_time_is_bounded(tablet: Tablet) -> None:
    later = bundle(message("/kelly/do/freeze", 1), at=WALL_SECONDS + 500.0)
    for _ in range(2 * CAPACITY // MESSAGES_PER_SECOND):
        assert tablet.send(*[later] * MESSAGES_PER_SECOND) == []
        tablet.clock.advance(1.0)
    tablet.clock.advance(600.0)
    assert len(tablet.surface.poll()) == CAPACITY


def test_a_pattern_means_every_address_that_it_matches(tablet: Tablet) -> None:
    assert tablet.send(message("/kelly/do/fr*", 1)) == [Action("freeze", True)]
    assert tablet.send(message("/kelly/*/{valence,arousal}", 0.5)) == [Action("valence", 0.5), Action("arousal", 0.5)]
    assert tablet.send(message("/kelly/do/pani?"), message("/*/do/[a-p]anic")) == [Action("panic")] * 2
    assert tablet.send(message("/kelly/do/qui*"), message("/*")) == []  # a pattern never ends the session
    with pytest.raises(ValueError, match="alternatives"):
        match_address("/" + "{a,b}" * 10, [])


def test_a_fader_sets_a_parameter_by_its_address(tablet: Tablet) -> None:
    assert tablet.send(message("/kelly/do/set/melody/octave", 0.25), message("/kelly/do/set/melody.echo.delay", 1)) == [
        Action("set", "melody.octave=25%"),
        Action("set", "melody.echo.delay=100%"),
    ]
    assert tablet.send(
        message("/kelly/do/set/chords/voicing", "open"),
        message("/kelly/do/set/pad/tied", False),
        message("/kelly/do/set", "My Part.octave=1"),
        message("/kelly/do/set", "melody.octave", 0.5),
    ) == [
        Action("set", "chords.voicing=open"),
        Action("set", "pad.tied=off"),
        Action("set", "My Part.octave=1"),
        Action("set", "melody.octave=50%"),
    ]


def test_the_mixer_and_the_locks_have_addresses_of_their_own(tablet: Tablet) -> None:
    assert tablet.send(
        message("/kelly/do/mute/bass", 1),
        message("/kelly/do/mute/bass", 0.0),
        message("/kelly/do/solo/My Part"),
        message("/kelly/do/mute", "bass"),
        message("/kelly/do/level/bass", 0.25),
        message("/kelly/do/level", "bass", 1),
        message("/kelly/do/lock/tempo", True),
        message("/kelly/do/lock", "tempo=off"),
    ) == [
        Action("mute", "bass=on"),
        Action("mute", "bass=off"),
        Action("solo", "My Part"),
        Action("mute", "bass"),
        Action("level", "bass=25%"),
        Action("level", "bass=100%"),
        Action("lock", "tempo=on"),
        Action("lock", "tempo=off"),
    ]


def test_panic_is_reached_through_a_flood(tablet: Tablet) -> None:
    flood = [message("/kelly/do/freeze", 1)] * (MESSAGES_PER_SECOND + 50)
    assert tablet.send(*flood, message("/kelly/do/panic", 1.0))[-1] == Action("panic")


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (message("/kelly/do/fly"), "/kelly/do/fly.*no action has this address"),
        (message("/kelly/do/valence", 5.0), "/kelly/do/valence.*from -1 to 1"),
        (message("/kelly/do/panic", float("nan")), "/kelly/do/panic.*finite"),
        (message("/kelly/do/lock/colour", 1), "/kelly/do/lock.*one of tempo, mode"),
        (message("/kelly/do/level/bass", 2), "/kelly/do/level/bass.*a number from 0 to 1"),
        (message("/kelly/do/set/melody/octave", 2), "/kelly/do/set/melody/octave.*a number from 0 to 1"),
        (message("/kelly/do/set/melody/octave"), "/kelly/do/set/melody/octave.*lacks a value"),
        (message("/kelly/do/set/octave", 0.5), "/kelly/do/set'.*PLAYER.PARAMETER=VALUE"),
        (b"noise", "a packet from 127.0.0.1.*text"),
        (bundle(message("/kelly/do/let-go"), b"noise"), "a bundle from 127.0.0.1.*text"),
    ],
)
def test_what_is_refused_is_said_with_its_address_and_reason(
    tablet: Tablet, caplog: pytest.LogCaptureFixture, packet: bytes, reason: str
) -> None:
    tablet.send(packet, packet, seconds=REFUSAL_SECONDS)
    (line,) = [one for one in caplog.messages if "/mark" not in one]  # the second comes too soon for another line
    assert line.startswith("OSC refused")
    assert re.search(reason, line)
    assert tablet.inlet.refused_messages == 2


def describe_view(valence: float) -> ControlView:
    state = EmotionState(tuple(float(name == "sad") for name in EMOTIONS), valence, 0.0, 0.0, 1.0, 1.0)
    return ControlView(state, EmotionOverride(), 90.0, 1, "C", "ionian", "I")


def test_a_receiver_that_is_not_there_is_said_until_it_comes() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
    out, alerts, lines = OscOutput(OscAddress(socket.AF_INET, "127.0.0.1", port)), Alerts(), []
    for n in range(20):
        out.publish(describe_view(n / 100))
        lines += alerts.news({"the OSC output": out.problem})
    assert lines == [f"nobody listens at 127.0.0.1:{port} (--osc); start the receiver, or check its port"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        receiver.settimeout(10.0)
        for n in range(20):
            out.publish(describe_view(n / 100 - 0.5))
            lines += alerts.news({"the OSC output": out.problem})
        assert lines[1:] == ["the OSC output: back"]
        packets = [receiver.recv(4096) for _ in range(20)]
    out.close()
    assert packets == [encode_bundle(describe_view(n / 100 - 0.5)) for n in range(20)]  # not one is lost


def test_what_cannot_be_sent_is_told_apart_from_nobody_who_listens() -> None:
    out = OscOutput(OscAddress(socket.AF_INET, "255.255.255.255", 9000))  # needs a permission that is not asked for
    out.publish(describe_view(0.5))
    assert re.match(
        r"OSC cannot be sent to 255.255.255.255:9000 \(.*\); check the network and --osc", out.problem or ""
    )
    assert out.sent_bundles == 0
    out.close()
    out.publish(describe_view(0.6))


def test_losses_are_said_now_and_then_with_their_count() -> None:
    alerts, lines = LossAlerts(), []
    for second in range(25):
        lines += alerts.news(float(second), {"osc": (min(second, 12), f"refused {second}"), "midi": (0, "nothing")})
    assert lines == ["refused 1", "refused 11", "refused 21"]
