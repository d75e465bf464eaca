"""Predictions of clips from their windows, and scores with n and a 95 % interval (bootstrap)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.nets.adaptation import VoiceAdaptation
from kelly_live.emotion.nets.emotion import LABELS, EmotionOutput, MultiScaleEmotionNet
from kelly_live.emotion.nets.members import Description
from kelly_live.lab.corpora.manifest import QUADRANTS, Clip
from kelly_live.lab.corpora.targets import average_bar_ratings, find_label
from kelly_live.lab.intervals import RESAMPLES, bootstrap
from kelly_live.lab.training.windows import Windows

# The labels of each set's actors: the choices when comparing with published figures.
CHOICES = {
    "crema_d": ("angry", "disgusted", "fearful", "happy", "neutral", "sad"),
    "emogator": ("happy", "sad", "angry", "fearful", "surprised", "disgusted", "neutral", "excited", "calm"),
    "ravdess_speech": ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgusted", "surprised"),
    "ravdess_song": ("neutral", "calm", "happy", "sad", "angry", "fearful"),
    "emodb": ("angry", "boredom", "disgusted", "fearful", "happy", "sad", "neutral"),
    "nemo_polish": ("angry", "fearful", "happy", "sad", "surprised", "neutral"),
    "ased_amharic": ("neutral", "fearful", "happy", "sad", "angry"),
}


@dataclass(frozen=True, slots=True)
class Score:
    """A value of a metric on a data set, with its 95 % interval over `n` clips."""

    dataset: str
    metric: str
    value: float
    low: float
    high: float
    n: int

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON; in model cards the metric's key is `measure`."""
        row = asdict(self)
        return {"dataset": row.pop("dataset"), "measure": row.pop("metric"), **row}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Score:
        """Read what `as_dict` wrote."""
        return cls(metric=row["measure"], **{key: value for key, value in row.items() if key != "measure"})


@dataclass(frozen=True, slots=True)
class Predictions:
    """The net's outputs, one row for each window.

    Probabilities `[N, 8]`, label probabilities `[N, 10]`, valence, arousal and dominance `[N, 3]`, confidence,
    presence and music `[N]`, GEMS fractions `[N, 9]`.
    """

    emotions: np.ndarray
    labels: np.ndarray
    affect: np.ndarray
    confidence: np.ndarray
    presence: np.ndarray
    gems: np.ndarray
    music: np.ndarray

    @classmethod
    def of(cls, out: EmotionOutput) -> Predictions:
        """Convert the net's output to arrays."""
        return cls(
            torch.softmax(out.emotion_logits, 1).cpu().numpy(),
            torch.softmax(out.label_logits, 1).cpu().numpy(),
            torch.stack((out.valence, out.arousal, out.dominance), 1).cpu().numpy(),
            out.confidence.cpu().numpy(),
            out.presence.cpu().numpy(),
            out.gems.cpu().numpy(),
            out.music.cpu().numpy(),
        )


def select_description(windows: Windows, rows: np.ndarray | slice, device: torch.device | None = None) -> Description:
    """Select rows of windows as the net's input."""
    parts = (getattr(windows, name)[rows] for name in Description._fields)
    return Description(*(torch.from_numpy(part).float().to(device or "cpu") for part in parts))


@torch.inference_mode()
def predict(net: MultiScaleEmotionNet, windows: Windows, batch: int = 512) -> Predictions:
    """Run the net over all windows, in eval mode."""
    net.eval()
    device = next(net.parameters()).device
    parts = [
        Predictions.of(net.predict(select_description(windows, slice(i, i + batch), device)))
        for i in range(0, len(windows), batch)
    ]
    return Predictions(*(np.concatenate([getattr(p, name) for p in parts]) for name in Predictions.__slots__))


def predict_in_turn(net: MultiScaleEmotionNet, windows: Windows, sound_seconds: np.ndarray) -> Predictions:
    """Run the net over the windows of one session, in turn, as live: it adapts to the session if it can.

    `sound_seconds` of each window are new.
    """
    if net.adaptation_seconds <= 0.0:
        return predict(net, windows)
    adaptation = VoiceAdaptation(net.eval())
    parts = [
        Predictions.of(adaptation.predict(select_description(windows, slice(i, i + 1)), float(sound_seconds[i])))
        for i in range(len(windows))
    ]
    return Predictions(*(np.concatenate([getattr(p, name) for p in parts]) for name in Predictions.__slots__))


