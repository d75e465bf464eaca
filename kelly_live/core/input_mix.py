"""Which channels of an audio input or a sound file are heard, and how loud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kelly_live.core.errors import AudioError, ConfigError
from kelly_live.core.numbers import parse_whole_number
from kelly_live.core.wording import plural

MAX_CHANNELS = 64  # that are heard at once; the inputs of a larger interface can be named
HIGHEST_CHANNEL = 1024  # as in libsndfile
MAX_GAIN_DB = 60.0
MAX_MINUTES = 60.0  # of a sound file: a megabyte of FLAC can hold two hours


def parse_channels(text: str) -> tuple[int, ...]:
    """Read `2`, `1,2` or `1-4,7`: channels from 1 up, each once. Raises ConfigError."""
    channels: list[int] = []
    for item in text.split(","):
        low, dash, high = (part.strip() for part in item.partition("-"))
        first = parse_whole_number(low)
        last = parse_whole_number(high) if dash else first
        if first is None or last is None or not 1 <= first <= last <= HIGHEST_CHANNEL:
            raise ConfigError(
                f"{item.strip()[:40]!r} is no channel: write 2, 1,2 or 1-4; channels count from 1 to {HIGHEST_CHANNEL}"
            )
        channels += range(first, last + 1)
    return _check_channels(tuple(channels))


def format_channels(channels: Sequence[int]) -> str:
    """Return channels as they are typed, runs joined: `1-4,7`."""
    runs: list[list[int]] = []
    for channel in channels:
        if runs and channel == runs[-1][-1] + 1:
            runs[-1].append(channel)
        else:
            runs.append([channel])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _check_channels(channels: tuple[int, ...]) -> tuple[int, ...]:
    twice = next((one for i, one in enumerate(channels) if one in channels[:i]), None)
    if twice is not None:
        raise ConfigError(f"channel {twice} is named twice; name each once")
    if not 1 <= len(channels) <= MAX_CHANNELS:
        raise ConfigError(f"{plural(len(channels), 'channel')} named; name 1 to {MAX_CHANNELS}")
    return channels


@dataclass(frozen=True, slots=True)
class InputMix:
    """Which channels are heard (from 1 up; None: all), and the gain in dB, -60..60. Raises ConfigError."""

    channels: tuple[int, ...] | None = None
    gain_db: float = 0.0

    def __post_init__(self) -> None:
        if self.channels is not None:
            _check_channels(self.channels)
        if not -MAX_GAIN_DB <= self.gain_db <= MAX_GAIN_DB:
            raise ConfigError(f"the gain is {self.gain_db} dB; it must be in -{MAX_GAIN_DB:g}..{MAX_GAIN_DB:g}")

    def choose(self, available: int, name: str) -> tuple[int, ...]:
        """Return the channels that are heard, of those `available` in `name`; all of them, up to MAX_CHANNELS.

        Raises:
            AudioError: One that was named is not there.
        """
        if self.channels is None:
            return tuple(range(1, min(available, MAX_CHANNELS) + 1))
        missing = [one for one in self.channels if one > available]
        if missing:
            has = plural(available, "channel")
            raise AudioError(
                f"{name} has {has}, and no channel {format_channels(missing)}; give --audio-channels 1 to {available}"
            )
        return self.channels

    def describe(self, available: int) -> str:
        """Say which of the `available` channels are heard: "input 2 of 18"; empty where all are."""
        channels = self.choose(available, "the input")
        gain = f"{self.gain_db:+g} dB" if self.gain_db else ""
        which = f"{'input' if len(channels) == 1 else 'inputs'} {format_channels(channels)} of {available}"
        return ", ".join(filter(None, (which if len(channels) < available or self.channels else "", gain)))


ALL_CHANNELS = InputMix()
