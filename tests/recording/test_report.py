"""A session's log says what it was: the feeling, the music, and who steered."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from kelly_live.cli import run_program
from kelly_live.core.actions import Action
from kelly_live.core.commands import LoudnessLimits
from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import AudioHealth, Reading, SchedulerHealth
from kelly_live.core.values import EmotionState
from kelly_live.engine.report_picture import render_report
from kelly_live.engine.session import Snapshot
from kelly_live.engine.session_report import close_recorder, write_report
from kelly_live.recording.log import LogReader
from kelly_live.recording.paths import Paths, choose_paths
from kelly_live.recording.report import MAX_MOMENTS, SessionReport, create_report, describe_report
from tests.fakes import parameters, state
from tests.recording.test_recording import FOUR, Take, replay_log

TARGET = parameters(60.0)
SAD = replace(state(valence=-0.6, arousal=-0.3), probabilities=(0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))


def play(take: Take, seconds: float, played: EmotionState, *, heard: bool = True, limited_notes: int = 0) -> None:
    """Play in steps of a quarter second, with a new neutral state heard at each, and the counters looked at."""
    for _ in range(round(4 * seconds)):
        take.play(0.25, TARGET, step=0.125)
        take.recorder.record_counters(look(take, played, heard=heard, limited_notes=limited_notes))


def look(take: Take, played: EmotionState, *, heard: bool = True, limited_notes: int = 0) -> Snapshot:
    read = state(take.clock.now(), 0.25) if heard else None
    health = SchedulerHealth(limited_notes=limited_notes)
    return Snapshot(Reading(played, TARGET), take.conductor.status(), AudioHealth(0.0, 0, 0.0), health, 0, read=read)


def act(take: Take, source: str, action: Action) -> None:
    take.recorder.record_action(action, source, look(take, SAD))


@functools.cache
def report_log(log: Path) -> SessionReport:
    return create_report(LogReader(log), replay_log(log).tape)


def play_evening(take: Take) -> None:
    """Play 70 s: ten neutral, then sad by key; a pad, limits and a panic on the way, at last another preset."""
    take.start(TARGET)
    play(take, 10.0, state())
    act(take, "key", Action("emotion", "sad"))
    play(take, 20.0, SAD)
    act(take, "midi", Action("mute", "bass"))
    take.recorder.record_iso("leads to calm")
    act(take, "key", Action("panic"))
    take.panic()
    take.limit(LoudnessLimits(velocity=50))
    play(take, 20.0, SAD, heard=False, limited_notes=17)
    take.change_preset()
    play(take, 20.0, SAD, heard=False, limited_notes=17)
    take.recorder.record_stop(take.clock.now())


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Path:
    take = Take(tmp_path_factory.mktemp("evening"))
    play_evening(take)
    take.recorder.close()
    return take.paths.log


def test_the_course_of_feeling_has_a_point_a_second_heard_and_played(evening: Path) -> None:
    report = report_log(evening)
    assert report.seconds == pytest.approx(70.0, abs=0.1)
    seconds = [point.seconds for point in report.course]
    assert all(0.95 <= after - before <= 1.3 for before, after in pairwise(seconds))
    assert seconds[-1] > 68.0
    first, last = report.course[0], report.course[-1]
    assert first.heard is not None
    assert (first.heard.valence, first.played.valence) == (0.25, 0.0)
    assert last.heard is None
    assert (last.played.emotion, last.played.valence) == ("sad", -0.6)
    assert report.heard_shares == {"neutral": 1.0}
    assert report.played_shares == {"sad": pytest.approx(6 / 7, abs=0.03), "neutral": pytest.approx(1 / 7, abs=0.03)}


def test_the_music_is_counted_by_part_and_minute(evening: Path) -> None:
    report = report_log(evening)
    by_name = {part.name: part for part in report.parts}
    assert set(by_name) == {"chords", "bass", "melody", "percussion"}
    assert report.notes == sum(sum(part.notes_by_minute) for part in report.parts)
    made = json.loads(evening.read_bytes().splitlines()[-1])["notes"]
    assert 0.9 * made < report.notes <= made, "what came too late, or after the end, was not played"
    assert all(len(part.notes_by_minute) == 2 for part in report.parts)
    assert by_name["chords"].notes_by_minute[1] == 0, "the second preset has bass and melody alone"
    assert by_name["bass"].notes_by_minute[1] > 0
    assert report.loudest_velocity == max(part.loudest_velocity for part in report.parts) > 50
    assert [moment.text for moment in report.presets] == ["chords+bass+melody+percussion", "bass+melody"]
    assert {moment.bpm for moment in report.tempo} == {60.0}
    assert report.keys[0].text.split()[0] == "C"
    assert len({moment.text for moment in report.chords}) > 2


def test_each_source_has_its_actions_with_their_moments(evening: Path) -> None:
    report = report_log(evening)
    key, midi = report.steering
    assert (key.source, key.count, key.actions) == ("key", 2, {"emotion": 1, "panic": 1})
    assert [(moment.action, moment.value, round(moment.seconds)) for moment in key.moments] == [
        ("emotion", "sad", 10), ("panic", None, 30),
    ]  # fmt: skip
    assert (midi.source, midi.moments[0].action, midi.moments[0].value) == ("midi", "mute", "bass")
    assert [round(seconds) for seconds in report.panics] == [30]
    assert [(round(moment.seconds), moment.text) for moment in report.iso] == [(30, "leads to calm")]


def test_limits_and_faults_are_named(evening: Path, tmp_path: Path) -> None:
    report = report_log(evening)
    assert report.limits.limited_notes == 17
    assert [(round(at), limits.velocity) for at, limits in report.limits.changes] == [(30, 50)]
    assert report.faults.log is None
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(evening.read_bytes()[: evening.stat().st_size // 2])
    assert report_log(torn).faults.log == "it breaks off before the end"
    assert report_log(torn).seconds < report.seconds


def test_a_file_tells_no_number_of_limited_notes(evening: Path, tmp_path: Path) -> None:
    header, *records = evening.read_text().splitlines(keepends=True)
    log = tmp_path / "rendered.jsonl"
    log.write_text("".join([header.rstrip().removesuffix("}") + ',"live":false}\n', *records]))
    report = report_log(log)
    assert report.limits.limited_notes is None
    assert not any("held to the limits" in line for line in describe_report(report))


def test_a_fader_is_counted_whole_and_listed_in_part(tmp_path: Path) -> None:
    take = Take(tmp_path)
    take.start(TARGET)
    play(take, 1.0, SAD)
    for _ in range(MAX_MOMENTS + 50):
        act(take, "midi", Action("valence", 0.5))
    take.end()
    (midi,) = report_log(take.paths.log).steering
    assert (midi.count, len(midi.moments)) == (MAX_MOMENTS + 50, MAX_MOMENTS)


def test_the_lines_say_it_in_words(evening: Path) -> None:
    lines = describe_report(report_log(evening))
    assert lines[0].startswith("1:10 min, ")
    assert ", 60 BPM, " in lines[0]
    assert lines[1].startswith("heard: neutral 100%; played: sad 8")
    assert lines[2:4] == ["steered by: key 2, midi 1", "iso: leads to calm from 0:30"]
    assert lines[4:] == ["held to the limits: 17 notes", "faults: 1 panic"]


def test_the_files_are_the_same_for_the_same_log(evening: Path, tmp_path: Path) -> None:
    report = report_log(evening)
    lines = write_report(report, tmp_path / "a.json", tmp_path / "a.png")
    assert lines == [f"wrote {tmp_path / 'a.json'}", f"wrote {tmp_path / 'a.png'}"]
    assert json.loads((tmp_path / "a.json").read_bytes())["steering"][0]["source"] == "key"
    assert (tmp_path / "a.png").read_bytes() == render_report(report_log(evening))


def test_a_log_without_music_is_refused_in_one_line(evening: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(evening.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(ConfigError, match="the log ends before the music starts; there is nothing to report"):
        create_report(LogReader(empty), Take(tmp_path).recorder.tape)


def test_live_the_report_is_written_at_the_end_and_is_that_of_the_log(tmp_path: Path) -> None:
    for keeps_log in (True, False):
        log = tmp_path / f"evening-{keeps_log}.jsonl"
        take = Take(tmp_path, asked_paths=choose_paths(None, log if keeps_log else None, tmp_path / "evening.json"))
        take.start(TARGET)
        play(take, 3.0, SAD)
        take.recorder.record_stop(take.clock.now())
        lines = close_recorder(take.recorder)
        paths = take.paths
        assert paths.report is not None
        assert paths.picture is not None
        assert lines[-2:] == [f"wrote {paths.report}", f"wrote {paths.picture}"]
        assert paths.log.exists() == keeps_log
        if keeps_log:
            write_report(report_log(log), tmp_path / "again.json", None)
            assert paths.report.read_bytes() == (tmp_path / "again.json").read_bytes()
    assert paths.report is not None
    assert paths.report.name == "evening-2.json", "an earlier report is kept"


def test_a_session_without_music_has_no_report(tmp_path: Path) -> None:
    take = Take(tmp_path, asked_paths=choose_paths(None, None, tmp_path / "evening.json"))
    assert close_recorder(take.recorder) == ["nothing was played, so nothing was recorded"]
    assert not (tmp_path / "evening.json").exists()


def test_the_log_lies_beside_the_report_and_is_kept_only_if_asked_for(tmp_path: Path) -> None:
    report = tmp_path / "a.json"
    assert choose_paths(None, None, report) == Paths(None, tmp_path / "a.jsonl", report, keeps_log=False)
    assert choose_paths(tmp_path / "b.mid", None, report) == Paths(tmp_path / "b.mid", tmp_path / "b.jsonl", report)
    (tmp_path / "a.png").touch()
    assert choose_paths(None, None, report).report == tmp_path / "a-2.json"


def test_the_command_prints_and_writes_the_report(
    evening: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "show.jsonl"
    log.write_bytes(evening.read_bytes().replace(FOUR.encode(), b"band").replace(b'"bass+melody"', b'"band"'))
    report = [str(tmp_path / "show.json"), "--picture", str(tmp_path / "show.png")]
    before = log.read_bytes()
    assert run_program(["report", str(log), "--json", str(log)]) == 1
    assert "it is the file that is read" in capsys.readouterr().err
    assert log.read_bytes() == before
    assert run_program(["report", str(log), "--json", *report]) == 0
    out, _ = capsys.readouterr()
    assert "steered by: key 2, midi 1" in out.splitlines()
    assert out.splitlines()[-2:] == [f"wrote {tmp_path / 'show.json'}", f"wrote {tmp_path / 'show.png'}"]
    assert (tmp_path / "show.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["report", "missing.jsonl"], "missing.jsonl is not a file; name the .jsonl of a recording"),
        (["report", "x.jsonl", "--picture", "x.jpg"], "it would hold PNG; end the name in .png"),
        (["live", "--report", "evening.txt"], "--report is 'evening.txt'; it holds JSON, so end its name in .json"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(arguments) != 0
    assert line in capsys.readouterr().err
