"""A take begins and ends while the session plays, or is kept afterwards; its log gives the same file."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import pytest

from kelly_live.core.commands import Signature
from kelly_live.core.midi_messages import control_change, note_off, note_on, pitch_bend, program_change
from kelly_live.core.timebase import TempoPoint
from kelly_live.recording import spool as spool_module
from kelly_live.recording.log import LogReader
from kelly_live.recording.packed_tape import PackedTape, pack_message
from kelly_live.recording.paths import Paths, choose_paths
from kelly_live.recording.recorder import Recorder
from kelly_live.recording.records import Header
from kelly_live.recording.report import create_report, describe_report
from tests.engine.test_actions import SNAPSHOT
from tests.fakes import parameters
from tests.recording.test_recording import Take, events, replay_log
from tests.workers.until import wait_until

TARGET = parameters(120.0)  # a bar is two seconds


class LateTake(Take):
    """A session of which nothing is recorded at first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.said: list[str] = []

    def create_recorder(self, head: Header) -> Recorder:
        return Recorder(None, head, self.tee, self.clock, lambda: self.preset, self.choose_next)

    def choose_next(self) -> Paths:
        return choose_paths(self.folder / "late.mid", None)

    def switch(self) -> None:
        assert self.recorder.switch(None, SNAPSHOT) is None

    def end_session(self) -> list[str]:
        self.recorder.record_stop(self.clock.now())
        return self.recorder.close()

    def wait_for_line(self, start: str) -> str:
        wait_until(lambda: self.said.extend(self.recorder.take_lines()) or any(x.startswith(start) for x in self.said))
        return next(line for line in self.said if line.startswith(start))


def record_late(folder: Path) -> LateTake:
    """A session that has been recorded for four of its nine seconds, and goes on."""
    session = LateTake(folder)
    session.start(TARGET)
    session.play(5.0, TARGET)
    session.switch()
    session.wait_for_line("recording")
    session.play(4.0, TARGET)
    return session


def list_onsets(midi: bytes) -> list[float]:
    """The times of the notes in a file, in seconds."""
    now, onsets = 0.0, []
    for message in mido.MidiFile(file=io.BytesIO(midi)):
        now += message.time
        if message.type == "note_on" and message.velocity:
            onsets.append(now)
    return onsets


def test_a_take_begins_with_the_bar_in_which_it_is_asked_for_and_is_replayed_to_the_byte(tmp_path: Path) -> None:
    session = LateTake(tmp_path)
    session.start(TARGET)
    session.play(9.0, TARGET)  # beat 0 falls at .3 s: this is bar 5, which began at 8.3 s
    session.switch()
    line = session.wait_for_line("recording")
    assert line == f"recording from bar 5 on: {tmp_path / 'late.mid'}"
    session.play(3.0, TARGET)
    session.switch()
    session.wait_for_line(f"recorded {tmp_path / 'late.mid'}")
    session.play(4.0, TARGET)
    session.end_session()

    again = replay_log(tmp_path / "late.jsonl")
    recorded = (tmp_path / "late.mid").read_bytes()
    assert again.midi == recorded
    assert again.differs_at is None
    assert again.describe_part() == "0:08 to 0:12"
    lines = describe_report(create_report(LogReader(tmp_path / "late.jsonl"), again.tape))
    assert lines[1] == "the recording is 0:08 to 0:12 of it", "and the report is of the session up to there"
    onsets = list_onsets(recorded)
    assert onsets[0] == pytest.approx(0.0, abs=0.02), "the bar's first notes are in it"
    assert onsets[-1] < 12.0 - 8.3
    assert len(onsets) == again.take.count_notes()


def test_a_take_that_lasts_to_the_end_of_the_session_is_written_there(tmp_path: Path) -> None:
    session = record_late(tmp_path)
    session.finish()
    assert session.end_session()[0] == f"recorded {tmp_path / 'late.mid'}"
    assert replay_log(tmp_path / "late.jsonl").midi == (tmp_path / "late.mid").read_bytes()


def test_what_was_played_since_the_start_is_kept_afterwards_and_again(tmp_path: Path) -> None:
    session = LateTake(tmp_path)
    session.start(TARGET)
    for _ in range(2):
        session.play(4.0, TARGET)
        session.recorder.keep()
        session.wait_for_line("recorded")
        session.said.clear()
    session.end_session()
    first, second = (tmp_path / name for name in ("late", "late-2"))
    for take in (first, second):
        again = replay_log(take.with_suffix(".jsonl"))
        assert again.midi == take.with_suffix(".mid").read_bytes()
    assert len(list_onsets(second.with_suffix(".mid").read_bytes())) > len(
        list_onsets(first.with_suffix(".mid").read_bytes())
    )
    assert len(list(tmp_path.iterdir())) == 4


def test_a_crash_leaves_a_log_of_the_take(tmp_path: Path) -> None:
    session = record_late(tmp_path)
    log = tmp_path / "late.jsonl"
    wait_until(lambda: events(log, "step")[-1]["time"] > 1008.0)
    crashed = tmp_path / "crashed.jsonl"
    crashed.write_bytes(log.read_bytes())
    session.end_session()
    assert list_onsets(replay_log(crashed).midi)[0] == pytest.approx(0.0, abs=0.02)


def test_a_session_that_is_too_long_to_be_kept_says_so_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "MAX_BYTES", 2000)
    session = LateTake(tmp_path)
    session.start(TARGET)
    session.play(5.0, TARGET)
    session.switch()
    line = session.wait_for_line("not recorded")
    assert "longer than can be kept" in line
    assert line.endswith("start again with --record")
    session.end_session()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_said_and_the_next_try_may_succeed(tmp_path: Path) -> None:
    session = LateTake(tmp_path)
    folder, session.folder = session.folder, tmp_path / "missing"
    session.start(TARGET)
    session.play(3.0, TARGET)
    session.switch()
    assert "the folder does not exist" in session.wait_for_line("not recorded")
    session.folder = folder
    session.switch()
    session.wait_for_line("recording from bar")
    session.end_session()


def test_a_cut_holds_what_is_in_force_and_what_sounds_there() -> None:
    messages = [
        (0.0, program_change(1, 5)),
        (0.0, control_change(1, 11, 60)),
        (1.0, note_on(1, 60, 80)),
        (1.0, note_on(1, 64, 70)),
        (2.0, note_off(1, 60)),
        (2.5, control_change(1, 11, 90)),
        (2.5, pitch_bend(1, 0.5)),
        (3.0, note_on(1, 67, 60)),
        (5.0, note_off(1, 64)),
    ]
    tape = PackedTape(
        0.0,
        (TempoPoint(0.0, 60.0), TempoPoint(2.0, 120.0)),
        (Signature(0.0, 4, 4, 0, False), Signature(6.0, 4, 4, 2, False)),
        {"": b"".join(pack_message(*message) for message in messages)},
    )
    part = tape.cut(2.5, 4.0)
    assert [(m.seconds, m.data) for m in part.messages()] == [
        (2.5, program_change(1, 5)),
        (2.5, control_change(1, 11, 60)),
        (2.5, note_on(1, 64, 70)),
        (2.5, control_change(1, 11, 90)),
        (2.5, pitch_bend(1, 0.5)),
        (3.0, note_on(1, 67, 60)),
        (4.0, note_off(1, 64)),
        (4.0, note_off(1, 67)),
    ]
    assert part.tempo == (TempoPoint(0.0, 120.0),)
    assert [one.beat for one in part.signatures] == [0.0, 3.0]
    assert part.tempo_map.seconds_at(2.0) == 3.5
    assert part.count_notes() == 2
