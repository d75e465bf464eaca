"""A session as one picture: the emotion over time, above the music that it became.

matplotlib is loaded on first use; only its object interface is used (no pyplot), so nothing global is left behind and
the same session always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import DRUM_CHANNEL, EMOTIONS, EmotionState, MusicParameters, SoundingNote
from kelly_live.core.wording import plural
from kelly_live.ui.ink import GRID, INK, PALE, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kelly_live.core.timebase import TempoMap

# Okabe & Ito's colours, which colour-blind people can distinguish, given to the emotions that they suit.
EMOTION_COLOURS: dict[str, str] = {
    "happy": "#F0E442",
    "sad": "#0072B2",
    "angry": "#D55E00",
    "fearful": "#5B4A8A",
    "surprised": "#56B4E9",
    "disgusted": "#009E73",
    "neutral": "#C9CCD1",
    "excited": "#E69F00",
}
PART_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5B4A8A", "#8C8C8C")
_PERCUSSION_COLOUR = "#4A5058"
# Bottom to top, so that what is bright lies above what is dark.
_STACK = ("neutral", "sad", "fearful", "disgusted", "angry", "surprised", "excited", "happy")
_BLACK_KEYS = frozenset((1, 3, 6, 8, 10))
# General MIDI percussion, the drums a small kit has.
_DRUMS: dict[int, str] = {
    35: "kick", 36: "kick", 37: "side stick", 38: "snare", 39: "clap", 40: "snare", 41: "low tom", 42: "closed hat",
    43: "low tom", 44: "pedal hat", 45: "mid tom", 46: "open hat", 47: "mid tom", 48: "high tom", 49: "crash",
    50: "high tom", 51: "ride", 53: "ride bell", 54: "tambourine", 56: "cowbell", 57: "crash", 59: "ride",
    69: "cabasa", 70: "shaker", 75: "claves", 82: "shaker",
}  # fmt: skip
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


def plot_session(
    path: Path,
    *,
    states: Sequence[EmotionState],
    parameters: Sequence[MusicParameters],
    notes: Sequence[SoundingNote],
    duration_seconds: float,
    parts: Mapping[int, str],
    title: str = "Kelly Live",
    tempo_map: TempoMap | None = None,
    hits: Sequence[tuple[float, str]] = (),
) -> None:
    """Write a PNG of a session to `path`, whole or not at all.

    Times of `states` and `notes` are seconds from the start of the session; `parameters` are those of the `states`, one
    each (or none at all); `parts` names the channels. `tempo_map` is the tempo that was played: not the emotion's where
    the band follows a player. Without one, the emotion's is drawn. `hits`: seconds and names of hit points. Raises
    OutputError if it cannot be written, ConfigError if the values do not fit together.
    """
    from kelly_live.core.atomic_write import write_atomically

    write_atomically(path, render_session(states, parameters, notes, duration_seconds, parts, title, tempo_map, hits))


def render_session(
    states: Sequence[EmotionState],
    parameters: Sequence[MusicParameters],
    notes: Sequence[SoundingNote],
    duration_seconds: float,
    parts: Mapping[int, str],
    title: str,
    tempo_map: TempoMap | None = None,
    hits: Sequence[tuple[float, str]] = (),
) -> bytes:
    """The picture of `plot_session` as PNG bytes, the same for the same values."""
    if not 0.0 < duration_seconds < float("inf"):
        raise ConfigError(f"the duration is {duration_seconds} s; a picture needs more than 0")
    if len(parameters) not in (0, len(states)):
        raise ConfigError(f"{len(parameters)} parameters for {len(states)} states; there must be one for each")
    import matplotlib.style

    drums = [note for note in notes if note.channel == DRUM_CHANNEL]
    melodic = [note for note in notes if note.channel != DRUM_CHANNEL]
    with matplotlib.style.context(["default", STYLE]):
        figure, axes = create_panels((1.7, 1.35, 0.85, 2.9, 0.9), duration_seconds)
        _title(figure, title, states, parameters, notes, duration_seconds)
        _emotions(axes[0], states, duration_seconds)
        _dimensions(axes[1], states, duration_seconds)
        _tempo_and_mode(axes[2], states, parameters, tempo_map, duration_seconds)
        _piano_roll(axes[3], melodic, parts)
        _percussion(axes[4], drums)
        mark_hits(axes, hits)
        axes[4].set_xlabel("time (s)", color=PALE)
        figure.align_ylabels(axes)
        return png(figure)


def create_panels(height_ratios: Sequence[float], duration: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels below one another, which share the axis of time; call it within STYLE."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.0, 9.6), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        len(height_ratios), 1, height_ratios=height_ratios, hspace=0.16, left=0.08, right=0.865, top=0.92, bottom=0.06
    )
    axes = [figure.add_subplot(grid[0])]
    axes += [figure.add_subplot(grid[row], sharex=axes[0]) for row in range(1, len(height_ratios))]
    for axis in axes:
        axis.set_xlim(0.0, duration)
        axis.set_axisbelow(True)
        axis.grid(axis="x", color=GRID, linewidth=0.8)
        axis.tick_params(length=0)
    for axis in axes[:-1]:
        axis.tick_params(labelbottom=False)
    return figure, axes


def _title(
    figure: Figure,
    title: str,
    states: Sequence[EmotionState],
    parameters: Sequence[MusicParameters],
    notes: Sequence[SoundingNote],
    duration_seconds: float,
) -> None:
    figure.text(0.08, 0.962, title, fontsize=16, fontweight="bold", va="center", parse_math=False)
    facts = [f"{int(duration_seconds // 60)}:{int(duration_seconds % 60):02d} min", plural(len(notes), "note")]
    if states:
        shares = [sum(column) / len(states) for column in zip(*(s.probabilities for s in states), strict=True)]
        facts.insert(0, f"mostly {EMOTIONS[shares.index(max(shares))]}")
    if parameters:
        tempos = [p.tempo.suggested for p in parameters]
        facts.insert(-1, f"{min(tempos):.0f}–{max(tempos):.0f} BPM")
    figure.text(0.865, 0.962, "  ·  ".join(facts), fontsize=10, color=PALE, ha="right", va="center")


def place_legend(axis: Axes, handles: Sequence[Any] | None = None, **options: Any) -> None:
    """A legend to the right of the panel, where it can't cover the data."""
    keywords: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.008, 1.04), "borderaxespad": 0.0}
    keywords |= {"handlelength": 1.2, "labelspacing": 0.35} | options
    if handles is not None:
        keywords["handles"] = handles
    axis.legend(**keywords)


