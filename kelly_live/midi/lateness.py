"""A bounded record of how late messages left: a histogram with logarithmic bins, and its quantiles."""

from __future__ import annotations

import math

LATE_SECONDS = 0.005  # sent later than this counts as late: about where a listener starts to notice
_FLOOR_SECONDS = 1e-6
_BINS_PER_DECADE = 20  # a bin's upper edge is 12 % over its lower one
_DECADES = 7  # 1 µs to 10 s


class LatenessRecord:
    """Counts of lateness in seconds, 1 µs to 10 s; below and above fall in the first and the last bin."""

    def __init__(self) -> None:
        self._counts = [0] * (_BINS_PER_DECADE * _DECADES + 1)
        self.total = 0
        self.late_count = 0  # over LATE_SECONDS
        self.worst_seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one message that left this late."""
        place = 0
        if seconds > _FLOOR_SECONDS:
            place = min(len(self._counts) - 1, math.ceil(math.log10(seconds / _FLOOR_SECONDS) * _BINS_PER_DECADE))
        self._counts[place] += 1
        self.total += 1
        self.late_count += seconds > LATE_SECONDS
        self.worst_seconds = max(self.worst_seconds, seconds)

    def quantile(self, share: float) -> float:
        """Return the lateness (s) that `share` (0-1) of the messages did not exceed; 0 without messages.

        It is the upper edge of a bin, so up to 12 % too high.
        """
        if self.total == 0:
            return 0.0
        rank = share * self.total
        running = 0
        for place, count in enumerate(self._counts):
            running += count
            if running >= rank and running > 0:
                upper_edge = _FLOOR_SECONDS * math.pow(10.0, place / _BINS_PER_DECADE)
                return min(self.worst_seconds, upper_edge)
        return self.worst_seconds
