"""The closed loop with simple conventions: a composer that follows them scores high."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.lab.intervals import compute_wilson_interval
from kelly_live.lab.judging import closed_loop
from kelly_live.lab.judging.closed_loop import JudgeInput, by_song, evaluate_closed_loop
from tests.lab.judging.test_judges import score

THIRDS, BEATS = {True: 4, False: 3}, {True: 0.3, False: 0.7}  # by the sign of valence; of arousal


@pytest.fixture
def rendered_files(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replace synthesiser and net: a file sounds like its bytes, and the features count them.

    Returns the list of rendered files.
    """
    files: list[Path] = []

    class ByteFeatures:
        name = "bytes"

        def extract(self, samples: np.ndarray) -> np.ndarray:
            return np.tile(np.bincount(samples, minlength=256) / len(samples), 2)

    class ByteExtractor(closed_loop.FeatureExtractor):
        def __init__(self, emotion_net: Path, cache: Path) -> None:
            self._audio, self._cache = ByteFeatures(), cache

    def render(midi: Path, cache: Path, soundfont: Path, *, seconds: float | None = None) -> Path:
        files.append(midi)
        return midi

    def sound(path: Path, seconds: float | None = None) -> np.ndarray:
        return np.frombuffer(path.read_bytes(), np.uint8)

    monkeypatch.setattr(closed_loop, "FeatureExtractor", ByteExtractor)
    monkeypatch.setattr(closed_loop, "render_midi", render)
    monkeypatch.setattr(closed_loop, "read_audio", sound)
    return files


def write_piece(path: Path, valence: float, arousal: float, seed: int) -> Path:
    velocities = tuple(40 + seed % 7 + 8 * k for k in range(6))
    return score(path, THIRDS[valence >= 0], BEATS[arousal >= 0] * (1.0 + 0.02 * (seed % 5)), velocities, beats=24)


