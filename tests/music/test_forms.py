"""Named forms, read as a musician reads them: sections, hooks, entrances, and how they fit a number of bars."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

import kelly_live
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import NoteEvent
from kelly_live.engine.score_reading import describe_sections
from kelly_live.music.analysis import name_cadence, name_chord
from kelly_live.music.conductor import Conductor
from kelly_live.music.form_plan import FormPlan, Slot
from kelly_live.music.forms import ARC, FORM_NAMES, FORMS, OPEN, choose_form
from kelly_live.music.harmony import Phrase
from tests.music.band import RecordingSink, band, make_parameters


def list_slots(plan: FormPlan, bars: int) -> Iterator[Slot]:
    bar = 0
    while bar < bars:
        slot = plan.find_slot(bar)
        assert slot.start_bar == bar
        yield slot
        bar += slot.bars


def write_form(name: str, bars: int, seed: int = 1) -> str:
    """The form in letters, with the bars of each phrase: A4 asks, A'4. answers; the closing bar is left out."""
    slots = list_slots(FormPlan(name, seed=seed, length_bars=bars), bars - 1)
    return " ".join(
        slot.role.letter + "'" * slot.role.variation + str(slot.bars) + "." * slot.role.closed for slot in slots
    )


class Piece:
    """A composed piece: its notes, and its phrases."""

    def __init__(self, form: str, bars: int, *, seed: int = 3, density: float = 1.4, **parameters: str) -> None:
        self.sink = RecordingSink()
        conductor = Conductor(self.sink, band(), seed=seed, tonic=0, length_bars=bars, form=form)
        self.phrases: list[Phrase] = []

        def collect(beat: float) -> object:
            if not self.phrases or conductor.phrase is not self.phrases[-1]:
                assert conductor.phrase is not None
                self.phrases.append(conductor.phrase)
            return played

        played = make_parameters(density=density, **parameters)
        conductor.play_through(played, collect)  # type: ignore[arg-type]
        collect(0.0)

    def section(self, name: str) -> list[Phrase]:
        return [phrase for phrase in self.phrases if phrase.role.section == name]

    def notes(self, part: str, phrase: Phrase) -> list[NoteEvent]:
        """A part's notes in a phrase; a player may be a little ahead of the beat."""
        start, end = phrase.start_beat - 0.1, phrase.end_beat - 0.1
        return [note for note in self.sink.part(part) if start <= note.onset_beats < end]

    def chords(self, phrase: Phrase) -> list[str]:
        return [name_chord(span.chord) for span in phrase.spans]


@pytest.mark.parametrize(
    ("form", "bars", "written"),
    [
        ("aaba", 32, "A4 A'4. A4 A'4. B4 B'4 A4 A'3."),
        ("aaba", 16, "A4 A'4. B4 A3."),
        ("aabb", 32, "A4 A'4. A4 A'4. B4 B'4. B4 B'3."),
        ("blues", 12, "A4 A'4 B3"),
        ("blues", 24, "A4 A'4 B4 A4 A'4 B3"),
        ("song", 16, "A4 A'4. C4 C'3."),
        ("theme", 24, "A4 A'4. A4 A'4. A4 A'3."),
        ("montuno", 32, "A4 A'4. A4 A'4. B4 B'4. B4 B'3."),
        ("arc", 17, "A4 A'4. B4 A''4."),
    ],
)
def test_a_form_that_fits_closes_in_its_last_bar(form: str, bars: int, written: str) -> None:
    assert write_form(form, bars) == written


@pytest.mark.parametrize(
    ("bars", "written"),
    [
        (33, "A4 A'4. A4 A'4. B4 B'4 A4 A'4."),
        (34, "A4 A'4. A4 A'4. B4 B'4 A4 A'5."),
        (35, "A4 A'4. A4 A'4. B4 B'4 A4 A'4. A'2."),
        (36, "A4 A4 A'4. A4 A'4. B4 B'4 A4 A'3."),
        (40, "A4 A'4. A4 A'4. B4 B'4 A4 A'4. A4 A'3."),
        (48, "A4 A'4. A4 A'4. B4 B'4 A4 A'4. B4 B'4 A4 A'3."),
    ],
)
def test_what_is_left_over_is_an_ending_an_intro_or_the_last_part_again(bars: int, written: str) -> None:
    assert write_form("aaba", bars) == written


