"""Languages left out of training are absent from it, and are tested in full."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from kelly_live.core.errors import ConfigError
from kelly_live.emotion.nets.checkpoint import load_checkpoint
from kelly_live.emotion.nets.musicnn import MusicnnTrunk
from kelly_live.emotion.nets.speech import SpeechEncoder
from kelly_live.lab.cli.train import command as train_command
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.judging.unseen_languages import (
    compute_auroc,
    leave_out_languages,
    load_scores,
    save_scores,
    score_known_languages,
    score_unseen,
)
from kelly_live.lab.training import sources
from kelly_live.lab.training.front_end import FrontEnd, save_front_end
from kelly_live.lab.training.scores import Predictions
from kelly_live.lab.training.windows import Windows
from tests.lab.small_corpus import make_corpus


def make_clip(index: int, dataset: str, language: str | None, original: str | None = None) -> Clip:
    emotions = tuple(float(i == index) for i in range(8))
    return Clip(Path(f"{dataset}{index}.wav"), dataset, emotions=emotions, language=language, emotion_original=original)


PARTS = {
    "fit": [
        make_clip(2, "speech_en", "en"),
        make_clip(2, "song_en", "en"),
        make_clip(1, "polish", "pl"),
        make_clip(0, "piano", None),
    ],
    "fold": [make_clip(1, "polish", "pl")],
    "val": [make_clip(6, "speech_en", "en", "calm"), make_clip(3, "speech_en", "en"), make_clip(0, "polish", "pl")],
}


def test_a_language_leaves_with_its_data_set() -> None:
    parts = leave_out_languages(PARTS, ["speech_en"])
    assert {c.dataset for name in ("fit", "fold", "val") for c in parts[name]} == {"polish", "piano"}
    # All its clips of the four, train and val; calm is neutral, fear is not asked.
    assert [c.emotion_original for c in parts["unseen"]] == [None, "calm"]


def test_an_unknown_data_set_cannot_be_left_out() -> None:
    with pytest.raises(ConfigError, match="no data set klingon to leave out; there are"):
        leave_out_languages(PARTS, ["klingon"])
    with pytest.raises(ConfigError, match="nothing is left to train on"):
        leave_out_languages(PARTS, ["speech_en", "polish"])


def test_the_choice_of_four_ignores_a_likelier_fifth() -> None:
    clips = [make_clip(2, "speech_en", "en"), make_clip(1, "speech_en", "en")]
    says = np.array([[0, 0, 0.3, 0.7, 0, 0, 0, 0], [0.3, 0.2, 0, 0, 0, 0.5, 0, 0]])
    nothing = np.zeros(2)
    answers = Predictions(says, np.zeros((2, 10)), np.zeros((2, 3)), nothing, nothing, np.zeros((2, 9)), nothing)
    rows = {name: np.zeros((2, 1)) for name in Windows.__slots__} | {"clip": np.arange(2)}
    scores = {s.metric: s for s in score_unseen(clips, Windows(**rows), answers)}
    assert scores["accuracy of 4"].value == 0.5
    assert scores["accuracy of 4"].n == 2
    assert scores["accuracy of the 4, open 8"].value == 0.0
    assert scores["accuracy of 4"].dataset == "unseen speech_en"


def test_auroc_of_confidence_by_hand() -> None:
    right = np.array([True, True, False, False])
    assert compute_auroc(np.array([0.9, 0.8, 0.2, 0.1]), right) == 1.0
    assert compute_auroc(np.array([0.1, 0.2, 0.8, 0.9]), right) == 0.0
    assert compute_auroc(np.full(4, 0.5), right) == 0.5
    assert np.isnan(compute_auroc(np.ones(2), np.ones(2, bool)))


def test_known_languages_are_scored_beside_the_unseen() -> None:
    clips = [make_clip(2, "speech_en", "en"), make_clip(1, "speech_en", "en")]
    sure = np.array([0.4, 0.6])
    answers = Predictions(np.eye(8)[:2], np.zeros((2, 10)), np.zeros((2, 3)), sure, sure, np.zeros((2, 9)), sure)
    rows = {name: np.zeros((2, 1)) for name in Windows.__slots__} | {"clip": np.arange(2)}
    (score,) = score_known_languages(clips, Windows(**rows), answers, ["polish"])
    assert (score.dataset, score.value, score.n) == ("unseen polish", 0.5, 2)


def test_only_scores_of_the_same_recipe_are_loaded(tmp_path: Path) -> None:
    clips = [make_clip(2, "polish", "pl")]
    rows = {name: np.zeros((1, 1)) for name in Windows.__slots__} | {"clip": np.zeros(1, int)}
    one = np.zeros(1)
    answers = Predictions(np.eye(8)[2:3], np.zeros((1, 10)), np.zeros((1, 3)), one, one, np.zeros((1, 9)), one)
    scores = score_unseen(clips, Windows(**rows), answers)
    save_scores(tmp_path, "this one", ["polish"], scores)
    assert load_scores(tmp_path, "this one") == scores
    assert load_scores(tmp_path, "another") == []


def test_the_card_contains_scores_of_the_same_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SOUND_COUNTS", {"fit": 2, "fold": 2, "val": 2})
    manifest = make_corpus(tmp_path / "data", speakers=3, takes=1)
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    rows += [{**row, "dataset": "far", "language": "yy", "speaker": f"far:{row['speaker']}"} for row in rows]
    manifest.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    torch.manual_seed(0)
    save_front_end(FrontEnd(MusicnnTrunk(), SpeechEncoder()), tmp_path / "f.safetensors")
    out = tmp_path / "emotion.safetensors"

    def run(*more: str) -> str:
        command = ["emotion", "--set", "research", "--data", str(tmp_path / "data"),
                   "--cache", str(tmp_path / "cache"), "--front-end", str(tmp_path / "f.safetensors"),
                   "--out", str(out), "--most", "5", "--cross", "1", *more]  # fmt: skip
        return CliRunner().invoke(train_command, command, catch_exceptions=False).output

    log = run("--epochs", "2", "--leave-out", "far")
    assert "| unseen far | accuracy of 4 |" in log
    assert not out.exists()
    run("--epochs", "2")
    (accuracy, *_) = load_checkpoint(out, "emotion").card["unseen"]
    assert accuracy["n"] == 9  # every clip of it, train and val, more than --most
    assert "unseen far" in out.with_suffix(".md").read_text(encoding="utf-8")
    run("--epochs", "1")  # another recipe
    assert load_checkpoint(out, "emotion").card["unseen"] == []
    assert "Not measured with these settings" in out.with_suffix(".md").read_text(encoding="utf-8")
