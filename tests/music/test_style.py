"""A tradition's melody: its own tones and steps, its own measure, and no other."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.errors import ConfigError
from kelly_live.core.pitch import octave_distance_cents
from kelly_live.core.values import ORNAMENTS, TEXTURES, CultureStyle, Metre, MusicParameters, NoteEvent, Register, Scale
from kelly_live.generators import style_parts
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.builtin.melody import MelodyGenerator
from kelly_live.generators.style_parts import STYLE_PARTS, create_style_part
from kelly_live.music.conductor import Conductor
from kelly_live.music.context import MusicContext
from kelly_live.music.harmony import plan_phrase
from kelly_live.music.style.metre import choose_metre, swing_beat
from kelly_live.music.style.rhythm import place_onsets
from kelly_live.music.style.scale import choose_harmonic_scale
from kelly_live.music.theory import Key
from tests.music.band import RecordingSink, assert_cut_anywhere_the_same, band, built_in, make_parameters

SLENDRO = Scale("slendro", (0.0, 233.4, 474.3, 718.6, 961.2))
HICAZ = CultureStyle(
    "hicaz",
    Scale("hicaz", (0.0, 109.1, 380.1, 497.4, 707.7, 798.9, 990.7)),
    (0.3, 0.1, 0.1, 0.2, 0.2, 0.05, 0.05),
    ((-271.0, 0.1), (-204.0, 0.2), (-113.0, 0.2), (0.0, 0.15), (113.0, 0.2), (204.0, 0.1), (271.0, 0.05)),
    texture="heterophony",
)
AKSAK = Metre("9/8", 1.0, 0.5, (2, 2, 2, 3), (0.9, 0.0) * 3 + (0.8, 0.1, 0.3) * 4)


def in_style(style: CultureStyle, **rest: float) -> MusicParameters:
    return replace(make_parameters(**rest), style=style)  # type: ignore[arg-type]


def play_in(style: CultureStyle, *, bars: int = 17, seed: int = 3, tonic: int = 0, **rest: float) -> RecordingSink:
    sink = RecordingSink()
    Conductor(sink, band(), seed=seed, tonic=tonic, length_bars=bars).play_through(in_style(style, **rest))
    return sink


def cents_of(note: NoteEvent) -> float:
    return (100.0 * note.pitch + note.cents) % 1200.0


def moment(style: CultureStyle, seed: int = 3, index: int = 1) -> MusicContext:
    metre = choose_metre(style, seed)
    key = Key(2, choose_harmonic_scale(style) or SLENDRO)
    per_bar = 4 if metre is None else metre.bar_beats
    phrase = plan_phrase(seed, index, key, start_bar=4 * index, beats_per_bar=per_bar)
    return MusicContext(seed=seed, phrase=phrase, rhythm="straight", bpm=100.0)


@pytest.mark.parametrize("texture", [t for t in TEXTURES if t != "chordal"])
def test_no_tone_sounds_that_the_tradition_does_not_have(texture: str) -> None:
    sink = play_in(CultureStyle("gamelan", SLENDRO, texture=texture), tonic=2, density=1.5)
    pitched_notes = [note for note in sink.notes if note.part != "percussion"]
    assert pitched_notes
    for note in pitched_notes:
        distance = min(abs(octave_distance_cents(cents_of(note) - 200.0, degree)) for degree in SLENDRO.degrees_cents)
        assert distance < 0.01


@pytest.mark.parametrize("texture", [t for t in TEXTURES if t != "chordal"])
def test_a_tradition_without_chords_has_no_triads(texture: str) -> None:
    """Never do three tones of three pitch classes begin together in the accompaniment."""
    sink = play_in(CultureStyle("hicaz", HICAZ.scale, texture=texture), density=2.0)
    together: dict[float, set[float]] = {}
    for note in (*sink.part("chords"), *sink.part("bass")):
        together.setdefault(round(4 * note.onset_beats) / 4, set()).add(round(cents_of(note)))
    assert all(len(tones) <= 2 for tones in together.values())


def test_a_drone_is_the_tonic_and_its_fifth() -> None:
    sink = play_in(CultureStyle("raga", HICAZ.scale, texture="drone"))
    assert {round(cents_of(note)) for note in sink.part("chords")} == {0, 708}
    assert {round(cents_of(note)) for note in sink.part("bass")} == {0}


def test_a_single_voice_is_alone() -> None:
    assert {note.part for note in play_in(CultureStyle("air", HICAZ.scale, texture="monophony")).notes} == {"melody"}


def test_the_second_player_plays_some_of_the_notes_later() -> None:
    sink = play_in(HICAZ, density=1.5)
    melody, second = sink.part("melody"), sink.part("chords")
    assert 0.4 * len(melody) < len(second) < len(melody)
    told_by = {round(note.onset_beats * 4) / 4: cents_of(note) for note in melody}
    late = [note.onset_beats - round(note.onset_beats * 4) / 4 for note in second[:-1]]
    assert np.median(late) > 0.03
    for note in second:
        assert math.isclose(cents_of(note), told_by[round(note.onset_beats * 4) / 4], abs_tol=0.01)


def test_chords_stand_on_the_seven_weightiest_degrees() -> None:
    weights = (0.2, 0.01, 0.15, 0.02, 0.12, 0.1, 0.01, 0.2, 0.02, 0.1, 0.03, 0.04)
    chromatic = CultureStyle("jazz", Scale("jazz", tuple(100.0 * n for n in range(12))), weights, texture="chordal")
    scale = choose_harmonic_scale(chromatic)
    assert scale is not None
    assert scale.degrees_cents == (0.0, 200.0, 400.0, 500.0, 700.0, 900.0, 1100.0)
    assert len({round(cents_of(note)) for note in play_in(chromatic).part("chords")}) >= 5


def test_nine_eighths_are_two_two_two_three() -> None:
    """Two measures a bar: groups are struck, the downbeat loudest, the groups louder than the rest."""
    sink = play_in(CultureStyle("aksak", SLENDRO, metres=(AKSAK,), texture="heterophony"), bars=9, density=2.0)
    strokes: dict[float, list[int]] = {}
    for note in sink.part("percussion"):
        strokes.setdefault(round(2.0 * note.onset_beats) / 2.0 % 4.5, []).append(note.velocity)
    loud = {place: float(np.mean(velocities)) for place, velocities in strokes.items()}
    assert {0.0, 1.0, 2.0, 3.0} <= set(loud)
    assert loud[0.0] > max(loud[1.0], loud[2.0], loud[3.0])
    assert min(loud[1.0], loud[2.0], loud[3.0]) > max(
        loud[place] for place in loud if place not in (0.0, 1.0, 2.0, 3.0)
    )


def test_the_metre_makes_the_conductor_s_bar() -> None:
    sink = RecordingSink()
    conductor = Conductor(sink, band(), seed=1, length_bars=2)
    end = conductor.play_through(in_style(CultureStyle("aksak", SLENDRO, metres=(AKSAK,))))
    assert end == 18.0
    assert conductor.status().beats_per_bar == 9


def test_a_long_cycle_begins_every_other_bar() -> None:
    """28 beats in bars of 14: the low drum, the loudest stroke and the melody's places come once a cycle."""
    profile = (1.0, *(0.0,) * 27, 0.5, *(0.0, 1.0) * 13, 0.0)  # half beats
    cycle = Metre("28/4", 1.0, 1.0, (2,) * 14, profile)
    sink = play_in(CultureStyle("usul", SLENDRO, metres=(cycle,), texture="heterophony"), bars=9, density=0.8)
    low = [note for note in sink.part("percussion") if note.pitch == 64]
    assert [round(note.onset_beats) for note in low] == [0, 28, 56, 84, 112]
    high = [note for note in sink.part("percussion") if note.pitch == 63]
    assert {round(note.onset_beats) % 14 for note in high} == {*range(0, 14, 2)}
    assert np.mean([n.velocity for n in low]) > np.mean([n.velocity for n in high if round(n.onset_beats) % 14 == 0])
    context = moment(CultureStyle("usul", SLENDRO, metres=(cycle,)), index=1)
    first, second = (
        place_onsets(in_style(CultureStyle("usul", SLENDRO, metres=(cycle,))), context, bar) for bar in (4, 5)
    )
    assert first == (0.0,)
    assert {*range(1, 13)} <= {*second} <= {*range(14)}


