"""Tonality statistics of scores: their mode, and that transposition does not change them."""

from __future__ import annotations

import numpy as np
import torch

from kelly_live.emotion.features import log_mels
from kelly_live.emotion.nets.scales import TONAL_FRAMES
from kelly_live.emotion.nets.tonality import TONALITY_STATISTICS, Tonality, compute_tonal_frames

MAJOR_LOOP = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))  # I IV V I
MINOR_LOOP = ((0, 3, 7), (5, 8, 12), (7, 10, 14), (0, 3, 7))  # i iv v i
MAJOR, MINOR, MARGIN, MAJOR_CHANCE = range(4)
ROTATED = slice(4, 28)  # chroma of the whole, from the collection and from the tonic on


def play(chords: tuple[tuple[int, ...], ...], root: int = 60, beat: float = 0.5, seconds: float = 13.0) -> np.ndarray:
    """Struck chords, a beat each, on a tone with six partials."""
    out = np.zeros(int(seconds * 16_000), np.float32)
    t = np.arange(int(beat * 16_000)) / 16_000
    for index in range(int(seconds / beat)):
        for interval in chords[index % len(chords)]:
            hertz = 440.0 * 2.0 ** ((root + interval - 69) / 12.0)
            note = sum(np.sin(2 * np.pi * hertz * k * t) / k**1.5 for k in range(1, 7)) * np.exp(-4.0 * t)
            start = int(index * beat * 16_000)
            out[start : start + len(t)] += 0.1 * note[: len(out) - start]
    return out


def describe(samples: np.ndarray) -> torch.Tensor:
    mel = log_mels(samples)["mel_4096"]
    padded_mel = torch.nn.functional.pad(mel, (TONAL_FRAMES + 1, 0))[:, -(TONAL_FRAMES + 1) :]
    with torch.inference_mode():
        out: torch.Tensor = Tonality()(compute_tonal_frames(padded_mel.unsqueeze(0)))[0]
    return out


def test_a_major_loop_is_major_and_a_minor_loop_minor() -> None:
    major, minor = describe(play(MAJOR_LOOP)), describe(play(MINOR_LOOP))
    assert major[MARGIN] > 0.02 > -0.02 > minor[MARGIN]
    assert major[MAJOR_CHANCE] > 0.6 > 0.4 > minor[MAJOR_CHANCE]


def test_a_transposed_loop_is_described_alike() -> None:
    original, transposed = describe(play(MAJOR_LOOP)), describe(play(MAJOR_LOOP, root=65))
    assert abs(float(original[MARGIN] - transposed[MARGIN])) < 0.08
    torch.testing.assert_close(original[ROTATED], transposed[ROTATED], atol=0.06, rtol=0.0)
    assert (original[ROTATED] - describe(play(MINOR_LOOP))[ROTATED]).abs().max() > 0.06


def test_faster_chords_begin_more_often_and_change_more() -> None:
    slow, fast = describe(play(MAJOR_LOOP, beat=2.0)), describe(play(MAJOR_LOOP, beat=0.5))
    lag_column, rise_column = 63, 84  # harmony a quarter of a second later; how much the semitones rise
    assert fast[lag_column] < slow[lag_column]
    assert fast[rise_column] > 1.1 * slow[rise_column]


def test_higher_is_higher() -> None:
    low, high = describe(play(MAJOR_LOOP, root=48)), describe(play(MAJOR_LOOP, root=72))
    assert high[67] > low[67] + 1.0  # octaves


def test_silence_and_noise_are_finite() -> None:
    noise = np.random.default_rng(0).standard_normal(13 * 16_000).astype(np.float32)
    for samples in (np.zeros(16_000, np.float32), noise, np.ones(1000, np.float32)):
        statistics = describe(samples)
        assert statistics.shape == (TONALITY_STATISTICS,)
        assert torch.isfinite(statistics).all()


def test_silence_before_the_first_sound_does_not_count() -> None:
    full_window, half_window = describe(play(MAJOR_LOOP)), describe(play(MAJOR_LOOP, seconds=6.0))
    torch.testing.assert_close(full_window[: ROTATED.stop], half_window[: ROTATED.stop], atol=0.08, rtol=0.0)
