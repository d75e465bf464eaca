"""Lab Streaming Layer as a control surface: the feeling and markers go out, streams of others steer it.

liblsl (MIT) comes with the extra `lsl`.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kelly_live.core.actions import Action
from kelly_live.core.control_surface import ControlView
from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import parse_number
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.timebase import Clock
from kelly_live.core.values import EMOTIONS

AXES = ("valence", "arousal", "dominance")
CHANNELS = (*AXES, "confidence", "bpm", *EMOTIONS)
ACTION_SECONDS = 0.1  # between two actions of one stream: a signal at 1000 Hz is no more steering than one at 10
LOST_SECONDS = 2.0  # without a sample, a stream is told to be lost
_STEP = 0.005  # a smaller change is none
_CHANNEL_KIND, _MARKER_KIND, _GEMS_KIND = "Emotion", "Markers", "GEMS"
_SAMPLES = 1024  # that are taken at once; the last one counts
_QUIET = "[log]\nlevel = -3\n"  # it would write on the terminal
_MAPPING = re.compile(
    r"(?P<axis>[a-z]+)=(?P<stream>.+?)(?::(?P<channel>\d{1,4}))?(?:,(?P<low>[-+\d.eE]+?)\.\.(?P<high>[-+\d.eE]+))?"
)


@dataclass(frozen=True, slots=True)
class LslMapping:
    """One channel (from 0) of a stream as an axis of feeling: `low` is -1 and `high` is 1, and what lies beyond too."""

    axis: str
    stream: str
    channel: int = 0
    low: float = -1.0
    high: float = 1.0

    def read(self, value: float) -> float:
        """Return the place on the axis, -1 to 1, of a value of the stream."""
        return max(-1.0, min(1.0, 2.0 * (value - self.low) / (self.high - self.low) - 1.0))

    def __str__(self) -> str:
        return f"{self.axis}={self.stream}:{self.channel},{self.low:g}..{self.high:g}"


def parse_mappings(texts: Sequence[str]) -> tuple[LslMapping, ...]:
    """Read AXIS=STREAM[:CHANNEL][,LOW..HIGH] texts, such as `arousal=Polar H10:0,60..120`. Raises ConfigError."""
    mappings = tuple(map(_parse_mapping, texts))
    axes = [mapping.axis for mapping in mappings]
    if len(set(axes)) < len(axes):
        raise ConfigError("an axis comes from two streams; give each of valence, arousal and dominance one at most")
    return mappings


def _parse_mapping(text: str) -> LslMapping:
    match = _MAPPING.fullmatch(text.strip())
    if match is None or match["axis"] not in AXES:
        raise ConfigError(f"{text[:60]!r}: write AXIS=STREAM[:CHANNEL][,LOW..HIGH], with an axis of {', '.join(AXES)}")
    low, high = (parse_number(match[end] or default) for end, default in (("low", "-1"), ("high", "1")))
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        raise ConfigError(f"{text[:60]!r}: LOW..HIGH must be two different numbers, such as 60..120")
    return LslMapping(match["axis"], match["stream"].strip(), int(match["channel"] or 0), low, high)


class LslOutput:
    """Two streams: NAME with the feeling and the tempo for each new state, and NAME-markers with what begins, as text.

    Once music is heard whose GEMS the models read, there is a third: NAME-gems, with a channel for each scale.
    A sample has the time at which it is sent. Thread: one for all calls; none waits.
    """

    def __init__(self, library: Any, name: str) -> None:
        self.name, self._library = name, library
        self._gems: Any = None
        self._feeling = _open_outlet(library, name, _CHANNEL_KIND, CHANNELS, library.cf_float32)
        self._markers = _open_outlet(library, f"{name}-markers", _MARKER_KIND, ("marker",), library.cf_string)
        self._view: ControlView | None = None

    def publish(self, view: ControlView) -> None:
        """Send a view whose feeling is new, and a marker for each thing that begins with it."""
        before, self._view = self._view, view
        state = view.state
        if before is None or before.state is not state:
            values = (state.valence, state.arousal, state.dominance, state.confidence, view.bpm, *state.probabilities)
            self._feeling.push_sample(list(map(float, values)))
        if view.gems and (before is None or before.gems != view.gems):
            scales, shares = zip(*view.gems, strict=True)
            if self._gems is None:
                self._gems = _open_outlet(
                    self._library, f"{self.name}-gems", _GEMS_KIND, scales, self._library.cf_float32
                )
            self._gems.push_sample(list(shares))
        for marker in list_markers(before, view):
            self._markers.push_sample([marker])


def list_markers(before: ControlView | None, view: ControlView) -> list[str]:
    """List what begins with a view: an emotion, its word, what is held by hand, a key, a chord, a bar."""
    old = {} if before is None else _describe(before)
    return [f"{name} {text}" for name, text in _describe(view).items() if text and old.get(name) != text]


def _describe(view: ControlView) -> dict[str, str]:
    override = view.override
    is_free = override == EmotionOverride()
    return {
        "emotion": view.state.emotion,
        "word": view.word or "",
        "hand": "frozen" if override.freeze else "free" if is_free else "morph" if override.morph else "held",
        "key": f"{view.tonic} {view.mode}",
        "chord": view.chord,
        "bar": str(view.bar),
    }


class LslInput:
    """One stream that steers an axis. Thread: one for all calls; none waits.

    `problem` says in a line that nothing comes from the stream, or that it has no such channel, for as long as that
    lasts. What it said last stays in force: only a performer lets go.
    """

    def __init__(self, library: Any, mapping: LslMapping, clock: Clock) -> None:
        self.problem: str | None = None
        self._library, self._mapping, self._clock = library, mapping, clock
        self._resolver = library.ContinuousResolver(prop="name", value=mapping.stream)
        self._inlet: Any = None
        self._heard_at, self._acted_at = clock.now(), -math.inf
        self._place: float | None = None  # where the axis was put last

    def poll(self) -> Action | None:
        """Return where the stream puts its axis, if that is new."""
        now = self._clock.now()
        value = self._pull() if self._inlet is not None or self._open() else None
        if value is not None:
            self._heard_at, self.problem = now, None
        elif now - self._heard_at > LOST_SECONDS and self.problem is None:
            self.problem = f"no stream {self._mapping.stream!r} is heard (--lsl-in); start it, or check its name"
        if value is None or not math.isfinite(value) or now - self._acted_at < ACTION_SECONDS:
            return None
        place = self._mapping.read(value)
        if self._place is not None and abs(place - self._place) < _STEP:
            return None
        self._acted_at, self._place = now, place
        return Action(self._mapping.axis, place)

    def close(self) -> None:
        """Let go of the stream. Safe to call twice."""
        if self._inlet is not None:
            self._inlet.close_stream()
            self._inlet = None

    def _open(self) -> bool:
        """Open the stream if it is there; return whether it is open."""
        found = self._resolver.results()
        if not found:
            return False
        mapping, count = self._mapping, found[0].channel_count()
        if mapping.channel >= count or found[0].channel_format() == self._library.cf_string:
            self.problem = (
                f"the stream {mapping.stream!r} has {count} channels of "
                f"{'text' if found[0].channel_format() == self._library.cf_string else 'numbers'} and channel "
                f"{mapping.channel} is asked for (--lsl-in); count from 0, and take numbers"
            )
            return False
        self._inlet = self._library.StreamInlet(found[0], max_buflen=1)  # comes back by itself when the stream does
        return True

    def _pull(self) -> float | None:
        """Return the latest value that came, or None."""
        samples, _ = self._inlet.pull_chunk(timeout=0.0, max_samples=_SAMPLES)
        return float(samples[-1][self._mapping.channel]) if len(samples) else None


class LslSurface:
    """A ControlSurface over Lab Streaming Layer; either direction may be missing. Thread: one, the console's."""

    name = "lsl"

    def __init__(self, output: LslOutput | None, inputs: Sequence[LslInput]) -> None:
        self._output, self._inputs = output, inputs

    @property
    def problem(self) -> str | None:
        """Why a stream steers nothing, in a line, for as long as that lasts."""
        return next((one.problem for one in self._inputs if one.problem is not None), None)

    def describe(self) -> list[str]:
        """Say which streams go out, one line."""
        return [] if self._output is None else [f"LSL output: {self._output.name!r} and {self._output.name}-markers"]

    def publish(self, view: ControlView) -> None:
        """Send the view, if anything in it is new."""
        if self._output is not None:
            self._output.publish(view)

    def poll(self) -> list[Action]:
        """Return where the streams put their axes since the last call."""
        return [action for one in self._inputs if (action := one.poll()) is not None]

    def close(self) -> None:
        """Let go of every stream. Safe to call twice."""
        for one in self._inputs:
            one.close()


def open_lsl(name: str | None, mappings: Sequence[LslMapping], clock: Clock) -> LslSurface:
    """Send as the stream `name`, if it is given, and let the mapped streams steer. Raises ConfigError."""
    try:
        library = importlib.import_module("pylsl")
        library.set_config_content(_QUIET)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise ConfigError(
            f"--lsl needs pylsl 1.17 or newer with its library ({error}): pip install 'kelly-live[lsl]'"
        ) from error
    output = None if name is None else LslOutput(library, name)
    return LslSurface(output, [LslInput(library, mapping, clock) for mapping in mappings])


def _open_outlet(library: Any, name: str, kind: str, channels: Sequence[str], form: int) -> Any:
    info = library.StreamInfo(name, kind, len(channels), library.IRREGULAR_RATE, form, name)
    labels = info.desc().append_child("channels")
    for channel in channels:
        labels.append_child("channel").append_child_value("label", channel)
    return library.StreamOutlet(info)
