"""What a session and its page process say to each other. What browsers see is in `kelly_live.ui.page.api`."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class ServePage(msgspec.Struct, frozen=True, tag=True):
    """Serve on this address. `token` may steer, `watch_token` may only look; neither is on the command line."""

    host: str
    port: int
    token: str
    watch_token: str


class Broadcast(msgspec.Struct, frozen=True, tag=True):
    """Send this JSON text to every browser. `key`: a later one of the same key replaces it; empty: none is left out."""

    text: bytes
    key: str = ""


class PageOpened(msgspec.Struct, frozen=True, tag=True):
    """The page is served on this port."""

    port: int


class PageFailed(msgspec.Struct, frozen=True, tag=True):
    """The page can't be served; one line."""

    message: str


class PageViewers(msgspec.Struct, frozen=True, tag=True):
    """So many browsers and programs are connected now."""

    count: int


class PageAction(msgspec.Struct, frozen=True, tag=True):
    """A browser asks for an action: a name of ACTIONS, and its value."""

    name: str
    value: float | str | bool | None = None


ToPage: TypeAlias = ServePage | Broadcast
FromPage: TypeAlias = PageOpened | PageFailed | PageViewers | PageAction
