"""The options that tie a session to a studio (`--clock`, `--midi-in`, `--latency-ms`, `--frame-accurate`, `--cc`,
`--osc`, `--osc-in`), and what they open.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import click

from kelly_live.core.errors import ConfigError

if TYPE_CHECKING:
    from kelly_live.control.osc_address import Place
    from kelly_live.control.osc_input import OscIn
    from kelly_live.control.osc_output import OscOut
    from kelly_live.core.actions import Action
    from kelly_live.core.protocols import NoteSink, SyncSource
    from kelly_live.core.timebase import Clock
    from kelly_live.engine.session import Expression, Snapshot
    from kelly_live.midi.inputs import SharedInput
    from kelly_live.midi.supervised_input import SupervisedInput
    from kelly_live.sync.link import LinkSyncSource
    from kelly_live.sync.midi_clock import MidiClockSource

# What --cc and --cc-channel say: controllers by name (None: none), and their channel.
Controllers: TypeAlias = tuple[Mapping[str, int] | None, int]
NO_CONTROLLERS: Controllers = (None, 16)

F = TypeVar("F", bound=Callable[..., Any])
MOST_LATENCY_MS = 500.0


@dataclass(frozen=True, slots=True)
class ExternalIOOptions:
    """What was typed. `latencies`: by port, how many seconds earlier all leaves it."""

    clock: str = "off"
    midi_in: str | None = None
    latencies: Mapping[str, float] = field(default_factory=dict)
    controllers: Controllers = NO_CONTROLLERS
    osc: str | None = None
    osc_in: str | None = None
    frame_accurate: bool = False

    @property
    def sends_clock(self) -> bool:
        return self.clock == "send"

    def open(self, clock: Clock) -> ExternalIO:
        """Opens what was asked for; nothing stays open if anything cannot be. Raises KellyError."""
        studio = ExternalIO()
        try:
            self._open(studio, clock)
        except BaseException:
            studio.close()
            raise
        return studio

    def _open(self, studio: ExternalIO, clock: Clock) -> None:
        if self.osc is not None:
            from kelly_live.control.osc_address import resolve_place

            studio.osc_to = resolve_place(self.osc)
        if self.osc_in is not None:
            from kelly_live.control.osc_address import resolve_place
            from kelly_live.control.osc_input import OscIn

            studio.osc_in = OscIn(resolve_place(self.osc_in))
        if self.midi_in is not None or self.clock == "follow":
            from kelly_live.midi.inputs import SharedInput
            from kelly_live.midi.supervised_input import SupervisedInput

            studio.opened = SupervisedInput(self.midi_in, clock).start()
            studio.input = SharedInput(studio.opened)
        if self.clock == "follow" and studio.input is not None:
            from kelly_live.sync.midi_clock import MidiClockSource

            studio.follower = MidiClockSource(studio.input.branch())
        if self.clock == "link":
            from kelly_live.sync.link import open_link

            studio.link = open_link(clock)


class ExternalIO:
    """What is open. Thread: the main one; `leaders` are asked by the conductor's."""

    def __init__(self) -> None:
        self.opened: SupervisedInput | None = None
        self.input: SharedInput | None = None  # for whoever else listens to the same MIDI input
        self.follower: MidiClockSource | None = None
        self.link: LinkSyncSource | None = None
        self.osc_in: OscIn | None = None
        self.osc_to: Place | None = None
        self._osc_out: OscOut | None = None

    @property
    def problem(self) -> str | None:
        """That the MIDI input is lost, while it is."""
        return self.opened.problem if self.opened is not None else None

    @property
    def leaders(self) -> tuple[SyncSource, ...]:
        return tuple(leader for leader in (self.follower, self.link) if leader is not None)

    def told(self) -> list[str]:
        """What is open, a line each."""
        lines = []
        if self.opened is not None:
            virtual = " (a virtual port: connect to it)" * self.opened.is_virtual
            lines.append(f"MIDI comes in by {self.opened.name!r}{virtual}")
        if self.osc_to is not None:
            lines.append(f"OSC goes to {self.osc_to}")
        if self.osc_in is not None:
            open_to = "" if self.osc_in.place.is_loopback else ", open to the network"
            lines.append(f"OSC comes in at {self.osc_in.place}{open_to}")
        return lines

    def tell(self, snapshot: Callable[[], Snapshot]) -> None:
        """Begin to send OSC, if it is wanted; `snapshot` is asked from a thread of its own."""
        if self.osc_to is None:
            return
        from kelly_live.control.osc_output import OscOut, Scene

        def scene() -> Scene:
            now = snapshot()
            music = now.conductor
            return Scene(now.reading.state, music.bpm, music.bar + 1, music.tonic, music.mode, music.chord)

        self._osc_out = OscOut(self.osc_to, scene).start()

    def actions(self) -> list[Action]:
        """What came in as OSC since the last time; what is no action is counted with the refused."""
        from kelly_live.core.actions import ACTIONS, Action, Takes

        taken = []
        for name, value in self.osc_in.poll() if self.osc_in is not None else ():
            switch = name in ACTIONS and ACTIONS[name].takes is Takes.SWITCH and isinstance(value, float)
            try:
                taken.append(Action(name, bool(value) if switch else value))
            except ConfigError:
                assert self.osc_in is not None
                self.osc_in.refused += 1
        return taken

    def remarks(self) -> list[str]:
        """What the status should say of all this, but for `problem`."""
        said = []
        if self.follower is not None and self.problem is None and (state := self.follower.state):
            said.append(state)
        if self.link is not None:
            peers = self.link.peers
            said.append(f"Link: {peers} other{'s' * (peers != 1)}" if peers else "Link: nobody else")
        if self.osc_in is not None and self.osc_in.refused:
            said.append(f"OSC refused {self.osc_in.refused}")
        return said

    def close(self) -> None:
        """Safe to call twice."""
        for one in (self._osc_out, self.osc_in, self.link, self.opened):
            if one is not None:
                one.close()


