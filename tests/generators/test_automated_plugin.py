"""A plug-in in a process of its own whose parameter is set while it plays: heard, kept over a crash, and replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import NoteEvent
from kelly_live.engine.replay import load_recorded_players
from kelly_live.generators.added import AddedGenerator, save_added
from kelly_live.generators.host_preset import load_preset
from kelly_live.generators.preset_band import PresetBand
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import Conductor
from kelly_live.recording.log import LogReader
from kelly_live.recording.paths import choose_paths
from kelly_live.recording.recorder import Recorder, list_parts
from kelly_live.recording.records import Header
from kelly_live.recording.replay import ReplayResult, replay
from kelly_live.recording.tee import Tee
from tests.music.band import make_parameters

# It counts its bars (its state) and plays them as pitches above its key (its parameter); at bar 5 it ends, once.
COUNTS = """
import os
class Counts:
    descriptor = {
        "name": "counts", "part": "counts", "channel": 7, "program": 0, "parameters": [
            {"name": "key", "default": 40, "help": "the lowest pitch", "low": 20, "high": 100},
            {"name": "length", "default": 0.5, "help": "of a note", "low": 0.1, "high": 0.9},
        ],
    }
    def __init__(self): self.count = 0
    def configure(self, values): self.values = values
    def reset(self): self.count = 0
    def save_state(self): return {"count": self.count}
    def load_state(self, state): self.count = state["count"]
    def generate(self, parameters, context, start, end):
        if self.count == 5 and not os.path.exists(os.environ["KELLY_LIVE_MARK"]):
            open(os.environ["KELLY_LIVE_MARK"], "w").close()
            os._exit(1)
        self.count += start % 4 == 0
        beats = [beat / 4 for beat in range(round(4 * start), round(4 * end))]
        note = {"pitch": self.values["key"] + self.count, "velocity": 80, "duration_beats": self.values["length"]}
        return [{"onset_beats": beat, **note} for beat in beats]
"""
PARAMETERS = make_parameters(bpm=120.0)


class Session:
    """A recorded session of the preset `band` and the plug-in, by a manual clock."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.notes = ManualClock(1000.0), NoteList()
        tee = Tee(self.notes)
        self.band = PresetBand([load_preset("band")], extra=("counts",))
        self.conductor = Conductor(tee, self.band, seed=7, tonic=0)
        header = Header(
            "1.0", "2026-11-23T03:00:00Z", 7, 0, "band", list_parts(self.conductor), extra=("counts",), live=False
        )
        self.paths = choose_paths(folder / "take.mid", None)
        self.recorder = Recorder(self.paths, header, tee, self.clock)
        self.conductor.start(1000.0, PARAMETERS)
        self.recorder.record_start(1000.0, 1000.0, PARAMETERS)

    def play_to(self, beat: float) -> None:
        while self.conductor.slices < 4 * beat:
            self.clock.sleep_until(1000.0 + self.conductor.slices / 8.0)
            self.conductor.advance(self.clock.now(), PARAMETERS)
            self.recorder.record_step(self.clock.now(), PARAMETERS, self.conductor._sync, self.conductor)

    def set(self, address: str, value: str) -> None:
        for change in self.band.resolve_setting(address, value):
            self.band.set_parameter(change)
            self.recorder.record_parameter(self.clock.now(), change)

    def end(self) -> bytes:
        self.recorder.record_stop(self.clock.now())
        self.recorder.close()
        self.band.close()
        assert self.paths.midi is not None
        return self.paths.midi.read_bytes()

    def bars(self) -> list[list[NoteEvent]]:
        """The plug-in's notes by bar."""
        notes = [note for note in self.notes.notes if note.part == "counts"]
        return [[note for note in notes if int((note.onset_beats + 0.02) // 4) == bar] for bar in range(10)]


def replay_log(log: Path) -> ReplayResult:
    return replay(LogReader(log), load_recorded_players)


def test_it_is_heard_kept_over_a_crash_and_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kelly_live.generators.added.find_file", lambda: tmp_path / "generators.json")
    monkeypatch.setenv("KELLY_LIVE_MARK", str(tmp_path / "broke"))
    source = tmp_path / "counts.py"
    source.write_text(COUNTS)
    save_added([AddedGenerator("counts", str(source))], tmp_path / "generators.json")
    session = Session(tmp_path)
    session.play_to(6.0)
    session.set("counts.key", "60")
    session.play_to(10.0)
    session.set("counts.length", "100%")
    session.set("melody.octave", "1")
    session.play_to(40.0)
    recorded = session.end()

    bars = session.bars()
    pitches = [sorted({note.pitch for note in bar}) for bar in bars]
    assert pitches[0] == [41]
    assert pitches[1] == [42, 62], "from the middle of its second bar on, at the key that was set"
    assert pitches[2:5] == [[63], [64], [65]]
    assert pitches[5] == [], "it ended"
    assert pitches[6:10] == [[66], [67], [68], [69]], "its state and its values are back"
    lengths = [round(note.duration_beats, 2) for note in bars[2]]
    assert lengths == [0.5] * 8 + [0.6, 0.7, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9], "a number glides"
    assert {round(note.duration_beats, 2) for bar in bars[6:] for note in bar} == {0.9}

    again = replay_log(session.paths.log)
    assert again.differs_at is None
    assert again.compared_notes == again.notes > 150
    assert again.midi == recorded
