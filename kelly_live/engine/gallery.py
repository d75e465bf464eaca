"""Two minutes of each emotion and one of each tradition, as files with a page that shows and plays them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTIONS
from kelly_live.core.wording import plural

if TYPE_CHECKING:
    from kelly_live.engine.performance import Performance
    from kelly_live.ui.rolls import Roll

EMOTION_SECONDS, TRADITION_SECONDS = 120.0, 60.0
EMOTION_FORM = "song"  # of the emotions; a tradition has its own
TRADITION_EMOTION = "happy"  # what each tradition plays
INDEX = "index.html"
GROUPS = ("emotions", "traditions")


@dataclass(frozen=True, slots=True)
class GalleryPiece:
    """A piece of the gallery: its files are NAME.mid, NAME.mp3 and NAME.png; `group` is one of GROUPS."""

    name: str
    group: str
    roll: Roll


def list_pieces(only: Sequence[str] = ()) -> list[tuple[str, str]]:
    """List (name, group) of all pieces, or of those that `only` names, by itself or by its group.

    Raises:
        ConfigError: A name is no emotion, tradition or group.
    """
    from kelly_live.cultures.library import CULTURES

    pieces = [(name, "emotions") for name in EMOTIONS] + [(name, "traditions") for name in CULTURES]
    known = {word for piece in pieces for word in piece}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ConfigError(
            f"the gallery has no {unknown[0][:40]!r}; name an emotion ({', '.join(EMOTIONS)}), a tradition "
            f"(`kelly-live cultures` lists them), emotions or traditions"
        )
    return [piece for piece in pieces if not only or set(piece) & set(only)]


def write_piece(folder: Path, name: str, group: str, *, seed: int) -> GalleryPiece:
    """Play a piece and write its MIDI, audio and piano roll. Raises KellyError."""
    from kelly_live.core.atomic_write import write_atomically
    from kelly_live.ui.rolls import draw_rolls

    performance = _play_emotion(name, seed) if group == "emotions" else _play_tradition(name, seed)
    roll = create_roll(performance, name)
    performance.write_midi(folder / f"{name}.mid")
    performance.write_mp3(folder / f"{name}.mp3")
    write_atomically(folder / f"{name}.png", draw_rolls([roll]))
    return GalleryPiece(name, group, roll)


def write_index(folder: Path, pieces: Sequence[GalleryPiece], *, seed: int) -> Path:
    """Write the page that shows and plays the pieces; returns its path. Raises OutputError."""
    from kelly_live.core.atomic_write import write_atomically

    lines = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Kelly Live: gallery</title>',
        "<style>body{font-family:sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#24292f}"
        "img{width:100%}audio{width:100%}h3{margin:2em 0 .2em}p{color:#6e7781;margin:.2em 0}</style>",
        f"<h1>Kelly Live</h1><p>Seed {seed}. Each piece: piano roll, audio of the built-in synthesiser, MIDI.</p>",
    ]
    for group, members in groupby(pieces, key=lambda piece: piece.group):
        lines.append(f"<h2>{group.capitalize()}</h2>")
        for piece in members:
            name = escape(piece.name)
            lines.append(
                f'<h3>{name}</h3><p>{escape(piece.roll.caption)}; <a href="{name}.mid">MIDI</a></p>'
                f'<img src="{name}.png" alt="piano roll of {name}">'
                f'<audio controls preload="none" src="{name}.mp3"></audio>'
            )
    path = folder / INDEX
    write_atomically(path, "\n".join(lines).encode())
    return path


def write_gallery(
    folder: Path, names: Sequence[tuple[str, str]], *, seed: int, report: Callable[[GalleryPiece], None]
) -> list[GalleryPiece]:
    """Write the pieces and their page; `report` is told of each piece. Raises KellyError.

    Each piece has a seed of its own, counted on from `seed`, so that they are not all in one key.
    """
    pieces, numbers = [], {name: number for number, (name, _) in enumerate(list_pieces())}
    for name, group in names:
        piece = write_piece(folder, name, group, seed=seed + numbers[name])
        report(piece)
        pieces.append(piece)
    write_index(folder, pieces, seed=seed)
    return pieces


def create_roll(performance: Performance, title: str) -> Roll:
    """Create the piano roll of a performance, its phrases marked."""
    from kelly_live.ui.rolls import Roll

    parts = {part.channel: part.name for part in performance.parts}
    notes = performance.sounding_notes()
    parameters = performance.readings[0].parameters
    caption = ", ".join(
        (
            f"{parameters.tempo.suggested:.0f} BPM",
            *performance.keys[:1],
            *((parameters.groove,) if parameters.groove else ()),
            plural(len(notes), "note"),
        )
    )
    return Roll(
        title,
        caption,
        tuple((n.start_seconds, n.end_seconds, n.pitch, n.velocity, parts.get(n.channel, "other")) for n in notes),
        performance.end_seconds,
        tuple(
            (
                performance.tempo_map.seconds_at(phrase.start_bar * phrase.beats_per_bar),
                phrase.role.section if phrase.role.starts else "",
            )
            for phrase in performance.phrases
        ),
    )


def _play_emotion(name: str, seed: int) -> Performance:
    from kelly_live.core.emotion_space import create_state
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.build import build_band, create_mapper
    from kelly_live.engine.composition import play_readings
    from kelly_live.engine.options.piece import PieceOptions

    state = create_state(emotion=name)
    parameters = create_mapper()(state)
    bars = _count_bars(EMOTION_SECONDS, parameters.tempo.suggested, 4)
    performance = play_readings(
        Reading(state, parameters), band=build_band(), seed=seed, bars=bars, piece=PieceOptions(form=EMOTION_FORM)
    )
    return performance.with_title(f"Kelly Live: {name}")


def _play_tradition(name: str, seed: int) -> Performance:
    from kelly_live.core.commands import Tuning
    from kelly_live.core.emotion_space import create_state
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.build import build_band, create_mapper
    from kelly_live.engine.composition import play_readings
    from kelly_live.engine.options.culture import CultureOptions
    from kelly_live.music.style.metre import choose_metre

    culture = CultureOptions(name, 1.0)
    state = create_state(emotion=TRADITION_EMOTION)
    parameters = create_mapper(culture)(state)
    metre = choose_metre(parameters.style, seed)
    bars = _count_bars(TRADITION_SECONDS, parameters.tempo.suggested, 4 if metre is None else metre.bar_beats)
    performance = play_readings(
        Reading(state, parameters), band=build_band(culture=culture), seed=seed, bars=bars, tuning=Tuning("bend")
    )
    return performance.with_title(f"Kelly Live: {name}")


def _count_bars(seconds: float, bpm: float, beats_per_bar: int) -> int:
    """Count the bars of whole groups of four that last at least so long, and the closing bar."""
    return 4 * max(1, math.ceil(seconds * bpm / 60.0 / (4.0 * beats_per_bar))) + 1
