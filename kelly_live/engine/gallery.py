"""A minute of each quadrant of the emotion plane, solo and with the band, as files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kelly_live.ui.rolls import Roll

QUADRANTS = {"happy": (0.5, 0.5), "tense": (-0.5, 0.5), "sad": (-0.5, -0.5), "calm": (0.5, -0.5)}
PRESETS = ("solo-piano", "band")
SECONDS = 60.0


def write_gallery(folder: Path, *, seed: int) -> Iterator[tuple[Path, Roll]]:
    """Write each piece as MIDI, WAV and picture.

    Yields the MIDI file and the roll of each. Raises KellyError.
    """
    for name, (valence, arousal) in QUADRANTS.items():
        for preset in PRESETS:
            path = folder / f"{name}-{preset}"
            yield path.with_name(f"{path.name}.mid"), _write_piece(path, preset, valence, arousal, seed, name)


def _write_piece(path: Path, preset: str, valence: float, arousal: float, seed: int, name: str) -> Roll:
    from kelly_live.core.emotion_space import create_state
    from kelly_live.core.protocols import Reading
    from kelly_live.core.wording import plural
    from kelly_live.engine.build import build_band, create_mapper
    from kelly_live.engine.composition import play_readings
    from kelly_live.engine.options.host import HostOptions
    from kelly_live.ui.rolls import Roll

    state = create_state(valence, arousal)
    parameters = create_mapper()(state)
    tempo = parameters.tempo.suggested
    bars = 4 * max(1, math.ceil(SECONDS * tempo / 60.0 / 16.0)) + 1
    title = f"{name}, {preset}"
    band = build_band(HostOptions((preset,)))
    performance = play_readings(Reading(state, parameters), band=band, seed=seed, bars=bars).with_title(title)
    performance.write_files(
        midi=path.with_name(f"{path.name}.mid"),
        wav=path.with_name(f"{path.name}.wav"),
        plot=path.with_name(f"{path.name}.png"),
    )
    parts = {part.channel: part.name for part in performance.parts}
    notes = performance.sounding_notes()
    return Roll(
        title,
        f"{tempo:.0f} BPM, {performance.tonic} {parameters.mode}, {plural(len(notes), 'note')}",
        tuple((n.start_seconds, n.end_seconds, n.pitch, n.velocity, parts.get(n.channel, "other")) for n in notes),
        performance.end_seconds,
    )
