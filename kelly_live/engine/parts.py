"""Builds the real parts that several commands wire together, and writes what an offline run made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kelly_live.core.errors import OutputError
from kelly_live.core.protocols import BeatTracker, EmotionOverride, Mapper, NoteSink, Reading
from kelly_live.core.resources import find_resources
from kelly_live.music.conductor import LIVE_SLICE_BEATS, LOOK_AHEAD_SECONDS, SLICE_BEATS, Conductor

if TYPE_CHECKING:
    from kelly_live.cli.options import CultureOptions
    from kelly_live.cultures.preset import Known
    from kelly_live.emotion.analyzer import LiveAnalyzer
    from kelly_live.engine.session import Performance
    from kelly_live.generators.host import Host
    from kelly_live.mapping.culture import CultureStage
    from kelly_live.profiles.profile import Profile


def create_conductor(
    sink: NoteSink,
    *,
    seed: int,
    length_bars: int | None = None,
    tonic: int | None = None,
    host: Host | None = None,
    live: bool = False,
    early_seconds: float = 0.0,
) -> Conductor:
    """The conductor with the host's band [default: the preset `band`]; players that failed to load are named and stay
    silent. `live` is answered sooner, by finer slices. Notes must be made so much earlier that they can be sent
    `early_seconds` before their time. Raises ConfigError.
    """
    from kelly_live.cli.hosting import HostOptions

    band = (host or HostOptions().host()).band
    for player in band.muted:
        click.echo(f"kelly-live: {player.name} is silent ({player.state}): {player.reason}", err=True)
    look_ahead = LOOK_AHEAD_SECONDS + early_seconds
    return Conductor(
        sink,
        band,
        seed=seed,
        tonic=tonic,
        length_bars=length_bars,
        look_ahead_seconds=look_ahead,
        slice_beats=LIVE_SLICE_BEATS if live else SLICE_BEATS,
    )


def create_beat_tracker(follow: Sequence[str]) -> BeatTracker | None:
    """Who hears the input's beat and key, of those asked for."""
    if not follow:
        return None
    from kelly_live.sync.audio_tracker import AudioTracker

    return AudioTracker(follow)


def create_culture_stage(wish: CultureOptions | None, device: str = "cpu") -> CultureStage | None:
    """The culture that was asked for, as the adapter learned it; a user's own preset by its numbers. Raises
    ConfigError.
    """
    if wish is None:
        return None
    from kelly_live.core.values import Scale
    from kelly_live.cultures.library import choose_culture, user_folder
    from kelly_live.cultures.style import chooser
    from kelly_live.lab.nets.culture import CulturalContextAdapter
    from kelly_live.lab.nets.system import load_part
    from kelly_live.mapping.culture import CultureStage

    choice = choose_culture(wish.name)
    preset, mode = choice.preset, choice.mode
    scale = None
    if mode is not None and mode.scale_cents is not None and wish.strength > 0.0:
        scale = Scale(f"{preset.name}:{mode.name}", mode.scale_cents.value)
    styles = chooser(preset, mode, wish.strength)
    adapter = load_part(find_resources("models"), "culture")
    assert isinstance(adapter, CulturalContextAdapter)
    own = (user_folder() / f"{preset.name}.yaml").is_file()  # a user's preset of a shipped name is not what was learned
    if preset.name in adapter.cultures and not own:
        return CultureStage.learned(adapter, preset.name, wish.strength, device, scale=scale, styles=styles)

    def value(known: Known[Any] | None) -> tuple[float, ...] | None:
        return None if known is None else known.value

    return CultureStage.of_numbers(
        wish.strength, device, scale=scale, styles=styles, tempo_bpm=value(preset.tempo_bpm),
        modes=value(preset.mode_preferences), dynamics=value(preset.dynamics), rhythms=value(preset.rhythms),
    )  # fmt: skip


