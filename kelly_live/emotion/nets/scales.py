"""What the emotion net hears: the log-mel scales, and how many frames of each make one window. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE = 16_000
HOP_SECONDS = 0.25
HOP_SAMPLES = int(HOP_SECONDS * SAMPLE_RATE)
WINDOW_SECONDS = 3.0  # the long context, musicnn's own


@dataclass(frozen=True, slots=True)
class MelScale:
    """One resolution: FFT and hop in samples, `bands` triangular filters from `low_hz` to `high_hz`, spaced by
    Slaney's mel scale or by `per_octave` equal steps; `frames` is what a window of the net holds.
    """

    name: str
    fft: int
    hop: int
    bands: int
    frames: int
    low_hz: float = 0.0
    high_hz: float = SAMPLE_RATE / 2
    per_octave: int | None = None


# musicnn's window is 187 frames; its convolutions also want what stands around it. On the left real frames always
# exist (63 for the longest temporal filter), on the right only 3 are waited for (48 ms), for the timbral filters.
TRUNK_FRAMES = 187
TRUNK_PAST = 63
TRUNK_AHEAD = 3

# The speech encoder hears a second at a time, every hop, and keeps what it says of the newest half second.
SPEECH_CONTEXT = 100  # frames of a pass: 1 s
SPEECH_HOP = 25  # frames between passes: 250 ms
SPEECH_KEPT = 25  # newest tokens of a pass, 20 ms each
SPEECH_PASSES = 12

TONAL_FRAMES = 375  # 12 s: harmony and rhythm take longer to tell than timbre

SCALES = (
    MelScale("mel_512", 512, 256, 96, TRUNK_PAST + TRUNK_FRAMES + TRUNK_AHEAD),
    MelScale("mel_400", 400, 160, 80, SPEECH_CONTEXT + (SPEECH_PASSES - 1) * SPEECH_HOP),
    MelScale("mel_1024", 1024, 512, 64, 94),
    # 24 bands an octave over 6 octaves: a voice's pitch is a place on this axis and its harmonics are fixed shifts.
    MelScale("mel_2048", 2048, 512, 144, 94, low_hz=62.5, high_hz=4000.0, per_octave=24),
    # Three bands a semitone over six octaves, and a frame before the first, for what rose and fell.
    MelScale("mel_4096", 4096, 512, 216, TONAL_FRAMES + 1, low_hz=55.0, high_hz=3520.0, per_octave=36),
)
