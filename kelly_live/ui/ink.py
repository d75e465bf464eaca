"""What every picture shares: its inks, and how it becomes a PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, PALE, GRID = "#24292F", "#6E7781", "#E4E7EB"


def png(figure: Figure, *, smallest: bool = False) -> bytes:
    """The same figure always gives the same bytes; `smallest` looks longer for the shortest ones."""
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True} if smallest else None)
    return data.getvalue()
