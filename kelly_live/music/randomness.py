"""Repeatable randomness: every decision has a random generator that is seeded with its name."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TypeVar

_Choice = TypeVar("_Choice")


def rng_for(seed: int, purpose: str, *index: object) -> random.Random:
    """Return the random generator of one decision.

    The same names give the same numbers, whatever was drawn before. The names are part of every piece: another name
    gives other notes.
    """
    return random.Random("/".join(map(str, (seed, purpose, *index))))


def pick(rng: random.Random, weights: Mapping[_Choice, float]) -> _Choice:
    """Draw one key, with a chance in proportion to its weight (all > 0, at least one)."""
    return rng.choices(list(weights), weights=list(weights.values()))[0]
