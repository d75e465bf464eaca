"""What is heard of an audio input or a sound file."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.input_mix import MAX_GAIN_DB, MAX_MINUTES, InputMix, format_channels, parse_channels
from kelly_live.engine.options.metadata import check_options, group, option


@dataclass(frozen=True, slots=True)
class AudioInputOptions:
    """Which channels are heard (from 1 up; None: all), and the gain in dB. Raises ConfigError."""

    channels: tuple[int, ...] | None = option(
        "--audio-channels",
        metavar="N,…",
        parse=parse_channels,
        format=format_channels,
        default_note="all that carry sound",
        help="The channels that are heard, from 1 up: 2, or 1,2, or 1-4.",
    )
    gain_db: float = option(
        "--gain-db",
        kind=float,
        default=0.0,
        minimum=-MAX_GAIN_DB,
        maximum=MAX_GAIN_DB,
        default_note=None,
        help="Make what is heard louder, or softer (negative), in dB.",
    )

    def __post_init__(self) -> None:
        check_options(self)

    def build_mix(self) -> InputMix:
        """Return how the channels are mixed."""
        return InputMix(self.channels, self.gain_db)


@dataclass(frozen=True, slots=True)
class SoundFileOptions:
    """What is heard of a sound file, and how long it may be, in minutes. Raises ConfigError."""

    audio: AudioInputOptions = group(AudioInputOptions)
    max_minutes: float = option(
        "--max-minutes",
        kind=float,
        default=MAX_MINUTES,
        minimum=0.0,
        default_note=None,
        help="Refuse a recording that is longer: a small file can hold many hours.",
    )

    def __post_init__(self) -> None:
        check_options(self)
