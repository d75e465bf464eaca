"""Scores of the whole live reader, hop by hop: single clips, and sudden changes of emotion.

A clip has two answers. The mean of the reader's states, weighted by confidence as `kelly-live analyze` does it (its
confidence is weighted likewise); and the state at the hop with the highest confidence. The second is what a viewer
would remember of a short clip, whose quiet end relaxes to neutral.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.values import EMOTIONS, AudioWindow, EmotionState
from kelly_live.emotion.nets.scales import HOP_SAMPLES, HOP_SECONDS, SAMPLE_RATE
from kelly_live.emotion.reader import LiveEmotionReader
from kelly_live.lab.corpora.manifest import QUADRANTS, Clip
from kelly_live.lab.corpora.targets import average_bar_ratings, find_label, is_music
from kelly_live.lab.intervals import bootstrap
from kelly_live.lab.training.scores import (
    Metric,
    Score,
    create_calibration_metric,
    create_correlation_metric,
    create_mean_metric,
    find_quadrants,
)
from kelly_live.lab.training.temporal import trim_silence
from kelly_live.lab.training.windows import TEST_OPTIONS, read_audio

CALM = ("calm", "neutral", "sadness", "sad")  # what counts as calm, the first that a speaker has
STEADY_SECONDS = 6.0  # each side of a change: the net's window is 3 s, so the second half is settled
SETTLED_SECONDS = 3.0
MIN_MOVE = 0.2  # of arousal: less is no reaction
CHANGES_PER_SPEAKER = 2


@dataclass(frozen=True, slots=True)
class ReaderTrack:
    """The reader's states, one row for each hop.

    Times `[T]`, probabilities `[T, 8]`, valence, arousal and dominance `[T, 3]`, confidence `[T]`.
    """

    times: np.ndarray
    emotions: np.ndarray
    affect: np.ndarray
    confidence: np.ndarray

    @classmethod
    def of(cls, states: Sequence[EmotionState]) -> ReaderTrack:
        """Convert states to arrays."""
        return cls(
            np.array([s.time for s in states]),
            np.array([s.probabilities for s in states]).reshape(-1, len(EMOTIONS)),
            np.array([(s.valence, s.arousal, s.dominance) for s in states]).reshape(-1, 3),
            np.array([s.confidence for s in states]),
        )

    @property
    def weights(self) -> np.ndarray:
        """The weights of the hops in a clip's answer, sum 1: the confidences, or even where all are 0."""
        total = self.confidence.sum()
        weights: np.ndarray = self.confidence / total if total > 0 else np.full(len(self.times), 1 / len(self.times))
        return weights


def run_reader(reader: LiveEmotionReader, samples: np.ndarray) -> ReaderTrack:
    """Run a reset reader over samples at 16 kHz; silence fills the last hop."""
    reader.reset()
    states: list[EmotionState] = []
    for start in range(0, max(1, len(samples)), HOP_SAMPLES):
        hop = samples[start : start + HOP_SAMPLES]
        hop = np.pad(hop, (0, HOP_SAMPLES - len(hop))).astype(np.float32)
        states += reader.push(AudioWindow(hop, SAMPLE_RATE, (start + HOP_SAMPLES) / SAMPLE_RATE))
    return ReaderTrack.of(states)


def _hash_rank(clip: Clip) -> str:
    return hashlib.sha256(clip.key.encode()).hexdigest()


def _run_clip(reader: LiveEmotionReader, clip: Clip) -> ReaderTrack:
    return run_reader(reader, read_audio(clip.audio_path, TEST_OPTIONS.find_timing(clip.dataset)[0]))


def score_reader(
    reader: LiveEmotionReader, clips: Sequence[Clip], most: int, log: Callable[[str], None], resamples: int = 1000
) -> list[Score]:
    """Score at most `most` clips of each data set, with a reset reader each.

    A hash of their names chooses them.
    """
    scores: list[Score] = []
    for dataset in sorted({clip.dataset for clip in clips}):
        dataset_clips = sorted((c for c in clips if c.dataset == dataset), key=_hash_rank)
        dataset_clips = [
            c for c in dataset_clips if c.quadrant or c.bar_ratings or (c.emotions is not None and c.gems is None)
        ][:most]
        if not dataset_clips:
            continue
        tracks = [_run_clip(reader, clip) for clip in dataset_clips]
        log(f"live reader: {len(dataset_clips)} clips of {dataset}")
        affect = np.array([t.weights @ t.affect for t in tracks])
        confidence = np.array([t.weights @ t.confidence for t in tracks])
        best_hops = [int(t.confidence.argmax()) for t in tracks]
        peak = np.array([t.confidence.max() for t in tracks])
        n = len(dataset_clips)

        def add(name: str, metric: Metric, n: int = n, dataset: str = dataset) -> None:
            scores.append(Score(dataset, f"live reader: {name}", *bootstrap(metric, n, resamples=resamples), n))

        right: np.ndarray | None = None
        right_at_peak = right
        if dataset_clips[0].quadrant is not None:
            truth = np.array([list(QUADRANTS).index(c.quadrant or "Q1") for c in dataset_clips])
            right = find_quadrants(affect) == truth
            right_at_peak = (
                find_quadrants(np.array([t.affect[i] for t, i in zip(tracks, best_hops, strict=True)])) == truth
            )
            add("4 quadrants", create_mean_metric(right))
            add("4 quadrants, most confident hop", create_mean_metric(right_at_peak))
        elif dataset_clips[0].bar_ratings is not None:
            ratings = [
                t.weights @ np.array([average_bar_ratings(c, float(end)) for end in t.times])
                for c, t in zip(dataset_clips, tracks, strict=True)
            ]
            for axis, name in enumerate(("valence", "arousal")):
                add(f"{name} r a piece", create_correlation_metric(np.array(ratings)[:, axis], affect[:, axis]))
        else:
            truth = np.array([int(np.argmax(c.emotions or ())) for c in dataset_clips])
            right = np.array([(t.weights @ t.emotions).argmax() for t in tracks]) == truth
            right_at_peak = np.array([t.emotions[i].argmax() for t, i in zip(tracks, best_hops, strict=True)]) == truth
            add("accuracy, open 8", create_mean_metric(right))
            add("accuracy, open 8, most confident hop", create_mean_metric(right_at_peak))
        if right is not None and right_at_peak is not None:
            add("ECE of confidence", create_calibration_metric(confidence, right.astype(float)))
            add("ECE of confidence, most confident hop", create_calibration_metric(peak, right_at_peak.astype(float)))
    return scores


