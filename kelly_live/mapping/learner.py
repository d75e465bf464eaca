"""Learn a person's taste while the music plays.

Reactions are stored, learned in the background, then played.

Thread: `learn` does all the work: it learns, writes the profile's file and changes the person who is played for. Every
other call is the main thread's and returns at once. The queue is bounded: when it is full, a reaction is refused and
the answer says so.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from typing import TypeAlias

from kelly_live.core.arrays import Floats
from kelly_live.core.emotion_space import relax_state
from kelly_live.core.errors import KellyError
from kelly_live.core.queues import drain
from kelly_live.core.values import EmotionState
from kelly_live.core.wording import plural
from kelly_live.mapping.culture import CultureStage
from kelly_live.mapping.mapper import LearnedMapper
from kelly_live.mapping.profile_taste import describe_change, get_embedding, learn_profile, play_for_embedding
from kelly_live.profiles.profile import Profile
from kelly_live.profiles.reaction import create_reaction
from kelly_live.profiles.store import ProfileStore

_log = logging.getLogger(__name__)

MOST_WAITING = 64
_MOST_TOLD = 16
_PATIENCE_SECONDS = 10.0
RETRY_SECONDS = 10.0  # until what a full disk did not take is tried again
MOST_UNSAVED = 256
HOW_TO = "nobody to learn it for: `kelly-live profile create NAME`, then `kelly-live --profile NAME`"

Change: TypeAlias = Callable[[Profile], Profile]
# Loads the culture that is asked for now, and says so in a line; None: it is in force. Raises KellyError.
LoadCulture: TypeAlias = "Callable[[], tuple[CultureStage | None, str] | None]"
_Job: TypeAlias = "_ReactionJob | _Hint | _Undo | _Turn | _CultureJob"
CultureOf = Callable[[Profile], "CultureStage | None"]


@dataclass(frozen=True, slots=True)
class _ReactionJob:
    """A word in a state, while an embedding was in force."""

    name: str
    when: datetime
    word: str
    state: EmotionState
    embedding: Floats


@dataclass(frozen=True, slots=True)
class _Hint:
    """An axis was nudged away from what was read, by so much."""

    name: str
    axis: str
    difference: float


@dataclass(frozen=True, slots=True)
class _Undo:
    """The last reaction is taken back."""

    name: str


@dataclass(frozen=True, slots=True)
class _Turn:
    name: str


@dataclass(frozen=True, slots=True)
class _CultureJob:
    load: LoadCulture


class Learner:
    """Learns for the person of one profile, or for no one yet; `turn` goes on to another profile.

    `culture_of` creates a profile's own culture (None: the culture stays). `on_profile` is called with each profile
    as soon as the mapper plays it. Thread: `learn`.
    """

    def __init__(
        self, store: ProfileStore, mapper: LearnedMapper, profile: Profile | None, *,
        culture_of: CultureOf | None = None,
        on_profile: Callable[[Profile], None] = lambda profile: None,
    ) -> None:  # fmt: skip
        self.problem: str | None = None
        self.name = None if profile is None else profile.name
        self._store, self._mapper, self._culture_of, self._on_profile = store, mapper, culture_of, on_profile
        self.profile = profile  # whom is played for now
        self._embedding = get_embedding(mapper.net, profile)
        self._lines: deque[str] = deque(maxlen=_MOST_TOLD)
        self._undoable: Counter[str] = Counter()  # by profile, the reactions of this session
        self._unsaved: dict[str, list[Change]] = {}  # by profile, what its file could not take yet
        self._backed_up: set[str] = set()
        self._queue: queue.Queue[_Job | None] = queue.Queue(MOST_WAITING)
        # It inherits the play thread's priority on purpose: an ordinary thread that held the interpreter while it waits
        # for a processor would hold the play thread up. It gives the interpreter up every SWITCH_INTERVAL_SECONDS.
        self._thread = threading.Thread(target=self._run, name="learn", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------ the main thread

    def react(self, word: str, state: EmotionState) -> str:
        """Take a reaction (a word of reaction.KINDS) to what is played in a state; return what to print."""
        if self.name is None:
            return f"{word}: {HOW_TO}"
        job = _ReactionJob(self.name, datetime.now(UTC), word, state, self._embedding)
        if not self._put(job):
            return f"{word}: too much at once, not noted"
        self._undoable[self.name] += 1
        return f"{word}: noted for {self.name}"

    def undo(self) -> str:
        """Take the last reaction of this session back; return what to print."""
        if self.name is None:
            return HOW_TO
        if not self._undoable[self.name]:
            return f"nothing to undo: {self.name} has said nothing more in this session"
        if not self._put(_Undo(self.name)):
            return "undo: too much at once, nothing is taken back"
        self._undoable[self.name] -= 1
        return f"undo: the last reaction of {self.name} is taken back"

    def suggest_offset(self, axis: str, difference: float) -> None:
        """Note that an axis was nudged away from what was read; dropped when the queue is full."""
        if self.name is not None:
            self._put(_Hint(self.name, axis, difference))

    def turn(self, step: int) -> str:
        """Go on to the next profile of the store (-1: the one before), in a circle; return what to print."""
        names = self._store.names()
        if not names:
            return HOW_TO
        at = names.index(self.name) + step if self.name in names else min(0, step)
        name = names[at % len(names)]
        if name == self.name:
            return f"{name} is the only profile; `kelly-live profile create NAME` makes another"
        if not self._put(_Turn(name)):
            return f"{name}: too much at once, still for {self.name}"
        self.name = name
        return f"for {name} from now on"

    def change_culture(self, load: LoadCulture) -> bool:
        """Play in the culture that `load` returns, in the background; return False if too much waits."""
        return self._put(_CultureJob(load))

    def take_lines(self) -> list[str]:
        """Return what was learned since the last call, one line each."""
        return drain(self._lines)

    @property
    def remark(self) -> str | None:
        """Who is played for and what went wrong, in a few words; None without a profile."""
        if self.name is None:
            return self.problem
        profile = self.profile
        count = "" if profile is None or profile.name != self.name else f" ({profile.count} said)"
        note = " learning" if self._queue.unfinished_tasks else ""
        return f"for {self.name}{count}{note}" + (f", {self.problem}" if self.problem else "")

    def wait_until_learned(self) -> None:
        """Wait until every reaction is learned."""
        self._queue.join()

    def close(self) -> None:
        """Finish what waits, within reason. Safe to call twice."""
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):  # then it is a daemon thread, and what waits is lost
                self._queue.put(None, timeout=_PATIENCE_SECONDS)
            self._thread.join(_PATIENCE_SECONDS)

    def _put(self, job: _Job) -> bool:
        try:
            self._queue.put_nowait(job)
        except queue.Full:
            return False
        return True

    # ------------------------------------------------------------ the thread `learn`

    def _run(self) -> None:
        while True:
            try:
                job = self._queue.get(timeout=RETRY_SECONDS if self._unsaved else None)
            except queue.Empty:
                self._save_rest()
                continue
            if job is None:
                break
            try:
                self._do(job)
            except KellyError as error:
                _log.warning("a reaction was not learned: %s", error)
                self._set_problem(job, str(error))
            except Exception as error:  # the music goes on, and the next reaction may be learned
                _log.exception("a reaction was not learned")
                self._set_problem(
                    job, f"not learned: unexpected {type(error).__name__}: {' '.join(str(error).split())}"
                )
            finally:
                self._queue.task_done()
        self._save_rest()
        for name, changes in self._unsaved.items():
            _log.error("%s of %s could not be kept: %s", plural(len(changes), "reaction"), name, self.problem)
        self._queue.task_done()

    def _set_problem(self, job: _Job, problem: str) -> None:
        self.problem = problem
        if isinstance(job, _Turn) and self.name == job.name:  # it is still the one before who is played for
            self.name = None if self.profile is None else self.profile.name

    def _do(self, job: _Job) -> None:
        if isinstance(job, _CultureJob):
            self._load_culture(job)
            return
        if isinstance(job, _Turn):
            profile = self._store.load(job.name)
            culture = () if self._culture_of is None else (self._culture_of(profile),)
            self._take(profile, *culture)
            self.problem = None
            return
        if isinstance(job, _Hint):
            updated_profile = self._update_profile(
                job.name, lambda profile: replace(profile, hints=profile.hints.with_hint(job.axis, job.difference))
            )
            if self._is_played_for(updated_profile.name):
                self.profile = updated_profile
                self._on_profile(updated_profile)
            self._lines.append(f"{job.name}: {job.axis} was read {job.difference:+.2f} off, by your nudge (noted)")
            return
        net = self._mapper.net
        if isinstance(job, _Undo):
            profile = self._update_profile(
                job.name, lambda profile: learn_profile(net, profile.without_last_reaction())
            )
            if self._is_played_for(profile.name):
                self._take(profile)
            self._lines.append(f"undo: {profile.name} plays as before the last reaction ({profile.count} said)")
            return
        state = relax_state(job.state)
        # What the mapping asked for, before any culture: that is what can be learned.
        (requested_values,) = play_for_embedding(net, job.embedding, [state])
        reaction = create_reaction(job.when, job.word, state, requested_values)
        profile = self._update_profile(job.name, lambda profile: learn_profile(net, profile.with_reaction(reaction)))
        embedding = get_embedding(net, profile)
        (now,) = play_for_embedding(net, embedding, [state])
        change = describe_change(requested_values, now) or "no change that could be heard"
        if self._is_played_for(profile.name):
            self._take(profile)
        self._lines.append(f"{job.word}: {profile.name}'s {state.emotion}: {change} ({profile.count} said)")

    def _load_culture(self, job: _CultureJob) -> None:
        try:
            loaded = job.load()
        except KellyError as error:  # the one before stays
            self._lines.append(f"culture: {error}")
            return
        if loaded is not None:
            stage, line = loaded
            self._mapper.set_culture(stage)
            self._lines.append(line)

    def _is_played_for(self, name: str) -> bool:
        return self.profile is not None and self.profile.name == name

    def _update_profile(self, name: str, change: Change) -> Profile:
        """Change a profile in its file; if that fails, for this session, and in the file as soon as it can be."""
        try:
            return self._save(name, [change])
        except KellyError as error:
            if self.profile is None or self.profile.name != name:
                raise
            self.problem = f"not kept: {error}"
            if name not in self._unsaved:
                self._lines.append(f"{name}: not kept yet ({error}); it will be, as soon as it can")
            changes = self._unsaved.setdefault(name, [])
            if len(changes) < MOST_UNSAVED:
                changes.append(change)
            return change(self.profile)

    def _save(self, name: str, changes: Sequence[Change]) -> Profile:
        """Write what is not in a profile's file yet, and these changes. Raises KellyError."""
        if name not in self._backed_up:
            self._store.back_up(name)
            self._backed_up.add(name)
        pending_changes = self._unsaved.get(name, [])
        profile = self._store.update(name, lambda before: reduce(_apply, [*pending_changes, *changes], before))
        if pending_changes:
            self._lines.append(f"{name}: {plural(len(pending_changes), 'change')} kept now")
        self._unsaved.pop(name, None)
        self.problem = None
        return profile

    def _save_rest(self) -> None:
        """Try once more to write what the files could not take."""
        for name in tuple(self._unsaved):
            try:
                self._save(name, [])
            except KellyError as error:
                self.problem = f"not kept: {error}"

    def _take(self, profile: Profile, *culture: CultureStage | None) -> None:
        embedding = get_embedding(self._mapper.net, profile)
        self._mapper.play_for(embedding, *culture)
        self.profile, self._embedding = profile, embedding
        self._on_profile(profile)


def _apply(profile: Profile, change: Change) -> Profile:
    return change(profile)
