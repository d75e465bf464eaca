"""The goals of the emotion recognition, beside published figures and floors of simple models.

A verdict compares the measured value with the goal; the interval is only shown beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kelly_live.lab.training.scores import Score

MAX_ECE = 0.08
MAX_UNSEEN_ECE = 0.12
MAX_HOP_MILLISECONDS = 20.0
MAX_HALF_WAY_SECONDS = 1.0
SESSIONS = ", in sessions"  # after the data set's name: a speaker's clips one after another, with adaptation
UNSEEN = "unseen "  # before the data set's name: scored by a net that did not learn from it


@dataclass(frozen=True, slots=True)
class Goal:
    """A line of the table: the `Score` that answers it, published figures, and the goal.

    `dataset` and `metric` identify the score. `goal` is None where no number is asked.
    """

    data: str
    dataset: str
    metric: str
    published: str
    goal: float | None
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class GoalRow:
    """A goal with its score, or None where it was not measured."""

    goal: Goal
    score: Score | None

    @property
    def verdict(self) -> str:
        """Whether the goal is reached, in words."""
        if self.score is None or math.isnan(self.score.value):
            return "not measured"
        if self.goal.goal is None:
            return "no number"
        value, goal = self.score.value, self.goal.goal
        return "reached" if (value <= goal if self.goal.at_most else value >= goal) else "not reached"

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON; the metric's key is `measure`, as in a score."""
        score = None if self.score is None else self.score.as_dict()
        goal = asdict(self.goal)
        return {"measure": goal.pop("metric"), **goal, "measured": score, "verdict": self.verdict}


_EMOPIA = "music, EMOPIA rendered"
_VGMIDI = "music, VGMIDI rendered"
_STUDIES = "best-of-study means over 34 studies"
_UNSEEN = "floor .21-.40 with an open 8-way answer; large speech models .36-.67"
GOALS = (
    Goal(
        _EMOPIA, "emopia", "4 quadrants",
        "audio: ResNet .677, logistic regression .523; symbolic: LSTM-Attn .684, logistic regression .605", 0.70,
    ),
    Goal(_EMOPIA, "emopia", "arousal half", "audio .887 (logistic regression .919)", 0.92),
    Goal(_EMOPIA, "emopia", "valence half", "audio .704", 0.75),
    Goal(_VGMIDI, "vgmidi", "valence r a piece", f"floor .62; {_STUDIES} .67", 0.70),
    Goal(_VGMIDI, "vgmidi", "arousal r a piece", f"floor .83; {_STUDIES} .81", 0.85),
    Goal(_VGMIDI, "vgmidi", "valence r a window", "the same for each bar; no figure of its own", 0.70),
    Goal(_VGMIDI, "vgmidi", "arousal r a window", "the same for each bar; no figure of its own", 0.85),
    Goal("music, Emotify, 9 emotions", "emotify", "mean r of 9 GEMS", "floor .44", 0.55),
    Goal(
        "RAVDESS speech, unseen actors", "ravdess_speech", "accuracy of 8",
        "floor .54; wav2vec2-base .55, WavLM-base .62, WavLM-large .72, Whisper-large .76", 0.62,
    ),
    Goal("RAVDESS song, unseen actors", "ravdess_song", "accuracy of 6", "floor .66; published .74", 0.78),
    Goal("EmoDB, unseen speakers", "emodb", "accuracy of 7", "floor .68", 0.80),
    Goal("German, never trained on", f"{UNSEEN}emodb", "accuracy of 4", _UNSEEN, 0.50),
    Goal("Polish, never trained on", f"{UNSEEN}nemo_polish", "accuracy of 4", _UNSEEN, 0.50),
    Goal("Amharic, never trained on", f"{UNSEEN}ased_amharic", "accuracy of 4", _UNSEEN, 0.50),
)  # fmt: skip
_NEVER_HEARD = "research, language left out: .52-.58"
_RATED = "research, which learned from it:"
OPEN_GOALS = (
    Goal("CREMA-D, unseen actors", "crema_d", "accuracy of 6", "logistic .596", 0.66),
    Goal("the same", "crema_d", "accuracy of 6, listeners agree", "logistic .734", 0.80),
    Goal("CREMA-D, listeners' votes", "crema_d", "mean r of 6 votes", "–", 0.55),
    Goal("EmoDB, unseen speakers", "emodb", "accuracy of 7", "research .744", 0.74),
    *(
        Goal(f"{name}, never heard{suffix}", f"{UNSEEN}{dataset}{suffix}", "UAR of 4", _NEVER_HEARD, 0.55)
        for name, dataset in (("RAVDESS", "ravdess_speech"), ("nEMO", "nemo_polish"), ("ASED", "ased_amharic"))
        for suffix in ("", SESSIONS)
    ),
    Goal("bursts, unseen people", "emogator", "accuracy, open 8", "logistic .597", 0.65),
    Goal(_EMOPIA, "emopia", "arousal half", f"{_RATED} .914", 0.88),
    Goal(_EMOPIA, "emopia", "valence half", f"{_RATED} .788", 0.66),
    Goal(_EMOPIA, "emopia", "4 quadrants", f"{_RATED} .717", 0.58),
    Goal(_VGMIDI, "vgmidi", "valence r a piece", f"{_RATED} .77", 0.45),
    Goal(_VGMIDI, "vgmidi", "arousal r a piece", f"{_RATED} .89", 0.80),
    Goal("music, Emotify", "emotify", "valence-like axis r", "–", None),
    Goal("music, Emotify", "emotify", "arousal-like axis r", "–", None),
)
LIVE_GOALS = (
    Goal("a 250 ms hop, one CPU core", "hop", "median ms, sound to parameters", "–", MAX_HOP_MILLISECONDS, True),
    Goal(
        "calm clip to angry clip", "live reader", "median seconds to half-way", "–", MAX_HALF_WAY_SECONDS, True
    ),
    Goal("the same, once settled", "live reader", "flips a second on a steady clip", "–", None, True),
)  # fmt: skip


def match_goals(scores: Sequence[Score], live: Sequence[Score], goals: Sequence[Goal] = GOALS) -> list[GoalRow]:
    """Match every goal with its score.

    Beside the goals: the ECE of the confidence on each data set, and what only the live path shows (`live`).
    """
    by_name = {(s.dataset, s.metric): s for s in (*scores, *live)}
    calibrated = [
        Goal(
            f"ECE, {s.dataset}", s.dataset, s.metric, "–",
            MAX_UNSEEN_ECE if s.dataset.startswith(UNSEEN) else MAX_ECE, True,
        )
        for s in (*scores, *live)
        if s.metric.endswith("ECE of confidence")
    ]  # fmt: skip
    return [GoalRow(goal, by_name.get((goal.dataset, goal.metric))) for goal in (*goals, *calibrated, *LIVE_GOALS)]


def format_goals(rows: Sequence[GoalRow]) -> str:
    """Format a Markdown table of goals."""
    lines = [
        "| data | metric | ours | 95 % interval | n | published, or a simple floor | goal | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        g, s = row.goal, row.score
        score_cells = "– | – | –" if s is None else f"{s.value:.3f} | {s.low:.3f} – {s.high:.3f} | {s.n}"
        goal_text = "–" if g.goal is None else f"{'≤' if g.at_most else '≥'} {g.goal:g}"
        lines.append(f"| {g.data} | {g.metric} | {score_cells} | {g.published} | {goal_text} | {row.verdict} |")
    return "\n".join(lines)
