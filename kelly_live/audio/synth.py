"""A compact synthesiser: sounding notes become stereo sound, with no system library and no download.

Each General MIDI program family maps to one of a few voices of our own (electric piano, mallets, bass, lead, pad);
channel 10 is a small drum kit. Controllers 11 and 74 are heeded, pressure is not. Everything is deterministic: noise
comes from fixed seeds.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kelly_live.core.values import SoundingNote

SAMPLE_RATE = 44_100
PEAK = 10.0 ** (-1.0 / 20.0)  # -1 dBFS
PERCUSSION_CHANNEL = 10
_REVERB_SECONDS = 1.6
_TAIL_SECONDS = 1.8  # after the last note, for releases and the reverb
ATTACK_SECONDS = 0.004
LONGEST_SECONDS = 20.0  # a voice has died away by then
_GLIDE_SECONDS = 0.02  # from a controller's value to the next, so that no step is heard

Audio: TypeAlias = NDArray[np.float32]
# (time s [n], frequency Hz, brightness 0-1, of the note or of each moment [n]) -> wave [n]
Voice: TypeAlias = Callable[[Audio, float, float | Audio], Audio]


def _sine(phase: Audio) -> Audio:
    """Return sin(2*pi*phase) of a phase in cycles near 0: further out, float32 sines lose precision."""
    result: Audio = np.sin(phase * np.float32(2.0 * np.pi))
    return result


def _cycles(time: Audio, frequency: float) -> Audio:
    """Return the phase of a steady tone, in cycles in [-0.5, 0.5).

    An integer accumulator wraps by itself, and so stays in tune in a note of any length (a step is 1e-5 Hz).
    """
    step = np.uint32(round(frequency / SAMPLE_RATE * 2**32))
    first = np.uint32(round(float(time[0]) * SAMPLE_RATE)) if len(time) else np.uint32(0)
    turns = (np.arange(len(time), dtype=np.uint32) + first) * step
    return turns.view(np.int32).astype(np.float32) * np.float32(2.0**-32)


def _fade(time: Audio, rate: float) -> Audio:
    """Return an exponential decay, `rate` per second."""
    result: Audio = np.exp(np.float32(-rate) * time)
    return result


def _rise(time: Audio, seconds: float) -> Audio:
    """Return a straight line from 0 to 1, then 1."""
    result: Audio = np.minimum(np.float32(1.0), time * np.float32(1.0 / seconds))
    return result


def _electric_piano(time: Audio, frequency: float, bright: float | Audio) -> Audio:
    """Two-operator FM, as in the DX7's tine pianos: a bell fades quickly over a body that fades slowly."""
    phase = _cycles(time, frequency)
    body = _sine(phase + (0.05 + 0.22 * bright) * _fade(time, 2.2) * _sine(phase))
    # Where the real tine would be above hearing, so is the modulator: a lower one keeps it from folding back.
    ratio = 14.0 if 14.0 * frequency < 0.4 * SAMPLE_RATE else 1.0
    tine = _sine(phase + 0.12 * bright * _fade(time, 6.0) * _sine(_cycles(time, ratio * frequency)))
    return (0.75 * body + 0.25 * tine) * _fade(time, 0.7 + frequency / 900.0)


def _mallet(time: Audio, frequency: float, bright: float | Audio) -> Audio:
    """A vibraphone bar: fundamental, its tuned fourth harmonic, a short strike, and a slow tremolo."""
    tone = _sine(_cycles(time, frequency)) * _fade(time, 1.3)
    if 4.0 * frequency < 0.45 * SAMPLE_RATE:
        tone += (0.12 + 0.25 * bright) * _sine(_cycles(time, 4.0 * frequency)) * _fade(time, 5.0)
    if 9.9 * frequency < 0.45 * SAMPLE_RATE:
        tone += 0.18 * bright * _sine(_cycles(time, 9.9 * frequency)) * _fade(time, 22.0)
    return tone * (1.0 - 0.12 * (1.0 + _sine(_cycles(time, 5.2))) * _rise(time, 0.4))


def _bass(time: Audio, frequency: float, bright: float | Audio) -> Audio:
    """A plucked string: harmonics of a saw; the upper ones are softer and fade sooner, as a filter closes."""
    highest = min(9, int(0.45 * SAMPLE_RATE / frequency))
    tone = np.zeros_like(time)
    for harmonic in range(1, highest + 1):
        level = (0.32 + 0.4 * bright) ** (harmonic - 1) if harmonic > 1 else 1.0
        fade = _fade(time, 0.5 + 0.9 * (harmonic - 1))
        tone += (level / harmonic**0.5) * fade * _sine(_cycles(time, harmonic * frequency))
    return tone * np.float32(0.8)


