"""`kelly-live analyze FILE...`: the emotion in audio files, as lines, JSON lines or Parquet."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.core.emotion_words import load_words
from kelly_live.core.errors import KellyError
from kelly_live.core.memory import check_memory
from kelly_live.core.wording import escape
from kelly_live.engine.options.audio import SoundFileOptions
from kelly_live.engine.options.click_options import (
    INPUT_FILE,
    OUTPUT_FILE,
    CheckedCommand,
    add_options,
    batch_options,
    debug_option,
    device_option,
    files_option,
    models_option,
    print_json,
    print_line,
    print_notice,
    reader_option,
)
from kelly_live.engine.options.commands import WORDS_HELP

if TYPE_CHECKING:
    from kelly_live.core.emotion_words import EmotionWords
    from kelly_live.engine.recording_analysis import RecordingAnalysis


@click.command(
    cls=CheckedCommand,
    epilog="The means over a file are weighted by each window's confidence, so that silence and noise count little; "
    "`confidence` is weighted likewise: it is that of the file's answer. `time` is the end of a window in seconds. "
    "A run with --out that is stopped goes on where it was when it is started again.",
)
@click.argument("files", nargs=-1, type=INPUT_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each file, windows included.")
@click.option("--out", type=OUTPUT_FILE, help="Write them into FILE.jsonl or FILE.parquet; what is there is left out.")
@files_option
@batch_options
@click.option("--words", metavar="LANGUAGE", help=WORDS_HELP)
@add_options(SoundFileOptions)
@device_option()
@reader_option()
@models_option
@debug_option
def command(
    files: tuple[Path, ...],
    options: SoundFileOptions,
    as_json: bool,
    out: Path | None,
    list_file: Path | None,
    jobs: int,
    cluster: str | None,
    device: str,
    reader: str,
    words: str | None,
) -> int:
    """Print the emotion in FILES (WAV, FLAC, OGG/Opus, MP3), or in those of folders."""
    if not files and list_file is None:
        raise click.UsageError("say which files: FILE…, a folder, or --files LIST")
    from kelly_live.engine.batch.inputs import find_inputs

    named = None if words is None else load_words(words)
    check_memory()  # before any native library is loaded
    paths = [one.path for one in find_inputs(files, list_file=list_file)]
    if out is not None:
        from kelly_live.engine.batch.command import do_jobs
        from kelly_live.engine.batch.jobs import AnalyzeJob

        analyses = [
            AnalyzeJob(path, options, device, reader, None if named is None else named.language) for path in paths
        ]
        return do_jobs(analyses, out, processes=jobs, cluster=cluster)
    return _print_analyses(paths, options, as_json, device, reader, named)


def _print_analyses(
    paths: list[Path],
    options: SoundFileOptions,
    as_json: bool,
    device: str,
    reader: str,
    words: EmotionWords | None,
) -> int:
    from kelly_live.audio.decode import check_sound_file
    from kelly_live.emotion.registry import require_reader
    from kelly_live.engine.model_choice import state_terms
    from kelly_live.engine.recording_analysis import analyze_recording
    from kelly_live.ui.terminal import progress

    good_files = []
    for path in paths:  # before the nets are loaded
        try:
            check_sound_file(path, mix=options.audio.build_mix(), max_minutes=options.max_minutes)
        except KellyError as error:
            print_notice(str(error))
        else:
            good_files.append(path)
    if not good_files:
        return 1
    emotion_reader = require_reader(reader, device=device)
    state_terms(print_notice)
    failures = len(paths) - len(good_files)
    for path in good_files:
        try:
            analysis = analyze_recording(
                path, emotion_reader, partial(progress, label=escape(path.name)), options, words
            )
        except KellyError as error:
            print_notice(str(error))
            failures += 1
            continue
        if analysis.damage:
            print_notice(f"note: {path}: {analysis.damage}; what could be read was used")
        print_json(analysis.as_dict(str(path))) if as_json else print_line(_line(path, analysis))
    return 1 if failures else 0


def _line(path: Path, analysis: RecordingAnalysis) -> str:
    """One readable line: the three likeliest emotions, the dimensions and the word."""
    likeliest = sorted(analysis.probabilities.items(), key=lambda item: -item[1])[:3]
    names = ", ".join(f"{name} {share:.0%}" for name, share in likeliest)
    return (
        f"{path}  {analysis.seconds:.1f} s  {names}  V {analysis.valence:+.2f} "
        f"A {analysis.arousal:+.2f} D {analysis.dominance:+.2f}  confidence {analysis.confidence:.0%}"
        f"{f'  {analysis.word}' if analysis.word else ''}"
    )
