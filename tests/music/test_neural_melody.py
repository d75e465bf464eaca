"""The tune of the melody transformer: the same for a seed, in contract with the chords, and nobody's."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from kelly_live.core.errors import ModelError
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.builtin.bass import BassGenerator
from kelly_live.generators.builtin.chords import ChordGenerator
from kelly_live.generators.builtin.melody_neural import NeuralMelodyGenerator
from kelly_live.music.conductor import Conductor
from kelly_live.music.context import MusicContext
from kelly_live.music.harmony import plan_phrase
from kelly_live.music.melody_net import MelodyNet, load_melody_checkpoint, load_melody_net
from kelly_live.music.neural_melody import NeuralMelody
from kelly_live.music.theory import Key, build_mode_scale
from tests.music.band import RecordingSink, make_parameters


def play(parameters: MusicParameters, *, seed: int = 3, bars: int = 17, slice_beats: float = 0.25) -> RecordingSink:
    sink = RecordingSink()
    band = GeneratorBand([ChordGenerator(), BassGenerator(), NeuralMelodyGenerator()])
    conductor = Conductor(sink, band, seed=seed, tonic=0, length_bars=bars, slice_beats=slice_beats)
    conductor.play_through(parameters)
    assert not band.muted
    return sink


def list_tune(sink: RecordingSink) -> Sequence[NoteEvent]:
    return sorted(sink.part("melody"), key=lambda note: note.onset_beats)


def test_a_seed_gives_the_same_tune_in_long_slices_and_short_ones() -> None:
    notes = list_tune(play(make_parameters()))
    assert notes == list_tune(play(make_parameters(), slice_beats=1 / 16))
    assert notes != list_tune(play(make_parameters(), seed=4))


def plan_context(index: int, mode: str = "ionian") -> MusicContext:
    phrase = plan_phrase(7, index, Key(0, build_mode_scale(mode)), start_bar=4 * index)
    return MusicContext(seed=7, phrase=phrase, rhythm="straight", bpm=100.0)


@pytest.mark.parametrize("notes_ahead", [1, 3, 30])
def test_a_bar_that_was_drawn_ahead_is_the_one_that_is_drawn_at_once(notes_ahead: int) -> None:
    """Of two phrases, the second in minor, which nobody expected; from bar 2 on twice as dense."""
    tunes = []
    for ahead in (0, notes_ahead):
        tune, bars = NeuralMelody(load_melody_net()), []
        for bar in range(8):
            context = plan_context(0) if bar < 4 else plan_context(1, "aeolian")
            context = replace(context, upcoming=(plan_context(1).phrase, "straight"))
            parameters = make_parameters(density=0.8 if bar < 2 else 1.6)
            bars.append(tune.list_bar(parameters, context, bar))
            for _ in range(ahead):
                tune.draw_ahead(parameters, context, bar + 1)
        tunes.append(bars)
    assert tunes[0] == tunes[1]
    assert all(tunes[0][bar] for bar in (0, 2, 5))


def test_most_of_a_bar_is_drawn_before_its_bar_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The net is asked for a note or two a slice, and not for a bar of them, where the feeling stays."""
    added = [0]
    add_note = MelodyNet.add_note

    def count(net: MelodyNet, columns: Sequence[int], features: np.ndarray, place: int) -> None:
        added[-1] += 1
        add_note(net, columns, features, place)

    monkeypatch.setattr(MelodyNet, "add_note", count)
    parameters = make_parameters(density=1.4)
    conductor = Conductor(
        RecordingSink(), GeneratorBand([ChordGenerator(), NeuralMelodyGenerator()]), seed=3, tonic=0, slice_beats=1 / 16
    )
    conductor.start(0.0, parameters)
    for step in range(4800):
        added.append(0)
        conductor.advance(0.005 * step, parameters)
    assert sum(added) > 40
    assert max(added[200:]) <= 2


def test_a_new_session_of_the_same_player_begins_the_tune_anew() -> None:
    band = GeneratorBand([ChordGenerator(), NeuralMelodyGenerator()])
    tunes = []
    for _ in range(2):
        sink = RecordingSink()
        Conductor(sink, band, seed=5, tonic=0, length_bars=9).play_through(make_parameters())
        tunes.append(list_tune(sink))
    assert tunes[0] == tunes[1]


def test_chords_hear_the_tune_and_do_not_strike_a_semitone_from_it() -> None:
    for seed in range(3):
        sink = play(make_parameters(density=1.3), seed=seed)
        for note in sink.part("melody"):
            together = [c for c in sink.part("chords") if abs(c.onset_beats - note.onset_beats) < 0.1]
            assert not any((c.pitch - note.pitch) % 12 in (1, 11) for c in together)


def test_density_and_register_are_the_feelings() -> None:
    sparse, dense = (list_tune(play(make_parameters(density=density))) for density in (0.5, 1.6))
    assert len(dense) > 1.5 * len(sparse)
    low, high = (
        statistics.mean(note.pitch for note in list_tune(play(make_parameters(centre=centre))))
        for centre in (57.0, 81.0)
    )
    assert high - low > 12.0


def test_a_tune_stays_in_its_register() -> None:
    pitches = [note.pitch for note in list_tune(play(make_parameters(centre=70.0, half_range=8.0), bars=33))]
    assert min(pitches) >= 61
    assert max(pitches) <= 79


def test_a_tune_quotes_no_song_for_more_than_a_bar() -> None:
    net = load_melody_net()
    for seed in range(4):
        notes = list_tune(play(make_parameters(density=1.2), seed=seed, bars=33))
        line = [
            (b.pitch - a.pitch, round(4 * b.onset_beats) - round(4 * a.onset_beats))
            for a, b in itertools.pairwise(notes[:-1])
        ]
        for first in range(len(line) - 4):
            length = next(
                (n for n in range(5, len(line) - first + 1) if sum(g for _, g in line[first : first + n]) > 16), None
            )
            assert length is None or not net.is_quoted(line[first : first + length])


def test_in_a_bar_of_three_it_plays_the_tune_of_the_rules() -> None:
    sink = RecordingSink()
    band = GeneratorBand([NeuralMelodyGenerator()])
    Conductor(sink, band, seed=1, tonic=0, length_bars=9, beats_per_bar=3).play_through(make_parameters())
    assert len(list_tune(sink)) > 8


@pytest.mark.parametrize("damage", ["missing", "shape"])
def test_a_checkpoint_that_does_not_fit_is_named(damage: str) -> None:
    checkpoint = load_melody_checkpoint()
    weights = dict(checkpoint.weights)
    if damage == "missing":
        del weights["gap.weight"], weights["step.weight"]
    else:
        weights["blocks.0.qkv.weight"] = np.zeros((3, 3))
    with pytest.raises(ModelError, match="does not fit"):
        MelodyNet.from_checkpoint(replace(checkpoint, weights=weights))
