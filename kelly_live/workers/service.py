"""An object in a process of its own, whose methods are called by name: the parent's end.

What it computes takes no turn of this interpreter. Arguments and results are encoded by the annotations of the
service's class, which must resolve at run time. The child's end is `kelly_live.workers.service_child`.

Threads: any may call a ServiceProcess; results arrive on `worker-read`. In the child, `create` and `call` run on the
main thread, in turn; `submit` runs on a thread beside, in turn too.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import Any, get_type_hints

import msgspec

from kelly_live.core.errors import KellyError, WorkerError
from kelly_live.core.wording import quote_error
from kelly_live.workers.framing import decode_payload, encode_payload
from kelly_live.workers.process import CLOSE_SECONDS, WRITE_SECONDS, WorkerProcess, module_command

LOAD_SECONDS = 120.0  # on a busy machine with a slow disk
MAX_REQUESTS = 64  # without an answer yet

_LOOK_SECONDS = 1.0


class CreateRequest(msgspec.Struct, frozen=True, tag=True):
    """Make the service: call `factory` ("package.module:function") with the arguments."""

    number: int
    factory: str
    arguments: msgspec.Raw


class CallRequest(msgspec.Struct, frozen=True, tag=True):
    """Call a method of the service; `is_submitted`: on the thread beside."""

    number: int
    method: str
    arguments: msgspec.Raw
    is_submitted: bool


class Result(msgspec.Struct, frozen=True, tag=True):
    """What a method returned."""

    number: int
    value: msgspec.Raw


class Failure(msgspec.Struct, frozen=True, tag=True):
    """What a method raised: the class's name and the text."""

    number: int
    error: str
    text: str


Request = CreateRequest | CallRequest
Response = Result | Failure


class ServiceProcess:
    """A service in a process of its own; one that is lost can't be used again.

    Args:
        service: The class of the service; its methods' annotations are the schema. Its `close()` is called when the
            process ends.
        name: What it is, as the subject of error lines: "the analysis".
        preload: Modules that the child imports at once, while this process goes on.
    """

    def __init__(
        self, service: type, *, name: str, preload: Sequence[str] = (), write_seconds: float = WRITE_SECONDS
    ) -> None:
        self._service = service
        self._process: WorkerProcess[Response] = WorkerProcess(
            module_command("kelly_live.workers.service_child", *preload),
            name=name,
            receives=Response,
            on_message=self._take,
            on_end=self._fail_all,
            outbox_messages=MAX_REQUESTS,
            write_seconds=write_seconds,
        )
        self._lock = threading.Lock()
        self._pending_calls: dict[int, tuple[Future[Any], Any]] = {}  # with the result's type
        self._number = 0

    @property
    def name(self) -> str:
        """What the service is, as the subject of error lines."""
        return self._process.name

    @property
    def process_id(self) -> int | None:
        """The child's process id; None before `start`."""
        return self._process.process_id

    @property
    def is_lost(self) -> bool:
        """Whether the process has ended, or was given up or closed."""
        return self._process.is_lost

    @property
    def error(self) -> str | None:
        """Why the process was lost, in one line; None while it runs and after `close`."""
        return self._process.error

    def start(self) -> None:
        """Start the process.

        Raises:
            WorkerError: The system cannot start it, or it was started or closed before.
        """
        self._process.start()

    def create(self, factory: str, *arguments: object, timeout: float = LOAD_SECONDS) -> None:
        """Make the service in the process: `factory` ("package.module:function") returns it.

        Raises:
            WorkerError: As of `call`.
            KellyError: What the factory raised.
        """
        request = CreateRequest(0, factory, msgspec.Raw(encode_payload(arguments)))
        self._result(self._send(request, type(None)), timeout)

    def call(self, method: str, *arguments: object, timeout: float) -> Any:
        """Call a method in its turn, and return its result.

        A process that does not answer within `timeout` seconds, in which this process ran, is ended.

        Raises:
            WorkerError: The process is lost, did not answer or was not started, the arguments have no schema or are
                too long, or the method raised an error that has no meaning here.
            KellyError: What the method raised, as its own class.
            TimeoutError: What the method raised.
        """
        return self._result(self._request(method, arguments, is_submitted=False), timeout)

    def submit(self, method: str, *arguments: object) -> Future[Any]:
        """Call a method beside those in turn, without waiting; the future's exceptions are those of `call`."""
        return self._request(method, arguments, is_submitted=True)

    def close(self, patience_seconds: float = CLOSE_SECONDS) -> None:
        """End the process, which has so long to end by itself. Safe to call twice."""
        self._process.close(patience_seconds)

    def _request(self, method: str, arguments: tuple[object, ...], *, is_submitted: bool) -> Future[Any]:
        result_type = get_type_hints(getattr(self._service, method)).get("return", type(None))
        request = CallRequest(0, method, msgspec.Raw(encode_payload(arguments)), is_submitted)
        return self._send(request, result_type)

    def _send(self, request: Request, result_type: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # what is sent can't be cancelled
        with self._lock:
            self._number += 1
            request = msgspec.structs.replace(request, number=self._number)
            is_full = len(self._pending_calls) >= MAX_REQUESTS
            if not is_full:
                self._pending_calls[self._number] = (future, result_type)
        if is_full:
            future.set_exception(WorkerError(f"{self.name} has {MAX_REQUESTS} requests to answer; try again later"))
            return future
        try:
            if self._process.process_id is None or not self._process.send(request):
                self._fail(request.number)
        except WorkerError as error:  # too long: nobody will answer it
            self._fail(request.number, str(error))
        return future

    def _result(self, future: Future[Any], timeout: float) -> Any:
        # A look at a time: however long this process is suspended, that is one look.
        for _ in range(max(1, round(timeout / _LOOK_SECONDS))):
            if wait([future], min(timeout, _LOOK_SECONDS)).done:
                return future.result()
        self._process.give_up(f"{self.name} did not answer within {timeout:g} s and was ended")
        return future.result()

    def _take(self, response: Response) -> None:
        """Thread: worker-read."""
        with self._lock:
            future, result_type = self._pending_calls.pop(response.number, (None, None))
        if future is None:
            return
        try:
            if isinstance(response, Result):
                future.set_result(decode_payload(response.value, result_type))
            else:
                future.set_exception(_rebuild(response))
        except Exception as error:  # whatever a damaged result raises, its caller must not wait for ever
            future.set_exception(error if isinstance(error, WorkerError) else WorkerError(quote_error(error)))

    def _fail_all(self) -> None:
        """Thread: the one that noticed the end."""
        with self._lock:
            numbers = list(self._pending_calls)
        for number in numbers:
            self._fail(number)

    def _fail(self, number: int, reason: str | None = None) -> None:
        with self._lock:
            future, _ = self._pending_calls.pop(number, (None, None))
        if future is not None:
            future.set_exception(WorkerError(reason or self._process.error or self._describe_absence()))

    def _describe_absence(self) -> str:
        if self._process.is_lost:
            return f"{self.name} was closed"
        return f"{self.name} was not started; call start first"


def _rebuild(failure: Failure) -> Exception:
    """Return the error that was raised in the child: its own class where that is one of ours."""
    if failure.error == TimeoutError.__name__:
        return TimeoutError(failure.text)
    classes: list[type[KellyError]] = [KellyError]
    for one in classes:  # grows while it is walked
        if one.__name__ == failure.error:
            with contextlib.suppress(TypeError):  # made of something else than its text
                return one(failure.text)
        classes += one.__subclasses__()
    return WorkerError(f"{failure.error}: {failure.text}")
