"""A recording is played to the session, and the band's notes lie on its beat and in its key."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from kelly_live.audio.note_source import NoteFileSource
from kelly_live.audio.sources import ScriptedSource
from kelly_live.cli import render
from kelly_live.core.midi_messages import ReceivedMessage, note_on
from kelly_live.core.protocols import BeatTracker
from kelly_live.core.sync_state import BeatEstimate, KeyEstimate, SyncState
from kelly_live.core.timebase import ManualClock
from kelly_live.engine.build import create_beat_tracker
from kelly_live.engine.input_trackers import merge_sync_states
from kelly_live.engine.offline import accompany
from kelly_live.engine.performance import Performance
from kelly_live.generators import registry
from kelly_live.generators.band import GeneratorBand
from kelly_live.midi.files import find_sounding_notes
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.music.conductor import Conductor
from kelly_live.sync.audio_tracker import AudioTracker
from kelly_live.sync.count_in import Count, CountInTracker
from tests.fakes import ScriptedReader, parameters, scripted_stage
from tests.sync.synthetic_music import FIRST_BEAT, song

BPM = 96.0
OWN_BPM = 110.0


def accompany_song(beat_tracker: BeatTracker | None) -> Performance:
    """In C major and at 110 BPM by itself; the recording is in A minor, at 96."""
    scheduler = OfflineScheduler()
    players = [loaded_generator.generator for loaded_generator in registry.load_generators(["chords", "bass"])]
    conductor = Conductor(scheduler, GeneratorBand(players), seed=7, tonic=0)
    source = ScriptedSource(song(BPM, 9, False, 30.0), ManualClock())
    script = [(0.0, parameters(OWN_BPM))]
    return accompany(source, ScriptedReader(), scripted_stage(script), conductor, scheduler, beat_tracker=beat_tracker)


def test_the_band_s_beats_come_to_lie_on_the_player_s_and_its_notes_in_the_key() -> None:
    performance = accompany_song(AudioTracker())
    beats = np.array([performance.tempo_map.seconds_at(float(beat)) for beat in range(200)])
    beats = beats[(beats > 15.0) & (beats < 30.0)]
    period = 60.0 / BPM
    distances = np.abs((beats - FIRST_BEAT + period / 2.0) % period - period / 2.0)
    assert np.median(distances) < 0.02
    assert np.median(np.diff(beats)) == pytest.approx(period, rel=0.02)
    late = [note.pitch % 12 for note in find_sounding_notes(performance.messages) if 20.0 < note.start_seconds < 30.0]
    a_harmonic_minor = {9, 11, 0, 2, 4, 5, 7, 8}
    assert len(late) > 20
    assert set(late) <= a_harmonic_minor
    assert 9 in late


def accompany_count_in(onsets: list[float]) -> tuple[Performance, Conductor]:
    """A keyboard player's pads, in twelve seconds of their sound."""
    messages = [ReceivedMessage(seconds, note_on(10, 37, 90)) for seconds in onsets]
    scheduler = OfflineScheduler()
    players = [loaded_generator.generator for loaded_generator in registry.load_generators(["chords", "bass"])]
    conductor = Conductor(scheduler, GeneratorBand(players), seed=7, tonic=0)
    performance = accompany(
        NoteFileSource(messages, "pads.mid", tail_seconds=10.0),
        ScriptedReader(),
        scripted_stage([(0.0, parameters(OWN_BPM))]),
        conductor,
        scheduler,
        beat_tracker=create_beat_tracker((), conductor, count_in=True),
    )
    return performance, conductor


def test_four_pads_count_the_band_in_and_it_plays_from_the_next_downbeat() -> None:
    period = 60.0 / BPM
    performance, conductor = accompany_count_in([1.0 + beat * period for beat in range(4)])
    downbeat = 1.0 + 4 * period
    assert not conductor.status().is_stopped
    assert performance.tempo_map.seconds_at(0.0) == pytest.approx(downbeat, abs=0.005)
    assert performance.tempo_map.seconds_at(8.0) == pytest.approx(downbeat + 8 * period, abs=0.02)
    first = min(note.start_seconds for note in find_sounding_notes(performance.messages))
    assert downbeat - 0.05 < first < downbeat + 0.1


def test_without_a_count_in_no_note_is_played() -> None:
    performance, conductor = accompany_count_in([1.0, 1.3, 2.4, 2.9])
    assert conductor.status().is_stopped
    assert not performance.notes


def test_a_replaced_tracker_does_not_wait_for_another_count() -> None:
    conductor = Conductor(OfflineScheduler(), GeneratorBand([]), seed=7)
    first = create_beat_tracker((), conductor, count_in=True)
    assert isinstance(first, CountInTracker)
    first.count = Count(4.0, BPM)
    second = create_beat_tracker(("tempo",), conductor, count_in=True, before=first)
    assert second is not None
    transport = second.estimate(5.0).transport
    assert transport is not None
    assert transport.playing


class UnsureTracker:
    """A tracker that is never confident."""

    def push(self, block: object) -> None: ...

    def estimate(self, now: float) -> SyncState:
        return SyncState(BeatEstimate(now, 173.0, 0.1), KeyEstimate(5, "lydian", 0.1))


def test_a_tracker_without_confidence_changes_no_byte() -> None:
    assert accompany_song(UnsureTracker()).messages == accompany_song(None).messages


def test_of_several_sources_the_first_with_a_beat_and_the_first_with_a_key_count() -> None:
    class FixedSource:
        def __init__(self, state: SyncState) -> None:
            self._state = state

        def estimate(self, now: float) -> SyncState:
            return self._state

    clock, beat, key = (
        BeatEstimate(1.0, 120.0, 1.0, beat_number=4),
        BeatEstimate(1.1, 90.0, 0.9),
        KeyEstimate(2, "dorian", 0.8),
    )
    assert merge_sync_states(0.0, [FixedSource(SyncState(clock)), FixedSource(SyncState(beat, key))]) == SyncState(
        clock, key
    )
    assert merge_sync_states(0.0, []) == SyncState()


@pytest.mark.parametrize("text", ["groove", "tempo,feel", ""])
def test_what_cannot_be_followed_is_a_usage_error(text: str) -> None:
    result = CliRunner().invoke(render.command, ["in.wav", "--midi", "out.mid", "--follow", text])
    assert result.exit_code == 2
    assert "give tempo, key, chords, dynamics, several with commas between, or all" in " ".join(result.output.split())
