"""The page's bench counts right: given these times, these numbers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import note_on
from kelly_live.lab.bench import browser
from kelly_live.lab.bench.control import LOUDEST_SOFT, SOFTEST_LOUD, Turn
from kelly_live.lab.bench.page import PageRun, Press, choose_place, measure_page_bytes
from kelly_live.lab.bench.processes import find_module, read_cpu_seconds
from kelly_live.midi.trace import TracedMessage
from tests.workers.until import wait_until

LOUD, SOFT = note_on(1, 60, SOFTEST_LOUD), note_on(1, 60, LOUDEST_SOFT)
RUN = PageRun(
    (
        Press(Turn(10.0, loud=False), by_page=False, in_force_seconds=10.04, shown_seconds=10.09),
        Press(Turn(12.0, loud=True), by_page=True, in_force_seconds=12.06, shown_seconds=12.1),
        Press(Turn(14.0, loud=False), by_page=False, in_force_seconds=14.03, shown_seconds=None),
    ),
    (TracedMessage(10.2, SOFT), TracedMessage(12.05, SOFT), TracedMessage(12.3, LOUD), TracedMessage(14.1, SOFT)),
    states_per_second=25.0,
    cpu_share=0.01,
)


def test_a_state_counts_from_when_it_is_in_force_and_a_press_from_the_press() -> None:
    assert RUN.list_shown() == pytest.approx([0.05, 0.04])
    assert RUN.list_seen() == pytest.approx([0.1])
    assert RUN.list_in_force(by_page=True) == pytest.approx([0.06])
    assert RUN.list_in_force(by_page=False) == pytest.approx([0.04, 0.03])


def test_what_is_heard_is_counted_apart_for_the_page_and_for_keys() -> None:
    assert RUN.list_heard(by_page=True) == pytest.approx([0.3])
    assert RUN.list_heard(by_page=False) == pytest.approx([0.1])


def test_presses_fall_all_over_the_plane_and_off_the_trail_of_those_before() -> None:
    pixels = [choose_place(number, 400)[0] for number in range(32)]
    assert len(set(pixels)) == 16
    for earlier in range(1, 6):
        assert all(abs(a - b) > 13 for a, b in zip(pixels, pixels[earlier:], strict=False))
    assert choose_place(0, 400) == (110, -0.45)


def test_the_page_is_as_small_as_it_was_asked_for() -> None:
    assert measure_page_bytes() <= 300_000


def test_without_a_browser_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("selenium")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="apt install chromium chromium-driver"):
        browser.find_browser()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_worker_is_found_by_its_module_and_its_time_counted() -> None:
    command = [sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"]
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: find_module(os.getpid(), "http.server") == [program.pid])
        wait_until(lambda: read_cpu_seconds([program.pid]) > 0.0)
        assert find_module(os.getpid(), "no.such.module") == []
    finally:
        program.kill()
        program.wait()
    assert read_cpu_seconds([program.pid]) == 0.0
