"""Chance that can be repeated: every choice is drawn from dice named after what they decide."""

from __future__ import annotations

import random
from collections.abc import Mapping


def rng_for(seed: int, what: str, *index: object) -> random.Random:
    """The dice for one decision; the same names give the same throws, whatever was thrown before."""
    return random.Random("/".join(map(str, (seed, what, *index))))


def pick(rng: random.Random, weights: Mapping[int, float]) -> int:
    """One key, with a chance in proportion to its weight (all > 0, at least one)."""
    return rng.choices(list(weights), weights=list(weights.values()))[0]
