"""Note effects: given these notes of a player, these notes sound."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import NoteEvent
from kelly_live.generators.effects.registry import EFFECTS, create_effect
from kelly_live.generators.host_preset import EffectRequest, Setting, load_preset, read_preset
from kelly_live.generators.note_effect import MOST_WAITING, NoteEffect
from kelly_live.generators.parameter import Value
from kelly_live.generators.preset_band import PresetBand
from kelly_live.music.conductor import Conductor
from kelly_live.music.context import MusicContext
from tests.generators.test_generators import moment
from tests.music.band import RecordingSink, make_parameters

D_MAJOR = moment(index=0, mode="ionian")  # a phrase of four bars from beat 0
START, END = D_MAJOR.phrase.start_beat, D_MAJOR.phrase.end_beat


def note(beat: float, pitch: int, velocity: int = 80, beats: float = 0.5, channel: int = 3) -> NoteEvent:
    return NoteEvent(beat, beats, pitch, velocity, channel, "melody")


def process(name: str, notes: Sequence[NoteEvent], context: MusicContext = D_MAJOR, **values: Value) -> list[NoteEvent]:
    return list(create_effect(name, values).process(notes, context, START, END))


def score(notes: Sequence[NoteEvent]) -> list[tuple[float, int]]:
    return [(one.onset_beats, one.pitch) for one in notes]


def test_an_echo_repeats_a_note_softer_and_softer() -> None:
    notes = process("echo", [note(START, 60)], delay=1.0, repeats=3, decay=0.5, fit=False)
    assert [(one.onset_beats - START, one.pitch, one.velocity) for one in notes] == [
        (0.0, 60, 80),
        (1.0, 60, 40),
        (2.0, 60, 20),
        (3.0, 60, 10),
    ]


def test_a_repeat_that_would_not_be_heard_is_left_out() -> None:
    assert score(process("echo", [note(START, 60, velocity=12)], repeats=6, decay=0.1)) == [(START, 60)]


def test_repeats_are_tones_of_the_chord_that_sounds_by_then() -> None:
    notes = process("echo", [note(START + beat, 60 + beat) for beat in range(8)], delay=2.0, repeats=4, decay=0.9)
    repeats = [one for one in notes if one.velocity < 80]
    assert len(repeats) >= 20
    for one in repeats:
        assert one.pitch % 12 in D_MAJOR.chord_at(one.onset_beats).pitch_classes


def test_a_repeat_does_not_cut_off_the_same_pitch() -> None:
    notes = process("echo", [note(START, 60), note(START + 1.0, 60, beats=2.0)], delay=1.0, repeats=2, fit=False)
    assert score(notes) == [(START, 60), (START + 1.0, 60), (START + 3.0, 60)]


def test_an_echo_of_drums_keeps_the_drum() -> None:
    notes = process("echo", [note(START, 38, channel=10)], repeats=2, decay=0.9)
    assert [one.pitch for one in notes] == [38, 38, 38]


def test_the_last_bar_of_all_has_no_echo_and_whole_chords() -> None:
    closing = replace(D_MAJOR, closing=True)
    chord = [note(START, pitch, beats=4.0) for pitch in (60, 64, 67)]
    assert process("echo", chord, closing) == chord
    assert process("arpeggiator", chord, closing) == chord


@pytest.mark.parametrize(
    ("values", "pitches"),
    [
        ({}, [60, 64, 67, 60, 64, 67, 60, 64]),
        ({"order": "down"}, [67, 64, 60, 67, 64, 60, 67, 64]),
        ({"order": "up-down"}, [60, 64, 67, 64, 60, 64, 67, 64]),
        ({"octaves": 2}, [60, 64, 67, 72, 76, 79, 60, 64]),
        ({"rate": "quarter"}, [60, 64, 67, 60]),
    ],
    ids=str,
)
def test_an_arpeggiator_plays_the_tones_in_order(values: dict[str, Value], pitches: list[int]) -> None:
    notes = process("arpeggiator", [note(START, pitch, beats=4.0) for pitch in (67, 60, 64)], hold=False, **values)
    assert [one.pitch for one in notes] == pitches
    assert all(one.duration_beats < notes[1].onset_beats - notes[0].onset_beats for one in notes)


def test_a_chord_is_held_over_until_the_next_one_or_for_a_bar() -> None:
    notes = process("arpeggiator", [note(START, 60), note(START + 3.0, 65)], rate="quarter")
    assert score(notes)[:4] == [(START, 60), (START + 1, 60), (START + 2, 60), (START + 3, 65)]
    assert {one.pitch for one in notes[4:]} == {65}
    assert notes[-1].onset_beats == START + 7.0  # its half beat, and a bar


def test_a_common_tone_that_a_pad_ties_stays_in_the_arpeggio() -> None:
    pad = [note(START, 60, beats=8.0), note(START, 64, beats=4.0), note(START + 4.0, 65, beats=4.0)]
    notes = process("arpeggiator", pad, rate="quarter")
    assert [one.pitch for one in notes][:8] == [60, 64, 60, 64, 60, 65, 60, 65]


def test_a_third_below_stays_in_the_scale() -> None:
    notes = process("harmonizer", [note(START, 66), note(START + 0.5, 67), note(START + 1.0, 69)], interval="third")
    assert score(notes) == [
        (START, 66), (START, 62), (START + 0.5, 67), (START + 0.5, 64), (START + 1.0, 69), (START + 1.0, 66),
    ]  # fmt: skip
    assert notes[1].velocity == round(0.75 * notes[0].velocity)


def test_a_held_note_is_harmonized_by_a_tone_of_its_chord() -> None:
    for beat in range(int(START), int(END)):
        for pitch in (60, 62, 64, 65, 67, 69, 71):
            *_, second = process("harmonizer", [note(beat, pitch, beats=2.0)])
            assert second.pitch % 12 in D_MAJOR.chord_at(beat).pitch_classes


def test_a_humanizer_is_late_and_uneven_within_its_limits_and_the_same_for_a_seed() -> None:
    notes = [note(START + beat / 2, 60) for beat in range(16)]
    uneven = process("humanizer", notes, delay=20.0, velocity=10)
    assert uneven == process("humanizer", notes, delay=20.0, velocity=10)
    late_ms = [(b.onset_beats - a.onset_beats) * 60_000.0 / D_MAJOR.bpm for a, b in zip(notes, uneven, strict=True)]
    assert all(0.0 <= one <= 20.0 for one in late_ms)
    assert max(late_ms) - min(late_ms) > 5.0
    assert all(70 <= one.velocity <= 90 for one in uneven)
    assert len({one.velocity for one in uneven}) > 5


@given(
    name=st.sampled_from(sorted(EFFECTS)),
    played=st.lists(
        st.tuples(st.integers(0, 63), st.integers(0, 127), st.integers(1, 127), st.integers(1, 48)), max_size=24
    ),
    cuts=st.lists(st.floats(0.0, 1.0), max_size=6),
)
def test_short_slices_and_long_ones_give_the_same_notes(
    name: str, played: list[tuple[int, int, int, int]], cuts: list[float]
) -> None:
    """And they are sorted, in their slice, and can be played."""
    notes = [
        note(START + place / 4.0, pitch, velocity, beats / 8.0) for place, pitch, velocity, beats in sorted(played)
    ]
    whole = create_effect(name, {}).process(notes, D_MAJOR, START, END)
    assert all(START <= one.onset_beats < END for one in whole)
    assert list(whole) == sorted(whole, key=lambda one: one.onset_beats)

    effect = create_effect(name, {})
    edges = [START, *sorted(START + cut * (END - START) for cut in cuts), END]
    pieces: list[NoteEvent] = []
    for start, end in itertools.pairwise(edges):
        pieces += effect.process([one for one in notes if start <= one.onset_beats < end], D_MAJOR, start, end)
    assert sorted(pieces, key=_all_of) == sorted(whole, key=_all_of)


def _all_of(one: NoteEvent) -> tuple[float, int, int, float]:
    return one.onset_beats, one.pitch, one.velocity, one.duration_beats


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_a_reset_forgets_what_is_held(name: str) -> None:
    effect: NoteEffect = create_effect(name, {})
    effect.process([note(START, 60, beats=8.0)], D_MAJOR, START, START + 0.001)
    effect.reset()
    assert list(effect.process([], D_MAJOR, START + 0.001, END)) == []


def test_a_flood_is_held_up_to_a_bound() -> None:
    notes = process("humanizer", [note(START, 60)] * (2 * MOST_WAITING))
    assert len(notes) == MOST_WAITING


def test_a_preset_sets_an_effect_behind_a_player(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "format: 1\ntitle: T\nplayers:\n- generator: melody\n  effects:\n  - effect: echo\n    set: {repeats: 4}\n"
    )
    (player,) = read_preset(path).players
    assert [(one.name, one.values) for one in player.effects] == [("echo", (("repeats", "4"),))]


@pytest.mark.parametrize(
    ("effects", "reason"),
    [
        ("[{effect: echo}, {effect: echo}]", "name it once"),
        ("[{echo: 1}]", "effect"),
        ("[" + ", ".join(f"{{effect: e{i}}}" for i in range(9)) + "]", "at most 8 effects"),
    ],
)
def test_a_preset_that_breaks_a_rule_is_refused(tmp_path: Path, effects: str, reason: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"format: 1\ntitle: T\nplayers:\n- generator: melody\n  effects: {effects}\n")
    with pytest.raises(ConfigError, match=reason):
        read_preset(path)


def piece(band: PresetBand) -> list[NoteEvent]:
    sink = RecordingSink()
    Conductor(sink, band, seed=3, tonic=0, length_bars=8).play_through(make_parameters(density=2.0))
    return sink.notes


def test_an_effect_stands_behind_its_player_alone() -> None:
    preset = load_preset("band")
    plain = piece(PresetBand([preset]))
    echoed = piece(PresetBand([preset], effects=[EffectRequest("melody", "echo")]))
    assert [one for one in echoed if one.part != "melody"] == [one for one in plain if one.part != "melody"]
    own, with_repeats = ([one for one in notes if one.part == "melody"] for notes in (plain, echoed))
    assert len(with_repeats) > 2 * len(own)
    assert all(one in with_repeats for one in own)


def test_the_parameter_of_an_effect_is_set_by_its_place() -> None:
    effects = [EffectRequest("melody", "echo")]
    once = PresetBand([load_preset("band")], effects=effects, settings=[Setting("melody.echo", "repeats", "1")])
    (melody,) = (slot for slot in once.slots if slot.part == "melody")
    assert melody.effects[0].values.number("repeats") == 1


@pytest.mark.parametrize(
    ("effect", "setting", "reason"),
    [
        (("melody", "reverb"), None, "--effect: there is no note effect 'reverb'"),
        (("flute", "echo"), None, "there is no player 'flute'"),
        (("percussion", "harmonizer"), None, "harmonizer stands behind percussion, which plays drums"),
        (
            ("melody", "echo"),
            ("melody.echo", "repeats", "99"),
            "repeats is '99'; it must be a whole number from 1 to 6",
        ),
        (("melody", "echo"), ("bass.echo", "repeats", "2"), "there is no player 'bass.echo'"),
    ],
)
def test_what_reaches_nothing_is_refused(
    effect: tuple[str, str], setting: tuple[str, str, str] | None, reason: str
) -> None:
    settings = [] if setting is None else [Setting(*setting)]
    with pytest.raises(ConfigError, match=reason):
        PresetBand([load_preset("band")], effects=[EffectRequest(*effect)], settings=settings)
