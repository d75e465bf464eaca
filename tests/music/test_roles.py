"""A band beside a player, at 120 BPM in C: a beat is half a second, a bar two. Beats count from 0.

The player's notes are written as beat and pitch; what the band's melody player does is read the same way.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from itertools import pairwise

import pytest

from kelly_live.core.band_roles import ACCOMPANY, ANSWER, LEAD, ROLES, SHADOW, TRADE
from kelly_live.core.errors import ConfigError
from kelly_live.core.sync_state import BeatEstimate, PlayerActivity, PlayerNote, SyncState
from kelly_live.core.values import NoteEvent
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.builtin.bass import BassGenerator
from kelly_live.generators.builtin.chords import ChordGenerator
from kelly_live.music.conductor import Conductor
from kelly_live.music.harmony import Phrase
from kelly_live.music.rest_options import RestOptions
from kelly_live.music.role_options import RoleOptions
from tests.music.band import RecordingSink, band, make_parameters

BEAT, STEP = 0.5, 0.025
C_MAJOR = {0, 2, 4, 5, 7, 9, 11}
# A call of two bars, from the first beat of its first bar: six notes, the last one on beat 5.
CALL = [(0.0, 67), (1.5, 69), (2.0, 71), (2.5, 72), (3.0, 76), (4.0, 74), (5.0, 72)]


def calls(*bars: int) -> list[tuple[float, int]]:
    return [(4.0 * bar + beat, pitch) for bar in bars for beat, pitch in CALL]


class Session:
    """What the band played beside these notes, for so many bars."""

    def __init__(
        self,
        role: str,
        played: Sequence[tuple[float, int | None]],
        bars: int,
        *,
        seed: int = 1,
        trade_bars: int = 4,
        changes: dict[float, str] | None = None,
        known_after: float = 0.04,
        rest: RestOptions | None = None,
        players: GeneratorBand | None = None,
        density: float = 1.0,
    ) -> None:
        self.sink = RecordingSink()
        self.remarks: list[str] = []
        self.phrases: dict[int, Phrase] = {}  # by the bar that each begins in
        conductor = Conductor(
            self.sink,
            players or band(),
            seed=seed,
            tonic=0,
            role=RoleOptions(role, trade_bars),
            rest=rest or RestOptions("play"),
            slice_beats=1 / 16,
        )
        parameters = make_parameters(bpm=120.0, density=density)
        conductor.start(0.0, parameters)
        notes = [PlayerNote(BEAT * beat, pitch, 90) for beat, pitch in sorted(played, key=lambda note: note[0])]
        for number in range(round(4 * bars * BEAT / STEP)):
            now = STEP * number
            for beat in [beat for beat in changes or {} if beat * BEAT <= now]:
                conductor.set_role((changes or {})[beat])
            known = tuple(note for note in notes if now - 0.5 < note.seconds <= now - known_after)
            latest = max((note.seconds for note in notes if note.seconds <= now - known_after), default=None)
            activity = None if latest is None or rest is None else PlayerActivity(now - latest < 1.0, latest)
            sync = SyncState(BeatEstimate(0.0, 120.0, 1.0, 0), player=activity, notes=known)
            conductor.advance(now, parameters, sync)
            self.remarks.append(conductor.status().role_answer)
            if conductor.phrase is not None:
                self.phrases[conductor.phrase.start_bar] = conductor.phrase

    def melody(self, first: float, last: float) -> list[NoteEvent]:
        """The melody player's notes from beat `first` to before `last`; a hurried one belongs to its beat."""
        return [note for note in self.sink.part("melody") if first - 0.06 <= note.onset_beats < last - 0.06]

    def others(self, first: float, last: float) -> list[NoteEvent]:
        return [n for n in self.sink.notes if n.part != "melody" and first - 0.06 <= n.onset_beats < last - 0.06]

    def chord_at(self, beat: float) -> tuple[int, ...]:
        phrase = next(p for p in self.phrases.values() if p.start_beat <= beat < p.end_beat)
        return phrase.span_at(beat).chord.pitch_classes


