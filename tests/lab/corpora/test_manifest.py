"""Manifests: a missing label is None, and an error names its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.manifest import read_manifest, read_scores


def write(folder: Path, *lines: object) -> Path:
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines), encoding="utf-8")
    return path


def test_only_audio_path_is_needed(tmp_path: Path) -> None:
    (clip,) = read_manifest(write(tmp_path, {"audio_path": "a.wav"}))
    assert clip.audio_path == tmp_path / "a.wav"
    assert (clip.split, clip.emotions, clip.culture, clip.is_genuine) == ("train", None, None, None)


def test_emotions_are_normalised_to_sum_one(tmp_path: Path) -> None:
    (clip,) = read_manifest(write(tmp_path, {"audio_path": "a.wav", "emotions": [1, 1, 0, 0, 0, 0, 0, 0]}))
    assert clip.emotions == (0.5, 0.5, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{not json", "line 2 is not JSON"),
        ([1, 2], "line 2 is not a JSON object"),
        ({"emotions": None}, "line 2 has no audio_path"),
        ({"audio_path": "b.wav", "emotions": [1, 0]}, "line 2: emotions"),
        ({"audio_path": "b.wav", "emotions": [0] * 8}, "line 2: emotions"),
        ({"audio_path": "b.wav", "valence": 1.5}, "line 2: valence is 1.5"),
        ({"audio_path": "b.wav", "duration": "long"}, "line 2: duration"),
        ({"audio_path": "b.wav", "is_genuine": "yes"}, "line 2: is_genuine"),
        ({"audio_path": "b.wav", "culture": 7}, "line 2: culture"),
    ],
)
def test_an_error_names_the_number_of_the_line(tmp_path: Path, line: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_manifest(write(tmp_path, {"audio_path": "a.wav"}, line))


def test_an_empty_or_missing_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no clips"):
        read_manifest(write(tmp_path, ""))
    with pytest.raises(ConfigError, match="cannot read the manifest"):
        read_manifest(tmp_path / "nowhere.jsonl")


def test_scores_keep_their_official_splits(tmp_path: Path) -> None:
    q1 = {"midi_path": "a.mid", "quadrant": "Q1", "song": "s", "split": "train", "dataset": "emopia"}
    rated = {"midi_path": "b.mid", "valence": [0.1, 0.2], "arousal": [0, 1], "duration": 4, "split": "val"}
    clips = read_scores(write(tmp_path, q1, {**q1, "split": "extra"}, rated))
    assert [clip.quadrant for clip in clips] == ["Q1", None]
    assert clips[0].group == "emopia:s"
    assert clips[1].bar_ratings == ((0.1, 0.0), (0.2, 1.0))
    with pytest.raises(ConfigError, match="line 1: quadrant is 'Q5'"):
        read_scores(write(tmp_path, {**q1, "quadrant": "Q5"}))
