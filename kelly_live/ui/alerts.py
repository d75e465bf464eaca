"""What is lost and what came back, each told once. Pure; thread: the caller's."""

from __future__ import annotations

from collections.abc import Mapping


class Alerts:
    """Remembers which parts are in trouble. A part is whatever the caller names: an input, a port, a recording."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def news(self, troubles: Mapping[str, str | None]) -> list[str]:
        """`troubles`: each part and its trouble in a line, None while it is well. Lines for what began and what ended
        since the last call; a trouble whose words change (a count that goes on) is no news.
        """
        now = {part: trouble for part, trouble in troubles.items() if trouble is not None}
        lines = [trouble for part, trouble in now.items() if part not in self._told]
        lines += [f"{part}: back" for part in self._told if part not in now]
        self._told = now
        return lines
