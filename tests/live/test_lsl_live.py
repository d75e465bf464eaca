"""A session on a real Lab Streaming Layer: another program hears its feeling, and steers it."""

from __future__ import annotations

import os

import pytest

from kelly_live.control.lsl_surface import CHANNELS, parse_mappings
from kelly_live.engine.options.external_io import ExternalIOOptions
from tests.live.conftest import wait_for
from tests.live.session import create_engine

pylsl = pytest.importorskip("pylsl")


def test_a_heart_rate_steers_and_the_feeling_is_heard() -> None:
    name = f"kelly-test-{os.getpid()}"
    heart = pylsl.StreamOutlet(pylsl.StreamInfo(f"{name}-heart", "HR", 1, 0.0, pylsl.cf_float32, f"{name}-heart"))
    mappings = parse_mappings((f"arousal={name}-heart:0,60..120",))
    with create_engine(external_io=ExternalIOOptions(lsl=name, lsl_in=mappings)):
        (info,) = pylsl.resolve_byprop("name", name, timeout=20.0)
        feeling = pylsl.StreamInlet(info, max_buflen=10)
        (info,) = pylsl.resolve_byprop("name", f"{name}-markers", timeout=20.0)
        markers = pylsl.StreamInlet(info, max_buflen=60)
        arousal = CHANNELS.index("arousal")

        def is_stirred() -> bool:
            heart.push_sample([114.0])
            samples, times = feeling.pull_chunk(timeout=0.1)
            is_asked = bool(samples) and abs(samples[-1][arousal] - 0.8) < 0.01
            return is_asked and 0.0 <= pylsl.local_clock() - times[-1] < 2.0

        wait_for(is_stirred, "the arousal that the stream asks for", 20.0)
        texts: list[str] = []

        def has_bar() -> bool:
            samples, _ = markers.pull_chunk(timeout=0.1)
            texts.extend(sample[0] for sample in samples)
            return any(text.startswith("bar ") for text in texts)

        wait_for(has_bar, "a bar's marker", 20.0)
