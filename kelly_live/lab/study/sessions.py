"""The listeners who are answering: what each hears next, and what is kept of what he says. No web in here."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.lab.study.answers import Answer, append_answer, list_listeners, read_answers
from kelly_live.lab.study.design import ATTENTION, HEADPHONES, StudyDesign, Trial
from kelly_live.lab.study.headphones import TRIALS

MAX_LISTENERS = 10_000
MAX_SECONDS, MAX_PLAYS = 86_400.0, 1_000


@dataclass(slots=True)
class Session:
    """One listener: his number in the order of their coming, his trials, and at which he is."""

    listener: str
    number: int
    trials: list[Trial]
    position: int = 0


class StudySessions:
    """The sessions of a study. A listener who comes back goes on where he was. Thread: one."""

    def __init__(self, folder: Path, design: StudyDesign) -> None:
        self.design = design
        self._folder = folder
        self._sessions: dict[str, Session] = {}
        self._count = len(list_listeners(folder))
        for answer in read_answers(folder):
            session = self._add(answer.listener, answer.number)
            session.position = max(session.position, answer.position + 1)
        self._count = max([self._count, *(one.number + 1 for one in self._sessions.values())])

    def begin(self, listener: str | None = None) -> Session:
        """Return the session of a listener, or a new one. Raises ConfigError if there are too many."""
        if listener is not None and listener in self._sessions:
            return self._sessions[listener]
        if self._count >= MAX_LISTENERS:
            raise ConfigError(f"a study takes {MAX_LISTENERS} listeners at most")
        self._count += 1
        return self._add(secrets.token_hex(6), self._count - 1)

    def answer(
        self, listener: str, position: int, *, emotion: str, valence: float, arousal: float, seconds: float, plays: int
    ) -> int:
        """Keep an answer, and return the position of the next trial. Raises ConfigError, OutputError.

        A position that was answered before is left as it is: the browser did not hear that it was taken.
        """
        session = self._sessions.get(listener)
        if session is None:
            raise ConfigError("this listener has not begun; open the page again")
        if position < session.position:
            return session.position
        if position != session.position or position >= len(session.trials):
            raise ConfigError(f"trial {position} is not the next one; open the page again")
        trial = session.trials[position]
        allowed = ("1", "2", "3") if trial.kind == HEADPHONES else self.design.emotions
        if emotion not in allowed:
            raise ConfigError(f"the answer must be one of {', '.join(allowed)}")
        if not all(math.isfinite(one) and -1.0 <= one <= 1.0 for one in (valence, arousal)):
            raise ConfigError("valence and arousal lie between -1 and 1")
        if not (0.0 <= seconds <= MAX_SECONDS and 0 <= plays <= MAX_PLAYS):
            raise ConfigError("seconds and plays are out of their range")
        append_answer(self._folder, self._describe(session, trial, emotion, valence, arousal, seconds, plays))
        session.position += 1
        return session.position

    def _add(self, listener: str, number: int) -> Session:
        if listener not in self._sessions:
            tones = [Trial(HEADPHONES, f"tones-{index}") for index in range(1, TRIALS + 1)]
            self._sessions[listener] = Session(listener, number, [*tones, *self.design.plan_session(number)])
        return self._sessions[listener]

    def _describe(
        self, session: Session, trial: Trial, emotion: str, valence: float, arousal: float, seconds: float, plays: int
    ) -> Answer:
        condition, intended, intended_valence, intended_arousal = trial.kind, "", 0.0, 0.0
        if trial.kind == ATTENTION:
            check = next(one for one in self.design.checks if one.name == trial.name)
            intended, intended_valence, intended_arousal = check.emotion, float(check.valence), float(check.arousal)
        elif trial.kind != HEADPHONES:
            stimulus = self.design.find_stimulus(trial.name)
            condition, intended = stimulus.condition, stimulus.emotion
            intended_valence, intended_arousal = stimulus.valence, stimulus.arousal
        return Answer(
            session.listener, session.number, session.position, trial.kind, trial.name, condition, intended,
            intended_valence, intended_arousal, emotion, round(valence, 4), round(arousal, 4), round(seconds, 2), plays,
        )  # fmt: skip
