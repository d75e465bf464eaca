"""Arcs, measured: whether hit points are met in what is sent, and whether judges hear the course that was asked for.

A hit point counts from the nearest moment at which two players or more strike together, in the messages that are sent.
A course is judged in windows of sound (or notes), each set against the mean of what was asked for inside it. How far
judges lag is measured apart, on pieces in which the feeling changes once, at once, in the middle.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import get_channel, get_kind
from kelly_live.core.termination import temporary_folder
from kelly_live.core.values import EmotionState
from kelly_live.engine.composition import compose_piece
from kelly_live.engine.options.commands import NO_PROFILE, ComposeOptions
from kelly_live.engine.performance import FRAME_SECONDS, Performance
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, render_midi
from kelly_live.lab.corpora.symbolic_features import Score as Notes
from kelly_live.lab.corpora.symbolic_features import read_score
from kelly_live.lab.intervals import bootstrap, bootstrap_mean, compute_wilson_interval
from kelly_live.lab.judging.audio_features import RATE, extract_audio_features
from kelly_live.lab.judging.independent_judges import LinearJudge
from kelly_live.lab.judging.judges import Judge, compute_note_features
from kelly_live.lab.training.scores import Score, format_scores
from kelly_live.lab.training.windows import read_audio
from kelly_live.music.arc import INTERPOLATIONS, STEP, Arc, ArcPoint, HitPoint
from kelly_live.music.tempo_plan import STEP_LIMIT

SHORTEST_SECONDS, LONGEST_SECONDS, MOST_HITS = 30.0, 300.0, 8
JUDGED_LONGEST_SECONDS = 120.0
CLOSEST_SECONDS = 1.0  # between two hit points
STEP_SECONDS, STEP_PIECE_SECONDS, LEAST_STEP = 30.0, 60.0, 0.8
WINDOW_SECONDS, HOP_SECONDS = 12.0, 3.0
STEP_WINDOW_SECONDS, STEP_HOP_SECONDS = 6.0, 2.0
AXES = ("valence", "arousal")
GOALS = {"hit points within a frame": 0.99, "r of valence": 0.60, "r of arousal": 0.85}
_TOGETHER_SECONDS, _SEARCHED_SECONDS = 0.005, 2.0
_LEAST_SPREAD = 0.15  # SD of what is asked for: a course that hardly moves has no r


@dataclass(frozen=True, slots=True)
class MeasuredArc:
    """An arc's seed and length (s), the errors of its hit points and its end (frames), and its largest tempo step."""

    seed: int
    seconds: float
    hit_frames: tuple[float, ...]
    end_frames: float
    largest_step: float


@dataclass(frozen=True, slots=True)
class JudgedCourse:
    """What was asked for in each window `[n]`, on both axes, and what each judge heard: judge -> (valence, arousal)."""

    seed: int
    seconds: Floats
    asked: tuple[Floats, Floats]
    judged: dict[str, tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Judges:
    """One judge of notes, fitted on people's playing, and judges of sound that know nothing of ours."""

    notes: Judge
    sound: tuple[LinearJudge, ...]


def draw_arc(seed: int, longest: float = LONGEST_SECONDS) -> Arc:
    """Draw an arc: 2 to 6 feelings, 1 to 8 hit points anywhere, CLOSEST_SECONDS apart, and an end."""
    rng = random.Random(f"arc {seed}")
    end, count = rng.uniform(SHORTEST_SECONDS, longest), rng.randint(1, MOST_HITS)
    while True:
        hits = sorted(rng.uniform(1.0, end - 2.0) for _ in range(count))
        if all(b - a >= CLOSEST_SECONDS for a, b in pairwise(hits)):
            break
    places = sorted({0.0, *(rng.uniform(0.0, end) for _ in range(rng.randint(1, 5)))})
    points = tuple(ArcPoint(place, _draw_state(rng), rng.choice(INTERPOLATIONS)) for place in places)
    return Arc(points, tuple(HitPoint(place, f"hit {n}") for n, place in enumerate(hits, 1)), end)


def draw_step(seed: int) -> tuple[Arc, int]:
    """Draw an arc that steps once, in the middle, by LEAST_STEP or more along one axis; return that axis, too."""
    rng, axis = random.Random(f"step {seed}"), seed % 2
    low, other = rng.uniform(-0.8, 0.8 - LEAST_STEP), rng.uniform(-0.4, 0.4)
    places = [low, rng.uniform(low + LEAST_STEP, 0.8)]
    rng.shuffle(places)
    states = [create_state(*((place, other) if axis == 0 else (other, place))) for place in places]
    points = (ArcPoint(0.0, states[0], STEP), ArcPoint(STEP_SECONDS, states[1]))
    return Arc(points, (HitPoint(STEP_SECONDS, "step"),), STEP_PIECE_SECONDS), axis


def _draw_state(rng: random.Random) -> EmotionState:
    return create_state(rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8))


