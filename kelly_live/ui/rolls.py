"""Several pieces on one picture, a piano roll each: coloured by part, drums in a strip below, phrases marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kelly_live.ui.ink import GRID, INK, PALE, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"melody": "#009E73", "chords": "#56B4E9", "bass": "#D55E00", "percussion": "#8C8C8C", "piano": "#CC79A7"}
PLAYER = "player"  # the part whose notes a band plays to: broad and pale, under all others
_WIDTH, _ROW = 13.0, 1.75  # inches
_ONE_COLUMN = 8  # pieces; of more there are two in a row
_LOWEST, _HIGHEST = 12.0, 98.0  # MIDI pitches that are shown; the drums lie below _DRUMS_TOP
_DRUMS_TOP, _DRUM_KEYS = 23.0, (35, 81)


@dataclass(frozen=True, slots=True)
class Roll:
    """A piece as a piano roll.

    `notes`: (start, end in seconds, MIDI pitch, velocity, part); parts that COLOURS lacks get the piano's colour.
    `marks`: the seconds at which phrases begin, and the name of the section that begins there, or "".
    """

    title: str
    caption: str
    notes: tuple[tuple[float, float, int, int, str], ...]
    seconds: float
    marks: tuple[tuple[float, str], ...] = ()


def draw_rolls(rolls: Sequence[Roll]) -> bytes:
    """A PNG, two in a row where there are many; the same pieces always give the same bytes."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 1 if len(rolls) <= _ONE_COLUMN else 2
    rows = -(-len(rolls) // columns)
    style: dict[Any, Any] = {"font.family": "DejaVu Sans", "font.size": 7.0, "text.color": INK, "axes.edgecolor": GRID}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(_WIDTH, 0.5 + _ROW * rows), dpi=100)
        FigureCanvasAgg(figure)
        height = figure.get_figheight()
        has_player = any(part == PLAYER for roll in rolls for *_, part in roll.notes)
        legend = COLOURS | ({PLAYER: INK} if has_player else {})
        for place, (part, colour) in enumerate(legend.items()):
            figure.text(0.03 + 0.09 * place, 1.0 - 0.14 / height, f"■ {part}", color=colour, size=8, va="center")
        figure.text(0.99, 1.0 - 0.14 / height, "lines: phrases", color=PALE, size=8, va="center", ha="right")
        grid = figure.add_gridspec(
            rows,
            columns,
            left=0.03,
            right=0.99,
            top=1.0 - 0.45 / height,
            bottom=0.22 / height,
            hspace=0.32,
            wspace=0.06,
        )
        for number, roll in enumerate(rolls):
            _draw_roll(figure.add_subplot(grid[divmod(number, columns)]), roll)
        return png(figure, smallest=True)


def _draw_roll(axis: Axes, roll: Roll) -> None:
    axis.set_title(roll.title, size=8.5, weight="bold", loc="left", pad=3)
    axis.set_title(roll.caption, size=7, color=PALE, loc="right", pad=3)
    for seconds, section in roll.marks:
        axis.axvline(seconds, color=PALE if section else GRID, linewidth=0.9 if section else 0.6, zorder=0)
        if section:
            axis.text(seconds, _HIGHEST, f" {section}", size=6, color=PALE, va="top", clip_on=True)
    for start, end, pitch, velocity, part in roll.notes:
        alpha = 0.25 + 0.75 * velocity / 127.0
        if part == "percussion":
            low, high = _DRUM_KEYS
            share = (min(high, max(low, pitch)) - low) / (high - low)
            height = _LOWEST + 1.0 + share * (_DRUMS_TOP - _LOWEST - 1.0)
            axis.plot(start, height, ".", color=COLOURS[part], markersize=3.6, markeredgewidth=0, alpha=alpha)
        elif part == PLAYER:
            axis.hlines(pitch, start, max(end, start + 0.05), color=INK, linewidth=4.2, alpha=0.4 * alpha, zorder=1)
        else:
            colour = COLOURS.get(part, COLOURS["piano"])
            axis.hlines(pitch, start, max(end, start + 0.05), color=colour, linewidth=1.7, alpha=alpha)
    axis.set_xlim(0.0, roll.seconds)
    axis.set_ylim(_LOWEST, _HIGHEST)
    axis.set_yticks([36, 48, 60, 72, 84], ["C2", "C3", "C4", "C5", "C6"])
    axis.tick_params(colors=PALE, length=0)
    axis.grid(axis="y", color=GRID, linewidth=0.6)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
