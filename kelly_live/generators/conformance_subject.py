"""What the conformance kit checks: something that makes generators, and can be watched while they play."""

from __future__ import annotations

import contextlib
import io
import os
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

from kelly_live.generators.base import BUDGET_SECONDS, Generator
from kelly_live.generators.effect_player import EffectPlayer
from kelly_live.generators.note_effect import NoteEffect

LIVE_SLICE_BEATS = 1.0 / 16.0


class NotTold(Exception):
    """The error of a rule that cannot be tried, because the process does not say what it needs."""


class Observation(NamedTuple):
    """What happened beside the answers: the first line that was printed, and what was changed, a line each.

    None stands for what the process does not say.
    """

    printed: str
    leaves_thread: bool | None
    changes: tuple[str, ...] | None


class Budget(NamedTuple):
    """How much processor time a call may take: for so many beats (None: a bar), and what such a call is called."""

    beats: float | None
    seconds: float
    name: str


class Subject(ABC):
    """Makes generators that are checked. `made_by` is their class, or what makes them."""

    made_by: Any
    slice_beats: float = LIVE_SLICE_BEATS  # the shortest that are tried
    budget: Budget = Budget(LIVE_SLICE_BEATS, BUDGET_SECONDS, "live slices")
    may_have_no_state = False  # it has the methods of one that keeps a state in any case

    @abstractmethod
    def make(self) -> Generator:
        """Make a new generator; the one before is not played any more."""

    @abstractmethod
    def observe(self, exercise: Callable[[], None]) -> Observation:
        """Let it play, and return what happened beside that."""

    @abstractmethod
    def stopwatch(self) -> float:
        """Return how many seconds it has worked; raises NotTold."""


class InProcessSubject(Subject):
    """A class, or a function that makes a generator, of this process; a note effect's class plays behind a figure."""

    def __init__(self, made_by: Callable[[], Generator] | type[NoteEffect], stopwatch: Callable[[], float]) -> None:
        is_effect = isinstance(made_by, type) and issubclass(made_by, NoteEffect)
        self.made_by: Any = EffectPlayer.make_class(cast(type[NoteEffect], made_by)) if is_effect else made_by
        self._stopwatch = stopwatch

    def make(self) -> Generator:
        """Make a new generator."""
        return cast(Generator, self.made_by())

    def stopwatch(self) -> float:
        """Return how many seconds the calling thread has worked."""
        return self._stopwatch()

    def observe(self, exercise: Callable[[], None]) -> Observation:
        """Let it play, and return what happened in this process."""
        threads, folder, environment = set(threading.enumerate()), os.getcwd(), dict(os.environ)
        clock, state = time.monotonic, random.getstate()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            exercise()
        found = {
            "the working directory": os.getcwd() != folder,
            "the environment": dict(os.environ) != environment,
            "the clock": time.monotonic is not clock,
            "random": random.getstate() != state,
        }
        return Observation(
            next(iter(printed.getvalue().splitlines()), ""),
            bool(set(threading.enumerate()) - threads),
            tuple(describe_changes(found)),
        )


def describe_changes(found: dict[str, bool]) -> Iterator[str]:
    """Yield a line for each thing that was changed."""
    lines = {
        "the working directory": "it changes the working directory",
        "the environment": "it changes the environment",
        "the clock": "it replaces the functions of `time`",
        "random": "it draws from the shared `random`; make a `random.Random` from `context.seed`",
    }
    yield from (lines[name] for name, is_changed in found.items() if is_changed)


@contextlib.contextmanager
def keep_folder() -> Iterator[None]:
    """Return to the present working directory, which a generator may leave."""
    folder = os.getcwd()
    try:
        yield
    finally:
        if os.getcwd() != folder:
            os.chdir(folder)
