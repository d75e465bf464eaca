"""Distances between pitches, in cents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, overload

if TYPE_CHECKING:  # listing generators must not load numpy
    import numpy as np
    import numpy.typing as npt

    Pitches: TypeAlias = npt.NDArray[np.floating[Any]]
    Distances: TypeAlias = npt.NDArray[np.float64]

OCTAVE_CENTS = 1200.0


@overload
def octave_distance_cents(pitch: float, reference: float) -> float: ...
@overload
def octave_distance_cents(pitch: Pitches, reference: Pitches | float) -> Distances: ...
@overload
def octave_distance_cents(pitch: float, reference: Pitches) -> Distances: ...
def octave_distance_cents(pitch: Any, reference: Any) -> Any:
    """Measure how far `pitch` lies above `reference` when octaves do not count.

    Both are in cents, numbers or arrays that broadcast. The result is the shorter way round the octave, in
    [-600, 600): negative where `pitch` is lower, -600 for a tritone.
    """
    return (pitch - reference + OCTAVE_CENTS / 2.0) % OCTAVE_CENTS - OCTAVE_CENTS / 2.0
