"""Synthetic background sounds without emotion, as a microphone records them between performances."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter  # type: ignore[import-untyped]

from kelly_live.emotion.nets.scales import SAMPLE_RATE

SOUND_SECONDS = 6.0
Sound = NDArray[np.float64]


def _hertz(n: int) -> Sound:
    hertz: Sound = np.maximum(np.fft.rfftfreq(n, 1.0 / SAMPLE_RATE), 20.0)
    return hertz


def _seconds(n: int) -> Sound:
    return np.arange(n) / SAMPLE_RATE


def _normalise_power(samples: Sound) -> Sound:
    """Scale to power 1."""
    normalised: Sound = samples / (np.sqrt(np.mean(np.square(samples))) + 1e-12)
    return normalised


def _shaped(rng: np.random.Generator, n: int, size: Sound) -> Sound:
    """Generate noise of power 1 with this amplitude spectrum over `_hertz(n)`."""
    noise: Sound = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * size, n)
    return _normalise_power(noise)


def _hump(hertz: Sound, centre: float, octaves: float) -> Sound:
    return np.exp(-0.5 * np.square(np.log2(hertz / centre) / octaves))


def _slow(rng: np.random.Generator, n: int, hertz: float) -> Sound:
    """Generate a smooth random curve of deviation about 1 that turns about `hertz` times a second."""
    points = max(3, int(n / SAMPLE_RATE * hertz) + 2)
    knots = np.interp(np.linspace(0, points - 1, n), np.arange(points), rng.standard_normal(points))
    width = min(max(int(SAMPLE_RATE / hertz / 2), 1), n)
    sums = np.cumsum(np.pad(knots, (width // 2 + 1, width - 1 - width // 2), mode="edge"))
    return (sums[width:] - sums[:-width])[:n] / width if width < n else np.full(n, knots.mean())


def _whine(rng: np.random.Generator, pitch: Sound, count: int, tilt: float = 1.0) -> Sound:
    """Generate harmonics of a pitch `[n]` in Hz, up to 7.5 kHz.

    Their random sizes fall by `tilt` powers of their number.
    """
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    total = np.zeros(len(pitch))
    for k in range(1, count + 1):
        if k == 1 or k * float(pitch.max()) < 7500.0:
            total += rng.uniform(0.1, 1.0) / k**tilt * np.sin(k * phase + rng.uniform(0.0, 6.28))
    return _normalise_power(total)


def _strokes(rng: np.random.Generator, n: int, starts: NDArray[np.integer], make: Callable[[], Sound]) -> Sound:
    """Place a new stroke from `make` at every start, cut at the end of the sound."""
    total = np.zeros(n)
    for start in starts.tolist():
        stroke = make()[: n - start]
        total[start : start + len(stroke)] += stroke
    return total


def _knock(rng: np.random.Generator, seconds: float, centre: float) -> Sound:
    """A decaying resonance at `centre` Hz with a little noise."""
    time = _seconds(int(5 * seconds * SAMPLE_RATE))
    tone = np.sin(2 * np.pi * centre * time + rng.uniform(0, 6.28)) + 0.15 * rng.standard_normal(len(time))
    return tone * np.exp(-time / seconds)


def _silence(rng: np.random.Generator, n: int) -> Sound:
    return rng.standard_normal(n)


def _create_sloped_noise(slope: float) -> Callable[[np.random.Generator, int], Sound]:
    return lambda rng, n: _shaped(rng, n, _hertz(n) ** -slope)


def _hum(rng: np.random.Generator, n: int) -> Sound:
    """A transformer: the mains' first eight harmonics, falling."""
    base = rng.choice([50.0, 60.0]) * rng.uniform(0.99, 1.01)
    return _whine(rng, np.full(n, base), 8) + 0.02 * rng.standard_normal(n)


def _clicks(rng: np.random.Generator, n: int) -> Sound:
    """A few clicks, all alike."""
    click = np.exp(-np.arange(200) / rng.uniform(5, 60)) * rng.standard_normal(200)
    starts = rng.integers(0, n, rng.integers(3, 60))
    return _strokes(rng, n, starts, lambda: click) + 1e-4 * rng.standard_normal(n)


def _motor(rng: np.random.Generator, n: int) -> Sound:
    """A steady whine that wobbles a little, over some noise."""
    pitch = rng.uniform(80.0, 400.0) * (1 + 0.01 * np.sin(2 * np.pi * rng.uniform(0.1, 2.0) * _seconds(n)))
    return _whine(rng, pitch, 12) + rng.uniform(0.1, 1.0) * _shaped(rng, n, _hertz(n) ** -rng.uniform(0.2, 0.9))


def _vacuum(rng: np.random.Generator, n: int) -> Sound:
    """A vacuum cleaner that starts, slows under load, and is mostly the noise of air."""
    hertz, time = _hertz(n), _seconds(n)
    ramp = 1.0 - np.exp(-np.maximum(time - rng.uniform(-2.0, 0.5), 0.0) / rng.uniform(0.2, 0.6))
    load = 1.0 + rng.uniform(0.01, 0.06) * _slow(rng, n, rng.uniform(0.3, 1.0))
    pitch = rng.uniform(180.0, 450.0) * np.maximum(ramp, 0.02) * load
    air = _shaped(rng, n, hertz**-0.3 * (0.3 + _hump(hertz, rng.uniform(900.0, 3000.0), 1.2)))
    floor = 1e-3 * rng.standard_normal(n)
    return ramp * (_whine(rng, pitch, 24, 0.8) * rng.uniform(0.2, 0.8) + air * ramp * load**2) + floor


