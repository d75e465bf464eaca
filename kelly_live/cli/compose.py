"""`kelly-live compose`: music for an emotion that the performer names; no audio is heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.cli.hosting import HostOptions, host
from kelly_live.cli.options import OUTPUT_FILE, CultureOptions, common, culture, profile, seed, steering, tuning
from kelly_live.cli.studio import Controllers, controllers, expression
from kelly_live.core.protocols import EmotionOverride, Reading
from kelly_live.midi.tuning import Tuning

if TYPE_CHECKING:
    from kelly_live.profiles.profile import Profile


@click.command()
@steering
@culture
@host()
@tuning
@controllers
@click.option("--bars", type=click.IntRange(1, 1000), default=16, show_default=True, help="How long.")
@click.option("--midi", type=OUTPUT_FILE, required=True, help="The MIDI file to write.")
@click.option("--wav", type=OUTPUT_FILE, help="Also a WAV, with the built-in synthesiser.")
@click.option("--plot", type=OUTPUT_FILE, help="Also a picture (PNG).")
@seed
@profile
@common
def command(
    steering: EmotionOverride,
    culture: CultureOptions | None,
    host: HostOptions,
    tuning: Tuning,
    controllers: Controllers,
    bars: int,
    midi: Path,
    wav: Path | None,
    plot: Path | None,
    seed: int,
    profile: Profile | None,
    device: str,
) -> None:
    """Music for an emotion: --valence V --arousal A [--dominance D], or --emotion NAME; --morph-to leads on from it."""
    if replace(steering, morph=None) == EmotionOverride():
        raise click.UsageError("say which emotion: --emotion NAME, or --valence V --arousal A")
    if steering.emotion is None and (steering.valence is None or steering.arousal is None):
        raise click.UsageError("--valence and --arousal go together (or give --emotion NAME)")

    from kelly_live.core.override import apply_override, state_from
    from kelly_live.engine.parts import check_outputs, create_conductor, create_mapper, write_performance
    from kelly_live.engine.session import compose
    from kelly_live.midi.scheduler_client import OfflineScheduler

    check_outputs([midi, wav, plot])
    host = host.for_profile(profile)
    players = host.host()
    state = state_from(steering.valence, steering.arousal, steering.dominance, steering.emotion)
    mapper = create_mapper(culture, profile)

    def reading_at(bar: float) -> Reading:
        felt = apply_override(state, EmotionOverride(morph=steering.morph), bar)
        return Reading(felt, mapper(felt))

    opening = reading_at(0.0)
    scheduler = OfflineScheduler()
    conductor = create_conductor(scheduler, seed=seed, length_bars=bars, host=players)
    scheduler.tune(tuning.with_programs((d.channel, d.program) for d in conductor.programs()))
    performance = compose(
        opening,
        conductor,
        scheduler,
        reading_at if steering.morph is not None else None,
        expression(controllers, scheduler),
    )
    last = performance.readings[-1]
    names = dict.fromkeys((state.emotion, last.state.emotion))  # one name if it stays the same
    write_performance(performance, conductor, title=f"Kelly Live: {' to '.join(names)}", midi=midi, wav=wav, plot=plot)
    status = conductor.status()
    way = f", in {steering.morph.bars:.0f} bars to {_told(last)}" if steering.morph is not None else ""
    key = f"{status.tonic} {status.mode}" if not way else f"ending in {status.tonic} {status.mode}"
    click.echo(f"{bars} bars of {_told(opening)}{way}, {key}, {performance.end_seconds:.1f} s")
    for path in filter(None, (midi, wav, plot)):
        click.echo(f"wrote {path}")


def _told(reading: Reading) -> str:
    state = reading.state
    place = f"V {state.valence:+.2f} A {state.arousal:+.2f} D {state.dominance:+.2f}"
    return f"{state.emotion} ({place}): {reading.parameters.tempo.suggested:.0f} BPM"
