"""The effect of calibration with a neutral take, on speakers that the nets did not learn from.

Some neutral clips of each speaker are the take. Their average is subtracted from the speaker's other clips as
`profiles/calibration.py` does it. Valence and arousal are compared with the anchors of the acted emotion
(`EMOTION_VAD`), before and after. `python -m kelly_live.lab.judging.neutral_calibration DATA --cache CACHE` prints it.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.core.resources import find_resources
from kelly_live.core.values import EMOTION_VAD, EMOTIONS
from kelly_live.lab.intervals import Estimate, bootstrap
from kelly_live.lab.training.scores import average_by_clip, predict
from kelly_live.lab.training.sources import Sources, load_windows
from kelly_live.lab.training.windows import TEST_OPTIONS
from kelly_live.profiles.calibration import Calibration

AXES = ("valence", "arousal")
TAKE_CLIPS = 6  # at most, and never more than half of a speaker's neutral clips: 10 to 20 s of speech
MIN_CLIPS = 10  # of a speaker, beside the take
DRAWS = 50  # of which neutral clips are the take
RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class ClipPrediction:
    """The emotion net's valence, arousal and dominance of a clip, weighted by confidence as in `analyze`."""

    dataset: str
    speaker: str
    emotion: str
    place: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class CalibrationEffect:
    """The effect of a take on `clips` clips of `speakers` speakers, outside the takes.

    The correlation with the acted emotion and the root mean square error before, and the change of both with a take (95
    % over speakers).
    """

    dataset: str
    axis: str
    speakers: int
    clips: int
    correlation: float
    more_correlation: tuple[float, float, float]
    error: float
    more_error: tuple[float, float, float]


def predict_clips(data: Path, cache: Path, log: Callable[[str], None]) -> list[ClipPrediction]:
    """Predict every clip with a speaker and an emotion, of speakers that the net was not fitted on.

    The prediction is the average over windows, weighted by confidence.
    """
    from kelly_live.emotion.reader import load_emotion_net

    net = load_emotion_net(find_resources("models") / "emotion.safetensors")
    parts = Sources(data, None, cache).read_all_clips(log)
    reads = []
    for part in ("val", "fold"):
        clips = [clip for clip in parts[part] if clip.speaker is not None and clip.emotions is not None]
        windows = load_windows(net, clips, cache, TEST_OPTIONS, log)
        answers = predict(net, windows)
        weights = answers.confidence[:, None] + 1e-6
        places = average_by_clip(answers.affect * weights, windows.clip, len(clips)) / average_by_clip(
            weights, windows.clip, len(clips)
        )
        for clip, place in zip(clips, places.tolist(), strict=True):
            if clip.speaker is not None and clip.emotions is not None and not np.isnan(place).any():
                emotion = EMOTIONS[int(np.argmax(clip.emotions))]
                reads.append(ClipPrediction(clip.dataset, clip.speaker, emotion, (place[0], place[1], place[2])))
    return reads


def measure_effects(reads: Sequence[ClipPrediction], seed: int = 1) -> list[CalibrationEffect]:
    """Measure the effect for each data set with enough speakers, and for all of them together ("all")."""
    rng = np.random.default_rng(seed)
    groups: dict[str, list[ClipPrediction]] = defaultdict(list)
    for one in reads:
        groups[one.speaker].append(one)
    trials = {speaker: _draw_trials(clips, rng) for speaker, clips in sorted(groups.items())}
    usable = {speaker: trial for speaker, trial in trials.items() if trial is not None}
    by_set: dict[str, list[str]] = defaultdict(list)
    for speaker in usable:
        by_set[groups[speaker][0].dataset].append(speaker)
    return [
        _measure_effect(name, axis, [usable[speaker] for speaker in members], rng)
        for name, members in [*sorted(by_set.items()), ("all", list(usable))]
        for axis in range(len(AXES))
    ]


@dataclass(frozen=True, slots=True)
class _CalibrationTrials:
    """A speaker's clips outside the take, for each draw `[draws, n, 2]`: acted, predicted, and calibrated."""

    acted: np.ndarray
    plain: np.ndarray
    calibrated: np.ndarray


def _draw_trials(clips: Sequence[ClipPrediction], rng: np.random.Generator) -> _CalibrationTrials | None:
    neutral = [index for index, one in enumerate(clips) if one.emotion == "neutral"]
    size = min(TAKE_CLIPS, len(neutral) // 2)
    if size < 2 or len(clips) - size < MIN_CLIPS:
        return None
    places = np.array([one.place for one in clips])
    targets = np.array([EMOTION_VAD[one.emotion][:2] for one in clips])
    draws = []
    for _ in range(DRAWS):
        take = rng.choice(neutral, size, replace=False)
        rest = np.setdiff1d(np.arange(len(clips)), take)
        offset = np.array(Calibration.of(places[take].tolist(), -30.0, -60.0, "2026-01-01T00:00:00Z", 15.0).offset)
        plain = places[rest][:, :2]
        draws.append((targets[rest], plain, np.clip(plain - offset[:2], -1.0, 1.0)))
    return _CalibrationTrials(*(np.stack(part) for part in zip(*draws, strict=True)))


def _measure_effect(
    name: str, axis: int, trials: Sequence[_CalibrationTrials], rng: np.random.Generator
) -> CalibrationEffect:
    def scores(sample: Sequence[_CalibrationTrials]) -> tuple[float, float, float, float]:
        """Average over the draws: correlation and its change, error and its change."""
        targets, plain, less = (
            np.concatenate([getattr(one, part)[:, :, axis] for one in sample], axis=1)
            for part in ("acted", "plain", "calibrated")
        )
        before, after = _correlate_rows(targets, plain), _correlate_rows(targets, less)
        wrong, now = (np.sqrt(((targets - predictions) ** 2).mean(axis=1)) for predictions in (plain, less))
        return before.mean(), (after - before).mean(), wrong.mean(), (now - wrong).mean()

    correlation, _, error, _ = map(float, scores(trials))

    def estimate(part: int) -> Estimate:
        return bootstrap(
            lambda speakers: scores([trials[i] for i in speakers])[part], len(trials), resamples=RESAMPLES, seed=rng
        )

    more, worse = estimate(1), estimate(3)
    clips = sum(one.acted.shape[1] for one in trials)
    return CalibrationEffect(name, AXES[axis], len(trials), clips, correlation, more, error, worse)


def _correlate_rows(targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (targets, predictions))
    correlations: np.ndarray = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1)).clip(min=1e-12)
    return correlations


def format_effects(rows: Sequence[CalibrationEffect]) -> str:
    """Format a Markdown table of effects."""
    lines = ["| set | | speakers | clips | r | with a take | RMSE | with a take |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        more, worse = (f"{v[0]:+.3f} ({v[1]:+.3f} – {v[2]:+.3f})" for v in (row.more_correlation, row.more_error))
        lines.append(
            f"| {row.dataset} | {row.axis} | {row.speakers} | {row.clips} | {row.correlation:.3f} | {more} "
            f"| {row.error:.3f} | {worse} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the effects for the data sets of a folder."""
    parser = argparse.ArgumentParser(
        description="The effect of a neutral take on speakers that the nets did not learn from."
    )
    parser.add_argument("data", type=Path, help="the folder of manifest.jsonl")
    parser.add_argument("--cache", type=Path, required=True, help="where features are cached")
    options = parser.parse_args(arguments)
    print(
        format_effects(
            measure_effects(predict_clips(options.data, options.cache, lambda line: print(line, file=sys.stderr)))
        )
    )


if __name__ == "__main__":
    main()
