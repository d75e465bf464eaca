"""Measuring: a clip's answer from its windows, and the table of scores with n and a 95 % interval (bootstrap by clip)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from kelly_live.domain import EMOTIONS
from kelly_live.nets.emotion import LABELS, Description, EmotionOutput, MultiScaleEmotionNet
from kelly_live.training.manifest import QUADRANTS, Clip
from kelly_live.training.targets import label_of, measures_at
from kelly_live.training.windows import Windows

RESAMPLES = 1000
# What actors of each set were told: the answers to choose from when comparing with published figures.
CHOICES = {
    "ravdess_speech": ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgusted", "surprised"),
    "ravdess_song": ("neutral", "calm", "happy", "sad", "angry", "fearful"),
    "emodb": ("angry", "boredom", "disgusted", "fearful", "happy", "sad", "neutral"),
    "nemo_polish": ("angry", "fearful", "happy", "sad", "surprised", "neutral"),
    "ased_amharic": ("neutral", "fearful", "happy", "sad", "angry"),
}


@dataclass(frozen=True, slots=True)
class Score:
    """One measured number: `value` with its 95 % interval over `n` clips."""

    dataset: str
    measure: str
    value: float
    low: float
    high: float
    n: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Answers:
    """The net's answers, a row a window: probabilities `[N, 8]`, label probabilities `[N, 10]`, V/A/D `[N, 3]`,
    confidence and presence `[N]`, GEMS fractions `[N, 9]`."""

    emotions: np.ndarray
    labels: np.ndarray
    affect: np.ndarray
    confidence: np.ndarray
    presence: np.ndarray
    gems: np.ndarray

    @classmethod
    def of(cls, out: EmotionOutput) -> Answers:
        return cls(
            torch.softmax(out.emotion_logits, 1).cpu().numpy(),
            torch.softmax(out.label_logits, 1).cpu().numpy(),
            torch.stack((out.valence, out.arousal, out.dominance), 1).cpu().numpy(),
            out.confidence.cpu().numpy(),
            out.presence.cpu().numpy(),
            out.gems.cpu().numpy(),
        )


def description_of(windows: Windows, rows: np.ndarray | slice, device: torch.device | None = None) -> Description:
    parts = (windows.trunk[rows], windows.voice[rows], windows.picture[rows])
    return Description(*(torch.from_numpy(part).float().to(device or "cpu") for part in parts))


@torch.inference_mode()
def answer(net: MultiScaleEmotionNet, windows: Windows, batch: int = 512) -> Answers:
    """The net over all windows, in eval mode."""
    net.eval()
    device = next(net.parameters()).device
    parts = [
        Answers.of(net.judge(description_of(windows, slice(i, i + batch), device)))
        for i in range(0, len(windows), batch)
    ]
    return Answers(*(np.concatenate([getattr(p, name) for p in parts]) for name in Answers.__slots__))


def by_clip(rows: np.ndarray, clip: np.ndarray, count: int) -> np.ndarray:
    """The mean over each clip's windows: `[N, …]` to `[count, …]`; a clip without windows is NaN."""
    total = np.zeros((count, *rows.shape[1:]))
    np.add.at(total, clip, rows)
    seen = np.bincount(clip, minlength=count).astype(float)
    seen[seen == 0] = np.nan
    mean: np.ndarray = total / seen.reshape(-1, *([1] * (rows.ndim - 1)))
    return mean


def bootstrap(measure: Callable[[np.ndarray], float], n: int, resamples: int) -> tuple[float, float, float]:
    """`measure(indices)` over all, and the 2.5 and 97.5 percentiles over resamples (NaN for none)."""
    rng = np.random.default_rng(0)
    values = [measure(rng.integers(0, n, n)) for _ in range(resamples)]
    low, high = np.nanpercentile(values, [2.5, 97.5]) if values else (float("nan"), float("nan"))
    return float(measure(np.arange(n))), float(low), float(high)


def recall(truth: np.ndarray, guess: np.ndarray) -> float:
    """Unweighted average recall over the classes that occur."""
    return float(np.mean([(guess[truth == c] == c).mean() for c in np.unique(truth)]))


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 3 or x.std() < 1e-9 or y.std() < 1e-9:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over `bins` equal-width bins."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(confidence[which == b].mean() - right[which == b].mean()) * (which == b).mean()
            for b in set(which.tolist())
        )
    )


def quadrant_of(affect: np.ndarray) -> np.ndarray:
    """(V, A) `[N, 2+]` to 0-3 for Q1-Q4."""
    signs = [tuple(np.where(row[:2] >= 0, 1.0, -1.0)) for row in affect]
    order = list(QUADRANTS.values())
    return np.array([order.index(pair) for pair in signs])


