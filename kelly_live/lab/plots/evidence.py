"""Pictures of the nets' evaluation: confusion matrices, calibration, and trajectories over time.

Each function takes plain values and gives PNG bytes, the same for the same values (see `ui/plot.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from kelly_live.ui.ink import GRID, INK, PALE, png
from kelly_live.ui.plot import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

BINS = 10
COLUMNS = 3
_VALENCE, _AROUSAL, _FILL = "#0072B2", "#D55E00", "#56B4E9"


@contextmanager
def _apply_style() -> Iterator[None]:
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]):
        yield


def _create_panels(count: int, width: float, height: float, title: str, note: str) -> tuple[Any, list[Axes]]:
    """Create a figure of `count` small multiples, with a title and a note below it; sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = -(-count // COLUMNS)
    size = (width * COLUMNS, height * rows + 0.9)
    layout = ConstrainedLayoutEngine(rect=(0.005, 0.0, 0.99, 1.0 - 0.8 / size[1]), hspace=0.06, wspace=0.04)
    figure = Figure(figsize=size, dpi=110, facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    figure.text(0.012, 1 - 0.27 / size[1], title, fontsize=14, fontweight="bold", va="center", parse_math=False)
    figure.text(0.012, 1 - 0.57 / size[1], note, fontsize=9, color=PALE, va="center", parse_math=False)
    axes = [figure.add_subplot(rows, COLUMNS, i + 1) for i in range(count)]
    return figure, axes


def draw_confusions(panels: Sequence[tuple[str, Sequence[str], np.ndarray]]) -> bytes:
    """Draw a matrix each: name, labels, counts `[truth, answer]`; rows are normalised, cells in per cent."""
    note = "each row: what was said of the clip (n of them); each cell: how many per cent of them got that answer"
    with _apply_style():
        figure, axes = _create_panels(len(panels), 4.1, 3.9, "Held-out clips: what was meant, what was heard", note)
        for axis, (name, labels, counts) in zip(axes, panels, strict=True):
            total = counts.sum(axis=1, keepdims=True)
            share = counts / np.maximum(total, 1)
            axis.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
            axis.set_title(
                f"{name}: {np.trace(counts)} of {counts.sum()} right", loc="left", fontsize=10, parse_math=False
            )
            axis.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
            axis.set_yticks(range(len(labels)), [f"{x} ({n})" for x, n in zip(labels, total[:, 0], strict=True)])
            axis.tick_params(length=0)
            axis.spines[:].set_visible(False)
            for row, column in np.argwhere(counts > 0):
                value = share[row, column]
                colour = "white" if value > 0.55 else INK
                axis.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=8, color=colour)
        return png(figure)


def draw_calibration(panels: Sequence[tuple[str, np.ndarray, np.ndarray, float]]) -> bytes:
    """Draw a reliability diagram each: name, confidences, right (0 or 1), expected calibration error."""
    note = (
        "a dot: the clips of one tenth of the confidence scale (larger: more of them); on the line it would be honest"
    )
    with _apply_style():
        figure, axes = _create_panels(len(panels), 3.6, 3.3, "How sure, and how often right", note)
        for number, (axis, (name, sure, right, error)) in enumerate(zip(axes, panels, strict=True)):
            which = np.minimum((sure * BINS).astype(int), BINS - 1)
            bins = sorted(set(which.tolist()))
            x = np.array([sure[which == b].mean() for b in bins])
            y = np.array([right[which == b].mean() for b in bins])
            n = np.array([(which == b).sum() for b in bins])
            axis.plot([0, 1], [0, 1], color=PALE, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
            axis.vlines(x, np.minimum(x, y), np.maximum(x, y), color=_AROUSAL, linewidth=1.2, zorder=2)
            axis.scatter(x, y, s=18 + 380 * n / n.sum(), color=_FILL, edgecolor=_VALENCE, linewidth=1.0, zorder=3)
            axis.set_title(f"{name}: ECE {error:.3f}, n {len(sure)}", loc="left", fontsize=10, parse_math=False)
            axis.set(xlim=(0, 1.02), ylim=(-0.04, 1.06), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
            axis.grid(color=GRID, linewidth=0.8)
            axis.set_axisbelow(True)
            axis.tick_params(length=0)
            if number % COLUMNS == 0:
                axis.set_ylabel("share that is right")
            axis.set_xlabel("confidence")
        return png(figure)


def draw_trajectories(
    panels: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray | None, float | None, float | None]],
) -> bytes:
    """Draw a panel for each trajectory.

    A trajectory is a name, seconds `[T]`, predicted `[T, 2]` (valence, arousal), rated `[T, 2]` or None, and the
    seconds of a change and of half-way through the answer, or None.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.lines import Line2D

    with _apply_style():
        size = (10.5, 2.25 * len(panels) + 0.95)
        layout = ConstrainedLayoutEngine(rect=(0.005, 0.0, 0.99, 1.0 - 0.8 / size[1]), hspace=0.08)
        figure = Figure(figsize=size, dpi=92, facecolor="white", layout=layout)
        FigureCanvasAgg(figure)
        figure.text(0.012, 1 - 0.27 / size[1], "The live reader over time", fontsize=14, fontweight="bold", va="center")
        figure.text(
            0.012, 1 - 0.57 / size[1], "held-out pieces, and a speaker whose mood changes at once", fontsize=9,
            color=PALE, va="center",
        )  # fmt: skip
        handles = [
            Line2D([], [], color=_VALENCE, linewidth=1.8, label="valence, predicted"),
            Line2D([], [], color=_AROUSAL, linewidth=1.8, label="arousal, predicted"),
            Line2D([], [], color=INK, linewidth=1.2, linestyle=(0, (4, 2)), label="the same, as listeners rated it"),
        ]
        figure.legend(handles=handles, loc="upper right", ncols=3, bbox_to_anchor=(0.995, 1 - 0.12 / size[1]))
        for number, (name, times, predictions, ratings, change, half) in enumerate(panels):
            axis = figure.add_subplot(len(panels), 1, number + 1)
            axis.set(xlim=(0, times[-1]), ylim=(-1.05, 1.05), yticks=(-1, 0, 1))
            axis.set_title(name, loc="left", fontsize=10, parse_math=False)
            axis.axhline(0.0, color=GRID, linewidth=1.0, zorder=0)
            axis.tick_params(length=0)
            for column, colour in enumerate((_VALENCE, _AROUSAL)):
                axis.plot(times, predictions[:, column], color=colour, linewidth=1.8)
                if ratings is not None:
                    axis.plot(times, ratings[:, column], color=colour, linewidth=1.2, linestyle=(0, (4, 2)), alpha=0.8)
            for moment, text in ((change, "the mood changes"), (half, "half-way")):
                if moment is not None:
                    axis.axvline(moment, color=PALE, linewidth=1.0, linestyle=(0, (2, 2)))
                    is_left = text != "half-way"
                    axis.annotate(
                        text if is_left else f"half-way after {moment - (change or 0.0):.2f} s", (moment, -0.98),
                        xytext=(-4 if is_left else 4, 0), textcoords="offset points", fontsize=8.5, color=PALE,
                        ha="right" if is_left else "left",
                    )  # fmt: skip
        axis.set_xlabel("time (s)", color=PALE)
        return png(figure)
