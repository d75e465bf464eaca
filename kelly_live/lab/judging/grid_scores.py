"""How judged valence and arousal follow the intended ones over a grid of both.

r alone can flatter: it is high where the answers follow by a tenth of what was meant, and over a whole grid it hides a
row of arousal in which valence is not heard at all. So slopes stand beside it, and valence's r within each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.lab.intervals import Estimate, estimate_correlation, estimate_slope
from kelly_live.lab.judging.judges import Judgements
from kelly_live.lab.training.scores import Score


@dataclass(frozen=True, slots=True)
class ValenceByArousal:
    """The r of intended and judged valence within each row of arousal, by one judge of one kind of music.

    `rows` are the intended arousal, the estimate, and the number of pieces of each row.
    """

    judge: str
    music: str
    rows: tuple[tuple[float, Estimate, int], ...]


def score_grid(judge: str, music: str, judgements: Judgements, targets: np.ndarray) -> list[Score]:
    """Score r and slope of judged on intended valence and arousal, over the pieces of the grid.

    `targets` are the intended valence and arousal `[n, 2]`. Intervals are by Fisher's z (r) and Student's t (slope). A
    slope of 1 is as far as people's quadrants are from each other: the judges learned -1 and 1 for the halves.
    """
    scores = []
    for axis, (name, answers) in enumerate((("valence", judgements.valence), ("arousal", judgements.arousal))):
        intended = targets[:, axis]
        for metric, estimate in (
            ("r", estimate_correlation(intended, answers)),
            ("slope", estimate_slope(intended, answers)),
        ):
            scores.append(Score(f"{music}, grid", f"{name} {metric}, {judge}", *estimate, len(targets)))
    return scores


def correlate_valence_by_arousal(
    judge: str, music: str, judgements: Judgements, targets: np.ndarray
) -> ValenceByArousal:
    """Correlate intended and judged valence within each intended arousal of `targets` `[n, 2]`, from low to high."""
    rows = []
    for arousal in np.unique(targets[:, 1]):
        row = targets[:, 1] == arousal
        estimate = estimate_correlation(targets[row, 0], judgements.valence[row])
        rows.append((float(arousal), estimate, int(row.sum())))
    return ValenceByArousal(judge, music, tuple(rows))


def format_valence_by_arousal(results: Sequence[ValenceByArousal]) -> str:
    """Format results over the same grid as one Markdown table, a column for each arousal."""
    rows = results[0].rows
    counts = " and ".join(str(count) for count in sorted({count for _, _, count in rows}))
    lines = [
        f"| valence r at arousal (n {counts}) | " + " | ".join(f"{arousal:+.1f}" for arousal, _, _ in rows) + " |",
        "|---|" + "---|" * len(rows),
    ]
    for result in results:
        cells = [f"{value:.2f} ({low:.2f} – {high:.2f})" for _, (value, low, high), _ in result.rows]
        lines.append(f"| {result.music}, {result.judge} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
