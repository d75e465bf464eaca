"""Who may open a local page: tokens, and the Host and Origin of a request."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

_SCHEMES = ("http", "https")
# Of every answer: nothing is taken from elsewhere, kept, or shown inside another page.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Access:
    """The tokens of a session and the names that the page is reached by ("127.0.0.1:8808").

    `cookie`: its name has the port, since browsers share cookies between ports: sessions side by side keep theirs.
    """

    token: str
    watch_token: str
    hosts: frozenset[str]
    cookie: str

    def may_look(self, token: str | None) -> bool:
        """Return whether a token opens the page."""
        return self.may_act(token) or _is_same(token, self.watch_token)

    def may_act(self, token: str | None) -> bool:
        """Return whether a token may steer."""
        return _is_same(token, self.token)

    def is_own(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request is for this page and comes from it, or from no page at all.

        Another Host is a name that was made to lead here (DNS rebinding); another Origin is another site's page.
        """
        if headers.get("host", "") not in self.hosts:
            return False
        origin = headers.get("origin")
        scheme, _, host = (origin or "").partition("://")
        return origin is None or (scheme in _SCHEMES and host in self.hosts)


def _is_same(given: str | None, expected: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode(), expected.encode())
