"""Whether the session is shown on a page, and where."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.errors import ConfigError
from kelly_live.core.own_address import find_own_address
from kelly_live.engine.options.metadata import check_options, option

DEFAULT_PORT = 8808
_EVERYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class PageOptions:
    """A page in a browser. `host`: the address that it is served on; `port` 0: any free one. Raises ConfigError."""

    is_shown: bool = option(
        "--ui", kind=bool, default=False, help="Show the session on a page in your browser, and steer it there."
    )
    host: str = option(
        "--ui-host",
        metavar="ADDRESS",
        default="127.0.0.1",
        default_note=None,
        help="The address that the page is served on: 0.0.0.0 for a tablet in the room.",
    )
    port: int = option(
        "--ui-port",
        kind=int,
        default=DEFAULT_PORT,
        minimum=0,
        maximum=65535,
        default_note=None,
        help="The page's port; 0: any free one.",
    )

    def __post_init__(self) -> None:
        check_options(self)
        if not self.host.strip():
            raise ConfigError("--ui-host is empty; give an address, as 127.0.0.1 or 0.0.0.0")

    @property
    def is_for_others(self) -> bool:
        """Whether other machines can reach the page."""
        return self.host not in ("127.0.0.1", "localhost", "::1")

    @property
    def shown_host(self) -> str:
        """The host as an address has it; for every address, this machine's own: a tablet may not know its name."""
        if self.host in _EVERYWHERE:
            import socket

            return find_own_address() or socket.gethostname()
        return f"[{self.host}]" if ":" in self.host else self.host
