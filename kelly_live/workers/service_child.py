"""The child's end of a ServiceProcess: `python -m kelly_live.workers.service_child [MODULE…]`.

Threads: the main one makes the service and calls its methods in turn; `submitted` does so with what was submitted;
`requests` reads. When the parent closes its end, is gone or takes no answer, the service is closed and the process
ends.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, get_type_hints

import msgspec

from kelly_live.core.errors import KellyError, WorkerError
from kelly_live.workers.child import END_SIGNALS, TERMINAL_SIGNALS, ParentConnection, ignore_signals
from kelly_live.workers.framing import decode_payload, encode_payload
from kelly_live.workers.realtime import disable_realtime
from kelly_live.workers.service import CallRequest, CreateRequest, Failure, Request, Result


class ServiceChild:
    """Answers the parent's requests.

    The queues are bounded by the parent, which has at most MAX_REQUESTS without an answer.
    """

    def __init__(self, parent: ParentConnection[Request]) -> None:
        self._parent = parent
        self._in_turn: SimpleQueue[Request | None] = SimpleQueue()
        self._submitted_requests: SimpleQueue[Request | None] = SimpleQueue()
        self._service: Any = None

    def start(self) -> None:
        """Read from now on, so that a parent never waits for what this process imports."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def run(self) -> None:
        """Answer until the parent is done, gone or takes no answer; then close the service."""
        beside = threading.Thread(
            target=self._answer_all, args=(self._submitted_requests,), name="submitted", daemon=True
        )
        beside.start()
        self._answer_all(self._in_turn)
        beside.join()
        if self._service is not None:
            self._service.close()

    def _read(self) -> None:
        """Thread: requests."""
        try:
            for request in self._parent.receive():
                is_submitted = isinstance(request, CallRequest) and request.is_submitted
                (self._submitted_requests if is_submitted else self._in_turn).put(request)
        finally:
            if self._service is None:  # it may be loading a net for seconds, for nobody
                os._exit(0)
            self._end()

    def _end(self) -> None:
        """Let both threads end after what they do now."""
        self._in_turn.put(None)
        self._submitted_requests.put(None)

    def _answer_all(self, requests: SimpleQueue[Request | None]) -> None:
        while (request := requests.get()) is not None:
            try:
                response: Result | Failure = Result(request.number, msgspec.Raw(encode_payload(self._do(request))))
            except Exception as error:  # any error is the caller's
                response = _failure(request.number, error)
            if not self._parent.send(response):
                self._end()
                return

    def _do(self, request: Request) -> Any:
        if isinstance(request, CreateRequest):
            module, _, function = request.factory.partition(":")
            self._service = _call(getattr(importlib.import_module(module), function), request.arguments)
            return None
        if self._service is None:
            raise WorkerError(f"{request.method} was called before the service was made")
        return _call(getattr(self._service, request.method), request.arguments)


def _call(function: Callable[..., Any], arguments: msgspec.Raw) -> Any:
    """Call a function with the encoded arguments, by its annotations."""
    hints = get_type_hints(function)
    hints.pop("return", None)
    # Trailing arguments may be left out.
    count = len(decode_payload(arguments, list[msgspec.Raw]))
    return function(*decode_payload(arguments, tuple[tuple(hints.values())[:count]]))  # type: ignore[misc]


def _failure(number: int, error: Exception) -> Failure:
    is_ours = isinstance(error, KellyError | TimeoutError)
    text = str(error) if is_ours else " ".join(str(error).split())
    name = TimeoutError.__name__ if isinstance(error, TimeoutError) else type(error).__name__
    return Failure(number, name, text)


def main(modules: Sequence[str]) -> int:
    """Import the modules, serve, and return the exit code."""
    ignore_signals(*TERMINAL_SIGNALS, *END_SIGNALS)  # this one ends when its stdin does
    parent: ParentConnection[Request] = ParentConnection(Request)
    child = ServiceChild(parent)
    child.start()
    disable_realtime()
    for module in modules:
        importlib.import_module(module)
    child.run()
    return parent.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
