"""What the playback process and the built-in synth's port say to each other."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class TimedMessage(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A raw MIDI message and when it was sent (s, monotonic)."""

    seconds: float
    data: bytes


class OutputOpened(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The output of this name is open; `delay_seconds` go by from a message to its sound, by the driver."""

    name: str
    delay_seconds: float


class OutputFailed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The output can't be opened, or is gone; one line."""

    message: str


PlaybackMessage: TypeAlias = OutputOpened | OutputFailed
