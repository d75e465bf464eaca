"""The analysis and the person it is for, in a process of their own: the nets never keep the band waiting.

`Listening` is the parent's end, of a live session; `Ears` is what the process holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kelly_live.core.errors import WorkerError
from kelly_live.emotion.registry import DEFAULT_READER
from kelly_live.workers.pickled_process import WorkerProcess

if TYPE_CHECKING:
    from concurrent.futures import Future

    from kelly_live.core.actions import Action
    from kelly_live.core.protocols import EmotionOverride, Reading
    from kelly_live.core.values import AudioWindow
    from kelly_live.emotion.analyzer import LiveAnalyzer
    from kelly_live.engine.options.culture import CultureOptions
    from kelly_live.engine.person import Personal
    from kelly_live.engine.session import Snapshot
    from kelly_live.profiles.profile import Profile

_MODULES = ("torch",)  # takes longer than all else at the start
_PUSH_SECONDS = 10.0  # a hop takes .03; a driver that hangs, for ever
_ASK_SECONDS = 1.0
_CLOSE_SECONDS = 12.0  # for what was said and is not yet learned
_AWAY = "no answer from the analysis; say it again in a moment"


class Felt(NamedTuple):
    """What a block made felt, and what is wrong with who feels it."""

    readings: tuple[Reading, ...]
    problem: str | None


class Seen(NamedTuple):
    """Who is played for: what is to be told once, what to say in the status line, their keys, their name."""

    lines: tuple[str, ...]
    remarks: tuple[str, ...]
    keys: dict[str, Action | None]
    name: str | None


class Made(NamedTuple):
    opening: Reading
    hop_seconds: float
    seen: Seen


class AnalysisWorker:
    """In the process: an analyzer and a person. `push` and `restart` come from its main thread, the rest aside."""

    def __init__(self, analyzer: LiveAnalyzer, person: Personal) -> None:
        self._analyzer, self._person = analyzer, person
        self.steer = analyzer.steer
        self.restart = analyzer.restart
        self.acted = person.acted
        self.react = person.react
        self.turn = person.learner.next
        self.close = person.close

    def push(self, block: AudioWindow, bar: float) -> Felt:
        return Felt(tuple(self._analyzer.push(block, bar)), self._analyzer.problem)

    def watch(self, steering: EmotionOverride) -> Seen:
        return self.seen(self._person.watch(steering))

    def seen(self, lines: Sequence[str] = ()) -> Seen:
        person = self._person
        return Seen(tuple(lines), tuple(person.remarks), dict(person.keys), person.learner.name)


def create_analysis_worker(
    device: str, reader_name: str, steering: EmotionOverride, culture: CultureOptions | None, profile: Profile | None
) -> tuple[AnalysisWorker, Made]:
    """Raises KellyError."""
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.engine.build import create_analyzer
    from kelly_live.engine.person import Personal
    from kelly_live.workers.realtime import set_switch_interval

    set_switch_interval()
    analyzer, opening = create_analyzer(device, steering, culture, profile, reader_name=reader_name)
    ears = AnalysisWorker(analyzer, Personal(profile, analyzer, culture, MonotonicClock()))
    return ears, Made(opening, analyzer.hop_seconds, ears.seen())


class AnalysisProxy:
    """An Analyzer, and the person it is for. A process that is lost, or hangs, is told by `push`; `restart` brings
    another, with the steering and the person of then. Threads: `push` and `restart` from the one that listens, `steer`
    from any, all others from the main one.
    """

    def __init__(self) -> None:
        """Starts the process; `make` waits until it is ready. Raises ApartError."""
        self.hop_seconds = 0.0
        self.problem: str | None = None
        self._apart = WorkerProcess(_MODULES)
        self._device = "auto"
        self._reader_name = DEFAULT_READER
        self._steering: EmotionOverride | None = None
        self._culture: CultureOptions | None = None
        self._profile: Profile | None = None
        self._seen = Seen((), (), {}, None)
        self._watching: Future[Seen] | None = None
        self._closed = False

    @property
    def process_id(self) -> int:
        return self._apart.process_id

    def make(
        self,
        device: str,
        steering: EmotionOverride,
        culture: CultureOptions | None = None,
        profile: Profile | None = None,
        *,
        reader_name: str = DEFAULT_READER,
    ) -> Reading:
        """Load the nets; the reading to open with. Raises KellyError."""
        self._device, self._steering, self._culture, self._profile = device, steering, culture, profile
        self._reader_name = reader_name
        return self._make(self._apart).opening

    def _make(self, apart: WorkerProcess) -> Made:
        assert self._steering is not None
        made: Made = apart.make(
            partial(
                create_analysis_worker, self._device, self._reader_name, self._steering, self._culture, self._profile
            )
        )
        self.hop_seconds, self._seen = made.hop_seconds, made.seen
        return made

    # ------------------------------------------------------------ the analyzer

    def push(self, block: AudioWindow, bar: float = 0.0) -> Sequence[Reading]:
        felt: Felt = self._apart.call("push", block, bar, timeout=_PUSH_SECONDS)
        self.problem = felt.problem
        return felt.readings

    def steer(self, steering: EmotionOverride) -> None:
        self._steering = steering
        self._apart.ask("steer", steering)

    def restart(self) -> None:
        if not self._apart.lost:
            self._apart.call("restart", timeout=_PUSH_SECONDS)
            return
        if self._seen.name is not None:
            from kelly_live.profiles.store import Store

            self._profile = Store().load(self._seen.name)
        another = WorkerProcess(_MODULES)
        try:
            self._make(another)
        except BaseException:
            another.close()
            raise
        lost, self._apart = self._apart, another
        lost.close()
        if self._closed:
            another.close()

    # ------------------------------------------------------------ the person

    @property
    def keys(self) -> Mapping[str, Action | None]:
        """What keys do for whom is played for, instead of what they do for everybody."""
        return self._seen.keys

    @property
    def remarks(self) -> Sequence[str]:
        return self._seen.remarks

    def acted(self, action: Action) -> None:
        self._apart.ask("acted", action)

    def react(self, word: str, snapshot: Snapshot) -> str:
        """They say a word of what is played; what to tell them."""
        return self._told("react", word, snapshot) or f"{word}: {_AWAY}"

    def turn(self, step: int) -> str:
        """Go on to the next profile (-1: the one before); what to tell."""
        return self._told("turn", step) or _AWAY

    def watch(self, steering: EmotionOverride) -> Sequence[str]:
        """A look at the hand, every status step; what is to be told of what was learned meanwhile. Never waits: the
        answer is that of the step before.
        """
        lines: Sequence[str] = ()
        if self._watching is not None and self._watching.done():
            if self._watching.exception() is None:
                self._seen = self._watching.result()
                lines = self._seen.lines
            self._watching = None
        if self._watching is None:
            self._watching = self._apart.ask("watch", steering)
        return lines

    def _told(self, method: str, *arguments: object) -> str | None:
        try:
            told: str = self._apart.ask(method, *arguments).result(_ASK_SECONDS)
        except (WorkerError, TimeoutError):
            return None
        return told

    def close(self) -> None:
        """Learn what still waits, and end the process. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if not self.hop_seconds:
            self._apart.close(0.0)  # nothing was made yet
            return
        with suppress(WorkerError, TimeoutError):  # it is ended either way
            self._apart.ask("close").result(_CLOSE_SECONDS)
        self._apart.close()
