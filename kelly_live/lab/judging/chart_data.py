"""Data of the charts in the docs: confusions, calibration, and the live reader over time.

The values are tuples in the order in which `kelly_live/lab/plots/evidence.py` reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kelly_live.emotion.nets.emotion import LABELS
from kelly_live.emotion.reader import LiveEmotionReader
from kelly_live.lab.corpora.manifest import QUADRANTS, Clip
from kelly_live.lab.corpora.targets import RATING_PLANES, average_bar_ratings, find_label
from kelly_live.lab.judging.stream_scores import EmotionChange, run_reader
from kelly_live.lab.training.emotion_calibration import mark_correct
from kelly_live.lab.training.scores import (
    CHOICES,
    Predictions,
    average_by_clip,
    compute_calibration_error,
    find_quadrants,
)
from kelly_live.lab.training.windows import TEST_OPTIONS, Windows, read_audio

PIECES = 3
FAMILY_LETTERS = 16  # of a file's name: "vgmidi_Battle_of" is one game


class Confusion(NamedTuple):
    """A confusion matrix: `counts[i, j]` clips of `labels[i]` were answered `labels[j]`."""

    name: str
    labels: tuple[str, ...]
    counts: np.ndarray


class Calibration(NamedTuple):
    """The confidence of each clip, whether it was right (0 or 1), and the expected calibration error."""

    name: str
    confidence: np.ndarray
    right: np.ndarray
    error: float


class Trajectory(NamedTuple):
    """The live reader over one piece.

    Seconds `[T]`, the reader's (valence, arousal) `[T, 2]`, the listeners' ratings `[T, 2]` or None, and when the sound
    changed and when the answer was half-way, if it changed.
    """

    name: str
    times: np.ndarray
    estimated: np.ndarray
    rated: np.ndarray | None
    change_at: float | None = None
    half_way_at: float | None = None


def _count(truth: np.ndarray, guess: np.ndarray, kinds: int) -> np.ndarray:
    counts = np.zeros((kinds, kinds), int)
    np.add.at(counts, (truth, guess), 1)
    return counts


def compute_confusions(clips: Sequence[Clip], windows: Windows, answers: Predictions) -> list[Confusion]:
    """Compute the confusions of every data set with categories or quadrants."""
    labels = average_by_clip(answers.labels, windows.clip, len(clips))
    affect = average_by_clip(answers.affect, windows.clip, len(clips))
    out = []
    for dataset in sorted({clip.dataset for clip in clips}):
        indices = [i for i, c in enumerate(clips) if c.dataset == dataset and not np.isnan(affect[i, 0])]
        if not indices:
            continue
        if dataset in CHOICES:
            names = CHOICES[dataset]
            columns = [LABELS.index(name) for name in names]
            truth = np.array([columns.index(find_label(clips[i])) for i in indices])
            out.append(Confusion(dataset, names, _count(truth, labels[indices][:, columns].argmax(axis=1), len(names))))
        elif clips[indices[0]].quadrant is not None:
            truth = np.array([list(QUADRANTS).index(clips[i].quadrant or "Q1") for i in indices])
            out.append(
                Confusion(dataset, tuple(QUADRANTS), _count(truth, find_quadrants(affect[indices]), len(QUADRANTS)))
            )
    return out


def compute_calibrations(clips: Sequence[Clip], windows: Windows, answers: Predictions) -> list[Calibration]:
    """Compute the calibration of every data set whose answers are right or wrong."""
    right = mark_correct(clips, answers, windows.clip)
    confidence = average_by_clip(answers.confidence, windows.clip, len(clips))
    out = []
    for dataset in sorted({clip.dataset for clip in clips}):
        is_in_set = np.array([c.dataset == dataset for c in clips]) & ~np.isnan(right) & ~np.isnan(confidence)
        if is_in_set.any():
            out.append(
                Calibration(
                    dataset,
                    confidence[is_in_set],
                    right[is_in_set],
                    compute_calibration_error(confidence[is_in_set], right[is_in_set]),
                )
            )
    return out


def compute_trajectories(
    reader: LiveEmotionReader, clips: Sequence[Clip], changes: Sequence[EmotionChange]
) -> list[Trajectory]:
    """Compute the trajectories of rated pieces, and of a change whose answer took the median time.

    The pieces have the widest range of ratings, no two of one family; the reader's answers do not affect the choice.
    """
    rated = [c for c in clips if c.bar_ratings is not None]
    families: dict[str, Clip] = {}
    for clip in sorted(rated, key=lambda c: -float(np.array(c.bar_ratings).std(axis=0).sum())):
        families.setdefault(clip.audio_path.stem[:FAMILY_LETTERS], clip)
    widest = list(families.values())[:PIECES]
    out = []
    for clip in widest:
        track = run_reader(reader, read_audio(clip.audio_path, TEST_OPTIONS.find_timing(clip.dataset)[0]))
        ratings = np.array([average_bar_ratings(clip, float(end)) for end in track.times])
        plane = RATING_PLANES.get(clip.dataset)
        affect_ratings = ratings if plane is None else plane.project(ratings)
        out.append(Trajectory(clip.audio_path.stem.replace("_", " "), track.times, track.affect[:, :2], affect_ratings))
    measured_changes = sorted(
        (c for c in changes if not np.isnan(c.half_way_seconds)), key=lambda c: c.half_way_seconds
    )
    if measured_changes:
        usual = measured_changes[len(measured_changes) // 2].half_way_seconds
        alike = [c for c in measured_changes if c.half_way_seconds == usual]
        middle = max(alike, key=lambda c: c.levels[1] - c.levels[0])  # the clearest to look at
        half = middle.at + middle.half_way_seconds
        name = f"{middle.speaker}: {middle.calm}, then angry"
        out.append(Trajectory(name, middle.track.times, middle.track.affect[:, :2], None, middle.at, half))
    return out