def _fan(rng: np.random.Generator, n: int) -> Sound:
    """A fan or air conditioning: dull noise that swells with the blades."""
    hertz = _hertz(n)
    air = _shaped(rng, n, 1.0 / (1.0 + (hertz / rng.uniform(150.0, 500.0)) ** rng.uniform(1.0, 1.8)))
    blades = 1.0 + rng.uniform(0.05, 0.4) * np.sin(2 * np.pi * rng.uniform(3.0, 25.0) * _seconds(n))
    return air * blades + _whine(rng, np.full(n, rng.uniform(45.0, 120.0)), 4) * rng.uniform(0.05, 0.4)


def _rain(rng: np.random.Generator, n: int) -> Sound:
    """Rain: thousands of drops a second on something, some near, over the hiss of the far ones."""
    drops = np.where(
        rng.random(n) < rng.uniform(0.01, 0.08), np.minimum(rng.pareto(2.5, n), 4.0) * rng.choice([-1.0, 1.0], n), 0.0
    )
    hertz = _hertz(n)
    near_drops: Sound = np.fft.irfft(np.fft.rfft(drops) * (0.05 + _hump(hertz, rng.uniform(2500.0, 6000.0), 0.8)), n)
    roof = np.exp(-1.0 / (rng.uniform(0.0005, 0.003) * SAMPLE_RATE))
    dull: Sound = lfilter([1.0 - roof], [1.0, -roof], drops)
    return (
        _normalise_power(near_drops)
        + rng.uniform(0.0, 0.6) * _normalise_power(dull)
        + rng.uniform(0.1, 0.6) * _shaped(rng, n, _hump(hertz, 5000.0, 1.0))
    )


def _crowd(rng: np.random.Generator, n: int) -> Sound:
    """A crowd without words: a dozen or more breathy vowels that come and go by the syllable."""
    hertz, total = _hertz(n), np.zeros(n)
    for _ in range(int(rng.integers(10, 24))):
        formants = ((rng.uniform(250, 800), 0.25, 1.0), (rng.uniform(900, 2300), 0.18, 0.4), (2700.0, 0.15, 0.1))
        vowel = sum(weight * _hump(hertz, centre, width) for centre, width, weight in formants)
        syllables = np.maximum(_slow(rng, n, rng.uniform(3.0, 6.0)), 0.0) ** 1.5
        total += rng.uniform(0.2, 1.0) * _shaped(rng, n, np.asarray(vowel)) * syllables
    return total


def _typing(rng: np.random.Generator, n: int) -> Sound:
    """Typing, or knocks on a table: uneven strokes, each a little different."""
    keys = rng.random() < 0.7
    gaps = rng.gamma(2.0, rng.uniform(0.04, 0.12) if keys else rng.uniform(0.1, 0.4), 200) + 0.04
    starts = (np.cumsum(gaps) * SAMPLE_RATE).astype(int)
    centre = rng.uniform(1200.0, 4500.0) if keys else rng.uniform(120.0, 400.0)
    length = rng.uniform(0.002, 0.008) if keys else rng.uniform(0.01, 0.04)

    def stroke() -> Sound:
        return rng.uniform(0.3, 1.0) * _knock(rng, length, centre * rng.uniform(0.8, 1.25))

    return _strokes(rng, n, starts[starts < n], stroke) + 1e-3 * rng.standard_normal(n)


def _traffic(rng: np.random.Generator, n: int) -> Sound:
    """A road: a rumble, and cars that pass slowly, brighter when they are near."""
    hertz, time = _hertz(n), _seconds(n)
    total = _shaped(rng, n, 1.0 / (1.0 + (hertz / rng.uniform(60.0, 150.0)) ** 2)) * rng.uniform(0.3, 1.0)
    for _ in range(int(rng.integers(1, 4))):
        nearness = 1.0 / (1.0 + np.square((time - rng.uniform(0.0, time[-1])) / rng.uniform(0.5, 2.0)))
        tyres = _shaped(rng, n, _hump(hertz, rng.uniform(500.0, 1000.0), 0.9))
        engine = _whine(rng, rng.uniform(40.0, 90.0) * (1.02 - 0.05 * np.cumsum(nearness) / nearness.sum()), 6)
        total += rng.uniform(0.3, 1.0) * (tyres * nearness**2 + engine * rng.uniform(0.1, 0.5) * nearness)
    return total


