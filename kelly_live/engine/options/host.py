"""Who plays: host presets, generators beside them, their parameters, and the outputs of their ports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.engine.options.metadata import check_options, option

if TYPE_CHECKING:
    from kelly_live.profiles.profile import Profile


def parse_outputs(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Read `PORT=NAME` pairs: (port as a preset calls it, MIDI output). Raises ConfigError."""
    pairs = []
    for text in texts:
        port, equals, output = (part.strip() for part in text.partition("="))
        if not (equals and port and output):
            raise ConfigError(f"{text[:60]!r} names no output: write PORT=NAME, PORT as the preset calls it")
        pairs.append((port, output))
    if len(dict(pairs)) < len(pairs):
        raise ConfigError("a port is given two outputs; give it one")
    return tuple(pairs)


def format_outputs(outputs: tuple[tuple[str, str], ...]) -> str:
    """Return the outputs of ports as they are typed."""
    return ", ".join(f"{port}={output}" for port, output in outputs)


@dataclass(frozen=True, slots=True)
class HostOptions:
    """Who plays, and where to.

    `presets`: names in their order (empty: the preset `band`); `extra`: generators that play beside every preset;
    `effects`: PLAYER=EFFECT each; `settings`: PLAYER.PARAMETER=VALUE each; `outputs`: (port, MIDI output) for ports
    beside the main one; `developed`: the path of a generator that is loaded again when its file changes, by the
    interpreter `developed_python`.
    """

    presets: tuple[str, ...] = option(
        "--preset",
        default=(),
        metavar="NAME",
        repeatable=True,
        default_note="band",
        help="Who plays, and on what: `kelly-live presets` lists them.",
        repeat_help="Several are a set list: it starts with the first, and the action `next-preset` moves on.",
    )
    extra: tuple[str, ...] = option(
        "--with",
        default=(),
        metavar="GENERATOR",
        repeatable=True,
        help="Add this generator to the band (`kelly-live generators` lists them); may be given again.",
    )
    effects: tuple[str, ...] = option(
        "--effect",
        default=(),
        metavar="PLAYER=EFFECT",
        repeatable=True,
        help="A note effect behind a player, as --effect melody=echo; may be given again.",
    )
    settings: tuple[str, ...] = option(
        "--set",
        default=(),
        metavar="PLAYER.PARAMETER=VALUE",
        repeatable=True,
        help="A parameter of a player or of its effect, as --set chords.voicing=open or --set melody.echo.delay=1; "
        "may be given again.",
    )
    developed: str | None = option(
        "--dev",
        metavar="PATH",
        help="A generator that you are writing (FILE.py, FILE.py:CLASS, or a package's folder): it plays, and is "
        "loaded again at the next bar when its file changes.",
    )
    developed_python: str | None = option(
        "--dev-python",
        metavar="PATH",
        default_note="this program's own",
        help="The Python of the environment that --dev runs in, as /its/venv/bin/python.",
    )
    outputs: tuple[tuple[str, str], ...] = option(
        "--port",
        default=(),
        metavar="PORT=NAME",
        repeatable=True,
        parse=parse_outputs,
        format=format_outputs,
        default_note="a virtual port of its own",
        help="The MIDI output of a port beside the main one.",
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.developed_python is not None and self.developed is None:
            raise ConfigError("--dev-python is for the generator of --dev PATH; name it too")
        places = [text.partition("=")[0].strip() for text in self.settings]
        for place in places:
            if places.count(place) > 1:
                raise ConfigError(f"--set {place[:60]} is given {places.count(place)} times; give it once")

    def with_profile(self, profile: Profile | None) -> HostOptions:
        """Return the same, with the profile's own preset where none is named."""
        profile_preset = None if profile is None else profile.preset
        return self if self.presets or profile_preset is None else replace(self, presets=(profile_preset,))
