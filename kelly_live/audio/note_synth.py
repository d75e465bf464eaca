"""The built-in synthesiser as an instrument: keys go down and up, and sound comes block by block.

So a player's notes are heard by everything that hears sound, dry and in mono; and the band's by people, in stereo, each
channel in its place, with reverb. The voices are those of `synth.py`. Heeded are sustain, volume, expression, programs,
and the bend and its range as they stand when a note begins.
"""

from __future__ import annotations

from collections import defaultdict, deque

import numpy as np

from kelly_live.audio.reverb import StreamingReverb
from kelly_live.audio.synth import (
    ATTACK_SECONDS,
    LONGEST_SECONDS,
    PERCUSSION_CHANNEL,
    SAMPLE_RATE,
    WET_GAIN,
    Audio,
    choose_voice,
    compute_gain,
    get_placement,
    get_reverb_share,
    make_impulse_response,
    render_drum,
)
from kelly_live.core.midi_messages import (
    BEND_CENTRE,
    CONTROLLERS,
    DATA_COARSE,
    EXPRESSION,
    RPN_BEND_RANGE,
    RPN_COARSE,
    RPN_FINE,
    get_channel,
    get_kind,
)

_MOST_VOICES = 32  # beyond, the oldest one ends
_LEVEL = 0.12  # of a key at full velocity: a chord stays under full scale
_SUSTAIN, _PEDAL_DOWN = 64, 64  # the controller of the sustain pedal, and the value from which it is down
_VOLUME = 7
_FULL_VOLUME, _FULL_EXPRESSION = 100, 127  # General MIDI's values at rest
_BEND_SEMITONES = 2  # General MIDI's bend range
_BAND_LEVEL = 0.5  # a loud band peaks about here; what is louder is bent under full scale


class _Channel:
    """What a channel was told. `gain`: what its sound was multiplied by at the end of the last block."""

    __slots__ = ("bend", "bend_range", "expression", "gain", "is_pedal_down", "parameter", "program", "volume")

    def __init__(self) -> None:
        self.program, self.is_pedal_down = 0, False
        self.volume, self.expression = _FULL_VOLUME, _FULL_EXPRESSION
        self.bend, self.bend_range = BEND_CENTRE, _BEND_SEMITONES
        self.parameter = [127, 127]  # the registered parameter that data entry sets, coarse and fine
        self.gain = self.target_gain

    @property
    def target_gain(self) -> float:
        """The gain by volume and expression: 1 as General MIDI has them at rest."""
        return (self.volume / _FULL_VOLUME) ** 2 * (self.expression / _FULL_EXPRESSION) ** 2

    @property
    def bend_semitones(self) -> float:
        """How far the pitch is bent."""
        return (self.bend - BEND_CENTRE) / BEND_CENTRE * self.bend_range

    def control(self, controller: int, value: int) -> None:
        """Take a controller."""
        if controller == _VOLUME:
            self.volume = value
        elif controller == EXPRESSION:
            self.expression = value
        elif controller in (RPN_COARSE, RPN_FINE):
            self.parameter[controller == RPN_FINE] = value
        elif controller == DATA_COARSE and self.parameter == [0, RPN_BEND_RANGE]:
            self.bend_range = value


class _Voice:
    """A sounding key: `age` and `released_age` in samples since its attack; `offset` until that in the next block."""

    __slots__ = (
        "age",
        "channel",
        "drum",
        "frequency",
        "is_held",
        "offset",
        "pitch",
        "program",
        "released_age",
        "velocity",
    )

    def __init__(self, channel: int, pitch: int, velocity: int, program: int, offset: int, bend: float) -> None:
        self.channel, self.pitch, self.velocity, self.program = channel, pitch, velocity, program
        self.frequency = 440.0 * 2.0 ** ((pitch + bend - 69) / 12.0)
        self.offset, self.age = offset, 0
        self.released_age: int | None = None
        self.is_held = True  # by the key, not only by the pedal
        self.drum = render_drum(pitch, velocity) if channel == PERCUSSION_CHANNEL else None

    def render(self, count: int) -> Audio:
        """Render the next `count` samples from the attack on."""
        if self.drum is not None:
            return self.drum[self.age : self.age + count]
        voice, release = choose_voice(self.program)
        time = (np.arange(self.age, self.age + count, dtype=np.float32)) / np.float32(SAMPLE_RATE)
        wave = voice(time, self.frequency, self.velocity / 127.0)
        wave = wave * np.minimum(np.float32(1.0), time / np.float32(ATTACK_SECONDS))
        if self.released_age is not None:
            fall = np.clip((time - self.released_age / SAMPLE_RATE) / release, 0.0, 1.0)
            wave = wave * np.cos(0.5 * np.pi * fall) ** 2
        return np.asarray(wave * np.float32(compute_gain(self.velocity)), np.float32)

    @property
    def is_over(self) -> bool:
        """Whether nothing of it sounds any more."""
        if self.drum is not None:
            return self.age >= len(self.drum)
        release = choose_voice(self.program)[1]
        ended = self.released_age is not None and self.age >= self.released_age + release * SAMPLE_RATE
        return ended or self.age >= LONGEST_SECONDS * SAMPLE_RATE


