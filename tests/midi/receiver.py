"""A receiver by the specifications alone: bends, bend ranges, key tunings, and the pitch that follows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kelly_live.core.midi_messages import get_channel, get_kind
from kelly_live.midi.ports import RecordedMessage
from kelly_live.midi.tuning import RING_SECONDS


@dataclass
class Channel:
    bend: int = 8192
    bend_range: float = 2.0
    program: int = 0
    tuning_program: int | None = None
    rpn: list[int] = field(default_factory=lambda: [127, 127])


@dataclass
class Voice:
    """A note that sounds, or rings after `end_seconds`; `pitches` is every pitch it had, in semitones."""

    start_seconds: float
    channel: int
    key: int
    program: int
    pitches: list[float]
    end_seconds: float | None = None


class Receiver:
    """`voices` are all notes so far, in the order they began."""

    def __init__(self) -> None:
        self.channels = {number: Channel() for number in range(1, 17)}
        self.tunings: dict[int, dict[int, float]] = {}
        self.zone_members = 0
        self.voices: list[Voice] = []

    def pitch(self, channel: int, key: int) -> float:
        state = self.channels[channel]
        key_pitch = float(key)
        if state.tuning_program is not None:
            key_pitch = self.tunings.get(state.tuning_program, {}).get(key, key_pitch)
        return key_pitch + (state.bend - 8192) / 8192 * state.bend_range

    def hear(self, messages: Iterable[RecordedMessage]) -> Receiver:
        for message in messages:
            self._take(message.seconds, message.data)
            for voice in self.voices:
                if voice.end_seconds is None or message.seconds < voice.end_seconds + RING_SECONDS - 1e-9:
                    pitch = self.pitch(voice.channel, voice.key)
                    if pitch != voice.pitches[-1]:
                        voice.pitches.append(pitch)
        return self

    def list_sounding_notes(self) -> list[Voice]:
        return [voice for voice in self.voices if voice.end_seconds is None]

    def _take(self, seconds: float, data: bytes) -> None:
        if data[:5] == bytes([0xF0, 0x7F, 0x7F, 0x08, 0x02]):
            changes = data[7:-1]
            assert len(changes) == 4 * data[6]
            for key, semitone, coarse, fine in zip(*(changes[i::4] for i in range(4)), strict=True):
                self.tunings.setdefault(data[5], {})[key] = semitone + (coarse * 128 + fine) / 16384
            return
        kind = get_kind(data)
        if not kind:
            return
        number = get_channel(data)
        channel = self.channels[number]
        if kind == "note_on":
            voice = Voice(seconds, number, data[1], channel.program, [self.pitch(number, data[1])])
            self.voices.append(voice)
        elif kind == "note_off":
            for voice in self.list_sounding_notes():
                if (voice.channel, voice.key) == (number, data[1]):
                    voice.end_seconds = seconds
        elif kind == "pitch_bend":
            channel.bend = data[1] + 128 * data[2]
        elif kind == "program_change":
            channel.program = data[1]
        elif kind == "control_change":
            self._control(channel, data[1], data[2], seconds, number)

    def _control(self, channel: Channel, controller: int, value: int, seconds: float, number: int) -> None:
        if controller in (100, 101):
            channel.rpn[101 - controller] = value
        elif controller == 6 and channel.rpn == [0, 0]:
            channel.bend_range = float(value)
        elif controller == 6 and channel.rpn == [0, 3]:
            channel.tuning_program = value
        elif controller == 6 and channel.rpn == [0, 6]:
            assert number == 1
            self.zone_members = value
            for member in range(2, 2 + value):
                self.channels[member].bend_range = 48.0
        elif controller in (120, 123):
            for voice in self.list_sounding_notes():
                if voice.channel == number:
                    voice.end_seconds = seconds
            if controller == 120:
                self.voices = [voice for voice in self.voices if voice.channel != number or voice.end_seconds is None]