def _lead(time: Audio, frequency: float, bright: float | Audio) -> Audio:
    """A soft reed or flute: few harmonics, a vibrato that comes in late."""
    depth = np.float32(0.0035 * frequency / (2.0 * np.pi * 5.3))  # 6 cents either way, at 5.3 Hz
    late = _rise(np.maximum(time - np.float32(0.25), np.float32(0.0)), 0.4)
    phase: Audio = _cycles(time, frequency) + depth * late * _sine(_cycles(time, 5.3))
    tone: Audio = _sine(phase) + (0.15 + 0.3 * bright) * _sine(2.0 * phase) + 0.3 * bright * _sine(3.0 * phase)
    return tone * _rise(time, 0.03) * np.float32(0.7)


def _pad(time: Audio, frequency: float, bright: float | Audio) -> Audio:
    """Three detuned oscillators with soft harmonics and a slow start."""
    tone = np.zeros_like(time)
    for detune in (0.9975, 1.0, 1.0025):
        phase = _cycles(time, detune * frequency)
        tone += _sine(phase) + (0.2 + 0.2 * bright) * _sine(2.0 * phase) + 0.1 * bright * _sine(3.0 * phase)
    return tone * _rise(time, 0.12) * np.float32(0.3)


# Upper end (exclusive) of each run of General MIDI programs (0-127), its voice and its release in seconds.
_FAMILIES: tuple[tuple[int, Voice, float], ...] = (
    (8, _electric_piano, 0.18),
    (16, _mallet, 0.35),
    (24, _pad, 0.12),
    (32, _electric_piano, 0.15),
    (40, _bass, 0.07),
    (56, _pad, 0.35),
    (88, _lead, 0.12),
    (104, _pad, 0.5),
    (128, _mallet, 0.2),
)


def choose_voice(program: int) -> tuple[Voice, float]:
    """Choose the voice of a General MIDI program 0-127, and its release in seconds."""
    return next((voice, release) for end, voice, release in _FAMILIES if program < end)


# Where each part sits: channel -> (gain, pan from -1 left to 1 right). Other channels stay in the middle.
_MIX = {1: (0.30, -0.25), 2: (0.46, 0.0), 3: (0.52, 0.18), PERCUSSION_CHANNEL: (0.66, 0.0)}
_DRY_CHANNELS = (2,)  # in the reverb a bass loses its definition
WET_GAIN = 0.28  # of the reverb


def compute_gain(velocity: int) -> float:
    """Return the gain of a velocity: a little flatter than General MIDI Level 2's (v/127)^2."""
    return float((velocity / 127.0) ** 1.7)


def _read_controllers(note: SoundingNote, time: Audio) -> tuple[Audio, Audio]:
    """Return a note's gain by controller 11 and what controller 74 adds to its brightness, at times after its start."""
    seconds = np.array([point.seconds - note.start_seconds for point in note.expression])
    gains = np.array([(point.level / 127.0) ** 2 for point in note.expression])  # General MIDI's law
    added = np.array([(point.brightness - 64) / 64.0 for point in note.expression])
    places = np.maximum(0, np.searchsorted(seconds, time, side="right") - 1)
    return _smooth(gains[places]), _smooth(added[places])


def _smooth(steps: NDArray[np.float64]) -> Audio:
    """Average over the last moments, so that a controller's steps are not heard."""
    count = int(_GLIDE_SECONDS * SAMPLE_RATE)
    sums = np.cumsum(np.concatenate([np.full(count, steps[0]), steps]))
    smooth: Audio = ((sums[count:] - sums[:-count]) / count).astype(np.float32)
    return smooth


def _tone(voice: Voice, release: float, note: SoundingNote) -> Audio:
    """Render one note: attack without a click, the voice's own decay, a release after its end."""
    note_seconds = min(max(note.end_seconds - note.start_seconds, 0.02), LONGEST_SECONDS)
    count = int((note_seconds + release) * SAMPLE_RATE)
    time = np.arange(count, dtype=np.float32) / np.float32(SAMPLE_RATE)
    frequency = 440.0 * 2.0 ** ((note.pitch + note.cents / 100.0 - 69.0) / 12.0)
    bright = note.velocity / 127.0
    if note.expression:
        gain, brightness = _read_controllers(note, time)
        wave_ = gain * voice(time, frequency, np.clip(bright + brightness, 0.0, 1.0))
    else:
        wave_ = voice(time, frequency, bright)
    attack = min(count, int(ATTACK_SECONDS * SAMPLE_RATE))
    wave_[:attack] *= np.linspace(0.0, 1.0, attack, dtype=np.float32)
    fall = count - int(note_seconds * SAMPLE_RATE)
    wave_[-fall:] *= np.cos(np.linspace(0.0, 0.5 * np.pi, fall, dtype=np.float32)) ** 2
    return (wave_ * np.float32(compute_gain(note.velocity))).astype(np.float32)


