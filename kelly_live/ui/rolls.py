"""Several pieces on one picture, a minute of piano roll each, coloured by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kelly_live.ui.ink import GRID, INK, PALE, png

COLOURS = {"melody": "#009E73", "chords": "#56B4E9", "bass": "#D55E00", "percussion": "#8C8C8C", "piano": "#CC79A7"}
COLUMNS = 2


@dataclass(frozen=True, slots=True)
class Roll:
    """A piece as a piano roll.

    `notes`: (start, end in seconds, MIDI pitch, velocity, part); parts that COLOURS lacks get the piano's colour.
    """

    title: str
    caption: str
    notes: tuple[tuple[float, float, int, int, str], ...]
    seconds: float


def draw_rolls(rolls: Sequence[Roll], title: str) -> bytes:
    """A PNG; the same pieces always give the same bytes."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(rolls) // COLUMNS)
    style: dict[Any, Any] = {"font.family": "DejaVu Sans", "font.size": 7.0, "text.color": INK, "axes.edgecolor": GRID}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(13.0, 0.6 + 1.9 * rows), dpi=100)
        FigureCanvasAgg(figure)
        height = figure.get_figheight()
        figure.text(0.01, 1.0 - 0.22 / height, title, size=11, weight="bold", va="center")
        for place, (part, colour) in enumerate(COLOURS.items()):
            figure.text(0.55 + 0.09 * place, 1.0 - 0.22 / height, f"■ {part}", color=colour, size=9, va="center")
        grid = figure.add_gridspec(
            rows, COLUMNS, left=0.03, right=0.99, top=1.0 - 0.7 / height, bottom=0.3 / height, hspace=0.35, wspace=0.06
        )
        for number, roll in enumerate(rolls):
            axis = figure.add_subplot(grid[divmod(number, COLUMNS)])
            axis.set_title(roll.title, size=8.5, weight="bold", loc="left", pad=3)
            axis.set_title(roll.caption, size=7, color=PALE, loc="right", pad=3)
            for start, end, pitch, velocity, part in roll.notes:
                axis.hlines(
                    pitch, start, max(end, start + 0.05), color=COLOURS.get(part, COLOURS["piano"]), linewidth=1.6,
                    alpha=0.25 + 0.75 * velocity / 127.0,
                )  # fmt: skip
            axis.set_xlim(0.0, roll.seconds)
            axis.set_ylim(24, 96)
            axis.set_yticks([36, 48, 60, 72, 84], ["C2", "C3", "C4", "C5", "C6"])
            axis.tick_params(colors=PALE, length=0)
            axis.grid(axis="y", color=GRID, linewidth=0.6)
            for side in ("top", "right", "left"):
                axis.spines[side].set_visible(False)
        return png(figure, smallest=True)