def compose_arc(arc: Arc, seed: int) -> Performance:
    """Compose along an arc, for no profile."""
    return compose_piece(ComposeOptions(arc=arc, seed=seed, profile=NO_PROFILE))


def measure_arc(performance: Performance, seed: int) -> MeasuredArc:
    """Measure a performance's hit points and end in what was sent, and its tempo."""
    strikes = [(m.seconds, get_channel(m.data)) for m in performance.messages if get_kind(m.data) == "note_on"]
    ends = [m.seconds for m in performance.messages if get_kind(m.data) == "note_off"]
    bpms = [point.bpm for point in performance.tempo_map.points()]
    return MeasuredArc(
        seed,
        performance.end_seconds,
        tuple(_find_error(hit.asked_seconds, strikes) / FRAME_SECONDS for hit in performance.hits),
        (max(ends) - performance.end_seconds) / FRAME_SECONDS,
        max((max(a / b, b / a) - 1.0 for a, b in pairwise(bpms)), default=0.0),
    )


def _find_error(second: float, strikes: Sequence[tuple[float, int]]) -> float:
    """Return how far from a second (s) two players or more strike together."""
    near = [one for one in strikes if abs(one[0] - second) <= _SEARCHED_SECONDS]
    errors = [
        abs(start - second)
        for start, _ in near
        if len({channel for at, channel in near if start <= at <= start + _TOGETHER_SECONDS}) > 1
    ]
    return min(errors, default=_SEARCHED_SECONDS)


def judge_course(
    performance: Performance, arc: Arc, seed: int, judges: Judges, cache: Path,
    *, window: float = WINDOW_SECONDS, hop: float = HOP_SECONDS,
) -> JudgedCourse:  # fmt: skip
    """Judge a performance window by window. Raises KellyError."""
    with temporary_folder() as folder:
        midi = Path(folder) / "arc.mid"
        performance.write_midi(midi)
        notes, sound = read_score(midi), read_audio(render_midi(midi, cache, HELD_OUT_SOUNDFONT))
    starts = np.arange(0.0, performance.end_seconds - window + 1e-6, hop)
    heard = [sound[round(start * RATE) : round((start + window) * RATE)] for start in starts]
    sound_rows = np.stack([extract_audio_features(one) for one in heard])
    note_rows = [_describe_notes(notes, start, start + window) for start in starts]
    known = [row is not None for row in note_rows]
    judged = {judge.name: judge.judge(sound_rows) for judge in judges.sound}
    if any(known):
        answers = judges.notes.predict(np.stack([row for row in note_rows if row is not None]))
        judged["notes"] = (_spread(answers.valence, known), _spread(answers.arousal, known))
    asked = [_average_asked(arc, start, start + window) for start in starts]
    valence, arousal = np.array(asked).T
    return JudgedCourse(seed, starts + window / 2.0, (valence, arousal), judged)


def _describe_notes(notes: Notes, start: float, end: float) -> Floats | None:
    keep = (notes.onsets >= start) & (notes.onsets < end)
    part = Notes(
        notes.onsets[keep] - start, notes.offsets[keep] - start, notes.beats[keep], notes.pitches[keep],
        notes.velocities[keep], notes.end_beat,
    )  # fmt: skip
    try:
        return compute_note_features(part)
    except ConfigError:  # too few to read
        return None


def _spread(values: Floats, known: Sequence[bool]) -> Floats:
    out = np.full(len(known), np.nan)
    out[np.array(known)] = values
    return out


def _average_asked(arc: Arc, start: float, end: float) -> tuple[float, float]:
    states = [arc.state_at(second) for second in np.arange(start + 0.25, end, 0.5)]
    return float(np.mean([s.valence for s in states])), float(np.mean([s.arousal for s in states]))


# ---------------------------------------------------------------- scores


def score_hits(measured: Sequence[MeasuredArc]) -> list[Score]:
    """Score the hit points, the ends and the tempo steps."""
    errors = np.array([error for one in measured for error in one.hit_frames])
    ends = np.array([abs(one.end_frames) for one in measured])
    steps = np.array([one.largest_step for one in measured])
    music = f"{len(measured)} arcs"
    return [
        _score_share(music, "hit points within a frame", errors <= 1.0),
        _score_share(music, "ends within a frame", ends <= 1.0),
        _score_share(music, "tempo steps of 4 % at most", steps <= STEP_LIMIT),
        Score(music, "largest error, frames", float(errors.max()), float("nan"), float("nan"), len(errors)),
        Score(music, "largest tempo step, %", 100.0 * float(steps.max()), float("nan"), float("nan"), len(steps)),
    ]


