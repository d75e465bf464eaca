"""Listeners as code: they answer a study as a person with noise in his ears would, or without listening."""

from __future__ import annotations

import numpy as np

from kelly_live.core.values import EMOTION_VAD
from kelly_live.lab.study.answers import Answer
from kelly_live.lab.study.design import ATTENTION, HEADPHONES, OURS, Check, Stimulus, StudyDesign
from kelly_live.lab.study.headphones import find_answers
from kelly_live.lab.study.sessions import StudySessions

EMOTIONS = ("happy", "sad", "angry")


def small_design(conditions: tuple[str, ...] = (OURS, "tempo only")) -> StudyDesign:
    """Two sounds of each of three emotions in each condition, without files."""
    stimuli = tuple(
        Stimulus(f"{condition}-{emotion}-{number}", condition, emotion, *EMOTION_VAD[emotion][:2], str(number), "")
        for condition in conditions
        for emotion in EMOTIONS
        for number in (1, 2)
    )
    training = Stimulus("training", OURS, "sad", *EMOTION_VAD["sad"][:2], "0", "")
    checks = (Check("check-1", "happy", 1, -1), Check("check-2", "sad", -1, 1))
    return StudyDesign("0", "Test", 7, 4, EMOTIONS, conditions, training, stimuli, checks)


def listen(
    sessions: StudySessions, *, noise: float, seed: int, hears: tuple[str, ...] = (OURS,), attends: bool = True
) -> str:
    """Answer a whole session: what is meant in the conditions that are heard, and by chance elsewhere."""
    design, rng = sessions.design, np.random.default_rng(seed)
    session = sessions.begin()
    for position, trial in enumerate(session.trials):
        valence, arousal = rng.uniform(-1.0, 1.0, 2)
        emotion = str(rng.choice(design.emotions))
        if trial.kind == HEADPHONES:
            emotion = str(find_answers(design.seed)[position])
        elif trial.kind == ATTENTION:
            check = next(one for one in design.checks if one.name == trial.name)
            if attends:
                emotion, valence, arousal = check.emotion, 0.8 * check.valence, 0.8 * check.arousal
        else:
            stimulus = design.find_stimulus(trial.name)
            if stimulus.condition in hears:
                emotion = stimulus.emotion if rng.random() > noise else emotion
                valence = float(np.clip(stimulus.valence + noise * rng.normal(), -1.0, 1.0))
                arousal = float(np.clip(stimulus.arousal + noise * rng.normal(), -1.0, 1.0))
        sessions.answer(
            session.listener, position, emotion=emotion, valence=valence, arousal=arousal, seconds=9.0, plays=1
        )
    return session.listener


def answers_of(answers: list[Answer], listener: str) -> list[Answer]:
    return [one for one in answers if one.listener == listener]
