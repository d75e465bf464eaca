"""The 95 % interval of a share, wherever answers are counted."""

from __future__ import annotations

import math

_Z = 1.959964


def wilson(right: int, n: int) -> tuple[float, float]:
    """The interval of `right` out of `n` (n over 0), within 0 and 1 (Wilson 1927)."""
    middle = (right + _Z * _Z / 2.0) / (n + _Z * _Z)
    reach = _Z / (n + _Z * _Z) * math.sqrt(right * (n - right) / n + _Z * _Z / 4.0)
    # Where all or none are right that end is exactly 1 or 0, which rounding would miss.
    return (middle - reach if right > 0 else 0.0), (middle + reach if right < n else 1.0)