def evaluate(clips: Sequence[Clip], windows: Windows, answers: Answers, resamples: int = RESAMPLES) -> list[Score]:
    """All scores that the clips' labels allow, dataset by dataset; without intervals where `resamples` is 0."""
    scores: list[Score] = []

    def add(dataset: str, name: str, measure: Callable[[np.ndarray], float], n: int) -> None:
        scores.append(Score(dataset, name, *bootstrap(measure, n, resamples), n))

    mean = {name: by_clip(getattr(answers, name), windows.clip, len(clips)) for name in Answers.__slots__}
    for dataset in sorted({clip.dataset for clip in clips}):
        own = np.array(
            [i for i, clip in enumerate(clips) if clip.dataset == dataset and not np.isnan(mean["presence"][i])]
        )
        if not len(own):
            continue
        first = clips[own[0]]
        if dataset in CHOICES or (first.emotions is not None and first.gems is None):
            _voice(dataset, [clips[i] for i in own], {k: v[own] for k, v in mean.items()}, add)
        if first.quadrant is not None:
            truth = np.array([list(QUADRANTS).index(clips[i].quadrant or "Q1") for i in own])
            guess = quadrant_of(mean["affect"][own])
            signs = np.array([QUADRANTS[clips[i].quadrant or "Q1"] for i in own])
            said = np.where(mean["affect"][own][:, :2] >= 0, 1.0, -1.0)
            add(dataset, "4 quadrants", lambda k, t=truth, g=guess: float((t[k] == g[k]).mean()), len(own))
            for axis, name in enumerate(("valence half", "arousal half")):
                right = (signs == said)[:, axis]
                add(dataset, name, lambda k, r=right: float(r[k].mean()), len(own))
            sure = mean["confidence"][own]
            add(
                dataset,
                "ECE of confidence",
                lambda k, c=sure, r=truth == guess: calibration_error(c[k], r[k]),
                len(own),
            )
        if first.gems is not None:
            truth = np.array([clips[i].gems for i in own])
            guess = mean["gems"][own]
            add(
                dataset, "mean r of 9 GEMS",
                lambda k, t=truth, g=guess: float(np.nanmean([correlation(t[k, j], g[k, j]) for j in range(t.shape[1])])),
                len(own),
            )  # fmt: skip
        if first.measures is not None:
            rows = [np.flatnonzero(windows.clip == i) for i in own]
            heard = [
                np.array([measures_at(clips[i], float(e)) for e in windows.end_seconds[r]])
                for i, r in zip(own, rows, strict=True)
            ]
            for axis, name in enumerate(("valence", "arousal")):
                truth = np.array([h[:, axis].mean() for h in heard])
                guess = mean["affect"][own][:, axis]
                add(dataset, f"{name} r a piece", lambda k, t=truth, g=guess: correlation(t[k], g[k]), len(own))
                pairs = [(h[:, axis], answers.affect[r, axis]) for h, r in zip(heard, rows, strict=True)]
                add(
                    dataset, f"{name} r a window",
                    lambda k, p=pairs: correlation(np.concatenate([p[i][0] for i in k]), np.concatenate([p[i][1] for i in k])),
                    len(own),
                )  # fmt: skip
    return scores


def _voice(
    dataset: str,
    clips: list[Clip],
    mean: dict[str, np.ndarray],
    add: Callable[[str, str, Callable[[np.ndarray], float], int], None],
) -> None:
    """Closed choice among what the actors were told (the label head), and the open answer among the eight."""
    choices = [LABELS.index(name) for name in CHOICES.get(dataset, EMOTIONS)]
    truth = np.array([label_of(clip) for clip in clips])
    guess = np.array(choices)[np.argmax(mean["labels"][:, choices], axis=1)]
    n = len(choices)
    add(dataset, f"accuracy of {n}", lambda k: float((truth[k] == guess[k]).mean()), len(clips))
    add(dataset, f"UAR of {n}", lambda k: recall(truth[k], guess[k]), len(clips))
    told = np.array([i for i, clip in enumerate(clips) if clip.emotions is not None])
    told_truth = np.array([int(np.argmax(clips[i].emotions or ())) for i in told])
    probabilities = mean["emotions"][told]
    open_guess = np.argmax(probabilities, axis=1)
    right = (open_guess == told_truth).astype(float)
    add(dataset, "accuracy, open 8", lambda k: float(right[k].mean()), len(told))
    top, sure = probabilities.max(axis=1), mean["confidence"][told]
    add(dataset, "ECE of probabilities", lambda k: calibration_error(top[k], right[k]), len(told))
    add(dataset, "ECE of confidence", lambda k: calibration_error(sure[k], right[k]), len(told))


def overall(scores: Sequence[Score]) -> float:
    """One number to stop by: the mean of every dataset's mean of accuracies, recalls and correlations."""
    groups: dict[str, list[float]] = {}
    for score in scores:
        if not score.measure.startswith("ECE") and not np.isnan(score.value):
            groups.setdefault(score.dataset, []).append(score.value)
    return float(np.mean([np.mean(values) for values in groups.values()])) if groups else 0.0


def table(scores: Sequence[Score]) -> str:
    """As markdown."""
    lines = ["| data | measure | value | 95 % interval | n |", "|---|---|---|---|---|"]
    lines += [f"| {s.dataset} | {s.measure} | {s.value:.3f} | {s.low:.3f} – {s.high:.3f} | {s.n} |" for s in scores]
    return "\n".join(lines)
