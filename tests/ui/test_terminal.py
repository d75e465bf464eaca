"""The status is drawn, said or left out as its stream can take it; nothing that it is written to ends the session."""

import io
import subprocess
import sys

import pytest

from kelly_live.core.timebase import ManualClock
from kelly_live.ui.status import LiveStatus
from kelly_live.ui.terminal import LiveView, PlainView, StatusView, create_view, progress
from tests.ui.sample_status import status


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show_all(view: LiveView, clock: ManualClock, *moments: LiveStatus, seconds: float = 2.0) -> None:
    for moment in moments:
        view.show(moment)
        clock.advance(seconds)


def plain_lines(*moments: LiveStatus, seconds: float = 2.0) -> list[str]:
    stream, clock = io.StringIO(), ManualClock()
    show_all(PlainView(stream, clock), clock, *moments, seconds=seconds)
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()
    return stream.getvalue().splitlines()


def test_a_terminal_is_drawn_on_ten_times_a_second_at_most() -> None:
    terminal, clock = Terminal(), ManualClock()
    with StatusView(terminal, clock, {}) as view:
        show_all(view, clock, *(status(bar=bar) for bar in range(100)), seconds=0.01)
    assert terminal.getvalue().count("bar") == 10


def test_what_has_not_changed_is_not_drawn_again() -> None:
    terminal, clock = Terminal(), ManualClock()
    show_all(StatusView(terminal, clock, {}), clock, *[status()] * 10)
    assert terminal.getvalue().count("112 BPM") == 1


def test_what_the_hand_does_is_drawn_at_once() -> None:
    terminal, clock = Terminal(), ManualClock()
    show_all(StatusView(terminal, clock, {}), clock, status(), status(hand=("frozen",)), seconds=0.001)
    assert "FROZEN" in terminal.getvalue()


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_what_is_held_and_what_fails_stand_out(environment: dict[str, str], coloured: bool) -> None:
    terminal = Terminal()
    moment = status(hand=("frozen",), troubles={"the page": "the page ended"})
    StatusView(terminal, ManualClock(), environment).show(moment)
    assert ("\x1b[1;7mFROZEN\x1b[0m" in terminal.getvalue()) == coloured
    assert ("\x1b[1;31m! the page ended\x1b[0m" in terminal.getvalue()) == coloured


@pytest.mark.parametrize(
    ("stream", "term", "plain", "kind"),
    [
        (Terminal(), "xterm", False, StatusView),
        (Terminal(), "xterm", True, PlainView),
        (Terminal(), "dumb", False, PlainView),
        (io.StringIO(), "xterm", False, PlainView),
    ],
)
def test_only_a_terminal_is_redrawn(stream: io.StringIO, term: str, plain: bool, kind: type) -> None:
    assert type(create_view(stream, ManualClock(), plain=plain, environment={"TERM": term})) is kind


def test_a_plain_line_says_what_has_changed() -> None:
    moments = (
        status(),
        status(chord="G7", bar=13),  # each bar has another chord
        status("sad", bar=14),
        status("sad", bar=15, hand=("frozen",)),
        status("sad", bar=16, tempo_bpm=90.0, mode="aeolian"),
        status("sad", bar=17, tempo_bpm=91.0, mode="aeolian", late_notes=3),
    )
    assert plain_lines(*moments) == [
        "bar 12: listening, happy 72%, 112 BPM, D dorian, in -23 dB",
        "bar 14: sad 72%",
        "bar 15: frozen",
        "bar 16: released, 90 BPM, D aeolian",
        "bar 17: late 3",
    ]


def test_plain_lines_come_once_a_second_but_those_of_the_hand_at_once() -> None:
    by_itself = [status("sad" if i % 2 else "happy", bar=i) for i in range(1, 5)]
    lines = plain_lines(*by_itself, status(hand=("frozen",), bar=5), status(bar=6), seconds=0.1)
    assert lines[1:] == ["bar 5: frozen, happy 72%", "bar 6: released"]


def test_words_that_went_are_said_when_they_come_again() -> None:
    with_you = status(playing=("with your tempo",))
    lines = plain_lines(status(), with_you, status(), with_you, status("sad", playing=("with your tempo",)))
    assert lines[1:] == ["bar 12: with your tempo", "bar 12: with your tempo", "bar 12: sad 72%"]


def test_a_plain_line_says_when_the_input_falls_silent_for_long_and_when_it_is_heard_again() -> None:
    loud, rest, silent = status(), status(level_dbfs=-57.0), status(level_dbfs=-120.0)
    lines = plain_lines(loud, rest, silent, loud, silent, silent, silent, loud)
    assert lines[1:] == ["bar 12: in: silent", "bar 12: in -23 dB"]


def test_a_line_that_is_said_is_one_whatever_it_holds() -> None:
    stream = io.StringIO()
    PlainView(stream, ManualClock()).say("the port \x1b[2Jx is gone\nkeys")
    assert stream.getvalue() == "the port \\x1b[2Jx is gone\nkeys\n"


def test_a_stream_that_knows_only_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    StatusView(stream, ManualClock(), {}).show(status())
    assert b"######---- in -23 dB" in raw.getvalue()
    assert b"112 BPM | D dorian" in raw.getvalue()


def test_a_reader_that_goes_away_ends_the_drawing_quietly() -> None:
    """A real pipe whose reading end is closed, through to the interpreter's own flush at exit."""
    code = (
        "import sys\n"
        "from kelly_live.core.timebase import ManualClock\n"
        "from kelly_live.ui.terminal import PlainView\n"
        "from tests.ui.sample_status import status\n"
        "clock = ManualClock(); view = PlainView(sys.stdout, clock)\n"
        "sys.stdin.read()\n"
        "for bar in range(3): view.show(status(late_notes=bar)); clock.advance(10.0)\n"
        "view.close(); print('more', file=sys.stdout); sys.exit(0 if not view.alive else 3)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None  # so that communicate doesn't read it
    _, error = process.communicate(b"go", timeout=60)
    assert error == b""
    assert process.returncode == 0


def test_a_closed_stream_ends_the_drawing_quietly() -> None:
    stream = io.StringIO()
    view = PlainView(stream, ManualClock())
    stream.close()
    view.show(status())
    assert not view.alive


def test_progress_in_a_log_is_quiet_also_where_the_work_fails() -> None:
    stream = io.StringIO()
    with progress(128, "render", stream, {}) as bar:
        for _ in range(128):
            bar.advance()
    with pytest.raises(OSError, match="disk"), progress(1.0, "render", stream, {}) as bar:  # noqa: PT012
        bar.update(0.4)
        raise OSError("disk full")
    assert stream.getvalue() == ""


def test_progress_on_a_terminal_draws_a_bar_with_the_name_as_it_is() -> None:
    terminal = Terminal()
    with progress(4, "[bold].wav", terminal, {"TERM": "xterm"}) as bar:
        bar.update(2)
    assert "[bold].wav" in terminal.getvalue()
    assert "50%" in terminal.getvalue()
