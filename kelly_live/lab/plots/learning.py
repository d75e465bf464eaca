"""A picture of how agreement with held-out preferences grows with the number of reactions.

matplotlib is loaded on first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kelly_live.ui.ink import png

_COLOURS = ("#0072B2", "#D55E00", "#009E73")


@dataclass(frozen=True, slots=True)
class Curve:
    """One kind of listener: agreement (mean, low, high; 0-1) after each number of reactions.

    Also the agreement with the mean of the others' profiles, and with no profile.
    """

    name: str
    reactions: tuple[int, ...]
    agreement: tuple[tuple[float, float, float], ...]
    none: float
    others: tuple[float, ...] = ()


def draw_learning(curves: Sequence[Curve]) -> bytes:
    """Draw the curves as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.2), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for curve, colour in zip(curves, _COLOURS, strict=False):
        mean, low, high = zip(*curve.agreement, strict=True)
        axes.fill_between(curve.reactions, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(curve.reactions, mean, color=colour, marker="o", label=f"{curve.name}: with a profile")
        if curve.others:
            label = f"{curve.name}: the others' mean profile"
            axes.plot(curve.reactions, curve.others, color=colour, linestyle="--", linewidth=1.0, label=label)
        axes.axhline(curve.none, color=colour, linestyle=":", label=f"{curve.name}: no profile")
    axes.set(xlabel="reactions", ylabel="held-out preferences agreed with", xlim=(0, None))
    axes.set_title("What a profile learns of simulated listeners (shaded: 95 %)", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return png(figure)