def predict_sessions(net: MultiScaleEmotionNet, clips: Sequence[Clip], windows: Windows, seed: int = 0) -> Predictions:
    """Run the net over sessions: each speaker's clips in a random order, from the first with no adaptation on."""
    rng = np.random.default_rng(seed)
    groups: dict[str, list[int]] = {clip.group: [] for clip in clips}
    for index, clip in enumerate(clips):
        groups[clip.group].append(index)
    rows: list[np.ndarray] = []
    parts: list[Predictions] = []
    for members in groups.values():
        order = [np.flatnonzero(windows.clip == index) for index in rng.permutation(members)]
        new = [np.diff(windows.end_seconds[clip_rows], prepend=0.0) for clip_rows in order]
        rows.append(np.concatenate(order))
        parts.append(predict_in_turn(net, windows.take(rows[-1]), np.concatenate(new)))
    back = np.argsort(np.concatenate(rows))
    return Predictions(*(np.concatenate([getattr(p, n) for p in parts])[back] for n in Predictions.__slots__))


def average_by_clip(rows: np.ndarray, clip: np.ndarray, count: int) -> np.ndarray:
    """Average the windows of each clip: `[N, …]` to `[count, …]`; a clip without windows is NaN."""
    total = np.zeros((count, *rows.shape[1:]))
    np.add.at(total, clip, rows)
    window_counts = np.bincount(clip, minlength=count).astype(float)
    window_counts[window_counts == 0] = np.nan
    mean: np.ndarray = total / window_counts.reshape(-1, *([1] * (rows.ndim - 1)))
    return mean


def compute_recall(truth: np.ndarray, guess: np.ndarray) -> float:
    """Compute the unweighted average recall over the classes that occur."""
    return float(np.mean([(guess[truth == c] == c).mean() for c in np.unique(truth)]))


def correlate(x: np.ndarray, y: np.ndarray) -> float:
    """Compute Pearson's r, or NaN for fewer than three values or a constant."""
    if len(x) < 3 or x.std() < 1e-9 or y.std() < 1e-9:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def compute_calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Compute the expected calibration error over `bins` equal-width bins."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(confidence[which == b].mean() - right[which == b].mean()) * (which == b).mean()
            for b in set(which.tolist())
        )
    )


Metric = Callable[[np.ndarray], float]  # of the clips with these indices


def create_mean_metric(right: np.ndarray) -> Metric:
    """Create the mean: accuracy of right and wrong, or an average error."""
    return lambda k: float(right[k].mean())


def create_recall_metric(truth: np.ndarray, guess: np.ndarray) -> Metric:
    """Create the unweighted average recall."""
    return lambda k: compute_recall(truth[k], guess[k])


def create_correlation_metric(truth: np.ndarray, guess: np.ndarray) -> Metric:
    """Create Pearson's r, or its mean over the columns."""
    pairs = list(zip(np.atleast_2d(truth.T), np.atleast_2d(guess.T), strict=True))
    return lambda k: float(np.nanmean([correlate(t[k], g[k]) for t, g in pairs]))


def create_pooled_correlation_metric(truth: list[np.ndarray], guess: list[np.ndarray]) -> Metric:
    """Create Pearson's r over all rows of the chosen clips."""
    return lambda k: correlate(np.concatenate([truth[i] for i in k]), np.concatenate([guess[i] for i in k]))


def create_calibration_metric(confidence: np.ndarray, right: np.ndarray) -> Metric:
    """Create the expected calibration error."""
    return lambda k: compute_calibration_error(confidence[k], right[k])


def find_quadrants(affect: np.ndarray) -> np.ndarray:
    """Find the quadrant of (valence, arousal) `[N, 2+]`: 0-3 for Q1-Q4."""
    signs = [tuple(np.where(row[:2] >= 0, 1.0, -1.0)) for row in affect]
    order = list(QUADRANTS.values())
    return np.array([order.index(pair) for pair in signs])