@dataclass(frozen=True, slots=True)
class EmotionChange:
    """A speaker's calm clips and, from `at` seconds on, the same speaker's angry ones."""

    speaker: str
    calm: str
    at: float
    track: ReaderTrack

    @property
    def levels(self) -> tuple[float, float]:
        """The settled arousal before and after: medians of the last SETTLED_SECONDS of each side."""
        t, arousal = self.track.times, self.track.affect[:, 1]
        before = arousal[(t <= self.at) & (t > self.at - SETTLED_SECONDS)]
        return float(np.median(before)), float(np.median(arousal[t > t[-1] - SETTLED_SECONDS]))

    @property
    def half_way_seconds(self) -> float:
        """The time from the change until the arousal is half-way to its settled level, rounded up to a hop.

        NaN if it rises by less than MIN_MOVE.
        """
        low, high = self.levels
        if not high - low >= MIN_MOVE:
            return float("nan")
        later = self.track.times > self.at
        is_past_half_way = self.track.affect[later, 1] >= (low + high) / 2
        return float(self.track.times[later][np.argmax(is_past_half_way)] - self.at)

    @property
    def flips(self) -> tuple[int, float]:
        """The changes of the strongest emotion while settled, and the seconds of both sides together."""
        t, top = self.track.times, self.track.emotions.argmax(axis=1)
        flips, hops = 0, 0
        for part in ((t <= self.at) & (t > self.at - SETTLED_SECONDS), t > t[-1] - SETTLED_SECONDS):
            flips += int((np.diff(top[part]) != 0).sum())
            hops += int(part.sum()) - 1
        return flips, hops * HOP_SECONDS


def _concatenate_clips(clips: Sequence[Clip], seconds: float) -> np.ndarray:
    """Concatenate clips without the silence around each, repeated until `seconds` are full."""
    parts = [trim_silence(read_audio(clip.audio_path)) for clip in clips]
    once = np.concatenate(parts)
    return np.resize(once, int(seconds * SAMPLE_RATE)) if len(once) else np.zeros(int(seconds * SAMPLE_RATE))


def run_changes(reader: LiveEmotionReader, clips: Sequence[Clip], most: int = 24) -> list[EmotionChange]:
    """Run changes from calm to angry: at most CHANGES_PER_SPEAKER for each speaker, and `most` in all."""
    pairs: list[tuple[str, list[Clip], list[Clip]]] = []
    voices = [c for c in clips if c.speaker and find_label(c) >= 0 and not is_music(c)]
    for speaker in sorted({c.speaker or "" for c in voices}):
        speaker_clips = sorted((c for c in voices if c.speaker == speaker), key=_hash_rank)
        angry = [
            c for c in speaker_clips if c.emotions is not None and int(np.argmax(c.emotions)) == EMOTIONS.index("angry")
        ]
        calm_name = next((name for name in CALM if any(c.emotion_original == name for c in speaker_clips)), None)
        calm = [c for c in speaker_clips if c.emotion_original == calm_name] if calm_name else []
        count = min(CHANGES_PER_SPEAKER, len(angry), len(calm))
        pairs += [(speaker, calm[k::count], angry[k::count]) for k in range(count)]
    out = []
    for speaker, calm, angry in sorted(pairs, key=lambda pair: _hash_rank(pair[1][0]))[:most]:
        samples = np.concatenate([_concatenate_clips(part, STEADY_SECONDS) for part in (calm, angry)]).astype(
            np.float32
        )
        out.append(EmotionChange(speaker, calm[0].emotion_original or "", STEADY_SECONDS, run_reader(reader, samples)))
    return out


def score_changes(changes: Sequence[EmotionChange], resamples: int = 1000) -> list[Score]:
    """Score changes: the median time to half-way of those that moved, their share, and flips a second."""
    if not changes:
        return []
    halves = np.array([c.half_way_seconds for c in changes])
    measured_halves = halves[~np.isnan(halves)]
    flips, seconds = (np.array(column, float) for column in zip(*(c.flips for c in changes), strict=True))
    scores = []

    def add(name: str, metric: Metric, n: int) -> None:
        scores.append(Score("live reader", name, *bootstrap(metric, n, resamples=resamples), n))

    if len(measured_halves):
        add("median seconds to half-way", lambda k: float(np.median(measured_halves[k])), len(measured_halves))
    add(f"share of changes that moved {MIN_MOVE:g} or more", create_mean_metric(~np.isnan(halves)), len(changes))
    add("flips a second on a steady clip", lambda k: float(flips[k].sum() / seconds[k].sum()), len(changes))
    return scores
