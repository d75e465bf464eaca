"""A session is recorded while it plays, and comes back from its log to the byte."""

from __future__ import annotations

import errno
import io
import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mido
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kelly_live.audio.sources import ScriptedSource
from kelly_live.core.actions import Action
from kelly_live.core.commands import NO_LIMITS, Controls, LoudnessLimits, Tuning
from kelly_live.core.errors import ConfigError, OutputError
from kelly_live.core.midi_messages import get_kind
from kelly_live.core.protocols import EmotionOverride, NoteSink, Reading
from kelly_live.core.sync_state import BeatEstimate, KeyEstimate, PlayerActivity, PlayerNote, SyncState
from kelly_live.core.timebase import ManualClock, MonotonicClock
from kelly_live.core.values import ControlChange, Dynamics, MusicParameters, NoteEvent, Scale
from kelly_live.engine.cue_source import CueSource, CueStart, Entry
from kelly_live.engine.offline import accompany
from kelly_live.engine.session import LiveSession
from kelly_live.generators import registry
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.builtin.melody import MelodyGenerator
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.midi.files import encode_midi
from kelly_live.midi.offline import NoteList, OfflineScheduler
from kelly_live.music.conductor import Conductor
from kelly_live.music.context import MusicContext
from kelly_live.music.mixer import MixerChange
from kelly_live.music.parameter_locks import LockChange
from kelly_live.recording import log_file
from kelly_live.recording import recorder as recorder_module
from kelly_live.recording.log import LogReader
from kelly_live.recording.paths import Paths, choose_paths
from kelly_live.recording.recorder import Recorder, list_parts
from kelly_live.recording.records import Header, Part
from kelly_live.recording.replay import ReplayResult, replay
from kelly_live.recording.tee import Tee
from tests.fakes import ScriptedReader, parameters, scripted_stage, state
from tests.workers.until import wait_until

RATE = 16_000
FOUR, TWO = "chords+bass+melody+percussion", "bass+melody"
QUARTER_TONES = Scale("quarter-tones", (0.0, 150.0, 350.0, 500.0, 700.0, 850.0, 1050.0))


def create_slots(preset: str) -> list[PlayerSlot]:
    """The presets of these tests are named after the players that they have."""
    loaded_generators = registry.load_generators(preset.split("+"))
    return [PlayerSlot.from_generator(one.generator) for one in loaded_generators if one.generator is not None]


def create_conductor(sink: NoteSink, seed: int = 7, tempo_rise: float | None = None) -> tuple[Conductor, GeneratorBand]:
    band = GeneratorBand(create_slots(FOUR))
    return Conductor(sink, band, seed=seed, tonic=0, expression=True, tempo_rise=tempo_rise), band


def header(conductor: Conductor, seed: int = 7, tuning: Tuning | None = None) -> Header:
    return Header(
        "1.0", "2026-11-23T03:00:00Z", seed, 0, FOUR, list_parts(conductor), tuning=tuning or Tuning(), expression=True
    )


