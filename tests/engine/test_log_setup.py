"""The log: a private, bounded file that no logging thread waits for; --debug shows all of it."""

from __future__ import annotations

import errno
import io
import logging
import os
import re
import stat
import threading
from pathlib import Path

import pytest

from kelly_live.cli import run_program
from kelly_live.engine import log_setup
from kelly_live.engine.log_setup import LogSetup, PrivateRotatingFileHandler, find_log_file, set_up_logging

LOGGER = logging.getLogger("kelly_live.some.part")


def test_what_was_lost_stands_in_the_file_with_its_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "kelly-live.log"
    setup = set_up_logging(debug=False, file=file)
    LOGGER.warning("the audio input: %s", "gone")
    LOGGER.debug("nothing for a file")
    setup.close()
    setup.close()
    (line,) = file.read_text().splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} WARNING kelly_live\.some\.part: the audio input: gone", line
    )
    assert capsys.readouterr().err == ""
    LOGGER.warning("after the end")
    assert len(file.read_text().splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "kelly-live.log"
    set_up_logging(debug=False, file=file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_setup, "FILE_BYTES", 2000)
    setup = set_up_logging(debug=False, file=tmp_path / "kelly-live.log")
    for number in range(500):
        LOGGER.warning("trouble %d of many", number)
    setup.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["kelly-live.log", *(f"kelly-live.log.{n}" for n in range(1, 4))]
    assert sum(file.stat().st_size for file in files) <= 4 * 2000
    assert "trouble 499" in files[0].read_text()


def test_with_debug_all_of_it_is_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setup = set_up_logging(debug=True, file=tmp_path / "kelly-live.log")
    LOGGER.debug("a detail")
    setup.close()
    assert "DEBUG kelly_live.some.part: a detail" in capsys.readouterr().err


def test_where_no_file_can_be_it_goes_on_and_says_so_with_debug(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    for debug in (False, True):
        setup = set_up_logging(debug=debug, file=tmp_path / "file" / "kelly-live.log")
        LOGGER.warning("still here")
        setup.close()
        error = capsys.readouterr().err
        assert ("no log file: " in error) == debug
        assert ("still here" in error) == debug


def test_a_disk_that_hangs_holds_nobody_up_and_what_is_dropped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    release, hanging, lines = threading.Event(), threading.Event(), []

    class Disk(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            hanging.set()
            release.wait(30.0)
            lines.append(record.getMessage())

    monkeypatch.setattr(log_setup, "QUEUE_RECORDS", 10)
    setup = LogSetup([Disk()], logging.INFO)
    LOGGER.info("first")
    assert hanging.wait(30.0)
    for number in range(50):  # returns at once: 10 wait, 40 are dropped
        LOGGER.info("number %d", number)
    assert setup.handler.dropped_records == 40
    release.set()
    while not setup.handler.queue.empty():
        threading.Event().wait(0.001)
    LOGGER.info("last")
    setup.close()
    assert lines[-2:] == ["40 records dropped: the log could not be written in time", "last"]
    assert lines[1:11] == [f"number {number}" for number in range(10)]


def test_closing_waits_for_room_in_a_full_queue_and_writes_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    release, lines = threading.Event(), []

    class Disk(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            release.wait(30.0)
            lines.append(record.getMessage())

    monkeypatch.setattr(log_setup, "QUEUE_RECORDS", 10)
    monkeypatch.setattr(log_setup, "CLOSE_SECONDS", 30.0)
    setup = LogSetup([Disk()], logging.INFO)
    while not setup.handler.queue.full():
        LOGGER.info("a flood")
    queue_size = setup.handler.queue.qsize()
    threading.Timer(0.05, release.set).start()
    setup.close()
    assert len(lines) >= queue_size


def test_closing_does_not_wait_for_ever_for_a_disk_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    release, hanging = threading.Event(), threading.Event()

    class Disk(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            hanging.set()
            release.wait(30.0)

        def close(self) -> None:
            assert release.is_set(), "a handler that writes was closed"
            super().close()

    monkeypatch.setattr(log_setup, "QUEUE_RECORDS", 2)
    monkeypatch.setattr(log_setup, "CLOSE_SECONDS", 0.05)
    setup = LogSetup([Disk()], logging.INFO)
    LOGGER.info("one that hangs")
    assert hanging.wait(30.0)
    while not setup.handler.queue.full():
        LOGGER.info("one that waits")
    setup.close()  # returns
    assert not release.is_set()
    release.set()


def test_a_command_logs_an_error_that_nobody_expected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "kelly-live.log"
    monkeypatch.setattr(log_setup, "find_log_file", lambda: file)

    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("of a bug")

    monkeypatch.setattr("kelly_live.engine.composition.create_mapper", fail)
    assert run_program(["compose", "--emotion", "sad", "--midi", str(tmp_path / "x.mid"), "--profile", "none"]) == 1
    assert "ZeroDivisionError: of a bug" in file.read_text()
    assert find_log_file().name == "kelly-live.log"


@pytest.mark.parametrize("arguments", [["--help"], ["live", "-h"], ["--version"]])
def test_help_and_version_open_no_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "logs" / "kelly-live.log"
    monkeypatch.setattr(log_setup, "find_log_file", lambda: file)
    assert run_program(arguments) == 0
    assert not file.parent.exists()
    assert run_program(["presets"]) == 0
    assert file.exists()


class FullDisk(io.StringIO):
    """A stream that takes nothing."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_prints_nothing_and_is_told_when_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def record(text: str) -> logging.LogRecord:
        return logging.LogRecord("kelly_live", logging.WARNING, "", 0, text, None, None)

    path = tmp_path / "kelly-live.log"
    handler = PrivateRotatingFileHandler(path, maxBytes=1000)
    file, handler.stream = handler.stream, FullDisk()
    handler.emit(record("one"))
    handler.emit(record("two"))
    handler.stream = file
    handler.emit(record("three"))
    handler.close()
    assert path.read_text().splitlines() == ["three", "the disk was full: 2 records of this log are lost"]
    assert capsys.readouterr().err == ""
