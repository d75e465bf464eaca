"""What a profile has learned, as one picture: for each emotion, the base and the person's music."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kelly_live.core.values import EMOTIONS
from kelly_live.ui.ink import GRID, INK, PALE, png
from kelly_live.ui.plot import EMOTION_COLOURS

# parameter -> title, whether it is heard in ratios
PANELS = {
    "tempo": ("tempo (BPM)", True), "major": ("mode (share of major)", False),
    "register": ("register (MIDI note)", False),
    "level": ("dynamics (of full velocity)", False), "density": ("density (notes a beat)", True),
}  # fmt: skip
_BASE = "#8C949E"


@dataclass(frozen=True, slots=True)
class Mark:
    """A parameter (of PANELS) in an emotion: of the base, of this person, ± one standard deviation.

    `known_share`: the share of the uncertainty that is resolved, 0 to 1.
    """

    emotion: str
    parameter: str
    base: float
    own_value: float
    spread: float
    known_share: float


def draw_person(marks: Sequence[Mark], title: str) -> bytes:
    """Draw a PNG with a panel for each parameter and a row for each emotion.

    A ring is the base, a dot the person's own value with its deviation; the fainter the dot, the less is known.
    """
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style = {
        "font.family": "DejaVu Sans", "font.size": 9.0, "axes.edgecolor": GRID, "text.color": INK,
        "xtick.color": PALE, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
        "axes.spines.left": False,
    }  # fmt: skip
    with matplotlib.style.context(["default", style]):
        figure = Figure(figsize=(13.0, 4.4), dpi=120, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", parse_math=False)
        panels = figure.subplots(1, len(PANELS), sharey=True)
        rows = {emotion: len(EMOTIONS) - 1 - index for index, emotion in enumerate(EMOTIONS)}
        for axis, (parameter, (name, ratio)) in zip(panels, PANELS.items(), strict=True):
            axis.set_title(name, loc="left", fontsize=9.5)
            for mark in (one for one in marks if one.parameter == parameter):
                row, colour = rows[mark.emotion], EMOTION_COLOURS[mark.emotion]
                low, high = _span(mark, ratio)
                axis.plot([low, high], [row, row], color=colour, linewidth=4.5, alpha=0.3, solid_capstyle="round")
                arrow = {"arrowstyle": "-", "color": PALE, "lw": 1.0}
                axis.annotate("", (mark.own_value, row), (mark.base, row), arrowprops=arrow)
                axis.plot(mark.base, row, marker="o", markersize=8, markerfacecolor="white", markeredgecolor=_BASE)
                axis.plot(
                    mark.own_value, row, marker="o", markersize=6, color=colour, alpha=0.35 + 0.65 * mark.known_share,
                    markeredgecolor=INK, markeredgewidth=0.5,
                )  # fmt: skip
            axis.grid(axis="both", color=GRID, linewidth=0.6)
            axis.set_axisbelow(True)
            axis.tick_params(length=0)
            axis.set_ylim(-0.6, len(EMOTIONS) - 0.4)
        panels[0].set_yticks(list(rows.values()), list(rows))
        figure.supxlabel(
            "ring: before learning · dot: you (fainter: less known) · bar: ± one standard deviation",
            fontsize=8.5, color=PALE, style="italic",
        )  # fmt: skip
        return png(figure)


def _span(mark: Mark, ratio: bool) -> tuple[float, float]:
    """Return one standard deviation to either side, within the range; by a ratio if `ratio`."""
    if not ratio or mark.own_value <= 0.0:
        most = 127.0 if mark.parameter == "register" else 1.0
        return max(0.0, mark.own_value - mark.spread), min(most, mark.own_value + mark.spread)
    factor = 1.0 + mark.spread / mark.own_value
    return mark.own_value / factor, mark.own_value * factor