@dataclass
class Take:
    """A recorder before a conductor, by a manual clock: the test is the play thread."""

    folder: Path
    seed: int = 7
    tuning: Tuning | None = None
    limits: LoudnessLimits = NO_LIMITS
    tempo_rise: float | None = None
    asked_paths: Paths | None = None

    def __post_init__(self) -> None:
        self.clock = ManualClock(1000.0)
        self.sink = NoteList()
        self.tee = Tee(self.sink)
        self.conductor, self.band = create_conductor(self.tee, self.seed, self.tempo_rise)
        self.preset = FOUR
        self.sync = SyncState()
        self.paths = self.asked_paths or choose_paths(self.folder / "take.mid", None)
        head = msgspec.structs.replace(
            header(self.conductor, self.seed, self.tuning), limits=self.limits, tempo_rise=self.tempo_rise
        )
        self.recorder = self.create_recorder(head)

    def create_recorder(self, head: Header) -> Recorder:
        return Recorder(self.paths, head, self.tee, self.clock, lambda: self.preset)

    def start(self, target: MusicParameters) -> None:
        origin = self.clock.now() + 0.3
        self.conductor.start(origin, target)
        self.recorder.record_start(self.clock.now(), origin, target)

    def play(self, seconds: float, target: MusicParameters, step: float = 0.01) -> None:
        for _ in range(max(1, round(seconds / step))):
            self.clock.advance(step)
            self.conductor.advance(self.clock.now(), target, self.sync)
            self.recorder.record_step(self.clock.now(), target, self.sync, self.conductor)

    def change_preset(self) -> None:
        self.preset = TWO if self.preset == FOUR else FOUR
        self.band.change(create_slots(self.preset))

    def change_role(self, role: str) -> None:
        self.conductor.set_role(role)
        self.recorder.record_role(self.clock.now(), role)

    def set(self, address: str, value: str) -> None:
        for change in self.band.resolve_setting(address, value):
            self.band.set_parameter(change)
            self.recorder.record_parameter(self.clock.now(), change)

    def mix(self, player: str, control: str, value: bool | float | None = None) -> None:
        change = MixerChange(player, control, value)
        self.conductor.mix(self.clock.now(), change)
        self.recorder.record_mixer(self.clock.now(), change)

    def lock(self, name: str) -> None:
        self.conductor.lock(self.clock.now(), LockChange(name))
        self.recorder.record_lock(self.clock.now(), LockChange(name))

    def limit(self, limits: LoudnessLimits) -> None:
        self.tee.send(limits)
        self.recorder.record_limits(self.clock.now(), limits)

    def panic(self, *, stops_transport: bool = False) -> None:
        self.conductor.panic(self.clock.now(), stops_transport=stops_transport)
        self.recorder.record_panic(self.clock.now(), stops_transport=stops_transport)

    def finish(self) -> None:
        self.conductor.finish(self.clock.now())
        self.recorder.record_ending(self.clock.now())

    def end(self) -> bytes:
        self.recorder.record_stop(self.clock.now())
        self.recorder.close()
        assert self.paths.midi is not None
        return self.paths.midi.read_bytes() if self.paths.midi.exists() else b""


def replay_log(log: Path) -> ReplayResult:
    return replay(LogReader(log), lambda header, preset, parts: create_slots(preset))


def events(log: Path, name: str) -> list[dict]:
    lines = [json.loads(line) for line in log.read_bytes().splitlines()[1:]]
    return [line for line in lines if line["event"] == name]


def test_parameters_that_were_set_while_it_played_are_set_again(tmp_path: Path) -> None:
    take = Take(tmp_path)
    take.start(parameters(140.0))
    take.play(3.3, parameters(140.0))
    take.set("melody.octave", "100%")
    take.set("chords.voicing", "open")
    take.play(3.0, parameters(140.0))
    take.change_preset()
    take.play(3.0, parameters(140.0))
    take.set("melody.octave", "0%")
    take.play(3.0, parameters(140.0))
    take.finish()
    recorded = take.end()
    again = replay_log(take.paths.log)
    assert again.differs_at is None
    assert again.midi == recorded
    log = [(one["player"], one["parameter"], one["value"]) for one in events(take.paths.log, "parameter")]
    assert log == [("melody", "octave", 2), ("chords", "voicing", "open"), ("melody", "octave", -2)]
    without = tmp_path / "without.jsonl"
    lines = take.paths.log.read_text().splitlines(keepends=True)
    without.write_text("".join(line for line in lines if '"event":"parameter"' not in line))
    assert replay_log(without).differs_at is not None, "they are heard"


def test_a_mix_and_locks_are_replayed_to_the_same_bytes(tmp_path: Path) -> None:
    take = Take(tmp_path)
    take.start(parameters(140.0))
    take.play(2.1, parameters(140.0))
    take.mix("chords", "mute")
    take.mix("melody", "level", 0.5)
    take.lock("tempo")
    take.lock("mode")
    take.play(3.0, parameters(90.0, "aeolian"))
    take.mix("chords", "mute")
    take.mix("bass", "solo", True)
    take.change_preset()
    take.play(3.0, parameters(90.0, "aeolian"))
    take.mix("bass", "solo", False)
    take.lock("tempo")
    take.play(3.0, parameters(90.0, "aeolian"))
    take.finish()
    recorded = take.end()
    again = replay_log(take.paths.log)
    assert again.differs_at is None
    assert again.midi == recorded
    for event in ("mixer", "lock"):
        without = tmp_path / f"no-{event}.jsonl"
        lines = take.paths.log.read_text().splitlines(keepends=True)
        without.write_text("".join(line for line in lines if f'"event":"{event}"' not in line))
        assert replay_log(without).differs_at is not None, "it is heard"


