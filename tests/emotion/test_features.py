"""The frames are librosa's, and they are the same however the samples arrive."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.level import SILENCE_DBFS, rms_dbfs
from kelly_live.emotion.features import FeatureStream, filter_bank, log_mels
from kelly_live.emotion.nets.scales import HOP_SAMPLES, SAMPLE_RATE, SCALES

RNG = np.random.default_rng(7)
SOUND = (RNG.standard_normal(30_000) * np.linspace(0.0, 0.2, 30_000)).astype(np.float32)


def test_mel_512_is_what_musicnn_computes_with_librosa() -> None:
    mel = librosa.feature.melspectrogram(y=SOUND, sr=SAMPLE_RATE, n_fft=512, hop_length=256, n_mels=96)
    librosa_mel = np.log10(10_000 * mel + 1)
    our_mel = log_mels(SOUND)["mel_512"].numpy()
    assert our_mel.shape[1] == len(SOUND) // 256
    np.testing.assert_allclose(our_mel, librosa_mel[:, : our_mel.shape[1]], atol=1e-5)


@pytest.mark.parametrize("scale", [s for s in SCALES if s.per_octave is None], ids=lambda s: s.name)
def test_slaney_filters_are_librosa_s(scale) -> None:
    librosa_filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=scale.fft, n_mels=scale.bands)
    np.testing.assert_allclose(filter_bank(scale), librosa_filters, atol=1e-6)


def test_log_spaced_bands_find_a_pitch_and_move_with_it() -> None:
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    places = [
        int(log_mels(0.3 * np.sin(2 * np.pi * hertz * t).astype(np.float32))["mel_2048"][:, 10].argmax())
        for hertz in (250.0, 500.0, 1000.0)
    ]
    assert places == [48, 72, 96]  # 2, 3 and 4 octaves above 62.5 Hz


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9000), min_size=1, max_size=12))
def test_streaming_equals_batch_for_any_chunks(sizes: list[int]) -> None:
    stream = FeatureStream()
    parts: dict[str, list[torch.Tensor]] = {scale.name: [] for scale in SCALES}
    position = 0
    for size in sizes:
        for name, mel in stream.push(SOUND[position : position + size]).mels.items():
            parts[name].append(mel)
        position = min(len(SOUND), position + size)
    batch = log_mels(SOUND[:position])
    for name, mel in batch.items():
        torch.testing.assert_close(torch.cat(parts[name], dim=1), mel, atol=1e-5, rtol=0.0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9000), min_size=1, max_size=6), st.integers(0, 5000))
def test_many_blocks_at_once_equal_as_many_pushes(sizes: list[int], before: int) -> None:
    one_by_one, together = FeatureStream(), FeatureStream()
    for stream in (one_by_one, together):
        stream.push(SOUND[:before])
    ends = np.minimum(before + np.cumsum(sizes), len(SOUND))
    blocks = [SOUND[start:end] for start, end in zip((before, *ends[:-1]), ends, strict=True)]
    for block, at_once in zip(blocks, together.push_each(blocks), strict=True):
        alone = one_by_one.push(block)
        assert at_once.levels_dbfs == alone.levels_dbfs
        for name, mel in alone.mels.items():
            torch.testing.assert_close(at_once.mels[name], mel, atol=1e-5, rtol=0.0)


def test_one_level_for_each_quarter_second() -> None:
    stream = FeatureStream()
    tone = np.full(HOP_SAMPLES, 0.1, np.float32)
    assert stream.push(tone[:100]).levels_dbfs == ()
    levels = stream.push(np.concatenate((tone[100:], np.zeros(HOP_SAMPLES, np.float32)))).levels_dbfs
    assert levels == (pytest.approx(-20.0, abs=1e-3), SILENCE_DBFS)


def test_level_of_nothing_is_silence() -> None:
    assert rms_dbfs(np.zeros(0, np.float32)) == SILENCE_DBFS


def test_silence_is_exactly_zero() -> None:
    assert all(mel.abs().max() == 0.0 for mel in log_mels(np.zeros(8000, np.float32)).values())


def test_nan_and_infinity_never_reach_a_frame() -> None:
    bad = SOUND[:9000].copy()
    bad[::7], bad[::11], bad[::13] = np.nan, np.inf, -np.inf
    frames = FeatureStream().push(bad)
    assert all(torch.isfinite(mel).all() for mel in frames.mels.values())
    assert np.isfinite(frames.levels_dbfs).all()


def test_a_frame_depends_only_on_its_own_samples() -> None:
    louder = SOUND.copy()
    louder[20_000:] *= 3.0
    for name, mel in log_mels(SOUND).items():
        torch.testing.assert_close(mel[:, :20], log_mels(louder)[name][:, :20])
