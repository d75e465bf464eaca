"""Evaluation of a band that follows a change of tempo: does it keep its beat's level, and fall on the player's beats.

The level is how many of its beats fall on one of the player's: a half, one or two. It is kept if it is the same at the
end as before the change. From the change on, a beat of the band is right within 70 ms of an annotated one; at the level
of two also of the middle between two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.lab.corpora.tempo_changes import CHANGE_BEATS, STEADY_BEATS, ChangedSong
from kelly_live.lab.judging.tracking import BEAT_TOLERANCE_SECONDS

LEVELS = (0.5, 1.0, 2.0)
_LEVEL_TOLERANCE = 0.1
_JUDGED_BEATS = 8  # of the player, before the change and at the end, over which the level is measured


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """What became of one change: the level before and at the end (None: none of LEVELS), and its beats' errors (s)."""

    change: str
    level_before: float | None
    level_after: float | None
    errors: tuple[float, ...]

    @property
    def is_level_kept(self) -> bool:
        """Whether the band plays at the same level as before the change."""
        return self.level_before is not None and self.level_before == self.level_after


def evaluate_change(song: ChangedSong, band_beats: Sequence[float]) -> ChangeResult:
    """Evaluate the band's beats (s), those while it followed."""
    beats, band = np.array(song.beats), np.array(band_beats)
    before = _find_level(beats[STEADY_BEATS - _JUDGED_BEATS : STEADY_BEATS + 1], band)
    after = _find_level(beats[-_JUDGED_BEATS - 1 :], band)
    places = beats if before != 2.0 else np.sort(np.concatenate([beats, 0.5 * (beats[1:] + beats[:-1])]))
    judged = band[(band >= beats[STEADY_BEATS]) & (band <= beats[-1])]
    errors = [float(np.min(np.abs(places - beat))) for beat in judged]
    # A band that has let go has no beats to be wrong: what it should have played is counted as missed.
    due = (len(beats) - 1 - STEADY_BEATS) * (before or 1.0)
    missing = max(0, round(0.9 * due) - len(errors))
    return ChangeResult(song.change, before, after, (*errors, *[np.inf] * missing))


def _find_level(beats: np.ndarray, band: np.ndarray) -> float | None:
    inside = band[(band >= beats[0] - 0.5) & (band <= beats[-1] + 0.5)]
    if len(inside) < 3:
        return None
    level = float(np.median(np.diff(beats)) / np.median(np.diff(inside)))
    return next((known for known in LEVELS if abs(level / known - 1.0) <= _LEVEL_TOLERANCE), None)


def format_changes(results: Sequence[ChangeResult]) -> str:
    """Format a line for each kind of change, and one for all."""
    lines = []
    for name in [*dict.fromkeys(result.change for result in results), "all"]:
        group = [result for result in results if name in (result.change, "all")]
        followed = [result for result in group if result.level_before is not None]
        errors = np.array([error for result in followed for error in result.errors])
        kept = sum(result.is_level_kept for result in followed)
        within = (errors <= BEAT_TOLERANCE_SECONDS).mean() if len(errors) else 0.0
        lines.append(
            f"{name:<9} (n {len(group)}, followed before it {len(followed)}): level kept in {kept / max(1, len(followed)):.2f}, "
            f"of the band's beats from there on {within:.2f} within 70 ms"
        )
    return "\n".join(lines)
