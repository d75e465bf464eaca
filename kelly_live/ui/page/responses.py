"""Answers of a local page's web server."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import FileResponse, PlainTextResponse, Response

from kelly_live.ui.page.access import HEADERS

_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def send_file(path: Path) -> Response:
    """Return a file of the page."""
    return FileResponse(path, headers=HEADERS, media_type=_TYPES[path.suffix])


def refuse(reason: str) -> Response:
    """Return that this may not be seen, and why, in a line."""
    return PlainTextResponse(reason, 403, HEADERS)


def report_missing() -> Response:
    """Return that there is no such thing."""
    return PlainTextResponse("not found", 404, HEADERS)
