"""Audio features of the independent judges: loudness, timbre, rhythm, key and register, by numpy and scipy alone.

They are the predictors of Eerola, Lartillot & Toiviainen (ISMIR 2009), who used the MIRtoolbox, and a few more. The
definitions follow its manual as far as it gives them (frame lengths, bands, thresholds); units differ, so models that
use these features standardise them first. Where they deviate: key profiles are those of Krumhansl & Kessler (1982),
spectral masking is left out, and novelty compares frames by their cosine.

No code or feature is shared with the emotion net, the mapper's measurements or the judges of `judges.py`.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, signal  # type: ignore[import-untyped]

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError
from kelly_live.core.key_profiles import KRUMHANSL_KESSLER_MAJOR, KRUMHANSL_KESSLER_MINOR

VERSION = 1  # of the features: part of the name under which they are cached
RATE = 16_000
SHORTEST_SECONDS = 6.0

AUDIO_FEATURES = (
    "rms mean", "rms deviation", "log rms", "level range", "low energy", "centroid", "spread", "brightness", "entropy",
    "flux", "roughness mean", "roughness deviation", "fluctuation peak", "pulse clarity", "onset rate", "attack",
    "key clarity", "mode", "overall key clarity", "overall mode", "harmonic change", "chroma entropy",
    "spectral novelty", "chroma novelty", "register novelty", "pitch mean", "pitch deviation",
    "highest pitches", "lowest pitches",
)  # fmt: skip
TONAL_FEATURES = (
    "key clarity", "mode", "overall key clarity", "overall mode", "harmonic change", "chroma entropy", "chroma novelty",
)  # fmt: skip

_FRAME, _HOP = 736, 368  # 46 ms, half overlapping
_BARK_FRAME, _BARK_HOP = 368, 184  # 23 ms
_CHROMA_FRAME, _CHROMA_HOP = 4096, 1600  # 256 ms: semitones apart from 100 Hz on; a tenth of a second apart
_LOWEST_PITCH, _PITCHES = 43, 72  # G2 (98 Hz) and the semitones of six octaves
_CHROMA_RANGE = 0.1  # 20 dB below the strongest bin of a frame
_ENTROPY_FRAMES = 64  # of 23 ms: 1.5 s
_NOVELTY_FRAMES = 64
_BRIGHT_HZ = 1500.0
_ROUGH_PEAKS = 12
# Zwicker's critical bands: their upper edges, Hz.
_BARK_EDGES = (
    100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400,
    7700,
)  # fmt: skip


def extract_audio_features(samples: np.ndarray) -> Floats:
    """Extract AUDIO_FEATURES of mono samples at RATE, one row.

    Raises:
        ConfigError: There is less than SHORTEST_SECONDS of sound.
    """
    sound = np.asarray(samples, np.float64)
    if len(sound) < SHORTEST_SECONDS * RATE or not sound.any():
        raise ConfigError(f"{len(sound) / RATE:.1f} s of sound to judge; {SHORTEST_SECONDS:g} s or more are needed")
    magnitudes = _compute_magnitudes(sound, _FRAME, _HOP, 1024)
    pitches = _compute_pitch_strengths(sound)
    values = {
        **_measure_level(sound),
        **_measure_timbre(magnitudes),
        **_measure_rhythm(sound, magnitudes),
        **_measure_tonality(pitches),
        **_measure_register(pitches),
        "spectral novelty": _measure_novelty(_compute_magnitudes(sound, 1600, 800, 2048)[:640]),
    }
    return np.array([values[name] for name in AUDIO_FEATURES])


def _compute_magnitudes(sound: Floats, frame: int, hop: int, size: int) -> Floats:
    """Compute magnitudes `[bins, frames]` of Hann windows."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, frame)[::hop]
    result: Floats = np.abs(np.fft.rfft(frames * np.hanning(frame), size, axis=1)).T / frame
    return result


# ---------------------------------------------------------------- level and timbre


def _measure_level(sound: Floats) -> dict[str, float]:
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP]
    rms = np.sqrt(np.mean(frames**2, axis=1))
    decibels = 20.0 * np.log10(np.maximum(rms, 1e-4))
    return {
        "rms mean": float(rms.mean()),
        "rms deviation": float(rms.std()),
        "log rms": float(np.log(rms.mean() + 1e-6)),
        "level range": float(np.subtract(*np.percentile(decibels, [90, 10]))),
        "low energy": float(np.mean(rms < rms.mean())),
    }


