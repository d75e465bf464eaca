"""The page's web server: the files of static/, and a WebSocket for each browser.

Threads: all of it runs on the server's event loop; `Hub.broadcast` may be called from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from kelly_live.core.actions import ACTIONS, Action
from kelly_live.core.band_roles import ROLES
from kelly_live.core.errors import ConfigError
from kelly_live.core.locks import LOCKS
from kelly_live.core.page_messages import Broadcast, PageAction
from kelly_live.core.timebase import read_clock
from kelly_live.core.token_bucket import TokenBucket
from kelly_live.core.values import EMOTIONS
from kelly_live.ui.page.access import HEADERS, Access
from kelly_live.ui.page.api import API_VERSION, ActionRequest, Hello, Refusal, encode
from kelly_live.ui.page.responses import refuse, report_missing, send_file

STATIC = Path(__file__).with_name("static")
PAGES = {"/": "index.html", "/show": "show.html", "/overlay": "overlay.html", "/plain": "plain.html"}
MAX_CLIENTS = 32
_STEERING_CLIENTS = 4  # of these, kept for browsers that may steer
MAX_REQUEST_BYTES = 1000
WAITING_MESSAGES = 64  # for one browser; past this the oldest is forgotten
ACTIONS_PER_SECOND = 30.0  # of one browser: a dragged point sends as many
SEND_SECONDS = 10.0  # a browser that takes nothing for so long is dropped
_NOT_FROM_A_PAGE = frozenset({"help", "quit"})
_POLICY_VIOLATION, _TRY_AGAIN = 1008, 1013  # of WebSocket close codes (RFC 6455)


class _Client:
    """What waits to be sent to one browser."""

    def __init__(self) -> None:
        self.waiting: deque[Broadcast] = deque(maxlen=WAITING_MESSAGES)
        self.has_news = asyncio.Event()

    def put(self, message: Broadcast) -> None:
        """Add a message; one that replaces another of its key takes its place in the queue."""
        if message.key:
            with contextlib.suppress(StopIteration):
                self.waiting.remove(next(one for one in self.waiting if one.key == message.key))
        self.waiting.append(message)
        self.has_news.set()

    async def take(self) -> bytes:
        """Wait for the next message, and return its text."""
        while not self.waiting:
            self.has_news.clear()
            await self.has_news.wait()
        return self.waiting.popleft().text


class Hub:
    """All browsers. A slow one misses messages, and is never waited for.

    `count_viewers` is told how many there are when one comes or goes.
    """

    def __init__(self, count_viewers: Callable[[int], object] = lambda count: None) -> None:
        self._count_viewers = count_viewers
        self._clients: set[_Client] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._latest: dict[str, Broadcast] = {}  # of each key, for who comes next

    def broadcast(self, message: Broadcast) -> None:
        """Send a message to every browser. Thread: any."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._put, message)

    def _put(self, message: Broadcast) -> None:
        if message.key:
            self._latest[message.key] = message
        for client in self._clients:
            client.put(message)

    def is_full(self, *, may_act: bool) -> bool:
        """Return whether there is no place for one more browser: who only looks keeps nobody from steering."""
        return len(self._clients) >= MAX_CLIENTS - (0 if may_act else _STEERING_CLIENTS)

    def add(self) -> _Client:
        """Add a browser, which gets the latest message of each key first."""
        self._loop = asyncio.get_running_loop()
        client = _Client()
        for message in self._latest.values():
            client.put(message)
        self._clients.add(client)
        self._count_viewers(len(self._clients))
        return client

    def remove(self, client: _Client) -> None:
        """Forget a browser."""
        self._clients.discard(client)
        self._count_viewers(len(self._clients))


def create_app(access: Access, hub: Hub, act: Callable[[PageAction], object]) -> Starlette:
    """Create the server's application; `act` is called with what browsers ask for."""

    async def page(request: Request) -> Response:
        if not access.is_own(request.headers):
            return refuse("this address is not the page's own; open the address that kelly-live prints")
        if (token := request.query_params.get("token")) is not None:
            if not access.may_look(token):
                return refuse("that token is not of this session; open the address that kelly-live prints")
            response: Response = RedirectResponse(request.url.path, 303, HEADERS)
            if not access.may_act(request.cookies.get(access.cookie)):  # one that may steer does not lose it by looking
                response.set_cookie(access.cookie, token, httponly=True, samesite="strict")
            return response
        if not access.may_look(request.cookies.get(access.cookie)):
            return refuse("the page needs this session's token; open the address that kelly-live prints")
        return send_file(STATIC / PAGES[request.url.path])

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if not access.is_own(request.headers) or not access.may_look(request.cookies.get(access.cookie)):
            return refuse("the page needs this session's token")
        if name not in _ASSETS:
            return report_missing()
        return send_file(STATIC / name)

    async def api(socket: WebSocket) -> None:
        token = socket.query_params.get("token") or socket.cookies.get(access.cookie)
        if not access.is_own(socket.headers) or not access.may_look(token):
            await socket.close(_POLICY_VIOLATION)
        elif hub.is_full(may_act=access.may_act(token)):
            await socket.close(_TRY_AGAIN)
        else:
            await _serve(socket, hub, act, may_act=access.may_act(token))

    routes = [Route(path, page) for path in PAGES]
    return Starlette(routes=[*routes, Route("/static/{name}", asset), WebSocketRoute("/api", api)])


async def _serve(socket: WebSocket, hub: Hub, act: Callable[[PageAction], object], *, may_act: bool) -> None:
    await socket.accept()
    actions = {name: kind.description for name, kind in ACTIONS.items() if name not in _NOT_FROM_A_PAGE}
    hello = Hello(API_VERSION, may_act, actions if may_act else {}, list(EMOTIONS), list(ROLES), list(LOCKS))
    client = hub.add()
    sender = asyncio.create_task(_send(socket, client, encode(hello)))
    try:
        bucket = TokenBucket(ACTIONS_PER_SECOND)
        while not sender.done():
            text = await socket.receive_text()
            if refusal := _read(text, bucket, act, may_act=may_act):
                client.put(Broadcast(encode(Refusal(refusal))))
    except (WebSocketDisconnect, RuntimeError, KeyError):  # KeyError: bytes came instead of text
        pass
    finally:
        hub.remove(client)
        sender.cancel()


async def _send(socket: WebSocket, client: _Client, hello: bytes) -> None:
    text = hello
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        while True:
            await asyncio.wait_for(socket.send_text(text.decode()), SEND_SECONDS)
            text = await client.take()
    with contextlib.suppress(Exception):  # it is gone already, or takes nothing
        await asyncio.wait_for(socket.close(_TRY_AGAIN), 1.0)


def _read(text: str, bucket: TokenBucket, act: Callable[[PageAction], object], *, may_act: bool) -> str | None:
    """Carry out a request, or return why not."""
    if not may_act:
        return "this page may only look; open the other address to steer"
    if len(text) > MAX_REQUEST_BYTES:
        return f"a request may have {MAX_REQUEST_BYTES} characters"
    try:
        request = msgspec.json.decode(text, type=ActionRequest)
        Action(request.name, request.value)
    except (msgspec.MsgspecError, ConfigError) as error:
        return " ".join(str(error).split())[:200]
    if request.name in _NOT_FROM_A_PAGE:
        return f"{request.name} is for the terminal"
    if request.name != "panic" and not bucket.take(read_clock()):
        return "too many actions a second; the rest is left out"
    act(PageAction(request.name, request.value))
    return None


_ASSETS = frozenset(path.name for path in STATIC.iterdir())