def places(notes: Sequence[NoteEvent]) -> list[float]:
    """Onsets on the grid of eighths and sixteenths."""
    return [round(note.onset_beats * 4) / 4 for note in notes]


def contour(pitches: Sequence[int]) -> list[int]:
    return [(after > before) - (after < before) for before, after in pairwise(pitches)]


# ---------------------------------------------------------------- accompany


@pytest.mark.parametrize("seed", range(4))
def test_the_melody_leaves_space_under_a_phrase_and_comes_in_the_gap(seed: int) -> None:
    """He plays two bars and rests two, four times."""
    bars = (2, 6, 10, 14)
    session = Session(ACCOMPANY, calls(*bars), 18, seed=seed)
    under = [note for bar in bars[1:] for note in session.melody(4 * bar + 0.5, 4 * bar + 5)]
    gaps = [note for bar in bars for note in session.melody(4 * bar + 6, 4 * bar + 16)]
    assert len(gaps) >= 5 * max(1, len(under))
    assert all(place % 4 == 0.0 for place in places(under))  # but for a held tone on a bar line


def test_the_first_thing_in_a_gap_is_a_small_answer_to_the_end_of_his_phrase() -> None:
    session = Session(ACCOMPANY, calls(2, 6), 12)
    fill = session.melody(4 * 6 + 6, 4 * 6 + 9)
    assert 2 <= len(fill) <= 4
    assert {note.pitch % 12 for note in fill} <= C_MAJOR


def test_the_denser_he_plays_the_less_the_others_play() -> None:
    def count(beats_apart: float) -> int:
        played = [(8.0 + beats_apart * number, 60 + number % 8) for number in range(round(24 / beats_apart))]
        return len(Session(ACCOMPANY, played, 8, density=1.5).others(12, 32))

    sparse, busy = count(1.0), count(0.25)
    assert busy < 0.85 * sparse


def test_who_plays_on_and_on_gets_the_tune_after_eight_bars() -> None:
    """A whole recording, or speech, is no phrase to leave space for."""
    played = [(4.0 + 0.5 * number, 60 + number % 5) for number in range(2 * 4 * 16)]
    session = Session(ACCOMPANY, played, 16)
    assert len(session.melody(8, 32)) <= 6
    assert len(session.melody(40, 64)) >= 12


def test_a_band_that_hears_nobody_plays_as_it_does_alone() -> None:
    alone, heard = Session(LEAD, [], 8), Session(ACCOMPANY, [], 8)
    assert heard.sink.notes == alone.sink.notes


# ---------------------------------------------------------------- answer


@pytest.mark.parametrize("seed", range(8))
def test_the_answer_keeps_the_rhythm_of_the_call_or_its_contour(seed: int) -> None:
    session = Session(ANSWER, calls(2, 6), 12, seed=seed)
    answer = session.melody(4 * 6 + 5.5, 48)
    call = [beat for beat, _ in CALL]
    start = places(answer)[0]
    has_rhythm = [place - start for place in places(answer)] == call
    has_contour = contour([note.pitch for note in answer]) == contour([pitch for _, pitch in CALL])
    assert has_rhythm or (has_contour and len(answer) == len(call))
    assert {note.pitch % 12 for note in answer} <= C_MAJOR
    assert start % 1.0 == 0.0  # at his own place of the beat
    assert places(answer)[-1] - start == pytest.approx(5.0, abs=1.0)  # as long as the call


@pytest.mark.parametrize("seed", range(4))
def test_the_last_note_of_an_answer_is_a_tone_of_the_chord(seed: int) -> None:
    session = Session(ANSWER, calls(2, 6), 12, seed=seed)
    last = session.melody(4 * 6 + 5.5, 48)[-1]
    assert last.pitch % 12 in session.chord_at(places([last])[0])