def _noise(count: int, seed: int) -> Audio:
    return np.random.default_rng(seed).standard_normal(count).astype(np.float32) * np.float32(0.4)


def _high_pass(noise: Audio, times: int) -> Audio:
    for _ in range(times):
        noise = np.diff(noise, prepend=np.float32(0.0)) * np.float32(0.6)
    return noise


def _drop(time: Audio, start: float, end: float, fall: float) -> Audio:
    """Return a sine that falls from `start` to `end` Hz, `fall` a second."""
    sweep = end * time.astype(np.float64) + (start - end) * (1.0 - np.exp(-fall * time)) / fall
    return _sine((sweep % 1.0).astype(np.float32))


@lru_cache(maxsize=256)
def render_drum(key: int, velocity: int) -> Audio:
    """Render a stroke on a General MIDI percussion key, or on the nearest in kind."""
    bright = velocity / 127.0
    seconds = {36: 0.45, 38: 0.3, 46: 0.5, 49: 1.8, 51: 0.9, 57: 1.8}.get(key, 0.35)
    count = int(seconds * SAMPLE_RATE)
    time = np.arange(count, dtype=np.float32) / np.float32(SAMPLE_RATE)
    hiss = _noise(count, key)
    if key in (35, 36):
        click = _high_pass(hiss, 1) * _fade(time, 400.0) * (0.2 + 0.5 * bright)
        sound = _drop(time, 150.0 + 60.0 * bright, 48.0, 28.0) * _fade(time, 8.0) * 1.1 + click
    elif key in (38, 40):
        body = _drop(time, 260.0, 185.0, 40.0) * _fade(time, 22.0)
        sound = 0.5 * body + (0.5 + 0.5 * bright) * _high_pass(hiss, 1) * _fade(time, 15.0)
    elif key in (37, 39):  # side stick, clap
        sound = _high_pass(hiss, 1) * _fade(time, 38.0) + 0.3 * _drop(time, 900.0, 800.0, 50.0) * _fade(time, 60.0)
    elif key in (41, 43, 45, 47, 48, 50):
        pitch = {41: 75.0, 43: 90.0, 45: 108.0, 47: 132.0, 48: 150.0, 50: 172.0}[key]
        sound = 0.9 * _drop(time, 1.5 * pitch, pitch, 18.0) * _fade(time, 9.0)
        sound += 0.12 * hiss * _fade(time, 60.0)
    elif key in (42, 44):
        sound = 0.8 * _high_pass(hiss, 3) * _fade(time, 70.0 - 30.0 * bright)
    elif key == 46:
        sound = 0.7 * _high_pass(hiss, 3) * _fade(time, 9.0)
    elif key in (49, 52, 55, 57):
        sound = 0.4 * _high_pass(hiss, 2) * (0.7 * _fade(time, 2.6) + 0.3 * _fade(time, 18.0))
    elif key in (51, 53, 59):
        ringing = _sine(_cycles(time, 3120.0)) + 0.7 * _sine(_cycles(time, 4670.0)) + 0.5 * _sine(_cycles(time, 6890.0))
        sound = 0.05 * ringing * _fade(time, 6.0) + 0.26 * _high_pass(hiss, 3) * _fade(time, 7.0)
    else:  # shakers and what else there is
        sound = 0.3 * _high_pass(hiss, 2) * _rise(time, 0.02) * _fade(time, 28.0)
    edge = min(count, int(0.001 * SAMPLE_RATE))
    sound[:edge] *= np.linspace(0.0, 1.0, edge, dtype=np.float32)
    sound[-edge * 10 :] *= np.linspace(1.0, 0.0, edge * 10, dtype=np.float32)
    return (sound * np.float32(compute_gain(velocity))).astype(np.float32)


@lru_cache(maxsize=1)
def make_impulse_response() -> Audio:
    """Return a reverb's impulse response, stereo `[2, n]`: noise whose highs decay before its lows."""
    count = int(_REVERB_SECONDS * SAMPLE_RATE)
    time = np.arange(count, dtype=np.float32) / np.float32(SAMPLE_RATE)
    sides = []
    for seed in (1, 2):
        bright = _noise(count, seed) * _fade(time, 9.0)
        dark = np.convolve(_noise(count, seed + 10), np.ones(8, dtype=np.float32) / 8.0, mode="same") * _fade(time, 4.0)
        side = (0.6 * bright + 1.6 * dark) * _rise(time, 0.012)
        sides.append(side / np.sqrt(np.sum(side * side)))
    return np.stack(sides).astype(np.float32)


