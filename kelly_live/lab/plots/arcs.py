"""An arc as one picture: what was asked for, what was played, what judges heard, and the hit points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.atomic_write import write_atomically
from kelly_live.lab.judging.arcs import AXES, JudgedCourse
from kelly_live.ui.ink import GRID, INK, PALE, png
from kelly_live.ui.plot import mark_hits

if TYPE_CHECKING:
    from kelly_live.engine.performance import Performance

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_PLAYED_WINDOW = 2.0  # s, over which loudness and notes are averaged


def draw_course(path: Path, performance: Performance, course: JudgedCourse) -> None:
    """Draw the picture of a performance (PNG). Raises OutputError.

    A judge's answers have a scale of their own: they are drawn with the mean and spread of what was asked for.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 9.0), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 1, sharex=True)
    figure.subplots_adjust(left=0.08, right=0.8, top=0.9, bottom=0.06, hspace=0.14)
    times = [reading.state.time for reading in performance.readings]
    for number, name in enumerate(AXES):
        asked = [getattr(reading.state, name) for reading in performance.readings]
        _draw_judged(axes[number], name, course, number)
        axes[number].step(times, asked, where="post", color=INK, linewidth=2.2, label="asked for")
        axes[number].set_ylim(-1.05, 1.05)
    _draw_tempo(axes[2], performance, times)
    _draw_played(axes[3], performance)
    for axis in axes:
        axis.set_xlim(0.0, performance.end_seconds)
        axis.grid(axis="x", color=GRID)
        axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    axes[3].set_xlabel("time (s)", color=PALE)
    mark_hits(axes, [(hit.asked_seconds, hit.name) for hit in performance.hits])
    figure.suptitle("asked for, played, judged", x=0.08, ha="left", fontsize=14, fontweight="bold")
    write_atomically(path, png(figure))


def _draw_judged(axis: Any, name: str, course: JudgedCourse, number: int) -> None:
    axis.set_ylabel(name)
    asked = course.asked[number]
    for (judge, answers), colour in zip(course.judged.items(), _COLOURS, strict=False):
        judged = answers[number]
        spread = float(np.nanstd(judged)) or 1.0
        scaled: Floats = (judged - np.nanmean(judged)) / spread * asked.std() + asked.mean()
        axis.plot(course.seconds, np.clip(scaled, -1.0, 1.0), color=colour, linewidth=1.4, label=f"judged: {judge}")


def _draw_tempo(axis: Any, performance: Performance, times: list[float]) -> None:
    points = performance.tempo_map.points()
    played = [performance.tempo_map.seconds_at(point.beat) for point in points]
    asked = [reading.parameters.tempo.suggested for reading in performance.readings]
    axis.step(times, asked, where="post", color=PALE, linewidth=1.4, linestyle="--", label="the feeling's tempo")
    axis.step(played, [point.bpm for point in points], where="post", color=_COLOURS[0], linewidth=2.0, label="played")
    axis.set_ylabel("tempo (BPM)")


def _draw_played(axis: Any, performance: Performance) -> None:
    notes = performance.sounding_notes()
    starts = np.array([note.start_seconds for note in notes])
    velocities = np.array([note.velocity for note in notes], dtype=np.float64)
    seconds = np.arange(0.5, performance.end_seconds, 0.5)
    inside = [np.abs(starts - second) <= _PLAYED_WINDOW / 2.0 for second in seconds]
    axis.plot(seconds, [velocities[one].mean() if one.any() else np.nan for one in inside], color=_COLOURS[1],
              label="mean velocity")  # fmt: skip
    axis.plot(seconds, [one.sum() / _PLAYED_WINDOW for one in inside], color=_COLOURS[2], label="notes a second")
    axis.set_ylabel("played")
    axis.set_ylim(0.0, 127.0)
