"""The judges: their features of a clip, and how well they learn labels."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
import torch

from kelly_live.core.errors import ConfigError
from kelly_live.emotion.nets.musicnn import PENULTIMATE, MusicnnTrunk
from kelly_live.emotion.nets.tonality import TONALITY_STATISTICS
from kelly_live.lab.judging.judges import (
    FOLDS,
    HARMONY,
    JUDGED_SECONDS,
    NOTE_FEATURES,
    AudioFeatureExtractor,
    extract_note_features,
    fit_judge,
)

RATE = 16_000
CUE = {name: i for i, name in enumerate(NOTE_FEATURES)}
MAJOR, MINOR = (0, 4, 7), (0, 3, 7)


@pytest.fixture(scope="module")
def extractor() -> AudioFeatureExtractor:
    torch.manual_seed(0)
    return AudioFeatureExtractor(MusicnnTrunk())


def tone(seconds: float, hertz: float = 440.0) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hertz * time) * (1.0 + 0.5 * np.sin(7.0 * time))).astype(np.float32)


def score(
    path: Path, third: int, beat_seconds: float, velocities: tuple[int, ...] = (50, 58, 66, 74, 82, 90), beats: int = 48
) -> Path:
    """I IV V I repeated: a root in the bass, the triad, a melody on top; minor where the third is 3."""
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=int(1e6 * beat_seconds)))
    for beat in range(beats):
        root = 48 + (0, 5, 7, 0)[beat // 4 % 4]
        dominant = root == 55
        chord = (root - 12, root, root + (4 if dominant else third), root + 7, root + 12 + (0, 7, 12)[beat % 3])
        velocity = velocities[beat % len(velocities)]
        track.extend(mido.Message("note_on", note=note, velocity=velocity, time=0) for note in chord)
        for k, note in enumerate(chord):
            track.append(mido.Message("note_off", note=note, velocity=0, time=450 if k == 0 else 0))
        track.append(mido.Message("control_change", control=1, value=0, time=30))
    file.save(path)
    return path


def test_a_clip_of_any_length_becomes_one_row(extractor: AudioFeatureExtractor) -> None:
    rows = [extractor.extract(tone(seconds)) for seconds in (0.5, 4.0, 20.0)]
    assert {row.shape for row in rows} == {(2 * PENULTIMATE + TONALITY_STATISTICS,)}
    assert all(np.isfinite(row).all() for row in rows)
    assert {row[HARMONY].shape for row in rows} == {(TONALITY_STATISTICS,)}
    with pytest.raises(ConfigError, match="no sound"):
        extractor.extract(np.zeros(0, np.float32))


def test_audio_features_depend_on_pitch_and_are_repeatable(extractor: AudioFeatureExtractor) -> None:
    assert np.array_equal(extractor.extract(tone(6.0)), extractor.extract(tone(6.0)))
    assert not np.allclose(extractor.extract(tone(6.0)), extractor.extract(tone(6.0, 660.0)))


def test_an_extractor_with_other_weights_has_another_name(extractor: AudioFeatureExtractor) -> None:
    torch.manual_seed(1)
    assert AudioFeatureExtractor(MusicnnTrunk()).name != extractor.name


def test_note_features_contain_mode_tempo_and_velocity(tmp_path: Path) -> None:
    major = extract_note_features(score(tmp_path / "a.mid", 4, 0.5))
    minor = extract_note_features(score(tmp_path / "b.mid", 3, 0.5))
    slow = extract_note_features(score(tmp_path / "c.mid", 4, 1.0))
    soft = extract_note_features(score(tmp_path / "d.mid", 4, 0.5, (20, 24, 28, 32, 36, 40)))
    assert major.shape == (len(NOTE_FEATURES),)
    assert major[CUE["ionian"]] > 0.6 > 0.1 > minor[CUE["ionian"]]
    assert minor[CUE["aeolian"]] > 0.6
    assert slow[CUE["log2 onsets a second"]] == pytest.approx(major[CUE["log2 onsets a second"]] - 1.0, abs=0.1)
    assert slow[CUE["log2 note seconds"]] > major[CUE["log2 note seconds"]] + 0.9
    assert soft[CUE["velocity 50 %"]] < major[CUE["velocity 50 %"]] - 0.2
    assert major[CUE["notes an onset"]] == pytest.approx(5.0)


def test_only_the_first_half_minute_counts(tmp_path: Path) -> None:
    short = extract_note_features(score(tmp_path / "a.mid", 4, 0.5, beats=int(2 * JUDGED_SECONDS)))
    long = extract_note_features(score(tmp_path / "b.mid", 4, 0.5, beats=int(4 * JUDGED_SECONDS)))
    assert np.allclose(short, long, atol=1e-3)


def test_constant_velocities_give_no_dynamics(tmp_path: Path) -> None:
    row = extract_note_features(score(tmp_path / "a.mid", 4, 0.5, (64,)))
    assert np.isnan(row[[CUE[f"velocity {q} %"] for q in (10, 50, 90)]]).all()


def test_too_few_notes_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="notes to measure"):
        extract_note_features(score(tmp_path / "a.mid", 4, 0.5, beats=1))


def make_labelled(seed: int, clips: int = 160, noise: float = 0.7) -> tuple[np.ndarray, list[str], list[str]]:
    """Rows in which column 0 is valence, 1 arousal and the rest nothing, four clips a song."""
    rng = np.random.default_rng(seed)
    quadrants = [f"Q{1 + i // 4 % 4}" for i in range(clips)]
    signs = {"Q1": (1, 1), "Q2": (-1, 1), "Q3": (-1, -1), "Q4": (1, -1)}
    rows = rng.normal(size=(clips, 12))
    rows[:, :2] = np.array([signs[q] for q in quadrants]) + noise * rng.normal(size=(clips, 2))
    return rows, quadrants, [f"song {i // 4}" for i in range(clips)]


def test_a_judge_predicts_learned_labels() -> None:
    judge = fit_judge(*make_labelled(1))
    rows, quadrants, _ = make_labelled(2)
    judgements = judge.predict(rows)
    right = np.mean([f"Q{1 + k}" for k in judgements.quadrant] == np.array(quadrants))
    assert right > 0.75
    assert abs(right - judge.validated_accuracy) < 0.15  # what it expects of itself on songs it has not met
    assert np.corrcoef(judgements.valence, rows[:, 0])[0, 1] > 0.9
    assert np.corrcoef(judgements.arousal, rows[:, 1])[0, 1] > 0.9


def test_a_judge_of_random_labels_has_chance_accuracy() -> None:
    rows, quadrants, songs = make_labelled(1)
    shuffled = list(np.random.default_rng(0).permutation(quadrants))
    assert fit_judge(rows, shuffled, songs).validated_accuracy < 0.4


def test_missing_features_count_as_average() -> None:
    judge = fit_judge(*make_labelled(1))
    missing_row = np.full((1, 12), np.nan)
    average = judge.centre[None]
    assert judge.predict(missing_row).valence == pytest.approx(judge.predict(average).valence)


def test_too_few_songs_are_an_error() -> None:
    rows, quadrants, _ = make_labelled(1)
    with pytest.raises(ConfigError, match=f"{FOLDS} or more"):
        fit_judge(rows, quadrants, ["a", "b"] * 80)