@pytest.fixture
def symbolic(tmp_path: Path) -> Path:
    """Five songs of two clips a quadrant: four to train on, one to judge."""
    lines = []
    signs = {"Q1": (1, 1), "Q2": (-1, 1), "Q3": (-1, -1), "Q4": (1, -1)}
    for quadrant, (valence, arousal) in signs.items():
        for song in range(5):
            for take in range(2):
                name = f"{quadrant}_{song}_{take}.mid"
                write_piece(tmp_path / name, valence, arousal, 3 * song + take)
                split = "train" if song < 4 else "val"
                lines.append(
                    {"midi_path": name, "quadrant": quadrant, "song": f"{quadrant}{song}", "split": split}
                    | {"dataset": "emopia"}
                )
    (tmp_path / "manifest.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return tmp_path


def make_composer(folder: Path, twist: float = 1.0) -> closed_loop.Composer:
    """Two arrangements of the same notes; `twist` -1 inverts valence."""

    def compose(valence: float, arousal: float, seed: int) -> Mapping[str, bytes]:
        path = write_piece(folder / "piece.mid", twist * valence, arousal, seed)
        return {"band": path.read_bytes(), "piano": path.read_bytes()}

    return compose


def run_loop(
    symbolic: Path, tmp_path: Path, twist: float = 1.0, *, first_seed: int = 1, every: int = 1
) -> closed_loop.ClosedLoopResult:
    return evaluate_closed_loop(
        symbolic, tmp_path / "cache", tmp_path / "none", make_composer(tmp_path, twist),
        pieces=3, grid_pieces=1, first_seed=first_seed, every=every, workers=1, log=lambda line: None,
    )  # fmt: skip


def find_value(loop: closed_loop.ClosedLoopResult, music: str, metric: str) -> float:
    return next(s.value for s in loop.scores if s.dataset == music and s.metric == f"{metric}, notes judge")


def test_a_composer_with_the_judges_conventions_scores_high(
    symbolic: Path, tmp_path: Path, rendered_files: list[Path]
) -> None:
    loop = run_loop(symbolic, tmp_path)
    assert find_value(loop, "human", "4 quadrants") == 1.0
    assert find_value(loop, "ours, notes", "4 quadrants") == 1.0
    assert find_value(loop, "ours, notes, grid", "valence r") > 0.7
    assert find_value(loop, "ours, notes, grid", "arousal r") > 0.7
    assert find_value(loop, "ours, notes, grid", "valence slope") > 0.5
    rows = next(table.rows for table in loop.valence_by_arousal if table.judge == "notes judge")
    assert len(rows) == 5
    assert min(estimate.value for _, estimate, _ in rows) > 0.7
    notes = next(c for c in loop.confusions if c.judge == "notes judge" and c.music == "ours, notes")
    assert notes.counts == ((3, 0, 0, 0), (0, 3, 0, 0), (0, 0, 3, 0), (0, 0, 0, 3))
    assert "| Q2 intended | 0 | 3 | 0 | 0 |" in loop.format_tables()
    assert json.loads(json.dumps(loop.as_dict()))["judges"]["notes"]["songs"] == 16


def test_a_composer_with_opposite_valence_scores_low(
    symbolic: Path, tmp_path: Path, rendered_files: list[Path]
) -> None:
    loop = run_loop(symbolic, tmp_path, twist=-1.0)
    assert find_value(loop, "ours, notes", "4 quadrants") == 0.0
    assert find_value(loop, "ours, notes", "arousal half") == 1.0
    assert find_value(loop, "ours, notes", "valence half") == 0.0
    assert find_value(loop, "ours, notes, grid", "valence r") < -0.5


def test_other_seeds_are_other_pieces_heard_by_the_same_judges(
    symbolic: Path, tmp_path: Path, rendered_files: list[Path]
) -> None:
    first = run_loop(symbolic, tmp_path)
    composed = set((tmp_path / "cache" / "composed").iterdir())
    other = run_loop(symbolic, tmp_path, first_seed=4)
    assert set((tmp_path / "cache" / "composed").iterdir()) > composed
    assert other.judges == first.judges


def test_the_judges_of_sound_can_learn_from_every_second_clip(
    symbolic: Path, tmp_path: Path, rendered_files: list[Path]
) -> None:
    judges = run_loop(symbolic, tmp_path, every=2).judges
    assert {name: info["clips"] for name, info in judges.items()} == {"audio": 16, "harmony": 16, "notes": 32}


def test_nothing_is_rendered_or_analysed_twice(symbolic: Path, tmp_path: Path, rendered_files: list[Path]) -> None:
    first = run_loop(symbolic, tmp_path)
    once = len(rendered_files)
    assert once > 40
    assert repr(run_loop(symbolic, tmp_path).scores) == repr(first.scores)  # as text, where nan equals nan
    assert len(rendered_files) == once


def test_the_held_out_soundfont_is_never_used_for_training(
    symbolic: Path, tmp_path: Path, rendered_files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[JudgeInput] = []
    extract = closed_loop.FeatureExtractor.extract
    monkeypatch.setattr(
        closed_loop.FeatureExtractor, "extract", lambda self, job: jobs.append(job) or extract(self, job)
    )
    run_loop(symbolic, tmp_path)
    training_jobs = [job for job in jobs if job.midi.parent == symbolic and int(job.midi.stem[3]) < 4 and job.soundfont]
    others = [job for job in jobs if job not in training_jobs and job.soundfont]
    assert {job.soundfont for job in training_jobs} == set(closed_loop.SOUNDFONTS)
    assert len(training_jobs) == 32
    assert {job.soundfont for job in others} == {closed_loop.HELD_OUT_SOUNDFONT}


def test_a_folder_without_labelled_piano_is_an_error(tmp_path: Path, rendered_files: list[Path]) -> None:
    (tmp_path / "manifest.jsonl").write_text('{"midi_path": "a.mid", "split": "train", "dataset": "vgmidi"}\n')
    with pytest.raises(ConfigError, match="EMOPIA"):
        run_loop(tmp_path, tmp_path)


def test_intervals() -> None:
    low, high = compute_wilson_interval(112, 160)
    assert (low, high) == pytest.approx((0.625, 0.766), abs=0.002)
    assert compute_wilson_interval(10, 10)[1] == pytest.approx(1.0)
    right = np.repeat([1.0, 0.0], 50)
    alone = by_song(right, [str(i) for i in range(100)])
    together = by_song(right, [str(i // 10) for i in range(100)])
    assert together[1] - together[0] > 2.0 * (alone[1] - alone[0])