def create_mapper(culture: CultureOptions | None = None, profile: Profile | None = None) -> Mapper:
    """The mapper for a profile, in the culture asked for, else in the profile's own. Raises KellyError."""
    from kelly_live.cli.options import CultureOptions
    from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper
    from kelly_live.lab.nets.system import load_part
    from kelly_live.mapping.mapper import LearnedMapper
    from kelly_live.mapping.person import embedding_of

    net = load_part(find_resources("models"), "mapper")
    assert isinstance(net, DynamicEmotionToMusicMapper)
    if culture is None and profile is not None and profile.culture is not None:
        culture = CultureOptions(profile.culture, profile.culture_strength)
    mapper = LearnedMapper(net, culture=create_culture_stage(culture))
    mapper.play_for(embedding_of(net, profile))
    return mapper


def create_analyzer(
    device: str, steering: EmotionOverride, culture: CultureOptions | None = None, profile: Profile | None = None
) -> tuple[LiveAnalyzer, Reading]:
    """The analyzer, and the reading to open with before anything is heard: neutral, steered."""
    import torch

    from kelly_live.core.override import apply_override, state_from
    from kelly_live.emotion.analyzer import LiveAnalyzer
    from kelly_live.emotion.reader import load_reader

    # One thread: a hop is too small to share out, and the other cores are the scheduler's and the synth's.
    torch.set_num_threads(1)
    mapper = create_mapper(culture, profile)
    opening = apply_override(replace(state_from(), confidence=0.0), steering)
    reader = load_reader(find_resources("models"), device)
    if reader.note is not None:
        click.echo(f"kelly-live: {reader.note}", err=True)
    elsewhere = reader.device.type != "cpu"
    spare = partial(load_reader, find_resources("models"), "cpu") if elsewhere else None
    analyzer = LiveAnalyzer(reader, mapper, steering, spare)
    if profile is not None:
        analyzer.calibrate(profile.offset)
    return analyzer, Reading(opening, mapper(opening))


def check_outputs(paths: Sequence[Path | None]) -> None:
    """Refuse before the work begins what could not be written after it. Raises OutputError."""
    chosen = [path for path in paths if path is not None]
    for path in chosen:
        folder = path.resolve().parent
        if not folder.is_dir():
            raise OutputError(f"cannot write {str(path)!r}: the folder {str(folder)!r} does not exist; make it first")
        if path.is_dir():
            raise OutputError(f"cannot write {str(path)!r}: that is a folder; add a file name")
        if not os.access(folder, os.W_OK):
            raise OutputError(f"cannot write {str(path)!r}: you may not write to its folder; name another")
    if len({path.resolve() for path in chosen}) < len(chosen):
        raise OutputError("two outputs have the same name, the second would replace the first; name them apart")


def write_performance(
    performance: Performance,
    conductor: Conductor,
    *,
    title: str,
    midi: Path | None = None,
    wav: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Write the MIDI file, the WAV and the picture that are asked for. Raises OutputError."""
    from kelly_live.midi.files import notes_from_messages, owners_of, write_midi

    players = conductor.programs()
    programs = {player.channel: player.program for player in players}
    parts: dict[int, str] = {}
    for player in players:  # those of one sound may share a channel, as two hands do
        parts[player.channel] = f"{parts[player.channel]}, {player.part}" if player.channel in parts else player.part
    owners = owners_of(performance.messages, performance.notes, performance.tempo_map)
    notes = notes_from_messages(performance.messages, programs, owners)
    if midi is not None:
        write_midi(
            midi, performance.messages, performance.tempo_map, track_names=parts, programs=programs, title=title,
            owners=owners,
        )  # fmt: skip
    if wav is not None:
        from kelly_live.audio.synth import SAMPLE_RATE, render, write_wav

        write_wav(wav, render(notes, programs), SAMPLE_RATE)
    if plot is not None:
        from kelly_live.ui.plot import plot_session

        plot_session(
            plot,
            states=[reading.state for reading in performance.readings],
            parameters=[reading.parameters for reading in performance.readings],
            notes=notes,
            duration_seconds=performance.end_seconds,
            parts=parts,
            title=title,
        )
