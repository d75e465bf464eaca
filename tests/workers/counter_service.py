"""A service for the tests of ServiceProcess; it writes a file when it is closed."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.core.errors import ConfigError, KellyError


class OddError(Exception):
    """Cannot be made again from its one text."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


class OddKellyError(KellyError):
    """One of ours that is not made of a text."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


@dataclass(frozen=True, slots=True)
class Count:
    """A checked value: a number from 0 up."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ConfigError(f"a count is {self.number}; it must be at least 0")


class Counter:
    """What the process holds."""

    def __init__(self, farewell: str) -> None:
        self._farewell = Path(farewell)
        self._released = threading.Event()

    def double(self, count: Count) -> Count:
        print("a library's chatter")
        return Count(2 * count.number)

    def scale(self, samples: np.ndarray, factor: float = 2.0) -> np.ndarray:
        return samples * factor

    def fail(self) -> None:
        raise ConfigError("seven is not a colour; choose another")

    def fail_oddly(self) -> None:
        raise OddError("a", "b")

    def fail_oddly_as_ours(self) -> None:
        raise OddKellyError("a", "b")

    def time_out(self) -> None:
        raise TimeoutError("the driver gave no answer")

    def return_what_has_no_schema(self) -> object:
        return object()

    def wait(self) -> str:
        self._released.wait()
        return "released"

    def release(self) -> None:
        self._released.set()

    def policy(self) -> int:
        return os.sched_getscheduler(0)

    def take(self, data: bytes) -> int:
        return len(data)

    def close(self) -> None:
        self._farewell.write_text("closed")


def create_counter(farewell: str) -> Counter:
    """Make the service."""
    return Counter(farewell)


def fail_to_create() -> Counter:
    """Raise."""
    raise ConfigError("there is no wood")