@pytest.mark.parametrize("form", [name for name in FORM_NAMES if name != OPEN])
def test_every_form_fills_every_length_from_its_least_on(form: str) -> None:
    for bars in range(16, 120):
        slots = list(list_slots(FormPlan(form, seed=bars, length_bars=bars), bars - 1))
        assert sum(slot.bars for slot in slots) == bars - 1
        assert [slot.leads_home for slot in slots] == [False] * (len(slots) - 1) + [True]
        assert [slot.number for slot in slots] == sorted({slot.number for slot in slots})


def test_a_song_has_the_sections_that_a_listener_knows() -> None:
    piece = Piece("song", 52)
    sections = "intro 4, verse 8, chorus 8, verse 8, chorus 8, bridge 8, chorus 8"
    assert describe_sections(piece.phrases) == sections
    assert describe_sections([piece.phrases[0], *piece.phrases]) == sections, "a phrase planned anew counts once"


def test_what_has_no_room_or_no_end_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"blues takes 12 bars or more, not 8; .*--form arc"):
        FormPlan("blues", seed=1, length_bars=8)
    with pytest.raises(ConfigError, match="open has no end"):
        FormPlan("open", seed=1, length_bars=32)
    with pytest.raises(ConfigError, match="sonata"):
        FormPlan("sonata", seed=1, length_bars=None)


def test_traditions_and_grooves_have_forms_of_their_own() -> None:
    assert {groove: choose_form(groove, length_bars=32) for groove in ("reel", "polska", "swing", "son", "pop")} == {
        "reel": "aabb", "polska": "aabb", "swing": "aaba", "son": "montuno", "pop": ARC,
    }  # fmt: skip
    assert choose_form("swing", length_bars=9) == ARC
    assert choose_form("pop", length_bars=None) == OPEN


@pytest.mark.parametrize("seed", range(4))
def test_the_hook_comes_back_in_its_chorus_and_nowhere_else(seed: int) -> None:
    piece = Piece("song", 48, seed=seed)
    verses, choruses = piece.section("verse"), piece.section("chorus")
    assert piece.chords(choruses[0]) == piece.chords(choruses[2]) == piece.chords(choruses[4])
    assert piece.chords(verses[0]) == piece.chords(verses[2]) != piece.chords(choruses[0])

    def write_rhythm(phrase: Phrase) -> list[float]:
        """The first bar, from its first note on; an upbeat is the phrase's before."""
        onsets = [round(4.0 * (note.onset_beats - phrase.start_beat)) / 4.0 for note in piece.sink.part("melody")]
        return [onset for onset in onsets if 0.0 <= onset < 3.0]

    assert write_rhythm(choruses[0]) == write_rhythm(choruses[2]) == write_rhythm(choruses[4])


def test_an_intro_waits_for_the_tune_and_leads_into_it() -> None:
    piece = Piece("song", 52)
    intro, verse = piece.phrases[:2]
    assert piece.notes("chords", intro)
    assert piece.notes("bass", intro)
    assert all(note.onset_beats >= intro.end_beat - 4.1 for note in piece.notes("percussion", intro))
    assert all(note.onset_beats >= intro.end_beat - 2.1 for note in piece.notes("melody", intro))
    assert len(piece.notes("melody", verse)) > 8


