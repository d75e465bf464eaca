"""The status fits its line and says what matters; nothing it is written to can bring the session down."""

import io
import os
import struct
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import EMOTIONS, EmotionState
from kelly_live.ui.terminal import LiveStatus, StatusView, format_status, progress


def feeling(emotion: str = "happy", confidence: float = 0.72) -> EmotionState:
    probabilities = tuple(0.65 if name == emotion else 0.05 for name in EMOTIONS)
    return EmotionState(probabilities, 0.81, 0.51, -0.46, confidence, time=0.0)


def status(emotion: str = "happy", **changes: object) -> LiveStatus:
    values = {"tempo_bpm": 112.4, "mode": "dorian", "level_dbfs": -23.4, "tonic": "D", "chord": "Dm7", "bar": 12}
    return LiveStatus(state=feeling(emotion), **(values | changes))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_everything_is_on_a_wide_line() -> None:
    assert format_status(status(), 200) == (
        "happy 72% | V+0.81 A+0.51 D-0.46 | 112 BPM | D dorian | Dm7 | bar 12 | in -23 dB"
        " | late 0 | dropped 0 | overflows 0"
    )


def test_before_the_first_bar_the_key_is_the_tonic_alone() -> None:
    line = format_status(status(mode="", chord=None, bar=1), 200)
    assert "112 BPM | D | bar 1 | in -23 dB" in line


@given(width=st.integers(1, 160), late=st.integers(0, 999), remark=st.sampled_from([None, "frozen"]))
def test_it_fits_whatever_the_width(width: int, late: int, remark: str | None) -> None:
    line = format_status(status(late_notes=late, remark=remark), width)
    assert 1 <= len(line) <= width
    assert line.startswith("happy 72%"[:width])


def test_a_narrow_line_keeps_problems_and_drops_details() -> None:
    line = format_status(status(dropped_windows=3), 40)
    assert "dropped 3" in line
    assert "112 BPM" in line
    assert "Dm7" not in line


def test_a_terminal_redraws_one_line_ten_times_a_second_at_most() -> None:
    terminal, clock = Terminal(), ManualClock()
    with StatusView(terminal, clock, {"TERM": "xterm"}) as view:
        for _ in range(100):
            view.show(status())
            clock.advance(0.01)
    text = terminal.getvalue()
    assert text.count("\r\x1b[2K") == 10
    assert text.count("\n") == 1
    assert text.endswith("\n")


def test_no_color_means_no_escape_codes_and_no_leftovers() -> None:
    terminal, clock = Terminal(), ManualClock()
    view = StatusView(terminal, clock, {"TERM": "xterm", "NO_COLOR": "1"})
    view.show(status("surprised"))
    clock.advance(1.0)
    view.show(status("sad"))
    assert "\x1b" not in terminal.getvalue()
    _, first, second = terminal.getvalue().split("\r")
    assert len(second) >= len(first), "the longer line before must be painted over"


def test_messages_stand_above_the_line_that_is_redrawn() -> None:
    terminal, clock = Terminal(), ManualClock()
    with StatusView(terminal, clock, {"TERM": "xterm"}) as view:
        view.show(status())
        view.say("keys: f freezes")
        view.show(status("sad"))  # at once, however soon
    before, message, after = terminal.getvalue().partition("\r\x1b[2Kkeys: f freezes\n")
    assert message
    assert before.count("happy 72%") == after.count("sad 72%") == 1


def test_without_escape_codes_messages_overwrite_the_line() -> None:
    terminal = Terminal()
    view = StatusView(terminal, ManualClock(), {"TERM": "xterm", "NO_COLOR": "1"})
    view.show(status())
    line_length = len(terminal.getvalue().lstrip("\r"))
    view.say("keys")
    assert terminal.getvalue().endswith("\r" + " " * line_length + "\rkeys\n")


@pytest.mark.parametrize(("stream", "term"), [(io.StringIO(), "xterm"), (Terminal(), "dumb")])
def test_plain_lines_every_5_s_and_when_the_emotion_changes(stream: io.StringIO, term: str) -> None:
    clock = ManualClock()
    with StatusView(stream, clock, {"TERM": term}) as view:
        for second in range(10):
            view.show(status("sad" if second in (7, 8, 9) else "happy"))
            clock.advance(1.0)
    lines = stream.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["happy", "happy", "sad"]
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


def test_a_stream_that_knows_only_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    StatusView(stream, ManualClock(), {}).show(status())
    assert b" | " in raw.getvalue()


def test_a_reader_that_goes_away_ends_the_drawing_quietly() -> None:
    """A real pipe whose reading end is closed, through to the interpreter's own flush at exit."""
    code = (
        "import sys\n"
        "from kelly_live.core.timebase import ManualClock\n"
        "from kelly_live.ui.terminal import StatusView\n"
        "from tests.ui.test_terminal import status\n"
        "clock = ManualClock(); view = StatusView(sys.stdout, clock, {})\n"
        "sys.stdin.read()\n"
        "for _ in range(3): view.show(status()); clock.advance(10.0)\n"
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
    view = StatusView(stream, ManualClock(), {})
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


def test_a_place_set_by_hand_has_no_confidence() -> None:
    line = format_status(replace(status(), is_by_hand=True), 200)
    assert line.startswith("happy |")


def test_progress_on_a_terminal_draws_a_bar_with_the_name_as_it_is() -> None:
    terminal = Terminal()
    with progress(4, "[bold].wav", terminal, {"TERM": "xterm"}) as bar:
        bar.update(2)
    assert "[bold].wav" in terminal.getvalue()
    assert "50%" in terminal.getvalue()


def test_a_real_terminal_is_measured() -> None:
    """On a pseudo-terminal 30 columns wide, no line is wider than 29."""
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    master_fd, terminal_fd = pty.openpty()
    fcntl.ioctl(terminal_fd, termios.TIOCSWINSZ, struct.pack("4H", 24, 30, 0, 0))
    with open(terminal_fd, "w", encoding="utf-8") as stream:
        StatusView(stream, ManualClock(), {"TERM": "xterm"}).show(status())
        line = os.read(master_fd, 1_000).decode().removeprefix("\r\x1b[2K")
    os.close(master_fd)
    assert line.startswith("happy 72%")
    assert len(line) <= 29
