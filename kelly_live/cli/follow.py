"""`kelly-live follow`: the tempo, key and chords of recordings, as `--follow` hears them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.core.errors import KellyError
from kelly_live.engine.options.click_options import (
    INPUT_FILE,
    CheckedCommand,
    debug_option,
    models_option,
    print_line,
    print_notice,
)

if TYPE_CHECKING:
    from kelly_live.engine.tracking import TrackingMoment


@click.command("follow", cls=CheckedCommand)
@click.argument("recordings", type=INPUT_FILE, nargs=-1, required=True)
@click.option("--chords", is_flag=True, help="Write out the chords, too: a sheet that the option --chords plays.")
@models_option
@debug_option
def command(recordings: Sequence[Path], chords: bool) -> int:
    """Print the tempo and key of RECORDINGS (sound or MIDI files), as `--follow` hears them in the first minute."""
    from kelly_live.engine.chord_transcription import track_with_chords
    from kelly_live.engine.tracking import load_excerpt, track_sound

    failures = 0
    for path in recordings:
        try:
            sound = load_excerpt(path)
        except KellyError as error:
            print_notice(str(error))
            failures += 1
            continue
        moments, sheet = track_with_chords(sound) if chords else (track_sound(sound), None)
        print_line(f"{path}: {_format_moment(moments[-1]) if moments else 'no beat, no key'}")
        if chords:
            print_line("no steady beat, so no bars of chords" if sheet is None else str(sheet))
    return 1 if failures else 0


def _format_moment(moment: TrackingMoment) -> str:
    from kelly_live.music.synchronization import JOIN_CONFIDENCE
    from kelly_live.music.theory import NOTE_NAMES

    key = "no key"
    if moment.tempo_confidence >= JOIN_CONFIDENCE:
        beat = f"{moment.bpm:.1f} BPM (confidence {moment.tempo_confidence:.2f})"
    else:
        beat = f"no beat (confidence {moment.tempo_confidence:.2f}; the band joins from {JOIN_CONFIDENCE:g} on)"
    if moment.tonic is not None and moment.key_confidence >= JOIN_CONFIDENCE:
        name = f"{NOTE_NAMES[moment.tonic]} {'major' if moment.major else 'minor'}"
        key = f"{name} (confidence {moment.key_confidence:.2f})"
    elif moment.tonic is not None:
        key = f"no key (confidence {moment.key_confidence:.2f})"
    return f"{beat}, {key}, after {moment.seconds:.0f} s"