def mark_hits(axes: Sequence[Axes], hits: Sequence[tuple[float, str]]) -> None:
    """Draw each hit point as a line through all panels, with its name above the first one."""
    for seconds, name in hits:
        for axis in axes:
            axis.axvline(seconds, color=INK, linewidth=1.0, linestyle=(0, (4, 2)), zorder=4)
        axes[0].text(
            seconds, 1.03, name[:24], transform=axes[0].get_xaxis_transform(), ha="center", va="bottom", size=8.0,
            parse_math=False,
        )  # fmt: skip


def write_remark(axis: Axes, text: str) -> None:
    """Write in the middle of a panel why nothing is drawn there."""
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=PALE, style="italic")


def _extend_curve(times: Sequence[float], values: Sequence[float], duration: float) -> tuple[list[float], list[float]]:
    """The curve over the whole axis: the first value from 0 on, the last one to the end."""
    return [0.0, *times, max(duration, times[-1])], [values[0], *values, values[-1]]


def _emotions(axis: Axes, states: Sequence[EmotionState], duration: float) -> None:
    from matplotlib.patches import Patch

    axis.set_ylabel("emotion")
    axis.set_ylim(0.0, 1.0)
    axis.set_yticks([0.0, 0.5, 1.0], ["0", "50", "100 %"])
    if not states:
        write_remark(axis, "nothing was heard")
        return
    times = [state.time for state in states]
    curves = []
    for name in _STACK:
        index = EMOTIONS.index(name)
        seconds, shares = _extend_curve(times, [state.probabilities[index] for state in states], duration)
        curves.append(shares)
    colours = [EMOTION_COLOURS[name] for name in _STACK]
    axis.stackplot(seconds, curves, colors=colours, linewidth=0.4, edgecolor="white")
    place_legend(axis, [Patch(color=EMOTION_COLOURS[name], label=name) for name in reversed(_STACK)])


