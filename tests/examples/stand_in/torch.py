"""A stand-in for what examples/kelly-live-notochord uses of torch."""

from __future__ import annotations

import random

chance = random.Random()


def set_num_threads(count: int) -> None:
    """There is one."""


def manual_seed(seed: int) -> None:
    chance.seed(seed)
