"""The log-mel scales of the emotion net and the number of frames of each in a window. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE = 16_000
HOP_SECONDS = 0.25
HOP_SAMPLES = int(HOP_SECONDS * SAMPLE_RATE)
WINDOW_SECONDS = 3.0  # the window that musicnn was trained with


@dataclass(frozen=True, slots=True)
class MelScale:
    """One resolution of the log-mel spectrogram.

    `fft` and `hop` in samples; `bands` triangular filters from `low_hz` to `high_hz`, spaced by Slaney's mel scale or,
    with `per_octave`, by equal steps an octave; `frames` in a window of the net.
    """

    name: str
    fft: int
    hop: int
    bands: int
    frames: int
    low_hz: float = 0.0
    high_hz: float = SAMPLE_RATE / 2
    per_octave: int | None = None


# musicnn's window is 187 frames, and its convolutions also read frames around it: 63 on the left, for the longest
# temporal filter; only 3 on the right (48 ms of delay), for the timbral filters.
TRUNK_FRAMES = 187
TRUNK_PAST = 63
TRUNK_AHEAD = 3

# The speech encoder runs on one second of sound each hop; its tokens for the newest half second are kept.
SPEECH_CONTEXT = 100  # frames of a pass: 1 s
SPEECH_HOP = 25  # frames between passes: 250 ms
SPEECH_KEPT = 25  # newest tokens of a pass, 20 ms each
SPEECH_PASSES = 12

TONAL_FRAMES = 375  # 12 s: harmony and rhythm need more time than timbre

SCALES = (
    MelScale("mel_512", 512, 256, 96, TRUNK_PAST + TRUNK_FRAMES + TRUNK_AHEAD),
    MelScale("mel_400", 400, 160, 80, SPEECH_CONTEXT + (SPEECH_PASSES - 1) * SPEECH_HOP),
    MelScale("mel_1024", 1024, 512, 64, 94),
    # 24 bands an octave over 6 octaves: on this axis the harmonics of a pitch are at fixed distances from it.
    MelScale("mel_2048", 2048, 512, 144, 94, low_hz=62.5, high_hz=4000.0, per_octave=24),
    # Three bands a semitone over six octaves, and one frame before the first, for differences.
    MelScale("mel_4096", 4096, 512, 216, TONAL_FRAMES + 1, low_hz=55.0, high_hz=3520.0, per_octave=36),
)
