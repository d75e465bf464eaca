"""A worker process never blocks its parent, and ends in bounded time."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kelly_live.core.errors import WorkerError
from kelly_live.workers.child import GIVEN_UP_EXIT_CODE
from kelly_live.workers.process import WorkerProcess, module_command
from tests.workers.until import stop_process, wait_until

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

HEAD = """
import os, signal, sys, threading, time
import msgspec
from kelly_live.workers.child import ParentConnection, ignore_signals, TERMINAL_SIGNALS, END_SIGNALS
class Word(msgspec.Struct, frozen=True, tag=True):
    text: str
"""
ECHO = """
parent = ParentConnection(Word)
for word in parent.receive():
    parent.send(word)
"""


class Word(msgspec.Struct, frozen=True, tag=True):
    text: str


class Peer:
    """A worker that runs a script, what it sent, and how often its end was reported."""

    def __init__(self, script: str, **options: Any) -> None:
        self.words: list[str] = []
        self.ends = 0
        self.process: WorkerProcess[Word] = WorkerProcess(
            [sys.executable, "-c", HEAD + script],
            name="the peer",
            receives=Word,
            on_message=lambda word: self.words.append(word.text),
            on_end=self._end,
            **options,
        )

    def _end(self) -> None:
        self.ends += 1


@pytest.fixture
def start() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def start(script: str, **options: Any) -> Peer:
        peers.append(Peer(script, **options))
        peers[-1].process.start()
        return peers[-1]

    yield start
    for peer in peers:
        peer.process.close(0.2)


def test_messages_go_there_and_back_in_their_order(start: Callable[..., Peer]) -> None:
    peer = start(ECHO)
    assert all(peer.process.send(Word(str(number))) for number in range(100))
    wait_until(lambda: len(peer.words) == 100)
    assert peer.words == [str(number) for number in range(100)]
    peer.process.close(20.0)
    assert (peer.process.exit_code, peer.process.error, peer.ends) == (0, None, 1)


def test_closing_sends_what_waits_first_and_ends_its_threads(start: Callable[..., Peer]) -> None:
    peer = start("time.sleep(0.3)" + ECHO)
    for number in range(20):
        peer.process.send(Word(str(number)))
    peer.process.close(20.0)
    peer.process.close()
    assert len(peer.words) == 20
    assert not any(thread.is_alive() for thread in peer.process._threads)
    assert not peer.process.send(Word("late"))


@posix_only
def test_the_outbox_is_bounded_by_weight_and_by_number(start: Callable[..., Peer]) -> None:
    peer = start(ECHO, outbox_weight=100, outbox_messages=30, write_seconds=60.0)
    stop_process(peer.process.process_id or 0)
    peer.process.send(Word("x" * 500_000), weight=0)  # what the pipe takes of it, and the rest is being written
    wait_until(lambda: not peer.process._outbox)
    assert peer.process.send(Word("sixty notes"), weight=60)
    assert not peer.process.send(Word("fifty notes"), weight=50), "too heavy, as a whole"
    assert peer.process.send(Word("forty notes"), weight=40)
    assert sum(peer.process.send(Word("a tempo"), weight=0) for _ in range(1000)) == 28, "they pass, within their bound"
    assert len(peer.process._outbox) == 30


@posix_only
def test_one_that_reads_nothing_is_lost_after_the_deadline(start: Callable[..., Peer]) -> None:
    peer = start(ECHO, write_seconds=0.5)
    stop_process(peer.process.process_id or 0)
    start_time = time.monotonic()
    peer.process.send(Word("x" * 500_000))
    wait_until(lambda: peer.ends)
    assert 0.4 < time.monotonic() - start_time < 10.0
    assert peer.process.error == "the peer took no message for 0.5 s and was ended"
    assert peer.process.exit_code == -signal.SIGKILL
    assert not peer.process.send(Word("more"))


@posix_only
def test_one_that_reads_slowly_is_not_lost(start: Callable[..., Peer]) -> None:
    slow = ECHO.replace("parent.send(word)", "time.sleep(0.1); parent.send(word)")
    peer = start(slow, write_seconds=1.5)
    for _ in range(20):
        assert peer.process.send(Word("x" * 30_000))
    wait_until(lambda: len(peer.words) == 20)
    assert peer.process.error is None


@posix_only
@pytest.mark.parametrize(
    "script",
    [
        "ignore_signals(*TERMINAL_SIGNALS, *END_SIGNALS); time.sleep(60)",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "os.close(0); os.close(1); time.sleep(60)",
    ],
    ids=["deaf", "suspended", "without pipes"],
)
def test_closing_is_bounded_for_any_child(start: Callable[..., Peer], script: str) -> None:
    peer = start(script)
    for _ in range(20):
        peer.process.send(Word("x" * 20_000))
    start_time = time.monotonic()
    peer.process.close(0.2, terminate=True)
    assert time.monotonic() - start_time < 20.0
    assert peer.process.exit_code is not None
    assert peer.ends == 1


def test_one_that_ends_by_itself_is_reported_once(start: Callable[..., Peer]) -> None:
    peer = start("sys.exit(3)")
    wait_until(lambda: peer.ends)
    assert peer.process.error == "the peer ended by itself (exit code 3)"
    peer.process.close()
    assert (peer.ends, peer.process.error) == (1, "the peer ended by itself (exit code 3)")


def test_one_that_aborts_names_memory(start: Callable[..., Peer]) -> None:
    peer = start("os.abort()")
    wait_until(lambda: peer.ends)
    assert peer.process.error == "the peer ended by itself (exit code -6, as where there is not enough memory)"


def test_garbage_is_the_end(start: Callable[..., Peer]) -> None:
    peer = start("print('Traceback (most recent call last)', flush=True); time.sleep(60)")
    wait_until(lambda: peer.ends)
    assert peer.process.error == "the peer sent something else than messages"
    assert peer.process.exit_code is not None


def test_a_callback_that_fails_is_the_end_and_not_a_deaf_parent() -> None:
    peer = Peer(ECHO)
    peer.words = None  # type: ignore[assignment]
    peer.process.start()
    peer.process.send(Word("x"))
    wait_until(lambda: peer.ends)
    assert peer.process.error is not None
    assert "AttributeError" in peer.process.error
    peer.process.close()


def test_a_system_that_is_full_is_not_taken_for_a_broken_python(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    peer = Peer(ECHO)
    monkeypatch.setattr("kelly_live.workers.process.subprocess.Popen", refuse)
    with pytest.raises(WorkerError, match=r"Too many open files.*; close other programs, or raise the limits"):
        peer.process.start()


def test_it_starts_once_and_not_after_its_end() -> None:
    closed_process = Peer(ECHO)
    closed_process.process.close()
    with pytest.raises(WorkerError, match="closed before it was started"):
        closed_process.process.start()
    peer = Peer(ECHO)
    peer.process.start()
    with pytest.raises(WorkerError, match="started twice"):
        peer.process.start()
    peer.process.close()
    missing: WorkerProcess[Word] = WorkerProcess(
        ["/no/such/python"], name="the peer", receives=Word, on_message=lambda word: None
    )
    with pytest.raises(WorkerError, match=r"the peer cannot be started .*; check the Python installation"):
        missing.start()


@posix_only
def test_the_child_ends_soon_after_its_parent_even_if_it_hangs(start: Callable[..., Peer]) -> None:
    peer = start(
        "parent = ParentConnection(Word, farewell_seconds=0.3)\n"
        "threading.Thread(target=lambda: list(parent.receive()), daemon=True).start()\n"
        "parent.send(Word('ready'))\n"
        "time.sleep(60)"
    )
    wait_until(lambda: peer.words == ["ready"])
    process = peer.process._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()  # as the system does when the parent dies
    assert process.wait(20.0) == 1


def test_what_a_library_prints_is_no_message(start: Callable[..., Peer]) -> None:
    peer = start(
        "parent = ParentConnection(Word, silent=True); print('chatter', flush=True); parent.send(Word('ready'))"
    )
    wait_until(lambda: peer.ends)
    assert peer.words == ["ready"]


GREAT = "parent.send(Word('x' * 200_000))"  # more than a pipe holds


@posix_only
def test_a_child_gives_up_a_parent_that_never_reads() -> None:
    script = (
        "parent = ParentConnection(Word, write_seconds=0.3)\n"
        f"answers = [{GREAT}, parent.send(Word('more'))]\n"
        "print(answers, file=sys.stderr, flush=True); sys.exit(parent.exit_code)"
    )
    start_time = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", HEAD + script],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.read() == "[False, False]\n"
        assert process.wait(20.0) == GIVEN_UP_EXIT_CODE
    assert time.monotonic() - start_time < 10.0


@posix_only
def test_a_child_that_gave_its_parent_up_is_ended_by_force() -> None:
    script = f"parent = ParentConnection(Word, write_seconds=0.2, farewell_seconds=0.2); {GREAT}; time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", HEAD + script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:  # fmt: skip
        assert process.wait(20.0) == GIVEN_UP_EXIT_CODE


@posix_only
@pytest.mark.parametrize(
    ("write_seconds", "is_awaited", "outcome"),
    [
        (60.0, "sending", "3 the peer ended by itself (exit code 0)"),
        (0.3, "sent", "0 the peer ended by itself (this process did not read its messages)"),
    ],
    ids=["within the deadline", "past the deadline"],
)
def test_a_suspended_parent(tmp_path: Path, write_seconds: float, is_awaited: str, outcome: str) -> None:
    """It is suspended while the child sends, and continues when the child has reached `is_awaited`."""
    child = (
        "from pathlib import Path; folder = Path(sys.argv[1])\n"
        f"parent = ParentConnection(Word, write_seconds={write_seconds})\n"
        "while not (folder / 'go').exists(): time.sleep(0.01)\n"
        "(folder / 'sending').touch()\n"
        f"for _ in range(3): {GREAT}\n"
        "(folder / 'sent').touch(); sys.exit(parent.exit_code)"
    )
    parent = (
        "import msgspec, sys, threading\n"
        "from kelly_live.workers.process import WorkerProcess\n"
        "class Word(msgspec.Struct, frozen=True, tag=True):\n"
        "    text: str\n"
        "ended, words = threading.Event(), []\n"
        "process = WorkerProcess([sys.executable, '-c', *sys.argv[1:]], name='the peer', receives=Word,\n"
        "                        on_message=words.append, on_end=ended.set)\n"
        "process.start(); print('started', flush=True); ended.wait(20.0); print(len(words), process.error)"
    )
    command = [sys.executable, "-c", parent, HEAD + child, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        stop_process(process.pid)
        (tmp_path / "go").touch()
        try:
            wait_until((tmp_path / is_awaited).exists)
        finally:
            os.kill(process.pid, signal.SIGCONT)
        assert process.stdout.read() == f"{outcome}\n"


@posix_only
def test_a_child_that_must_not_wait_drops_whole_messages() -> None:
    """The parent does not read; when it does, it gets whole messages and no others."""
    script = (
        "parent = ParentConnection(Word, blocking=False)\n"
        "taken = [parent.send(Word(f'{n:06}' + 'x' * 9000)) for n in range(100)]\n"
        "print(sum(taken), file=sys.stderr, flush=True)\n"
        "for word in parent.receive(): parent.send(word)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + script],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    sent_count = int(process.stderr.readline())
    assert 0 < sent_count < 100
    from kelly_live.workers.framing import FrameDecoder, encode_frame

    assert process.stdin is not None
    assert process.stdout is not None
    decoder = FrameDecoder[Word](Word)
    words: list[Word] = []
    while len(words) < sent_count - 1:  # the last one may wait for its rest
        words += decoder.feed(os.read(process.stdout.fileno(), 1 << 16))
    process.stdin.write(encode_frame(Word("more")))
    process.stdin.close()
    words += decoder.feed(process.stdout.read())
    process.wait(20.0)
    process.stdout.close()
    process.stderr.close()
    assert [word.text[:6] for word in words] == [f"{n:06}" for n in range(sent_count)] + ["more"]


def test_a_loss_is_logged_but_not_printed() -> None:
    script = (
        "import logging, sys, threading\n"
        "from kelly_live.workers.process import WorkerProcess\n"
        "ended = threading.Event()\n"
        "process = WorkerProcess([sys.executable, '-c', ''], name='the peer', receives=str, on_message=print,\n"
        "                        on_end=ended.set)\n"
        "lines = []\n"
        "handler = logging.Handler(); handler.emit = lambda record: lines.append(record.getMessage())\n"
        "if len(sys.argv) > 1: logging.getLogger('kelly_live').addHandler(handler)\n"
        "process.start(); ended.wait(20.0); process.close(); print(lines)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")
    run = subprocess.run([sys.executable, "-c", script, "log"], capture_output=True, text=True, check=True)
    assert "lost: the peer ended by itself (exit code 0)" in run.stdout


def test_the_parent_s_end_loads_no_heavy_library() -> None:
    script = (
        "import sys, kelly_live.workers.process, kelly_live.workers.child, kelly_live.workers.supervisor\n"
        "print([name for name in ('torch', 'numpy', 'librosa', 'scipy') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_module_runs_apart_from_the_user_s_folder() -> None:
    assert module_command("kelly_live.audio.capture", "16000") == [
        sys.executable, "-P", "-m", "kelly_live.audio.capture", "16000",
    ]  # fmt: skip


@posix_only
def test_ctrl_c_while_a_child_starts_does_not_reach_it(
    start: Callable[..., Peer], capfd: pytest.CaptureFixture[str]
) -> None:
    """The terminal sends it to every process, also to one that has not come to ignoring it."""
    peer = start(ECHO)
    assert peer.process.process_id is not None
    os.kill(peer.process.process_id, signal.SIGINT)
    peer.process.send(Word("still here"))
    wait_until(lambda: peer.words == ["still here"])
    assert capfd.readouterr().err == ""
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
