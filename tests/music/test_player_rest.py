"""A band whose player stops: 120 BPM, so a bar is two seconds; it plays by the conductor's own rules."""

from __future__ import annotations

import statistics

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.sync_state import PlayerActivity, SyncState
from kelly_live.core.values import GROOVES, MODES, NoteEvent
from kelly_live.music.conductor import Conductor
from kelly_live.music.rest_options import PLAY, REST, SOLO, RestOptions
from tests.music.band import RecordingSink, band, make_parameters

BAR = 2.0
STOP, RETURN, END = 16.0, 44.0, 60.0  # seconds: bars 8, 22 and 30
WAIT = 4  # bars


class Session:
    """The notes of a session in which the player stops and returns, and the chord of each bar."""

    def __init__(
        self,
        when_silent: str = REST,
        *,
        seed: int = 1,
        mode: str = "ionian",
        density: float = 1.0,
        groove: str = "",
        returns_at: float = RETURN,
        has_player: bool = True,
        until: float = END,
    ) -> None:
        self.sink = RecordingSink()
        conductor = Conductor(self.sink, band(), seed=seed, tonic=0, rest=RestOptions(when_silent, WAIT))
        parameters = make_parameters(bpm=120.0, mode=mode, density=density, groove=groove)
        conductor.start(0.0, parameters)
        self.chords: dict[int, str] = {}
        self.answers: dict[int, str] = {}
        for step in range(round(until / 0.05)):
            now = 0.05 * step
            player = PlayerActivity(True, 0.0)
            if STOP <= now < returns_at:
                player = PlayerActivity(False, STOP)
            elif now >= returns_at:
                player = PlayerActivity(True, returns_at)
            conductor.advance(now, parameters, SyncState(player=player if has_player else None))
            status = conductor.status()
            self.chords.setdefault(status.bar, status.chord)
            self.answers.setdefault(status.bar, status.rest_answer)

    def bar(self, number: int, part: str | None = None) -> list[NoteEvent]:
        start = 4.0 * number - 0.2  # a swung or hurried note belongs to the beat that it is felt on
        return [
            note for note in self.sink.notes if start <= note.onset_beats < start + 4.0 and part in (None, note.part)
        ]

    def loudness(self, number: int) -> float:
        return statistics.mean(note.velocity for note in self.bar(number))

    def parts(self, number: int) -> set[str]:
        return {note.part for note in self.bar(number)}


def test_the_band_waits_for_a_phrase_then_closes_and_is_silent() -> None:
    session = Session()
    assert all({"chords", "bass", "melody"} <= session.parts(bar) for bar in range(4, 10))
    assert (session.chords[12], session.chords[13]) == ("G", "C")  # after four bars of rest: dominant, tonic
    assert all(not session.bar(bar) for bar in range(14, 22))
    assert list(dict.fromkeys(session.answers.values())) == ["", "closing while you rest", "resting until you play"]


@pytest.mark.parametrize(("seed", "mode"), list(enumerate(MODES)))
def test_its_last_bass_note_is_the_tonic(seed: int, mode: str) -> None:
    notes = [note for note in Session(seed=seed, mode=mode, returns_at=END).sink.notes if note.part == "bass"]
    assert notes[-1].pitch % 12 == 0
    assert notes[-1].onset_beats < 4.0 * 14


def test_it_closes_within_two_bars_on_a_chord_that_all_strike_and_hold() -> None:
    session = Session()
    assert {"bass", "chords", "melody"} <= session.parts(13)
    assert all(abs(note.onset_beats - 4.0 * 13) < 0.2 for note in session.bar(13))
    assert all(note.duration_beats > 2.0 for note in session.bar(13) if note.part != "percussion")
    assert not session.bar(14)


def test_a_riff_ends_with_a_breath_and_one_accented_stroke_in_unison() -> None:
    session = Session(groove="rock", mode="aeolian")
    assert not [note for note in session.bar(12) if note.onset_beats >= 4.0 * 13 - 0.5]
    last = session.bar(13)
    assert {note.pitch % 12 for note in last if note.part in ("bass", "chords")} == {0, 7}
    assert {"bass", "chords", "percussion"} <= session.parts(13)
    assert all(abs(note.onset_beats - 4.0 * 13) < 0.2 and note.duration_beats <= 0.5 for note in last)
    assert session.loudness(13) > session.loudness(12)


def test_suspense_breaks_off_and_then_the_tonic_lies_there() -> None:
    session = Session(groove="suspense", mode="aeolian")
    assert not [note for note in session.bar(12) if note.onset_beats + note.duration_beats > 4.0 * 12 + 2.1]
    last = [note for note in session.bar(13) if note.part in ("bass", "chords")]
    assert {note.pitch % 12 for note in last} == {0, 7}
    assert all(note.duration_beats > 3.5 for note in last)