def test_the_drums_break_off_before_the_last_chorus_and_it_is_the_fullest() -> None:
    piece = Piece("song", 48, density=1.1)
    bridge, last = piece.section("bridge")[-1], piece.section("chorus")[-2]
    broken = [note for note in piece.notes("percussion", bridge) if note.onset_beats >= bridge.start_beat + 7.9]
    assert broken
    assert min(note.onset_beats for note in broken) >= bridge.end_beat - 4.1
    others = [piece.notes(part, piece.section("verse")[0]) for part in ("chords", "bass", "percussion")]
    fullest = [piece.notes(part, last) for part in ("chords", "bass", "percussion")]
    assert sum(map(len, fullest)) > 1.2 * sum(map(len, others))


def test_a_dance_repeats_each_part_note_for_note() -> None:
    piece = Piece("aabb", 33)

    def write(phrases: list[Phrase]) -> list[tuple[float, int]]:
        start = phrases[0].start_beat
        return [
            (round(12.0 * (note.onset_beats - start)) / 12.0, note.pitch)
            for phrase in phrases
            for note in piece.notes("melody", phrase)
            if note.onset_beats < start + 27.9
        ]

    a, a_again, b = piece.phrases[:2], piece.phrases[2:4], piece.phrases[4:6]
    assert write(a) == write(a_again) != write(b)


def test_a_blues_has_its_twelve_bars() -> None:
    first, second, third = Piece("blues", 24).phrases[:3]
    written = [[name_chord(span.chord) for span in phrase.spans] for phrase in (first, second, third)]
    assert written == [["I7", "IV7", "I7", "I7"], ["IV7", "IV7", "I7", "I7"], ["V7", "IV7", "I7", "V7"]]
    minor = Piece("blues", 24, mode="aeolian").phrases
    assert [name_chord(span.chord).rstrip("7") for span in minor[2].spans] == ["V", "iv", "i", "V"]


def test_a_tradition_s_own_major_has_its_blues_too() -> None:
    phrase = kelly_live.compose("happy", culture="jazz-swing:major", form="blues", bars=13).phrases[0]
    assert [name_chord(span.chord) for span in phrase.spans] == ["I7", "IV7", "I7", "I7"]


@pytest.mark.parametrize("form", [*FORMS, ARC])
@pytest.mark.parametrize("mode", ["ionian", "aeolian"])
def test_a_piece_ends_from_the_dominant_on_a_held_tonic(form: str, mode: str) -> None:
    piece = Piece(form, 32, mode=mode)
    *_, last, close = piece.phrases
    assert name_chord(last.spans[-1].chord).rstrip("7") == "V"
    assert name_cadence(close) == "tonic"
    assert name_chord(close.spans[0].chord) == ("I" if mode == "ionian" else "i")
    for part in ("chords", "bass", "melody"):
        assert max(note.duration_beats for note in piece.notes(part, close)) > 3.0


@pytest.mark.parametrize("mode", ["ionian", "aeolian"])
def test_a_dominant_does_not_stop_on_the_subdominant(mode: str) -> None:
    """Half cadences go on to the tonic; no phrase stops from V on IV, and none begins on IV after a V."""
    for seed, form in itertools.product(range(3), ("song", "aaba", ARC)):
        phrases = Piece(form, 33, seed=seed, mode=mode).phrases
        roots = [[name_chord(span.chord).rstrip("maj7").lower() for span in phrase.spans] for phrase in phrases]
        assert not any(chords[-2:] == ["v", "iv"] for chords in roots)
        assert not any(before[-1] == "v" and after[0] == "iv" for before, after in itertools.pairwise(roots))


def test_without_an_end_a_form_goes_round_for_ever() -> None:
    plan = FormPlan("blues", seed=1, length_bars=None)
    assert [plan.find_slot(bar).role.degrees for bar in (4, 8, 12)] == [
        plan.find_slot(bar + 1200).role.degrees for bar in (4, 8, 12)
    ]
    song = FormPlan("song", seed=1, length_bars=None)
    sections = [slot.role.section for slot in list_slots(song, 104)]
    assert sections[:3] == ["intro", "verse", "verse"]
    assert sections.count("bridge") == 4
