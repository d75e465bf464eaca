"""The live path with a scripted reader: offline by a manual clock, live by the real one."""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pytest

from kelly_live.audio.sources import ScriptedSource
from kelly_live.core.commands import SinkCommand, Stop
from kelly_live.core.emotion_space import create_state
from kelly_live.core.emotion_words import HOLD_SECONDS, EmotionWord, EmotionWords, WordHold
from kelly_live.core.errors import AudioError, MidiError
from kelly_live.core.protocols import EmotionOverride, Morph, Reading, SchedulerHealth
from kelly_live.core.sync_state import SyncState
from kelly_live.core.timebase import Clock, ManualClock, MonotonicClock
from kelly_live.core.values import AudioWindow, EmotionState, MusicParameters
from kelly_live.engine.journal import NoJournal
from kelly_live.engine.offline import accompany, compose
from kelly_live.engine.override import OverrideStage
from kelly_live.engine.performance import Performance
from kelly_live.engine.session import STATE_HOLD_SECONDS, LiveSession, Snapshot, keep_latest
from kelly_live.engine.supervised_tracker import SupervisedTracker
from kelly_live.generators import registry
from kelly_live.generators.band import GeneratorBand
from kelly_live.midi.files import find_sounding_notes
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.music.conductor import Conductor
from tests.fakes import ScriptedMapper, ScriptedReader, parameters, scripted_stage, state

RATE = 16_000


def band(sink, **options) -> Conductor:
    players = [
        loaded_generator.generator
        for loaded_generator in registry.load_generators(["chords", "bass", "melody", "percussion"])
    ]
    return Conductor(sink, GeneratorBand(players), seed=7, tonic=0, **options)


def play_along(seconds: float, script) -> Performance:
    scheduler = OfflineScheduler()
    source = ScriptedSource(np.zeros(int(seconds * RATE), np.float32), ManualClock())
    return accompany(source, ScriptedReader(), scripted_stage(script), band(scheduler), scheduler)


def test_the_music_lasts_as_long_as_the_sound_and_closes_within_two_bars() -> None:
    performance = play_along(10.0, [(0.0, parameters(120.0))])
    assert 10.0 < performance.end_seconds <= 10.0 + 2 * 4 * 0.5
    notes = find_sounding_notes(performance.messages)
    assert max(note.end_seconds for note in notes) == pytest.approx(performance.end_seconds, abs=0.2)


def test_a_band_rests_with_its_player_and_returns_with_him() -> None:
    """At 120 BPM a bar is 2 s. He rests from 6 to 30 s: the leading chord comes at 14 s, the last one at 16 s."""
    tone = 0.1 * np.sin(2.0 * np.pi * 220.0 * np.arange(6 * RATE) / RATE)
    sound = np.concatenate((tone, np.zeros(24 * RATE), tone)).astype(np.float32)

    def play() -> Performance:
        scheduler = OfflineScheduler()
        source = ScriptedSource(sound, ManualClock())
        return accompany(
            source, ScriptedReader(), scripted_stage([(0.0, parameters(120.0))]), band(scheduler), scheduler
        )

    performance = play()
    onsets = [note.start_seconds for note in find_sounding_notes(performance.messages)]
    assert [onset for onset in onsets if 15.8 < onset < 16.2]
    assert not [onset for onset in onsets if 16.2 < onset < 31.5]
    assert [onset for onset in onsets if 32.0 < onset < 34.0]
    assert play().messages == performance.messages


def test_every_note_that_starts_ends() -> None:
    performance = play_along(8.0, [(0.0, parameters(100.0)), (3.0, parameters(150.0, density=3.0))])
    open_notes: set[tuple[int, int]] = set()
    for message in performance.messages:
        kind, channel = message.data[0] & 0xF0, message.data[0] & 0x0F
        if kind == 0x90 and message.data[2] > 0:
            open_notes.add((channel, message.data[1]))
        elif kind in (0x80, 0x90):
            open_notes.discard((channel, message.data[1]))
    assert not open_notes


def test_the_same_input_and_seed_give_the_same_messages() -> None:
    script = [(0.0, parameters(90.0)), (4.0, parameters(140.0, mode="aeolian"))]
    assert play_along(12.0, script).messages == play_along(12.0, script).messages


