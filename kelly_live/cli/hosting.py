"""The options that say who plays (`--preset`, `--with`, `--set`, `--port`), and the host and sink they become."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from kelly_live.generators.host import Host
    from kelly_live.midi.routing import RoutedSink
    from kelly_live.profiles.profile import Profile

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class HostOptions:
    """Who is to play, as typed: presets in their order, generators beside them, settings, and outputs by port."""

    presets: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()

    def for_profile(self, profile: Profile | None) -> HostOptions:
        """The same, with a profile's own preset where none was typed."""
        own = None if profile is None else profile.preset
        return self if self.presets or own is None else replace(self, presets=(own,))

    def host(self, *, live: bool = False) -> Host:
        """The players in their seats. Live, the presets that follow a single one are all others of the shelf that need
        no port but the main one. Raises ConfigError.
        """
        from kelly_live.generators.host import DEFAULT, Host, Setting, list_presets, load_preset

        chosen = [load_preset(name) for name in (self.presets or (DEFAULT,))]
        if live and len(chosen) == 1:
            there = [one.preset for one in list_presets() if one.preset is not None and not one.preset.ports]
            chosen += [preset for preset in there if preset.name != chosen[0].name]
        settings = [Setting.read(one) for one in self.settings]
        return Host(chosen, settings=settings, extra=self.extra, live=live)

    def sink(
        self,
        players: Host,
        midi_out: str | None,
        *,
        send_clock: bool,
        latencies: Mapping[str, float] = MappingProxyType({}),
        frame_accurate: bool = False,
    ) -> RoutedSink:
        """A port's scheduler process each, none started yet; the main one is `midi_out`. `latencies`: by port, in
        seconds, instead of the preset's. `frame_accurate`: all through JACK. Raises ConfigError.
        """
        from kelly_live.core.errors import ConfigError
        from kelly_live.core.values import MAIN_PORT
        from kelly_live.midi.ports import VIRTUAL_PORT_NAME
        from kelly_live.midi.routing import RoutedSink
        from kelly_live.midi.supervised_sink import SupervisedSink

        outputs = dict(self.outputs)
        known = [port.name for port in players.ports]
        for name in (*outputs, *(name for name in latencies if name != MAIN_PORT)):
            if name not in known:
                raise ConfigError(
                    f"{' and '.join(players.names[:1] if not self.presets else self.presets)} has no port "
                    f"{name[:60]!r} (there: {', '.join(known) or 'only the main one, --midi-out'}); leave it out"
                )
        main = latencies.get(MAIN_PORT, 0.0)
        ports = {
            MAIN_PORT: SupervisedSink(
                midi_out, send_clock=send_clock, latency_seconds=main, frame_accurate=frame_accurate
            )
        }
        for port in players.ports:
            ports[port.name] = SupervisedSink(
                outputs.get(port.name, port.output),
                send_clock=send_clock and port.clock,
                latency_seconds=latencies.get(port.name, port.latency_seconds),
                virtual_name=f"{VIRTUAL_PORT_NAME} {port.name}",
                frame_accurate=frame_accurate,
            )
        return RoutedSink(ports)


EVERYDAY = HostOptions()


def _outputs(ctx: click.Context, parameter: click.Parameter, typed: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for text in typed:
        port, equals, output = (part.strip() for part in text.partition("="))
        if not (equals and port and output):
            raise click.BadParameter(f"{text!r} names no output: write PORT=NAME, PORT as the preset calls it")
        pairs.append((port, output))
    if len(dict(pairs)) < len(pairs):
        raise click.BadParameter("a port is given two outputs; give it one")
    return tuple(pairs)


def host(*, live: bool = False) -> Callable[[F], F]:
    """--preset, --with and --set (live also --port), gathered into one `host: HostOptions` argument."""

    def decorate(function: F) -> F:
        several = " Several are a set list: the first begins, `next preset` goes on." if live else ""

        @click.option(
            "--preset", "presets", metavar="NAME", multiple=live,
            help=f"Who plays, and on what: `kelly-live presets` lists them [default: band].{several}",
        )  # fmt: skip
        @click.option(
            "--with", "extra", metavar="GENERATOR", multiple=True,
            help="Seat this generator too (`kelly-live generators` lists them); may be given again.",
        )  # fmt: skip
        @click.option(
            "--set", "settings", metavar="PLAYER.PARAMETER=VALUE", multiple=True,
            help="A player's own parameter, as --set chords.voicing=open; may be given again.",
        )  # fmt: skip
        @functools.wraps(function)
        def wrapped(
            *args: Any,
            presets: tuple[str, ...] | str | None,
            extra: tuple[str, ...],
            settings: tuple[str, ...],
            outputs: tuple[tuple[str, str], ...] = (),
            **kwargs: Any,
        ) -> Any:
            named = (presets,) if isinstance(presets, str) else presets or ()
            return function(*args, host=HostOptions(named, extra, settings, outputs), **kwargs)

        if not live:
            return wrapped  # type: ignore[return-value]
        return click.option(  # type: ignore[return-value]
            "--port", "outputs", metavar="PORT=NAME", multiple=True, callback=_outputs,
            help="The MIDI output of a port beside the main one [default: a virtual port of its own].",
        )(wrapped)  # fmt: skip

    return decorate