def test_limits_are_in_the_file_as_they_were_and_are_played_again(tmp_path: Path) -> None:
    loud = parameters(100.0, dynamics=Dynamics(0.9, 1.0, 0.1))
    take = Take(tmp_path, limits=LoudnessLimits(velocity=80, accent=20), tempo_rise=20.0)
    take.start(loud)
    take.play(5.0, loud)
    take.limit(LoudnessLimits(velocity=50))
    take.play(5.0, replace(loud, tempo=parameters(180.0).tempo))
    recorded = take.end()
    again = replay_log(take.paths.log)
    assert again.differs_at is None
    assert again.midi == recorded
    notes = [(m.seconds - 1000.0, m.data[2]) for m in again.tape.messages() if get_kind(m.data) == "note_on"]
    assert max(velocity for seconds, velocity in notes if seconds < 5.0) == 80
    assert max(velocity for seconds, velocity in notes if seconds > 5.0) == 50
    fastest = max(point.bpm for point in again.tape.tempo_map.points())
    assert 100.0 < fastest <= 100.0 + 20.0 * 10.0 / 60.0


def test_a_cue_is_begun_again_at_the_same_instant(tmp_path: Path) -> None:
    """On the next beat, in another key and metre; then a cut.

    The log holds what the band is synchronised to.
    """
    take = Take(tmp_path)
    source = CueSource(take.conductor, lambda override: None)
    take.start(parameters(140.0))

    def play(seconds: float, target: MusicParameters) -> None:
        for _ in range(round(seconds / 0.01)):
            take.sync = source.estimate(take.clock.now())
            take.play(0.01, target)

    play(3.1, parameters(140.0))
    source.set_key(KeyEstimate(2, "dorian", 1.0))
    source.request(CueStart(EmotionOverride(emotion="sad"), Entry.BEAT, beats_per_bar=3))
    play(4.0, parameters(80.0))
    source.request(CueStart(EmotionOverride(emotion="angry"), Entry.NOW))
    play(2.0, parameters(170.0))
    assert source.starts == 2
    recorded = take.end()
    again = replay_log(take.paths.log)
    assert again.differs_at is None
    assert again.compared_notes == again.notes > 20
    assert again.midi == recorded
    events = mido.MidiFile(file=io.BytesIO(recorded)).tracks[0]
    assert [event.numerator for event in events if event.type == "time_signature"] == [4, 3, 4]


def test_a_live_session_is_recorded_and_its_log_gives_the_same_file(tmp_path: Path) -> None:
    """The real threads, for two seconds at 200 BPM, with a change of mind half way."""
    script = [(0.0, parameters(200.0)), (1.0, parameters(160.0, density=3.0))]
    clock = MonotonicClock()
    tee = Tee(NoteList())
    conductor, _ = create_conductor(tee)
    recorder = Recorder(choose_paths(tmp_path / "set.mid", None), header(conductor), tee, clock)
    source = ScriptedSource(np.zeros(2 * RATE, np.float32), clock, realtime=True)
    session = LiveSession(
        source=source, reader=ScriptedReader(), stage=scripted_stage(script), conductor=conductor, sink=tee,
        clock=clock, journal=recorder,
    )  # fmt: skip
    last = session.run(recorder.record_counters)
    recorder.record_action(Action("like"), "key", last)
    lines = recorder.close()

    again = replay_log(tmp_path / "set.jsonl")
    assert (tmp_path / "set.mid").read_bytes() == again.midi
    assert (again.differs_at, again.is_torn) == (None, False)
    assert again.compared_notes == again.notes > 20
    assert lines[0] == f"recorded {tmp_path / 'set.mid'}"
    assert len(events(tmp_path / "set.jsonl", "emotion")) == 8
    assert events(tmp_path / "set.jsonl", "action") == []  # the session was over: nothing follows its end


def test_what_is_rendered_can_be_recorded_too_and_is_the_same_file(tmp_path: Path) -> None:
    scheduler = OfflineScheduler()
    tee = Tee(scheduler)
    conductor, _ = create_conductor(tee)
    head = msgspec.structs.replace(header(conductor), live=False)
    scheduler.send(head.tunings_by_port()[""])
    recorder = Recorder(Paths(tmp_path / "a.mid", tmp_path / "a.jsonl"), head, tee, ManualClock())
    source = ScriptedSource(np.zeros(6 * RATE, np.float32), ManualClock())
    performance = accompany(
        source, ScriptedReader(), scripted_stage([(0.0, parameters(150.0))]), conductor, scheduler,
        journal=recorder,
    )  # fmt: skip
    recorder.close()
    names = {part.channel: part.name for part in head.parts}
    programs = {part.channel: part.program for part in head.parts}
    midi = encode_midi(
        performance.messages,
        performance.tempo_map,
        track_names=names,
        programs=programs,
        signatures=performance.signatures,
    )
    assert (tmp_path / "a.mid").read_bytes() == midi == replay_log(tmp_path / "a.jsonl").midi