def test_the_reading_reaches_the_notes() -> None:
    def mean_notes_a_second(performance: Performance, start: float, end: float) -> float:
        notes = [n for n in find_sounding_notes(performance.messages) if start <= n.start_seconds < end]
        return len(notes) / (end - start)

    calm, busy = parameters(80.0, density=0.5), parameters(150.0, density=3.0)
    performance = play_along(24.0, [(0.0, calm), (12.0, busy)])
    assert mean_notes_a_second(performance, 16.0, 24.0) > 2.0 * mean_notes_a_second(performance, 4.0, 12.0)
    assert performance.tempo_map.bpm == 150.0


def test_readings_are_kept_in_time_order_with_the_opening_first() -> None:
    times = [reading.state.time for reading in play_along(2.0, [(0.0, parameters())]).readings]
    assert times == [-1.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]


def test_composing_lasts_exactly_its_bars() -> None:
    scheduler = OfflineScheduler()
    marching = replace(parameters(120.0), groove="march")  # which does not slow down at its end
    performance = compose(Reading(state(), marching), band(scheduler, length_bars=8), scheduler)
    assert performance.end_seconds == pytest.approx(8 * 4 * 0.5)


def test_composing_follows_the_feeling_from_beat_to_beat() -> None:
    """80 to 160 BPM in four bars, asked once a beat; each reading is dated where it falls."""
    scheduler, beats = OfflineScheduler(), []

    def reading_at(bar: float, seconds: float) -> Reading:
        beats.append(bar)
        marching = replace(parameters(80.0 * (1.0 + min(1.0, bar / 4.0))), groove="march")
        return Reading(state(valence=min(1.0, bar / 4.0)), marching)

    performance = compose(reading_at(0.0, 0.0), band(scheduler, length_bars=12), scheduler, reading_at)
    assert beats == [0.0, *(0.25 * beat for beat in range(1, 48))]
    bpms = {point.beat: point.bpm for point in performance.tempo_map.points()}
    assert min(beat for beat in bpms if beat > 0) <= 4.0
    assert performance.tempo_map.bpm == 160.0
    assert sorted(bpms.values()) == list(bpms.values())
    times = [reading.state.time for reading in performance.readings]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(performance.tempo_map.seconds_at(47.0))


def test_a_morph_counts_the_bars_of_the_music() -> None:
    """10 s at 120 BPM are 5 bars: from bar 1 on, a morph of two bars leads to full valence and stays."""
    scheduler = OfflineScheduler()
    source = ScriptedSource(np.zeros(10 * RATE, np.float32), ManualClock())
    override = EmotionOverride(morph=Morph(EmotionOverride(valence=1.0), start_bar=1.0, bars=2.0))
    stage = OverrideStage(ScriptedMapper([(0.0, parameters(120.0))]), state(), override)
    performance = accompany(source, ScriptedReader(), stage, band(scheduler), scheduler)
    valences = {reading.state.time: reading.state.valence for reading in performance.readings}
    assert valences[1.5] == 0.0
    assert valences[4.0] == pytest.approx(0.5, abs=0.1)
    assert valences[10.0] == 1.0
    assert list(valences.values()) == sorted(valences.values())


def test_a_source_that_fails_ends_the_render_with_its_error() -> None:
    scheduler = OfflineScheduler()
    source = ScriptedSource(np.zeros(RATE, np.float32), ManualClock(), failure=AudioError("the device is gone"))
    with pytest.raises(AudioError, match="gone"):
        accompany(
            source,
            ScriptedReader(),
            scripted_stage([(0.0, parameters())]),
            band(scheduler),
            scheduler,
        )


def test_keep_latest_drops_the_oldest_and_says_how_much() -> None:
    block = AudioWindow(np.arange(RATE * 3, dtype=np.float32), RATE, 10.0)
    newest, dropped_seconds = keep_latest(block, 1.0)
    assert (len(newest.samples), newest.samples[-1], newest.end_time, dropped_seconds) == (
        RATE,
        RATE * 3 - 1,
        10.0,
        2.0,
    )
    assert keep_latest(newest, 1.0) == (newest, 0.0)


