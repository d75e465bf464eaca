"""An input that is lost is opened again; meanwhile there is silence, and nothing is thrown away unsaid."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.audio import supervised_source as restarting
from kelly_live.audio.capture import Broken, Decoder, Heard, Message, Opened, encode
from kelly_live.audio.supervised_source import SupervisedSource
from kelly_live.core.errors import AudioError
from kelly_live.core.protocols import AudioHealth
from kelly_live.core.timebase import MonotonicClock
from kelly_live.core.values import AudioWindow

HEAD = """
import os, sys, time
import numpy as np
from pathlib import Path
from kelly_live.audio.capture import Broken, Heard, Opened, write
from kelly_live.core.protocols import AudioHealth
tries = Path(sys.argv[1]); count = len(tries.read_text()) if tries.exists() else 0; tries.write_text("x" * (count + 1))
def say(value, n=800): write(1, Heard(np.full(n, value, np.float32), time.monotonic(), AudioHealth(-6.0, 1, 0.25)))
"""
ASLEEP = "\nsys.stdin.buffer.read()\n"


def source(tmp_path: Path, script: str) -> SupervisedSource:
    return SupervisedSource(
        None, MonotonicClock(), command=[sys.executable, "-c", HEAD + script, str(tmp_path / "tries")]
    )


def until(condition: Callable[[AudioWindow], bool], heard: SupervisedSource) -> AudioWindow:
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        block = heard.read(0.1)
        if block is not None and condition(block):
            return block
    raise AssertionError(f"it was not heard; {heard.health()}")


def loud(value: float) -> Callable[[AudioWindow], bool]:
    return lambda block: bool(np.all(block.samples == value))


def test_a_capture_that_dies_is_started_again_and_silence_stands_for_it(tmp_path: Path) -> None:
    heard = source(
        tmp_path,
        "write(1, Opened('mic')); say(0.5)\n"
        "if count == 1: write(1, Broken('unplugged')); os._exit(0)\n"
        "if count == 2: say(0.25)" + ASLEEP,
    )  # fmt: skip
    (tmp_path / "tries").write_text("x")  # so that the first try dies
    heard.start()
    try:
        assert heard.name == "mic"
        until(loud(0.5), heard)
        until(loud(0.0), heard)
        assert heard.health().problem == "unplugged"
        last = until(loud(0.25), heard)
        assert heard.health().problem is None
        assert heard.health().overflows == 2  # one of each life
        assert heard.health().dropped_seconds == 0.5
        assert last.end_time <= time.monotonic()
    finally:
        heard.close()


def test_a_capture_that_hangs_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarting, "STALL_SECONDS", 0.3)
    heard = source(tmp_path, "write(1, Opened('mic')); say(0.5 if count else 0.25)" + ASLEEP)
    heard.start()
    try:
        until(loud(0.25), heard)
        until(loud(0.5), heard)
    finally:
        heard.close()


def test_an_input_that_is_not_there_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such input"):
        source(tmp_path, "write(1, Broken('no such input'))").start()


def test_what_came_before_the_start_is_not_heard(tmp_path: Path) -> None:
    heard = source(tmp_path, "say(0.25); say(0.5); write(1, Opened('mic'))\ninput()\nsay(0.75)" + ASLEEP)
    heard.open()
    heard.start()
    try:
        process = heard._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        assert loud(0.75)(until(lambda block: True, heard))
    finally:
        heard.close()


def test_garbage_is_no_sound(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="something else than sound"):
        source(tmp_path, "os.write(1, b'Traceback (most recent call last)')" + ASLEEP).start()


def test_a_name_that_is_not_there_is_told_by_the_real_capture() -> None:
    with pytest.raises(AudioError) as caught:
        SupervisedSource("no such microphone anywhere", MonotonicClock()).start()
    assert "\n" not in str(caught.value)


def test_sound_that_nobody_reads_is_bounded_and_counted(tmp_path: Path) -> None:
    heard = source(
        tmp_path,
        "write(1, Opened('mic'))\n"
        "for i in range(200): write(1, Heard(np.zeros(800), 0.05 * i, AudioHealth(0.0, 0, 0.0)))" + ASLEEP,
    )  # fmt: skip
    heard.start()
    try:
        deadline = time.monotonic() + 20.0
        while heard.health().dropped_seconds < 10.0 - 4.0 - 0.1:
            assert time.monotonic() < deadline
            os.sched_yield()
        assert len(heard._blocks) <= 4.0 / 0.05 + 1
    finally:
        heard.close()


def test_closing_ends_the_capture(tmp_path: Path) -> None:
    heard = source(tmp_path, "write(1, Opened('mic'))" + ASLEEP)
    heard.start()
    process = heard._process
    assert process is not None
    heard.close()
    heard.close()
    assert process.returncode is not None
    assert heard.read(0.0) is None


@given(
    samples=st.lists(st.floats(-1.0, 1.0, width=32), max_size=50),
    cuts=st.lists(st.integers(1, 40), max_size=20),
    end=st.floats(0.0, 1e6),
)
def test_the_wire_carries_sound_however_it_is_cut(samples: list[float], cuts: list[int], end: float) -> None:
    sent: list[Message] = [
        Opened("Scarlett 2i2"),
        Heard(np.array(samples, np.float32), end, AudioHealth(-20.0, 3, 0.125)),
        Broken("gone"),
    ]
    data = b"".join(map(encode, sent))
    decoder, got, at = Decoder(), [], 0
    for cut in [*cuts, len(data)]:
        got += list(decoder.feed(data[at : at + cut]))
        at += cut
    opened, heard, broken = got
    assert (opened, broken) == (sent[0], sent[2])
    assert isinstance(heard, Heard)
    assert heard.samples.tolist() == pytest.approx(samples)
    assert (heard.end_time, heard.health) == (end, AudioHealth(-20.0, 3, 0.125))
