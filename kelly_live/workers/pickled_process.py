"""An object in a process of its own, so that what it computes takes no turn of this interpreter; both ends.

The child runs as `python -m kelly_live.workers.pickled_process [MODULE …]`: it imports the modules, makes the object from the recipe that
it is sent, and then does what it is asked, in turn; what is asked `aside` it does at once, in a thread beside. Both
ends are one version of one program on one machine, and trust each other: what goes between them is pickled.

Threads: of the parent's, any may call; `apart-reader` takes the answers. It ends with its stdin, as its parent does.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from queue import SimpleQueue
from typing import Any, BinaryIO, NamedTuple

from kelly_live.core.errors import WorkerError
from kelly_live.workers.realtime import disable_realtime

LOAD_SECONDS = 120.0  # on a busy machine with a slow disk
_LOOK_SECONDS = 1.0
_END_SECONDS = 2.0
_FAREWELL_SECONDS = 15.0  # for a process whose parent is gone, to keep what it has learned


class _Asked(NamedTuple):
    number: int
    method: str  # "" makes the object, of the recipe
    arguments: tuple[Any, ...]
    aside: bool = False


class _Answer(NamedTuple):
    number: int
    value: Any
    error: Exception | None = None


class WorkerProcess:
    """The parent's end. `make` first; a process that is lost can't be used again."""

    def __init__(self, modules: Sequence[str] = ()) -> None:
        """Start the process, which imports these meanwhile."""
        command = [sys.executable, "-P", "-m", "kelly_live.workers.pickled_process", *modules]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise WorkerError(f"a process cannot be started ({error}); check the Python installation") from error
        self._lock = threading.Lock()  # held while one question is written
        self._waiting: dict[int, Future[Any]] = {}
        self._numbers = 0
        self._lost = False
        self._reader = threading.Thread(target=self._read, name="apart-reader", daemon=True)
        self._reader.start()

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def lost(self) -> bool:
        """Whether it has ended, or was given up."""
        return self._lost

    def make(self, recipe: Callable[[], tuple[object, Any]]) -> Any:
        """Make the object there: `recipe`, which must be picklable, gives it, and what to answer now. Raises what it
        raises, and ApartError.
        """
        return self._result(self._send(_Asked(0, "", (recipe,))), LOAD_SECONDS)

    def call(self, method: str, *arguments: Any, timeout: float) -> Any:
        """What the object's method answers, in its turn. Raises what it raises, and ApartError; a process that does not
        answer in time (seconds, in which this process ran) is ended.
        """
        return self._result(self._send(_Asked(0, method, arguments)), timeout)

    def ask(self, method: str, *arguments: Any) -> Future[Any]:
        """The same, aside, and without waiting; never raises."""
        return self._send(_Asked(0, method, arguments, aside=True))

    def close(self, patience_seconds: float = _END_SECONDS) -> None:
        """End the process, which gets so long to end by itself. Safe to call twice."""
        with self._lock, contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_seconds)
        self._end()
        self._reader.join(_END_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _send(self, asked: _Asked) -> Future[Any]:
        answer: Future[Any] = Future()
        with self._lock:
            self._numbers += 1
            asked = asked._replace(number=self._numbers)
            self._waiting[asked.number] = answer
            if self._lost:
                self._fail(asked.number)
                return answer
            try:
                stdin = self._process.stdin
                assert stdin is not None
                pickle.dump(tuple(asked), stdin, pickle.HIGHEST_PROTOCOL)
                stdin.flush()
            except (OSError, ValueError):  # it has ended; ValueError: we closed it
                self._fail(asked.number)
        return answer

    def _result(self, answer: Future[Any], timeout: float) -> Any:
        # A look at a time: however long this process is suspended, that is one look.
        for _ in range(max(1, round(timeout / _LOOK_SECONDS))):
            with contextlib.suppress(NoAnswer):
                return answer.result(min(timeout, _LOOK_SECONDS))
        self._end()
        raise WorkerError(f"it did not answer within {timeout:g} s and was ended")

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                number, value, error = pickle.load(self._process.stdout)
                answer = self._waiting.pop(number, None)
                if answer is None:
                    continue
                if error is not None:
                    answer.set_exception(error)
                else:
                    answer.set_result(value)
        except Exception:  # the end of the stream, or of its sense: either way nothing more can be read
            self._lost = True
        for number in list(self._waiting):
            self._fail(number)

    def _fail(self, number: int) -> None:
        answer = self._waiting.pop(number, None)
        if answer is not None:
            answer.set_exception(WorkerError("its process has ended"))

    def _end(self) -> None:
        self._lost = True
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class _Child:
    """The other end. Threads: the main one works in turn; another reads, and does what is asked aside."""

    def __init__(self, questions: BinaryIO, answers: BinaryIO) -> None:
        self._questions, self._answers = questions, answers
        self._lock = threading.Lock()
        self._turns: SimpleQueue[_Asked | None] = SimpleQueue()
        self._object: Any = None
        self._done = threading.Event()

    def run(self) -> None:
        threading.Thread(target=self._read, name="questions", daemon=True).start()
        while (asked := self._turns.get()) is not None:
            self._do(asked)
        if self._object is not None:
            self._object.close()  # its parent may be gone without a word
        self._done.set()

    def _read(self) -> None:
        try:
            with contextlib.suppress(EOFError):  # the parent closed it, or is gone
                while True:
                    asked = _Asked(*pickle.load(self._questions))
                    if asked.aside:
                        self._do(asked)
                    else:
                        self._turns.put(asked)
        finally:  # after a question without sense, whatever follows has none either
            self._turns.put(None)
            if not self._done.wait(_FAREWELL_SECONDS):
                os._exit(1)  # it hangs in what it was asked, and nobody is left to end it

    def _do(self, asked: _Asked) -> None:
        try:
            if asked.method:
                answer = _Answer(asked.number, getattr(self._object, asked.method)(*asked.arguments))
            else:
                self._object, value = asked.arguments[0]()
                answer = _Answer(asked.number, value)
            data = pickle.dumps(tuple(answer), pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # whatever it is, it is the caller's
            data = pickle.dumps((asked.number, None, _portable(error)), pickle.HIGHEST_PROTOCOL)
        with self._lock, contextlib.suppress(OSError):  # nobody reads any more: the end of stdin says so too
            self._answers.write(data)
            self._answers.flush()


def _portable(error: Exception) -> Exception:
    """The error itself where it survives the way, else its words."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:  # an error may hold anything
        copy = None
    if type(copy) is type(error) and str(copy) == str(error):
        return error
    return WorkerError(f"{type(error).__name__}: {' '.join(str(error).split())}")


def main(modules: Sequence[str]) -> None:
    # Ctrl-C, Ctrl-Z and an order to end are the parent's; this one ends when its stdin does.
    for name in ("SIGINT", "SIGTSTP", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get among the answers
    disable_realtime()
    for module in modules:
        importlib.import_module(module)
    _Child(sys.stdin.buffer, answers).run()


if __name__ == "__main__":
    from kelly_live.workers.pickled_process import (
        main as _main,  # under its own name: errors of `__main__` would mean nothing elsewhere
    )

    _main(sys.argv[1:])
