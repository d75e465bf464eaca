"""The independent judges, and how music is told apart by them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import GEMS
from kelly_live.lab.corpora import rendering
from kelly_live.lab.judging import independent_loop
from kelly_live.lab.judging.audio_features import AUDIO_FEATURES, RATE, TONAL_FEATURES
from kelly_live.lab.judging.independent_judges import FEWEST_EXCERPTS, create_published_judge, fit_listener_judge
from kelly_live.lab.judging.independent_loop import LEAST, MOST, compute_auc, draw_place, judge_independently, score_auc
from tests.lab.judging.test_audio_features import I_IV_V_I, I_IV_V_I_MINOR, play

WIDTH = len(AUDIO_FEATURES)


def draw_rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(10.0, 2.0, (count, WIDTH))


def change(row: np.ndarray, **changes: float) -> np.ndarray:
    changed = row.copy()
    for name, value in changes.items():
        changed[AUDIO_FEATURES.index(name.replace("_", " "))] += value
    return changed[None]


def test_the_published_judge_weighs_standardised_features_as_published() -> None:
    rows = draw_rows(200)
    judge = create_published_judge(rows)
    mean = rows.mean(axis=0)
    deviation = float(rows[:, AUDIO_FEATURES.index("overall mode")].std())
    valence, _ = judge.judge(change(mean, overall_mode=deviation))
    assert valence[0] == pytest.approx(0.4565)
    _, arousal = judge.judge(change(mean, rms_mean=float(rows[:, 0].std())))
    assert arousal[0] == pytest.approx(0.6664)


def test_the_listeners_judge_finds_what_listeners_heard() -> None:
    rows = draw_rows(300)
    mode = rows[:, AUDIO_FEATURES.index("overall mode")]
    pleasant = 1.0 / (1.0 + np.exp(-(mode - mode.mean())))
    gems = np.zeros((300, len(GEMS)))
    gems[:, GEMS.index("tenderness")] = pleasant
    gems[:, GEMS.index("sadness")] = 1.0 - pleasant
    judge = fit_listener_judge(rows, gems.tolist())
    fresh = draw_rows(300, seed=1)
    valence, _ = judge.judge(fresh)
    assert np.corrcoef(valence, fresh[:, AUDIO_FEATURES.index("overall mode")])[0, 1] > 0.9


def test_what_a_judge_does_not_hear_changes_nothing() -> None:
    rows = draw_rows(100)
    gems = np.random.default_rng(2).uniform(0.0, 1.0, (100, len(GEMS))).tolist()
    judge = fit_listener_judge(rows, gems, without=TONAL_FEATURES)
    changed = rows.copy()
    changed[:, [AUDIO_FEATURES.index(name) for name in TONAL_FEATURES]] += 3.0
    assert judge.judge(changed)[0] == pytest.approx(judge.judge(rows)[0])
    changed[:, AUDIO_FEATURES.index("pitch mean")] += 3.0
    assert judge.judge(changed)[0] != pytest.approx(judge.judge(rows)[0])


def test_a_judge_needs_some_excerpts() -> None:
    with pytest.raises(ConfigError, match=f"{FEWEST_EXCERPTS} or more"):
        create_published_judge(draw_rows(3))


def test_auc_is_the_share_of_pairs_in_order() -> None:
    assert compute_auc(np.array([3.0, 1.0, 2.0, 0.0]), np.array([True, True, False, False])) == 0.75
    assert np.isnan(compute_auc(np.array([1.0, 2.0]), np.array([True, True])))


def test_valence_is_scored_in_each_half_of_arousal() -> None:
    """Stirred pieces in order, calm ones the wrong way round."""
    rows = np.tile(draw_rows(200).mean(axis=0), (8, 1))
    judge = create_published_judge(draw_rows(200))
    signs = np.array([(v, a) for a in (1.0, -1.0) for v in (1.0, -1.0)] * 2)
    for row, (valence, arousal) in zip(rows, signs, strict=True):
        row[AUDIO_FEATURES.index("overall mode")] += valence * arousal
    scores = {s.metric: s for s in score_auc(judge, "ours", rows, signs, [f"{i // 4}" for i in range(8)])}
    assert scores["AUC of valence, stirred, published"].value == 1.0
    assert scores["AUC of valence, calm, published"].value == 0.0
    assert scores["AUC of valence, published"].n == 8


def write_midi(valence: float, arousal: float, seed: int) -> dict[str, bytes]:
    """A file whose bytes say what is meant, whatever the seed; the fake renderer plays it."""
    return {"piano": json.dumps([valence, arousal]).encode()}


def play_mood(*, major: bool, fast: bool) -> np.ndarray:
    """Play fast and loud or slow and soft."""
    chords = I_IV_V_I if major else I_IV_V_I_MINOR
    return play(chords, seconds=0.4 if fast else 0.8, level=0.1 if fast else 0.03)


def render(midi: Path, cache: Path, soundfont: Path, *, seconds: float) -> Path:
    """Render major or minor, fast and loud or slow and soft, from a file's first two numbers."""
    valence, arousal = json.loads(midi.read_text())
    path = cache / f"{midi.stem}.wav"
    soundfile.write(path, play_mood(major=valence > 0.0, fast=arousal > 0.0), RATE)
    return path