class Loopback(OfflineScheduler):
    """An offline scheduler that a live session may use as its sink; `fail_with` plays a lost port."""

    fail_with: str | None = None

    def health(self) -> SchedulerHealth:
        return SchedulerHealth(error=self.fail_with)


SCRIPT = [(0.0, parameters(200.0))]


def live(source, sink) -> LiveSession:
    return LiveSession(
        source=source,
        reader=ScriptedReader(),
        stage=scripted_stage(SCRIPT),
        conductor=band(sink),
        sink=sink,
        clock=MonotonicClock(),
    )


def silence(seconds: float, **options) -> ScriptedSource:
    return ScriptedSource(np.zeros(int(seconds * RATE), np.float32), MonotonicClock(), realtime=True, **options)


def test_live_plays_until_the_source_ends_and_closes() -> None:
    sink = Loopback()
    last = live(silence(0.5), sink).run()
    assert isinstance(last, Snapshot)
    sink_notes = [m for m in sink.messages if m.data[0] & 0xF0 == 0x90]
    assert last.conductor.beat > 4.0
    assert sink_notes == []  # nothing advanced the loopback: the session itself never sends


def test_live_stops_on_request_and_closes_the_source() -> None:
    source = silence(60.0)
    session = live(source, Loopback())
    threading.Timer(0.3, session.stop).start()
    session.run()
    assert source.is_finished  # a closed scripted source has nothing left


