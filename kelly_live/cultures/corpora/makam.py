"""Performed tuning of 20 makams: tonic-relative pitch histograms of 1,000 recordings in bins of 10 cents."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from kelly_live.cultures.corpora.archive import read_file
from kelly_live.cultures.preset import Known, Mode

_REACH = 45.0  # cents about a notated degree in which its performed peak is looked for: half a small whole tone
_WIDTH = 25.0  # cents about the peak whose centre of gravity is the pitch


def performed_tuning(corpora: Path, modes: tuple[Mode, ...]) -> tuple[Mode, ...]:
    """The modes with each notated degree moved to where performers put it, for those that were recorded."""
    data = read_file(corpora, "otmm-makam", "derived_tonic_relative_pitch_histograms.json")
    recorded = {name.lower(): one for name, one in json.loads(data).items()}
    return tuple(_tuned(mode, recorded[mode.name]) if mode.name in recorded else mode for mode in modes)


def _tuned(mode: Mode, recorded: dict[str, object]) -> Mode:
    histogram = np.array(recorded["hist_10cent_tonic_relative"], dtype=np.float64)
    count = int(str(recorded["n_recordings"]))
    if mode.scale_cents is None:
        return mode
    tonic = peak(histogram, 0.0) or 0.0  # the annotated tonic is a few cents off the peak: measure from the peak
    cents = [0.0]
    for degree in mode.scale_cents.value[1:]:
        performed = peak(histogram, degree)
        place = round((degree if performed is None else performed) - (tonic if performed is not None else 0.0), 1)
        cents.append(max(place, cents[-1] + 1.0))
    reference = "degrees from symbtr, their tuning from otmm-makam (performed)"
    return replace(mode, scale_cents=Known(tuple(cents), "measured", count, "recordings", reference))


def peak(histogram: np.ndarray, near: float) -> float | None:
    """The centre (cents) of the highest bin within _REACH of `near`, or None if the histogram has no rise there."""
    bins = np.arange(len(histogram)) * (1200.0 / len(histogram))
    away = (bins - near + 600.0) % 1200.0 - 600.0
    close = np.abs(away) <= _REACH
    inside = np.where(close, histogram, -1.0)
    top = int(np.argmax(inside))
    neighbours = histogram[[top - 1, (top + 1) % len(histogram)]]
    if histogram[top] < neighbours.max():
        return None  # the side of a neighbouring degree's peak
    around = (bins - bins[top] + 600.0) % 1200.0 - 600.0
    mass = np.where(np.abs(around) <= _WIDTH, histogram, 0.0)
    return near + float(away[top]) + float((around * mass).sum() / mass.sum())