def test_people_and_ours_are_judged_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(independent_loop, "render_midi", render)
    monkeypatch.setattr(rendering, "HELD_OUT_SOUNDFONT", tmp_path / "any.sf2")
    lines, scores = [], []
    for index in range(FEWEST_EXCERPTS):
        major, fast = index % 2 == 0, index % 4 < 2
        soundfile.write(tmp_path / f"{index}.wav", play_mood(major=major, fast=fast), RATE)
        gems = {"tenderness": 0.5 + 0.3 * major, "sadness": 0.5 - 0.3 * major, "power": 0.2 + 0.6 * fast}
        lines.append({"audio_path": f"{index}.wav", "dataset": "emotify", "split": "train", "gems": gems})
    for index, (valence, arousal) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        for split in ("train", "val"):
            midi = tmp_path / f"{split}{index}.mid"
            midi.write_bytes(write_midi(valence, arousal, 0)["piano"])
            scores.append(
                {"midi_path": midi.name, "quadrant": f"Q{index + 1}", "song": str(index), "split": split,
                 "dataset": "emopia"}
            )  # fmt: skip
    for name, rows in (("audio", lines), ("symbolic", scores)):
        folder = tmp_path / name
        folder.mkdir()
        for row in rows:
            key = "audio_path" if name == "audio" else "midi_path"
            row[key] = f"../{row[key]}"
        (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    result = judge_independently(
        tmp_path / "audio", tmp_path / "symbolic", tmp_path, write_midi,
        pieces=1, feeling_pieces=1, first_seed=7, workers=1, log=lambda line: None,
    )  # fmt: skip
    values = {(s.dataset, s.metric): s.value for s in result.scores}
    for music in ("people, piano", "ours, piano"):
        assert values[music, "AUC of valence, listeners"] == 1.0
        assert values[music, "AUC of arousal, listeners"] == 1.0
    assert len(result.feelings) == 3 * 8
    placed = {f.feeling: f for f in result.feelings if f.judge == "listeners"}
    assert placed["happy"].valence > placed["sad"].valence
    assert "AUC of valence, calm, published" in result.format_tables()


def test_places_lie_anywhere_in_their_quadrant_and_mirror_each_other() -> None:
    places = {name: draw_place(name, 3) for name in ("Q1", "Q2", "Q3", "Q4")}
    valence, arousal = places["Q1"]
    assert places == {
        "Q1": (valence, arousal), "Q2": (-valence, arousal), "Q3": (-valence, -arousal), "Q4": (valence, -arousal),
    }  # fmt: skip
    assert all(LEAST <= distance <= MOST for seed in range(50) for distance in draw_place("Q1", seed))
    assert len({draw_place("Q1", seed) for seed in range(50)}) == 50