def test_the_melody_player_is_silent_while_he_calls() -> None:
    session = Session(ANSWER, calls(2, 6, 10), 14)
    assert not [note for bar in (6, 10) for note in session.melody(4 * bar + 0.5, 4 * bar + 5.5)]


@pytest.mark.parametrize("seed", range(4))
def test_an_answer_breaks_off_when_he_plays_again(seed: int) -> None:
    """He returns two beats into the answer, where it would have gone on for three more."""
    uninterrupted = Session(ANSWER, calls(2, 6), 12, seed=seed)
    start = uninterrupted.melody(4 * 6 + 5.5, 48)[0].onset_beats
    returns = round(start) + 2.0
    session = Session(ANSWER, [*calls(2, 6), (returns, 67), (returns + 0.5, 69), (returns + 1.0, 71)], 12, seed=seed)
    assert session.melody(start, returns)
    assert not session.melody(returns + 0.35, returns + 2.0)  # what is known after .04 s, and .05 s are sent ahead
    assert len(uninterrupted.melody(returns + 0.35, returns + 4.0)) >= 2


@pytest.mark.parametrize("role", [ANSWER, ACCOMPANY])
@pytest.mark.parametrize("seed", range(4))
def test_what_sounds_when_he_plays_again_ends_on_the_next_beat(role: str, seed: int) -> None:
    """He returns as the longest note of the band's answer has begun, or of its tune."""
    alone = Session(role, calls(2, 6), 10, seed=seed)
    longest = max(alone.melody(4 * 6 + 7, 38), key=lambda note: note.duration_beats)
    returns = longest.onset_beats + 0.25
    beat = math.ceil(returns + 0.2)  # heard after .04 s, when .05 s have been sent
    assert longest.onset_beats + longest.duration_beats > beat
    session = Session(role, [*calls(2, 6), (returns, 67), (returns + 0.5, 69)], 10, seed=seed)
    before = session.melody(0.0, returns)
    assert longest.onset_beats in [note.onset_beats for note in before]
    assert all(note.onset_beats + note.duration_beats <= beat for note in before)


def test_a_rhythm_without_pitches_is_answered_in_the_band_s_own_tones() -> None:
    session = Session(ANSWER, [(beat, None) for beat, _ in calls(2, 6)], 12)
    answer = session.melody(4 * 6 + 5.5, 48)
    assert [place - places(answer)[0] for place in places(answer)] == [beat for beat, _ in CALL]
    assert {note.pitch % 12 for note in answer} <= C_MAJOR


def test_a_single_note_is_no_call() -> None:
    assert not Session(ANSWER, [(8.0, 67)], 6).melody(8.5, 24)


# ---------------------------------------------------------------- trade


def test_fours_are_traded() -> None:
    """His bars 0-3 and 8-11, the band's 4-7 and 12-15."""
    played = calls(0, 2, 8, 10)
    session = Session(TRADE, played, 16)
    for bar in (4, 12):
        assert len(session.melody(4 * bar, 4 * bar + 16)) >= 8
    assert not session.melody(0.5, 16)
    assert not session.melody(32, 48)
    assert not session.melody(31, 32)  # the last beat is free for him
    assert list(dict.fromkeys(session.remarks[1:])) == ["your turn", "the band's turn"]


def test_the_band_s_turn_is_made_of_his() -> None:
    """The same places a turn later, or the same contour."""
    session = Session(TRADE, calls(0, 2), 8)
    solo = session.melody(16, 32)
    shared = {place - 16.0 for place in places(solo)} & {beat for beat, _ in calls(0, 2)}
    assert len(shared) >= 7


def test_the_others_are_softer_under_his_turn() -> None:
    trade, lead = Session(TRADE, calls(0, 2, 8, 10), 12), Session(LEAD, calls(0, 2, 8, 10), 12)

    def velocities(session: Session) -> dict[tuple[float, str, int], int]:
        return {(note.onset_beats, note.part, note.pitch): note.velocity for note in session.others(32, 48)}

    softer, loud = velocities(trade), velocities(lead)
    both = softer.keys() & loud.keys()
    assert len(both) > 20
    assert statistics.mean(softer[note] / loud[note] for note in both) < 0.9
    assert len(softer) < len(loud)