class NoteSynth:
    """Plays raw MIDI messages: notes, sustain pedal, programs, all notes off. Thread: one."""

    def __init__(self) -> None:
        self._voices: deque[_Voice] = deque()
        self._channels: defaultdict[int, _Channel] = defaultdict(_Channel)
        self._reverb: StreamingReverb | None = None

    def play(self, message: bytes, offset: int) -> None:
        """Take a message that falls `offset` samples after the start of the next block."""
        kind = get_kind(message)
        if kind not in ("note_on", "note_off", "control_change", "program_change", "pitch_bend"):
            return
        channel = get_channel(message)
        state = self._channels[channel]
        if kind == "note_on":
            self._release(channel, message[1], offset, with_pedal=True)  # a key that is struck again sounds once
            self._voices.append(_Voice(channel, message[1], message[2], state.program, offset, state.bend_semitones))
            for _ in range(len(self._voices) - _MOST_VOICES):
                self._voices.popleft()
        elif kind == "note_off":
            self._release(channel, message[1], offset)
        elif kind == "program_change":
            state.program = message[1]
        elif kind == "pitch_bend":
            state.bend = message[1] + 128 * message[2]
        elif message[1] == _SUSTAIN:
            self._move_pedal(channel, message[2] >= _PEDAL_DOWN, offset)
        elif message[1] in CONTROLLERS.values():
            state.is_pedal_down = False
            self._release(channel, None, offset)
        else:
            state.control(message[1], message[2])

    def render(self, count: int) -> Audio:
        """Return the next block `[count]` at SAMPLE_RATE, dry and mono, in [-1, 1] as a rule."""
        mix = np.zeros(count, np.float32)
        for bus in self._render_channels(count).values():
            mix += bus
        return mix * np.float32(_LEVEL / compute_gain(127))

    def render_stereo(self, count: int) -> Audio:
        """Return the next block `[2, count]` at SAMPLE_RATE, placed and with reverb, in [-1, 1]."""
        if self._reverb is None:
            self._reverb = StreamingReverb(make_impulse_response(), count)
        dry, send = np.zeros((2, count), np.float32), np.zeros((2, count), np.float32)
        for channel, bus in sorted(self._render_channels(count).items()):
            placed_bus = get_placement(channel)[:, None] * bus
            dry += placed_bus
            send += placed_bus * np.float32(get_reverb_share(channel))
        mix = _BAND_LEVEL * (dry + np.float32(WET_GAIN) * self._reverb.process(send))
        return np.asarray(np.tanh(mix), np.float32)

    def _render_channels(self, count: int) -> dict[int, Audio]:
        """Return the next block of each channel that sounds, by its volume and expression."""
        buses: dict[int, Audio] = {}
        for voice in self._voices:
            start = min(voice.offset, count)
            wave = voice.render(count - start)
            bus = buses.setdefault(voice.channel, np.zeros(count, np.float32))
            bus[start : start + len(wave)] += wave
            voice.age += count - start
            voice.offset -= start
        self._voices = deque(voice for voice in self._voices if not voice.is_over)
        for channel, bus in buses.items():
            state = self._channels[channel]
            target_gain = state.target_gain
            bus *= np.linspace(state.gain, target_gain, count, dtype=np.float32)
            state.gain = target_gain
        return buses

    def release_all(self) -> None:
        """Let go of all keys and pedals."""
        for channel, state in self._channels.items():
            state.is_pedal_down = False
            self._release(channel, None, 0)

    def _release(self, channel: int, pitch: int | None, offset: int, *, with_pedal: bool = False) -> None:
        """Release a key, or all of a channel; a pedal that is down holds what the keys let go."""
        for voice in self._voices:
            if voice.channel == channel and pitch in (None, voice.pitch) and voice.released_age is None:
                voice.is_held = False
                if with_pedal or not self._channels[channel].is_pedal_down:
                    voice.released_age = voice.age + max(0, offset - voice.offset)

    def _move_pedal(self, channel: int, is_down: bool, offset: int) -> None:
        self._channels[channel].is_pedal_down = is_down
        if is_down:
            return
        for voice in self._voices:
            if voice.channel == channel and not voice.is_held and voice.released_age is None:
                voice.released_age = voice.age + max(0, offset - voice.offset)
