"""`kelly-live compose`: music for an emotion that the performer names; no audio is heard."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.cli.options import OUTPUT_FILE, common, seed, steering
from kelly_live.protocols import Steering


@click.command()
@steering
@click.option("--bars", type=click.IntRange(1, 1000), default=16, show_default=True, help="How long.")
@click.option("--midi", type=OUTPUT_FILE, required=True, help="The MIDI file to write.")
@click.option("--wav", type=OUTPUT_FILE, help="Also a WAV, with the built-in synthesiser.")
@click.option("--plot", type=OUTPUT_FILE, help="Also a picture (PNG).")
@seed
@common
def command(
    steering: Steering, bars: int, midi: Path, wav: Path | None, plot: Path | None, seed: int, device: str
) -> None:
    """Music for an emotion: --valence V --arousal A [--dominance D], or --emotion NAME."""
    if steering == Steering():
        raise click.UsageError("say which emotion: --emotion NAME, or --valence V --arousal A")
    if steering.emotion is None and (steering.valence is None or steering.arousal is None):
        raise click.UsageError("--valence and --arousal go together (or give --emotion NAME)")

    from kelly_live.cli.parts import check_outputs, make_conductor, make_mapper, write_performance
    from kelly_live.midi.client import OfflineScheduler
    from kelly_live.protocols import Reading
    from kelly_live.session import compose
    from kelly_live.steering import state_from

    check_outputs([midi, wav, plot])
    state = state_from(steering.valence, steering.arousal, steering.dominance, steering.emotion)
    parameters = make_mapper()(state)
    scheduler = OfflineScheduler()
    conductor = make_conductor(scheduler, seed=seed, length_bars=bars)
    performance = compose(Reading(state, parameters), conductor, scheduler)
    write_performance(performance, conductor, title=f"Kelly Live: {state.emotion}", midi=midi, wav=wav, plot=plot)
    status = conductor.status()
    click.echo(
        f"{bars} bars of {state.emotion} (V {state.valence:+.2f} A {state.arousal:+.2f} D {state.dominance:+.2f}): "
        f"{parameters.tempo.suggested:.0f} BPM, {status.tonic} {status.mode}, {performance.end_seconds:.1f} s"
    )
    for path in filter(None, (midi, wav, plot)):
        click.echo(f"wrote {path}")