def test_who_comes_in_during_the_band_s_turn_takes_it() -> None:
    """From bar 5 on he plays in the band's turn, bars 4-7: it ends what it plays, and has the turn after."""
    session = Session(TRADE, [*calls(0, 2), *calls(5, 7)], 12)
    assert session.melody(16, 20)
    assert not session.melody(21.8, 32)  # his second note is on beat 21.5
    assert all(note.onset_beats + note.duration_beats <= 22.0 for note in session.melody(16, 22))
    assert len(session.melody(32, 48)) >= 8
    assert list(dict.fromkeys(session.remarks[1 : round(24 * BEAT / STEP)])) == ["your turn", "the band's turn"]
    assert session.remarks[round(23 * BEAT / STEP)] == "your turn"


def test_neither_a_slip_nor_the_end_of_his_phrase_takes_the_band_s_turn() -> None:
    alone = Session(TRADE, calls(0, 2), 8)
    slip = Session(TRADE, [*calls(0, 2), (24.0, 60)], 8)
    late = Session(TRADE, [*calls(0, 2), (15.0, 69), (16.0, 71), (16.5, 67)], 8)
    assert places(slip.melody(16, 32)) == places(alone.melody(16, 32))
    assert len(late.melody(17, 32)) >= 8


def test_twos_are_traded_on_request() -> None:
    session = Session(TRADE, calls(0, 4, 8), 12, trade_bars=2)
    assert all(session.melody(4 * bar, 4 * bar + 8) for bar in (2, 6, 10))
    assert not any(session.melody(4 * bar + 0.5, 4 * bar + 7.5) for bar in (0, 4, 8))


def test_the_band_s_turn_is_no_rest_of_his() -> None:
    session = Session(TRADE, calls(0, 2, 8, 10), 16, rest=RestOptions("rest", 4))
    assert session.others(60, 64)
    assert len(session.melody(48, 62)) >= 6


def test_a_turn_that_he_leaves_out_is_a_rest() -> None:
    """The band's turn does not come a second time: it closes, and is silent until he plays. Then it is his turn."""
    session = Session(TRADE, [*calls(0, 2), *calls(24)], 30, rest=RestOptions("rest", 4))
    assert len(session.melody(16, 32)) >= 8
    assert not session.others(4 * 17, 4 * 24)
    assert session.others(4 * 26, 4 * 27)
    assert not session.melody(4 * 26, 4 * 27)


# ---------------------------------------------------------------- lead and shadow


def test_a_leading_band_plays_its_tune_over_him() -> None:
    played = [(8.0 + 0.5 * number, 60 + number % 5) for number in range(80)]
    assert Session(LEAD, played, 12).sink.notes == Session(LEAD, [], 12).sink.notes


@pytest.mark.parametrize("seed", range(4))
def test_a_shadow_doubles_each_note_softly_in_thirds_sixths_or_unison(seed: int) -> None:
    played = calls(2)
    shadow = [note for note in Session(SHADOW, played, 5, seed=seed).melody(8, 13.5) if note.velocity <= 0.6 * 90 + 1]
    assert len(shadow) == len(CALL)
    for note, (beat, pitch) in zip(shadow, played, strict=True):
        assert 0.0 <= (note.onset_beats - beat) * BEAT <= 0.08
        assert (note.pitch - pitch) in {0, -3, -4, 8, 9}
        assert note.pitch % 12 in C_MAJOR


def test_what_is_known_late_is_echoed_on_the_next_sixteenth() -> None:
    """As from sound, where a note is known a tenth of a second after it began."""
    session = Session(SHADOW, calls(2), 5, known_after=0.13)
    echoes = [note.onset_beats for note in session.melody(8, 13.6) if note.velocity <= 0.6 * 90 + 1]
    assert len(echoes) == len(CALL)
    assert all((place * 4) % 1.0 == 0.0 for place in echoes)