asked_parameters = st.builds(
    parameters,
    st.floats(40.0, 220.0),
    st.sampled_from(["ionian", "aeolian", "dorian"]),
    density=st.floats(0.0, 3.0),
    scale=st.sampled_from([None, QUARTER_TONES]),
)
events_to_play = st.lists(
    st.one_of(
        st.tuples(st.just("play"), st.floats(0.01, 3.0), asked_parameters),
        st.tuples(st.just("lag"), st.floats(0.5, 20.0), asked_parameters),
        st.tuples(
            st.sampled_from(["panic", "control", "preset", "lead", "mix", "lock"]), st.just(0.0), asked_parameters
        ),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events_to_play, st.booleans(), st.integers(0, 99), st.sampled_from(["bend", "mpe", "mts", "off"]))
def test_a_log_gives_the_same_bytes_after_any_events(
    tmp_path_factory: pytest.TempPathFactory, events_to_play: list, finishes: bool, seed: int, mode: str
) -> None:
    take = Take(tmp_path_factory.mktemp("take"), seed, Tuning(mode))
    take.start(events_to_play[0][2])
    for event, seconds, target in events_to_play:
        if event == "lag":  # the machine was asleep: bars are skipped
            take.clock.advance(seconds)
        elif event == "panic":
            take.panic()
        elif event == "preset":
            take.change_preset()
        elif event == "mix":
            take.mix("bass", "mute")
        elif event == "lock":
            take.lock("tempo")
        elif event == "lead":
            beat = take.clock.now() + seconds
            take.sync = SyncState(BeatEstimate(beat, target.tempo.suggested, 0.9), KeyEstimate(5, target.mode, 0.9))
        elif event == "control":
            take.tee.send(Controls((ControlChange(3, 20, 64),)))
        take.play(seconds if event == "play" else 0.05, target)
    if finishes:
        take.finish()
        take.clock.advance(4.0)
    recording = take.end()
    if not take.paths.log.exists():  # nothing was played
        assert not recording
        return
    again = replay_log(take.paths.log)
    assert again.midi == recording
    assert again.differs_at is None
    assert (again.compared_notes, again.is_torn) == (again.notes, False)


def test_a_replay_rests_and_returns_where_the_band_did(tmp_path: Path) -> None:
    """120 BPM, a bar is 2 s: he plays for two bars, rests for twelve, and plays again."""
    take, target = Take(tmp_path), parameters(120.0)
    take.start(target)
    stop = take.clock.now() + 4.3
    take.sync = SyncState(player=PlayerActivity(True, 1000.0))
    take.play(4.3, target)
    take.sync = SyncState(player=PlayerActivity(False, stop))
    take.play(24.0, target)
    take.sync = SyncState(player=PlayerActivity(True, stop + 24.0))
    take.play(6.0, target)
    recording = take.end()
    again = replay_log(take.paths.log)
    assert again.midi == recording
    assert again.differs_at is None
    onsets = [m.seconds - 1000.3 for m in again.tape.messages() if m.data[0] & 0xF0 == 0x90]
    assert not [onset for onset in onsets if 20.5 < onset < 28.0]
    assert [onset for onset in onsets if onset > 29.5]


@pytest.mark.parametrize("stops_transport", [False, True])
def test_a_panic_ends_every_note_and_the_band_plays_on_at_the_next_bar(tmp_path: Path, stops_transport: bool) -> None:
    """120 BPM, a bar is 2 s; panic at beat 5: nothing from there to beat 8."""
    take = Take(tmp_path)
    target = parameters(120.0, density=2.0)
    take.start(target)
    take.play(0.3 + 2.5, target)
    take.panic(stops_transport=stops_transport)
    take.play(4.0, target)
    recording = take.end()
    again = replay_log(take.paths.log)
    assert again.midi == recording
    origin = 1000.3
    ons = [m.seconds - origin for m in again.tape.messages() if m.data[0] & 0xF0 == 0x90]
    assert any(second < 2.5 for second in ons)
    assert not [second for second in ons if 2.5 < second < 4.0 - 0.05]
    assert any(4.0 - 0.05 <= second < 4.1 for second in ons)


def test_a_note_that_is_handed_over_too_late_is_not_in_the_file(tmp_path: Path) -> None:
    """The play thread stood still for half a bar: what was due by then is left out, as it is live."""
    take, target = Take(tmp_path), parameters(120.0, density=3.0)
    take.start(target)
    take.play(2.0, target)
    take.clock.advance(0.9)
    take.play(2.0, target)
    take.end()
    again = replay_log(take.paths.log)
    ons = [m.seconds for m in again.tape.messages() if m.data[0] & 0xF0 == 0x90]
    assert len(ons) < again.notes
    stood, went_on = 1000.0 + 2.0 + 0.25, 1000.0 + 2.9
    assert not [second for second in ons if stood < second < went_on]


class UnrepeatablePlayer:
    """A plug-in: what it answers, and whether in time, cannot be repeated."""

    descriptor = MelodyGenerator.descriptor
    refusal = None
    is_given_up = False

    def __init__(self) -> None:
        self._random, self._inner = random.Random(1), MelodyGenerator()

    def generate(self, parameters: MusicParameters, context: MusicContext, start: float, end: float) -> list[NoteEvent]:
        if self._random.random() < 0.4:
            return []  # it came too late
        notes = self._inner.generate(parameters, context, start, end)
        return [replace(note, velocity=self._random.randint(1, 127)) for note in notes]

    def reset(self) -> None:
        """Do nothing: there is no state."""

    def prepare(self, parameters: MusicParameters, context: MusicContext, bar: int) -> None:
        """Do nothing: it answers when it is asked."""

    def peek(self, bar: int) -> Sequence[NoteEvent] | None:
        return None

    def is_back(self) -> bool:
        return True

    def close(self) -> None:
        """Do nothing: there is nothing open."""

    def join(self, seconds: float) -> None:
        """Do nothing: there is nothing to wait for."""


def test_the_notes_of_a_plug_in_are_logged_so_that_it_need_not_be_there(tmp_path: Path) -> None:
    """It comes in with a change of preset, and goes with the next."""
    take, target = Take(tmp_path), parameters(160.0, density=3.0)
    take.start(target)
    take.play(2.0, target)
    take.preset, plug_in = TWO, PlayerSlot.from_generator(UnrepeatablePlayer())
    take.band.change([*create_slots("bass"), plug_in])
    take.play(4.0, target)
    take.change_preset()
    take.play(2.0, target)
    take.finish()
    take.clock.advance(4.0)
    recording = take.end()

    def seat_players(header: Header, preset: str, parts: tuple[Part, ...]) -> list[PlayerSlot]:
        built_in_names = {part.name for part in parts if not part.is_plug_in}
        return [slot for slot in create_slots(preset) if slot.part in built_in_names]

    again = replay(LogReader(take.paths.log), seat_players)
    assert again.midi == recording
    assert (again.differs_at, again.compared_notes) == (None, again.notes)
    steps = events(take.paths.log, "step")
    assert 0 < len([step for step in steps if "plays" in step]) < len(steps)


def test_what_held_notes_show_is_in_the_file_the_log_and_the_replay(tmp_path: Path) -> None:
    """Calm, a sudden rise, a panic: controllers move, and the replay has each at its tick."""
    take = Take(tmp_path)
    take.start(parameters(80.0))
    take.play(4.0, parameters(80.0))
    take.play(3.0, parameters(120.0, density=2.5, dynamics=Dynamics(0.75, 0.95, 0.1)))
    take.panic()
    take.play(3.0, parameters(80.0))
    take.finish()
    take.clock.advance(4.0)
    recording = take.end()
    points = [point for step in events(take.paths.log, "step") for point in step.get("points", ())]
    assert len({point["loudness"] for point in points}) > 10
    file = mido.MidiFile(file=io.BytesIO(recording))
    values = [m.value for track in file.tracks for m in track if m.is_cc(11)]
    assert len(set(values)) > 5
    assert {[m for m in track if m.is_cc(11)][-1].value for track in file.tracks[1:]} == {127}
    again = replay_log(take.paths.log)
    assert again.midi == recording
    assert again.differs_at is None


def test_a_second_port_has_tracks_of_its_own(tmp_path: Path) -> None:
    """Two synths, both on channel 1: the file has tracks for both, and says which is which."""

    def two(preset: str) -> list[PlayerSlot]:
        notes_by_port = {
            "bass": replace(create_slots("bass")[0], channel=1),
            "melody": replace(create_slots("melody")[0], channel=1, port="far"),
        }
        return [notes_by_port[name] for name in preset.split("+")]

    take, target = Take(tmp_path), parameters(160.0, density=2.0)
    take.start(target)
    take.band.change(two("bass+melody"))
    take.preset = "bass+melody"
    take.play(4.0, target)
    take.end()
    again = replay(
        LogReader(take.paths.log), lambda header, preset, parts: two(preset) if preset == TWO else create_slots(preset)
    )
    assert take.paths.midi is not None
    assert take.paths.midi.read_bytes() == again.midi
    assert again.tape.ports == ("", "far")
    tracks = {track.name: track for track in mido.MidiFile(take.paths.midi).tracks}
    far = [message for message in tracks["melody (far)"] if message.type == "note_on"]
    assert far
    assert {message.channel for message in far} == {0}
    assert [message for message in tracks["melody (far)"] if message.type == "midi_port"]


def test_a_take_never_overwrites_another(tmp_path: Path) -> None:
    assert choose_paths(tmp_path / "take.mid", None) == Paths(tmp_path / "take.mid", tmp_path / "take.jsonl")
    (tmp_path / "take.jsonl").touch()
    assert choose_paths(tmp_path / "take.mid", None) == Paths(tmp_path / "take-2.mid", tmp_path / "take-2.jsonl")
    assert choose_paths(None, tmp_path / "x.log") == Paths(None, tmp_path / "x.log")
    with pytest.raises(OutputError, match="same name"):
        choose_paths(tmp_path / "a", tmp_path / "a")
    with pytest.raises(OutputError, match="same name"):
        choose_paths(tmp_path / "a.jsonl", None)


@pytest.fixture(scope="module")
def short_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a short take, whole."""
    take, target = Take(tmp_path_factory.mktemp("short_log")), parameters(120.0)
    take.start(target)
    take.play(3.0, target)
    take.end()
    return take.paths.log


def test_after_a_kill_everything_but_the_last_second_is_there(tmp_path: Path) -> None:
    """No stop, no close: what is on the disk half a second later."""
    take, target = Take(tmp_path), parameters(120.0)
    take.start(target)
    take.play(5.0, target)
    # The log counts the notes behind each batch: it is whole up to now once it counts all that were made.
    wait_until(lambda: [one["notes"] for one in events(take.paths.log, "checksum")][-1:] == [len(take.sink.notes)])
    killed = take.paths.log.read_bytes()
    take.end()
    (tmp_path / "killed.jsonl").write_bytes(killed)
    again = replay_log(tmp_path / "killed.jsonl")
    assert again.seconds > 4.5
    assert again.compared_notes == again.notes == replay_log(take.paths.log).notes
    assert not sounding_at_the_end(again)


def sounding_at_the_end(again: ReplayResult) -> set[tuple[int, int]]:
    open_notes: set[tuple[int, int]] = set()
    for message in again.tape.messages():
        kind, voice = message.data[0] & 0xF0, (message.data[0] & 15, message.data[1])
        if kind == 0x90:
            open_notes.add(voice)
        elif kind == 0x80:
            open_notes.discard(voice)
    return open_notes


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4000))
def test_a_log_that_was_cut_anywhere_is_played_up_to_there(
    short_log: Path, tmp_path_factory: pytest.TempPathFactory, missing_bytes: int
) -> None:
    full_log = short_log.read_bytes()
    first = full_log.index(b"\n", full_log.index(b'"event":"start"')) + 1
    path = tmp_path_factory.mktemp("cut") / "cut.jsonl"
    path.write_bytes(full_log[: max(first, len(full_log) - missing_bytes)] + b"\0" * (missing_bytes % 3))
    again = replay_log(path)
    assert again.differs_at is None
    assert not sounding_at_the_end(again)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: [lines[0].replace(b'"format":2', b'"format":3'), *lines[1:]], r"line 1: format 3 is newer"),
        (
            lambda lines: [lines[0].replace(b'"format":2', b'"format":1'), *lines[1:]],
            r"line 1: format 1 is older than what this version reads \(2\); use kelly-live 1\.0",
        ),
        (lambda lines: [b'{"x":1}', *lines[1:]], r"line 1: this is no log"),
        (
            lambda lines: [lines[0].replace(b'"seed":7', b'"seed":"7"'), *lines[1:]],
            r"line 1: Expected `int`, got `str` - at `\$\.seed`",
        ),
        (lambda lines: [*lines[:5], lines[5][:9], *lines[6:]], r"line 6: is not JSON"),
        (lambda lines: [*lines[:5], b"\0" * 40, *lines[6:]], r"line 6: is not JSON"),
        (
            lambda lines: [*lines[:5], b'{"event":"solo","time":1}', *lines[6:]],
            r"line 6: Invalid value 'solo' - at `\$\.event`",
        ),
        (lambda lines: [*lines[:5], b'{"event":"step"}', *lines[6:]], r"line 6: Object missing required field `time`"),
        (lambda lines: [*lines[:5], b'{"event":"step","time":NaN}', *lines[6:]], r"line 6: is not JSON"),
        (
            lambda lines: [*lines[:5], b'{"event":"step","time":1,"changes":{"density":9}}', *lines[6:]],
            r"line 6: density is 9",
        ),
        (lambda lines: [*lines[:5], b"[" * 200_000, *lines[6:]], r"line 6: Expected `object`, got `array`"),
        (
            lambda lines: [*lines[:5], b'{"event":"step","time":1,"changes":{"density":' + b"[" * 200_000, *lines[6:]],
            r"line 6: is not JSON",
        ),
        (
            lambda lines: [*lines[:5], b'{"event":"step","time":1,"changes":{"loudness":9}}', *lines[6:]],
            r"line 6: there is no parameter 'loudness'",
        ),
        (
            lambda lines: [*lines[:5], b'{"event":"stop","time":1e9}', *lines[6:]],
            r"line 6: time is 1e\+09; no clock shows that",
        ),
        (lambda lines: [lines[0], *lines[2:]], r"line 2: something was played before the start"),
        (lambda lines: lines[:1], r"line 1: the log ends before the music starts"),
        (lambda lines: [*lines, lines[-3]], r"something happened after the end"),
    ],
)
def test_a_log_that_is_damaged_is_refused_with_its_line(
    short_log: Path, tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]], message: str
) -> None:
    path = tmp_path / "damaged.jsonl"
    path.write_bytes(b"\n".join(damage(short_log.read_bytes().splitlines())) + b"\n")
    with pytest.raises(ConfigError, match=message):
        replay_log(path)


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_break_the_reader(
    short_log: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes changed anywhere in a real log: it plays, or is refused in one line."""
    full_log = bytearray(short_log.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        full_log[data.draw(st.integers(0, len(full_log) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "fuzz.jsonl"
    path.write_bytes(full_log)
    message = ""
    try:
        list(LogReader(path).records())
    except ConfigError as error:
        message = str(error)
    assert "\n" not in message


def test_a_role_that_was_changed_is_played_again(tmp_path: Path) -> None:
    """A player's phrase each two bars, at 120 BPM: the band answers him, then trades with him."""
    take = Take(tmp_path)
    take.start(parameters(120.0))
    take.change_role("answer")
    for number in range(60):
        is_phrase = number % 16 < 6
        notes = (PlayerNote(take.clock.now(), 60 + number % 7, 80),) if is_phrase else ()
        take.sync = SyncState(notes=notes)
        take.play(0.25, parameters(120.0))
        if number == 30:
            take.change_role("trade")
    take.finish()
    midi = take.end()
    assert [line["role"] for line in events(take.paths.log, "role")] == ["answer", "trade"]
    result = replay_log(take.paths.log)
    assert result.midi == midi
    assert result.differs_at is None


def test_a_player_of_today_that_was_silent_then_is_left_out(short_log: Path, tmp_path: Path) -> None:
    """The checksum says that the notes are not the same; the silence itself is kept."""
    lines = short_log.read_bytes().splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if b'"event":"start"' in line)
    lines.insert(start + 1, b'{"event":"mute","time":1000.0,"player":"melody","reason":"slow"}\n')
    (tmp_path / "muted.jsonl").write_bytes(b"".join(lines))
    again = replay_log(tmp_path / "muted.jsonl")
    assert not [m for m in again.tape.messages() if m.data[0] == 0x92]
    assert again.differs_at is not None


class FullDisk:
    """os.write to a disk that takes `free_bytes` more, and then none."""

    def __init__(self, free_bytes: int) -> None:
        self.free_bytes = free_bytes

    def __call__(self, file: int, data: bytes) -> int:
        if self.free_bytes <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = min(self.free_bytes, len(data))
        self.free_bytes -= count
        return _write(file, data[:count])


_write = os.write


def test_a_full_disk_is_reported_and_nothing_is_lost_once_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(1800)
    monkeypatch.setattr(log_file.os, "write", disk)
    take, target = Take(tmp_path), parameters(120.0)
    take.start(target)
    take.play(5.0, target)
    wait_until(lambda: take.recorder.problem)
    assert take.recorder.problem == "not recording: No space left on device"
    full = tmp_path / "full.jsonl"
    full.write_bytes(take.paths.log.read_bytes())
    assert replay_log(full).is_torn  # what is there is valid, up to the line that did not fit
    take.play(2.0, target)
    disk.free_bytes = 1 << 30
    wait_until(lambda: take.recorder.problem is None)
    recording = take.end()
    assert replay_log(take.paths.log).midi == recording


def test_a_disk_that_stays_full_ends_the_recording_in_a_bounded_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file.os, "write", FullDisk(1800))
    monkeypatch.setattr(log_file, "MAX_PENDING_BYTES", 100)
    take, target = Take(tmp_path), parameters(120.0)
    take.start(target)
    take.play(5.0, target)
    wait_until(lambda: (take.recorder.problem or "").startswith("recording ended"))
    take.play(5.0, target)
    assert not take.recorder._queue
    lines = take.recorder.close()
    assert "is not whole: recording ended: No space left on device" in " ".join(lines)


def test_a_disk_that_hangs_ends_the_recording_when_its_queue_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "KEEP_SECONDS", 1000.0)  # as if the thread waited for the disk
    monkeypatch.setattr(recorder_module, "MAX_QUEUED", 5)
    take, target = Take(tmp_path), parameters(120.0)
    take.start(target)
    take.play(5.0, target)
    assert take.recorder.problem == "recording ended: the disk does not answer"
    assert len(take.recorder._queue) == 5
    take.recorder.close()


@pytest.mark.parametrize("is_started", [False, True])
def test_a_session_that_is_stopped_as_it_begins_leaves_no_file(tmp_path: Path, is_started: bool) -> None:
    take = Take(tmp_path)
    if is_started:
        take.start(parameters(120.0))
        take.recorder.record_stop(take.clock.now())
    assert take.recorder.close() == ["nothing was played, so nothing was recorded"]
    assert list(tmp_path.iterdir()) == []


def test_what_was_heard_is_kept_though_nothing_was_played(tmp_path: Path) -> None:
    take = Take(tmp_path)
    take.recorder.record_reading(Reading(state(1.0, 0.5, -0.25), parameters(120.0)))
    take.end()
    assert [emotion["valence"] for emotion in events(take.paths.log, "emotion")] == [0.5]


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_played(tmp_path: Path) -> None:
    tee = Tee(NoteList())
    paths = choose_paths(tmp_path / "missing" / "take.mid", None)
    with pytest.raises(OutputError, match=r"cannot write .*missing.*folder does not exist"):
        Recorder(paths, header(create_conductor(tee)[0]), tee, ManualClock())


def test_the_log_says_what_a_reader_wants_to_know(tmp_path: Path) -> None:
    take, target = Take(tmp_path), parameters(120.0)
    take.start(target)
    take.play(3.0, target)
    take.recorder.record_reading(Reading(state(1001.0, 0.5, -0.25), target))
    take.play(3.0, replace(target, tempo=parameters(160.0).tempo))
    take.end()
    assert events(take.paths.log, "emotion")[0] | {"probabilities": None} == {
        "event": "emotion", "time": pytest.approx(1003.0), "audio_seconds": 1001.0, "emotion": "neutral",
        "valence": 0.5, "arousal": -0.25, "dominance": 0.0, "confidence": 1.0, "probabilities": None,
    }  # fmt: skip
    changes = [step["changes"] for step in events(take.paths.log, "step") if "changes" in step]
    assert changes == [{"tempo": {"minimum": 160.0, "suggested": 160.0, "maximum": 160.0}}]
    bpms = [tempo["bpm"] for tempo in events(take.paths.log, "tempo")]
    assert bpms[-1] > 140.0
    assert bpms == sorted(bpms)
    names = [track.name for track in mido.MidiFile(take.paths.midi).tracks]
    assert names == ["Kelly Live", *(part.name for part in header(take.conductor).parts)]
