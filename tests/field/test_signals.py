"""Ctrl-C, SIGTERM and a closed terminal end notes, leave whole files and the right exit code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import mido
import pytest

from kelly_live.lab.bench import interrupts
from kelly_live.lab.bench.interrupts import LongCommand, Outcome, interrupt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
READY = "ready"

WAITS = """
import signal, sys
from kelly_live.core import termination
termination.handle_signals()
"""
HOLDS_A_FILE = (
    WAITS
    + """
with termination.temporary_folder() as folder, termination.delete_at_exit(sys.argv[1]):
    open(sys.argv[1], "w").close()
    print(folder, flush=True)
    signal.pause()
"""
)
FINISHES = (
    WAITS
    + """
termination.REPEAT_SECONDS = float(sys.argv[1])
asked = []
def finish():
    asked.append(1)
    print("asked", flush=True)
with termination.finish_first(finish):
    print("ready", flush=True)
    sys.stdin.readline()
print("finished", len(asked), flush=True)
termination.exit_process(0)
"""
)
PLAYS = (
    WAITS
    + """
import sys
from pathlib import Path
from kelly_live import LiveEngine, LiveOptions, LiveParts, RecordingOptions
from kelly_live.core.resources import find_resources
from tests.fakes import ScriptedReader
parts = LiveParts.create(find_resources("presets") / "demo" / "recording.ogg", null_port=True)
parts = LiveParts(parts.clock, parts.source, parts.sink, ScriptedReader())
engine = LiveEngine(LiveOptions(recording=RecordingOptions(midi=Path(sys.argv[1])), profile="none"), parts)
engine.open()
def observe(snapshot):
    if snapshot.scheduler.sent_messages > 4:
        Path(sys.argv[2]).touch()
engine.observe(observe)
with termination.finish_first(engine.request_stop):
    print("ready", flush=True)
    report = engine.run()
    print("\\n".join(report.describe()), flush=True)
termination.exit_process(0)
"""
)

MANY_FILES = (
    WAITS
    + """
from pathlib import Path
from kelly_live.engine.batch.command import do_jobs
from tests.engine.batch.composing import compose_jobs
folder = Path(sys.argv[1])
do_jobs(compose_jobs(folder, 500), folder / "results.jsonl", processes=1, cluster=None)
"""
)


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def send(process: subprocess.Popen[str], name: str) -> None:
    process.send_signal(getattr(signal, name))


def code_of(name: str) -> int:
    return 128 + int(getattr(signal, name))


@pytest.mark.parametrize("name", SIGNALS)
def test_a_command_ends_at_once_and_leaves_no_temporary_file(tmp_path: Path, name: str) -> None:
    process = start(HOLDS_A_FILE, tmp_path / "half")
    folder = Path(read_line(process))
    assert folder.is_dir()
    send(process, name)
    assert process.communicate(timeout=20.0) == ("", "")
    assert process.returncode == code_of(name)
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    process = start("import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + FINISHES, 0.0)
    assert read_line(process) == READY
    send(process, "SIGHUP")
    send(process, "SIGTERM")
    assert read_line(process) == "asked"
    out, err = process.communicate("go on\n", timeout=20.0)
    assert (out, err, process.returncode) == ("finished 1\n", "", 143)


def test_what_has_to_finish_finishes_and_the_same_signal_again_changes_nothing() -> None:
    process = start(FINISHES, 3600.0)
    assert read_line(process) == READY
    send(process, "SIGINT")
    assert read_line(process) == "asked"
    send(process, "SIGINT")
    out, err = process.communicate("go on\n", timeout=20.0)
    assert (out, err, process.returncode) == ("finished 1\n", "", 130)


def test_a_second_signal_ends_what_does_not_finish() -> None:
    process = start(FINISHES, 0.0)
    assert read_line(process) == READY
    send(process, "SIGTERM")
    assert read_line(process) == "asked"
    send(process, "SIGINT")
    assert process.communicate(timeout=20.0) == ("", "")
    assert process.returncode == 130


def test_a_batch_that_is_stopped_says_how_far_it_came(tmp_path: Path) -> None:
    process = start(MANY_FILES, tmp_path)
    wait_for_file(process, tmp_path / "piece-03.mid")
    send(process, "SIGINT")
    out, err = process.communicate(timeout=20.0)
    assert (out, process.returncode) == ("", 130)
    stopped = re.fullmatch(r"kelly-live: stopped: (\d+) of 500 files done; .* goes on from there", err.splitlines()[-1])
    assert stopped is not None
    assert 2 <= int(stopped[1]) < 500


def wait_for_file(process: subprocess.Popen[str], flag: Path) -> None:
    while not flag.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_session_ends_its_notes_and_writes_its_file(tmp_path: Path, name: str) -> None:
    midi, flag = tmp_path / "take.mid", tmp_path / "played"
    process = start(PLAYS, midi, flag)
    assert read_line(process) == READY
    wait_for_file(process, flag)
    send(process, name)
    out, err = process.communicate(timeout=30.0)
    assert (process.returncode, err) == (code_of(name), "")
    assert "stopped:" in out
    assert_every_note_ends(midi)


def test_a_closed_terminal_ends_a_session_as_a_signal_does(tmp_path: Path) -> None:
    import pty

    midi, flag = tmp_path / "take.mid", tmp_path / "played"
    near_end, far_end = pty.openpty()
    program = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n" + PLAYS
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(midi), str(flag)],
        stdin=far_end, stdout=far_end, stderr=far_end, start_new_session=True, text=True,
    )  # fmt: skip
    os.close(far_end)
    wait_for_file(process, flag)
    os.close(near_end)  # the terminal is closed: its session is sent SIGHUP
    assert process.wait(30.0) == 129
    assert_every_note_ends(midi)


def assert_every_note_ends(path: Path) -> None:
    sounding_keys, notes = set(), 0
    for message in mido.MidiFile(path):
        if message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            is_on = message.type == "note_on" and message.velocity > 0
            notes += is_on
            (sounding_keys.add if is_on else sounding_keys.discard)(key)
    assert notes > 0
    assert not sounding_keys


def interrupt_once_it_runs(command: LongCommand, after_seconds: float, number: int) -> Outcome:
    """Interrupt it, later each time, until the signal finds more than an interpreter that starts."""
    outcome = interrupt(command, "SIGINT", after_seconds, number)
    return interrupt_once_it_runs(command, 1.5 * after_seconds, number) if outcome.is_early else outcome


@pytest.mark.parametrize("after_seconds", [0.4, 0.8, 1.2])
def test_composing_can_be_interrupted_at_any_moment(after_seconds: float) -> None:
    compose = LongCommand("compose", ("compose", "--emotion", "sad", "--bars", "1000", "--midi", "c.mid"))
    assert interrupt_once_it_runs(compose, after_seconds, 1).faults == ()


def test_the_bench_finds_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "wrong.py"
    script.write_text(
        "import pathlib, signal, subprocess, sys, tempfile\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "tempfile.mkdtemp()\n"
        "signal.sigwait({signal.SIGINT})\n"
        "sys.exit('a traceback')\n"
    )
    monkeypatch.setattr(interrupts, "_program", lambda: [sys.executable, str(script)])
    monkeypatch.setattr(interrupts, "_CHILD_SECONDS", 0.0)
    faults = interrupt_once_it_runs(LongCommand("wrong", ()), 0.5, 2).faults
    assert [fault.split(":")[0] for fault in faults] == [
        "exit code 1", "stderr", "left a process", "left a temporary file"
    ]  # fmt: skip
