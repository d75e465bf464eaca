"""Addresses of OSC senders and receivers: PORT on this machine, or HOST:PORT."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple

from kelly_live.core.errors import ConfigError, OptionError
from kelly_live.core.numbers import parse_whole_number

LOOPBACK = "127.0.0.1"


class OscAddress(NamedTuple):
    """A UDP address by number, so that nothing has to be looked up later."""

    family: socket.AddressFamily
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether it is reached from this machine only."""
        return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def resolve_address(text: str) -> OscAddress:
    """Read `9000`, `192.168.1.20:9000`, `lights.local:9000` or `[::1]:9000`.

    May ask a name server. Raises OptionError for text that is no address, ConfigError for a host that is not found.
    """
    host, colon, number = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else LOOPBACK
    port = parse_whole_number(number) or 0
    if not host or not 1 <= port <= 65535:
        raise OptionError(f"{text[:60]!r} is no OSC address; write PORT or HOST:PORT with a port in 1..65535")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"no machine is called {host[:60]!r} ({error}); give its number, like 192.168.1.20"
        ) from error
    return OscAddress(family, str(address[0]), int(address[1]))
