"""What `lab evaluate` measures of the open set: its own corpora, and voices that it never heard, in two ways."""

from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTIONS, GEMS
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.emotion.nets.members import WIDTHS
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.judging.goals import OPEN_GOALS, SESSIONS, match_goals
from kelly_live.lab.judging.open_report import read_open_test_clips, score_open
from kelly_live.lab.training.scores import predict
from kelly_live.lab.training.windows import Windows


def make_clip(dataset: str, index: int, emotion: str | None, **more: object) -> Clip:
    emotions = None if emotion is None else tuple(float(name == emotion) for name in EMOTIONS)
    return Clip(Path(f"{index}.wav"), dataset, "val", emotions=emotions, speaker=f"{dataset}:{index % 2}", **more)  # type: ignore[arg-type]


def make_windows(count: int) -> Windows:
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal((count, width)).astype(np.float32) for name, width in WIDTHS.items()}
    return Windows(**arrays, clip=np.arange(count), end_seconds=np.full(count, 2.0, np.float32))


def test_voices_are_scored_clip_by_clip_and_in_sessions_and_songs_once() -> None:
    clips = [make_clip("emodb", i, ("angry", "sad")[i % 2], kind="speech") for i in range(6)]
    clips += [make_clip("ravdess_speech", i, ("happy", "neutral")[i % 2], kind="speech") for i in range(6)]
    rng = np.random.default_rng(1)
    clips += [make_clip("emotify", i, None, kind="music", gems=tuple(rng.random(len(GEMS)))) for i in range(4)]
    net, windows = MultiScaleEmotionNet(adaptation_seconds=10.0), make_windows(len(clips))
    scores = score_open(net, clips, windows, predict(net, windows), resamples=0)
    measured = {(s.dataset, s.metric): s.n for s in scores}
    for suffix in ("", SESSIONS):
        assert measured[f"emodb{suffix}", "accuracy of 7"] == 6
        assert measured[f"unseen ravdess_speech{suffix}", "UAR of 4"] == 6
        assert ("ravdess_speech" + suffix, "accuracy of 8") not in measured  # only four of its labels are there
    assert measured["emotify", "arousal-like axis r"] == 4
    assert not any(dataset == f"emotify{SESSIONS}" for dataset, _ in measured)
    reached = [row for row in match_goals(scores, [], OPEN_GOALS) if row.score is not None]
    assert {"EmoDB, unseen speakers", "RAVDESS, never heard", "music, Emotify"} <= {row.goal.data for row in reached}


def test_a_folder_without_the_open_data_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is missing"):
        read_open_test_clips(tmp_path, tmp_path / "cache")
