"""Report what fails and works again, once, and what is lost, now and then. Thread: the caller's."""

from __future__ import annotations

import math
from collections.abc import Mapping

LOSS_SECONDS = 10.0  # between two lines about what one part has lost


class Alerts:
    """Remembers which parts have failed. A part is what the caller names: an input, a port, a recording."""

    def __init__(self) -> None:
        self._failing: dict[str, str] = {}
        self.recoveries: Mapping[str, int] = {}  # by part, how often it came back; replaced whole: others read it

    def news(self, troubles: Mapping[str, str | None]) -> list[str]:
        """Return a line for each failure that began or ended since the last call.

        `troubles`: each part and its failure in a line, None while it works. A failure whose words change (a count that
        goes on) is not new.
        """
        now = {part: trouble for part, trouble in troubles.items() if trouble is not None}
        lines = [trouble for part, trouble in now.items() if part not in self._failing]
        back = [part for part in self._failing if part not in now]
        if back:
            self.recoveries = {**self.recoveries, **{part: self.recoveries.get(part, 0) + 1 for part in back}}
        lines += [f"{part}: back" for part in back]
        self._failing = now
        return lines


class LossAlerts:
    """Remembers how much each part had lost when that was last told."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._said_at: dict[str, float] = {}

    def news(self, now: float, losses: Mapping[str, tuple[int, str]]) -> list[str]:
        """Return the line of each part that has lost more, if its last one was LOSS_SECONDS ago.

        `losses`: each part's count so far, and a line that says so.
        """
        lines = []
        for part, (count, line) in losses.items():
            is_due = now - self._said_at.get(part, -math.inf) >= LOSS_SECONDS
            if count > self._counts.get(part, 0) and is_due:
                self._counts[part], self._said_at[part] = count, now
                lines.append(line)
        return lines
