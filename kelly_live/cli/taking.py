"""The options that keep a session (`--record`, `--log`), what becomes of them, and the players of a log."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kelly_live.cli.options import OUTPUT_FILE, CultureOptions
from kelly_live.midi.tuning import Tuning

if TYPE_CHECKING:
    from kelly_live.cli.hosting import HostOptions
    from kelly_live.core.protocols import NoteSink
    from kelly_live.core.timebase import Clock
    from kelly_live.generators.band import PlayerSlot
    from kelly_live.generators.host import Host
    from kelly_live.music.conductor import Conductor
    from kelly_live.profiles.profile import Profile
    from kelly_live.recording.log import Header, Part
    from kelly_live.recording.recorder import Recorder

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Where a session is to be kept, as typed; neither: nowhere."""

    midi: Path | None = None
    log: Path | None = None

    def before(self, sink: NoteSink) -> NoteSink:
        """What the conductor is to play into: the sink, or a tee before it. Raises OutputError where nothing could be
        written.
        """
        if self.midi is None and self.log is None:
            return sink
        from kelly_live.engine.parts import check_outputs
        from kelly_live.recording.recorder import Tee

        check_outputs([self.midi, self.log])
        return Tee(sink)

    def begin(
        self,
        sink: NoteSink,
        conductor: Conductor,
        clock: Clock,
        *,
        seed: int,
        host: HostOptions,
        players: Host,
        tuning: Tuning,
        culture: CultureOptions | None = None,
        profile: Profile | None = None,
        live: bool = True,
        title: str = "Kelly Live",
    ) -> Recorder | None:
        """The recorder behind what `before` made, running; None if nothing is to be kept. Raises OutputError."""
        from kelly_live.recording.recorder import Recorder, Tee, new_paths, parts_of

        if not isinstance(sink, Tee):
            return None
        from datetime import UTC, datetime

        from kelly_live import __version__
        from kelly_live.music.theory import NOTE_NAMES
        from kelly_live.recording.log import Header

        typed = click.get_current_context().params.items()
        header = Header(
            version=__version__,
            made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            seed=seed,
            tonic=NOTE_NAMES.index(conductor.status().tonic),
            preset=players.name,
            parts=parts_of(conductor),
            extra=host.extra,
            settings=host.settings,
            tuning=replace(tuning, programs=()),
            live=live,
            look_ahead_seconds=conductor.look_ahead_seconds,
            slice_beats=conductor.slice_beats,
            title=title,
            culture=None if culture is None else culture.name,
            culture_strength=None if culture is None else culture.strength,
            profile=None if profile is None else profile.name,
            options=tuple((name, str(value)) for name, value in typed if value not in (None, False, ())),
        )
        return Recorder(new_paths(self.midi, self.log), header, sink, clock, lambda: players.name)


NOTHING_KEPT = RecordingOptions()
_LOG = click.option(
    "--log",
    type=OUTPUT_FILE,
    metavar="FILE.jsonl",
    help="Keep a log of what happened; `kelly-live replay` plays it again.",
)


def logging(function: F) -> F:
    """--log, as a `take: RecordingOptions` argument."""

    @_LOG
    @functools.wraps(function)
    def wrapped(*args: Any, log: Path | None, **kwargs: Any) -> Any:
        return function(*args, take=RecordingOptions(None, log), **kwargs)

    return wrapped  # type: ignore[return-value]


def taking(function: F) -> F:
    """--record and --log, gathered into one `take: RecordingOptions` argument."""

    @click.option(
        "--record",
        type=OUTPUT_FILE,
        metavar="FILE.mid",
        help="Keep what is played: a MIDI file, and beside it a log (FILE.jsonl). No earlier take is overwritten.",
    )
    @_LOG
    @functools.wraps(function)
    def wrapped(*args: Any, record: Path | None, log: Path | None, **kwargs: Any) -> Any:
        return function(*args, take=RecordingOptions(record, log), **kwargs)

    return wrapped  # type: ignore[return-value]


def seated(header: Header, preset: str, parts: tuple[Part, ...]) -> list[PlayerSlot]:
    """The players of a host preset as a log seats them: all in this thread, nobody timed, no guests. Raises
    ConfigError.
    """
    from kelly_live.generators.host import Setting, load_preset, seat, with_extra

    settings = [Setting.read(typed) for typed in header.settings]
    seats = seat(with_extra(load_preset(preset), header.extra), settings, one_port=not header.live).seats
    told = {part.part: part.sent_program for part in parts if not part.guest}
    return [replace(one, sent_program=told[one.part]) for one in seats if one.part in told]
