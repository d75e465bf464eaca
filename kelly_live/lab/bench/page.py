"""The page in a real browser: how soon it shows a state, how soon a press on it is heard, and what it costs.

A press is a real one, of the browser's pointer on the plane of valence and arousal; every second one is a key's instead
(`LiveEngine.act`), in the same session, so that both meet the same music. What shows a press is a note, or the move of
a held one, as in `control`. A state counts as shown once a frame is painted in which the point on the plane is, by
its pixels, where the state has it; the screen itself is not measured.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_live.core.errors import KellyError
from kelly_live.core.termination import temporary_folder
from kelly_live.core.timebase import read_clock
from kelly_live.engine.live import LiveEngine
from kelly_live.engine.session import Snapshot
from kelly_live.lab.bench.browser import open_browser
from kelly_live.lab.bench.control import (
    PRESS_SECONDS,
    PRESSED_AROUSAL,
    START_SECONDS,
    PressedMapper,
    Turn,
    compute_difference_latencies,
)
from kelly_live.lab.bench.hops import repeat_recording
from kelly_live.lab.bench.playing import create_engine, find_page_link
from kelly_live.lab.bench.processes import check_process_times, find_module, read_cpu_seconds
from kelly_live.midi.trace import TracedMessage, read_trace
from kelly_live.ui.page.server import STATIC

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

WIDTH, HEIGHT = 1024, 900
LOADS = 5
_CONNECT_SECONDS = 30.0
_CLOCK_READINGS = 20
_PLACES = 16  # of valence, in an order that keeps a press off the trail of those before it
_MODULE = "kelly_live.ui.page.process"

# Watches, frame by frame, for the point on the plane: 5 x 5 opaque pixels, which neither the trail nor the ring has.
_WATCH = """
window.bench = { target: null, shownAt: null, pressedAt: null, states: 0 };
addEventListener("pointerdown", (event) => { bench.pressedAt = event.timeStamp; }, true);
const Socket = WebSocket;
window.WebSocket = class extends Socket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", (event) => { bench.states += event.data.startsWith('{"type":"state"'); });
  }
};
function look() {
  const plane = document.getElementById("plane");
  if (!bench.target || !plane) return;
  const x = Math.round(((bench.target[0] + 1) / 2) * plane.width) - 2;
  const y = Math.round(((1 - bench.target[1]) / 2) * plane.height) - 2;
  const pixels = plane.getContext("2d").getImageData(x, y, 5, 5).data;
  if (!pixels.every((value, i) => i % 4 < 3 || value === 255)) return;
  bench.shownAt = performance.now();
  bench.target = null;
}
function watch() {
  requestAnimationFrame(watch);
  setTimeout(look); // after this frame is painted
}
requestAnimationFrame(watch);
"""


@dataclass(frozen=True, slots=True)
class Press:
    """A press on the page, or a key's, with when it was in force and when it was seen (None: not within a turn)."""

    turn: Turn
    by_page: bool
    in_force_seconds: float | None
    shown_seconds: float | None


@dataclass(frozen=True, slots=True)
class PageRun:
    """What a session with the page open showed; `cpu_share` is the page process's, of one core."""

    presses: tuple[Press, ...]
    trace: tuple[TracedMessage, ...]
    states_per_second: float
    cpu_share: float

    def list_shown(self) -> list[float]:
        """List the seconds from each state in force to the frame that shows it."""
        times = ((press.shown_seconds, press.in_force_seconds) for press in self.presses)
        return [shown - forced for shown, forced in times if shown is not None and forced is not None]

    def list_seen(self) -> list[float]:
        """List the seconds from each press on the page to the frame that shows it."""
        times = ((press.shown_seconds, press.turn.seconds) for press in self.presses if press.by_page)
        return [shown - pressed for shown, pressed in times if shown is not None]

    def list_in_force(self, *, by_page: bool) -> list[float]:
        """List the seconds from each press to the state that has it."""
        times = ((press.in_force_seconds, press.turn.seconds) for press in self.presses if press.by_page is by_page)
        return [forced - pressed for forced, pressed in times if forced is not None]

    def list_heard(self, *, by_page: bool) -> tuple[float, ...]:
        """List the seconds from each press but the first to the first note, or move of a held one, that shows it."""
        first, *rest = self.presses
        turns = [press.turn for press in rest if press.by_page is by_page]
        return compute_difference_latencies([first.turn, *turns], self.trace)


class BrowserClock:
    """Converts a browser's performance.now() to this program's clock, within half of the shortest round trip."""

    def __init__(self, browser: Chrome) -> None:
        best = math.inf
        for _ in range(_CLOCK_READINGS):
            before = read_clock()
            now = float(browser.execute_script("return performance.now()")) / 1e3
            after = read_clock()
            if after - before < best:
                best, self._offset = after - before, (before + after) / 2.0 - now
        self.uncertainty_seconds = best / 2.0

    def convert(self, milliseconds: float) -> float:
        """Return the time, in seconds of read_clock, of a time that the browser gave."""
        return milliseconds / 1e3 + self._offset