@pytest.mark.parametrize("strength", [0.25, 0.5, 0.75])
def test_as_many_phrases_as_the_strength_says_are_in_the_scale(strength: float) -> None:
    """Of sixteen phrases a quarter, a half, three quarters: evenly spread, not in a row."""
    style = replace(HICAZ, strength=strength, texture="monophony")
    for seed in range(4):
        melody = play_in(style, bars=65, seed=seed, density=1.2).part("melody")
        scale = [False] * 16
        for note in melody:
            if note.onset_beats < 255.9:
                scale[int((note.onset_beats + 0.1) // 16)] |= cents_of(note) % 100.0 > 1.0
        assert sum(scale) == 16 * strength
        assert max(len(run) for run in "".join("x" if is_in_scale else " " for is_in_scale in scale).split()) <= (
            3 if strength > 0.5 else 1
        )


def test_a_phrase_that_is_not_in_the_scale_is_in_the_feeling_s_mode() -> None:
    sink = play_in(replace(HICAZ, strength=0.5), bars=33, density=1.5)
    plain = [note for note in sink.part("melody") if cents_of(note) % 100.0 == 0.0]
    assert {round(cents_of(note)) for note in plain} >= {0, 200, 400, 500, 700, 900}


@pytest.mark.parametrize(
    ("metre", "bar"),
    [
        (Metre("2/4", 1.0, 1.0, (1, 1), (1.0,)), 4), (Metre("3/4", 1.0, 1.0, (1, 1, 1), (1.0,)), 3),
        (Metre("6/8", 1.0, 1 / 3, (3, 3), (1.0,)), 4), (Metre("7/8", 1.0, 0.5, (3, 2, 2), (1.0,)), 7),
        (Metre("1/4", 1.0, 1.0, (1,), (1.0,)), 4),
    ],
)  # fmt: skip
def test_measures_are_counted_together_until_they_make_whole_beats(metre: Metre, bar: int) -> None:
    assert metre.bar_beats == bar


def test_metres_come_by_their_shares() -> None:
    three = Metre("3/4", 0.25, 1.0, (1, 1, 1), (1.0,))
    four = Metre("4/4", 0.75, 1.0, (2, 2), (1.0,))
    counts = Counter(choose_metre(CultureStyle("x", metres=(three, four)), seed).name for seed in range(400))  # type: ignore[union-attr]
    assert 0.68 < counts["4/4"] / 400 < 0.82


def test_notes_fall_where_the_profile_says() -> None:
    profile = (0.95, 0.0, 0.4, 0.0, 0.8, 0.0, 0.1, 0.0, 0.9, 0.0, 0.5, 0.0, 0.7, 0.0, 0.2, 0.0)
    style = CultureStyle("x", SLENDRO, metres=(Metre("4/4", 1.0, 1.0, (2, 2), profile),), texture="monophony")
    onset_counts: Counter[int] = Counter()
    for seed in range(60):
        context = moment(style, seed)
        for bar in range(context.phrase.start_bar, context.phrase.start_bar + 3):
            onset_counts.update(round(4 * place) for place in place_onsets(in_style(style, density=0.8), context, bar))
    assert set(onset_counts) <= {cell for cell, chance in enumerate(profile) if chance > 0.0}
    for cell, chance in enumerate(profile):
        assert abs(onset_counts[cell] / 180 - chance) < 0.15


@settings(max_examples=30, deadline=None)
@given(low=st.floats(0.05, 2.5), more=st.floats(0.0, 2.0), seed=st.integers(0, 99))
def test_more_density_only_adds_notes(low: float, more: float, seed: int) -> None:
    style = CultureStyle("aksak", SLENDRO, metres=(AKSAK,))
    context = moment(style, seed)
    sparse, dense = (
        place_onsets(in_style(style, density=min(3.0, d)), context, context.phrase.start_bar) for d in (low, low + more)
    )
    assert set(sparse) <= set(dense) or sparse == (0.0,)


MAJOR = Scale("major", (0.0, 200.0, 400.0, 500.0, 700.0, 900.0, 1100.0))
UNEVEN = Metre(
    "4/4", 1.0, 1.0, (2, 2), (0.95, 0.0, 0.0, 0.1, 0.2, 0.0, 0.4, 0.0, 0.5, 0.0, 0.1, 0.3, 0.3, 0.0, 0.6, 0.0)
)


@pytest.mark.parametrize(
    ("scale", "weights", "texture", "metres"),
    [
        (SLENDRO, (0.3, 0.15, 0.2, 0.25, 0.1), "monophony", ()),
        (SLENDRO, (0.3, 0.15, 0.2, 0.25, 0.1), "chordal", ()),
        (MAJOR, (0.2, 0.15, 0.22, 0.08, 0.2, 0.1, 0.05), "chordal", (UNEVEN,)),
    ],
    ids=["alone", "chords", "long downbeats on chords"],
)
def test_the_line_keeps_both_habits(
    scale: Scale, weights: tuple[float, ...], texture: str, metres: tuple[Metre, ...]
) -> None:
    """The line keeps the shares of degrees and of intervals.

    A walk whose habits are known is measured, and found again in what is played: each degree for as much of the time,
    each step as often; rests at the ends of phrases, what leads to them, the chords' pull on downbeats that last and
    the closing tonic included. No leap is taken that the walk does not take.
    """
    size = len(weights)
    key = Key(0, scale)
    steps = np.array(key.steps_within(57, 81))
    cents = np.array([key.cents(int(step)) for step in steps])
    leaps = np.rint(cents[None, :] - cents[:, None])
    walk = np.outer(*(np.array(weights)[steps % size],) * 2) * np.exp(-np.abs(leaps) / 300.0)
    walk = np.where(np.abs(leaps) <= 750.0, walk, 0.0)
    walk /= walk.sum()
    degrees = tuple(float(walk.sum(axis=1)[steps % size == degree].sum()) for degree in range(size))
    sizes = tuple((float(leap), float(walk[leaps == leap].sum())) for leap in np.unique(leaps) if abs(leap) <= 750.0)
    style = CultureStyle(
        "walk", scale, degrees, sizes, metres, density=1.0, register=Register(57, 69, 81), texture=texture
    )  # fmt: skip
    time, moves = np.zeros(size), Counter[float]()
    for seed in range(24):
        sink = RecordingSink()
        Conductor(sink, GeneratorBand([MelodyGenerator()]), seed=seed, tonic=0, length_bars=64).play_through(
            in_style(style, density=0.8)
        )
        for note in sink.notes:
            time[np.abs(np.array(scale.degrees_cents) - cents_of(note)).argmin()] += note.duration_beats
        heights = np.array([100.0 * note.pitch + note.cents for note in sink.notes])
        moves.update(np.rint(np.diff(heights)).tolist())
    assert np.abs(time / time.sum() - degrees).max() < 0.025
    step_counts = Counter[float]()
    for leap, count in moves.items():
        size = min(sizes, key=lambda size_and_share: abs(size_and_share[0] - leap))[0]
        assert abs(size - leap) < 3.0
        step_counts[size] += count
    for leap, share in sizes:
        assert abs(step_counts[leap] / moves.total() - share) < 0.02


def test_an_answer_ends_on_the_tonic() -> None:
    for seed in range(5):
        melody = play_in(HICAZ, seed=seed).part("melody")
        last = max(note.onset_beats for note in melody if note.onset_beats < 31.9)
        assert [round(cents_of(note)) for note in melody if note.onset_beats == last] == [0]


@pytest.mark.parametrize("kind", ORNAMENTS)
def test_ornaments_come_at_their_rate(kind: str) -> None:
    rates = tuple(0.3 * (name == kind) for name in ORNAMENTS)
    plain = play_in(CultureStyle("plain", SLENDRO, texture="monophony"), bars=129, density=0.6).part("melody")
    style = CultureStyle("graced", SLENDRO, ornaments=rates, texture="monophony")
    graced = play_in(style, bars=129, density=0.6).part("melody")
    short = sum(note.duration_beats < 0.12 for note in graced)
    figure = {"grace": 1, "mordent": 2, "trill": 4, "turn": 3, "tremolo": 3}[kind]
    assert len(graced) - len(plain) == short
    assert 0.2 < short / figure / len(plain) < 0.4


@given(beat=st.integers(0, 999), place=st.sampled_from((0.0, 0.25, 0.5, 0.75)), ratio=st.floats(1.0, 3.0))
def test_swing_keeps_the_order_and_the_beat(beat: int, place: float, ratio: float) -> None:
    late = swing_beat(beat + place, ratio)
    assert beat + place <= late + 1e-9
    assert late < beat + 1
    if place == 0.5:
        assert math.isclose((late - beat) / (1 - (late - beat)), ratio, rel_tol=1e-6)
    assert swing_beat(beat + 1 / 3, ratio) == beat + 1 / 3


cents = st.lists(st.floats(1.0, 1199.0), max_size=11, unique=True).map(lambda rest: (0.0, *sorted(rest)))
profiles = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20).map(tuple)
metres = st.builds(
    lambda unit, groups, profile: (unit, tuple(groups), profile),
    st.sampled_from((1 / 3, 0.5, 1.0)),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    profiles,
).filter(lambda given: _is_whole(given[0] * sum(given[1])))


def _is_whole(beats: float) -> bool:
    return any(abs(n * beats - round(n * beats)) < 1e-6 for n in (1, 2, 4))


@st.composite
def any_style(draw: st.DrawFn) -> CultureStyle:
    scale = Scale("any", draw(cents))
    weights = [draw(st.floats(0.0, 1.0)) + 0.001 for _ in scale.degrees_cents]
    steps = draw(st.dictionaries(st.integers(-1500, 1500), st.floats(0.0, 1.0), max_size=8))
    metre = draw(st.none() | metres)
    return CultureStyle(
        "any",
        scale,
        tuple(weight / sum(weights) for weight in weights) if draw(st.booleans()) else (),
        tuple((float(size), share) for size, share in steps.items()),
        () if metre is None else (Metre("any", 1.0, *metre),),
        draw(st.none() | st.floats(0.05, 4.0)),
        tuple(draw(st.floats(0.0, 0.5)) for _ in ORNAMENTS),
        draw(st.floats(0.5, 3.0)),
        draw(st.none() | st.sampled_from(TEXTURES)),
        draw(st.none() | st.just(Register(50.0, 60.0, 66.0))),
    )


@settings(max_examples=40, deadline=None)
@given(
    style=any_style(),
    seed=st.integers(0, 500),
    index=st.integers(0, 9),
    density=st.floats(0.0, 3.0),
    cuts=st.lists(st.floats(0.0, 1.0), max_size=6),
)
def test_any_style_is_playable_and_cut_anywhere_the_same(
    style: CultureStyle, seed: int, index: int, density: float, cuts: list[float]
) -> None:
    context, parameters = moment(style, seed, index), in_style(style, density=density)
    for player in built_in():
        part = create_style_part(player.descriptor, {})
        assert part is not None
        plays = part if part.is_in_style(parameters, context) else player
        assert_cut_anywhere_the_same(plays, parameters, context, cuts)


def test_without_a_style_its_modules_are_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("asked although there is no style")

    for part in STYLE_PARTS.values():
        monkeypatch.setattr(part, "bar_notes", fail)
    monkeypatch.setattr(style_parts, "build_line", fail)
    sink = RecordingSink()
    conductor = Conductor(sink, band(), seed=1, length_bars=9)
    conductor.play_through(make_parameters())
    assert not conductor.status().muted
    assert {note.part for note in sink.notes} == {"melody", "chords", "bass", "percussion"}


def test_another_mode_waits_for_the_phrase() -> None:
    """Asked for in the middle of the first phrase, it is there from the second on, and not before."""
    other = CultureStyle("pelog", Scale("pelog", (0.0, 119.5, 255.8, 547.1, 672.2, 781.8, 946.9)), texture="monophony")
    first, then = in_style(CultureStyle("slendro", SLENDRO, texture="monophony")), in_style(other)
    sink = RecordingSink()
    conductor = Conductor(sink, band(), seed=3, tonic=0, length_bars=9)
    conductor.play_through(first, lambda beat: first if beat < 6 else then)
    degrees = {True: set(), False: set()}  # type: dict[bool, set[float]]
    for note in sink.notes:
        degrees[note.onset_beats < 15.9].add(round(cents_of(note), 1))
    assert degrees[True] <= {*SLENDRO.degrees_cents}
    assert degrees[False] <= {*other.scale.degrees_cents}  # type: ignore[union-attr]
    assert len(degrees[False]) >= 5


def test_a_tradition_that_comes_in_later_keeps_the_bar_that_is_there() -> None:
    sink = RecordingSink()
    conductor = Conductor(sink, band(), seed=3, tonic=0, length_bars=13)
    late = in_style(CultureStyle("aksak", SLENDRO, metres=(AKSAK,), texture="heterophony"))
    conductor.play_through(make_parameters(), lambda beat: make_parameters() if beat < 6 else late)
    assert conductor.status().beats_per_bar == 4
    assert not conductor.status().muted
    assert max(note.onset_beats for note in sink.part("melody")) > 40.0


def test_a_tradition_known_only_by_its_rhythm_keeps_the_band_s_own_tones() -> None:
    profile = (1.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.9, 0.0, 0.9, 0.0, 0.0, 0.0)
    clave = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    son = CultureStyle("son", metres=(Metre("4/4", 1.0, 1.0, (2, 2), profile, (("clave", clave),)),), texture="chordal")
    sink = play_in(son, density=1.2, bars=9)
    where = {round(4 * note.onset_beats) % 16 for note in sink.part("melody")}
    assert where <= {0, 3, 6, 8, 10, 12}  # 8: where a phrase rests
    assert {note.pitch for note in sink.part("percussion")} == {75, 64}  # the last bar has a drum
    assert {round(4 * note.onset_beats) % 16 for note in sink.part("percussion") if note.pitch == 75} == {
        0,
        3,
        6,
        10,
        12,
    }
    assert sink.part("chords")


@pytest.mark.parametrize(
    "wrong",
    [
        {"degree_weights": (0.5, 0.5)}, {"ornaments": (0.1,)}, {"swing_ratio": 9.0}, {"texture": "polka"},
        {"density": 0.0}, {"intervals": ((9999.0, 1.0),)},
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        CultureStyle("wrong", SLENDRO, **wrong)  # type: ignore[arg-type]


def test_a_metre_that_never_makes_whole_beats_is_refused() -> None:
    with pytest.raises(ConfigError, match="whole beats"):
        Metre("7/24", 1.0, 0.29, (3, 2, 2), (1.0,))
