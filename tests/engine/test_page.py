"""The page's server as a program meets it: who may look, who may act, and what a slow or hostile one gets."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from kelly_live.core.actions import Action
from kelly_live.core.values import NoteEvent
from kelly_live.engine.coming_bars import ComingBars
from kelly_live.engine.options.page import PageOptions
from kelly_live.engine.page import Page, PageError
from tests.workers.until import wait_until

websockets = pytest.importorskip("websockets.sync.client")
from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    page = Page(PageOptions(is_shown=True, port=0))
    page.open()
    yield page
    page.close()


def get_links(page: Page) -> tuple[str, str]:
    """Return the address that may steer, and the one that may only look."""
    steer, look = (line.partition(": ")[2] for line in page.describe()[:2])
    return steer, look


def get_token(link: str) -> str:
    return parse_qs(urlsplit(link).query)["token"][0]


def get(page: Page, path: str, **headers: str) -> http.client.HTTPResponse:
    address = urlsplit(get_links(page)[0]).netloc
    with closing(http.client.HTTPConnection(address, timeout=10.0)) as connection:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.read()
        return response


def open_link(page: Page, link: str, **headers: str) -> str | None:
    """Follow an address that is printed, and return the cookie that it gives."""
    address = urlsplit(link)
    response = get(page, f"{address.path}?{address.query}", **headers)
    assert response.status == 303
    cookie = response.headers["set-cookie"]
    return None if cookie is None else str(cookie.partition(";")[0])


def look_only_cookie(page: Page) -> str:
    cookie = open_link(page, get_links(page)[1])
    assert cookie is not None
    return cookie


def connect(page: Page, token: str | None = None, **options: object) -> websockets.ClientConnection:
    link = urlsplit(get_links(page)[0])
    query = "" if token is None else f"?token={token}"
    return websockets.connect(f"ws://{link.netloc}/api{query}", close_timeout=0.2, **options)


def receive(client: websockets.ClientConnection, kind: str) -> dict[str, object]:
    """Return the next message of a kind."""
    while True:
        message = json.loads(client.recv(timeout=10.0))
        if message["type"] == kind:
            return dict(message)


def act(client: websockets.ClientConnection, name: str, value: object = None) -> None:
    client.send(json.dumps({"type": "action", "name": name, "value": value}))


def drain(page: Page, count: int = 1) -> list[Action]:
    actions: list[Action] = []
    wait_until(lambda: bool(actions.extend(page.poll()) or len(actions) >= count))
    return actions


def test_the_link_opens_the_page_and_its_token_leaves_the_address(page: Page) -> None:
    link = urlsplit(get_links(page)[0])
    assert link.hostname == "127.0.0.1"
    response = get(page, f"{link.path}?{link.query}")
    assert (response.status, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    cookie = cookie.partition(";")[0]
    for path in ("/", "/show", "/overlay", "/plain", "/static/page.js", "/static/page.css"):
        assert get(page, path, Cookie=cookie).status == 200
    assert get(page, "/static/..%2Fserver.py", Cookie=cookie).status == 404


@pytest.mark.parametrize("path", ["/", "/show", "/plain", "/static/page.js", "/?token=guess"])
def test_nothing_is_served_without_the_token(page: Page, path: str) -> None:
    assert get(page, path).status == 403


def test_who_may_steer_still_may_after_looking_at_the_audience_view(page: Page) -> None:
    steer, look = get_links(page)
    may_steer = open_link(page, steer)
    assert may_steer is not None
    assert open_link(page, look, Cookie=may_steer) is None  # the browser keeps the one it has
    assert open_link(page, steer, Cookie=look_only_cookie(page)) == may_steer


def test_two_sessions_side_by_side_keep_their_own_cookies(page: Page) -> None:
    """Browsers share the cookies of a host between its ports."""
    other = Page(PageOptions(is_shown=True, port=0))
    other.open()
    try:
        cookies = "; ".join(str(open_link(one, get_links(one)[0])) for one in (page, other))
        assert [get(one, "/", Cookie=cookies).status for one in (page, other)] == [200, 200]
    finally:
        other.close()


def test_the_address_for_a_tablet_is_one_that_the_page_answers_to() -> None:
    from kelly_live.ui.page.process import list_hosts

    page = Page(PageOptions(is_shown=True, host="0.0.0.0", port=0))
    page.open()
    try:
        link = urlsplit(get_links(page)[0])
        assert link.netloc in list_hosts("0.0.0.0", link.port or 0)
        assert open_link(page, get_links(page)[0]) is not None
    finally:
        page.close()


def test_a_port_that_browsers_leave_out_is_known() -> None:
    from kelly_live.ui.page.process import list_hosts

    assert {"localhost", "localhost:80"} <= list_hosts("127.0.0.1", 80)
    assert "localhost" not in list_hosts("127.0.0.1", 8808)


def test_a_request_that_never_ends_is_dropped_and_a_socket_stays() -> None:
    """Else some hundred half-sent requests would shut everybody out."""
    import asyncio

    import uvicorn
    from uvicorn.server import ServerState
    from websockets.asyncio.client import connect as connect_async

    from kelly_live.core.page_messages import Broadcast
    from kelly_live.ui.page.access import Access
    from kelly_live.ui.page.process import PatientProtocol, list_hosts
    from kelly_live.ui.page.server import Hub, create_app

    class Impatient(PatientProtocol):
        life_seconds = 0.2

    async def meet() -> tuple[bytes, str]:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        hub = Hub()
        app = create_app(Access("steer", "look", list_hosts("127.0.0.1", port), "cookie"), hub, lambda action: None)
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="websockets-sansio")
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Impatient(config, ServerState(), {}), sock=listener)
        async with server, connect_async(f"ws://127.0.0.1:{port}/api?token=look") as client:
            assert "hello" in str(await client.recv())
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
            answer = await asyncio.wait_for(reader.read(), 10.0)
            writer.close()
            hub.broadcast(Broadcast(b"still here"))
            return answer, str(await asyncio.wait_for(client.recv(), 10.0))

    assert asyncio.run(meet()) == (b"", "still here")


def test_who_only_looks_keeps_nobody_from_steering(page: Page) -> None:
    from contextlib import ExitStack

    steer, look = (get_token(link) for link in get_links(page))
    with ExitStack() as stack:
        refused = 0
        for _ in range(40):
            try:
                stack.enter_context(connect(page, look))
            except InvalidStatus:
                refused += 1
        assert refused > 0
        receive(stack.enter_context(connect(page, steer)), "hello")


def test_a_lost_page_is_said_until_it_serves_again(page: Page) -> None:
    from tests.engine.test_actions import SNAPSHOT

    before = list_page_processes()
    other = Page(PageOptions(is_shown=True, port=0))
    other.open()
    try:
        assert other.problem is None
        (process_id,) = list_page_processes() - before
        os.kill(process_id, signal.SIGKILL)
        wait_until(lambda: bool(other.show(SNAPSHOT) or other.problem))
        assert "the page ended by itself" in str(other.problem)
        wait_until(lambda: bool(other.show(SNAPSHOT) or other.problem is None))
        assert get(other, "/").status == 403
    finally:
        other.close()


def list_page_processes() -> set[int]:
    command = ["pgrep", "-P", str(os.getpid()), "-f", "kelly_live.ui.page.process"]
    return set(map(int, subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()))


def test_another_name_for_the_host_is_refused(page: Page) -> None:
    """As a site does that lets its own name lead to 127.0.0.1 (DNS rebinding)."""
    assert get(page, f"/?token={get_token(get_links(page)[0])}", Host="evil.example").status == 403


def test_nothing_of_the_page_may_be_framed_or_kept(page: Page) -> None:
    response = get(page, "/show", Cookie=look_only_cookie(page))
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"


def test_who_connects_hears_what_may_be_done_and_does_it(page: Page) -> None:
    with connect(page, get_token(get_links(page)[0])) as client:
        hello = receive(client, "hello")
        assert (hello["version"], hello["may_act"]) == (1, True)
        assert "panic" in hello["actions"]  # type: ignore[operator]
        act(client, "valence", 0.5)
        act(client, "morph", "sad")
        act(client, "freeze")
        assert drain(page, 3) == [Action("valence", 0.5), Action("morph", "sad"), Action("freeze")]


def test_who_looks_gets_the_coming_notes_and_later_ones_replace_them(page: Page) -> None:
    from dataclasses import replace

    from tests.engine.test_actions import SNAPSHOT

    note = NoteEvent(8.5, 0.5, 60, 80, 1, "melody")
    wait_until(lambda: not page.has_viewers)
    with connect(page, get_token(get_links(page)[1])) as client:
        wait_until(lambda: page.has_viewers)
        page.show(replace(SNAPSHOT, coming=ComingBars(4.0, 12.0, (note,), ((4.0, "C"),))))
        assert receive(client, "coming") == {
            "type": "coming",
            "start_beat": 4.0,
            "end_beat": 12.0,
            "notes": [[8.5, 0.5, 60, 80, "melody"]],
            "chords": [[4.0, "C"]],
        }
        page.show(SNAPSHOT)
        assert receive(client, "coming")["notes"] == []
    wait_until(lambda: not page.has_viewers)


def test_who_may_only_look_can_do_nothing(page: Page) -> None:
    with connect(page, get_token(get_links(page)[1])) as client:
        hello = receive(client, "hello")
        assert (hello["may_act"], hello["actions"]) == (False, {})
        act(client, "panic")
        assert "may only look" in str(receive(client, "refusal")["text"])
    assert list(page.poll()) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"type": "action", "name": "valence", "value": 7}', "it takes a number from -1 to 1"),
        ('{"type": "action", "name": "valence"}', "lacks its value"),
        ('{"type": "action", "name": "format-disk"}', "no action is called"),
        ('{"type": "action", "name": "quit"}', "quit is for the terminal"),
        ('{"type": "action", "name": "panic", "more": 1}', "unknown field"),
        ('{"name": "panic"', "truncated"),
        ("[[[[", "Expected"),
        ('{"type": "action", "name": "' + "x" * 2000 + '"}', "1000 characters"),
    ],
)
def test_what_is_no_request_is_refused_with_its_reason(page: Page, text: str, reason: str) -> None:
    with connect(page, get_token(get_links(page)[0])) as client:
        client.send(text)
        assert reason in str(receive(client, "refusal")["text"])
    assert list(page.poll()) == []


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://["])
def test_another_sites_page_is_refused(page: Page, origin: str) -> None:
    with pytest.raises(InvalidStatus):
        connect(page, get_token(get_links(page)[0]), origin=origin)


def test_a_socket_needs_the_token(page: Page) -> None:
    for token in (None, "guess"):
        with pytest.raises(InvalidStatus):
            connect(page, token)


def test_a_flood_is_thinned_out_but_panic_passes(page: Page) -> None:
    with connect(page, get_token(get_links(page)[0])) as client:
        for _ in range(200):
            act(client, "nudge-valence", 0.1)
        act(client, "panic")
        actions: list[Action] = []
        wait_until(lambda: bool(actions.extend(page.poll()) or Action("panic") in actions))
    assert len(actions) < 150


def test_a_message_that_is_too_long_ends_its_connection_alone(page: Page) -> None:
    with (
        connect(page, get_token(get_links(page)[0])) as hostile,
        connect(page, get_token(get_links(page)[0])) as client,
    ):
        hostile.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            receive(hostile, "nothing")
        act(client, "freeze")
        assert drain(page) == [Action("freeze")]


def test_a_browser_that_reads_nothing_holds_nobody_up(page: Page) -> None:
    token = get_token(get_links(page)[0])
    link = urlsplit(get_links(page)[0])
    with closing(socket.create_connection((link.hostname, link.port))) as deaf, connect(page, token) as client:
        deaf.sendall(
            f"GET /api?token={token} HTTP/1.1\r\nHost: {link.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        for number in range(2000):
            page.say(f"{number} " + "x" * 2000)
            if number % 20 == 0:
                time.sleep(0.001)  # the parent's outbox is bounded, and drops

        def hears_the_last() -> bool:
            for _ in range(20):
                page.say("the last line")
            return any("the last line" in str(receive(client, "line")["text"]) for _ in range(20))

        wait_until(hears_the_last)


def test_a_port_that_is_taken_is_one_line() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PageError, match=f"cannot serve the page on 127.0.0.1:{port} .* give another --ui-port"):
            Page(PageOptions(is_shown=True, port=port)).open()


def test_a_host_that_is_not_this_machine_is_one_line() -> None:
    with pytest.raises(PageError, match=r"cannot serve the page on 203\.0\.113\.9:0 .* --ui-host takes"):
        Page(PageOptions(is_shown=True, host="203.0.113.9", port=0)).open()


def test_the_tokens_are_not_on_a_command_line(page: Page) -> None:
    from pathlib import Path

    tokens = [get_token(link).encode() for link in get_links(page)]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:  # it has ended
            continue
        assert not any(token in line for token in tokens)


def test_a_state_says_what_is_locked_mixed_and_heard() -> None:
    from kelly_live.core.protocols import EmotionOverride
    from kelly_live.core.sync_state import BeatEstimate, KeyEstimate, SyncState
    from kelly_live.engine.page_state import build_state
    from kelly_live.music.mixer import MixerStrip
    from tests.engine.test_actions import SNAPSHOT
    from tests.fakes import parameters

    music = replace(
        SNAPSHOT.conductor,
        parameters=parameters(97.0, "dorian"),
        locks=("tempo",),
        strips=(MixerStrip("bass", is_muted=True, level=0.5, is_heard=False),),
    )
    sync = SyncState(BeatEstimate(0.0, 101.0, 0.8), KeyEstimate(9, "aeolian", 0.7))
    state = build_state(replace(SNAPSHOT, conductor=music, sync=sync), EmotionOverride(), "", {"the analysis": 2})
    assert state.now is not None
    assert (state.now.tempo, state.now.mode, state.parameters.mode) == (97.0, "dorian", "ionian")
    assert state.locks == ["tempo"]
    assert [(one.part, one.mute, one.solo, one.level, one.heard) for one in state.mixer] == [
        ("bass", True, False, 0.5, False)
    ]
    assert state.hearing is not None
    assert (state.hearing.bpm, state.hearing.key, state.hearing.chord) == (101.0, "A aeolian", None)
    assert state.health.restarts == {"the analysis": 2}
    assert state.word == ""
    assert build_state(replace(SNAPSHOT, word="lonely"), EmotionOverride(), "").word == "lonely"
    assert state.gems == {}
    heard = replace(SNAPSHOT.reading.state, gems=(("tension", 0.25),))
    assert build_state(replace(SNAPSHOT, read=heard), EmotionOverride(), "").gems == {"tension": 0.25}
