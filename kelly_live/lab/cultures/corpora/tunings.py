"""Scales measured on instruments and recordings: DaMuSc, and Scala files of the Cairo Congress.

DaMuSc has gamelan and Georgian scales.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from kelly_live.core.pitch import octave_distance_cents
from kelly_live.lab.cultures.corpora.archive import read_file, read_files

_WIDTH = 20.0  # cents, of the bell that each measured pitch is blurred by
_REACH = 50.0  # cents about a peak within which pitches are the same degree
_AGREED = 0.5  # of the scales must have a degree for it to be one
Scale = tuple[float, ...]


def read_damusc_scales(corpora: Path, culture: str, reference: str = "") -> list[Scale]:
    """Read the measured scales of a culture, as cents from the first tone (octave not closed).

    With `reference` (a part of the source's name), only scales whose tonic is known to be that tone.
    """
    text = read_file(corpora, "damusc", "Data/measured_scales.csv").decode("utf-8-sig")
    return [
        tuple(float(cents) for cents in np.cumsum([0.0, *(float(step) for step in row["Intervals"].split(";"))]))
        for row in csv.DictReader(io.StringIO(text))
        if row["Culture"] == culture and reference in row["Reference"]
    ]


def read_damusc_steps(corpora: Path, culture: str, measured_on: str) -> list[Scale]:
    """Read the steps (cents) of each melodic scale of a culture that was measured on `measured_on`."""
    text = read_file(corpora, "damusc", "Data/measured_scales.csv").decode("utf-8-sig")
    return [
        tuple(float(step) for step in row["Intervals"].split(";"))
        for row in csv.DictReader(io.StringIO(text))
        if row["Culture"] == culture and row["Measured_type"] == measured_on and row["Melodic / Harmonic"] == "M"
    ]


def average_degrees(scales: list[Scale], length: int) -> tuple[Scale, float]:
    """Average the scales with `length` tones to the octave; also return the largest SD (cents).

    The octave itself is left out.
    """
    table = np.array([scale[: length + 1] for scale in scales if len(scale) == length + 1])
    return tuple(round(float(cents), 1) for cents in table.mean(axis=0)[:length]), float(table.std(axis=0).max())


def read_cairo_scales(corpora: Path) -> dict[str, list[Scale]]:
    """Read the scales of the 1932 recordings whose maqam is named, in cents from the annotated tonic."""
    scales: dict[str, list[Scale]] = defaultdict(list)
    for _, data in read_files(
        corpora, "scale-library-cairo-damusc", lambda inside: inside.startswith("cairo-congress/")
    ):
        text = data.decode("utf-8", errors="replace")
        maqam = re.search(r"^! maqam = (\w+)", text, re.MULTILINE)
        if maqam is None or "tonic_ref = annotated" not in text:
            continue
        lines = [line.strip() for line in text.splitlines() if not line.startswith("!")]
        cents = [float(line.split()[0]) for line in lines[2:] if "." in line]
        if cents:
            scales[maqam.group(1).lower()].append((0.0, *(value for value in cents if value < 1190.0)))
    return dict(scales)


def find_common_degrees(scales: list[Scale], most: int) -> Scale:
    """Find the degrees on which half of the scales agree, `most` at most.

    They are peaks of the pooled pitches, each the mean of its members; those that most scales have come first.
    """
    all_pitches = np.array([value for scale in scales for value in scale]) % 1200.0
    grid = np.arange(0.0, 1200.0, 5.0)
    distances = octave_distance_cents(grid[:, None], all_pitches[None, :])
    heights = np.exp(-0.5 * (distances / _WIDTH) ** 2).sum(axis=1)
    degrees: list[float] = [0.0]
    for place in np.argsort(-heights):
        distances_to_degrees = [abs(octave_distance_cents(grid[place], degree)) for degree in degrees]
        if min(distances_to_degrees) < 2 * _REACH * 0.8:
            continue
        members = [value for value in all_pitches if abs(octave_distance_cents(value, grid[place])) <= _REACH]
        if len(members) >= _AGREED * len(scales) and len(degrees) < most:
            degrees.append(float(np.mean(members)))
    return tuple(round(degree, 1) for degree in sorted(degrees))