def _measure_timbre(magnitudes: Floats) -> dict[str, float]:
    """Measure timbre over the frames that sound."""
    hertz = np.linspace(0.0, RATE / 2.0, len(magnitudes))
    total = magnitudes.sum(axis=0)
    sounding = magnitudes[:, total > 0.01 * total.max()]
    shares = sounding / sounding.sum(axis=0)
    centroids = hertz @ shares
    spreads = np.sqrt(np.maximum(hertz**2 @ shares - centroids**2, 0.0))
    power = sounding**2
    roughness = np.array([_measure_roughness(hertz, frame) for frame in sounding.T[::4]])
    smooth = ndimage.uniform_filter1d(magnitudes, _ENTROPY_FRAMES, axis=1)[3:, :: _ENTROPY_FRAMES // 2]
    smooth = ndimage.uniform_filter1d(smooth, 5, axis=0)  # 70 Hz
    long = smooth / np.maximum(smooth.sum(axis=0), 1e-12)
    flux = np.sqrt((np.diff(magnitudes, axis=1) ** 2).sum(axis=0))
    return {
        "centroid": float(centroids.mean()),
        "spread": float(spreads.mean()),
        "brightness": float(np.mean(power[hertz > _BRIGHT_HZ].sum(axis=0) / power.sum(axis=0))),
        "entropy": float(np.mean(-(long * np.log(long + 1e-12)).sum(axis=0)) / np.log(len(long))),
        "flux": float(flux.mean()),
        "roughness mean": float(roughness.mean()),
        "roughness deviation": float(roughness.std()),
    }


def _measure_roughness(hertz: Floats, frame: Floats) -> float:
    """Measure the roughness of a spectrum's strongest peaks (Plomp & Levelt 1965, in Sethares' 1998 form)."""
    tops, _ = signal.find_peaks(frame, height=0.05 * frame.max())
    tops = tops[np.argsort(frame[tops])[-_ROUGH_PEAKS:]]
    one, other = np.triu_indices(len(tops), 1)
    low = np.minimum(hertz[tops][one], hertz[tops][other])
    scaled = 0.24 / (0.021 * low + 19.0) * np.abs(hertz[tops][one] - hertz[tops][other])
    weights = frame[tops][one] * frame[tops][other]
    return float(np.sum(weights * (np.exp(-3.5 * scaled) - np.exp(-5.75 * scaled))))


# ---------------------------------------------------------------- rhythm


def _measure_rhythm(sound: Floats, magnitudes: Floats) -> dict[str, float]:
    envelope = np.maximum(np.diff(np.log1p(1000.0 * magnitudes), axis=1), 0.0).mean(axis=0)
    envelope = ndimage.gaussian_filter1d(envelope, 1.0)
    per_second = RATE / _HOP
    onsets, _ = signal.find_peaks(
        envelope, height=envelope.mean() + 0.5 * envelope.std(), distance=max(1, round(0.07 * per_second))
    )
    centred = envelope - envelope.mean()
    correlation = signal.correlate(centred, centred, mode="full", method="fft")[len(centred) - 1 :]
    lags = slice(round(0.25 * per_second), round(1.5 * per_second))
    return {
        "fluctuation peak": _measure_fluctuation(sound),
        "pulse clarity": float(correlation[lags].max() / max(correlation[0], 1e-12)),
        "onset rate": len(onsets) / (len(sound) / RATE),
        "attack": float(envelope[onsets].mean()) if len(onsets) else 0.0,
    }


def _measure_fluctuation(sound: Floats) -> float:
    """Measure the strongest fluctuation up to 10 Hz (Pampalk, Rauber & Merkl 2002), summed over critical bands."""
    power = _compute_magnitudes(sound, _BARK_FRAME, _BARK_HOP, 1024) ** 2
    hertz = np.linspace(0.0, RATE / 2.0, len(power))
    kilo = np.maximum(hertz, 20.0) / 1000.0
    ear = -3.64 * kilo**-0.8 + 6.5 * np.exp(-0.6 * (kilo - 3.3) ** 2) - 0.001 * kilo**4  # Terhardt 1979, dB
    power *= 10.0 ** (ear[:, None] / 10.0)
    bands = np.searchsorted(_BARK_EDGES, hertz)
    barks = np.stack([power[bands == band].sum(axis=0) for band in range(len(_BARK_EDGES))])
    decibels = np.maximum(10.0 * np.log10(barks + 1e-12) + 70.0, 0.0)  # above the threshold of a quiet room
    spectrum = np.abs(np.fft.rfft(decibels, axis=1)) / decibels.shape[1]
    modulation = np.fft.rfftfreq(decibels.shape[1], _BARK_HOP / RATE)
    heard = (modulation >= 0.2) & (modulation <= 10.0)
    weights = 1.0 / (modulation[heard] / 4.0 + 4.0 / modulation[heard])
    return float((spectrum[:, heard].sum(axis=0) * weights).max())


# ---------------------------------------------------------------- key and register


def _compute_pitch_strengths(sound: Floats) -> Floats:
    """Compute the strength of each semitone from _LOWEST_PITCH on, `[pitches, frames]`."""
    magnitudes = _compute_magnitudes(sound, _CHROMA_FRAME, _CHROMA_HOP, 4 * _CHROMA_FRAME)
    hertz = np.linspace(0.0, RATE / 2.0, len(magnitudes))
    places = np.rint(69.0 + 12.0 * np.log2(np.maximum(hertz, 1.0) / 440.0)).astype(int) - _LOWEST_PITCH
    kept = np.where(magnitudes > _CHROMA_RANGE * magnitudes.max(axis=0), magnitudes, 0.0)
    return np.stack([kept[places == place].mean(axis=0) for place in range(_PITCHES)])


def _fold_octaves(pitches: Floats) -> Floats:
    """Fold pitch strengths to chroma from C on, `[12, frames]`, each frame's strongest 1."""
    chroma: Floats = np.roll(pitches.reshape(-1, 12, pitches.shape[1]).sum(axis=0), _LOWEST_PITCH, axis=0)
    return np.asarray(chroma / np.maximum(chroma.max(axis=0), 1e-9))


def _correlate_keys(chroma: Floats) -> Floats:
    """Correlate chroma `[12, frames]` with the profiles of all keys: `[major and minor, 12 keys, frames]`."""
    profiles = np.array(
        [[np.roll(p, key) for key in range(12)] for p in (KRUMHANSL_KESSLER_MAJOR, KRUMHANSL_KESSLER_MINOR)]
    )
    profiles = profiles - profiles.mean(axis=2, keepdims=True)
    centred = chroma - chroma.mean(axis=0)
    scale = np.linalg.norm(profiles, axis=2)[..., None] * np.maximum(np.linalg.norm(centred, axis=0), 1e-9)
    result: Floats = profiles @ centred / scale
    return result


def _measure_tonality(pitches: Floats) -> dict[str, float]:
    sounding = pitches[:, pitches.sum(axis=0) > 0.05 * pitches.sum(axis=0).mean()]
    chroma = _fold_octaves(sounding)
    keys = _correlate_keys(chroma)
    whole = chroma.mean(axis=1, keepdims=True)
    overall = _correlate_keys(whole)
    shares = whole[:, 0] / whole.sum()
    angles = 2.0 * np.pi * np.arange(12)[:, None] * np.array([7.0, 3.0, 4.0]) / 12.0  # fifths, minor, major thirds
    space = np.hstack([np.sin(angles), np.cos(angles)]) * np.array([1.0, 1.0, 0.5, 1.0, 1.0, 0.5])
    centroids = space.T @ (chroma / np.maximum(chroma.sum(axis=0), 1e-9))  # Harte, Sandler & Gasser 2006
    return {
        "key clarity": float(keys.max(axis=(0, 1)).mean()),
        "mode": float((keys[0].max(axis=0) - keys[1].max(axis=0)).mean()),
        "overall key clarity": float(overall.max()),
        "overall mode": float(overall[0].max() - overall[1].max()),
        "harmonic change": float(np.linalg.norm(np.diff(centroids, axis=1), axis=0).mean()),
        "chroma entropy": float(-(shares * np.log(shares + 1e-12)).sum() / np.log(12.0)),
        "chroma novelty": _measure_novelty(chroma),
        "register novelty": _measure_novelty(sounding),
    }


def _measure_register(pitches: Floats) -> dict[str, float]:
    """Measure, in semitones, where the strongest pitch and the whole spectrum of pitches lie."""
    sounding = pitches[:, pitches.sum(axis=0) > 0.05 * pitches.sum(axis=0).mean()]
    strongest = sounding.argmax(axis=0) + _LOWEST_PITCH
    shares = np.cumsum(sounding.sum(axis=1)) / sounding.sum()
    return {
        "pitch mean": float(strongest.mean()),
        "pitch deviation": float(strongest.std()),
        "highest pitches": float(np.searchsorted(shares, 0.9) + _LOWEST_PITCH),
        "lowest pitches": float(np.searchsorted(shares, 0.1) + _LOWEST_PITCH),
    }


def _measure_novelty(frames: Floats) -> float:
    """Measure how strongly `[features, frames]` change from one stretch to the next (Foote & Cooper 2003)."""
    unit = frames / np.maximum(np.linalg.norm(frames, axis=0), 1e-9)
    half = _NOVELTY_FRAMES // 2
    place = np.arange(-half, half) + 0.5
    taper = np.exp(-((place / (0.5 * half)) ** 2))
    kernel = np.outer(np.sign(place) * taper, np.sign(place) * taper)
    similar = unit.T @ unit
    centres = range(half, similar.shape[0] - half + 1, 2)
    novelty = [float((kernel * similar[c - half : c + half, c - half : c + half]).sum()) for c in centres]
    return float(np.mean(np.maximum(novelty, 0.0))) if novelty else 0.0
