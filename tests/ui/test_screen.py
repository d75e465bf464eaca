"""What stands on the screen of a terminal 80 or 40 columns wide, also after it was resized."""

from collections.abc import Iterator

import pytest

pytest.importorskip("pty")

from kelly_live.core.timebase import ManualClock
from kelly_live.ui.terminal import StatusView
from tests.ui.sample_status import status
from tests.ui.screen import PtyScreen

TROUBLE = {"the MIDI port IAC": "the MIDI port IAC is gone; it is tried again every 2 s, and plays on when it is back"}


@pytest.fixture(params=[80, 40])
def terminal(request: pytest.FixtureRequest) -> Iterator[PtyScreen]:
    screen = PtyScreen(request.param)
    yield screen
    screen.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def view(terminal: PtyScreen, clock: ManualClock) -> StatusView:
    return StatusView(terminal.stream, clock, {"TERM": "xterm"})


def test_three_rows_stand_there_and_none_wraps(terminal: PtyScreen, clock: ManualClock, view: StatusView) -> None:
    for bar in range(1, 100):
        view.show(status(bar=bar, troubles=TROUBLE, hand=("frozen", "morph to sad: 3 of 8 bars"), late_notes=bar))
        clock.advance(1.0)
        lines = terminal.read()
    assert len(lines) == 3
    assert [line.split(" · ")[0] for line in lines] == [" FROZEN", " 112 BPM", " ! the MIDI port IAC"]
    assert lines[1].endswith("D dorian · Dm7 · bar 99")
    assert terminal.screen.wrapped_lines == 0


def test_freezing_is_seen_at_once(terminal: PtyScreen, view: StatusView) -> None:
    view.show(status())
    assert terminal.read()[0].startswith(" listening · happy 72%")
    view.show(status(hand=("frozen",)))
    assert terminal.read()[0].startswith(" FROZEN · happy 72%")
    view.show(status())
    assert terminal.read()[0].startswith(" listening · happy 72%")


def test_what_is_said_stands_above_broken_between_words(terminal: PtyScreen, view: StatusView) -> None:
    view.show(status())
    view.say(next(iter(TROUBLE.values())))
    view.show(status("sad"))
    *said, hand, _, _ = terminal.read()
    assert " ".join(line.strip() for line in said) == next(iter(TROUBLE.values()))
    assert hand.startswith(" listening · sad 72%")
    assert terminal.screen.wrapped_lines == 0


@pytest.mark.parametrize("columns", [20, 40, 79, 120])
def test_a_resize_leaves_no_rubbish(terminal: PtyScreen, clock: ManualClock, view: StatusView, columns: int) -> None:
    for before, after in ((terminal.screen.columns, columns), (columns, terminal.screen.columns)) * 3:
        for width in (before, after):
            terminal.resize(width)
            view.show(status(bar=width, late_notes=3))
            clock.advance(1.0)
            lines = terminal.read()
            assert len(lines) == 3
            assert all(len(line) <= width for line in lines)
    assert terminal.screen.wrapped_lines == 0


def test_at_the_end_the_rows_stay_and_the_next_line_stands_below(terminal: PtyScreen, view: StatusView) -> None:
    view.show(status())
    view.close()
    view.close()
    terminal.stream.write("$ ")
    terminal.stream.flush()
    assert [line.split()[0] for line in terminal.read()] == ["listening", "112", "▮▮▮▮▮▮▯▯▯▯", "$"]


def test_what_another_program_prints_between_is_not_drawn_over(
    terminal: PtyScreen, clock: ManualClock, view: StatusView
) -> None:
    """A library's warning comes where the cursor stands."""
    view.show(status())
    terminal.stream.write("UserWarning: no GPU" + " " * 20 + "\n")
    clock.advance(1.0)
    view.show(status(bar=13))
    lines = terminal.read()
    assert lines[0].startswith("UserWarning: no GPU")
    assert len(lines) == 4
