"""The live path with a scripted analyzer: the same parts, offline by a manual clock, live by the real one."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from kelly_live.audio.sources import ScriptedSource
from kelly_live.core.errors import AudioError, MidiError
from kelly_live.core.protocols import Reading, SchedulerHealth
from kelly_live.core.timebase import ManualClock, MonotonicClock
from kelly_live.core.values import AudioWindow, MusicParameters, SyncState
from kelly_live.engine import session as session_module
from kelly_live.engine.performance import Performance
from kelly_live.engine.session import LiveSession, NoJournal, Snapshot, accompany, compose, keep_latest
from kelly_live.generators import registry
from kelly_live.generators.band import GeneratorBand
from kelly_live.midi.files import find_sounding_notes
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.music.conductor import Conductor
from tests.fakes import ScriptedAnalyzer, parameters, state

RATE = 16_000


def band(sink, **options) -> Conductor:
    players = [found.generator for found in registry.load_generators(["chords", "bass", "melody", "percussion"])]
    return Conductor(sink, GeneratorBand(players), seed=7, tonic=0, **options)


def play_along(seconds: float, script) -> Performance:
    scheduler = OfflineScheduler()
    source = ScriptedSource(np.zeros(int(seconds * RATE), np.float32), ManualClock())
    return accompany(source, ScriptedAnalyzer(script), band(scheduler), scheduler, Reading(state(), script[0][1]))


def test_the_music_lasts_as_long_as_the_sound_and_closes_within_two_bars() -> None:
    made = play_along(10.0, [(0.0, parameters(120.0))])
    assert 10.0 < made.end_seconds <= 10.0 + 2 * 4 * 0.5
    notes = find_sounding_notes(made.messages)
    assert max(note.end_seconds for note in notes) == pytest.approx(made.end_seconds, abs=0.2)


def test_every_note_that_starts_ends() -> None:
    made = play_along(8.0, [(0.0, parameters(100.0)), (3.0, parameters(150.0, density=3.0))])
    sounding: set[tuple[int, int]] = set()
    for message in made.messages:
        kind, channel = message.data[0] & 0xF0, message.data[0] & 0x0F
        if kind == 0x90 and message.data[2] > 0:
            sounding.add((channel, message.data[1]))
        elif kind in (0x80, 0x90):
            sounding.discard((channel, message.data[1]))
    assert not sounding


def test_the_same_input_and_seed_give_the_same_messages() -> None:
    script = [(0.0, parameters(90.0)), (4.0, parameters(140.0, mode="aeolian"))]
    assert play_along(12.0, script).messages == play_along(12.0, script).messages


def test_what_is_felt_reaches_the_notes() -> None:
    def mean_notes_a_second(made: Performance, start: float, end: float) -> float:
        notes = [n for n in find_sounding_notes(made.messages) if start <= n.start_seconds < end]
        return len(notes) / (end - start)

    calm, busy = parameters(80.0, density=0.5), parameters(150.0, density=3.0)
    made = play_along(24.0, [(0.0, calm), (12.0, busy)])
    assert mean_notes_a_second(made, 16.0, 24.0) > 2.0 * mean_notes_a_second(made, 4.0, 12.0)
    assert made.tempo_map.bpm == 150.0


def test_readings_are_kept_in_time_order_with_the_opening_first() -> None:
    times = [reading.state.time for reading in play_along(2.0, [(0.0, parameters())]).readings]
    assert times == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]


def test_composing_lasts_exactly_its_bars() -> None:
    scheduler = OfflineScheduler()
    made = compose(Reading(state(), parameters(120.0)), band(scheduler, length_bars=8), scheduler)
    assert made.end_seconds == pytest.approx(8 * 4 * 0.5)


def test_composing_follows_the_feeling_from_beat_to_beat() -> None:
    """80 to 160 BPM in four bars, asked once a beat; each reading is dated where it falls."""
    scheduler, asked = OfflineScheduler(), []

    def reading_at(bar: float) -> Reading:
        asked.append(bar)
        return Reading(state(valence=min(1.0, bar / 4.0)), parameters(80.0 * (1.0 + min(1.0, bar / 4.0))))

    made = compose(reading_at(0.0), band(scheduler, length_bars=12), scheduler, reading_at)
    assert asked == [0.0, *(0.25 * beat for beat in range(1, 48))]
    bpms = {point.beat: point.bpm for point in made.tempo_map.points()}
    assert min(beat for beat in bpms if beat > 0) <= 4.0
    assert made.tempo_map.bpm == 160.0
    assert sorted(bpms.values()) == list(bpms.values())
    times = [reading.state.time for reading in made.readings]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(made.tempo_map.seconds_at(47.0))


def test_a_morph_counts_the_bars_of_the_music() -> None:
    """10 s at 120 BPM are 5 bars; the analyzer is told where the music is with each block."""
    scheduler, analyzer = OfflineScheduler(), ScriptedAnalyzer([(0.0, parameters(120.0))])
    source = ScriptedSource(np.zeros(10 * RATE, np.float32), ManualClock())
    accompany(source, analyzer, band(scheduler), scheduler, Reading(state(), parameters(120.0)))
    assert analyzer.bars[0] == 0.0
    assert analyzer.bars == sorted(analyzer.bars)
    assert analyzer.bars[-1] == pytest.approx(5.0, abs=0.2)


def test_a_source_that_fails_ends_the_render_with_its_error() -> None:
    scheduler = OfflineScheduler()
    source = ScriptedSource(np.zeros(RATE, np.float32), ManualClock(), failure=AudioError("the device is gone"))
    with pytest.raises(AudioError, match="gone"):
        accompany(
            source,
            ScriptedAnalyzer([(0.0, parameters())]),
            band(scheduler),
            scheduler,
            Reading(state(), parameters()),
        )


def test_keep_latest_drops_the_oldest_and_says_how_much() -> None:
    block = AudioWindow(np.arange(RATE * 3, dtype=np.float32), RATE, 10.0)
    kept, dropped = keep_latest(block, 1.0)
    assert (len(kept.samples), kept.samples[-1], kept.end_time, dropped) == (RATE, RATE * 3 - 1, 10.0, 2.0)
    assert keep_latest(kept, 1.0) == (kept, 0.0)


class Loopback(OfflineScheduler):
    """An offline scheduler that a live session may use as its sink; `fail_with` plays a lost port."""

    fail_with: str | None = None

    def health(self) -> SchedulerHealth:
        return SchedulerHealth(error=self.fail_with)


def live(source, sink) -> LiveSession:
    script = [(0.0, parameters(200.0))]
    return LiveSession(
        source=source,
        analyzer=ScriptedAnalyzer(script),
        conductor=band(sink),
        sink=sink,
        clock=MonotonicClock(),
        opening=Reading(state(), script[0][1]),
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


def test_live_stops_when_told_and_closes_the_source() -> None:
    source = silence(60.0)
    session = live(source, Loopback())
    threading.Timer(0.3, session.stop).start()
    session.run()
    assert source.finished  # a closed scripted source has nothing left


def test_live_raises_the_error_of_a_source_that_is_gone() -> None:
    with pytest.raises(AudioError, match="unplugged"):
        live(silence(0.2, failure=AudioError("unplugged")), Loopback()).run()


def test_live_raises_the_error_of_a_port_that_is_gone() -> None:
    sink = Loopback()
    sink.fail_with = "the port is gone"
    with pytest.raises(MidiError, match="the port is gone"):
        live(silence(5.0), sink).run()


class Tempos(NoJournal):
    """A journal that keeps the tempo asked for at each step."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def advanced(self, now: float, parameters: MusicParameters, lead: SyncState, conductor: Conductor) -> None:
        self.asked.append(parameters.tempo.suggested)


