"""The independent judges' audio features, on tones whose features are known."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.lab.judging.audio_features import AUDIO_FEATURES, RATE, extract_audio_features

I_IV_V_I = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))
I_IV_V_I_MINOR = ((0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7))


def play(
    chords: tuple[tuple[int, ...], ...], *, seconds: float = 0.8, tonic: int = 60, level: float = 0.1
) -> np.ndarray:
    """Play chords in turn for eight seconds, struck and dying away, with four partials a note."""
    sound = []
    time = np.arange(int(seconds * RATE)) / RATE
    for index in range(round(8.0 / seconds)):
        chord = chords[index % len(chords)]
        notes = [440.0 * 2.0 ** ((tonic + pitch - 69) / 12.0) for pitch in chord]
        tones = sum(np.sin(2.0 * np.pi * k * hertz * time) / k**2 for hertz in notes for k in (1, 2, 3, 4))
        sound.append(level * tones * np.exp(-2.0 * time))
    return np.concatenate(sound)


def measure(sound: np.ndarray) -> dict[str, float]:
    return dict(zip(AUDIO_FEATURES, extract_audio_features(sound), strict=True))


def test_a_major_cadence_has_a_clear_key_in_major_and_a_minor_one_in_minor() -> None:
    major, minor = measure(play(I_IV_V_I)), measure(play(I_IV_V_I_MINOR))
    assert major["overall mode"] > 0.05 > -0.05 > minor["overall mode"]
    every_key = measure(play(tuple((step, step + 4, step + 7) for step in range(0, 12))))
    assert major["overall key clarity"] > every_key["overall key clarity"] + 0.2


def test_mode_is_the_same_in_every_key() -> None:
    modes = [measure(play(I_IV_V_I, tonic=tonic))["overall mode"] for tonic in (57, 60, 64)]
    assert modes == pytest.approx([modes[0]] * 3, abs=0.1)


def test_pitch_is_measured_in_semitones() -> None:
    low, high = measure(play(I_IV_V_I, tonic=57)), measure(play(I_IV_V_I, tonic=69))
    assert high["pitch mean"] - low["pitch mean"] == pytest.approx(12.0, abs=1.0)
    assert high["centroid"] > low["centroid"]


def test_a_semitone_is_rougher_than_a_fifth() -> None:
    """High enough for frames of 46 ms to hear two tones."""
    fifth, semitone = measure(play(((0, 7),), tonic=84)), measure(play(((0, 1),), tonic=84))
    assert semitone["roughness mean"] > 2.0 * fifth["roughness mean"]


def test_what_is_played_twice_as_fast_has_twice_the_onsets() -> None:
    slow, fast = measure(play(I_IV_V_I, seconds=0.8)), measure(play(I_IV_V_I, seconds=0.4))
    assert fast["onset rate"] / slow["onset rate"] == pytest.approx(2.0, rel=0.3)


def test_level_scales_loudness_and_leaves_key_and_timbre() -> None:
    soft, loud = measure(play(I_IV_V_I, level=0.05)), measure(play(I_IV_V_I, level=0.1))
    assert loud["rms mean"] / soft["rms mean"] == pytest.approx(2.0)
    for name in ("overall mode", "overall key clarity", "centroid", "brightness", "pitch mean"):
        assert loud[name] == pytest.approx(soft[name])


@pytest.mark.parametrize("sound", [np.zeros(8 * RATE), np.ones(RATE)])
def test_silence_and_a_short_sound_cannot_be_judged(sound: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="s of sound to judge"):
        extract_audio_features(sound)
