"""A program that uses the API wrongly, or again and again: one line, and nothing left behind."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kelly_live
from kelly_live import KellyError, LiveEngine, LiveOptions, LiveParts
from kelly_live.core.resources import find_resources
from kelly_live.engine.live import EngineError
from tests.fakes import ScriptedReader

WRONG: list[tuple[Callable[..., Any], tuple[object, ...], dict[str, object]]] = [
    (kelly_live.compose, (3,), {}),
    (kelly_live.compose, (["sad"],), {}),
    (kelly_live.compose, ("sad",), {"bars": "x"}),
    (kelly_live.compose, ("sad",), {"bars": 2.5}),
    (kelly_live.compose, ("sad",), {"bars": True}),
    (kelly_live.compose, ("sad",), {"preset": 5}),
    (kelly_live.compose, ("sad",), {"culture": 5}),
    (kelly_live.compose, ("sad",), {"profile": 4}),
    (kelly_live.compose, ("sad",), {"morph_to": "happy"}),
    (kelly_live.compose, (), {"valence": "a"}),
    (kelly_live.compose, (), {"valence": float("nan")}),
    (kelly_live.render, (5,), {}),
    (kelly_live.render, (None,), {}),
    (kelly_live.render, (b"x.wav",), {}),
    (kelly_live.render, ("missing.wav",), {"device": "gpu"}),
    (kelly_live.analyze, (None,), {}),
    (kelly_live.analyze, ("missing.wav",), {"reader": 3}),
]


@pytest.mark.parametrize(("function", "arguments", "keywords"), WRONG)
def test_a_wrong_argument_is_one_plain_line(
    function: Callable[..., Any], arguments: tuple[object, ...], keywords: dict[str, object]
) -> None:
    with pytest.raises(KellyError) as error:
        function(*arguments, **keywords)
    assert "\n" not in str(error.value)


def test_numbers_of_another_type_are_taken() -> None:
    plain = kelly_live.compose(valence=0.5, arousal=0.25, bars=2, seed=3)
    other = kelly_live.compose(valence=np.float32(0.5), arousal=np.float64(0.25), bars=np.int64(2), seed=3.0)  # type: ignore[arg-type]
    assert other.notes == plain.notes


def make_engine() -> LiveEngine:
    parts = LiveParts.create(find_resources("presets") / "demo" / "recording.ogg", null_port=True)
    return LiveEngine(LiveOptions(profile="none"), LiveParts(parts.clock, parts.source, parts.sink, ScriptedReader()))


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list open files there")
def test_sessions_one_after_another_leave_nothing_behind() -> None:
    def count() -> tuple[int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    def play() -> None:
        engine = make_engine()
        engine.start()
        engine.stop()
        assert engine.stop().file_lines == ()

    play()
    before = count()
    for _ in range(5):
        play()
    wait_until(lambda: count() <= before)


def test_the_wrong_order_is_named_and_an_error_inside_passes_through() -> None:
    engine = make_engine()
    for early in (engine.stop, engine.snapshot, lambda: engine.act("panic")):
        with pytest.raises(EngineError, match="start"):
            early()
    with pytest.raises(ZeroDivisionError), engine:
        raise ZeroDivisionError
    assert not engine.is_running
    for late in (engine.start, lambda: engine.act("panic")):
        with pytest.raises(EngineError, match="ended"):
            late()


def test_observers_that_raise_or_exit_are_dropped_and_two_sessions_go_on() -> None:
    def leave(snapshot: object) -> None:
        raise SystemExit(3)

    with make_engine() as one, make_engine() as other:
        observations = [one.observe(lambda snapshot: 1 / 0), one.observe(leave), other.observe(leave)]
        wait_until(lambda: not any(observation.is_open for observation in observations))
        assert one.is_running
        assert other.is_running


def test_one_of_two_sessions_leaves_the_other_its_interpreter_and_the_last_one_the_program() -> None:
    def read_settings() -> tuple[float, bool]:
        return sys.getswitchinterval(), gc.get_freeze_count() > 0

    before = read_settings()
    one, other = make_engine(), make_engine()
    one.start()
    other.start()
    changed_settings = read_settings()
    assert changed_settings != before
    one.stop()
    assert read_settings() == changed_settings
    other.stop()
    assert read_settings() == before
