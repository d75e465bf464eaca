"""Locks, as a score: what is locked stays where it was, while the feeling moves the rest."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.locks import LOCKS
from kelly_live.core.sync_state import BeatEstimate, KeyEstimate, SyncState
from kelly_live.core.values import MusicParameters
from kelly_live.music.conductor import Conductor
from kelly_live.music.conductor_status import ConductorStatus
from kelly_live.music.parameter_locks import LockChange
from tests.music.band import RecordingSink, band, make_parameters

STEP = 0.02
SAD = make_parameters(
    bpm=80.0, mode="aeolian", centre=60.0, floor=0.3, ceiling=0.4, density=0.5, rhythm="sustained", behind=0.6
)
GLAD = make_parameters(
    bpm=140.0, mode="ionian", centre=72.0, floor=0.6, ceiling=0.9, density=2.5, rhythm="syncopated", ahead=0.6
)
TURN = 8.0  # seconds of sad music, until the feeling turns


class Session:
    """Sad music that turns glad after TURN seconds."""

    def __init__(self, locks: Mapping[float, str], seconds: float = 24.0, sync: SyncState | None = None) -> None:
        self.sink = RecordingSink()
        self.conductor = Conductor(self.sink, band(), seed=5, tonic=0)
        self.seen: list[tuple[float, ConductorStatus]] = []
        self.conductor.start(0.0, SAD)
        waiting = sorted(locks.items())
        for number in range(round(seconds / STEP)):
            now = STEP * number
            while waiting and waiting[0][0] <= now:
                self.conductor.lock(now, LockChange(waiting.pop(0)[1]))
            self.conductor.advance(now, SAD if now < TURN else GLAD, sync if sync and now >= TURN else SyncState())
            self.seen.append((now, self.conductor.status()))

    def at(self, seconds: float) -> ConductorStatus:
        return next(status for now, status in self.seen if now >= seconds - 1e-9)

    def parameters(self, seconds: float) -> MusicParameters:
        shown = self.at(seconds).parameters
        assert shown is not None
        return shown


def test_a_locked_tempo_stays_while_the_feeling_moves_the_rest() -> None:
    locked, free = Session({6.0: "tempo"}), Session({})
    assert {status.bpm for now, status in locked.seen if now >= 6.0} == {80.0}
    assert free.at(23.0).bpm == 140.0
    assert (locked.parameters(6.0).density, locked.parameters(23.0).density > 2.0) == (0.5, True)
    assert locked.at(7.0).locks == ("tempo",)


def test_a_change_of_tempo_that_is_under_way_ends_at_once() -> None:
    session = Session({TURN + 2.0: "tempo"})
    bpm = session.at(TURN + 2.0).bpm
    assert 85.0 < bpm < 135.0
    assert {status.bpm for now, status in session.seen if now > TURN + 2.0} == {bpm}


def test_a_released_tempo_goes_where_the_feeling_is_without_a_jump() -> None:
    session = Session({6.0: "tempo", 16.0: "tempo"}, seconds=30.0)
    assert session.at(15.9).bpm == 80.0
    bpms = [status.bpm for _, status in session.seen]
    assert bpms[-1] == 140.0
    assert max(after / before for before, after in pairwise(bpms)) < 1.05
    assert session.at(29.0).locks == ()


def test_a_locked_mode_stays_through_every_phrase() -> None:
    locked, free = Session({6.0: "mode"}, seconds=30.0), Session({}, seconds=30.0)
    assert free.at(29.0).mode == "ionian"
    assert {status.mode for now, status in locked.seen if now >= 6.0} == {"aeolian"}
    assert 4 not in {note.pitch % 12 for note in locked.sink.part("melody")}  # no E in C minor


@pytest.mark.parametrize("name", ["register", "dynamics", "density", "articulation"])
def test_what_is_locked_is_played_as_before_and_what_is_not_moves(name: str) -> None:
    fields = {"register": "register", "dynamics": "dynamics", "density": "density", "articulation": "rhythms"}
    session = Session({6.0: name})
    before, after = session.parameters(5.9), session.parameters(23.0)
    for lock, field in fields.items():
        stays = getattr(before, field) == getattr(after, field)
        assert stays is (lock == name), field
    assert after.tempo.suggested == pytest.approx(140.0, abs=1.0)


def test_no_note_is_louder_than_locked_dynamics_let_it() -> None:
    def loudest(session: Session) -> int:
        return max(note.velocity for note in session.sink.part("chords") if note.onset_beats >= 24.0)

    assert loudest(Session({6.0: "dynamics"})) <= 0.4 * 127 + 1.0  # the ceiling of the sad music
    assert loudest(Session({})) > 0.6 * 127


def test_a_locked_key_and_tempo_leave_the_player_who_is_followed() -> None:
    heard = SyncState(BeatEstimate(0.0, 100.0, 0.9), KeyEstimate(9, "aeolian", 0.9))
    free = Session({}, seconds=24.0, sync=heard)
    assert (free.at(23.0).tonic, free.at(23.0).bpm) == ("A", pytest.approx(100.0, abs=1.0))
    locked = Session({6.0: "key", 6.1: "tempo"}, seconds=24.0, sync=heard)
    assert (locked.at(23.0).tonic, locked.at(23.0).bpm) == ("C", 80.0)
    assert locked.at(23.0).synchronized == ()


def test_a_clock_leads_over_a_locked_tempo() -> None:
    clock = SyncState(BeatEstimate(0.0, 100.0, 1.0, 0))
    session = Session({6.0: "tempo"}, sync=clock)
    assert session.at(23.0).bpm == pytest.approx(100.0, abs=1.0)


def test_what_is_no_parameter_has_no_lock() -> None:
    with pytest.raises(ConfigError, match=f"no lock 'colour'; it must be one of {', '.join(LOCKS)}"):
        LockChange("colour")