def _buzz(rng: np.random.Generator, n: int) -> Sound:
    """A bad cable or a dimmer: the mains with all its harmonics up to the kilohertz, hard as a sawtooth."""
    phase = rng.choice([50.0, 60.0]) * rng.uniform(0.998, 1.002) * _seconds(n) * rng.choice([1, 2])
    edge = np.exp(-np.mod(phase, 1.0) * rng.uniform(8.0, 40.0)) - np.exp(-np.mod(phase + 0.5, 1.0) * 20.0)
    edge -= edge.mean()
    return np.asarray(edge) + rng.uniform(0.0, 0.1) * rng.standard_normal(n)


def _sweep(rng: np.random.Generator, n: int) -> Sound:
    """A sine sweep, up or down, once or several times."""
    low, high = rng.uniform(40.0, 300.0), rng.uniform(1500.0, 7500.0)
    way = np.mod(_seconds(n) * rng.uniform(0.12, 1.0), 1.0)
    if rng.random() < 0.5:
        way = 1.0 - way
    return np.sin(2 * np.pi * np.cumsum(low * (high / low) ** way) / SAMPLE_RATE)


def _tone(rng: np.random.Generator, n: int) -> Sound:
    """A test tone: a steady sine, or one steady organ pipe."""
    pitch = np.full(n, 440.0 * 2.0 ** rng.uniform(-2.5, 2.5))
    return _whine(rng, pitch, 1 if rng.random() < 0.5 else int(rng.integers(2, 9)), 1.5)


def _beeps(rng: np.random.Generator, n: int) -> Sound:
    """A telephone's dialling tones (ITU-T Q.23) or an alarm's even beeps."""
    rows, columns = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0)
    dialling, alarm = rng.random() < 0.5, rng.uniform(800.0, 4000.0)
    length, gap = rng.uniform(0.06, 0.4), rng.uniform(0.05, 0.6)
    time = _seconds(int(length * SAMPLE_RATE))
    edge = np.minimum(np.minimum(time, time[-1] - time) / 0.003, 1.0)

    def beep() -> Sound:
        pitches = (rng.choice(rows), rng.choice(columns)) if dialling else (alarm,)
        return np.asarray(edge * sum(np.sin(2 * np.pi * pitch * time) for pitch in pitches))

    starts = np.arange(int(rng.uniform(0.0, 0.3) * SAMPLE_RATE), n, int((length + gap) * SAMPLE_RATE))
    return _strokes(rng, n, starts, beep) + 1e-4 * rng.standard_normal(n)


def _howl(rng: np.random.Generator, n: int) -> Sound:
    """Feedback: a shrill tone that grows until the amplifier clips, stops, and starts at another pitch."""
    total, start = np.zeros(n), 0
    while start < n:
        length = min(int(rng.uniform(1.0, 4.0) * SAMPLE_RATE), n - start)
        time = _seconds(length)
        grow = np.minimum(10.0 ** (-rng.uniform(1.0, 3.0) + time * rng.uniform(1.5, 5.0)), rng.uniform(1.0, 4.0))
        pitch = rng.uniform(600.0, 4500.0) * (1.0 + 0.003 * np.sin(2 * np.pi * rng.uniform(2.0, 6.0) * time))
        fade = np.minimum((length - np.arange(length)) / 800.0, 1.0)  # 50 ms: the microphone was moved away
        total[start : start + length] = np.tanh(grow * np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE)) * fade
        start += length
    return total + 3e-3 * rng.standard_normal(n)


GENERATORS: dict[str, Callable[[np.random.Generator, int], Sound]] = {
    "silence": _silence,
    "white": _create_sloped_noise(0.0),
    "pink": _create_sloped_noise(0.5),
    "brown": _create_sloped_noise(1.0),
    "hum": _hum,
    "clicks": _clicks,
    "motor": _motor,
    "vacuum": _vacuum,
    "fan": _fan,
    "rain": _rain,
    "crowd": _crowd,
    "typing": _typing,
    "traffic": _traffic,
    "buzz": _buzz,
    "sweep": _sweep,
    "tone": _tone,
    "beeps": _beeps,
    "howl": _howl,
}
SOUNDS = tuple(GENERATORS)
QUIETEST_DB, LOUDEST_DB = -55.0, -12.0  # of every kind but silence, which lies at SILENCE_DB
SILENCE_DB = (-120.0, -70.0)


def make_sound(kind: str, rng: np.random.Generator, seconds: float = SOUND_SECONDS) -> np.ndarray:
    """Generate one of SOUNDS, mono float32 at 16 kHz, at QUIETEST_DB to LOUDEST_DB re full scale.

    Sparse sounds that would clip are scaled to full scale.
    """
    x = GENERATORS[kind](rng, int(seconds * SAMPLE_RATE))
    decibels = rng.uniform(*SILENCE_DB) if kind == "silence" else rng.uniform(QUIETEST_DB, LOUDEST_DB)
    x = _normalise_power(x) * 10.0 ** (decibels / 20.0)
    sound: np.ndarray = (x / max(1.0, float(np.abs(x).max()))).astype(np.float32)
    return sound


def make_sounds(count: int, seed: int) -> list[tuple[str, np.ndarray]]:
    """Generate `count` sounds with their kinds, in rotation."""
    rng = np.random.default_rng(seed)
    return [(SOUNDS[i % len(SOUNDS)], make_sound(SOUNDS[i % len(SOUNDS)], rng)) for i in range(count)]