def test_an_action_wakes_the_console_and_so_does_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a status every quarter of an hour neither would be looked at."""
    monkeypatch.setattr("kelly_live.engine.session.STATUS_STEP_SECONDS", 900.0)
    session, statuses = live(silence(60.0), Loopback()), list[Snapshot]()

    def on_status(snapshot: Snapshot) -> None:
        statuses.append(snapshot)
        threading.Thread(target=session.stop if len(statuses) == 3 else session.wake).start()

    session.wake()
    session.run(on_status)
    assert len(statuses) == 3


def test_live_raises_the_error_of_a_source_that_is_gone() -> None:
    with pytest.raises(AudioError, match="unplugged"):
        live(silence(0.2, failure=AudioError("unplugged")), Loopback()).run()


def test_live_raises_the_error_of_a_port_that_is_gone() -> None:
    sink = Loopback()
    sink.fail_with = "the port is gone"
    with pytest.raises(MidiError, match="the port is gone"):
        live(silence(5.0), sink).run()


class StopTime(NoJournal):
    """A journal that keeps when the sink was stopped."""

    seconds = 0.0

    def record_stop(self, now: float) -> None:
        self.seconds = now


def test_the_journal_is_told_until_when_the_sink_has_sent() -> None:
    class Slow(Loopback):
        """Takes the stop a second late, and says so."""

        sent_until: float | None = None

        def send(self, command: SinkCommand) -> None:
            if isinstance(command, Stop):
                self.sent_until = clock.now() + 1.0
            super().send(command)

        def health(self) -> SchedulerHealth:
            return SchedulerHealth(sent_until=self.sent_until)

    clock, journal, sink = MonotonicClock(), StopTime(), Slow()
    session = LiveSession(
        source=silence(0.2), reader=ScriptedReader(), stage=scripted_stage(SCRIPT), conductor=band(sink), sink=sink,
        clock=clock, journal=journal,
    )  # fmt: skip
    session.run()
    assert journal.seconds == sink.sent_until


class Tempos(NoJournal):
    """A journal that keeps the tempo asked for at each step."""

    def __init__(self) -> None:
        self.tempos: list[float] = []

    def record_step(self, now: float, parameters: MusicParameters, sync: SyncState, conductor: Conductor) -> None:
        self.tempos.append(parameters.tempo.suggested)


class StandingClock(ManualClock):
    """Stands still until a test advances it, however long the machine takes; who waits for it waits a millisecond."""

    def sleep_until(self, deadline: float) -> None:
        time.sleep(0.001)


def start_reading(
    reader: ScriptedReader,
    journal: NoJournal,
    stage: OverrideStage | None = None,
    *,
    clock: Clock | None = None,
    **options: Any,
) -> LiveSession:
    """A session that opens at 60 BPM and plays what is read at 200."""
    sink = Loopback()
    stage = stage or scripted_stage(SCRIPT, initial=parameters(60.0))
    return LiveSession(
        source=silence(60.0), reader=reader, stage=stage, conductor=band(sink), sink=sink,
        clock=clock or MonotonicClock(), journal=journal, **options,
    )  # fmt: skip


Moments: TypeAlias = Iterator[None]


def until(condition: Callable[[], bool]) -> Moments:
    """Wait for a condition, a moment for each status."""
    while not condition():
        yield


def steps(journal: Tempos, count: int = 3) -> Moments:
    """Let the conductor take some steps."""
    end = len(journal.tempos) + count
    yield from until(lambda: len(journal.tempos) >= end)


def run_through(session: LiveSession, moments: Moments) -> Snapshot:
    """Run a session, and do what a test wants to do meanwhile; then stop."""
    done = object()

    def on_status(snapshot: Snapshot) -> None:
        if next(moments, done) is done:
            session.stop()

    return session.run(on_status)


class Stalling(ScriptedReader):
    """Stands still inside `push`, after its first state, until `goes_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()

    def push(self, block: AudioWindow) -> list[EmotionState]:
        if self._hops:
            self.goes_on.wait(20.0)
        return super().push(block)


def test_while_the_analysis_stalls_the_last_state_holds_and_then_the_opening_comes_back() -> None:
    clock, reader, journal = StandingClock(1000.0), Stalling(), Tempos()
    session = start_reading(reader, journal, clock=clock)

    def play() -> Moments:
        yield from steps(journal)
        yield from until(lambda: journal.tempos[-1] == 200.0)
        clock.advance(STATE_HOLD_SECONDS - 0.01)
        yield from steps(journal)
        assert session.snapshot().problem is None
        assert journal.tempos[-1] == 200.0
        clock.advance(0.02)
        yield from steps(journal)
        assert session.snapshot().problem == "nothing was read for 4 s"
        assert journal.tempos[-1] == 60.0
        reader.goes_on.set()
        yield from until(lambda: journal.tempos[-1] == 200.0)
        assert session.snapshot().problem is None

    run_through(session, play())
    assert [tempo for tempo, _ in itertools.groupby(journal.tempos)] == [60.0, 200.0, 60.0, 200.0]


class Dying(ScriptedReader):
    """Reads a happy place once, then nothing ever again, as an analysis whose process is lost."""

    def push(self, block: AudioWindow) -> list[EmotionState]:
        if self._hops:
            raise RuntimeError("its process has ended")
        return [replace(one, valence=0.8, arousal=0.5) for one in super().push(block)]


class PlaceMapper:
    """Plays the valence of a state as its tempo: 100 BPM, and a hundred more at 1."""

    audience = None

    def __call__(self, state: EmotionState) -> MusicParameters:
        return parameters(100.0 + 100.0 * state.valence)


def play_beyond_a_death(override: EmotionOverride) -> tuple[Snapshot, list[float]]:
    """Play until the analysis is silent for 3 × STATE_HOLD_SECONDS; the override follows its only state."""
    clock, journal = StandingClock(1000.0), Tempos()
    session = start_reading(Dying(), journal, OverrideStage(PlaceMapper(), state()), clock=clock)

    def play() -> Moments:
        yield from until(lambda: session.snapshot().read is not None)
        yield from steps(journal)
        session.set_override(override)
        for _ in range(3):
            clock.advance(STATE_HOLD_SECONDS)
            yield from steps(journal)

    return run_through(session, play()), journal.tempos


def test_a_freeze_outlives_the_analysis() -> None:
    last, tempos = play_beyond_a_death(EmotionOverride(freeze=True))
    assert last.reading.state.valence == 0.8
    assert tempos[-1] == pytest.approx(180.0)


def test_an_override_outlives_the_analysis_and_the_rest_returns_to_the_opening() -> None:
    last, tempos = play_beyond_a_death(EmotionOverride(valence=-0.4))
    assert (last.reading.state.valence, last.reading.state.arousal) == (-0.4, 0.0)
    assert tempos[-1] == pytest.approx(60.0)


def test_an_override_is_played_at_the_next_step_and_waits_for_no_hop() -> None:
    """The reader stands still for good: nothing new is read, and the performer is obeyed all the same."""
    reader, journal = Stalling(), Tempos()
    session = start_reading(reader, journal, OverrideStage(PlaceMapper(), state()))
    counts: list[int] = []

    def play() -> Moments:
        yield from until(lambda: session.snapshot().read is not None)
        counts.append(len(journal.tempos))
        session.set_override(EmotionOverride(valence=1.0))
        counts.append(len(journal.tempos))
        yield from steps(journal)

    run_through(session, play())
    reader.goes_on.set()
    before, after = counts
    assert set(journal.tempos[:before]) == {100.0}
    assert set(journal.tempos[after + 1 :]) == {200.0}  # a step may have begun before


def test_what_is_played_is_named_and_a_new_word_waits() -> None:
    words = EmotionWords("xx", (EmotionWord("glad", 0.8, 0.5), EmotionWord("low", -0.7, -0.5)))
    reader, clock = Stalling(), StandingClock()
    stage = OverrideStage(PlaceMapper(), create_state(emotion="neutral"))
    session = start_reading(reader, Tempos(), stage, clock=clock, words=WordHold(words))
    seen: list[str | None] = []

    def name_next() -> Moments:
        yield
        yield
        seen.append(session.snapshot().word)

    def play() -> Moments:
        yield from name_next()
        session.set_override(EmotionOverride(valence=-0.7, arousal=-0.5))
        yield from until(lambda: session.snapshot().reading.state.valence == -0.7)
        yield from name_next()
        clock.advance(HOLD_SECONDS)
        yield from name_next()

    run_through(session, play())
    reader.goes_on.set()
    assert seen == ["", "", "low"]


def test_an_analysis_that_fails_begins_anew_and_the_music_goes_on() -> None:
    class Failing(ScriptedReader):
        def push(self, block: AudioWindow) -> list[EmotionState]:
            states = super().push(block)
            if self.blocks in (3, 4):
                raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later")
            return states

    reader, journal = Failing(), Tempos()
    session = start_reading(reader, journal)
    problems: list[str | None] = []

    def on_status(snapshot: Snapshot) -> None:
        problems.append(snapshot.problem)
        if 200.0 in journal.tempos and reader.resets == 2:
            session.stop()

    last = session.run(on_status)
    assert reader.resets == 2
    assert last.problem is None
    lines = [problem for problem in problems if problem is not None]
    assert all(line.startswith("the analysis restarts (RuntimeError: CUDA error") for line in lines)
    assert all("\n" not in line for line in lines)


@pytest.mark.parametrize("method", ["push", "estimate"])
def test_a_beat_tracker_that_fails_is_replaced_and_the_music_goes_on(method: str) -> None:
    created: list[Tracker] = []

    def create() -> Tracker:
        created.append(Tracker(None if created else method))
        return created[-1]

    journal = Tempos()
    session = start_reading(ScriptedReader(), journal, beat_tracker=SupervisedTracker(create))
    problems: list[str | None] = []

    def on_status(snapshot: Snapshot) -> None:
        problems.append(snapshot.tracker_problem)
        if len(created) == 2 and created[1].blocks > 3 and 200.0 in journal.tempos:
            session.stop()

    session.run(on_status)  # raises nothing
    assert len(created) == 2
    assert "the beat tracker starts anew (ValueError: no beat here)" in problems


class Tracker:
    """A beat tracker; `fails` names the method that raises."""

    def __init__(self, fails: str | None) -> None:
        self.blocks = 0
        self._fails = fails

    def push(self, block: AudioWindow) -> None:
        self.blocks += 1
        if self._fails == "push":
            raise ValueError("no beat\nhere")

    def estimate(self, now: float) -> SyncState:
        if self._fails == "estimate" and self.blocks:
            raise ValueError("no beat\nhere")
        return SyncState()


def test_the_session_runs_without_torch() -> None:
    code = "import sys, kelly_live.engine.session; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