class _InForce:
    """An observer that notes when a valence is first played. Thread: an observer's sets, the bench's reads."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._valence: float | None = None

    def expect(self, valence: float) -> None:
        """Wait for another valence."""
        self._valence, self.seconds = None, None
        self._valence = valence

    def __call__(self, snapshot: Snapshot) -> None:
        """Take a snapshot."""
        valence = self._valence
        if valence is not None and abs(snapshot.reading.state.valence - valence) < 0.005:
            self.seconds, self._valence = read_clock(), None


def measure_presses_on_page(recording: Path, device: str, seconds: float) -> PageRun:
    """Press on the page and by key by turns for so many seconds.

    Raises:
        ConfigError: There is no browser, or the system does not say what a process costs.
        KellyError: The recording, a model, the MIDI side or the page fails.
    """
    check_process_times()
    presses: list[Press] = []
    with temporary_folder() as folder, repeat_recording(recording, seconds + 60.0) as longer:
        trace = Path(folder) / "trace"
        engine = create_engine(longer, trace, device, with_page=True, wrap_mapper=PressedMapper)
        with engine, _open_page(engine) as browser:
            in_force = _InForce()
            engine.observe(in_force, max_hertz=1000.0)
            clock = BrowserClock(browser)
            processes = find_module(os.getpid(), _MODULE)
            engine.wait(START_SECONDS)
            began, worked, states = read_clock(), read_cpu_seconds(processes), _read(browser, "states")
            while len(presses) * PRESS_SECONDS < seconds and engine.is_running:
                presses.append(_press(engine, browser, clock, in_force, len(presses)))
            played = read_clock() - began
            share = (read_cpu_seconds(processes) - worked) / played
            rate = ((_read(browser, "states") or 0.0) - (states or 0.0)) / played
        run = PageRun(tuple(presses), tuple(read_trace(trace)), rate, share)
    if not run.list_seen():
        raise KellyError("no press was seen on the page; is its plane drawn in another way now? see lab/bench/page.py")
    return run


def measure_deadlines(recording: Path, device: str, seconds: float, *, with_page: bool) -> float:
    """Return the p99 of how late messages left (seconds) in a session, with the page open in a browser or without."""
    with temporary_folder() as folder, repeat_recording(recording, seconds + 60.0) as longer:
        engine = create_engine(longer, Path(folder) / "trace", device, with_page=with_page)
        with engine:
            with _open_page(engine) if with_page else nullcontext():
                engine.wait(seconds)
            return engine.snapshot().scheduler.p99_late_seconds


def measure_first_paints(recording: Path, device: str) -> list[float]:
    """Return the seconds to the first contentful paint of LOADS loads of the page, while it plays."""
    script = "return performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)[0] || null"
    with temporary_folder() as folder:
        engine = create_engine(recording, Path(folder) / "trace", device, with_page=True)
        with engine, _open_page(engine) as browser:
            paints = []
            for _ in range(LOADS):
                browser.refresh()
                paints.append(_wait_for(lambda: browser.execute_script(script), "the first paint") / 1e3)
            return paints


def measure_page_bytes() -> int:
    """Return the size of everything that the page's server has to send."""
    return sum(path.stat().st_size for path in STATIC.iterdir())


def choose_place(number: int, pixels: int) -> tuple[int, float]:
    """Return the pixel along the plane's width that press `number` falls on, and the valence that the page makes of it.

    Over _PLACES presses each place comes once; the axis in the middle is none.
    """
    share = 0.1 + 0.8 * ((7 * number + 3) % _PLACES + 0.5) / _PLACES
    pixel = round(share * pixels)
    return pixel, round(2.0 * pixel / pixels - 1.0, 2)


def _press(engine: LiveEngine, browser: Chrome, clock: BrowserClock, in_force: _InForce, number: int) -> Press:
    """Press once, on the page by turns, and wait for the rest of the turn."""
    box = browser.execute_script(
        "const box = document.getElementById('plane').getBoundingClientRect();"
        "return [box.left, box.top, box.width, box.height]"
    )
    loud, by_page = number % 2 == 1, number // 2 % 2 == 1
    left, top, width, height = (float(value) for value in box)
    column, valence = choose_place(number, round(width))
    row = round(height * (1.0 - (PRESSED_AROUSAL if loud else -PRESSED_AROUSAL)) / 2.0)
    arousal = round(1.0 - 2.0 * row / height, 2)
    browser.execute_script(
        "bench.shownAt = bench.pressedAt = null; bench.target = arguments[0];", [2.0 * column / width - 1.0, arousal]
    )
    in_force.expect(valence)
    pressed = read_clock()
    if by_page:
        for kind in ("mousePressed", "mouseReleased"):
            point = {"type": kind, "x": left + column, "y": top + row, "button": "left", "clickCount": 1}
            browser.execute_cdp_cmd("Input.dispatchMouseEvent", point)
    else:
        engine.act("valence", valence)
        engine.act("arousal", arousal)
    engine.wait(PRESS_SECONDS)
    at, shown = _read(browser, "pressedAt"), _read(browser, "shownAt")
    turn = Turn(clock.convert(at) if by_page and at is not None else pressed, loud)
    return Press(turn, by_page, in_force.seconds, None if shown is None else clock.convert(shown))


@contextmanager
def _open_page(engine: LiveEngine) -> Iterator[Chrome]:
    """Open the session's page in a browser, and wait until it is connected."""
    with open_browser(WIDTH, HEIGHT) as browser:
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
        browser.get(find_page_link(engine))
        browser.execute_script("document.getElementById('plane').scrollIntoView({block: 'center'})")
        _wait_for(lambda: _read(browser, "states"), "the page's connection")
        yield browser


def _read(browser: Chrome, name: str) -> float | None:
    value = browser.execute_script(f"return bench.{name}")
    return None if value is None else float(value)


def _wait_for(read: Callable[[], float | None], what: str) -> float:
    """Poll until something is there. Raises KellyError."""
    deadline = read_clock() + _CONNECT_SECONDS
    while not (value := read()):
        if read_clock() > deadline:
            raise KellyError(f"{what} did not come within {_CONNECT_SECONDS:g} s; run the bench again")
        time.sleep(0.02)
    return float(value)