def evaluate(clips: Sequence[Clip], windows: Windows, answers: Predictions, resamples: int = RESAMPLES) -> list[Score]:
    """Compute all scores that the clips' labels allow, by data set; without intervals for 0 `resamples`."""
    scores: list[Score] = []

    def add(dataset: str, name: str, metric: Metric, n: int) -> None:
        scores.append(Score(dataset, name, *bootstrap(metric, n, resamples=resamples), n))

    mean = {name: average_by_clip(getattr(answers, name), windows.clip, len(clips)) for name in Predictions.__slots__}
    for dataset in sorted({clip.dataset for clip in clips}):
        indices = np.array(
            [i for i, clip in enumerate(clips) if clip.dataset == dataset and not np.isnan(mean["presence"][i])]
        )
        if not len(indices):
            continue
        first, n = clips[indices[0]], len(indices)
        affect, confidence = mean["affect"][indices], mean["confidence"][indices]
        if dataset in CHOICES or (first.emotions is not None and first.gems is None):
            _score_voices(dataset, [clips[i] for i in indices], {k: v[indices] for k, v in mean.items()}, add)
        if first.quadrant is not None:
            quadrants = [clips[i].quadrant or "Q1" for i in indices]
            right = find_quadrants(affect) == np.array([list(QUADRANTS).index(q) for q in quadrants])
            halves = np.where(affect[:, :2] >= 0, 1.0, -1.0) == np.array([QUADRANTS[q] for q in quadrants])
            add(dataset, "4 quadrants", create_mean_metric(right), n)
            add(dataset, "valence half", create_mean_metric(halves[:, 0]), n)
            add(dataset, "arousal half", create_mean_metric(halves[:, 1]), n)
            add(dataset, "ECE of confidence", create_calibration_metric(confidence, right), n)
        if first.gems is not None:
            add(
                dataset,
                "mean r of 9 GEMS",
                create_correlation_metric(np.array([clips[i].gems for i in indices]), mean["gems"][indices]),
                n,
            )
        if first.bar_ratings is not None:
            rows = [np.flatnonzero(windows.clip == i) for i in indices]
            ratings = [
                np.array([average_bar_ratings(clips[i], float(end)) for end in windows.end_seconds[r]])
                for i, r in zip(indices, rows, strict=True)
            ]
            for axis, name in enumerate(("valence", "arousal")):
                truth = np.array([h[:, axis].mean() for h in ratings])
                add(dataset, f"{name} r a piece", create_correlation_metric(truth, affect[:, axis]), n)
                predictions = [answers.affect[r, axis] for r in rows]
                add(
                    dataset,
                    f"{name} r a window",
                    create_pooled_correlation_metric([h[:, axis] for h in ratings], predictions),
                    n,
                )
    return scores


def _score_voices(
    dataset: str,
    clips: list[Clip],
    mean: dict[str, np.ndarray],
    add: Callable[[str, str, Metric, int], None],
) -> None:
    """Score the closed choice among the actors' labels, and the open choice among the eight emotions."""
    choices = [LABELS.index(name) for name in CHOICES.get(dataset, EMOTIONS)]
    truth = np.array([find_label(clip) for clip in clips])
    guess = np.array(choices)[np.argmax(mean["labels"][:, choices], axis=1)]
    n = len(choices)
    add(dataset, f"accuracy of {n}", create_mean_metric(truth == guess), len(clips))
    add(dataset, f"UAR of {n}", create_recall_metric(truth, guess), len(clips))
    if all(clip.votes is not None for clip in clips):
        votes = np.array([clip.votes for clip in clips])
        six = [EMOTIONS.index(LABELS[choice]) for choice in choices]
        is_agreed = votes[:, six].argmax(axis=1) == np.array([choices.index(t) for t in truth])
        is_agreed &= np.sort(votes, axis=1)[:, -1] > np.sort(votes, axis=1)[:, -2]
        if is_agreed.any():
            agreed = (truth == guess)[is_agreed]
            add(dataset, f"accuracy of {n}, listeners agree", create_mean_metric(agreed), len(agreed))
        add(
            dataset, f"mean r of {n} votes", create_correlation_metric(votes[:, six], mean["emotions"][:, six]),
            len(clips),
        )  # fmt: skip
    indices = np.array([i for i, clip in enumerate(clips) if clip.emotions is not None])
    true_emotions = np.array([int(np.argmax(clips[i].emotions or ())) for i in indices])
    probabilities = mean["emotions"][indices]
    guessed_emotions = np.argmax(probabilities, axis=1)
    right = (guessed_emotions == true_emotions).astype(float)
    add(dataset, "accuracy, open 8", create_mean_metric(right), len(indices))
    top, sure = probabilities.max(axis=1), mean["confidence"][indices]
    add(dataset, "ECE of probabilities", create_calibration_metric(top, right), len(indices))
    add(dataset, "ECE of confidence", create_calibration_metric(sure, right), len(indices))


def compute_overall_score(scores: Sequence[Score]) -> float:
    """Compute the score for early stopping.

    It is the mean over data sets of accuracies, recalls and correlations.
    """
    groups: dict[str, list[float]] = {}
    for score in scores:
        if not score.metric.startswith("ECE") and not np.isnan(score.value):
            groups.setdefault(score.dataset, []).append(score.value)
    return float(np.mean([np.mean(values) for values in groups.values()])) if groups else 0.0


def format_scores(scores: Sequence[Score]) -> str:
    """Format a Markdown table of scores."""
    lines = ["| data | metric | value | 95 % interval | n |", "|---|---|---|---|---|"]
    lines += [f"| {s.dataset} | {s.metric} | {s.value:.3f} | {s.low:.3f} – {s.high:.3f} | {s.n} |" for s in scores]
    return "\n".join(lines)
