"""What `kelly-live lab evaluate` measures for the open set: its own corpora, and others that it never heard.

The voices that it learned from are scored on other speakers. RAVDESS, nEMO and ASED, EMOPIA, VGMIDI and Emotify taught
it nothing: of the voices, the clips that are angry, happy, sad or neutral are used. Voices are scored clip by clip, and
in sessions (a speaker's clips one after another in a random order, as the net adapts to a voice and a room).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import GEMS
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.lab.corpora.clips import limit_clips
from kelly_live.lab.corpora.manifest import Clip, read_manifest, read_scores
from kelly_live.lab.corpora.open_data import gather_open_voices
from kelly_live.lab.corpora.rendering import render_midi
from kelly_live.lab.corpora.targets import GEMS_AFFECT, is_music
from kelly_live.lab.intervals import RESAMPLES, bootstrap
from kelly_live.lab.judging.goals import SESSIONS
from kelly_live.lab.judging.unseen_languages import has_one_of_four, score_unseen
from kelly_live.lab.training.scores import (
    Predictions,
    Score,
    average_by_clip,
    create_correlation_metric,
    evaluate,
    predict_sessions,
)
from kelly_live.lab.training.windows import OPEN_TEST_OPTIONS, Windows

UNSEEN_VOICES = {"ravdess_speech": 128, "nemo_polish": 192, "ased_amharic": 128}  # clips of `val`, by a hash
UNSEEN_SONGS = {"emopia": 128, "vgmidi": 28}  # scores, rendered
RATED_RECORDINGS = "emotify"
OPTIONS = dataclasses.replace(OPEN_TEST_OPTIONS, music_seconds={RATED_RECORDINGS: 24.0, "emopia": 24.0, "vgmidi": 40.0})
_RENDER_SECONDS = 45.0


def read_open_test_clips(data: Path, cache: Path) -> list[Clip]:
    """Read the test clips of the folder that holds open/, emotion/ and symbolic/; scores are rendered.

    Raises:
        ConfigError: There is no such clip.
    """
    clips = [clip for clip in gather_open_voices(data, cache) if clip.split == "val"]
    recordings = data / "emotion" / "manifest.jsonl"
    voices = read_manifest(recordings, tuple(UNSEEN_VOICES)) if recordings.is_file() else []
    rated = read_manifest(recordings, (RATED_RECORDINGS,)) if recordings.is_file() else []
    scores = read_scores(data / "symbolic" / "manifest.jsonl") if (data / "symbolic").is_dir() else []
    for pool, counts in ((voices, UNSEEN_VOICES), (scores, UNSEEN_SONGS)):
        for dataset, most in counts.items():
            usable = [c for c in pool if c.dataset == dataset and c.split == "val"]
            clips += limit_clips([c for c in usable if c.kind == "music" or is_music(c) or has_one_of_four(c)], most)
    clips = [_render(clip, cache) if clip.dataset in UNSEEN_SONGS else clip for clip in clips]
    clips += [clip for clip in rated if clip.split == "val"]
    if not clips:
        raise ConfigError(f"{data} has no clips with split 'val'; there is nothing to measure on")
    return clips


def _render(score: Clip, cache: Path) -> Clip:
    audio = render_midi(score.audio_path, cache, seconds=_RENDER_SECONDS)
    return dataclasses.replace(score, audio_path=audio, speaker=score.speaker or score.key)


def score_open(
    net: MultiScaleEmotionNet, clips: Sequence[Clip], windows: Windows, answers: Predictions,
    resamples: int = RESAMPLES,
) -> list[Score]:  # fmt: skip
    """Score the net on `read_open_test_clips`, clip by clip and in sessions."""
    names = np.array([clip.dataset for clip in clips])
    music = np.array([is_music(clip) is True for clip in clips])
    unseen = np.isin(names, list(UNSEEN_VOICES))
    sessions = ("", answers), (SESSIONS, predict_sessions(net, clips, windows))
    scores: list[Score] = []
    for suffix, each in sessions:
        known = ~unseen if not suffix else ~unseen & ~music
        for mask, score in ((known, evaluate), (unseen, score_unseen)):
            part, part_windows, part_answers = _select(mask, clips, windows, each)
            if part:
                rows = score(part, part_windows, part_answers, resamples)
                scores += [dataclasses.replace(row, dataset=row.dataset + suffix) for row in rows]
    return scores + _score_positions([*clips], windows, answers, resamples)


def _select(
    mask: np.ndarray, clips: Sequence[Clip], windows: Windows, answers: Predictions
) -> tuple[list[Clip], Windows, Predictions]:
    rows = np.flatnonzero(mask[windows.clip])
    part = windows.take(rows)
    part = dataclasses.replace(part, clip=(np.cumsum(mask) - 1)[part.clip])
    chosen = [clip for clip, is_chosen in zip(clips, mask, strict=True) if is_chosen]
    return chosen, part, Predictions(*(getattr(answers, name)[rows] for name in Predictions.__slots__))


def _score_positions(clips: list[Clip], windows: Windows, answers: Predictions, resamples: int) -> list[Score]:
    """Correlate valence and arousal with the mean position of the GEMS emotions that listeners chose."""
    indices = [i for i, clip in enumerate(clips) if clip.gems is not None]
    if not indices:
        return []
    shares = np.array([clips[i].gems for i in indices])
    truth = shares / shares.sum(axis=1, keepdims=True) @ np.array([GEMS_AFFECT[name] for name in GEMS])
    affect = average_by_clip(answers.affect, windows.clip, len(clips))[indices]
    return [
        Score(
            clips[indices[0]].dataset, f"{name}-like axis r",
            *bootstrap(create_correlation_metric(truth[:, axis], affect[:, axis]), len(indices), resamples=resamples),
            len(indices),
        )
        for axis, name in enumerate(("valence", "arousal"))
    ]  # fmt: skip
