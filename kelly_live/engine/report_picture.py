"""A session report as one picture: feeling heard and played, tempo, notes a minute, and who steered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kelly_live.core.numbers import format_time
from kelly_live.core.wording import plural
from kelly_live.recording.report import FeelingPoint, SessionReport
from kelly_live.ui.ink import GRID, INK, PALE, png
from kelly_live.ui.plot import PART_COLOURS, STYLE, create_panels, place_legend, write_remark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_AXES = (("valence", "#0072B2"), ("arousal", "#D55E00"), ("dominance", "#009E73"))
_MOST_ROWS = 8  # sources that steered
_MOST_MARKERS = 180  # of what was heard: more run together into a bar
_MOST_NAMES = 24  # keys that are written into the picture


def render_report(report: SessionReport) -> bytes:
    """The picture of a report as PNG bytes, the same for the same report."""
    import matplotlib.style

    in_minutes = report.seconds >= 600.0
    scale = 60.0 if in_minutes else 1.0
    duration = max(report.seconds, 1.0) / scale
    with matplotlib.style.context(["default", STYLE]):
        figure, axes = create_panels((1.0, 1.0, 1.0, 0.9, 1.3, 1.1), duration)
        _draw_title(figure, report)
        for axis, (name, colour) in zip(axes, _AXES, strict=False):
            _draw_course(axis, name, colour, report.course, scale, duration)
        _draw_tempo(axes[3], report, scale, duration)
        _draw_parts(axes[4], report, scale)
        _draw_steering(axes[5], report, scale)
        axes[-1].set_xlabel(f"time ({'min' if in_minutes else 's'})", color=PALE)
        figure.align_ylabels(axes)
        return png(figure)


def _draw_title(figure: Figure, report: SessionReport) -> None:
    figure.text(0.08, 0.962, f"{report.title}, {report.created}", fontsize=14, fontweight="bold", va="center",
                parse_math=False)  # fmt: skip
    facts = [f"{format_time(round(report.seconds))} min", plural(report.notes, "note")]
    facts.append(f"loudest velocity {report.loudest_velocity}")
    if limited := report.limits.limited_notes:
        facts.append(f"{plural(limited, 'note')} held to the limits")
    figure.text(0.865, 0.962, "  ·  ".join(facts), fontsize=10, color=PALE, ha="right", va="center")


def _draw_course(
    axis: Axes, name: str, colour: str, course: tuple[FeelingPoint, ...], scale: float, duration: float
) -> None:
    axis.set_ylabel(name)
    axis.set_ylim(-1.05, 1.05)
    axis.set_yticks([-1.0, 0.0, 1.0], ["−1", "0", "+1"])
    axis.axhline(0.0, color=GRID, linewidth=1.0, zorder=0)
    if not course:
        write_remark(axis, "nothing was recorded")
        return
    heard = [(point.seconds / scale, getattr(point.heard, name)) for point in course if point.heard is not None]
    if heard:
        marker = "." if len(heard) <= _MOST_MARKERS else None
        axis.plot(*zip(*heard, strict=True), color=PALE, linewidth=0.8, marker=marker, markersize=2.5, label="heard")
    times = [*(point.seconds / scale for point in course), duration]
    played = [getattr(point.played, name) for point in course]
    axis.step(times, [*played, played[-1]], where="post", color=colour, linewidth=1.9, label="played")
    place_legend(axis)


def _draw_tempo(axis: Axes, report: SessionReport, scale: float, duration: float) -> None:
    axis.set_ylabel("tempo, key")
    tempos = [moment.bpm for moment in report.tempo]
    axis.step(
        [*(moment.seconds / scale for moment in report.tempo), duration],
        [*tempos, tempos[-1]], where="post", color="#0072B2", linewidth=1.8, label="BPM",
    )  # fmt: skip
    span = max(max(tempos) - min(tempos), 10.0)
    axis.set_ylim(min(tempos) - 0.15 * span, max(tempos) + 0.7 * span)  # the keys stand in the free space above
    axis.locator_params(axis="y", nbins=3, integer=True)
    written = 0.0
    for key in report.keys[:_MOST_NAMES]:
        start = key.seconds / scale
        axis.axvline(start, ymin=0.68, color=GRID, linewidth=1.2)
        if start >= written:  # else it would run into the one before
            axis.text(
                start, 0.84, f" {key.text}", transform=axis.get_xaxis_transform(), ha="left", va="center", size=8.5
            )
            written = start + 0.0085 * (len(key.text) + 1) * duration
    place_legend(axis)


def _draw_parts(axis: Axes, report: SessionReport, scale: float) -> None:
    axis.set_ylabel("notes a minute")
    if not report.parts:
        axis.set_yticks([])
        write_remark(axis, "no notes were played")
        return
    minutes = len(report.parts[0].notes_by_minute)
    starts = [60.0 * minute for minute in range(minutes)]
    widths = [min(60.0, max(1.0, report.seconds - start)) for start in starts]  # the last minute is not a whole one
    bottoms = [0.0] * minutes
    for number, part in enumerate(report.parts):
        rates = [60.0 * notes / width for notes, width in zip(part.notes_by_minute, widths, strict=True)]
        axis.bar(
            [start / scale for start in starts], rates, [width / scale for width in widths], bottoms, align="edge",
            color=PART_COLOURS[number % len(PART_COLOURS)], edgecolor="white", linewidth=0.6, label=part.name[:16],
        )  # fmt: skip
        bottoms = [bottom + rate for bottom, rate in zip(bottoms, rates, strict=True)]
    axis.locator_params(axis="y", nbins=4, integer=True)
    place_legend(axis)


def _draw_steering(axis: Axes, report: SessionReport, scale: float) -> None:
    axis.set_ylabel("steered by")
    rows = [(f"{one.source} ({one.count})", [moment.seconds for moment in one.moments], INK) for one in report.steering]
    rows = rows[:_MOST_ROWS]
    if report.panics:
        rows.append((f"panics ({len(report.panics)})", list(report.panics), "#D55E00"))
    if report.iso:
        rows.append(("iso goal", [moment.seconds for moment in report.iso], "#009E73"))
    if report.limits.changes:
        rows.append(("limits changed", [seconds for seconds, _ in report.limits.changes], "#0072B2"))
    axis.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axis.yaxis.tick_right()  # where the legends of the other panels stand
    axis.tick_params(length=0)
    axis.set_ylim(-0.6, max(1, len(rows)) - 0.4)
    axis.invert_yaxis()
    for row, (_, moments, colour) in enumerate(rows):
        axis.vlines([seconds / scale for seconds in moments], row - 0.3, row + 0.3, color=colour, linewidth=1.2)
    if not rows:
        write_remark(axis, "nobody while it played")
