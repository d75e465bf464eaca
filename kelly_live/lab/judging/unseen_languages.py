"""A language never trained on: a net that heard no clip of a data set, nor of any other in its language, is asked
about all of it, a choice of four: angry, happy, sad, neutral ("calm" counts as neutral; other labels are not asked).
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


def _is_tested(clip: Clip) -> bool:
    told = clip.emotions is not None and clip.gems is None and max(clip.emotions) == 1.0
    return told and int(np.argmax(clip.emotions or ())) in _CHOICES


def leave_out_languages(parts: Mapping[str, list[Clip]], names: Sequence[str]) -> dict[str, list[Clip]]:
    """The parts without those data sets and all that share a language with them, and beside them `unseen`: every clip
    of those sets that is one of the four, whatever its split. `parts` as gathered, before any clip was left away.
    """
    everything = [clip for part in parts.values() for clip in part]
    known = {clip.dataset for clip in everything}
    if strange := sorted(set(names) - known):
        raise ConfigError(
            f"there is no data set {', '.join(strange)} to leave out; there are {', '.join(sorted(known))}"
        )
    tongues = {clip.language for clip in everything if clip.dataset in names} - {None}
    related = {clip.dataset for clip in everything if clip.language in tongues} | set(names)
    load_scores = {name: [clip for clip in part if clip.dataset not in related] for name, part in parts.items()}
    if not load_scores["fit"] or not load_scores["fold"]:
        raise ConfigError(f"without {', '.join(sorted(related))} nothing is left to train on; leave out less")
    unseen = [clip for clip in everything if clip.dataset in names and _is_tested(clip)]
    if not unseen:
        raise ConfigError(f"{', '.join(names)} has no clip that is one of {', '.join(FOUR)}; leave out another")
    return {**load_scores, "unseen": unseen}


def compute_auroc(sure: np.ndarray, right: np.ndarray) -> float:
    """The chance that a right answer is surer than a wrong one (area under the ROC curve); .5 is a confidence that
    knows nothing, nan where all are right or all are wrong.
    """
    yes, no = sure[right], sure[~right]
    if not len(yes) or not len(no):
        return float("nan")
    return float(np.mean((yes[:, None] > no).astype(float) + 0.5 * (yes[:, None] == no)))


def score_unseen(clips: Sequence[Clip], windows: Windows, answers: Predictions) -> list[Score]:
    """The choice of four by the shared emotion head, a clip's answer being the mean over its windows; how often the
    open answer among the eight is right on the same clips; how sure it was, and what that was worth.
    """
    emotions = average_by_clip(answers.emotions, windows.clip, len(clips))
    confidence = average_by_clip(answers.confidence, windows.clip, len(clips))
    scores = []
    for dataset in sorted({clip.dataset for clip in clips}):
        own = np.array([i for i, c in enumerate(clips) if c.dataset == dataset and not np.isnan(emotions[i, 0])])
        truth = np.array([int(np.argmax(clips[i].emotions or ())) for i in own])
        guess = np.array(_CHOICES)[emotions[own][:, _CHOICES].argmax(axis=1)]
        right, sure = truth == emotions[own].argmax(axis=1), confidence[own]
        for name, metric in (
            ("accuracy of 4", create_mean_metric(truth == guess)),
            ("UAR of 4", create_recall_metric(truth, guess)),
            ("accuracy of the 4, open 8", create_mean_metric(right)),
            ("mean confidence", create_mean_metric(sure)),
            ("ECE of confidence", create_calibration_metric(sure, right.astype(float))),
            ("AUROC of confidence", _create_auroc_metric(sure, right)),
        ):
            if not np.isnan(metric(np.arange(len(own)))):
                scores.append(
                    Score(f"{UNSEEN}{dataset}", name, *bootstrap(metric, len(own), resamples=RESAMPLES), len(own))
                )
    return scores


def _create_auroc_metric(sure: np.ndarray, right: np.ndarray) -> Metric:
    return lambda k: compute_auroc(sure[k], right[k])


def score_known_languages(
    clips: Sequence[Clip], windows: Windows, answers: Predictions, names: Sequence[str]
) -> list[Score]:
    """How sure the same net was of held-out voices in the languages that it did learn, beside each of `names`."""
    confidence = average_by_clip(answers.confidence, windows.clip, len(clips))
    own = np.array([i for i, c in enumerate(clips) if _is_tested(c) and c.language and not np.isnan(confidence[i])])
    if not len(own):
        return []
    measured = bootstrap(create_mean_metric(confidence[own]), len(own), resamples=RESAMPLES)
    return [Score(f"{UNSEEN}{name}", "mean confidence, known languages", *measured, len(own)) for name in names]


def hash_recipe(
    net: MultiScaleEmotionNet, settings: Mapping[str, Any], most: int, parts: Mapping[str, list[Clip]]
) -> str:
    """What two runs must share to be the same training but for what is left out: net, frozen ears, settings, clips."""
    learned = [(name, tuple(p.shape)) for name, p in net.named_parameters() if p.requires_grad]
    clips = sorted((name, clip.key, clip.region or "") for name, part in parts.items() for clip in part)
    how = json.dumps([net.config, hash_front_end(net), learned, dict(settings), most, clips], sort_keys=True)
    return hashlib.sha256(how.encode()).hexdigest()[:16]


def save_scores(
    cache: Path, recipe_hash: str, leave_out_languages: Sequence[str], scores: Sequence[Score]
) -> list[Path]:
    """A JSON file a data set, in `cache`/unseen."""
    paths = []
    for dataset in leave_out_languages:
        own = [s.as_dict() for s in scores if s.dataset == f"{UNSEEN}{dataset}"]
        path = cache / "unseen" / f"{dataset}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        result = {"recipe": recipe_hash, "trained_without": sorted(leave_out_languages), "scores": own}
        write_atomically(path, json.dumps(result, indent=1).encode())
        paths.append(path)
    return paths


def load_scores(cache: Path, recipe_hash: str) -> list[Score]:
    """What was measured by the same recipe; anything else was another net and is not taken."""
    scores: list[Score] = []
    for path in sorted((cache / "unseen").glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if result["recipe"] == recipe_hash:
            scores += [Score.from_dict(row) for row in result["scores"]]
    return scores
