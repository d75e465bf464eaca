"""A copy of a state goes on by itself."""

from __future__ import annotations

import random
import threading
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from kelly_live.core.state_copy import copy_fields, copy_state


@dataclass(frozen=True)
class Value:
    names: tuple[str, ...] = ("C", "G")


@dataclass(slots=True)
class Slotted:
    counts: list[int] = field(default_factory=list)


class Pair(NamedTuple):
    value: Value
    slotted: Slotted


@dataclass(frozen=True, slots=True)
class Holder:
    counts: list[int]

    def __deepcopy__(self, memo: dict[int, Any]) -> Holder:
        return copy_fields(self, memo)


class Player:
    def __init__(self) -> None:
        self.value = Value()
        self.pair = Pair(self.value, Slotted([1]))
        self.queue = deque([1, 2], maxlen=2)
        self.names = {"a"}
        self.rng = random.Random(1)
        self.array = np.zeros(2)
        self.holder = Holder([1])
        self.same = self.pair.slotted
        self.count = partial(self.add, 5)

    def add(self, number: int) -> None:
        self.same.counts.append(number)


def test_what_the_copy_does_the_original_does_not_notice() -> None:
    player = Player()
    twin = copy_state(player)
    twin.queue.append(3)
    twin.names.add("b")
    twin.rng.random()
    twin.array += 1.0
    twin.holder.counts.append(2)
    twin.count()
    assert (list(player.queue), player.names, player.holder.counts, player.same.counts) == ([1, 2], {"a"}, [1], [1])
    assert player.array.sum() == 0.0
    assert player.rng.random() == random.Random(1).random()
    assert (list(twin.queue), twin.pair.slotted.counts) == ([2, 3], [1, 5])


def test_values_are_shared_and_what_was_one_object_stays_one() -> None:
    player = Player()
    twin = copy_state(player)
    assert twin.value is player.value
    assert twin.same is twin.pair.slotted


def test_an_object_can_be_replaced() -> None:
    player = Player()
    other = Slotted([7])
    assert copy_state(player, {id(player.same): other}).pair.slotted is other


def test_what_cannot_be_copied_is_an_error() -> None:
    with pytest.raises(TypeError):
        copy_state([threading.Lock()])
