"""Musical parameters over the valence-arousal plane, as small multiples.

The eight emotions are marked. Takes plain arrays and gives PNG bytes, the same for the same values (see `ui/plot.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.ui.ink import GRID, INK, PALE, png
from kelly_live.ui.plot import STYLE

COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Panel:
    """One parameter: name, unit, and values `[arousal, valence]` over even steps from -1 to 1 each."""

    name: str
    unit: str
    values: np.ndarray


def draw_plane(panels: Sequence[Panel], places: Mapping[str, tuple[float, float]], title: str, note: str) -> bytes:
    """Draw a heat map with contour lines for each panel; `places` marks names at (valence, arousal)."""
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = -(-len(panels) // COLUMNS)
    size = (3.55 * COLUMNS, 3.25 * rows + 0.9)
    with matplotlib.style.context(["default", STYLE]):
        layout = ConstrainedLayoutEngine(rect=(0.005, 0.0, 0.99, 1.0 - 0.8 / size[1]), hspace=0.06, wspace=0.04)
        figure = Figure(figsize=size, dpi=100, facecolor="white", layout=layout)
        FigureCanvasAgg(figure)
        figure.text(0.012, 1 - 0.27 / size[1], title, fontsize=14, fontweight="bold", va="center", parse_math=False)
        figure.text(0.012, 1 - 0.57 / size[1], note, fontsize=9, color=PALE, va="center", parse_math=False)
        for number, panel in enumerate(panels):
            axis = figure.add_subplot(rows, COLUMNS, number + 1)
            steps = np.linspace(-1.0, 1.0, panel.values.shape[1]), np.linspace(-1.0, 1.0, panel.values.shape[0])
            picture = axis.imshow(
                panel.values, origin="lower", extent=(-1, 1, -1, 1), cmap="viridis", aspect="equal",
                interpolation="bilinear",
            )  # fmt: skip
            if np.ptp(panel.values) > 1e-6:
                lines = axis.contour(*steps, panel.values, levels=6, colors="white", linewidths=0.6, alpha=0.7)
                axis.clabel(lines, fontsize=6.5, fmt="%g")
            figure.colorbar(picture, ax=axis, label=panel.unit, shrink=0.86, pad=0.02)
            for name, (valence, arousal) in places.items():
                axis.plot(valence, arousal, "o", markersize=4, color="white", markeredgecolor=INK, markeredgewidth=0.8)
                side = -1.0 if valence > 0.3 else 1.0
                axis.annotate(
                    name, (valence, arousal), xytext=(5 * side, -8 if name in _BELOW else 3),
                    textcoords="offset points", fontsize=6.8, color=INK, ha="right" if side < 0 else "left",
                    bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "alpha": 0.6, "linewidth": 0},
                )  # fmt: skip
            axis.set_title(panel.name, loc="left", fontsize=10, parse_math=False)
            axis.axhline(0.0, color=GRID, linewidth=0.6)
            axis.axvline(0.0, color=GRID, linewidth=0.6)
            axis.set(xlim=(-1, 1), ylim=(-1, 1), xticks=(-1, 0, 1), yticks=(-1, 0, 1))
            axis.tick_params(length=0)
            if number % COLUMNS == 0:
                axis.set_ylabel("arousal")
            if number >= len(panels) - COLUMNS:
                axis.set_xlabel("valence")
        return png(figure)


_BELOW = ("angry", "happy", "disgusted")  # these names go under their mark, for another's is right above
