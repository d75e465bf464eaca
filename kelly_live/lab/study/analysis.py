"""What listeners heard: hit rates, confusion, slopes and contrasts, with intervals over listeners.

A listener is the unit that is drawn again (bootstrap): his answers belong together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.lab.intervals import Estimate, bootstrap_mean
from kelly_live.lab.study.answers import Answer
from kelly_live.lab.study.design import ATTENTION, HEADPHONES, MUSIC, StudyDesign
from kelly_live.lab.study.headphones import has_passed

MOST_FAILED_CHECKS = 0


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """What was heard in one condition.

    `hit_rate`: how often the intended emotion was chosen, of 1. `valence` and `arousal`: the slope of what a listener
    judged on what was intended. `quadrants`: how often both signs were judged as intended, of trials that have both.
    `confusion[intended][chosen]`: counts. `unbiased`: Wagner's (1993) unbiased hit rate of each emotion.
    """

    condition: str
    trials: int
    hit_rate: Estimate
    valence: Estimate
    arousal: Estimate
    quadrants: Estimate
    confusion: dict[str, dict[str, int]]
    unbiased: dict[str, float]


@dataclass(frozen=True, slots=True)
class Contrast:
    """A measure of the first condition less that of another one, listener by listener."""

    measure: str
    conditions: tuple[str, str]
    difference: Estimate


@dataclass(frozen=True, slots=True)
class StudyResult:
    """The result of a study; `excluded` says why each listener was left out. `chance`: the hit rate of guessing."""

    listeners: int
    excluded: dict[str, str]
    chance: float
    conditions: tuple[ConditionResult, ...]
    contrasts: tuple[Contrast, ...]
    agreement: dict[str, Estimate]


def analyze_answers(design: StudyDesign, answers: Sequence[Answer]) -> StudyResult:
    """Analyze the answers of a study, by the rules that its registration states."""
    by_listener: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_listener[answer.listener].append(answer)
    reasons = {name: find_exclusion(design, given) for name, given in by_listener.items()}
    excluded = {name: reason for name, reason in reasons.items() if reason is not None}
    kept = [
        [one for one in given if one.kind == MUSIC]
        for name, given in sorted(by_listener.items())
        if name not in excluded
    ]
    results = tuple(_analyze_condition(design, kept, condition) for condition in design.conditions) if kept else ()
    first = design.conditions[0]
    contrasts = tuple(
        Contrast(measure, (first, other), _compare(kept, measure, first, other))
        for other in design.conditions[1:]
        for measure in MEASURES
        if kept
    )
    agreement = {axis: _estimate_agreement(kept, axis) for axis in ("valence", "arousal")} if len(kept) > 1 else {}
    return StudyResult(len(kept), excluded, 1.0 / len(design.emotions), results, contrasts, agreement)


def find_exclusion(design: StudyDesign, answers: Sequence[Answer]) -> str | None:
    """Return why a listener does not count, or None."""
    tones = [int(one.emotion) for one in sorted(answers, key=lambda one: one.position) if one.kind == HEADPHONES]
    if sum(one.kind == MUSIC for one in answers) < len(design.stimuli):
        return "did not finish"
    if not has_passed(design.seed, tones):
        return "failed the headphone check"
    failed = sum(one.kind == ATTENTION and not _has_followed(one) for one in answers)
    return "failed a check of attention" if failed > MOST_FAILED_CHECKS else None


def _has_followed(answer: Answer) -> bool:
    is_placed = answer.valence * answer.intended_valence > 0.0 and answer.arousal * answer.intended_arousal > 0.0
    return answer.emotion == answer.intended and is_placed


def _count_hits(answers: Sequence[Answer]) -> float:
    return float(np.mean([one.emotion == one.intended for one in answers]))


def _count_quadrants(answers: Sequence[Answer]) -> float:
    signed = [one for one in answers if one.intended_valence and one.intended_arousal]
    right = [one.valence * one.intended_valence > 0.0 and one.arousal * one.intended_arousal > 0.0 for one in signed]
    return float(np.mean(right)) if right else np.nan


def _fit_slope(answers: Sequence[Answer], axis: str) -> float:
    intended = np.array([getattr(one, f"intended_{axis}") for one in answers])
    judged = np.array([getattr(one, axis) for one in answers])
    spread = intended - intended.mean()
    return float(spread @ judged / (spread @ spread)) if np.any(spread) else np.nan


MEASURES = {
    "hit rate": _count_hits,
    "valence slope": lambda answers: _fit_slope(answers, "valence"),
    "arousal slope": lambda answers: _fit_slope(answers, "arousal"),
    "quadrants": _count_quadrants,
}


def _select(answers: Sequence[Answer], condition: str) -> list[Answer]:
    return [one for one in answers if one.condition == condition]


def _analyze_condition(design: StudyDesign, listeners: Sequence[Sequence[Answer]], condition: str) -> ConditionResult:
    given = [_select(answers, condition) for answers in listeners]
    estimates = [bootstrap_mean(np.array([measure(answers) for answers in given])) for measure in MEASURES.values()]
    confusion = {emotion: dict.fromkeys(design.emotions, 0) for emotion in design.emotions}
    for answer in (one for answers in given for one in answers):
        confusion[answer.intended][answer.emotion] += 1
    hit_rate, valence, arousal, quadrants = estimates
    trials = sum(map(len, given))
    return ConditionResult(
        condition, trials, hit_rate, valence, arousal, quadrants, confusion, _compute_unbiased_rates(confusion)
    )


def _compute_unbiased_rates(confusion: dict[str, dict[str, int]]) -> dict[str, float]:
    """Compute Hu of Wagner (1993, J Nonverbal Behav 17:3): hits squared, over how often it was meant and chosen."""
    rates = {}
    for emotion, row in confusion.items():
        meant, chosen = sum(row.values()), sum(other[emotion] for other in confusion.values())
        rates[emotion] = row[emotion] ** 2 / (meant * chosen) if meant and chosen else 0.0
    return rates


def _compare(listeners: Sequence[Sequence[Answer]], measure: str, first: str, other: str) -> Estimate:
    compute = MEASURES[measure]
    differences = [compute(_select(answers, first)) - compute(_select(answers, other)) for answers in listeners]
    return bootstrap_mean(np.array(differences))


def _estimate_agreement(listeners: Sequence[Sequence[Answer]], axis: str) -> Estimate:
    """Correlate each listener's judgements with the mean of the others', and average over listeners."""
    names = sorted({one.stimulus for one in listeners[0]})
    table = np.array(
        [[{one.stimulus: getattr(one, axis) for one in answers}[name] for name in names] for answers in listeners]
    )
    total = table.sum(axis=0)
    correlations = [np.corrcoef(row, (total - row) / (len(table) - 1))[0, 1] for row in table if row.std() > 0.0]
    return bootstrap_mean(np.array(correlations)) if correlations else Estimate(np.nan, np.nan, np.nan)
