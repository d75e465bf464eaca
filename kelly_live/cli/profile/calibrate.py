"""`kelly-live profile calibrate`: record the input at rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.core.memory import check_memory
from kelly_live.engine.options.audio import AudioInputOptions
from kelly_live.engine.options.click_options import (
    INPUT_FILE,
    CheckedCommand,
    Number,
    add_options,
    debug_option,
    device_option,
    models_option,
    name_option,
    print_line,
    reader_option,
)
from kelly_live.engine.profile_actions import MIN_SECONDS, describe_calibration, record_calibration

if TYPE_CHECKING:
    from kelly_live.core.protocols import AudioSource


@click.command("calibrate", cls=CheckedCommand, short_help="Record your neutral voice or playing for 30 s.")
@click.argument("name", required=False)
@click.option("--from", "file", type=INPUT_FILE, help="Read this recording instead of listening now.")
@name_option("--audio-in", "The audio input, by any part of its name [default: the system's].")
@click.option(
    "--seconds",
    type=Number(MIN_SECONDS, 600.0),
    default=30.0,
    show_default=True,
    help="How long to listen, at most.",
)
@click.option("--use/--keep-only", "use", default=None, help="Subtract it from what is read, or only keep it.")
@add_options(AudioInputOptions)
@device_option()
@reader_option()
@models_option
@debug_option
def command(
    name: str | None,
    file: Path | None,
    audio_in: str | None,
    seconds: float,
    use: bool | None,
    device: str,
    reader: str,
    options: AudioInputOptions,
) -> None:
    """Record your neutral voice or playing for 30 s, into your own microphone.

    Its mean reading is kept (numbers only, no audio); with --use it is subtracted from what is read while playing. It
    is off by default: on 27 voices that the net was not fitted on it did not help (arousal r -.04, valence -.01).
    """
    check_memory()  # before any native library is loaded
    from kelly_live.audio.decode import check_sound_file
    from kelly_live.audio.sources import FileSource
    from kelly_live.audio.supervised_source import SupervisedSource
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.emotion.registry import require_reader
    from kelly_live.profiles.store import ProfileStore

    store = ProfileStore()
    profile_name = store.default() if name is None else store.find(name)
    if profile_name is None:
        raise click.UsageError("say which profile, or make one the default (`kelly-live profile use NAME`)")
    if file is not None and audio_in is not None:
        raise click.UsageError("--from and --audio-in do not go together; give one or the other")
    if file is not None:
        check_sound_file(file, mix=options.build_mix())  # before the nets are loaded
    emotion_reader = require_reader(reader, device=device)
    clock = MonotonicClock()
    source: AudioSource
    if file is not None:
        source = FileSource(
            file, clock, realtime=False, sample_rate=emotion_reader.sample_rate, mix=options.build_mix()
        )
    else:
        source = SupervisedSource(audio_in, clock, mix=options.build_mix())
        source.open()
        print_line(f"listening to {source.name!r} for {seconds:g} s: be neutral …")
    take = record_calibration(source, emotion_reader, seconds)
    profile = store.update(
        profile_name, lambda saved: replace(saved, take=take, calibrate=saved.calibrate if use is None else use)
    )
    print_line(f"{profile.name}: {describe_calibration(profile)}")
