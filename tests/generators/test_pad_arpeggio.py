"""Pad and arpeggio: common tones sound on, figures turn, density and feeling are followed."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.values import MODES, RHYTHMS, MusicParameters, NoteEvent
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.base import Generator
from kelly_live.generators.builtin.arpeggio import PATTERNS, ArpeggioGenerator
from kelly_live.generators.builtin.pad import PadGenerator
from kelly_live.music.conductor import Conductor
from kelly_live.music.context import MusicContext
from tests.generators.test_generators import moment
from tests.music.band import RecordingSink, assert_cut_anywhere_the_same, make_parameters


def phrase_of(player: Generator, parameters: MusicParameters, context: MusicContext) -> list[NoteEvent]:
    return list(player.generate(parameters, context, context.phrase.start_beat, context.phrase.end_beat))


@settings(max_examples=40, deadline=None)
@given(
    player=st.sampled_from([PadGenerator(), ArpeggioGenerator()]),
    cuts=st.lists(st.floats(0.0, 1.0), max_size=6),
    seed=st.integers(0, 500),
    index=st.integers(0, 9),
    density=st.floats(0.0, 3.0),
    trend=st.sampled_from([-1.0, 0.0, 0.75]),
    mode=st.sampled_from(MODES),
    rhythm=st.sampled_from(RHYTHMS),
    per_bar=st.integers(2, 7),
)
def test_short_slices_and_long_ones_give_the_same_notes(
    player: Generator, cuts: list[float], seed: int, index: int, density: float, trend: float, mode: str, rhythm: str,
    per_bar: int,
) -> None:  # fmt: skip
    context = replace(moment(seed, index, mode, rhythm, per_bar), trend=trend)
    assert_cut_anywhere_the_same(player, make_parameters(density=density), context, cuts)


def test_the_pad_holds_the_chords_without_a_gap_and_strikes_only_what_changes() -> None:
    """At a change of chord only its tones sound, and a tone of both chords is not struck again."""
    context, parameters = moment(index=1), make_parameters(density=1.2)
    notes = phrase_of(PadGenerator(), parameters, context)
    spans = context.phrase.spans
    for span in spans:
        sounding_notes = [n for n in notes if n.onset_beats <= span.start_beat < n.onset_beats + n.duration_beats]
        assert len(sounding_notes) == 4
        assert {n.pitch % 12 for n in sounding_notes} <= set(span.chord.pitch_classes)
    struck_again = [a for a, b in itertools.pairwise(spans) if set(a.chord.pitch_classes) & set(b.chord.pitch_classes)]
    assert struck_again, "the phrase has common tones"
    assert len(notes) < 4 * len(spans)


def test_an_untied_pad_strikes_every_voice() -> None:
    context, player = moment(index=1), PadGenerator()
    player.configure({"tied": False})
    assert len(phrase_of(player, make_parameters(density=1.2), context)) == 4 * len(context.phrase.spans)


def test_the_pad_thins_where_it_is_calm_and_swells_where_the_feeling_builds() -> None:
    context = moment(index=1)
    calm, dense = (phrase_of(PadGenerator(), make_parameters(density=d), context) for d in (0.1, 1.2))
    assert len(calm) < len(dense)
    slow = replace(context, phrase=replace(context.phrase, spans=context.phrase.spans[:1]))
    slow = replace(
        slow, phrase=replace(slow.phrase, spans=(replace(slow.phrase.spans[0], end_beat=slow.phrase.end_beat),))
    )
    level, building = (
        phrase_of(PadGenerator(), make_parameters(density=1.4), replace(slow, trend=trend)) for trend in (0.0, 1.0)
    )
    assert len(building) == 2 * len(level)
    assert max(n.velocity for n in building) > max(n.velocity for n in level)


@pytest.mark.parametrize("pattern", PATTERNS[:3])
def test_the_arpeggio_walks_its_pattern_on_tones_of_the_chord(pattern: str) -> None:
    context, player = moment(index=0), ArpeggioGenerator()
    player.configure({"pattern": pattern, "octaves": 3})
    notes = phrase_of(player, make_parameters(density=3.0), context)
    for note in notes:
        assert note.pitch % 12 in context.chord_at(note.onset_beats).pitch_classes
    first = context.phrase.spans[0]
    figure = [n.pitch for n in notes if n.onset_beats < min(first.end_beat, first.start_beat + 1.5)]
    if pattern == "down":
        assert figure == sorted(figure, reverse=True)
    else:
        assert figure == sorted(figure)
    assert len(set(figure)) == len(figure) > 3


def test_the_arpeggio_is_one_voice_whose_pace_follows_density() -> None:
    counts = []
    for density in (0.05, 0.4, 1.0, 1.8):
        notes = phrase_of(ArpeggioGenerator(), make_parameters(density=density), moment(index=1))
        counts.append(len(notes))
        for a, b in itertools.pairwise(notes):
            assert a.onset_beats + a.duration_beats <= b.onset_beats + 1e-9
    assert counts[0] == 0
    assert counts == sorted(set(counts))


def test_both_end_a_piece_on_the_tonic() -> None:
    sink = RecordingSink()
    players: list[Generator] = [PadGenerator(), ArpeggioGenerator()]
    Conductor(sink, GeneratorBand(players), seed=5, tonic=0, length_bars=6).play_through(make_parameters())
    last_notes = [n for n in sink.notes if n.onset_beats > 19.8]
    assert {n.part for n in last_notes} == {"pad", "arpeggio"}
    assert {n.pitch % 12 for n in last_notes} <= {0, 4, 7}
    assert max(n.onset_beats + n.duration_beats for n in sink.notes) <= 24.2
