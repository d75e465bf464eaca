"""Scores on a language without training data.

A net that learned from no clip of a data set, nor of any other in its language, is tested on all of it: a choice of
angry, happy, sad and neutral. "Calm" counts as neutral; other labels are not tested.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.intervals import RESAMPLES, bootstrap
from kelly_live.lab.judging.goals import UNSEEN
from kelly_live.lab.training.scores import (
    Metric,
    Predictions,
    Score,
    average_by_clip,
    create_calibration_metric,
    create_mean_metric,
    create_recall_metric,
)
from kelly_live.lab.training.windows import Windows, hash_front_end

FOUR = ("angry", "happy", "sad", "neutral")
_CHOICES = [EMOTIONS.index(name) for name in FOUR]


def has_one_of_four(clip: Clip) -> bool:
    """Return whether the actor was asked for one of FOUR."""
    is_labelled = clip.emotions is not None and clip.gems is None and max(clip.emotions) == 1.0
    return is_labelled and int(np.argmax(clip.emotions or ())) in _CHOICES


def leave_out_languages(parts: Mapping[str, list[Clip]], names: Sequence[str]) -> dict[str, list[Clip]]:
    """Leave out data sets and all that share a language with them; collect their test clips as `unseen`.

    `unseen` holds every clip with one of the four labels, of any split. `parts` must be complete, before any clip was
    dropped.

    Raises:
        ConfigError: A data set is unknown, or nothing is left to train or test on.
    """
    everything = [clip for part in parts.values() for clip in part]
    dataset_names = {clip.dataset for clip in everything}
    if unknown_names := sorted(set(names) - dataset_names):
        raise ConfigError(
            f"there is no data set {', '.join(unknown_names)} to leave out; "
            f"there are {', '.join(sorted(dataset_names))}"
        )
    languages = {clip.language for clip in everything if clip.dataset in names} - {None}
    excluded_names = {clip.dataset for clip in everything if clip.language in languages} | set(names)
    remaining_parts = {
        name: [clip for clip in part if clip.dataset not in excluded_names] for name, part in parts.items()
    }
    if not remaining_parts["fit"] or not remaining_parts["fold"]:
        raise ConfigError(f"without {', '.join(sorted(excluded_names))} nothing is left to train on; leave out less")
    unseen = [clip for clip in everything if clip.dataset in names and has_one_of_four(clip)]
    if not unseen:
        raise ConfigError(f"{', '.join(names)} has no clip that is one of {', '.join(FOUR)}; leave out another")
    return {**remaining_parts, "unseen": unseen}


def compute_auroc(confident: np.ndarray, right: np.ndarray) -> float:
    """Compute the area under the ROC curve of confidence, or NaN where all answers are right or all wrong.

    It is the probability that a right answer has more confidence than a wrong one; .5 means no information.
    """
    yes, no = confident[right], confident[~right]
    if not len(yes) or not len(no):
        return float("nan")
    return float(np.mean((yes[:, None] > no).astype(float) + 0.5 * (yes[:, None] == no)))


def score_unseen(
    clips: Sequence[Clip], windows: Windows, answers: Predictions, resamples: int = RESAMPLES
) -> list[Score]:
    """Score the closed choice of four, the open choice among eight, and the confidence.

    A clip's answer is the mean over its windows.
    """
    emotions = average_by_clip(answers.emotions, windows.clip, len(clips))
    confidence = average_by_clip(answers.confidence, windows.clip, len(clips))
    scores = []
    for dataset in sorted({clip.dataset for clip in clips}):
        indices = np.array([i for i, c in enumerate(clips) if c.dataset == dataset and not np.isnan(emotions[i, 0])])
        truth = np.array([int(np.argmax(clips[i].emotions or ())) for i in indices])
        guess = np.array(_CHOICES)[emotions[indices][:, _CHOICES].argmax(axis=1)]
        right, confident = truth == emotions[indices].argmax(axis=1), confidence[indices]
        for name, metric in (
            ("accuracy of 4", create_mean_metric(truth == guess)),
            ("UAR of 4", create_recall_metric(truth, guess)),
            ("accuracy of the 4, open 8", create_mean_metric(right)),
            ("mean confidence", create_mean_metric(confident)),
            ("ECE of confidence", create_calibration_metric(confident, right.astype(float))),
            ("AUROC of confidence", _create_auroc_metric(confident, right)),
        ):
            if not np.isnan(metric(np.arange(len(indices)))):
                estimate = bootstrap(metric, len(indices), resamples=resamples)
                scores.append(Score(f"{UNSEEN}{dataset}", name, *estimate, len(indices)))
    return scores


def _create_auroc_metric(confident: np.ndarray, right: np.ndarray) -> Metric:
    return lambda k: compute_auroc(confident[k], right[k])


def score_known_languages(
    clips: Sequence[Clip], windows: Windows, answers: Predictions, names: Sequence[str]
) -> list[Score]:
    """Score the same net's confidence on held-out voices of the languages that it learned.

    The score is repeated for each of `names`, beside which it stands in the table.
    """
    confidence = average_by_clip(answers.confidence, windows.clip, len(clips))
    indices = np.array(
        [i for i, c in enumerate(clips) if has_one_of_four(c) and c.language and not np.isnan(confidence[i])]
    )
    if not len(indices):
        return []
    mean_confidence = bootstrap(create_mean_metric(confidence[indices]), len(indices), resamples=RESAMPLES)
    return [
        Score(f"{UNSEEN}{name}", "mean confidence, known languages", *mean_confidence, len(indices)) for name in names
    ]


def hash_recipe(
    net: MultiScaleEmotionNet, settings: Mapping[str, Any], most: int, parts: Mapping[str, list[Clip]]
) -> str:
    """Hash what two runs must share, apart from what is left out: net, front end, settings and clips."""
    trainable = [(name, tuple(p.shape)) for name, p in net.named_parameters() if p.requires_grad]
    clips = sorted((name, clip.key, clip.region or "") for name, part in parts.items() for clip in part)
    recipe = json.dumps([net.config, hash_front_end(net), trainable, dict(settings), most, clips], sort_keys=True)
    return hashlib.sha256(recipe.encode()).hexdigest()[:16]


def save_scores(cache: Path, recipe_hash: str, excluded_sets: Sequence[str], scores: Sequence[Score]) -> list[Path]:
    """Save a JSON file for each data set in `cache`/unseen."""
    paths = []
    for dataset in excluded_sets:
        dataset_scores = [s.as_dict() for s in scores if s.dataset == f"{UNSEEN}{dataset}"]
        path = cache / "unseen" / f"{dataset}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        result = {"recipe": recipe_hash, "trained_without": sorted(excluded_sets), "scores": dataset_scores}
        write_atomically(path, json.dumps(result, indent=1).encode())
        paths.append(path)
    return paths


def load_scores(cache: Path, recipe_hash: str) -> list[Score]:
    """Load the scores that were measured with the same recipe."""
    scores: list[Score] = []
    for path in sorted((cache / "unseen").glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if result["recipe"] == recipe_hash:
            scores += [Score.from_dict(row) for row in result["scores"]]
    return scores
