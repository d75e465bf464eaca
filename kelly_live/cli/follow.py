"""`kelly-live follow`: the beat and key that are heard in recordings, and how well, how soon and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.cli.options import INPUT_FILE
from kelly_live.cli.train import DEFAULT_CACHE, FOLDER

if TYPE_CHECKING:
    from kelly_live.training.following import Piece

MANIFEST = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("follow")
@click.argument("recordings", type=INPUT_FILE, nargs=-1)
@click.option(
    "--measure",
    type=MANIFEST,
    multiple=True,
    metavar="FILE.jsonl",
    help="Recordings with their truth, one a line: path, set, beats (s), key; neither for speech and noise.",
)
@click.option("--corpora", type=FOLDER, help="Also measure on POP909, rendered: the folder of the cultures' corpora.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Where renderings are kept.")
@click.option("--learn", type=click.Path(path_type=Path), metavar="OUT.json", help="Learn from these, measure others.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    recordings: Sequence[Path], measure: Sequence[Path], corpora: Path | None, cache: Path, learn: Path | None,
    debug: bool,
) -> None:  # fmt: skip
    """The tempo and key of RECORDINGS, as `--follow` hears them; or tables against truth."""
    import kelly_live.training.following as f

    if not recordings and not measure and corpora is None:
        raise click.UsageError("name recordings, --measure FILE.jsonl or --corpora FOLDER")
    for path in recordings:
        moments = f.follow(f.sound_of(f.Piece(path, "")))
        click.echo(f"{path}: {_told(moments[-1]) if moments else 'too short'}")
    pieces: list[Piece] = [piece for manifest in measure for piece in f.read_recordings(manifest)]
    songs = f.read_pop909(corpora, cache) if corpora is not None else []
    model = None
    if learn is not None:
        # Songs alternate between soundfonts, so pairs of them go together.
        taught = [song for i, song in enumerate(songs) if i % 4 < 2] + [
            p for p in pieces if not p.beats and not p.keys
        ][::2]
        model = f.learn(taught, lambda line: click.echo(line, err=True))
        learn.write_text(f.written(model, f"kelly-live follow --learn: {len(taught)} pieces, POP909 and speech"))
        pieces = [piece for piece in pieces if piece not in taught]
        click.echo(f"wrote {learn}", err=True)
    pieces += [song for i, song in enumerate(songs) if i % 4 >= 2]
    if pieces:
        verdicts = [f.judge_piece(piece, f.follow(f.sound_of(piece), model)) for piece in pieces]
        click.echo(f.table(verdicts))


def _told(moment: object) -> str:
    from kelly_live.music.theory import NOTE_NAMES
    from kelly_live.training.following import Moment

    assert isinstance(moment, Moment)
    key = "no key"
    if moment.tonic is not None:
        key = f"{NOTE_NAMES[moment.tonic]} {'major' if moment.major else 'minor'} ({moment.key_confidence:.2f})"
    return f"{moment.bpm:.1f} BPM ({moment.tempo_confidence:.2f} sure), {key}, after {moment.seconds:.0f} s"