def listening(analyzer: ScriptedAnalyzer, journal: NoJournal, opening: float = 60.0) -> LiveSession:
    sink = Loopback()
    return LiveSession(
        source=silence(60.0), analyzer=analyzer, conductor=band(sink), sink=sink, clock=MonotonicClock(),
        opening=Reading(state(), parameters(opening)), journal=journal,
    )  # fmt: skip


def test_while_the_analysis_stalls_the_last_reading_holds_and_then_the_opening_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_module, "HOLD_SECONDS", 0.2)
    goes_on = threading.Event()

    class Stalling(ScriptedAnalyzer):
        def push(self, block: AudioWindow, bar: float = 0.0) -> list[Reading]:
            readings = super().push(block, bar)
            if readings and not goes_on.is_set():
                goes_on.wait(20.0)
                return []
            return readings

    felt = Stalling([(0.0, parameters(200.0))])
    journal = Tempos()
    session = listening(felt, journal)
    problems: list[str | None] = []

    def on_status(snapshot: Snapshot) -> None:
        problems.append(snapshot.problem)
        if len(problems) > 8 and not goes_on.is_set():
            assert set(journal.asked[-5:]) == {60.0}
            goes_on.set()
        elif 200.0 in journal.asked:
            session.stop()

    session.run(on_status)
    assert journal.asked[0] == 60.0
    assert journal.asked[-1] == 200.0
    assert any(problem is not None and "nothing was felt" in problem for problem in problems)


def test_an_analysis_that_fails_begins_anew_and_the_music_goes_on() -> None:
    class Failing(ScriptedAnalyzer):
        def push(self, block: AudioWindow, bar: float = 0.0) -> list[Reading]:
            readings = super().push(block, bar)
            if self.blocks in (3, 4):
                raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later")
            return readings

    felt = Failing([(0.0, parameters(200.0))])
    journal = Tempos()
    session = listening(felt, journal)
    problems: list[str | None] = []

    def on_status(snapshot: Snapshot) -> None:
        problems.append(snapshot.problem)
        if 200.0 in journal.asked:
            session.stop()

    last = session.run(on_status)
    assert felt.restarts == 2
    assert last.problem is None
    told = [problem for problem in problems if problem is not None]
    assert all(line.startswith("the analysis begins anew (RuntimeError: CUDA error") for line in told)
    assert all("\n" not in line for line in told)


def test_the_session_runs_without_torch() -> None:
    code = "import sys, kelly_live.engine.session; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
