"""Lab Streaming Layer as a control surface; tests/live/test_lsl_live.py has the real library."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from kelly_live.control.lsl_surface import LOST_SECONDS, LslInput, LslMapping, LslOutput, list_markers, parse_mappings
from kelly_live.core.actions import Action
from kelly_live.core.control_surface import ControlView
from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.timebase import ManualClock


class ScriptedLibrary:
    """What LslInput asks of pylsl: a stream of one channel, there or not, and the samples that came."""

    cf_string = 3

    def __init__(self, *, is_there: bool = True, kind: int = 1) -> None:
        self.samples: list[list[float]] = []
        self.is_there = is_there
        self._kind = kind

    def ContinuousResolver(self, *, prop: str, value: str) -> ScriptedLibrary:  # noqa: N802 - pylsl's name
        assert (prop, value) == ("name", "Polar")
        return self

    def StreamInlet(self, info: ScriptedLibrary, *, max_buflen: int) -> ScriptedLibrary:  # noqa: N802 - pylsl's name
        return self

    def results(self) -> list[ScriptedLibrary]:
        return [self] if self.is_there else []

    def channel_count(self) -> int:
        return 1

    def channel_format(self) -> int:
        return self._kind

    def pull_chunk(self, *, timeout: float, max_samples: int) -> tuple[list[list[float]], list[float]]:
        samples, self.samples = self.samples, []
        return samples, [0.0] * len(samples)


def heart(library: ScriptedLibrary, clock: ManualClock, **change: int) -> LslInput:
    return LslInput(library, LslMapping("arousal", "Polar", low=60.0, high=120.0, **change), clock)


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("arousal=Polar", LslMapping("arousal", "Polar")),
        ("arousal=Polar H10:2", LslMapping("arousal", "Polar H10", 2)),
        ("arousal=Polar:0,60..120", LslMapping("arousal", "Polar", 0, 60.0, 120.0)),
        ("valence=a:b,c,-1.5..2e3", LslMapping("valence", "a:b,c", 0, -1.5, 2000.0)),
    ],
)
def test_a_mapping_is_an_axis_a_stream_a_channel_and_a_range(text: str, mapping: LslMapping) -> None:
    assert parse_mappings((text,)) == (mapping,)
    assert parse_mappings((str(mapping),)) == (mapping,)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("tempo=Polar",), "with an axis of valence, arousal, dominance"),
        (("arousal",), "write AXIS=STREAM"),
        (("arousal=Polar,60..60",), "two different numbers"),
        (("arousal=a", "arousal=b"), "an axis comes from two streams"),
    ],
)
def test_what_is_no_mapping_is_told(texts: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_mappings(texts)


def test_a_heart_rate_moves_arousal_and_beyond_the_range_it_stays() -> None:
    library, clock = ScriptedLibrary(), ManualClock()
    stream = heart(library, clock)
    for rate, place in ((60.0, -1.0), (90.0, 0.0), (150.0, 1.0)):
        library.samples = [[20.0], [rate]]  # the last one counts
        assert stream.poll() == Action("arousal", place)
        clock.advance(0.2)
    assert stream.poll() is None


def test_a_fast_stream_acts_ten_times_a_second_and_a_still_one_once() -> None:
    library, clock = ScriptedLibrary(), ManualClock()
    stream = heart(library, clock)
    actions = []
    for step in range(100):
        library.samples = [[60.0 + step % 50]]
        actions.append(stream.poll())
        clock.advance(0.01)
    assert 9 <= len([one for one in actions if one is not None]) <= 10
    library.samples = [[90.0]]
    clock.advance(0.2)
    assert stream.poll() is not None
    library.samples = [[90.01]]
    clock.advance(0.2)
    assert stream.poll() is None


def test_a_stream_that_is_lost_is_told_and_moves_nothing() -> None:
    library, clock = ScriptedLibrary(is_there=False), ManualClock()
    stream = heart(library, clock)
    assert (stream.poll(), stream.problem) == (None, None)
    clock.advance(LOST_SECONDS + 0.1)
    stream.poll()
    assert stream.problem == "no stream 'Polar' is heard (--lsl-in); start it, or check its name"
    library.is_there, library.samples = True, [[float("nan")]]
    assert (stream.poll(), stream.problem) == (None, None)


@pytest.mark.parametrize(("library", "channel"), [(ScriptedLibrary(), 3), (ScriptedLibrary(kind=3), 0)])
def test_a_channel_that_is_not_there_or_no_number_is_told(library: ScriptedLibrary, channel: int) -> None:
    stream = heart(library, ManualClock(), channel=channel)
    assert stream.poll() is None
    assert f"channel {channel} is asked for" in str(stream.problem)


def test_what_music_induces_is_a_stream_of_its_own_once_it_is_heard() -> None:
    sent: list[tuple[str, list[float] | list[str]]] = []

    def open_outlet(info: Any) -> Any:
        return SimpleNamespace(push_sample=lambda sample: sent.append((info.name, sample)))

    library = SimpleNamespace(
        StreamInfo=lambda name, *_: SimpleNamespace(name=name, desc=MagicMock()), StreamOutlet=open_outlet,
        cf_float32=1, cf_string=3, IRREGULAR_RATE=0.0,
    )  # fmt: skip
    output = LslOutput(library, "kelly")
    quiet = ControlView(create_state(emotion="sad"), EmotionOverride(), 80.0, 1, "A", "aeolian", "Am")
    for gems in ((), (("tension", 0.5),), (("tension", 0.5),), (("tension", 0.25),)):
        output.publish(replace(quiet, gems=gems))
    assert [sample for name, sample in sent if name == "kelly-gems"] == [[0.5], [0.25]]


def test_markers_say_what_begins() -> None:
    first = ControlView(create_state(emotion="sad"), EmotionOverride(), 80.0, 1, "A", "aeolian", "Am")
    second = ControlView(create_state(emotion="sad"), EmotionOverride(freeze=True), 80.0, 2, "A", "aeolian", "F")
    assert list_markers(None, first) == ["emotion sad", "hand free", "key A aeolian", "chord Am", "bar 1"]
    assert list_markers(first, second) == ["hand frozen", "chord F", "bar 2"]
    assert list_markers(second, second) == []
    assert list_markers(second, replace(second, word="lonely")) == ["word lonely"]
