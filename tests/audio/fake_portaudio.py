"""A stand-in for the sounddevice module and its audio thread, driven by a clock that the test owns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from kelly_live.core.timebase import ManualClock


class FakePortAudioError(Exception):
    """(message, code), as sounddevice.PortAudioError."""


@dataclass
class FakePortAudio:
    """Devices are (name, host API, input channels, rate).

    `refusals` maps (channels, rate) to an error code.
    """

    rows: list[tuple[str, str, int, int]]
    default_index: int = 0
    refusals: dict[tuple[int, int], int] = field(default_factory=dict)
    open_error: int | None = None
    streams: list[FakeStream] = field(default_factory=list)
    PortAudioError: type[Exception] = FakePortAudioError

    @property
    def _apis(self) -> list[str]:
        return list(dict.fromkeys(api for _, api, _, _ in self.rows))

    def query_devices(self, kind: str | None = None) -> Any:
        rows = [
            {
                "index": index,
                "name": name,
                "hostapi": self._apis.index(api),
                "max_input_channels": channels,
                "default_samplerate": float(rate),
            }
            for index, (name, api, channels, rate) in enumerate(self.rows)
        ]
        if kind is None:
            return rows
        if not 0 <= self.default_index < len(rows):
            raise FakePortAudioError("Error querying device -1")
        return rows[self.default_index]

    def query_hostapis(self) -> list[dict[str, Any]]:
        def first_input(api: str) -> int:
            return next((i for i, row in enumerate(self.rows) if row[1] == api and row[2] > 0), -1)

        return [{"name": api, "default_input_device": first_input(api)} for api in self._apis]

    def check_input_settings(self, device: int, channels: int, samplerate: int, dtype: str) -> None:
        if (code := self.refusals.get((channels, samplerate))) is not None:
            raise FakePortAudioError("Error: no", code)

    def InputStream(self, **settings: Any) -> FakeStream:
        if self.open_error is not None:
            raise FakePortAudioError("Error opening InputStream: no", self.open_error)
        self.streams.append(FakeStream(**settings))
        return self.streams[-1]


class FakeStream:
    def __init__(
        self,
        *,
        device: int,
        channels: int,
        samplerate: int,
        dtype: str,
        blocksize: int,
        latency: str,
        callback: Callable[..., None],
    ):
        self.device, self.channels, self.rate, self.callback = device, channels, samplerate, callback
        self.active = self.closed = False
        self.on_close: Callable[[], None] = lambda: None

    def start(self) -> None:
        self.active = True

    def abort(self) -> None:
        self.active = False

    def close(self) -> None:
        self.on_close()
        self.closed = True

    def deliver(self, frames: np.ndarray, overflow: bool = False, age_seconds: float | None = None) -> None:
        """The audio thread calls back, with a buffer that it reuses at once.

        `age_seconds`: how long ago the driver says that the first frame was taken; None: it does not say.
        """
        buffer = frames.copy()
        times = SimpleNamespace(
            currentTime=100.0, inputBufferAdcTime=0.0 if age_seconds is None else 100.0 - age_seconds
        )
        self.callback(buffer, len(buffer), times, SimpleNamespace(input_overflow=overflow))
        buffer[:] = 99.0


class DrivenClock(ManualClock):
    """A manual clock on which something happens at set times: [(seconds, action)]."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda: list[tuple[float, Callable[[], None]]] = []

    def sleep_until(self, deadline: float) -> None:
        while self.agenda and self.agenda[0][0] <= deadline:
            when, action = self.agenda.pop(0)
            super().sleep_until(when)
            action()
        super().sleep_until(deadline)
