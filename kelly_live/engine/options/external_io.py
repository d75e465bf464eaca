"""What connects a session to a studio: clock, MIDI input, latencies, controllers, OSC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import parse_number
from kelly_live.core.values import MAX_LATENCY_MS
from kelly_live.engine.options.metadata import check_options, group, option

if TYPE_CHECKING:
    from kelly_live.control.lsl_surface import LslMapping

CLOCKS = ("send", "follow", "link", "off")


def parse_latencies(texts: tuple[str, ...]) -> dict[str, float]:
    """Read `[PORT=]MS` texts: seconds by port, "" for the main one. Raises ConfigError."""
    latencies: dict[str, float] = {}
    for text in texts:
        port, equals, number = text.rpartition("=")
        port = port.strip()
        milliseconds = parse_number(number)
        if not -MAX_LATENCY_MS <= milliseconds <= MAX_LATENCY_MS or (equals and not port):
            limit = f"{MAX_LATENCY_MS:g}"
            raise ConfigError(f"{text[:60]!r}: write MS or PORT=MS, milliseconds from -{limit} to {limit}")
        if port in latencies:
            raise ConfigError(f"{text!r} comes second for that port; give each once")
        latencies[port] = milliseconds / 1000.0
    return latencies


def format_latencies(latencies: Mapping[str, float]) -> str:
    """Format latencies as they were typed: milliseconds, with the port unless it is the main one."""
    return ", ".join(f"{port}={seconds * 1000.0:g}".removeprefix("=") for port, seconds in latencies.items())


def parse_controllers(text: str) -> dict[str, int]:
    """Read NAME=NUMBER,… or `all`: controller numbers by name. Raises ConfigError."""
    from kelly_live.control import emotion_controllers

    return emotion_controllers.parse_controllers(text)


def format_controllers(numbers: Mapping[str, int]) -> str:
    """Return controller numbers as they are typed; the inverse of `parse_controllers`."""
    return ",".join(f"{name}={number}" for name, number in numbers.items())


def parse_mappings(texts: tuple[str, ...]) -> tuple[LslMapping, ...]:
    """Read AXIS=STREAM[:CHANNEL][,LOW..HIGH] texts. Raises ConfigError."""
    from kelly_live.control import lsl_surface

    return lsl_surface.parse_mappings(texts)


def format_mappings(mappings: tuple[LslMapping, ...]) -> str:
    """Return mappings of streams as they are typed."""
    return ", ".join(map(str, mappings))


@dataclass(frozen=True, slots=True)
class ControllerOptions:
    """Which MIDI controllers carry the emotion.

    `numbers`: controller numbers (0-119) by name, None for none; `channel`: 1-16.
    """

    numbers: Mapping[str, int] | None = option(
        "--cc",
        metavar="NAME=NUMBER,…",
        parse=parse_controllers,
        format=format_controllers,
        help="Send the emotion as MIDI controllers: valence=20,arousal=21,…, the emotions' names too; or all.",
    )
    channel: int = option(
        "--cc-channel",
        kind=int,
        default=16,
        minimum=1,
        maximum=16,
        default_note=None,
        help="The MIDI channel of --cc.",
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True, slots=True)
class ExternalIOOptions:
    """What is connected.

    `latencies`: seconds by port ("" is the main one) by which everything leaves earlier.
    """

    clock: str = option(
        "--clock",
        choices=CLOCKS,
        default="off",
        default_note=None,
        help="MIDI clock: send it, or follow one (start, stop, continue, song position), or Ableton Link.",
    )
    midi_in: str | None = option(
        "--midi-in",
        metavar="NAME",
        default_note="none; with --clock follow, a virtual port",
        help="The MIDI input, by any part of its name.",
    )
    latencies: Mapping[str, float] = option(
        "--latency-ms",
        default_factory=dict,
        metavar="[PORT=]MS",
        repeatable=True,
        parse=parse_latencies,
        format=format_latencies,
        default_note="as `kelly-live latency --store` measured it, else 0",
        help="Send everything earlier by MS (negative: later), clock included; PORT as a preset calls it, else the "
        "main one.",
    )
    frame_accurate: bool = option(
        "--frame-accurate/--no-frame-accurate",
        kind=bool,
        default=False,
        default_note=None,
        help="Through JACK: send every message at its sample, not at the start of the next period.",
    )
    controllers: ControllerOptions = group(ControllerOptions)
    osc: str | None = option(
        "--osc", metavar="[HOST:]PORT", help="Send emotion and music as OSC [default host: this machine]."
    )
    osc_in: str | None = option(
        "--osc-in",
        metavar="[HOST:]PORT",
        help="Receive /kelly/do/ACTION as OSC there [default host: this machine only].",
    )
    lsl: str | None = option(
        "--lsl",
        metavar="NAME",
        help="Send feeling and markers as the Lab Streaming Layer streams NAME and NAME-markers.",
    )
    lsl_in: tuple[LslMapping, ...] = option(
        "--lsl-in",
        default=(),
        metavar="AXIS=STREAM[:CHANNEL][,LOW..HIGH]",
        repeatable=True,
        parse=parse_mappings,
        format=format_mappings,
        help="Let a stream steer: `arousal=Polar:0,60..120`; LOW is -1 on the axis, HIGH is 1.",
    )
    panic_stops_transport: bool = option(
        "--panic-stops-transport/--no-panic-stops-transport",
        kind=bool,
        default=False,
        default_note=None,
        help="With --clock send: a panic also stops what follows the clock, and starts it at the next bar line.",
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.panic_stops_transport and not self.sends_clock:
            raise ConfigError("--panic-stops-transport needs --clock send; without it nothing follows our transport")

    @property
    def sends_clock(self) -> bool:
        """Whether MIDI clock goes out."""
        return self.clock == "send"
