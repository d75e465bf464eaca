"""One melody of a corpus as every reader gives it: pitch in cents above the tonic, time in the metre's own beats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tune:
    """`cents` above the tonic (octaves kept), `[n]`. `onsets`, `durations` in quarter notes with 0 on a downbeat, or
    None where the corpus has no rhythm. `tonic` is the MIDI note of 0 cents, None where tunes were transposed.

    `metre` as notated ("6/8"); `beat` in quarter notes; `tempo` in those beats a minute, None where nobody states it or
    an editor set it. `ornaments` counts each kind, None where the corpus does not note them. `mode` is the tradition's
    own name of it. `group` names what a tune may be split by (a region, a collection).
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


def beat_of(metre: str | None) -> float:
    """The beat of a metre in quarter notes: a dotted quarter in 6/8, 9/8, 12/8 and 3/8, else what is notated below
    (no less than a quarter in additive eighths such as 5/8 or 7/8). None is taken as quarters.
    """
    if metre is None:
        return 1.0
    above, below = (int(part) for part in metre.split("/"))
    if below == 8:
        return 1.5 if above in (3, 6, 9, 12) else 1.0
    if below == 16:
        return 0.75 if above in (3, 6, 9, 12) else 0.5
    return 4.0 / below


def bar_quarters(metre: str) -> float:
    """The length of a bar in quarter notes."""
    above, below = (int(part) for part in metre.split("/"))
    return float(Fraction(4 * above, below))
