"""Augmentation of clean recordings: room, microphone, noise, automatic gain control and clipping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, oaconvolve, sosfilt, sosfreqz  # type: ignore[import-untyped]

from kelly_live.emotion.nets.scales import SAMPLE_RATE

Samples = NDArray[np.float32]
Spectrum = NDArray[np.float64]
Sections = NDArray[np.float64]  # of a filter: [sections, 6]

NOISES = ("white", "pink", "brown", "hum", "motor", "babble")
MICROPHONE_SAMPLES = 1024  # 64 ms: a second-order high-pass at 60 Hz has decayed by 60 dB well before
COLOUR_TAPS = 1024
FRAME = 320  # 20 ms, for levels
SOUNDING_DB = 30.0  # a frame sounds when it is no further than this below the loudest
QUIETEST_POWER = 1e-6  # -60 dBFS: a clip that is silent still gets a room's noise
MAX_BOOST = 4.0  # 12 dB: the most that restores the level after a band limit, else only noise would be left


@dataclass(frozen=True, slots=True)
class StageProbabilities:
    """The probability of each stage, 0 to 1; stages are drawn independently and applied in this order."""

    room: float = 0.55
    microphone: float = 0.7
    noise: float = 0.7
    gain_control: float = 0.2
    gain: float = 0.9
    clipping: float = 0.12


DEFAULT_PROBABILITIES = StageProbabilities()


def augment(
    samples: Samples, rng: np.random.Generator, probabilities: StageProbabilities = DEFAULT_PROBABILITIES
) -> Samples:
    """Process mono 16 kHz sound `[n]` with a random chain; the result lies in [-1, 1], without delay."""
    if not len(samples):
        return samples.astype(np.float32)
    rough: Samples = samples.astype(np.float32)
    has_room = rng.random() < probabilities.room
    sections = draw_microphone(rng) if rng.random() < probabilities.microphone else None
    if has_room or sections is not None:
        response = draw_room_response(rng) if has_room else np.eye(1, MICROPHONE_SAMPLES, dtype=np.float32)[0]
        if sections is not None:
            response = sosfilt(sections, response).astype(np.float32)
        filtered_samples = oaconvolve(rough, response[: len(rough)])[: len(rough)]
        rough = filtered_samples * np.float32(min(_rms(rough) / (_rms(filtered_samples) + 1e-12), MAX_BOOST))
    if rng.random() < probabilities.noise:
        noise = draw_noise(str(rng.choice(NOISES)), len(rough), rng, sections)
        below = 10.0 ** (-rng.uniform(5.0, 35.0) / 20.0)
        rough += noise * np.float32(
            np.sqrt(max(measure_active_power(rough), QUIETEST_POWER)) * below / (_rms(noise) + 1e-12)
        )
    if rng.random() < probabilities.gain_control:
        rough *= compute_gain_control(rough, rng)
    if rng.random() < probabilities.gain:
        rough *= np.float32(10.0 ** (rng.uniform(-18.0, 6.0) / 20.0))
    if rng.random() < probabilities.clipping:
        rough = _soft_clip(rough, rng.uniform(0.5, 2.5))
    np.clip(rough, -1.0, 1.0, out=rough)
    return rough


def _rms(samples: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def measure_active_power(samples: Samples) -> float:
    """Measure the mean square over the 20 ms frames within SOUNDING_DB of the loudest, without pauses."""
    frame_samples = len(samples) // FRAME * FRAME
    if not frame_samples:
        return float(np.mean(np.square(samples)))
    power = np.square(samples[:frame_samples]).reshape(-1, FRAME).mean(axis=1)
    return float(power[power >= power.max() * 10.0 ** (-SOUNDING_DB / 10.0)].mean())


def draw_room_response(rng: np.random.Generator) -> Samples:
    """Draw the impulse response of a synthetic room.

    The direct sound is 1 at sample 0, followed by 6 to 12 early reflections and a noise tail with RT60 0.15-0.8 s that
    decays faster in the treble. The direct sound lies -3 to +12 dB above the rest.
    """
    rt60 = rng.uniform(0.15, 0.8)
    n = int(rt60 * SAMPLE_RATE)
    time = np.arange(n, dtype=np.float32) / SAMPLE_RATE
    noise = rng.standard_normal(n, dtype=np.float32)
    pole = np.exp(-2.0 * np.pi * rng.uniform(500.0, 3000.0) / SAMPLE_RATE)
    bass = lfilter([1.0 - pole], [1.0, -pole], noise)
    decay = np.log(1e-3) / rt60  # 60 dB
    tail = bass * np.exp(decay * time) + (noise - bass) * np.exp(decay / rng.uniform(0.35, 0.9) * time)
    # Echoes grow denser: the tail fades in while single reflections are still distinct.
    tail *= np.minimum(time / rng.uniform(0.01, 0.04), 1.0)
    tail /= np.sqrt(np.sum(np.square(tail)))
    delays = np.exp(rng.uniform(np.log(0.0015), np.log(0.05), rng.integers(6, 13)))
    early = np.zeros(n)
    np.add.at(early, (delays * SAMPLE_RATE).astype(int), rng.choice([-1.0, 1.0], len(delays)) / (1.0 + delays / 0.01))
    early /= np.sqrt(np.sum(np.square(early))) + 1e-12
    share = rng.uniform(0.1, 0.6)  # of the reverberant energy that is early
    rest = np.sqrt(share) * early + np.sqrt(1.0 - share) * tail
    rest[0] = 0.0
    rest *= 10.0 ** (-rng.uniform(-3.0, 12.0) / 20.0) / np.sqrt(np.sum(np.square(rest)))
    rest[0] = 1.0
    return np.asarray(rest, np.float32)


def draw_microphone(rng: np.random.Generator) -> Sections:
    """Draw a microphone as causal second-order sections `[s, 6]`.

    High-pass at 60-250 Hz, low-pass at 2.8-8 kHz, a resonance and a tilt of at most 6 dB each.
    """
    sections = [butter(2, rng.uniform(60.0, 250.0), "highpass", fs=SAMPLE_RATE, output="sos")]
    high = np.exp(rng.uniform(np.log(2800.0), np.log(8000.0)))
    if high < 0.98 * SAMPLE_RATE / 2:  # above, it is the sample rate that limits
        sections.append(butter(2 * rng.integers(1, 4), high, "lowpass", fs=SAMPLE_RATE, output="sos"))
    centre = np.exp(rng.uniform(np.log(200.0), np.log(5000.0)))
    sections.append(_peak(centre, rng.uniform(-6.0, 6.0), rng.uniform(0.6, 3.0)))
    sections.append(_tilt(rng.uniform(500.0, 2000.0), rng.uniform(-6.0, 6.0)))
    return np.concatenate(sections)


def _section(b: NDArray[np.float64], a: NDArray[np.float64]) -> Sections:
    section: Sections = np.concatenate((b, a))[None] / a[0]
    return section


def _peak(hertz: float, decibels: float, quality: float) -> Sections:
    # R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients", peaking EQ.
    amplitude, omega = 10.0 ** (decibels / 40.0), 2.0 * np.pi * hertz / SAMPLE_RATE
    alpha, cosine = np.sin(omega) / (2.0 * quality), np.cos(omega)
    b = np.array([1.0 + alpha * amplitude, -2.0 * cosine, 1.0 - alpha * amplitude])
    a = np.array([1.0 + alpha / amplitude, -2.0 * cosine, 1.0 - alpha / amplitude])
    return _section(b, a)


def _tilt(hertz: float, decibels: float) -> Sections:
    """A first-order shelf: -decibels/2 far below `hertz`, +decibels/2 far above."""
    root, warped_frequency = 10.0 ** (decibels / 80.0), np.tan(np.pi * hertz / SAMPLE_RATE)
    # The bilinear transform of (root·s + warped/root) / (s/root + warped·root), which is 1 in size at s = j·warped.
    b = np.array([root + warped_frequency / root, warped_frequency / root - root, 0.0])
    a = np.array([1.0 / root + warped_frequency * root, warped_frequency * root - 1.0 / root, 0.0])
    return _section(b, a)


def draw_noise(kind: str, n: int, rng: np.random.Generator, sections: Sections | None = None) -> Samples:
    """Draw `n` samples of one of NOISES at any level, filtered by a microphone's `sections`."""
    hertz = np.linspace(0.0, SAMPLE_RATE / 2, COLOUR_TAPS // 2 + 1)
    response = np.ones_like(hertz) if sections is None else np.abs(sosfreqz(sections, hertz, fs=SAMPLE_RATE)[1])
    safe = np.maximum(hertz, 30.0)
    if kind in ("hum", "motor"):
        mains = kind == "hum"
        base = rng.choice([50.0, 60.0]) if mains else rng.uniform(40.0, 300.0)
        whine = _harmonics(n, base, 0.0 if mains else rng.uniform(0.0, 0.02), rng, hertz, response)
        hiss = _generate_noise(n, response / safe ** rng.uniform(0.3, 0.8), rng)
        return whine + hiss * np.float32(rng.uniform(0.02, 0.3) if mains else rng.uniform(0.3, 2.0))
    if kind == "babble":
        # Three bands of the long-term spectrum of speech (Byrne et al. 1994: about -9 dB an octave above 500 Hz), each
        # moved by its own crowd of syllables.
        speech = response * np.minimum(safe / 150.0, 1.0) / (1.0 + (safe / 500.0) ** 1.5)
        total = np.zeros(n, np.float32)
        for low, high in ((0.0, 700.0), (700.0, 2000.0), (2000.0, 8000.0)):
            total += _generate_noise(n, speech * ((hertz >= low) & (hertz < high)), rng, keep_level=True) * _syllables(
                n, rng
            )
        return total
    slope = {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind]
    return _generate_noise(n, response / safe**slope, rng)


def _generate_noise(n: int, size: Spectrum, rng: np.random.Generator, keep_level: bool = False) -> Samples:
    """Generate noise with this amplitude spectrum, linear in frequency up to Nyquist.

    Its power is 1 unless its level is kept.
    """
    taps = np.roll(np.fft.irfft(size), COLOUR_TAPS // 2) * np.hanning(COLOUR_TAPS)
    if not keep_level:
        taps /= np.sqrt(np.sum(np.square(taps))) + 1e-30
    white = rng.standard_normal(n + COLOUR_TAPS - 1, dtype=np.float32)
    noise: Samples = oaconvolve(white, taps.astype(np.float32), mode="valid")
    return noise


def _harmonics(
    n: int,
    base: float,
    wobble: float,
    rng: np.random.Generator,
    hertz: Spectrum,
    response: Spectrum,
) -> Samples:
    """Generate eight harmonics of `base` of power 1 together; the pitch moves by the share `wobble`."""
    seconds = np.arange(n) / SAMPLE_RATE
    rate = rng.uniform(0.1, 2.0)
    # One turning phasor and its powers: a sine a harmonic would cost the whole budget.
    phase = 2.0 * np.pi * base * seconds
    if wobble:
        phase -= wobble * base / rate * np.cos(2.0 * np.pi * rate * seconds)
    turn, phase = np.empty(n, np.complex64), np.mod(phase, 2.0 * np.pi).astype(np.float32)
    turn.real, turn.imag = np.cos(phase), np.sin(phase)
    count = 8
    weights = rng.uniform(0.1, 1.0, count) / np.arange(1, count + 1) * np.exp(2j * np.pi * rng.random(count))
    weights *= np.interp(base * np.arange(1, count + 1), hertz, response)
    total = np.zeros(n, np.complex64)
    for weight in weights[::-1].astype(np.complex64):  # Horner
        total += weight
        total *= turn
    return total.real / np.float32(np.sqrt(np.sum(np.abs(weights) ** 2) / 2.0) + 1e-12)


def _syllables(n: int, rng: np.random.Generator) -> Samples:
    """Generate a positive envelope that moves a few times a second, like several people talking."""
    points = max(4, int(n / SAMPLE_RATE * rng.uniform(4.0, 10.0)))
    return np.interp(np.linspace(0.0, points - 1, n), np.arange(points), rng.gamma(2.0, 0.5, points)).astype(np.float32)


def compute_gain_control(samples: Samples, rng: np.random.Generator) -> Samples:
    """Compute the gain for each sample of a mild automatic gain control.

    Attack within 0.05-0.2 s, release within 0.5-2 s, at most 9 dB.
    """
    frames = -(-len(samples) // FRAME)
    padded_samples = np.zeros(frames * FRAME, np.float32)
    padded_samples[: len(samples)] = samples
    levels = np.sqrt(np.square(padded_samples).reshape(frames, FRAME).mean(axis=1)) + 1e-5
    target = np.sqrt(measure_active_power(samples)) + 1e-5
    strength = rng.uniform(0.3, 0.6)
    attack, release = (1.0 - np.exp(-FRAME / SAMPLE_RATE / rng.uniform(*span)) for span in ((0.05, 0.2), (0.5, 2.0)))
    level, gains = target, np.empty(frames)
    for i, now in enumerate(levels.tolist()):
        level += (attack if now > level else release) * (now - level)
        gains[i] = (target / level) ** strength
    gains = np.clip(gains, 10.0 ** (-9 / 20), 10.0 ** (9 / 20))
    centres = (np.arange(frames) + 0.5) * FRAME
    return np.interp(np.arange(len(samples)), centres, gains).astype(np.float32)


def _soft_clip(samples: Samples, drive: float) -> Samples:
    """Round the peaks; the highest keeps its size."""
    peak = max(float(np.abs(samples).max()), 1e-9)
    clipped_samples: Samples = np.tanh(samples * np.float32(drive / peak)) * np.float32(peak / np.tanh(drive))
    return clipped_samples
