"""Queues that one thread fills and another empties."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

T = TypeVar("T")


def drain(queue: deque[T]) -> list[T]:
    """Remove and return what a queue holds now; safe beside threads that append."""
    return [queue.popleft() for _ in range(len(queue))]
