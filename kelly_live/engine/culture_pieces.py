"""Pieces in a musical tradition: one to listen to, and one drawn beside its corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_live.core.pitch import octave_distance_cents

if TYPE_CHECKING:
    from kelly_live.core.values import MusicParameters, NoteEvent
    from kelly_live.ui.sheet import Panel

LISTEN_BEATS = 64  # and at least eight bars
SHEET_BARS = 8
COUNTED_BARS = 64  # of each of COUNTED_SEEDS pieces in which the share of each degree is counted
COUNTED_SEEDS = range(4)


@dataclass(frozen=True, slots=True)
class CulturePiece:
    """A piece that was written to files: the styles it is played in, its metre, its length in seconds."""

    styles: tuple[str, ...]
    metre: str | None
    seconds: float
    paths: tuple[Path, ...]


def write_culture_piece(name: str, folder: Path) -> CulturePiece:
    """Play a culture, the first half happy and the second half sad, as MIDI, WAV and picture.

    Raises KellyError.
    """
    from kelly_live.core.commands import Tuning
    from kelly_live.core.emotion_space import create_state
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.build import build_band, check_outputs, create_mapper
    from kelly_live.engine.composition import play_readings
    from kelly_live.engine.options.culture import CultureOptions
    from kelly_live.music.style.metre import choose_metre

    midi, wav, plot = paths = [folder / f"{name.replace(':', '-')}.{kind}" for kind in ("mid", "wav", "png")]
    check_outputs(paths)
    culture, seed = CultureOptions(name, 1.0), 1
    mapper = create_mapper(culture)
    happy, sad = (Reading(state, mapper(state)) for state in (create_state(emotion=one) for one in ("happy", "sad")))
    metre = choose_metre(happy.parameters.style, seed)
    bars = max(8, LISTEN_BEATS // (4 if metre is None else metre.bar_beats))
    performance = play_readings(
        happy,
        lambda bar, seconds: happy if bar < bars // 2 else sad,
        band=build_band(culture=culture),
        seed=seed,
        bars=bars,
        tuning=Tuning("bend"),
    ).with_title(f"Kelly Live: {name}")
    performance.write_files(midi=midi, wav=wav, plot=plot)
    styles = [reading.parameters.style for reading in (happy, sad)]
    return CulturePiece(
        styles=tuple(dict.fromkeys(name if style is None else style.name for style in styles)),
        metre=None if metre is None else metre.name,
        seconds=performance.end_seconds,
        paths=tuple(paths),
    )


def draw_cultures(names: list[str], path: Path) -> int:
    """Draw what each culture plays at the same emotion, as one PNG.

    Returns its size in bytes. Raises KellyError.
    """
    from kelly_live.core.atomic_write import write_atomically
    from kelly_live.engine.build import check_outputs
    from kelly_live.ui.sheet import draw_sheet

    check_outputs([path])
    picture = draw_sheet([_panel(name) for name in names], "What each tradition plays when the emotion is happy")
    write_atomically(path, picture)
    return len(picture)


def play_melody(parameters: MusicParameters, *, seed: int, tonic: int, bars: int) -> list[NoteEvent]:
    """Return the melody of a piece whose parameters never change."""
    from kelly_live.generators.band import GeneratorBand
    from kelly_live.generators.builtin.melody import MelodyGenerator
    from kelly_live.midi.offline import NoteList
    from kelly_live.music.conductor import Conductor

    sink = NoteList()
    Conductor(sink, GeneratorBand([MelodyGenerator()]), seed=seed, length_bars=bars, tonic=tonic).play_through(
        parameters
    )
    return [note for note in sink.notes if note.part == "melody"]


def _panel(name: str) -> Panel:
    from kelly_live.core.emotion_space import create_state
    from kelly_live.engine.build import create_conductor, create_mapper
    from kelly_live.engine.options.culture import CultureOptions
    from kelly_live.engine.options.piece import FixedKey, PieceOptions
    from kelly_live.midi.offline import NoteList
    from kelly_live.ui.sheet import Panel

    parameters = create_mapper(CultureOptions(name, 1.0))(create_state(emotion="happy"))
    style, sink = parameters.style, NoteList()
    conductor = create_conductor(sink, seed=1, length_bars=SHEET_BARS + 1, piece=PieceOptions(FixedKey(0)))
    conductor.play_through(parameters)
    bar_beats = conductor.status().beats_per_bar
    beats = float(SHEET_BARS * bar_beats)
    notes = tuple(
        (
            note.onset_beats,
            min(note.duration_beats, beats - note.onset_beats),
            100.0 * note.pitch + note.cents,
            note.part,
        )
        for note in sink.notes
        if note.onset_beats < beats
    )
    degrees: tuple[float, ...] = ()
    corpus_shares: tuple[float, ...] = ()
    played_shares: tuple[float, ...] = ()
    if style is not None and style.scale is not None:
        degrees = style.scale.degrees_cents
        corpus_shares = _corpus_weights(style.name)
        played_shares = _played_shares(parameters, degrees)
    caption = "" if style is None else style.name.partition(":")[2]
    return Panel(
        title=name,
        caption=caption,
        notes=notes,
        beats=beats,
        bar_beats=bar_beats,
        degrees=degrees,
        corpus_shares=corpus_shares,
        played_shares=played_shares,
    )


def _corpus_weights(style: str) -> tuple[float, ...]:
    """How often each degree is used in the style's corpus, as shares; empty where that is not known."""
    from kelly_live.cultures.library import choose_culture

    preset, _, mode = style.partition(":")
    culture = choose_culture(preset).preset
    source = culture.mode(mode) if mode else culture
    weights = None if source is None else source.degree_weights
    return () if weights is None else tuple(weight / sum(weights.value) for weight in weights.value)


def _played_shares(parameters: MusicParameters, degrees: tuple[float, ...]) -> tuple[float, ...]:
    """How long each degree sounds in our own melodies, as shares."""
    beats = [0.0] * len(degrees)
    for seed in COUNTED_SEEDS:
        for note in play_melody(parameters, seed=seed, tonic=0, bars=COUNTED_BARS):
            cents = 100.0 * note.pitch + note.cents
            nearest = min(range(len(degrees)), key=lambda n: abs(octave_distance_cents(cents, degrees[n])))
            beats[nearest] += note.duration_beats
    return tuple(share / max(sum(beats), 1e-9) for share in beats)
