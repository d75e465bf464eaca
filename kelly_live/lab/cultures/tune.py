"""One melody of a corpus, as every reader gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from kelly_live.core.arrays import Floats


@dataclass(frozen=True, slots=True)
class Tune:
    """A melody: pitch in cents above the tonic, time in quarter notes.

    Attributes:
        cents: Cents above the tonic, octaves kept, `[n]`.
        onsets: Onsets in quarter notes with 0 on a downbeat; None where the corpus has no rhythm.
        durations: Durations in quarter notes; None where the corpus has no rhythm.
        tonic: The MIDI note of 0 cents; None where tunes were transposed.
        metre: The metre as notated ("6/8").
        beat: The beat in quarter notes.
        tempo: Beats a minute; None where it is not stated or an editor set it.
        ornaments: The number of each kind; None where the corpus does not notate them.
        mode: The tradition's own name of the mode.
        group: What tunes may be split by (a region, a collection).
    """

    cents: Floats
    onsets: Floats | None = None
    durations: Floats | None = None
    tonic: float | None = None
    metre: str | None = None
    beat: float = 1.0
    tempo: float | None = None
    ornaments: Mapping[str, int] | None = None
    mode: str | None = None
    group: str = ""

    def __len__(self) -> int:
        return len(self.cents)


def compute_beat_quarters(metre: str | None) -> float:
    """Compute the beat of a metre in quarter notes; None is taken as quarters.

    It is a dotted quarter in 6/8, 9/8, 12/8 and 3/8, else what is notated below (no less than a quarter in additive
    eighths such as 5/8 or 7/8).
    """
    if metre is None:
        return 1.0
    above, below = (int(part) for part in metre.split("/"))
    if below == 8:
        return 1.5 if above in (3, 6, 9, 12) else 1.0
    if below == 16:
        return 0.75 if above in (3, 6, 9, 12) else 0.5
    return 4.0 / below


def compute_bar_quarters(metre: str) -> float:
    """Compute the length of a bar in quarter notes."""
    above, below = (int(part) for part in metre.split("/"))
    return float(Fraction(4 * above, below))
