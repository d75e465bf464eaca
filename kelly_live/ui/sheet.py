"""All traditions in one picture: eight bars of each as a piano roll, and its scale degrees.

The roll is in cents; the degrees are drawn as measured in the corpus and as played.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kelly_live.ui.ink import GRID, INK, PALE, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MELODY, _OTHERS, _DRUMS = "#009E73", "#9DC3E0", "#8C8C8C"
_COLUMNS, _OCTAVE = 4, 1200.0


@dataclass(frozen=True, slots=True)
class Panel:
    """A tradition's notes and scale degrees.

    `notes`: (start in beats, length, cents above the tonic, part); the cents of percussion mean nothing. `degrees`:
    cents above the tonic. `corpus_shares` (() if nothing was counted) and `played_shares`: the
    degrees' shares of the melody's time.
    """

    title: str
    caption: str
    notes: tuple[tuple[float, float, float, str], ...]
    beats: float
    bar_beats: int
    degrees: tuple[float, ...]
    corpus_shares: tuple[float, ...]
    played_shares: tuple[float, ...]


def draw_sheet(panels: Sequence[Panel], title: str) -> bytes:
    """A PNG; the same panels always give the same bytes."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(panels) // _COLUMNS)
    style: dict[Any, Any] = {
        "font.family": "DejaVu Sans",
        "font.size": 7.0,
        "text.color": INK,
        "axes.edgecolor": GRID,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(13.0, 0.6 + 1.75 * rows), dpi=110)
        FigureCanvasAgg(figure)
        height = figure.get_figheight()
        grid = figure.add_gridspec(
            rows, _COLUMNS, left=0.01, right=0.995, top=1.0 - 0.75 / height, bottom=0.12 / height, hspace=0.34,
            wspace=0.05,
        )  # fmt: skip
        figure.text(0.01, 1.0 - 0.22 / height, title, size=11, weight="bold", va="center")
        figure.text(
            0.01, 1.0 - 0.42 / height, "eight bars: melody green, what goes with it blue, drums below; lines are "
            "tonics. Right: how long each degree sounds, measured in the corpus (grey) and played (green)",
            size=8, color=PALE, va="center",
        )  # fmt: skip
        for number, panel in enumerate(panels):
            cell = grid[divmod(number, _COLUMNS)].subgridspec(1, 2, width_ratios=(3.4, 1.0), wspace=0.03)
            _roll(figure.add_subplot(cell[0]), panel)
            _degrees(figure.add_subplot(cell[1]), panel)
        return png(figure, smallest=True)


def _bare(axis: Axes) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def _roll(axis: Axes, panel: Panel) -> None:
    _bare(axis)
    axis.set_title(panel.title, size=8, weight="bold", loc="left", pad=2.5)
    axis.set_title(panel.caption, size=6.5, color=PALE, loc="right", pad=2.5)
    pitched_notes = [note for note in panel.notes if note[3] != "percussion"]
    cents = [note[2] for note in pitched_notes] or [0.0, _OCTAVE]
    low, high = min(cents) - 150.0, max(cents) + 150.0
    drum_height = low - 0.08 * (high - low)
    for tonic in range(int(low // _OCTAVE) + 1, int(high // _OCTAVE) + 1):
        axis.axhline(tonic * _OCTAVE, color=GRID, linewidth=0.9, zorder=0)
    for bar in range(0, int(panel.beats) + 1, panel.bar_beats):
        axis.axvline(bar, color=GRID, linewidth=0.6, zorder=0)
    for name, colour in (("others", _OTHERS), ("melody", _MELODY)):
        voice_notes = [note for note in pitched_notes if (note[3] == "melody") == (name == "melody")]
        axis.hlines(
            [note[2] for note in voice_notes], [note[0] for note in voice_notes],
            [note[0] + note[1] for note in voice_notes],
            color=colour, linewidth=1.9, zorder=2 + (name == "melody"),
        )  # fmt: skip
    drums = [note[0] for note in panel.notes if note[3] == "percussion"]
    axis.plot(drums, [drum_height] * len(drums), "|", color=_DRUMS, markersize=3.5, markeredgewidth=0.7)
    axis.set_xlim(-0.3, panel.beats)
    axis.set_ylim(drum_height - 0.06 * (high - low), high)


def _degrees(axis: Axes, panel: Panel) -> None:
    _bare(axis)
    if not panel.degrees:
        axis.text(0.5, 0.5, "no scale\nwas measured", transform=axis.transAxes, ha="center", va="center", color=PALE)
        axis.spines["bottom"].set_visible(False)
        return
    axis.bar([at - 20.0 for at in panel.degrees], panel.played_shares, width=40.0, color=_MELODY)
    if panel.corpus_shares:
        axis.bar([at + 20.0 for at in panel.degrees], panel.corpus_shares, width=40.0, color="#A8AFB8")
    axis.set_xlim(-60.0, _OCTAVE + 45.0)
    axis.set_ylim(0.0, 1.08 * max(*panel.played_shares, *panel.corpus_shares, 0.1))