def _score_share(music: str, name: str, is_right: np.ndarray) -> Score:
    share, count = float(np.mean(is_right)), len(is_right)
    return Score(music, name, share, *compute_wilson_interval(int(is_right.sum()), count), count)


def score_courses(courses: Sequence[JudgedCourse]) -> list[Score]:
    """Score r over time by judge and axis: the mean over arcs whose course moves, and over all windows together."""
    scores = []
    for name in courses[0].judged:
        for axis, axis_name in enumerate(AXES):
            own = [_correlate(course.asked[axis], course.judged[name][axis]) for course in courses]
            values = np.array([r for r in own if not np.isnan(r)])
            if not len(values):  # nothing was asked to move
                continue
            scores.append(Score(f"{name} judge", f"r of {axis_name} over time, mean of arcs",
                                *bootstrap_mean(values), len(values)))  # fmt: skip

            def pooled(draw: np.ndarray, name: str = name, axis: int = axis) -> float:
                chosen = [courses[i] for i in np.atleast_1d(draw)]
                asked = np.concatenate([one.asked[axis] for one in chosen])
                return _correlate(asked, np.concatenate([one.judged[name][axis] for one in chosen]))

            estimate = bootstrap(lambda draws: np.apply_along_axis(pooled, -1, draws), len(courses))
            windows = sum(len(course.seconds) for course in courses)
            scores.append(Score(f"{name} judge", f"r of {axis_name}, all windows", *estimate, windows))
    return scores


def _correlate(asked: Floats, judged: Floats) -> float:
    known = ~np.isnan(judged)
    if known.sum() < 4 or asked[known].std() < _LEAST_SPREAD or judged[known].std() == 0.0:
        return float("nan")
    return float(np.corrcoef(asked[known], judged[known])[0, 1])


@dataclass(frozen=True, slots=True)
class StepResponse:
    """How a judge hears a step of an axis: when half of it is heard, after it (s), and what is heard beyond (share).

    `curve` is the mean response over the steps, 0 before and 1 well after, at `seconds` from the step.
    """

    judge: str
    axis: str
    steps: int
    lag_seconds: float
    overshoot: float
    seconds: tuple[float, ...]
    curve: tuple[float, ...]


def score_steps(courses: Sequence[tuple[JudgedCourse, int]]) -> list[StepResponse]:
    """Average the responses to steps of each axis, each weighted by its size as that judge hears it in the end."""
    responses = []
    for name in courses[0][0].judged:
        for axis, axis_name in enumerate(AXES):
            chosen = [course for course, moved in courses if moved == axis]
            seconds = chosen[0].seconds - STEP_SECONDS
            signs = [np.sign(one.asked[axis][-1] - one.asked[axis][0]) for one in chosen]
            mean = np.nanmean([s * one.judged[name][axis] for s, one in zip(signs, chosen, strict=True)], axis=0)
            half = STEP_WINDOW_SECONDS / 2.0
            before = float(np.nanmean(mean[seconds <= -half]))
            late = (seconds >= half + 6.0) & (seconds <= STEP_SECONDS - half - 6.0)  # before the ending
            size = float(np.nanmean(mean[late])) - before
            curve = (mean - before) / size
            above = np.flatnonzero((curve >= 0.5) & (seconds >= -half))
            lag = float("nan")
            if len(above) and above[0] > 0:
                last = above[0] - 1
                lag = float(np.interp(0.5, curve[[last, last + 1]], seconds[[last, last + 1]]))
            overshoot = float(np.nanmax(curve[(seconds > 0.0) & (seconds <= STEP_SECONDS - half - 6.0)])) - 1.0
            responses.append(StepResponse(name, axis_name, len(chosen), lag, overshoot,
                                          tuple(map(float, seconds)), tuple(map(float, curve))))  # fmt: skip
    return responses


@dataclass(frozen=True, slots=True)
class ArcsResult:
    """The scores of hit points and courses, and the responses to steps."""

    scores: tuple[Score, ...]
    steps: tuple[StepResponse, ...]

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        return {
            "goals": GOALS, "scores": [score.as_dict() for score in self.scores],
            "steps": [asdict(step) for step in self.steps],
        }  # fmt: skip

    def format_tables(self) -> str:
        """Format the tables as Markdown."""
        tables = [format_scores(self.scores)]
        if self.steps:
            lines = ["| judge | axis | steps | half of it heard after (s) | overshoot |", "|---|---|---|---|---|"]
            lines += [
                f"| {s.judge} | {s.axis} | {s.steps} | {s.lag_seconds:+.1f} | {s.overshoot:+.2f} |" for s in self.steps
            ]
            tables.append("\n".join(lines))
        return "\n\n".join(tables)
