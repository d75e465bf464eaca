"""An input that is lost and comes back: given these ports at these times, these messages."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.control.midi_map import Binding, Control, MidiMap
from kelly_live.core.actions import Action
from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, START, control_change, note_on
from kelly_live.core.protocols import MidiIn
from kelly_live.core.sync_state import Transport
from kelly_live.core.timebase import ManualClock
from kelly_live.midi.backend import MidiBackend
from kelly_live.midi.input_queue import ScriptedInput
from kelly_live.midi.inputs import VIRTUAL_INPUT_NAME, SharedInput
from kelly_live.midi.supervised_input import RETRY_SECONDS, WATCH_SECONDS, SupervisedInput, find_same_port
from kelly_live.sync.midi_clock import MidiClockSource
from tests.midi.test_ports import PretendBackend

GONE = "the MIDI input 'Keys' is gone; kelly-live opens it again"
Script = Sequence[tuple[float, bytes]]


class FakeConnection(ScriptedInput):
    """What came through it before it was cut can still be had."""

    def cut(self) -> None:
        self.alive = False
        self._script = deque(one for one in self._script if one[0] <= self._clock.now())


class FakeSystem(PretendBackend):
    """A system whose inputs are plugged in and out; `script` is played, whether it arrives or not."""

    def __init__(self, clock: ManualClock, script: Script = (), *, grains: Sequence[float] = ()) -> None:
        super().__init__("pretend", [])
        self.plugged = ["Keys", "Pads"]
        self.runs = True
        self.connections: list[FakeConnection] = []
        self.tries = 0
        self._clock = clock
        self._script = script
        self._grains = iter(grains)

    def running(self) -> Sequence[MidiBackend]:
        self.tries += 1
        return [self] if self.runs else []

    def inputs(self) -> list[str]:
        return self.plugged

    def open_input(self, name: str, occurrence: int = 0) -> MidiIn:
        assert all(not connection.alive for connection in self.connections), "the one before is closed first"
        later = [(seconds, data) for seconds, data in self._script if seconds > self._clock.now()]
        self.connections.append(FakeConnection(later, self._clock, name, grain_seconds=next(self._grains, 0.0)))
        return self.connections[-1]

    def open_virtual_input(self, name: str) -> MidiIn:
        return self.open_input(name)

    def unplug(self, *names: str) -> None:
        self.plugged = [name for name in self.plugged if name not in names]
        if self.connections[-1].name not in self.plugged:
            self.connections[-1].cut()


class WatchedInput:
    """An input, its system and its clock; time passes as the supervisor sees it."""

    def __init__(self, query: str | None = "Keys", script: Script = (), grains: Sequence[float] = ()) -> None:
        self.clock = ManualClock()
        self.system = FakeSystem(self.clock, script, grains=grains)
        self.input = SupervisedInput(query, self.clock, find_backends=self.system.running)

    def until(self, seconds: float) -> None:
        while self.clock.now() < seconds - 1e-9:
            self.clock.advance(0.01)
            self.input.step()

    def receive(self) -> list[tuple[bytes, int]]:
        return [(message.data, message.connection) for message in self.input.poll()]


def test_what_is_played_before_and_after_a_loss_is_heard_and_each_says_by_which_connection() -> None:
    watched = WatchedInput(script=[(0.5, note_on(1, 60, 80)), (2.0, note_on(1, 62, 80)), (9.0, note_on(1, 64, 80))])
    watched.until(1.0)
    assert watched.receive() == [(note_on(1, 60, 80), 0)]
    watched.system.unplug("Keys")
    watched.until(1.0 + WATCH_SECONDS)
    assert (watched.input.problem, watched.input.is_alive()) == (GONE, False)
    watched.until(4.0)
    assert watched.receive() == []
    watched.system.plugged = ["Pads", "Keys"]
    watched.until(4.0 + RETRY_SECONDS)
    assert (watched.input.problem, watched.input.is_alive()) == (None, True)
    watched.until(9.5)
    assert watched.receive() == [(note_on(1, 64, 80), 1)]


def test_what_came_just_before_the_loss_is_still_heard() -> None:
    watched = WatchedInput(script=[(0.5, note_on(1, 60, 80))])
    watched.clock.advance(0.55)
    watched.system.unplug("Keys")
    watched.until(1.0)
    assert watched.input.problem == GONE
    assert watched.receive() == [(note_on(1, 60, 80), 0)]


def test_the_log_says_what_was_lost_refused_and_back(caplog: pytest.LogCaptureFixture) -> None:
    flood = [(1.0 + i / 100_000, note_on(1, 60, 80)) for i in range(3000)]
    watched = WatchedInput(script=flood)
    with caplog.at_level(logging.INFO):
        for tenth in range(1, 30):
            watched.until(tenth / 10.0)
            watched.receive()
        watched.system.unplug("Keys")
        watched.until(4.0)
        watched.system.plugged = ["Keys"]
        watched.until(5.0)
    lines = [record.message for record in caplog.records]
    discarded = watched.input.overflows
    assert discarded > 1000
    assert lines == [
        f"messages discarded so far: {discarded} (too many, too fast, or not valid MIDI)",
        f"the MIDI input 'Keys' is lost: {GONE}",
        "the MIDI input 'Keys' is back",
    ]


def test_it_looks_seldom_and_for_ever() -> None:
    watched = WatchedInput()
    watched.system.unplug("Keys")
    watched.until(100.0)
    tries = watched.system.tries
    watched.until(200.0)
    assert watched.system.tries - tries == pytest.approx(100.0 / RETRY_SECONDS, rel=0.05)
    assert len(watched.system.connections) == 1, "nothing was opened meanwhile"


def test_a_virtual_input_comes_back_with_its_server_as_a_virtual_one() -> None:
    watched = WatchedInput(query=None)
    assert (watched.input.name, watched.input.is_virtual) == (VIRTUAL_INPUT_NAME, True)
    watched.system.runs = False
    watched.system.unplug()
    watched.until(3.0)
    assert watched.input.problem == f"the MIDI input {VIRTUAL_INPUT_NAME!r} is gone; kelly-live opens it again"
    watched.system.runs = True
    watched.until(3.0 + RETRY_SECONDS)
    assert watched.input.problem is None
    assert [connection.name for connection in watched.system.connections] == [VIRTUAL_INPUT_NAME] * 2


def test_a_wrong_name_is_still_an_error_at_the_start() -> None:
    with pytest.raises(MidiError, match=r"no MIDI input matches 'drums'.*'Keys', 'Pads'"):
        WatchedInput(query="drums")


def test_no_other_input_takes_its_place_but_one_with_another_number_does() -> None:
    assert find_same_port("Keys", ["Keys 2", "Keys"], {"Keys 2"}) == "Keys"
    assert find_same_port("Keys", ["Keyboard", "Pads"], ()) is None
    # ALSA numbers its clients; a twin that was there before is another one.
    one, other, again = "nano2:nano2 MIDI 1 24:0", "nano2:nano2 MIDI 1 28:0", "nano2:nano2 MIDI 1 32:0"
    assert find_same_port(one, [other], {other}) is None
    assert find_same_port(one, [other, again], {other}) == again
    assert find_same_port(one, [other, again], ()) is None, "two that could be it"


def test_what_was_thrown_away_adds_up_and_the_grain_is_that_of_the_connection() -> None:
    watched = WatchedInput(script=[(0.5, b"\x90"), (5.0, b"\x90"), (5.1, b"\xf7")], grains=[0.01, 0.002])
    branch = SharedInput(watched.input).branch()
    watched.until(1.0)
    watched.receive()
    assert (watched.input.overflows, branch.grain_seconds) == (1, 0.01)
    watched.system.unplug("Keys")
    watched.until(2.0)
    assert watched.input.overflows == 1
    watched.system.plugged = ["Keys"]
    watched.until(6.0)
    watched.receive()
    assert (watched.input.overflows, branch.grain_seconds) == (3, 0.002)


@given(st.lists(st.tuples(st.sampled_from(["Keys", "Pads", "server"]), st.floats(0.01, 3.0)), max_size=12))
def test_whatever_goes_and_comes_it_is_back_in_the_end(changes: list[tuple[str, float]]) -> None:
    """At every moment the problem is what the last look saw."""
    watched = WatchedInput(script=[(1000.0, note_on(1, 60, 80))])
    for change, seconds in changes:
        if change == "server":
            watched.system.runs = not watched.system.runs
            watched.system.unplug(*([] if watched.system.runs else ["Keys", "Pads"]))
        elif change in watched.system.plugged:
            watched.system.unplug(change)
        else:
            watched.system.plugged = [*watched.system.plugged, change]
        watched.until(watched.clock.now() + seconds)
    watched.until(watched.clock.now() + WATCH_SECONDS)
    assert (watched.input.problem is None) == watched.system.connections[-1].alive
    watched.system.runs, watched.system.plugged = True, ["Keys", "Pads"]
    watched.until(watched.clock.now() + RETRY_SECONDS + WATCH_SECONDS)
    assert watched.input.problem is None
    watched.clock.sleep_until(1001.0)
    assert [data for data, _ in watched.receive()] == [note_on(1, 60, 80)]


def ticks(start: float, count: int, bpm: float) -> list[tuple[float, bytes]]:
    return [(start + i * 60.0 / (bpm * CLOCKS_PER_BEAT), CLOCK) for i in range(count)]


@pytest.mark.parametrize("lost_seconds", [0.15, 0.6, 2.0, 20.0])
@pytest.mark.parametrize("bpm", [93.0, 120.0])
def test_a_clock_is_followed_again_where_the_song_is_by_then(lost_seconds: float, bpm: float) -> None:
    """The sender plays on while it is not received; after the gap the tempo is never a false one."""
    watched = WatchedInput(script=[(0.99, START), *ticks(1.0, 3000, bpm)])
    clock_source = MidiClockSource(watched.input)

    def at(seconds: float) -> float | None:
        """The beat that is followed then, and its tempo is right."""
        watched.until(seconds)
        beat = clock_source.estimate(watched.clock.now()).beat
        if beat is None:
            return None
        assert beat.bpm == pytest.approx(bpm, rel=0.01)
        assert beat.beat_number is not None
        return beat.beat_number + (watched.clock.now() - beat.beat_seconds) * beat.bpm / 60.0

    def true_beat() -> float:
        return (watched.clock.now() - 1.0) * bpm / 60.0

    for tenth in range(11, 50):
        at(tenth / 10.0)
    assert at(5.0) == pytest.approx(true_beat(), abs=0.02)
    watched.system.unplug("Keys")
    watched.until(5.0 + WATCH_SECONDS)
    at(5.0 + lost_seconds)
    assert clock_source.estimate(watched.clock.now()).transport == Transport(True, 1), "the band plays on"
    watched.system.plugged = ["Keys"]
    back = watched.clock.now() + RETRY_SECONDS + 0.05
    watched.until(back)
    beats = [(at(back + hundredth / 100.0), true_beat()) for hundredth in range(300)]
    assert all(beat == pytest.approx(true, abs=0.05) for beat, true in beats)
    assert clock_source.state == ""


def test_a_sender_that_comes_back_from_the_top_is_followed_from_the_top() -> None:
    """Its new tempo is the one of its ticks, not of the gap."""
    watched = WatchedInput(script=[(0.99, START), *ticks(1.0, 48, 120.0), (6.99, START), *ticks(7.0, 200, 90.0)])
    clock_source = MidiClockSource(watched.input)
    watched.until(2.0)
    clock_source.estimate(2.0)
    watched.system.unplug("Keys")
    watched.until(4.0)
    watched.system.plugged = ["Keys"]
    for hundredth in range(400, 1000):
        watched.until(hundredth / 100.0)
        sync = clock_source.estimate(watched.clock.now())
    assert sync.transport == Transport(True, 2)
    assert sync.beat is not None
    assert sync.beat.bpm == pytest.approx(90.0, rel=0.001)
    assert (sync.beat.beat_number, sync.beat.beat_seconds) == (4, pytest.approx(7.0 + 4 * 60.0 / 90.0, abs=1e-3))


def test_a_pedal_held_while_its_cable_was_out_acts_when_it_is_pressed_again() -> None:
    pedal, knob = Binding(Control("cc", 64), "panic"), Binding(Control("cc", 20), "valence")
    knob_messages = [control_change(1, 20, 64), control_change(1, 20, 32)]
    script = [(0.1, control_change(1, 64, 127)), (0.2, knob_messages[0]), (0.3, knob_messages[1])]
    script += [(5.0, control_change(1, 64, 127)), (6.0, control_change(1, 20, 120))]
    watched, midi_map = WatchedInput(script=script), MidiMap([pedal, knob])

    def acts(until: float, valence: float) -> list[Action]:
        watched.until(until)
        return midi_map.read(watched.input.poll(), lambda axis: valence)

    assert acts(0.15, 0.0) == [Action("panic")]
    assert acts(0.5, 0.0) == [Action("valence", -0.5)]
    watched.system.unplug("Keys")
    watched.until(2.0)
    watched.system.plugged = ["Keys"]
    assert acts(5.5, -0.5) == [Action("panic")]
    assert acts(6.5, -0.5) == [], "a knob that was turned meanwhile first comes by where the axis stands"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """No waiting between looks: for the thread, by the real clock."""
    monkeypatch.setattr("kelly_live.midi.supervised_input.WATCH_SECONDS", 0.0)
    monkeypatch.setattr("kelly_live.midi.supervised_input.RETRY_SECONDS", 0.0)
    return ManualClock()


class CountingSystem(FakeSystem):
    """Tells when it was asked, and when it was opened."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.asked, self.opened_one = threading.Semaphore(0), threading.Semaphore(0)

    def running(self) -> Sequence[MidiBackend]:
        self.asked.release()
        return super().running()

    def open_input(self, name: str, occurrence: int = 0) -> MidiIn:
        opened_input = super().open_input(name, occurrence)
        self.opened_one.release()
        return opened_input


