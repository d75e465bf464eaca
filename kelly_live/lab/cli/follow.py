"""`kelly-live lab follow`: measure how `--follow` tracks beat and key, and train its model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option
from kelly_live.lab.click_options import DEFAULT_CACHE, FOLDER

if TYPE_CHECKING:
    from kelly_live.lab.judging.tracking import AnnotatedRecording

MANIFEST = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("follow", cls=CheckedCommand)
@click.option(
    "--measure",
    type=MANIFEST,
    multiple=True,
    metavar="FILE.jsonl",
    help="Annotated recordings, one a line: path, set, beats (s), key; neither of the last two for speech and noise.",
)
@click.option("--corpora", type=FOLDER, help="Also measure on POP909, rendered: the folder of the cultures' corpora.")
@click.option("--chords", is_flag=True, help="Measure the chords instead, on songs of POP909 that are held out.")
@click.option("--changes", is_flag=True, help="Measure tempo changes instead, by sound and notes, on songs held out.")
@click.option("--turns", is_flag=True, help="Measure how the band leaves space and answers, on songs never used.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Where renderings are kept.")
@click.option("--teach", type=MANIFEST, multiple=True, metavar="FILE.jsonl", help="With --learn: train on these.")
@click.option(
    "--learn", type=click.Path(path_type=Path), metavar="OUT.json", help="Train a model (also on half of POP909)."
)
@debug_option
def command(
    measure: Sequence[Path],
    corpora: Path | None,
    chords: bool,
    changes: bool,
    turns: bool,
    cache: Path,
    teach: Sequence[Path],
    learn: Path | None,
) -> None:
    """Measure how well `--follow` tracks annotated recordings, and print the tables."""
    from kelly_live.lab.judging import tracking

    measurements = [
        measure_one
        for chosen, measure_one in ((chords, _measure_chords), (changes, _measure_changes), (turns, _measure_turns))
        if chosen
    ]
    if measurements:
        if corpora is None or len(measurements) > 1:
            raise click.UsageError(
                "--chords, --changes or --turns measures on POP909; name its folder with --corpora FOLDER"
            )
        measurements[0](corpora, cache)
        return
    if not measure and corpora is None:
        raise click.UsageError("name recordings with --measure FILE.jsonl or --corpora FOLDER")
    if bool(teach) != (learn is not None):
        raise click.UsageError("--teach FILE.jsonl and --learn OUT.json go together")
    recordings: list[AnnotatedRecording] = []
    for manifest in measure:
        recordings += tracking.read_recordings(manifest)
    songs = tracking.read_pop909(corpora, cache) if corpora is not None else []
    model = None
    if learn is not None:
        # Songs alternate between soundfonts, so pairs of them go together.
        examples = [song for i, song in enumerate(songs) if i % 4 < 2]
        for manifest in teach:
            examples += tracking.read_recordings(manifest)
        model = tracking.fit_model(examples, lambda line: click.echo(line, err=True))
        if corpora is not None:
            from kelly_live.lab.corpora.pop909 import choose_songs, extract_pop909, list_songs, read_note_song
            from kelly_live.lab.judging.note_beats import fit_note_beats

            note_songs = choose_songs(list_songs(extract_pop909(corpora, cache)), held_out=False)
            model = fit_note_beats([read_note_song(song) for song in note_songs], model)
        sets = ", ".join(dict.fromkeys(example.set_name for example in examples))
        source = f"kelly-live lab follow --learn, of {len(examples)} recordings: {sets}"
        learn.write_text(tracking.format_model(model, source))
        click.echo(f"wrote {learn}", err=True)
    recordings += [song for i, song in enumerate(songs) if i % 4 >= 2]
    if recordings:
        from kelly_live.engine.tracking import load_excerpt, track_sound
        from kelly_live.lab.judging.following_band import FollowingBand

        results = []
        for recording in recordings:
            band = FollowingBand()
            moments = track_sound(load_excerpt(recording.path), model, band.follow)
            results.append(tracking.evaluate_tracking(recording, moments, band.beats))
        click.echo(tracking.format_results(results))


def _measure_chords(corpora: Path, cache: Path) -> None:
    from kelly_live.core.emotion_space import create_state
    from kelly_live.engine.build import create_mapper
    from kelly_live.lab.corpora.chord_songs import (
        compute_features,
        compute_note_features,
        make_loop,
        read_chord_songs,
        read_note_songs,
    )
    from kelly_live.lab.judging.chord_anticipation import follow_loop, format_loops
    from kelly_live.lab.judging.chord_tracking import count_band_tones, evaluate_song, format_chord_results
    from kelly_live.sync.chord_net import NOTE_MODEL_FILE, load_chord_weights

    note_weights, note_songs = load_chord_weights(NOTE_MODEL_FILE), read_note_songs(corpora, cache, held_out=True)
    click.echo(
        format_chord_results([evaluate_song(one, compute_note_features(one), note_weights) for one in note_songs])
    )
    songs = read_chord_songs(corpora, cache, held_out=True)
    loops = [loop for song in songs[::3] if (loop := make_loop(song)) is not None]
    for group in (songs, loops):
        click.echo(format_chord_results([evaluate_song(song, compute_features(song)) for song in group]))
    note_loops = [loop for song in note_songs[::3] if (loop := make_loop(song)) is not None]
    click.echo(format_loops([follow_loop(loop) for loop in loops], "by sound"))
    click.echo(format_loops([follow_loop(loop, by_notes=True) for loop in note_loops], "by notes"))
    content = create_mapper()(create_state(valence=0.3, arousal=0.2))
    counts = [count_band_tones(song, content, seed) for seed, song in enumerate(songs[:: len(songs) // 6], start=1)]
    inside, total = (sum(column) for column in zip(*counts, strict=True))
    click.echo(
        f"the band follows {len(counts)} songs: on beats 1 and 3, {inside / total:.2f} of {total} notes in the chord"
    )


def _measure_turns(corpora: Path, cache: Path) -> None:
    from kelly_live.core.emotion_space import create_state
    from kelly_live.engine.build import create_mapper
    from kelly_live.lab.judging.turn_taking import measure_turn_taking, read_solo_songs

    parameters = create_mapper()(create_state(valence=0.3, arousal=0.2))
    for line in measure_turn_taking(read_solo_songs(corpora, cache), parameters, cache):
        click.echo(line)


def _measure_changes(corpora: Path, cache: Path) -> None:
    from kelly_live.lab.corpora.pop909 import choose_songs, extract_pop909, list_songs, read_note_song
    from kelly_live.lab.corpora.tempo_changes import read_changed_songs
    from kelly_live.lab.judging.note_keys import format_first_keys
    from kelly_live.lab.judging.tempo_changes import follow_notes, follow_sound, format_changes, format_first_beats

    songs = choose_songs(list_songs(extract_pop909(corpora, cache)), held_out=True)
    changed_songs = read_changed_songs(songs, cache / "follow", held_out=True)
    click.echo("by sound\n" + format_changes([follow_sound(song) for song in changed_songs]))
    click.echo("by notes\n" + format_changes([follow_notes(song) for song in changed_songs]))
    click.echo(format_first_beats([read_note_song(song) for song in songs]))
    click.echo(format_first_keys(songs))