def render(notes: Sequence[SoundingNote], programs: Mapping[int, int], *, sample_rate: int = SAMPLE_RATE) -> Audio:
    """Render the notes from second 0 to the reverb's end: stereo float32 `[2, n]`, peak -1 dBFS.

    `programs` maps channels 1-16 to General MIDI programs 0-127 (a channel without one plays program 0; channel 10
    is percussion). `sample_rate` other than 44100 Hz is resampled at the end.
    """
    last = max((note.end_seconds for note in notes), default=0.0)
    count = int((max(0.0, last) + _TAIL_SECONDS) * SAMPLE_RATE)
    buses: dict[int, Audio] = {}
    for note in notes:
        if note.channel == PERCUSSION_CHANNEL:
            sound = render_drum(note.pitch, note.velocity)
            if note.expression:
                sound = sound * np.float32((note.expression[0].level / 127.0) ** 2)
        else:
            voice, release = choose_voice(programs.get(note.channel, 0))
            sound = _tone(voice, release, note)
        start = max(0, round(note.start_seconds * SAMPLE_RATE))
        if note.channel not in buses:
            buses[note.channel] = np.zeros(count, dtype=np.float32)
        bus = buses[note.channel]
        fits = min(len(sound), count - start)
        bus[start : start + fits] += sound[:fits]
    mix = _mix_buses(buses, count)
    if sample_rate != SAMPLE_RATE:
        import soxr

        mix = np.ascontiguousarray(soxr.resample(mix.T, SAMPLE_RATE, sample_rate).T, dtype=np.float32)
    return _normalize(mix)


def get_placement(channel: int) -> Audio:
    """Return the gains of a channel on the left and right `[2]`: its level and its place in the stereo field."""
    gain, pan = _MIX.get(channel, (0.4, 0.0))
    angle = (pan + 1.0) * 0.25 * np.pi
    return np.array([gain * np.cos(angle), gain * np.sin(angle)], np.float32)


def get_reverb_share(channel: int) -> float:
    """Return how much of a channel goes into the reverb, from 0 to 1."""
    if channel in _DRY_CHANNELS:
        return 0.0
    return 0.4 if channel == PERCUSSION_CHANNEL else 1.0


def _mix_buses(buses: Mapping[int, Audio], count: int) -> Audio:
    """Place the channels in the stereo field, and add the reverb."""
    dry = np.zeros((2, count), dtype=np.float32)
    send = np.zeros((2, count), dtype=np.float32)
    for channel, bus in sorted(buses.items()):
        placed_bus = get_placement(channel)[:, None] * bus
        dry += placed_bus
        if share := get_reverb_share(channel):
            send += placed_bus * np.float32(share)
    response = make_impulse_response()
    wet = np.stack([convolve(send[side], response[side]) for side in (0, 1)])
    return (dry + np.float32(WET_GAIN) * wet).astype(np.float32)


def convolve(signal: Audio, response: Audio) -> Audio:
    """Convolve a signal with an impulse response, by overlap-add; the result is as long as the signal.

    Written out because scipy, which has it as `oaconvolve`, would add 143 MB to an installation for this one line.
    """
    size = 4 << len(response).bit_length()  # blocks of four to eight times the response: little of each is overlap
    step = size - len(response) + 1
    transfer = np.fft.rfft(response, size)
    convolved = np.zeros(len(signal) + size)
    for start in range(0, len(signal), step):
        block = np.fft.rfft(signal[start : start + step], size)
        convolved[start : start + size] += np.fft.irfft(block * transfer, size)
    return convolved[: len(signal)].astype(np.float32)


def _normalize(sound: Audio) -> Audio:
    """Compress loud peaks softly, then scale all to -1 dBFS; silence stays silence."""
    body = float(np.sqrt(np.mean(np.square(sound)))) if sound.size else 0.0
    if body < 1e-7:
        return sound
    knee = np.float32(5.0 * body)  # peaks are rarely more than 14 dB above the body; what is, bends
    compressed = knee * np.tanh(sound / knee)
    normalized: Audio = compressed * np.float32(PEAK / float(np.max(np.abs(compressed))))
    return normalized


def write_wav(path: Path, samples: Audio, sample_rate: int = SAMPLE_RATE) -> None:
    """Write `[channels, n]` in [-1, 1] as 16-bit PCM, whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    from kelly_live.core.atomic_write import write_atomically

    pcm = np.round(np.clip(samples.T, -1.0, 1.0) * 32767.0).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm.tobytes())
    write_atomically(path, buffer.getvalue())


def write_mp3(path: Path, samples: Audio, sample_rate: int = SAMPLE_RATE) -> None:
    """Write `[channels, n]` in [-1, 1] as MP3, whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    import soundfile

    from kelly_live.core.atomic_write import write_atomically

    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples.T, -1.0, 1.0), sample_rate, format="MP3")
    write_atomically(path, buffer.getvalue())
