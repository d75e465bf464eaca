"""`kelly-live follow`: the beat and key that are heard in recordings, and how well, how soon and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import INPUT_FILE, debug_option
from kelly_live.lab.cli.train import DEFAULT_CACHE, FOLDER

if TYPE_CHECKING:
    from kelly_live.core.values import MusicParameters, SyncState
    from kelly_live.lab.judging.tracking import AnnotatedRecording

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
@click.option("--teach", type=MANIFEST, multiple=True, metavar="FILE.jsonl", help="With --learn: learn from these.")
@click.option("--learn", type=click.Path(path_type=Path), metavar="OUT.json", help="Learn (and from half of POP909).")
@debug_option
def command(
    recordings: Sequence[Path], measure: Sequence[Path], corpora: Path | None, cache: Path,
    teach: Sequence[Path], learn: Path | None,
) -> None:  # fmt: skip
    """The tempo and key of RECORDINGS, as `--follow` hears them; or tables against truth."""
    import kelly_live.lab.judging.tracking as f

    if not recordings and not measure and corpora is None:
        raise click.UsageError("name recordings, --measure FILE.jsonl or --corpora FOLDER")
    for path in recordings:
        moments = f.track_sound(f.load_sound(f.AnnotatedRecording(path, "")))
        click.echo(f"{path}: {_told(moments[-1]) if moments else 'too short'}")
    if bool(teach) != (learn is not None):
        raise click.UsageError("--teach FILE.jsonl and --learn OUT.json go together")
    pieces: list[AnnotatedRecording] = [piece for manifest in measure for piece in f.read_recordings(manifest)]
    songs = f.read_pop909(corpora, cache) if corpora is not None else []
    model = None
    if learn is not None:
        # Songs alternate between soundfonts, so pairs of them go together.
        taught = [song for i, song in enumerate(songs) if i % 4 < 2]
        taught += [piece for manifest in teach for piece in f.read_recordings(manifest)]
        model = f.fit_model(taught, lambda line: click.echo(line, err=True))
        sets = ", ".join(dict.fromkeys(piece.set_name for piece in taught))
        learn.write_text(f.format_model(model, f"kelly-live follow --learn, of {len(taught)} pieces: {sets}"))
        click.echo(f"wrote {learn}", err=True)
    pieces += [song for i, song in enumerate(songs) if i % 4 >= 2]
    if pieces:
        from kelly_live.core.override import state_from
        from kelly_live.engine.build import create_mapper

        neutral = create_mapper()(state_from())
        verdicts = []
        for piece in pieces:
            band = _Band(neutral)
            moments = f.track_sound(f.load_sound(piece), model, band.join)
            verdicts.append(f.evaluate_tracking(piece, moments, band.beats))
        click.echo(f.format_results(verdicts))


class _Band:
    """A conductor without players, at a neutral feeling's tempo, that joins; `beats` are when its beats fell while it
    was joined, in seconds.
    """

    def __init__(self, parameters: MusicParameters) -> None:
        from kelly_live.generators.band import GeneratorBand
        from kelly_live.midi.offline import NoteList
        from kelly_live.music.conductor import Conductor

        self.beats: list[float] = []
        self._parameters = parameters
        self._conductor = Conductor(NoteList(), GeneratorBand([]), seed=1)
        self._conductor.start(0.0, self._parameters)
        self._beat = 0

    def join(self, now: float, lead: SyncState) -> None:
        self._conductor.advance(now, self._parameters, lead)
        while (due := self._conductor.seconds_at(float(self._beat))) <= now:
            if "tempo" in self._conductor.status().joined:
                self.beats.append(due)
            self._beat += 1


def _told(moment: object) -> str:
    from kelly_live.lab.judging.tracking import TrackingMoment
    from kelly_live.music.theory import NOTE_NAMES

    assert isinstance(moment, TrackingMoment)
    key = "no key"
    if moment.tonic is not None:
        key = f"{NOTE_NAMES[moment.tonic]} {'major' if moment.major else 'minor'} ({moment.key_confidence:.2f})"
    return f"{moment.bpm:.1f} BPM ({moment.tempo_confidence:.2f} sure), {key}, after {moment.seconds:.0f} s"
