"""Help for the music tests: parameters with defaults, a sink that records, the built-in band."""

from __future__ import annotations

import itertools

from kelly_live.core.values import (
    MODES,
    RHYTHMS,
    Dynamics,
    MusicParameters,
    NoteEvent,
    Register,
    Scale,
    TempoRange,
    TimingWeights,
)
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.base import Generator
from kelly_live.generators.builtin.bass import BassGenerator
from kelly_live.generators.builtin.chords import ChordGenerator
from kelly_live.generators.builtin.melody import MelodyGenerator
from kelly_live.generators.builtin.percussion import PercussionGenerator
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import Conductor
from kelly_live.music.context import MusicContext


def one_hot(names: tuple[str, ...], name: str) -> tuple[float, ...]:
    return tuple(float(n == name) for n in names)


def make_parameters(
    *,
    bpm: float = 100.0,
    mode: str = "ionian",
    centre: float = 69.0,
    half_range: float = 10.0,
    floor: float = 0.3,
    ceiling: float = 0.8,
    variance: float = 0.3,
    behind: float = 0.0,
    ahead: float = 0.0,
    density: float = 1.0,
    rhythm: str = "straight",
    scale: Scale | None = None,
    unrest: float = 0.0,
    groove: str = "",
) -> MusicParameters:
    """Parameters that differ from a plain middle only where the test says so."""
    return MusicParameters(
        tempo=TempoRange(max(20.0, bpm - 10.0), bpm, min(300.0, bpm + 10.0)),
        modes=one_hot(MODES, mode),
        register=Register(max(0.0, centre - half_range), centre, min(127.0, centre + half_range)),
        dynamics=Dynamics(floor, ceiling, variance),
        timing=TimingWeights(behind, 1.0 - behind - ahead, ahead),
        density=density,
        rhythms=one_hot(RHYTHMS, rhythm),
        scale=scale,
        unrest=unrest,
        groove=groove,
    )


class RecordingSink(NoteList):
    """A NoteList that can be asked for one part."""

    def part(self, name: str) -> list[NoteEvent]:
        return [note for note in self.notes if note.part == name]


def built_in() -> list[Generator]:
    return [ChordGenerator(), BassGenerator(), MelodyGenerator(), PercussionGenerator()]


def band(*others: Generator) -> GeneratorBand:
    """The built-in band, after any other players."""
    return GeneratorBand([*others, *built_in()])


def assert_cut_anywhere_the_same(
    player: Generator, parameters: MusicParameters, context: MusicContext, cuts: list[float]
) -> None:
    """Assert that a phrase cut at these shares gives the same notes, each piece within its span."""
    start, end = context.phrase.start_beat, context.phrase.end_beat
    edges = [start, *sorted(start + share * (end - start) for share in cuts), end]
    notes_at_once = list(player.generate(parameters, context, start, end))
    pieces: list[NoteEvent] = []
    for a, b in itertools.pairwise(edges):
        piece = player.generate(parameters, context, a, b)
        assert all(a <= note.onset_beats < b for note in piece)
        pieces += piece
    assert pieces == notes_at_once
    assert [n.onset_beats for n in notes_at_once] == sorted(n.onset_beats for n in notes_at_once)


def step(conductor: Conductor, start: float, end: float, parameters: MusicParameters) -> None:
    """Advance as a live session does, every tenth of a second from one time to another (both included)."""
    for tenth in range(round(10.0 * start), round(10.0 * end) + 1):
        conductor.advance(tenth / 10.0, parameters)


def play_piece(
    parameters: MusicParameters, *, bars: int = 16, seed: int = 3, tonic: int = 0, beats_per_bar: int | None = None
) -> RecordingSink:
    """Play a whole piece, from the first bar to its close."""
    sink = RecordingSink()
    conductor = Conductor(sink, band(), seed=seed, tonic=tonic, length_bars=bars, beats_per_bar=beats_per_bar)
    conductor.play_through(parameters)
    return sink
