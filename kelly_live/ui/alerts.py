"""Report each part that fails and each that works again, once. Pure; thread: the caller's."""

from __future__ import annotations

from collections.abc import Mapping


class Alerts:
    """Remembers which parts have failed. A part is what the caller names: an input, a port, a recording."""

    def __init__(self) -> None:
        self._failing: dict[str, str] = {}

    def news(self, troubles: Mapping[str, str | None]) -> list[str]:
        """Return a line for each failure that began or ended since the last call.

        `troubles`: each part and its failure in a line, None while it works. A failure whose words change (a count that
        goes on) is not new.
        """
        now = {part: trouble for part, trouble in troubles.items() if trouble is not None}
        lines = [trouble for part, trouble in now.items() if part not in self._failing]
        lines += [f"{part}: back" for part in self._failing if part not in now]
        self._failing = now
        return lines
