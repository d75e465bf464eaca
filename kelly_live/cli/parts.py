"""Builds the real parts that several commands wire together, and writes what an offline run made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.config import resource_root
from kelly_live.errors import OutputError
from kelly_live.generators import registry
from kelly_live.music.conductor import Conductor, Muted
from kelly_live.protocols import Mapper, NoteSink, Reading, Steering

if TYPE_CHECKING:
    from kelly_live.analysis.analyzer import LiveAnalyzer
    from kelly_live.session import Performance


def make_conductor(sink: NoteSink, *, seed: int, length_bars: int | None = None) -> Conductor:
    """The conductor with every installed generator; those that failed to load are named and stay silent."""
    found = registry.load()
    muted = [Muted(f.name, f.problem or "unknown") for f in found if f.generator is None]
    for player in muted:
        click.echo(f"kelly-live: generator {player.name} is muted: {player.reason}", err=True)
    players = [f.generator for f in found if f.generator is not None]
    return Conductor(sink, players, seed=seed, length_bars=length_bars, muted=muted)


def make_mapper() -> Mapper:
    from kelly_live.analysis.mapping import load_mapper

    return load_mapper(resource_root("models"))


def make_analyzer(device: str, steering: Steering) -> tuple[LiveAnalyzer, Reading]:
    """The analyzer, and the reading to open with before anything is heard: neutral, steered."""
    import torch

    from kelly_live.analysis.analyzer import LiveAnalyzer
    from kelly_live.analysis.reader import load_reader
    from kelly_live.steering import apply_steering, state_from

    # One thread: a hop is too small to share out, and the other cores are the scheduler's and the synth's.
    torch.set_num_threads(1)
    mapper = make_mapper()
    opening = apply_steering(replace(state_from(), confidence=0.0), steering)
    analyzer = LiveAnalyzer(load_reader(resource_root("models"), device), mapper, steering)
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
    from kelly_live.midi.files import notes_from_messages, write_midi

    players = conductor.programs()
    programs = {player.channel: player.program for player in players}
    parts = {player.channel: player.part for player in players}
    notes = notes_from_messages(performance.messages)
    if midi is not None:
        write_midi(midi, performance.messages, performance.tempo_map, track_names=parts, programs=programs, title=title)
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
