"""The clips to train on, and the background sounds."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora import clips as clips_module
from kelly_live.lab.corpora.background_sounds import (
    LOUDEST_DB,
    QUIETEST_DB,
    SILENCE_DB,
    SOUNDS,
    make_sound,
    make_sounds,
)
from kelly_live.lab.corpora.clips import assign_folds, gather_clips, limit_clips, split_clips
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS, locate_rendering


@pytest.fixture
def scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight train scores of four songs and two val scores; nothing is rendered."""
    folder = tmp_path / "symbolic"
    folder.mkdir()
    rows = [
        {"midi_path": f"{i}.mid", "dataset": "tiny", "split": "train", "quadrant": "Q1", "song": f"song{i // 2}"}
        for i in range(8)
    ]
    rows += [{"midi_path": f"v{i}.mid", "dataset": "tiny", "split": "val", "quadrant": "Q2"} for i in range(2)]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.setattr(
        clips_module, "render_midi", lambda midi, cache, font, seconds: locate_rendering(midi, cache, font)
    )
    return folder


def make_soundfonts(folder: Path, *names: str) -> list[Path]:
    paths = [folder / f"{name}.sf2" for name in names]
    for path in paths:
        path.write_bytes(b"")
    return paths


def test_train_scores_are_rendered_with_every_soundfont_and_val_with_the_first(scores: Path, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    clips = gather_clips(
        None,
        scores,
        tmp_path,
        soundfonts=make_soundfonts(tmp_path, "one", "two"),
        progress=lambda count, total: progress.append((count, total)),
    )
    assert [(c.split, c.region) for c in clips] == [
        *[("train", "one")] * 8,
        *[("val", "one")] * 2,
        *[("train", "two")] * 8,
    ]
    assert len({clip.audio_path for clip in clips}) == 18
    assert progress == [(i, 18) for i in range(1, 19)]


def test_both_renderings_of_a_song_stay_in_one_part(scores: Path, tmp_path: Path) -> None:
    parts = split_clips(gather_clips(None, scores, tmp_path, soundfonts=make_soundfonts(tmp_path, "one", "two")))
    songs = {name: {clip.group for clip in clips} for name, clips in parts.items()}
    assert songs["fit"]
    assert songs["fold"]
    assert not songs["fit"] & songs["fold"]
    assert {clip.region for clip in parts["fold"]} == {"one", "two"}


def test_limiting_keeps_every_score_before_any_second_rendering(scores: Path, tmp_path: Path) -> None:
    clips = [
        c
        for c in gather_clips(None, scores, tmp_path, soundfonts=make_soundfonts(tmp_path, "one", "two"))
        if c.split == "train"
    ]
    selection = limit_clips(clips, 10)
    assert len({clip.key for clip in selection}) == 8
    assert [clip.region for clip in selection] == ["one"] * 8 + ["two"] * 2
    assert limit_clips(clips, 8) == selection[:8]


def test_a_missing_soundfont_is_logged_once_and_left_out(
    scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = gather_clips(None, scores, tmp_path, soundfonts=[tmp_path / "none.sf2", *make_soundfonts(tmp_path, "two")])
    assert {clip.region for clip in clips} == {"two"}
    assert len(clips) == 10
    assert capsys.readouterr().out.splitlines() == [
        f"the soundfont {tmp_path / 'none.sf2'} is not installed and is left out"
    ]


def test_cached_renderings_need_no_soundfont(scores: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.sf2"
    for name in [*range(8), "v0", "v1"]:
        path = locate_rendering(scores / f"{name}.mid", tmp_path, gone)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert len(gather_clips(None, scores, tmp_path, soundfonts=[gone])) == 10


def test_with_no_soundfont_at_all_it_is_an_error_that_names_the_package_to_install(
    scores: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="apt install fluid-soundfont-gm musescore-general-soundfont-small"):
        gather_clips(None, scores, tmp_path, soundfonts=[tmp_path / "none.sf2"], log=lambda line: None)


def test_the_judges_soundfont_is_rejected_for_training(scores: Path, tmp_path: Path) -> None:
    assert HELD_OUT_SOUNDFONT not in SOUNDFONTS
    with pytest.raises(ConfigError, match="kept for judging"):
        gather_clips(None, scores, tmp_path, soundfonts=make_soundfonts(tmp_path, "one", HELD_OUT_SOUNDFONT.stem))


def level_db(samples: np.ndarray) -> float:
    return float(10.0 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


@pytest.mark.parametrize("kind", SOUNDS)
def test_each_sound_is_finite_at_its_level_and_the_same_each_time(kind: str) -> None:
    low, high = SILENCE_DB if kind == "silence" else (QUIETEST_DB, LOUDEST_DB)
    takes = [make_sound(kind, np.random.default_rng(seed), 3.0) for seed in range(8)]
    for sound in takes:
        assert sound.shape == (48_000,)
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() <= 1.0
        assert low - 0.1 <= level_db(sound) <= high + 0.1
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(takes, 2))
    np.testing.assert_array_equal(takes[3], make_sound(kind, np.random.default_rng(3), 3.0))


def test_sounds_rotate_through_the_kinds_and_repeat_for_a_seed() -> None:
    one, other = make_sounds(len(SOUNDS) + 2, 5), make_sounds(len(SOUNDS) + 2, 5)
    assert [kind for kind, _ in one] == [*SOUNDS, *SOUNDS[:2]]
    for (_, a), (_, b) in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def measure_bands(kind: str) -> np.ndarray:
    """Mean level of 39 bands from 30 Hz to 8 kHz over twelve takes, in dB about its own mean."""
    hertz, edges = np.fft.rfftfreq(48_000, 1 / 16_000), np.geomspace(30.0, 8000.0, 40)
    rows = []
    for seed in range(12):
        power = np.abs(np.fft.rfft(make_sound(kind, np.random.default_rng(seed), 3.0))) ** 2
        levels = [power[(hertz >= a) & (hertz < b)].mean() for a, b in itertools.pairwise(edges)]
        rows.append(10.0 * np.log10(np.array(levels) + 1e-20))
    mean = np.mean(rows, axis=0)
    return mean - mean.mean()


def test_different_kinds_have_different_spectra() -> None:
    spectra = {kind: measure_bands(kind) for kind in SOUNDS if kind != "silence"}  # silence is white noise, only softer
    for a, b in itertools.combinations(spectra, 2):
        assert np.sqrt(np.mean((spectra[a] - spectra[b]) ** 2)) > 1.0, (a, b)


def test_a_vacuum_cleaner_sometimes_starts_up() -> None:
    takes = [make_sound("vacuum", np.random.default_rng(seed)) for seed in range(12)]
    rises = [level_db(sound[32_000:]) - level_db(sound[:3200]) for sound in takes]
    assert max(rises) > 10.0
    assert min(rises) < 3.0


def test_folds_share_no_speaker_and_every_data_set_has_some_in_each() -> None:
    names = [("ravdess_speech", 6), ("ravdess_song", 6), ("emodb", 5)]
    clips = [
        Clip(Path(f"{name}_{speaker}_{take}.wav"), name, speaker=f"{name}:{speaker:02}")
        for name, speakers in names
        for speaker in range(speakers)
        for take in range(3)
    ]
    part = assign_folds(clips, 4)
    actor = [clip.speaker.split(":")[1] if "ravdess" in clip.dataset else clip.speaker for clip in clips]
    assert all(len({p for p, a in zip(part, actor, strict=True) if a == one}) == 1 for one in set(actor))
    for name in ("ravdess_speech", "emodb"):
        assert {int(p) for p, clip in zip(part, clips, strict=True) if clip.dataset == name} == {0, 1, 2, 3}