@pytest.mark.parametrize("groove", ["", *GROOVES])
def test_every_groove_closes_on_the_tonic_after_the_chord_that_leads_there(groove: str) -> None:
    session = Session(groove=groove, seed=2, returns_at=END)
    assert {note.pitch % 12 for note in session.bar(12) if note.part in ("bass", "chords")} & {7, 11}
    closing = [note for note in session.bar(13) if note.part in ("bass", "chords")]
    assert min(closing, key=lambda note: note.pitch).pitch % 12 == 0
    assert not any(session.bar(bar) for bar in range(14, 29))


@pytest.mark.parametrize("when_silent", [REST, PLAY])
@pytest.mark.parametrize("seed", range(3))
def test_no_bar_of_the_rest_is_louder_than_what_was_before(when_silent: str, seed: int) -> None:
    """He stops as bar 8 begins, where the form grows."""
    session = Session(when_silent, seed=seed)
    before = max(session.loudness(bar) for bar in range(4, 9))
    assert all(session.loudness(bar) < before for bar in range(9, 22) if session.bar(bar))
    assert all(session.loudness(bar) < 0.8 * before for bar in range(13, 22) if session.bar(bar))


def test_the_band_returns_at_the_bar_line_after_the_player() -> None:
    session = Session(returns_at=RETURN + 0.7)
    assert not session.bar(22)
    assert {"chords", "bass"} <= session.parts(23)


def test_a_player_who_returns_in_the_cadence_is_joined_in_the_next_bar() -> None:
    session = Session(returns_at=24.9)  # in bar 12, the dominant
    assert all({"chords", "bass"} <= session.parts(bar) for bar in range(13, 28))


def test_a_shorter_rest_changes_no_note() -> None:
    """But for how loud they are."""
    uninterrupted, interrupted = Session(returns_at=STOP), Session(returns_at=STOP + (WAIT - 1) * BAR)

    def events(session: Session) -> list[tuple[float, int, int]]:
        return [(note.onset_beats, note.channel, note.pitch) for note in session.sink.notes]

    assert events(interrupted) == events(uninterrupted)


def test_it_plays_on_or_takes_a_solo_if_asked() -> None:
    plays_on, solo = Session(PLAY), Session(SOLO)
    for session in (plays_on, solo):
        assert all({"chords", "bass"} <= session.parts(bar) for bar in range(8, 30))

    def melody_notes(session: Session) -> int:
        return sum(len(session.bar(bar, "melody")) for bar in range(12, 22))

    assert melody_notes(solo) > 1.2 * melody_notes(plays_on)


def test_a_transport_that_starts_in_a_long_rest_starts_the_band() -> None:
    conductor = Conductor(sink := RecordingSink(), band(), seed=1, tonic=0, rest=RestOptions(REST, WAIT))
    conductor.start(100.0, parameters := make_parameters(bpm=120.0))
    for step in range(round(8.0 / 0.05)):
        conductor.advance(100.0 + 0.05 * step, parameters, SyncState(player=PlayerActivity(False, 20.0)))
    assert {int(note.onset_beats // 4) for note in sink.notes if note.part == "chords"} >= {0, 1, 2, 3}
    assert conductor.status().chord
    assert statistics.mean(note.velocity for note in sink.notes) > 30


def test_where_nobody_has_played_the_band_plays() -> None:
    session = Session(has_player=False)
    assert all(session.bar(bar) for bar in range(29))


def test_after_five_minutes_the_band_is_back_in_the_next_bar() -> None:
    """Silent all the while, in the key and at the tempo that it had."""
    returns = STOP + 300.0
    session = Session(returns_at=returns, until=returns + 8.0)
    first = int(returns / BAR) + 1
    assert not any(session.bar(bar) for bar in range(14, first))
    assert {"chords", "bass"} <= session.parts(first)
    assert all(note.pitch % 12 in {0, 2, 4, 5, 7, 9, 11} for note in session.bar(first, "bass"))


def test_the_same_rest_gives_the_same_notes() -> None:
    assert Session(seed=5).sink.notes == Session(seed=5).sink.notes


@pytest.mark.parametrize(("when_silent", "bars", "rule"), [("sleep", 4, "rest, play, solo"), (REST, 0, "1 or more")])
def test_what_it_cannot_do_is_refused(when_silent: str, bars: int, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        RestOptions(when_silent, bars)
