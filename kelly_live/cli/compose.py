"""`kelly-live compose`: music for an emotion that is named; no audio is heard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.core.wording import plural
from kelly_live.engine.options.click_options import (
    OUTPUT_FILE,
    CheckedCommand,
    add_options,
    debug_option,
    device_option,
    print_line,
    print_notice,
)
from kelly_live.engine.options.commands import ComposeOptions

if TYPE_CHECKING:
    from kelly_live.core.protocols import Reading


@click.command(cls=CheckedCommand)
@add_options(ComposeOptions)
@click.option("--midi", type=OUTPUT_FILE, required=True, help="The MIDI file to write.")
@click.option("--wav", type=OUTPUT_FILE, help="Also write a WAV, with the built-in synthesiser.")
@click.option("--plot", type=OUTPUT_FILE, help="Also draw a picture (PNG).")
@device_option(expose_value=False)
@debug_option
def command(options: ComposeOptions, midi: Path, wav: Path | None, plot: Path | None) -> None:
    """Compose for --emotion NAME, or for --valence V --arousal A [--dominance D], or along an --arc FILE.

    --morph-to moves on from there.
    """
    from kelly_live.engine.build import check_outputs, check_suffixes
    from kelly_live.engine.composition import compose_piece
    from kelly_live.engine.score_reading import describe_sections

    check_suffixes(midi=midi, wav=wav, plot=plot)
    check_outputs([midi, wav, plot])
    performance = compose_piece(options, print_notice)
    performance.write_files(midi=midi, wav=wav, plot=plot)
    way, key = "", " to ".join(performance.keys)
    if options.override.morph_to is not None:
        last = _describe(performance.readings[-1])
        way = f", in {plural(options.override.morph_bars, 'bar')} to {last}"
    first_line = _describe(performance.readings[0])
    if options.arc is not None:
        way = f", to {_describe(performance.readings[-1])}"
    print_line(f"{plural(performance.bars, 'bar')} of {first_line}{way}, {key}, {performance.end_seconds:.1f} s")
    for hit in performance.hits:
        print_line(hit.describe())
    sections = describe_sections(performance.phrases)
    if sections:
        print_line(f"form: {sections}")
    for path in filter(None, (midi, wav, plot)):
        print_line(f"wrote {path}")


def _describe(reading: Reading) -> str:
    state = reading.state
    place = f"V {state.valence:+.2f} A {state.arousal:+.2f} D {state.dominance:+.2f}"
    return f"{state.emotion} ({place}): {reading.parameters.tempo.suggested:.0f} BPM"