# ---------------------------------------------------------------- all of them


def test_another_role_is_taken_at_the_next_bar_line() -> None:
    """In bar 6 he is given the lead: from bar 7 on the tune is played over him."""
    played = calls(2, 4, 6, 8, 10)
    changed = Session(ANSWER, played, 12, changes={25.0: LEAD})
    answering, leading = Session(ANSWER, played, 12), Session(LEAD, played, 12)
    assert changed.melody(0, 28) == answering.melody(0, 28)
    assert places(changed.melody(28, 48)) == places(leading.melody(28, 48))
    assert not changed.melody(24.5, 28)


@pytest.mark.parametrize("role", ROLES)
def test_the_same_seed_plays_the_same_notes(role: str) -> None:
    played = calls(2, 4, 8, 10)
    assert Session(role, played, 14, seed=5).sink.notes == Session(role, played, 14, seed=5).sink.notes


@pytest.mark.parametrize("role", ROLES)
def test_whatever_he_plays_the_band_plays_on(role: str) -> None:
    """Graces, clusters, runs of sixty notes a second, drums, and pauses, at no tempo at all."""
    rng = random.Random(role)
    played: list[tuple[float, int | None]] = []
    beat = 0.0
    while beat < 80.0:
        beat += rng.choice((0.0, 0.01, 0.03, 0.11, 0.2, 0.33, 0.49, 0.77, 1.3, 2.6, 5.0))
        played.append((beat, rng.choice((None, rng.randrange(128)))))
    session = Session(role, played, 20, trade_bars=2)
    assert len(session.others(0, 80)) > 100
    assert all(later.onset_beats >= before.onset_beats - 0.3 for before, later in pairwise(session.melody(0, 80)))


@pytest.mark.parametrize("role", ROLES)
def test_a_band_that_hears_itself_plays_on_and_no_more_than_alone(role: str) -> None:
    """All that it sends comes back as the player's, 40 ms later and an octave up, as from a loop through an effect."""
    sink = RecordingSink()
    conductor = Conductor(sink, band(), seed=1, tonic=0, role=RoleOptions(role, 2), slice_beats=1 / 16)
    conductor.start(0.0, parameters := make_parameters(bpm=120.0))
    for number in range(round(4 * 12 * BEAT / STEP)):
        now = STEP * number
        back = [(conductor.seconds_at(note.onset_beats) + 0.04, note) for note in sink.notes[-64:]]
        heard = tuple(
            PlayerNote(seconds, min(127, note.pitch + 12), note.velocity)
            for seconds, note in sorted(back, key=lambda one: one[0])
            if now - 0.2 < seconds <= now
        )
        conductor.advance(now, parameters, SyncState(BeatEstimate(0.0, 120.0, 1.0, 0), notes=heard[-32:]))
    alone = Session(LEAD, [], 12)
    per_bar = [sum(4 * bar <= note.onset_beats < 4 * bar + 4 for note in sink.notes) for bar in range(1, 12)]
    assert min(per_bar) > 3
    assert len(sink.notes) < 1.5 * len(alone.sink.notes)
    assert conductor.status().bpm == pytest.approx(120.0)


def test_a_band_without_a_melody_player_says_so_and_plays_on() -> None:
    players = GeneratorBand([ChordGenerator(), BassGenerator()])
    session = Session(ANSWER, calls(2, 4), 10, players=players)
    assert session.others(32, 40)
    assert session.remarks[-1] == "answer: this band has no melody player"


def test_a_role_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="role is 'boss'; it must be one of accompany, answer, trade, lead, shadow"):
        RoleOptions("boss")
    with pytest.raises(ConfigError, match="a turn has 0 bars; it must have 1 to 16"):
        RoleOptions(TRADE, 0)
