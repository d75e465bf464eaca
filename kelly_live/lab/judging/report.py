"""The report of `kelly-live lab evaluate`: the shipped nets and the live reader on held-out clips."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import Mapper
from kelly_live.core.resources import OPEN_MODELS
from kelly_live.core.values import AudioWindow
from kelly_live.emotion.nets.checkpoint import load_checkpoint
from kelly_live.emotion.nets.scales import HOP_SAMPLES, SAMPLE_RATE
from kelly_live.emotion.reader import LiveEmotionReader, load_emotion_net, load_temporal_model
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.intervals import bootstrap
from kelly_live.lab.judging.goals import GOALS, OPEN_GOALS, GoalRow, match_goals
from kelly_live.lab.judging.open_report import OPTIONS, read_open_test_clips, score_open
from kelly_live.lab.judging.stream_scores import EmotionChange, run_changes, score_changes, score_reader
from kelly_live.lab.training.scores import Predictions, Score, evaluate, predict
from kelly_live.lab.training.sources import Log, Sources, load_sound_windows, load_windows
from kelly_live.lab.training.windows import (
    TEST_OPTIONS,
    Windows,
)
from kelly_live.mapping.mapper import load_mapper


def summarise_sounds(
    kinds: Sequence[str], windows: Windows, sounds: Predictions, clips: Predictions
) -> dict[str, float]:
    """Average the net's confidence on background sounds by kind, beside its mean on clips."""
    out = {"mean confidence on real clips": float(clips.confidence.mean())}
    for kind in dict.fromkeys(kinds):
        rows = np.isin(windows.clip, [i for i, k in enumerate(kinds) if k == kind])
        out[f"mean confidence on {kind}"] = float(sounds.confidence[rows].mean())
        out[f"mean presence on {kind}"] = float(sounds.presence[rows].mean())
    return out


def measure_hop(reader: LiveEmotionReader, mapper: Mapper | None = None, hops: int = 60) -> Score:
    """Measure the median milliseconds of a whole 250 ms hop after a warm-up.

    Features, net and temporal model; and the mapper to the music's parameters if there is one.
    """
    rng = np.random.default_rng(0)
    reader.reset()
    hop_seconds = []
    for i in range(hops):
        samples = (0.1 * rng.standard_normal(HOP_SAMPLES)).astype(np.float32)
        start_time = time.perf_counter()
        for state in reader.push(AudioWindow(samples, SAMPLE_RATE, (i + 1) * HOP_SAMPLES / SAMPLE_RATE)):
            if mapper is not None:
                mapper(state)
        hop_seconds.append(1000.0 * (time.perf_counter() - start_time))
    reader.reset()
    warm = np.array(hop_seconds[hops // 3 :])
    name = "median ms, sound to emotion" if mapper is None else "median ms, sound to parameters"
    return Score("hop", name, *bootstrap(lambda k: float(np.median(warm[k])), len(warm), resamples=1000), len(warm))


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The result of an evaluation.

    The table of goals, the scores of the emotion net alone (`scores`), of the whole live reader (`live`) and of
    background sounds; `changes` are the sudden changes behind `live`.
    """

    rows: list[GoalRow]
    scores: list[Score]
    live: list[Score]
    sounds: dict[str, float]
    clips: list[Clip]
    windows: Windows
    answers: Predictions
    changes: list[EmotionChange]
    reader: LiveEmotionReader

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        return {
            "table": [row.as_dict() for row in self.rows],
            "scores": [score.as_dict() for score in self.scores],
            "live": [score.as_dict() for score in self.live],
            "sounds": self.sounds,
        }


def evaluate_shipped(sources: Sources, models: Path, log: Log, reader_clips: int = 40) -> EvaluationResult:
    """Evaluate the nets of `models` on the `val` parts.

    If `sources.model_set` is "open", `sources.data` is the folder that holds open/, emotion/ and symbolic/, and the
    goals are those of the open set (`open_report.py`).

    The whole live reader runs on at most `reader_clips` of each data set.

    Raises:
        ConfigError: There are no clips of the split `val`.
    """
    net = load_emotion_net(models / "emotion.safetensors")
    card = load_checkpoint(models / "emotion.safetensors", "emotion").card
    reader = LiveEmotionReader(net, load_temporal_model(models / "temporal.safetensors"), torch.device("cpu"))
    open_data = sources.data if sources.model_set == OPEN_MODELS else None
    if open_data is not None:
        clips, options, goals = read_open_test_clips(open_data, sources.cache), OPTIONS, OPEN_GOALS
    else:
        clips, options, goals = sources.read_clips(log)["val"], TEST_OPTIONS, GOALS
    if not clips:
        raise ConfigError("the manifests have no clips with split 'val'; there is nothing to measure on")
    windows = load_windows(net, clips, sources.cache, options, log)
    answers = predict(net, windows)
    kinds, noise = load_sound_windows(net, "val", sources.cache)
    scores = evaluate(clips, windows, answers) if open_data is None else score_open(net, clips, windows, answers)
    scores += [Score.from_dict(score) for score in card.get("unseen", [])]  # measured when this net was trained
    mapper = load_mapper(models) if (models / "mapper.safetensors").is_file() else None
    live = [measure_hop(reader, mapper)]
    changes = run_changes(reader, clips)
    live += score_changes(changes)
    live += score_reader(reader, clips, reader_clips, log)
    calm = summarise_sounds(kinds, noise, predict(net, noise), answers)
    rows = match_goals(scores, live, goals)
    return EvaluationResult(rows, scores, live, calm, clips, windows, answers, changes, reader)
