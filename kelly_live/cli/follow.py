"""`kelly-live follow`: the tempo and key of recordings, as `--follow` hears them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import INPUT_FILE, CheckedCommand, debug_option

if TYPE_CHECKING:
    from kelly_live.engine.tracking import TrackingMoment


@click.command("follow", cls=CheckedCommand)
@click.argument("recordings", type=INPUT_FILE, nargs=-1, required=True)
@debug_option
def command(recordings: Sequence[Path]) -> None:
    """Print the tempo and key of RECORDINGS, as `--follow` hears them."""
    from kelly_live.engine.tracking import load_excerpt, track_sound

    for path in recordings:
        moments = track_sound(load_excerpt(path))
        click.echo(f"{path}: {_format_moment(moments[-1]) if moments else 'too short to find a beat'}")


def _format_moment(moment: TrackingMoment) -> str:
    from kelly_live.music.theory import NOTE_NAMES

    key = "no key"
    if moment.tonic is not None:
        name = f"{NOTE_NAMES[moment.tonic]} {'major' if moment.major else 'minor'}"
        key = f"{name} (confidence {moment.key_confidence:.2f})"
    return f"{moment.bpm:.1f} BPM (confidence {moment.tempo_confidence:.2f}), {key}, after {moment.seconds:.0f} s"
