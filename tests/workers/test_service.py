"""An object in a process of its own: what it returns, what goes wrong there, and how both ends end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest

from kelly_live.core.errors import ConfigError, WorkerError
from kelly_live.workers.child import ParentConnection
from kelly_live.workers.framing import encode_payload
from kelly_live.workers.realtime import enable_realtime, end_session
from kelly_live.workers.service import MAX_REQUESTS, CreateRequest, Request, ServiceProcess
from kelly_live.workers.service_child import ServiceChild
from tests.workers.counter_service import Count, Counter
from tests.workers.until import stop_process, wait_until

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
CREATE = "tests.workers.counter_service:create_counter"


@pytest.fixture(autouse=True)
def _these_tests_can_be_imported_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def started(**options: float) -> ServiceProcess:
    process = ServiceProcess(Counter, name="the counter", **options)
    process.start()
    return process


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[ServiceProcess]:
    process = started(write_seconds=1.0)
    process.create(CREATE, str(tmp_path / "farewell"))
    yield process
    process.close()


def test_it_answers_and_what_a_library_prints_is_no_answer(counter: ServiceProcess) -> None:
    assert [counter.call("double", Count(n), timeout=20.0) for n in (1, 21)] == [Count(2), Count(42)]
    assert counter.submit("double", Count(4)).result(20.0) == Count(8)


def test_arrays_and_default_arguments_are_by_the_annotations(counter: ServiceProcess) -> None:
    samples = np.array([0.5, -1.0], np.float32)
    assert counter.call("scale", samples, timeout=20.0).tolist() == [1.0, -2.0]
    assert counter.call("scale", samples, 3.0, timeout=20.0).tolist() == [1.5, -3.0]


def test_an_error_there_is_an_error_here(counter: ServiceProcess) -> None:
    with pytest.raises(ConfigError, match="seven is not a colour; choose another"):
        counter.call("fail", timeout=20.0)
    with pytest.raises(WorkerError, match="OddError: ab"):
        counter.call("fail_oddly", timeout=20.0)
    with pytest.raises(WorkerError, match="OddKellyError: ab"):
        counter.call("fail_oddly_as_ours", timeout=20.0)
    with pytest.raises(WorkerError, match="a object cannot be sent"):
        counter.call("return_what_has_no_schema", timeout=20.0)
    assert counter.call("double", Count(1), timeout=20.0) == Count(2)


def test_arguments_that_do_not_fit_are_refused_there(counter: ServiceProcess) -> None:
    with pytest.raises(WorkerError, match="Expected `float`, got `str`"):
        counter.call("scale", np.zeros(1), "much", timeout=20.0)
    with pytest.raises(WorkerError, match="a count is -1"):
        counter.call("double", {"number": -1}, timeout=20.0)
    with pytest.raises(AttributeError, match="triple"):
        counter.call("triple", Count(1), timeout=20.0)


def test_a_timeout_there_is_its_error_and_not_a_missing_answer(counter: ServiceProcess) -> None:
    with pytest.raises(TimeoutError, match="the driver gave no answer"):
        counter.call("time_out", timeout=20.0)
    assert not counter.is_lost
    assert counter.call("double", Count(1), timeout=20.0) == Count(2)


def test_what_is_submitted_waits_for_nothing(counter: ServiceProcess) -> None:
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(counter.call("wait", timeout=20.0)))
    thread.start()
    assert counter.submit("double", Count(3)).result(20.0) == Count(6)
    assert answers == []
    counter.submit("release")
    thread.join(20.0)
    assert answers == ["released"]


def test_requests_without_an_answer_are_bounded(counter: ServiceProcess) -> None:
    futures = [counter.submit("wait") for _ in range(MAX_REQUESTS + 1)]
    with pytest.raises(WorkerError, match=f"the counter has {MAX_REQUESTS} requests to answer"):
        futures[-1].result(0.0)
    assert not any(future.done() for future in futures[:-1])


def test_requests_that_are_too_long_wait_for_no_answer(counter: ServiceProcess) -> None:
    for _ in range(MAX_REQUESTS + 1):
        with pytest.raises(WorkerError, match=r"a CallRequest of 2000\d+ bytes is too long"):
            counter.submit("take", bytes(2_000_000)).result(0.0)
    assert counter.call("take", b"short", timeout=20.0) == 5


def test_a_call_before_the_start_is_an_error_at_once() -> None:
    counter = ServiceProcess(Counter, name="the counter")
    with pytest.raises(WorkerError, match="the counter was not started; call start first"):
        counter.submit("double", Count(1)).result(0.0)
    counter.close()
    with pytest.raises(WorkerError, match="the counter was closed"):
        counter.submit("double", Count(1)).result(0.0)


def test_one_that_hangs_is_ended(counter: ServiceProcess) -> None:
    with pytest.raises(WorkerError, match=r"the counter did not answer within 0\.1 s"):
        counter.call("wait", timeout=0.1)
    assert counter.is_lost
    with pytest.raises(WorkerError, match="did not answer"):
        counter.call("double", Count(1), timeout=20.0)


def test_one_that_is_killed_is_noticed_at_once(counter: ServiceProcess) -> None:
    pending_call = counter.submit("wait")
    assert counter.process_id is not None
    os.kill(counter.process_id, signal.SIGKILL)
    with pytest.raises(WorkerError, match="the counter ended by itself"):
        pending_call.result(20.0)
    with pytest.raises(WorkerError, match="ended by itself"):
        counter.call("double", Count(1), timeout=20.0)


@posix_only
@pytest.mark.parametrize("bytes_", [10, 400_000], ids=["short", "more than a pipe holds"])
def test_one_that_stands_still_blocks_neither_submit_nor_call_nor_close(counter: ServiceProcess, bytes_: int) -> None:
    assert counter.process_id is not None
    stop_process(counter.process_id)
    start_time = time.monotonic()
    future = counter.submit("take", bytes(bytes_))
    assert time.monotonic() - start_time < 4.0, "submitting never waits"
    with pytest.raises(WorkerError, match="and was ended"):
        counter.call("take", bytes(bytes_), timeout=2.0)
    with pytest.raises(WorkerError, match="and was ended"):
        future.result(0.0)
    counter.close()
    assert time.monotonic() - start_time < 15.0


@posix_only
def test_one_that_stands_still_with_a_full_pipe_is_closed_in_time(counter: ServiceProcess) -> None:
    assert counter.process_id is not None
    stop_process(counter.process_id)
    future = counter.submit("take", bytes(400_000))
    start_time = time.monotonic()
    counter.close(0.2)
    assert time.monotonic() - start_time < 20.0
    with pytest.raises(WorkerError, match="was closed"):
        future.result(0.0)


def test_closing_closes_the_service_and_twice_is_no_harm(counter: ServiceProcess, tmp_path: Path) -> None:
    counter.close(20.0)
    counter.close()
    assert (tmp_path / "farewell").read_text() == "closed"


def test_a_parent_that_is_gone_is_noticed(counter: ServiceProcess, tmp_path: Path) -> None:
    process = counter._process._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()  # as the system does when the parent dies
    wait_until((tmp_path / "farewell").exists)
    assert process.wait(20.0) == 0


def test_a_parent_that_takes_no_answer_ends_the_service(tmp_path: Path) -> None:
    class DeafParent:
        """Sends its requests, and takes no answer."""

        def receive(self) -> Iterator[Request]:
            yield CreateRequest(1, CREATE, msgspec.Raw(encode_payload((str(tmp_path / "farewell"),))))
            threading.Event().wait()  # its end of the pipe stays open

        def send(self, message: object) -> bool:
            return False

    child = ServiceChild(cast("ParentConnection[Request]", DeafParent()))
    child.start()
    child.run()
    assert (tmp_path / "farewell").read_text() == "closed"


def test_a_factory_that_is_unknown_there_is_an_error(tmp_path: Path) -> None:
    process = started()
    with pytest.raises(WorkerError, match="ModuleNotFoundError: No module named"):
        process.create("nowhere.at_all:create", str(tmp_path / "farewell"))
    with pytest.raises(WorkerError, match="before the service was made"):
        process.call("wait", timeout=20.0)
    process.close()


def test_what_the_factory_raises_is_raised() -> None:
    process = started()
    with pytest.raises(ConfigError, match="there is no wood"):
        process.create("tests.workers.counter_service:fail_to_create")
    process.close()


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system has no policies")
def test_a_service_does_not_inherit_real_time_priority(tmp_path: Path) -> None:
    """With any priority of this thread, the process that it starts is scheduled as any other."""
    policies: list[int] = []

    def start() -> None:
        enable_realtime()
        policies.append(os.sched_getscheduler(0))
        process = started()
        process.create(CREATE, str(tmp_path / "farewell"))
        policies.append(process.call("policy", timeout=20.0))
        process.close()
        end_session()
        policies.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(60.0)
    assert policies[0] in (os.SCHED_RR, os.SCHED_OTHER)
    assert policies[1:] == [os.SCHED_OTHER, os.SCHED_OTHER]


def test_our_own_suspension_is_not_its_fault(counter: ServiceProcess) -> None:
    """The limit counts looks, not the clock: an answer that is there when we look is taken, however late."""
    answer = counter.submit("double", Count(5))
    wait_until(answer.done)
    assert counter._result(answer, timeout=0.0) == Count(10)