def test_the_supervisor_opens_it_again_by_itself_and_ends_with_the_input(at_once: ManualClock) -> None:
    system = CountingSystem(at_once)
    port = SupervisedInput("Keys", at_once, find_backends=system.running)
    assert system.asked.acquire(timeout=20.0)
    assert system.opened_one.acquire(timeout=20.0)
    port.start()
    try:
        system.unplug("Keys")
        for _ in range(3):
            assert system.asked.acquire(timeout=20.0), "it tries again and again"
        assert port.problem == GONE
        system.plugged = ["Keys"]
        assert system.opened_one.acquire(timeout=20.0), "and has it, once it is there"
    finally:
        port.close()
        port.close()
    assert not any(connection.alive for connection in system.connections)
    assert "supervisor of the MIDI input 'Keys'" not in [thread.name for thread in threading.enumerate()]
    assert not port.is_alive()


def test_a_driver_that_raises_what_no_driver_should_is_told(at_once: ManualClock) -> None:
    system = CountingSystem(at_once)
    port = SupervisedInput("Keys", at_once, find_backends=system.running)
    system.connections[0].is_alive = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    port.start()
    while port._supervisor.is_running:
        port._supervisor.stop(20.0)
    assert port.problem is not None
    assert "division by zero" in port.problem
    assert not system.connections[0].alive