def _dimensions(axis: Axes, states: Sequence[EmotionState], duration: float) -> None:
    axis.set_ylabel("V / A / D")
    axis.set_ylim(-1.05, 1.05)
    axis.set_yticks([-1.0, 0.0, 1.0], ["−1", "0", "+1"])
    axis.axhline(0.0, color=GRID, linewidth=1.0, zorder=0)
    if not states:
        return
    times = [state.time for state in states]
    seconds, confidence = _extend_curve(times, [state.confidence for state in states], duration)
    # Confidence is 0-1 on an axis of -1 to 1: drawn from the bottom up, its full height is full confidence.
    axis.fill_between(
        seconds, -1.05, [2.1 * c - 1.05 for c in confidence], color="#EEF0F3", zorder=0, label="confidence"
    )
    for name, colour, style in (
        ("valence", "#0072B2", "-"),
        ("arousal", "#D55E00", "-"),
        ("dominance", "#009E73", (0, (4, 1.5))),
    ):
        _, values = _extend_curve(times, [getattr(state, name) for state in states], duration)
        axis.plot(seconds, values, color=colour, linestyle=style, linewidth=1.7, label=name)
    handles, _ = axis.get_legend_handles_labels()
    place_legend(axis, [*handles[1:], handles[0]])


def _tempo_and_mode(
    axis: Axes,
    states: Sequence[EmotionState],
    parameters: Sequence[MusicParameters],
    tempo_map: TempoMap | None,
    duration: float,
) -> None:
    axis.set_ylabel("tempo, mode")
    if not parameters:
        axis.set_yticks([])
        return
    times = [state.time for state in states]
    seconds, suggested = _extend_curve(times, [p.tempo.suggested for p in parameters], duration)
    _, slowest = _extend_curve(times, [p.tempo.minimum for p in parameters], duration)
    _, fastest = _extend_curve(times, [p.tempo.maximum for p in parameters], duration)
    axis.fill_between(seconds, slowest, fastest, step="post", color="#DCEAF4", label="range", zorder=1)
    beats, tempo = (seconds, suggested) if tempo_map is None else _played_tempo(tempo_map, duration)
    axis.step(beats, tempo, where="post", color="#0072B2", linewidth=1.8, label="BPM", zorder=2)
    low, high = min(*slowest, *tempo), max(*fastest, *tempo)
    span = max(high - low, 10.0)
    axis.set_ylim(low - 0.12 * span, high + 0.85 * span)  # the modes stand in the free space above
    axis.locator_params(axis="y", nbins=3, integer=True)
    starts = [0.0, *times[1:], duration]
    runs = [
        (mode, [i for i, _ in run]) for mode, run in groupby(enumerate(parameters), key=lambda pair: _scale(pair[1]))
    ]
    for number, (mode, indices) in enumerate(runs):
        start, end = starts[indices[0]], min(starts[indices[-1] + 1], duration)
        axis.axvspan(start, end, ymin=0.72, color=("#EEF0F3", "#DDE1E6")[number % 2], linewidth=0)
        if end - start > 0.012 * len(mode) * duration:  # else the name would run into the next one
            axis.text(
                (start + end) / 2, 0.86, mode, transform=axis.get_xaxis_transform(), ha="center", va="center", size=8.5
            )
    place_legend(axis)


