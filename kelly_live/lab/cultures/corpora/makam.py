"""Performed tuning of 20 makams, from tonic-relative pitch histograms of 1,000 recordings.

The histograms have bins of 10 cents.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from kelly_live.core.pitch import octave_distance_cents
from kelly_live.cultures.preset import Known, Mode
from kelly_live.lab.cultures.corpora.archive import read_file

_REACH = 45.0  # cents about a notated degree in which its performed peak is looked for: half a small whole tone
_SAME = 25.0  # cents within which two degrees are one: a comma
_WIDTH = 25.0  # cents about the peak whose centre of gravity is the pitch


def apply_performed_tuning(corpora: Path, modes: tuple[Mode, ...]) -> tuple[Mode, ...]:
    """Move each notated degree of the recorded modes to where performers put it."""
    data = read_file(corpora, "otmm-makam", "derived_tonic_relative_pitch_histograms.json")
    records = {name.lower(): one for name, one in json.loads(data).items()}
    return tuple(_retune_from_record(mode, records[mode.name]) if mode.name in records else mode for mode in modes)


def _retune_from_record(mode: Mode, record: dict[str, object]) -> Mode:
    histogram = np.array(record["hist_10cent_tonic_relative"], dtype=np.float64)
    reference = "degrees from symbtr, their tuning from otmm-makam (performed)"
    return retune_mode(mode, histogram, int(str(record["n_recordings"])), reference)


def retune_mode(mode: Mode, histogram: np.ndarray, recordings: int, reference: str, reach: float = _REACH) -> Mode:
    """Move each degree of a mode to the peak of a tonic-relative histogram within `reach` cents of it.

    Degrees that share a peak become one. A degree without a peak stays where it was.
    """
    if mode.scale_cents is None or mode.degree_weights is None:
        return mode
    tonic = find_peak(histogram, 0.0, reach)
    if tonic is None:
        return mode
    places: dict[float, float] = {0.0: mode.degree_weights.value[0]}
    for degree, weight in zip(mode.scale_cents.value[1:], mode.degree_weights.value[1:], strict=True):
        peak = find_peak(histogram, degree, reach)
        place = degree if peak is None else peak - tonic
        same = next((other for other in places if abs(other - place) < _SAME), place)
        places[same] = places.get(same, 0.0) + weight
    cents = tuple(round(place, 1) for place in sorted(places))
    weights = replace(mode.degree_weights, value=tuple(places[place] for place in sorted(places)))
    other = Known(cents, "measured", recordings, "recordings", reference)
    return replace(mode, scale_cents=other, degree_weights=weights)


def find_peak(histogram: np.ndarray, target: float, reach: float = _REACH) -> float | None:
    """Find the centre (cents) of the highest bin within `reach` of `target`; None without a peak there."""
    bins = np.arange(len(histogram)) * (1200.0 / len(histogram))
    distances = octave_distance_cents(bins, target)
    inside = np.where(np.abs(distances) <= reach, histogram, -1.0)
    top = int(np.argmax(inside))
    if histogram[top] < max(histogram[top - 1], histogram[(top + 1) % len(histogram)]):
        return None  # the side of a neighbouring degree's peak
    around = octave_distance_cents(bins, bins[top])
    mass = np.where(np.abs(around) <= _WIDTH, histogram, 0.0)
    return target + float(distances[top]) + float((around * mass).sum() / mass.sum())
