"""The band plays a culture's style in place of the players of its roles, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from kelly_live.core.values import CultureStyle, MusicParameters, NoteEvent, Scale
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.base import Descriptor, MusicContext, Parameter
from kelly_live.generators.builtin.melody import MelodyGenerator
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.generators.style_parts import STYLE_PARTS, create_style_part
from kelly_live.music.conductor import Conductor
from tests.music.band import RecordingSink, band, make_parameters

SLENDRO = Scale("slendro", (0.0, 233.4, 474.3, 718.6, 961.2))
GAMELAN = CultureStyle("gamelan", SLENDRO, texture="heterophony")
SONG = CultureStyle("song", SLENDRO, texture="chordal")
CONCERT_A = 69


class Whistle:
    """A third-party player: one A on each beat, whatever the style."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        self.calls = 0

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        self.calls += 1
        descriptor = self.descriptor
        return (
            [NoteEvent(start_beat, 0.5, CONCERT_A, 90, descriptor.channel, descriptor.part)]
            if start_beat % 1.0 == 0.0
            else []
        )

    def reset(self) -> None:
        pass


def whistle(part: str, *, yields_to_style: bool = True, parameters: tuple[Parameter, ...] = ()) -> Whistle:
    return Whistle(Descriptor("whistle", part, 12, 78, parameters, yields_to_style=yields_to_style))


def play(players: GeneratorBand, style: CultureStyle | None, bars: int = 9) -> RecordingSink:
    sink = RecordingSink()
    Conductor(sink, players, seed=3, tonic=0, length_bars=bars).play_through(replace(make_parameters(), style=style))
    assert players.muted == ()
    return sink


def line(notes: Sequence[NoteEvent]) -> list[tuple[float, int]]:
    return [(note.onset_beats, note.pitch) for note in notes]


@pytest.mark.parametrize("part", STYLE_PARTS)
def test_a_style_is_played_in_the_slot_of_any_player_that_yields(part: str) -> None:
    player = whistle(part)
    plug_in_notes = play(GeneratorBand([PlayerSlot(player, "plug-in", channel=14, program=1)]), GAMELAN)
    assert player.calls == 0
    assert all((note.channel, note.part) == (14, "plug-in") for note in plug_in_notes.notes)
    assert bool(plug_in_notes.notes) == (part != "arpeggio"), "a style without chords has none to break"
    assert play(GeneratorBand([player]), None).notes, "without a style the player plays"


def test_a_plug_in_s_slot_plays_what_the_built_in_player_s_does() -> None:
    built_in_notes = play(band(), GAMELAN)
    plug_in_notes = play(GeneratorBand([whistle("melody")]), GAMELAN)
    assert line(plug_in_notes.part("melody")) == line(built_in_notes.part("melody"))


@pytest.mark.parametrize("player", [whistle("whistle"), whistle("melody", yields_to_style=False)])
def test_a_player_of_another_role_or_that_does_not_yield_is_left_alone(player: Whistle) -> None:
    sink = play(GeneratorBand([player]), GAMELAN)
    assert {note.pitch for note in sink.notes} == {CONCERT_A}
    assert create_style_part(player.descriptor, {}) is None


def test_a_style_that_has_chords_takes_the_melody_and_leaves_the_chords() -> None:
    melody, chords = whistle("melody"), whistle("chords")
    sink = play(GeneratorBand([melody, chords]), SONG)
    assert melody.calls == 0
    assert {note.pitch for note in sink.part("chords")} == {CONCERT_A}


def test_a_style_that_comes_and_goes_takes_its_slot_and_gives_it_back() -> None:
    player, sink = whistle("melody"), RecordingSink()
    plain, styled = make_parameters(), replace(make_parameters(), style=SONG)
    Conductor(sink, GeneratorBand([player]), seed=3, tonic=0, length_bars=25).play_through(
        plain, lambda beat: styled if 16 <= beat < 48 else plain
    )
    pitches = {bars: {n.pitch for n in sink.notes if 4 * bars[0] <= n.onset_beats + 0.1 < 4 * bars[1]} for bars in
             ((0, 4), (9, 12), (21, 24))}  # fmt: skip
    assert pitches[0, 4] == pitches[21, 24] == {CONCERT_A}
    assert len(pitches[9, 12]) > 1


@pytest.mark.parametrize(
    "player", [MelodyGenerator(), whistle("melody", parameters=MelodyGenerator.descriptor.parameters)]
)
def test_the_melody_s_octave_moves_the_style_s_melody_too(player: Whistle | MelodyGenerator) -> None:
    low, high = (
        play(GeneratorBand([PlayerSlot(player, "melody", 3, 0, values={"octave": octave})]), GAMELAN)
        for octave in (0, 1)
    )
    assert len(low.notes) > 20
    assert sorted(n.pitch for n in high.notes) == sorted(n.pitch + 12 for n in low.notes)


def test_a_parameter_of_the_same_name_and_another_range_is_the_player_s_own() -> None:
    player = whistle("melody", parameters=(Parameter("octave", 5, "the register", low=4, high=7),))
    part = create_style_part(player.descriptor, {"octave": 6})
    assert part is not None
    assert part.number("octave") == 0.0
