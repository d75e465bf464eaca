"""An object in a process of its own: what it answers, what goes wrong there, and how both ends end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.workers.process import WorkerError, WorkerProcess
from kelly_live.workers.realtime import disable_realtime, enable_realtime


class Odd(Exception):
    """Cannot be made again from its one argument."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


class Shelf:
    """What the process holds in these tests; it writes a file when it is closed."""

    def __init__(self, farewell: Path) -> None:
        self._farewell = farewell
        self._released = threading.Event()

    def double(self, number: int) -> int:
        print("a library's chatter")
        return 2 * number

    def fails(self) -> None:
        raise ConfigError("seven is not a colour; choose another")

    def fails_oddly(self) -> None:
        raise Odd("a", "b")

    def waits(self) -> str:
        self._released.wait()
        return "released"

    def release(self) -> None:
        self._released.set()

    def policy(self) -> int:
        return os.sched_getscheduler(0)

    def close(self) -> None:
        self._farewell.write_text("closed")


def make_shelf(farewell: Path) -> tuple[Shelf, str]:
    return Shelf(farewell), "made"


def fails_to_make() -> tuple[object, None]:
    raise ConfigError("there is no wood")


@pytest.fixture(autouse=True)
def _these_tests_can_be_imported_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[WorkerProcess]:
    apart = WorkerProcess()
    assert apart.make(partial(make_shelf, tmp_path / "farewell")) == "made"
    yield apart
    apart.close()


def test_it_answers_and_what_a_library_prints_is_no_answer(apart: WorkerProcess) -> None:
    assert [apart.call("double", n, timeout=20.0) for n in (1, 21)] == [2, 42]
    assert apart.ask("double", 4).result(20.0) == 8


def test_an_error_there_is_an_error_here(apart: WorkerProcess) -> None:
    with pytest.raises(ConfigError, match="seven is not a colour; choose another"):
        apart.call("fails", timeout=20.0)
    with pytest.raises(WorkerError, match="Odd: ab"):
        apart.call("fails_oddly", timeout=20.0)
    assert apart.call("double", 1, timeout=20.0) == 2


def test_what_is_asked_aside_waits_for_nothing(apart: WorkerProcess) -> None:
    waiting: list[str] = []
    thread = threading.Thread(target=lambda: waiting.append(apart.call("waits", timeout=20.0)))
    thread.start()
    assert apart.ask("double", 3).result(20.0) == 6
    assert waiting == []
    apart.ask("release")
    thread.join(20.0)
    assert waiting == ["released"]


def test_one_that_hangs_is_ended(apart: WorkerProcess) -> None:
    with pytest.raises(WorkerError, match=r"did not answer within 0\.1 s"):
        apart.call("waits", timeout=0.1)
    assert apart.lost
    with pytest.raises(WorkerError, match="has ended"):
        apart.call("double", 1, timeout=20.0)


def test_one_that_is_killed_is_told_at_once(apart: WorkerProcess) -> None:
    waiting = apart.ask("waits")
    os.kill(apart.process_id, signal.SIGKILL)
    with pytest.raises(WorkerError, match="has ended"):
        waiting.result(20.0)
    with pytest.raises(WorkerError, match="has ended"):
        apart.call("double", 1, timeout=20.0)


def test_closing_says_goodbye_and_twice_is_no_harm(apart: WorkerProcess, tmp_path: Path) -> None:
    apart.close()
    apart.close()
    assert (tmp_path / "farewell").read_text() == "closed"


def test_a_recipe_that_is_unknown_there_ends_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYTHONPATH")
    apart = WorkerProcess()
    with pytest.raises(WorkerError, match="has ended"):
        apart.make(partial(make_shelf, tmp_path / "farewell"))
    apart.close()


def test_what_cannot_be_made_is_told() -> None:
    apart = WorkerProcess()
    with pytest.raises(ConfigError, match="there is no wood"):
        apart.make(fails_to_make)
    apart.close()


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system has no policies")
def test_the_stage_s_turn_is_not_for_the_nets(tmp_path: Path) -> None:
    """Whatever the system granted this thread, the process that it starts takes an ordinary turn."""
    here: list[int] = []

    def start() -> None:
        enable_realtime()
        here.append(os.sched_getscheduler(0))
        apart = WorkerProcess()
        apart.make(partial(make_shelf, tmp_path / "farewell"))
        here.append(apart.call("policy", timeout=20.0))
        apart.close()
        disable_realtime()
        here.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(60.0)
    assert here[0] in (os.SCHED_RR, os.SCHED_OTHER)
    assert here[1:] == [os.SCHED_OTHER, os.SCHED_OTHER]


def test_a_long_stop_of_ours_is_not_its_fault(apart: WorkerProcess) -> None:
    """The limit counts looks, not the clock: an answer that is there when we look is taken, however late."""
    answer = apart.ask("double", 5)
    deadline = time.monotonic() + 20.0
    while not answer.done() and time.monotonic() < deadline:
        pass
    assert apart._result(answer, timeout=0.0) == 10