def expression(controllers: Controllers, sink: NoteSink) -> Expression | None:
    """What makes controllers of what is felt, and hands them to `sink`."""
    chosen, channel = controllers
    if chosen is None:
        return None
    from kelly_live.control.emotion_controllers import EmotionControls

    return EmotionControls(dict(chosen), channel).send_to(sink)


def _latencies(ctx: click.Context, parameter: click.Parameter, typed: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in typed:
        port, equals, number = text.rpartition("=")
        port = port.strip()
        try:
            milliseconds = float(number)
        except ValueError:
            milliseconds = float("nan")
        if not -MOST_LATENCY_MS <= milliseconds <= MOST_LATENCY_MS or (equals and not port):
            most = f"{MOST_LATENCY_MS:g}"
            raise click.BadParameter(f"{text!r}: write MS or PORT=MS, milliseconds from -{most} to {most}")
        if port in found:
            raise click.BadParameter(f"{text!r} comes second for that port; give each once")
        found[port] = milliseconds / 1000.0
    return found


def _controllers(ctx: click.Context, parameter: click.Parameter, text: str | None) -> dict[str, int] | None:
    if text is None:
        return None
    from kelly_live.control.emotion_controllers import parse_controllers

    try:
        return parse_controllers(text)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


_CC = click.option(
    "--cc",
    "controllers",
    metavar="NAME=NUMBER,…",
    callback=_controllers,
    help="What is felt as MIDI controllers: valence=20,arousal=21,…, the emotions' names too; or all.",
)
_CC_CHANNEL = click.option(
    "--cc-channel", type=click.IntRange(1, 16), default=16, show_default=True, help="The channel of --cc."
)


def controllers(function: F) -> F:
    """--cc and --cc-channel, as one `controllers: Controllers` argument."""

    @_CC
    @_CC_CHANNEL
    @functools.wraps(function)
    def wrapped(*args: Any, controllers: dict[str, int] | None, cc_channel: int, **kwargs: Any) -> Any:
        return function(*args, controllers=(controllers, cc_channel), **kwargs)

    return wrapped  # type: ignore[return-value]


def studio(function: F) -> F:
    """All of them, gathered into one `studio: ExternalIOOptions` argument."""

    @click.option(
        "--clock",
        type=click.Choice(["send", "follow", "link", "off"]),
        default="off",
        show_default=True,
        help="MIDI clock: send it; or follow one (start, stop, continue, song position), or Ableton Link.",
    )
    @click.option(
        "--midi-in",
        metavar="NAME",
        help="The MIDI input, by any part of its name [default with --clock follow: a virtual port].",
    )
    @click.option(
        "--latency-ms",
        "latencies",
        metavar="[PORT=]MS",
        multiple=True,
        callback=_latencies,
        help="All leaves that much earlier (negative: later), clock too; PORT as a preset calls it, else the main one.",
    )
    @click.option(
        "--frame-accurate/--no-frame-accurate",
        default=False,
        show_default=True,
        help="Through JACK: every message at its sample, not at the period that comes next.",
    )
    @_CC
    @_CC_CHANNEL
    @click.option("--osc", metavar="[HOST:]PORT", help="Send what is felt and played as OSC [host: this machine].")
    @click.option(
        "--osc-in", metavar="[HOST:]PORT", help="Take /kelly/do/ACTION by OSC there [host: this machine only]."
    )
    @functools.wraps(function)
    def wrapped(
        *args: Any,
        clock: str,
        midi_in: str | None,
        latencies: dict[str, float],
        frame_accurate: bool,
        controllers: dict[str, int] | None,
        cc_channel: int,
        osc: str | None,
        osc_in: str | None,
        **kwargs: Any,
    ) -> Any:
        wish = ExternalIOOptions(clock, midi_in, latencies, (controllers, cc_channel), osc, osc_in, frame_accurate)
        return function(*args, studio=wish, **kwargs)

    return wrapped  # type: ignore[return-value]
