"""`kelly-live render IN.wav --midi OUT.mid`: the live path on a recording, faster than real time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.cli.hosting import EVERYDAY, HostOptions, host
from kelly_live.cli.options import (
    INPUT_FILE,
    OUTPUT_FILE,
    CultureOptions,
    common,
    culture,
    follow,
    profile,
    seed,
    steering,
    tuning,
)
from kelly_live.cli.studio import NO_CONTROLLERS, Controllers, controllers, expression
from kelly_live.cli.taking import NOTHING_KEPT, RecordingOptions, logging
from kelly_live.core.protocols import EmotionOverride
from kelly_live.midi.tuning import DEFAULT_TUNING, Tuning

if TYPE_CHECKING:
    from kelly_live.profiles.profile import Profile


@click.command()
@click.argument("recording", type=INPUT_FILE)
@click.option("--midi", type=OUTPUT_FILE, help="The MIDI file to write.")
@click.option("--wav", type=OUTPUT_FILE, help="A WAV of it, with the built-in synthesiser.")
@click.option("--plot", type=OUTPUT_FILE, help="A picture: emotion over time above a piano roll (PNG).")
@steering
@culture
@host()
@tuning
@follow
@controllers
@logging
@click.option("--freeze", is_flag=True, help="Do not follow the sound: neutral, or what is set by hand.")
@seed
@profile
@common
def command(
    recording: Path,
    midi: Path | None,
    wav: Path | None,
    plot: Path | None,
    steering: EmotionOverride,
    culture: CultureOptions | None,
    host: HostOptions,
    tuning: Tuning,
    follow: tuple[str, ...],
    controllers: Controllers,
    take: RecordingOptions,
    freeze: bool,
    seed: int,
    profile: Profile | None,
    device: str,
) -> None:
    """Accompany RECORDING (WAV, FLAC, OGG/Opus, MP3). Same input, seed and version give the same bytes."""
    if midi is None and wav is None and plot is None:
        raise click.UsageError("say what to write: --midi OUT.mid, --wav OUT.wav or --plot OUT.png")
    click.echo(
        render(
            recording,
            midi,
            wav,
            plot,
            steering=steering,
            culture=culture,
            host=host,
            tuning=tuning,
            follow=follow,
            controllers=controllers,
            take=take,
            freeze=freeze,
            seed=seed,
            profile=profile,
            device=device,
        )
    )


def render(
    recording: Path,
    midi: Path | None,
    wav: Path | None,
    plot: Path | None,
    *,
    steering: EmotionOverride,
    culture: CultureOptions | None,
    host: HostOptions = EVERYDAY,
    tuning: Tuning = DEFAULT_TUNING,
    follow: tuple[str, ...] = (),
    controllers: Controllers = NO_CONTROLLERS,
    take: RecordingOptions = NOTHING_KEPT,
    freeze: bool,
    seed: int,
    profile: Profile | None = None,
    device: str,
) -> str:
    """Do the command's work; returns what to tell the user. Raises KellyError."""
    from dataclasses import replace

    from kelly_live.audio.sources import FileSource
    from kelly_live.core.timebase import ManualClock
    from kelly_live.engine.parts import (
        check_outputs,
        create_analyzer,
        create_beat_tracker,
        create_conductor,
        write_performance,
    )
    from kelly_live.engine.session import accompany
    from kelly_live.midi.scheduler_client import OfflineScheduler
    from kelly_live.ui.terminal import progress

    check_outputs([midi, wav, plot])
    host = host.for_profile(profile)
    players = host.host()
    source = FileSource(recording, ManualClock(), realtime=False)
    source.start()  # a file that cannot be read is told before the nets are loaded
    analyzer, opening = create_analyzer(device, replace(steering, freeze=freeze), culture, profile)
    scheduler = OfflineScheduler()
    title = f"Kelly Live: {recording.stem}"
    out = take.before(scheduler)
    conductor = create_conductor(out, seed=seed, host=players)
    scheduler.tune(tuning.with_programs((d.channel, d.program) for d in conductor.programs()))
    follower = create_beat_tracker(follow)
    recorder = take.begin(
        out, conductor, ManualClock(),
        seed=seed, host=host, players=players, tuning=tuning, culture=culture, profile=profile, live=False, title=title,
    )  # fmt: skip
    from kelly_live.emotion.read_ahead import read_ahead

    began = time.monotonic()
    with progress(source.duration_seconds or 0.0, "listening and playing") as bar:
        performance = accompany(
            read_ahead(source, analyzer),
            analyzer,
            conductor,
            scheduler,
            opening,
            bar.update,
            recorder,
            follower,
            expression(controllers, out),
        )
    took = time.monotonic() - began
    write_performance(performance, conductor, title=title, midi=midi, wav=wav, plot=plot)
    heard = performance.readings[-1].state.time
    lines = [f"{performance.end_seconds:.1f} s of music, made at {heard / max(took, 1e-9):.0f} x real time"]
    if source.damage:
        lines.append(f"note: {recording}: {source.damage}; what could be read was used")
    if source.replaced:
        lines.append(f"note: {recording}: {source.replaced} samples that were not numbers were taken as silence")
    lines += [f"wrote {path}" for path in (midi, wav, plot) if path is not None]
    lines += recorder.close() if recorder is not None else []
    return "\n".join(lines)
