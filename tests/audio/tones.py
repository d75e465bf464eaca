"""Known sounds for the tests, and a measurement of their pitch."""

import numpy as np


def tone(hz: float, rate: int, *, seconds: float, channels: int = 1, amplitude: float = 0.5) -> np.ndarray:
    """A sine, float32 [frames, channels], the same in every channel."""
    wave = amplitude * np.sin(2.0 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def frequency_of(samples: np.ndarray, rate: int) -> float:
    """The loudest frequency in Hz, by the peak of a zero-padded spectrum (better than 0.2 Hz for 1 s)."""
    padded_length = 8 * len(samples)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), padded_length))
    return float(np.argmax(spectrum) * rate / padded_length)
