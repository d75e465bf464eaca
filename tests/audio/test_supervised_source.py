"""An input that is lost is opened again; meanwhile there is silence, and lost sound is counted."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kelly_live.audio import supervised_source
from kelly_live.audio.supervised_source import RETRY_SECONDS, SupervisedSource
from kelly_live.core.errors import AudioError
from kelly_live.core.timebase import MonotonicClock
from kelly_live.core.values import AudioWindow
from kelly_live.workers.process import WorkerProcess
from tests.workers.until import wait_until

HEAD = """
import os, sys, time
import numpy as np
from pathlib import Path
from kelly_live.audio.capture import AudioBlock, InputFailed, InputOpened
from kelly_live.core.protocols import AudioHealth
from kelly_live.workers.child import ParentConnection
attempts = Path(sys.argv[1])
count = len(attempts.read_text()) if attempts.exists() else 0
attempts.write_text("x" * (count + 1))
parent = ParentConnection(str)
def play(value, n=800):
    parent.send(AudioBlock(np.full(n, value, np.float32), time.monotonic(), AudioHealth(-6.0, 1, 0.25)))
"""
WAIT = "\nfor _ in parent.receive(): pass\n"
OPENED = "parent.send(InputOpened('mic'))\n"


def create_source(tmp_path: Path, script: str, *, retry_seconds: float = RETRY_SECONDS) -> SupervisedSource:
    command = [sys.executable, "-c", HEAD + script, str(tmp_path / "attempts")]
    return SupervisedSource(None, MonotonicClock(), retry_seconds=retry_seconds, command=command)


def test_the_driver_s_delay_is_taken_off_the_stamps_where_it_is_to_be_corrected(tmp_path: Path) -> None:
    """Sound of a second, block by block: the driver says 60 ms, then, once, an hour, and then nothing."""
    script = OPENED + (
        "for n in range(20):\n"
        "    delay = 3600.0 if n == 9 else None if n > 15 else 0.06\n"
        "    block = np.full(800, 0.5, np.float32)\n"
        "    parent.send(AudioBlock(block, 9e9 + 0.05 * n, AudioHealth(-6.0, 0, 0.0, delay_seconds=delay)))"
    )
    for corrects, delay in ((True, 0.06), (False, 0.0)):
        command = [sys.executable, "-c", HEAD + script + WAIT, str(tmp_path / "attempts")]
        source = SupervisedSource(None, MonotonicClock(), corrects_delay=corrects, command=command)
        source.start()
        try:
            stamps = [read_until(has_value(0.5), source).end_time - 9e9 for _ in range(20)]
        finally:
            source.close()
        assert stamps == pytest.approx([0.05 * n - delay for n in range(20)], abs=1e-5)


def is_supervised() -> bool:
    """Whether any audio input is watched still."""
    return any(thread.name.startswith("supervisor of the audio input") for thread in threading.enumerate())


def read_until(condition: Callable[[AudioWindow], bool], source: SupervisedSource) -> AudioWindow:
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        block = source.read(0.1)
        if block is not None and condition(block):
            return block
    raise AssertionError(f"it was not delivered; {source.health()}")


def has_value(value: float) -> Callable[[AudioWindow], bool]:
    return lambda block: bool(np.all(block.samples == value))


def capture_of(source: SupervisedSource) -> WorkerProcess:
    capture = source._capture
    assert capture is not None
    return capture


def test_a_capture_that_dies_is_started_again_and_silence_stands_for_it(tmp_path: Path) -> None:
    source = create_source(
        tmp_path,
        OPENED + "play(0.5)\n"
        "if count == 1: parent.send(InputFailed('unplugged')); os._exit(0)\n"
        "if count == 2: play(0.25)" + WAIT,
    )  # fmt: skip
    (tmp_path / "attempts").write_text("x")  # so that the first capture dies
    source.start()
    try:
        assert source.name == "mic"
        read_until(has_value(0.5), source)
        read_until(has_value(0.0), source)
        assert source.health().problem == "unplugged"
        last = read_until(has_value(0.25), source)
        assert source.health().problem is None
        assert source.health().overflows == 2  # one of each capture
        assert source.health().dropped_seconds == 0.5
        assert last.end_time <= time.monotonic()
    finally:
        source.close()


def test_a_capture_that_hangs_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised_source, "STALL_SECONDS", 0.3)
    source = create_source(tmp_path, OPENED + "play(0.5 if count else 0.25)" + WAIT)
    source.start()
    try:
        read_until(has_value(0.25), source)
        read_until(has_value(0.5), source)
    finally:
        source.close()


def test_a_capture_that_cannot_be_restored_is_tried_again_and_its_problem_stays(tmp_path: Path) -> None:
    source = create_source(
        tmp_path,
        "if count in (1, 2): parent.send(InputFailed('still not there')); os._exit(0)\n" + OPENED + "play(0.5)\n"
        "if count == 0: parent.send(InputFailed('unplugged')); os._exit(0)" + WAIT,
        retry_seconds=0.01,
    )  # fmt: skip
    source.start()
    try:
        attempts = tmp_path / "attempts"
        while len(attempts.read_text()) < 4:
            source.read(0.01)
            assert source.health().problem in (None, "unplugged")
        read_until(has_value(0.5), source)
        wait_until(lambda: source.health().problem is None)
    finally:
        source.close()


def test_an_input_that_is_not_there_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such input"):
        create_source(tmp_path, "parent.send(InputFailed('no such input'))").start()


def test_what_came_before_the_start_is_not_delivered(tmp_path: Path) -> None:
    source = create_source(
        tmp_path,
        "play(0.25); play(0.5)\n" + OPENED + "words = parent.receive(); next(words)\nplay(0.75)\n"
        "for _ in words: pass",
    )  # fmt: skip
    source.open()
    source.start()
    try:
        assert capture_of(source).send("go")
        assert has_value(0.75)(read_until(lambda block: True, source))
    finally:
        source.close()


def test_garbage_is_no_sound(tmp_path: Path) -> None:
    with pytest.raises(
        AudioError, match=r"the capture of the audio input .* sent something else than messages; try again"
    ):
        create_source(tmp_path, "os.write(parent._pipe, b'Traceback (most recent call last)')" + WAIT).start()


def test_a_name_that_is_not_there_is_told_by_the_real_capture() -> None:
    with pytest.raises(AudioError) as caught:
        SupervisedSource("no such microphone anywhere", MonotonicClock()).start()
    assert "\n" not in str(caught.value)


def test_a_capture_that_cannot_be_started_is_one_line() -> None:
    source = SupervisedSource(None, MonotonicClock(), command=["/no/such/python"])
    with pytest.raises(AudioError, match=r"the audio input 'default' cannot be started .*; check the Python"):
        source.start()


@pytest.mark.parametrize("end_time", ["0.05 * i", "7.0"], ids=["usual stamps", "stamps that stand still"])
def test_sound_that_nobody_reads_is_bounded_and_counted(tmp_path: Path, end_time: str) -> None:
    source = create_source(
        tmp_path,
        OPENED + "for i in range(200):\n"
        f"    parent.send(AudioBlock(np.zeros(800), {end_time}, AudioHealth(0.0, 0, 0.0)))" + WAIT,
    )  # fmt: skip
    source.start()
    try:
        deadline = time.monotonic() + 20.0
        while source.health().dropped_seconds < 10.0 - 4.0 - 0.1:
            assert time.monotonic() < deadline
            os.sched_yield()
        assert len(source._blocks) <= 4.0 / 0.05 + 1
    finally:
        source.close()


def test_closing_ends_the_capture(tmp_path: Path) -> None:
    source = create_source(tmp_path, OPENED + WAIT)
    source.start()
    capture = capture_of(source)
    source.close()
    source.close()
    assert capture.exit_code is not None
    assert source.read(0.0) is None
    assert not is_supervised()


def alive(process_ids: list[str]) -> list[str]:
    """Which of these processes still run."""
    return [number for number in process_ids if Path(f"/proc/{number}").exists()]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the system does not list its processes")
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.1, 0.3])
def test_closing_while_the_capture_is_restarted_leaves_no_process(tmp_path: Path, seconds: float) -> None:
    source = create_source(
        tmp_path,
        "with open(sys.argv[1] + '.pids', 'a') as file: print(os.getpid(), file=file)\n" + OPENED
        + "play(0.5)\nif count == 0: parent.send(InputFailed('unplugged')); os._exit(0)" + WAIT,
        retry_seconds=0.01,
    )  # fmt: skip
    source.start()
    wait_until(lambda: source.health().problem)
    threading.Event().wait(seconds)  # so that it is closed before, while and after the second one starts
    source.close()
    pids = (tmp_path / "attempts.pids").read_text().split()
    assert alive(pids) == []
    assert not is_supervised()
    threading.Event().wait(0.2)
    assert alive((tmp_path / "attempts.pids").read_text().split()) == []


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_capture_that_was_closed_before_it_started_never_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst moment: the restart has decided to start one, and the source is closed before it does."""
    source = create_source(tmp_path, OPENED + "play(0.5)" + WAIT)
    source.start()
    captures: list[WorkerProcess] = []
    start = WorkerProcess.start

    def close_first(capture: WorkerProcess) -> None:
        captures.append(capture)
        source.close()
        start(capture)

    monkeypatch.setattr(WorkerProcess, "start", close_first)
    os.kill(source.process_id or 0, signal.SIGKILL)
    wait_until(lambda: not is_supervised())
    assert [capture.process_id for capture in captures] == [None]


def test_losses_are_logged_and_seldom(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = create_source(
        tmp_path,
        OPENED + "for i in range(20):\n"
        "    parent.send(AudioBlock(np.zeros(800), 0.05 * i, AudioHealth(0.0, i, 0.0)))\nplay(0.5)" + WAIT,
    )  # fmt: skip
    with caplog.at_level("INFO", logger="kelly_live"):
        source.start()
        try:
            read_until(has_value(0.5), source)
        finally:
            source.close()
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if "overflows" in line] == [
        "the audio input 'mic': overflows so far: 1, dropped: 0.00 s"
    ]
    assert any("started: process" in line for line in lines)
