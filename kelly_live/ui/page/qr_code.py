"""An address as a QR code in a terminal, two rows of squares a line."""

from __future__ import annotations

import segno

_BORDER = 2  # the light rim that scanners need
# (upper, lower) square, dark or not. Light squares are drawn, as terminals are dark as a rule; scanners read both.
_BLOCKS = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}


def draw_qr_code(text: str) -> list[str]:
    """Return the lines of a QR code."""
    rows = [[bool(square) for square in row] for row in segno.make_qr(text).matrix_iter(border=_BORDER)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return [
        "".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
