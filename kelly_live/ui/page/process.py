"""The page process: serves the page until its parent ends.

Run by the session as `python -m kelly_live.ui.page.process`. Threads: the main one runs the server, `parent` takes the
session's messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from kelly_live.core.own_address import find_own_address
from kelly_live.core.page_messages import Broadcast, PageFailed, PageOpened, PageViewers, ServePage, ToPage
from kelly_live.ui.page.access import Access
from kelly_live.ui.page.server import MAX_REQUEST_BYTES, Hub, create_app
from kelly_live.workers.child import TERMINAL_SIGNALS, ParentConnection, ignore_signals

_HTTP_PORT = 80  # browsers leave it out
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class PatientProtocol(H11Protocol):
    """HTTP on connections that end after some seconds, since uvicorn waits for a request for ever. Sockets live on."""

    life_seconds = 20.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and set the end."""
        super().connection_made(transport)
        self.loop.call_later(self.life_seconds, self._end)

    def _end(self) -> None:
        if self.transport.get_protocol() is self:  # it has not become a WebSocket
            self.transport.close()


class _QuietServer(uvicorn.Server):
    """A server that leaves the signals alone: Ctrl-C is the parent's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def bind(order: ServePage) -> socket.socket:
    """Return a listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in order.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere it would let a second program take the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((order.host, order.port))
    listener.listen(16)
    return listener


def describe_failure(order: ServePage, error: OSError | OverflowError, *, prefix: str = "--ui-") -> str:
    """Say in a line why nothing can be served, and which option to change: `prefix` with `host` or `port`."""
    is_of_port = isinstance(error, OverflowError) or error.errno in (errno.EADDRINUSE, errno.EACCES)
    reason = error.strerror if isinstance(error, OSError) else str(error)
    remedy = (
        f"give another {prefix}port" if is_of_port else f"{prefix}host takes an address of this machine, or 0.0.0.0"
    )
    return f"cannot serve the page on {order.host}:{order.port} ({reason}); {remedy}"


def list_hosts(host: str, port: int) -> frozenset[str]:
    """Return the names by which a page that is served on `host` may be asked for."""
    names = {*_LOOPBACK, f"[{host}]" if ":" in host else host}
    if host in ("0.0.0.0", "::"):
        names |= {socket.gethostname().lower(), *_list_own_addresses()}
    return frozenset({f"{name}:{port}" for name in names} | (names if port == _HTTP_PORT else set()))


def _list_own_addresses() -> Iterator[str]:
    try:
        for row in socket.getaddrinfo(socket.gethostname(), None):
            address = str(row[4][0]).partition("%")[0]
            yield f"[{address}]" if ":" in address else address
    except OSError:
        pass  # a name that nothing resolves
    if (own := find_own_address()) is not None:
        yield own


def main() -> None:
    """Serve until the parent ends."""
    ignore_signals(*TERMINAL_SIGNALS)
    parent: ParentConnection[ToPage] = ParentConnection(ToPage, silent=True)
    messages = parent.receive()
    order = next(messages, None)
    if not isinstance(order, ServePage):
        os._exit(parent.exit_code)
    try:
        listener = bind(order)
    except (OSError, OverflowError) as error:
        parent.send(PageFailed(describe_failure(order, error)))
        os._exit(parent.exit_code)
    port = int(listener.getsockname()[1])
    hub = Hub(lambda count: parent.send(PageViewers(count)))
    access = Access(order.token, order.watch_token, list_hosts(order.host, port), f"kelly_live_{port}")
    app = create_app(access, hub, parent.send)
    server = _QuietServer(
        uvicorn.Config(
            app, log_config=None, lifespan="off", http=PatientProtocol, ws="websockets-sansio",
            ws_max_size=MAX_REQUEST_BYTES * 4, server_header=False, timeout_graceful_shutdown=1, limit_concurrency=256,
        )
    )  # fmt: skip
    threading.Thread(target=_take, args=(messages, hub, server), name="parent", daemon=True).start()
    parent.send(PageOpened(port))
    server.run(sockets=[listener])
    os._exit(parent.exit_code)


def _take(messages: Iterator[ToPage], hub: Hub, server: uvicorn.Server) -> None:
    """Thread: parent. Ends with the parent, and ends the server."""
    for message in messages:
        if isinstance(message, Broadcast):
            hub.broadcast(message)
    server.should_exit = True


if __name__ == "__main__":
    main()