def _played_tempo(tempo_map: TempoMap, duration: float) -> tuple[list[float], list[float]]:
    """The seconds and BPM of each change of tempo within the picture."""
    points = [(max(0.0, tempo_map.seconds_at(point.beat)), point.bpm) for point in tempo_map.points()]
    seconds, tempo = zip(*((second, bpm) for second, bpm in points if second < duration), strict=True)
    return _extend_curve(seconds, tempo, duration)


def _scale(parameters: MusicParameters) -> str:
    """What it is played in: a tradition's own mode, a scale, or one of MODES."""
    style = parameters.style
    scale = style.scale if style is not None and style.scale is not None else parameters.scale
    return parameters.mode if scale is None else scale.name


def _piano_roll(axis: Axes, notes: Sequence[SoundingNote], parts: Mapping[int, str]) -> None:
    from matplotlib.patches import Patch

    axis.set_ylabel("notes")
    if not notes:
        axis.set_yticks([])
        write_remark(axis, "no notes were played")
        return
    low = min(note.pitch for note in notes) - 2
    high = max(note.pitch for note in notes) + 2
    low, high = min(low, high - 14), max(high, low + 14)
    for pitch in range(low, high + 1):
        if pitch % 12 in _BLACK_KEYS:
            axis.axhspan(pitch - 0.5, pitch + 0.5, color="#F5F6F8", linewidth=0, zorder=0)
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    for pitch in octaves:
        axis.axhline(pitch - 0.5, color=GRID, linewidth=1.0, zorder=0)
    axis.set_ylim(low - 0.5, high + 0.5)
    axis.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    channels = sorted({note.channel for note in notes})
    colours = {channel: PART_COLOURS[i % len(PART_COLOURS)] for i, channel in enumerate(channels)}
    _bars(axis, notes, [note.pitch for note in notes], [colours[note.channel] for note in notes], height=0.84)
    place_legend(axis, [Patch(color=colours[c], label=parts.get(c, f"channel {c}")) for c in channels])
    axis.text(
        1.008, 0.0, "stronger = louder", transform=axis.transAxes, va="bottom", size=8, color=PALE, style="italic"
    )


def _percussion(axis: Axes, notes: Sequence[SoundingNote]) -> None:
    axis.set_ylabel("percussion")
    names = {note.pitch: _DRUMS.get(note.pitch, f"drum {note.pitch}") for note in notes}
    rows: dict[str, int] = {}
    for pitch in sorted(names):
        rows.setdefault(names[pitch], len(rows))
    axis.set_ylim(-0.6, max(1, len(rows)) - 0.4)
    axis.set_yticks(range(len(rows)), list(rows), fontsize=min(9.0, 48.0 / max(1, len(rows))))
    if not notes:
        write_remark(axis, "no percussion")
        return
    # A drum's length says nothing: each stroke gets the same small width.
    width = (axis.get_xlim()[1] - axis.get_xlim()[0]) / 400.0
    strokes = [SoundingNote(n.start_seconds, n.start_seconds + width, n.pitch, n.velocity, n.channel) for n in notes]
    _bars(axis, strokes, [rows[names[n.pitch]] for n in notes], [_PERCUSSION_COLOUR] * len(notes), height=0.62)


def _bars(
    axis: Axes, notes: Sequence[SoundingNote], rows: Sequence[float], colours: Sequence[str], height: float
) -> None:
    """One rectangle a note, as one collection (thousands are fine); the velocity is the opacity."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    half = height / 2
    corners = [
        [(n.start_seconds, y - half), (n.end_seconds, y - half), (n.end_seconds, y + half), (n.start_seconds, y + half)]
        for n, y in zip(notes, rows, strict=True)
    ]
    face_colours = [to_rgba(c, 0.25 + 0.75 * n.velocity / 127.0) for n, c in zip(notes, colours, strict=True)]
    axis.add_collection(PolyCollection(corners, facecolors=face_colours, edgecolors="white", linewidths=0.35, zorder=3))
