"""Live, the open form goes with the feeling: what rises is built and arrives, what falls is let go."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.builtin.pad import PadGenerator
from kelly_live.music.conductor import Conductor
from kelly_live.music.forms import OPEN
from kelly_live.music.harmony import Phrase
from tests.music.band import RecordingSink, built_in, make_parameters

CRASH, TOMS = 49, (45, 47, 50)
CALM = make_parameters(density=0.7, floor=0.15, ceiling=0.45, groove="pop")
STIRRED = make_parameters(density=1.8, floor=0.5, ceiling=0.9, groove="pop")
STEADY = make_parameters(density=1.2, floor=0.3, ceiling=0.7, groove="pop")


class Session:
    """A live session of the whole band: what it was asked for from each bar on, and what it played."""

    def __init__(
        self, changes: Sequence[tuple[int, MusicParameters]], bars: int, *, seed: int = 3, form: str = OPEN
    ) -> None:
        self.sink, self.phrases = RecordingSink(), list[Phrase]()
        players = GeneratorBand([*built_in(), PadGenerator()])
        conductor = Conductor(self.sink, players, seed=seed, tonic=0, form=form)
        conductor.start(0.0, changes[0][1])
        for quarter in range(4 * 4 * bars):
            parameters = [asked for bar, asked in changes if 4 * bar <= quarter / 4.0][-1]
            conductor.advance(conductor.seconds_at(quarter / 4.0), parameters)
            if conductor.phrase is not None and conductor.phrase not in self.phrases:
                self.phrases.append(conductor.phrase)

    def arrivals(self) -> dict[int, int]:
        """Where the form turned: 1 for a rise, -1 for a fall, by bar."""
        return {p.start_bar: p.role.arrival for p in self.phrases if p.role.arrival}

    def bar(self, number: int, part: str) -> list[NoteEvent]:
        start = 4.0 * number - 0.1
        return [note for note in self.sink.part(part) if start <= note.onset_beats < start + 4.0]

    def count(self, first: int, last: int, *parts: str) -> int:
        return sum(len(self.bar(bar, part)) for bar in range(first, last) for part in parts)


def test_a_steady_feeling_keeps_the_form_s_own_course() -> None:
    session = Session([(0, STEADY)], 33)
    assert session.arrivals() == {}
    assert "".join(phrase.role.letter for phrase in session.phrases[:8]) == "AABAAABA"


def test_a_rise_is_built_and_its_arrival_is_marked() -> None:
    """Calm for six bars, then stirred: the drums come in and fill, and at bar 9 a new part arrives with a crash."""
    session = Session([(0, CALM), (5, STIRRED)], 13)
    (arrival,) = session.arrivals()
    assert session.arrivals()[arrival] == 1
    assert arrival == 8
    place = next(phrase.role for phrase in session.phrases if phrase.start_bar == arrival)
    assert place.letter == "B"
    fill = [note for note in session.bar(arrival - 1, "percussion") if note.pitch in (*TOMS, 38)]
    assert len([note for note in fill if note.onset_beats % 4.0 > 1.8]) >= 2
    downbeat = [n for n in session.bar(arrival, "percussion") if n.onset_beats < 4.0 * arrival + 0.2]
    assert CRASH in {note.pitch for note in downbeat}
    layers = [session.count(a, b, "chords", "bass", "percussion", "pad") for a, b in ((0, 4), (8, 12))]
    assert layers[1] > 2 * layers[0]


def test_a_fall_is_let_go_layer_by_layer() -> None:
    """Stirred, then calm: no crash and no fill; the new part begins low, and the drums are the first to leave."""
    session = Session([(0, STIRRED), (9, CALM)], 17)
    (fallen,) = (bar for bar, arrival in session.arrivals().items() if arrival < 0)
    phrase = next(phrase for phrase in session.phrases if phrase.start_bar == fallen)
    assert phrase.role.energy < 0.0
    assert [note for note in session.bar(fallen, "percussion") if note.pitch == CRASH] == []
    assert session.count(fallen, fallen + 2, "percussion") == 0
    assert session.count(fallen, fallen + 2, "chords", "bass", "melody") > 4
    before, after = (session.count(a, a + 4, "chords", "bass") for a in (4, fallen))
    assert after < 0.7 * before


def test_a_rise_leads_into_the_middle_of_a_phrase_too() -> None:
    session = Session([(0, make_parameters(density=1.3, floor=0.2, ceiling=0.5, groove="pop")), (3, STIRRED)], 9)
    toms = [note.onset_beats for note in session.sink.part("percussion") if note.pitch in TOMS]
    assert any(22.9 < onset < 24.0 for onset in toms)


def test_the_same_feelings_turn_the_same_form() -> None:
    first, second = (Session([(0, CALM), (5, STIRRED), (14, CALM)], 24) for _ in range(2))
    assert first.sink.notes == second.sink.notes
    assert first.arrivals() == second.arrivals()
    assert sorted(first.arrivals().values()) == [-1, 1]


def test_a_named_form_keeps_its_order_whatever_is_felt() -> None:
    calm = Session([(0, CALM)], 30, form="blues")
    moved = Session([(0, CALM), (6, STIRRED), (20, CALM)], 30, form="blues")
    places = [[(phrase.start_bar, phrase.role) for phrase in session.phrases] for session in (calm, moved)]
    assert places[0] == places[1]


def test_the_bass_and_the_drums_lead_into_the_next_phrase() -> None:
    """By two steps into the next root, where the tune leaves room for both; the drums fill there, too."""
    session = Session([(0, STEADY)], 17)
    walks = []
    for end in (phrase.end_beat for phrase in session.phrases[:4]):
        walk = [note.pitch for note in session.sink.part("bass") if end - 1.1 < note.onset_beats < end + 0.1]
        intervals = [abs(b - a) for a, b in itertools.pairwise(walk)]
        assert 0 < intervals[-1] <= 2
        walks.append(intervals)
    assert sum(len(walk) == 2 and 0 < walk[0] <= 2 for walk in walks) >= 3
    toms = [note.onset_beats for note in session.sink.part("percussion") if note.pitch in TOMS]
    assert any(session.phrases[1].end_beat - 2.1 < onset < session.phrases[1].end_beat for onset in toms)


SUDDEN_BEAT = 18.1


def play_sudden(
    before: MusicParameters, after: MusicParameters, *, steps: int = 1, beats: float = 30.0
) -> tuple[list[NoteEvent], list[NoteEvent]]:
    """Return the notes of a band whose feeling changes at SUDDEN_BEAT, and of one whose feeling stays."""
    played = []
    for target in (after, before):
        sink = RecordingSink()
        conductor = Conductor(sink, GeneratorBand(built_in()), seed=3, tonic=0, slice_beats=1 / 16)
        conductor.start(0.0, before)
        for tick in range(round(beats * 16)):
            beat = tick / 16
            share = min(1.0, max(0.0, (beat - SUDDEN_BEAT) / steps if steps > 1 else float(beat >= SUDDEN_BEAT)))
            floor, ceiling, density = (
                (1.0 - share) * a + share * b
                for a, b in (
                    (before.dynamics.floor, target.dynamics.floor),
                    (before.dynamics.ceiling, target.dynamics.ceiling),
                    (before.density, target.density),
                )
            )
            groove = target.groove if share > 0.0 else before.groove
            feeling = make_parameters(density=density, floor=floor, ceiling=ceiling, groove=groove)
            conductor.advance(conductor.seconds_at(beat), feeling)
        played.append(list(sink.notes))
    return played[0], played[1]


def near(notes: Sequence[NoteEvent], beat: float, part: str) -> list[NoteEvent]:
    return [note for note in notes if note.part == part and abs(note.onset_beats - beat) < 0.12]


def test_a_sudden_rise_is_struck_on_the_next_half_of_a_beat() -> None:
    """Felt just after beat 18: on 18.5 a crash and a kick, and the chord that is held is struck again, louder."""
    moved, steady = play_sudden(CALM, STIRRED)
    drums = {note.pitch for note in near(moved, 18.5, "percussion")}
    assert {CRASH, 36} <= drums
    assert CRASH not in {note.pitch for note in near(steady, 18.5, "percussion")}
    chord = near(moved, 18.5, "chords")
    held = [n for n in steady if n.part == "chords" and n.onset_beats < 18.4]
    struck = [note for note in chord if note.velocity > 1.3 * max(n.velocity for n in held if n.onset_beats > 15.0)]
    assert len(struck) >= 2
    assert {note.pitch for note in struck} <= {note.pitch for note in held}


def test_a_slow_rise_has_no_accent() -> None:
    moved, _ = play_sudden(CALM, STIRRED, steps=16)
    offbeats = [n for n in moved if n.pitch == CRASH and abs(n.onset_beats % 4.0 - round(n.onset_beats % 4.0)) > 0.2]
    assert offbeats == []


def test_a_sudden_fall_has_no_accent() -> None:
    moved, _ = play_sudden(STIRRED, CALM)
    assert CRASH not in {note.pitch for note in near(moved, 18.5, "percussion")}


def test_a_cycle_of_a_tradition_is_not_broken_into() -> None:
    """Where the groove has no fills, the drums keep it; the chord alone has the accent."""
    calm, stirred = (replace(feeling, groove="usul") for feeling in (CALM, STIRRED))
    moved, _ = play_sudden(calm, stirred)
    assert CRASH not in {note.pitch for note in moved if 18.2 < note.onset_beats < 19.0}
    assert len(near(moved, 18.5, "chords")) >= 2


def test_a_feeling_that_jumps_about_is_accented_once_in_two_bars() -> None:
    sink = RecordingSink()
    conductor = Conductor(sink, GeneratorBand(built_in()), seed=3, tonic=0, slice_beats=1 / 16)
    conductor.start(0.0, CALM)
    for tick in range(16 * 40):
        conductor.advance(conductor.seconds_at(tick / 16), STIRRED if (tick + 6) // 24 % 2 else CALM)
    halves = [n.onset_beats for n in sink.part("percussion") if n.pitch == CRASH and 0.3 < n.onset_beats % 1.0 < 0.7]
    assert halves
    assert all(b - a > 7.9 for a, b in itertools.pairwise(halves))
