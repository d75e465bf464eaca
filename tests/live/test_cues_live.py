"""Cues through JACK, by a pad and by MIDI Time Code: an independent listener hears them begin."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from kelly_live.control.midi_map import Binding, Control, bindings_path, save_bindings
from tests.live.conftest import JackMonitor, wait_for
from tests.live.live_program import keep_lines
from tests.live.test_midi_in_returns import performance, sending
from tests.timecode import DROP_FRAME, count_frames, full_frame

pytest.importorskip("jack", exc_type=(ImportError, OSError))
pytestmark = pytest.mark.timeout(200)

PAD_DOWN, PAD_UP = "90247f", "902400"
ALL_SOUND_OFF = 120
SHOW = """\
format: 1
cues:
  - {name: first, place: happy}
  - {name: second, place: angry, cut: yes}
"""


def test_go_by_a_pad_begins_the_cue_on_the_next_beat_and_a_cut_at_once(monitor: JackMonitor, tmp_path: Path) -> None:
    sheet = tmp_path / "show.yaml"
    sheet.write_text(SHOW)
    save_bindings((Binding(Control("note", 36), "go", None),))
    try:
        with sending("kelly-pads") as pads:
            options = ("--cues", str(sheet), "--midi-in", "kelly-pads", "--midi-out", monitor.port_name)
            with performance(monitor, *options) as program:
                program.wait_for_first_note()
                waits = []
                for _ in range(2):
                    pads.does(f"send {PAD_DOWN}")
                    pressed = monitor.now()
                    pads.does(f"send {PAD_UP}")

                    def list_ends(since: float = pressed) -> list[float]:
                        return [t for t, data in monitor.of_kind(0xB0) if data[1] == ALL_SOUND_OFF and t > since]

                    wait_for(list_ends, "the end of what sounded", 20.0)
                    ended = list_ends()[0]
                    wait_for(lambda since=ended: program.onsets(since), "a first note", 20.0)  # type: ignore[misc]
                    waits.append(program.onsets(ended)[0] - pressed)
                    wait_for(lambda since=ended: monitor.now() > since + 2.0, "two seconds", 20.0)  # type: ignore[misc]
                output = program.end()
    finally:
        bindings_path().unlink()
    assert "cue 1: first, happy" in output
    assert "cue 2: second, angry, cut" in output
    print(f"pad to the first note: {waits[0]:.3f} s, on the next beat; {waits[1]:.3f} s, a cut")
    assert waits[0] < 60.0 / 60.0 + 0.5, "a beat at the slowest of these tempos, and a busy machine"
    assert waits[1] < 0.5


CHASED = """\
format: 1
cues:
  - {name: dawn, place: sad, at: 1:00}
  - {name: storm, place: angry, at: 2:00}
  - {name: dusk, place: "0.5,-0.5", at: 1:00:00}
"""
TICKS_A_BAR = 4 * 24


def test_a_timecode_leads_the_show_and_the_band_plays_on_without_it(monitor: JackMonitor, tmp_path: Path) -> None:
    """The band's own MIDI clock counts the bars.

    Its starts are the cues, and its ticks from one to the next fill bars. Every wait is for what must come, so that a
    slow machine is late and not wrong; how long it took is printed.
    """
    sheet = tmp_path / "show.yaml"
    sheet.write_text(CHASED)
    lines: list[tuple[float, str]] = []

    def list_starts() -> list[float]:
        return [t for t, data in monitor.of_kind(0xFA)]

    def list_ticks(since: float, until: float) -> list[float]:
        return [t for t, _ in monitor.of_kind(0xF8) if since <= t < until]

    def find_cue(number: int) -> list[float]:
        return [t for t, line in list(lines) if f"cue {number}: " in line]

    with sending("kelly-timecode") as machine:
        options = ("--cues", str(sheet), "--midi-in", "kelly-timecode", "--midi-out", monitor.port_name)
        with performance(monitor, *options, "--clock", "send") as program:
            reader = keep_lines(program.process, lines)
            program.wait_for_first_note()

            def begin(seconds: float, cue: int) -> tuple[float, float]:
                """Run from a time; how long until the program said its cue, and when that began."""
                count, before = len(list_starts()), time.monotonic()
                machine.does(f"timecode {seconds} {DROP_FRAME}")
                said = wait_for(lambda: find_cue(cue), f"cue {cue}", 20.0)[0]
                wait_for(lambda: len(list_starts()) > count, f"the start of cue {cue}", 20.0)
                return said - before, list_starts()[-1]

            locked, dawn = begin(61.0, 1)
            wait_for(lambda: program.onsets(dawn + 1.0), "the first cue", 20.0)
            jumped, storm = begin(130.0, 2)
            ticks = list_ticks(dawn, storm)
            off = (len(ticks) + TICKS_A_BAR // 2) % TICKS_A_BAR - TICKS_A_BAR // 2  # of a bar line
            assert abs(off) <= 2, f"{len(ticks)} ticks are no bars"

            machine.does("timecode off")
            lost = monitor.now()
            program.play_for(lost, 2.0)
            machine.does(f"send {full_frame(count_frames(3601.0, DROP_FRAME), DROP_FRAME).hex()}")
            program.play_for(monitor.now(), 0.5)
            assert len(list_starts()) == 3, "what is lost or stands begins nothing; the band plays on"
            chased, _ = begin(3601.0, 3)
            program.process.terminate()
            program.process.wait(30.0)
            reader.join(10.0)
    assert [line.split(",")[0] for _, line in lines if line.startswith("cue ")] == [
        "cue 1: dawn", "cue 2: storm", "cue 3: dusk",
    ]  # fmt: skip
    bar = 96 * (ticks[-1] - ticks[0]) / (len(ticks) - 1)
    print(
        f"from the first quarter frame to the cue: {locked:.2f} s, after a jump {jumped:.2f} s, a locate {chased:.2f} s"
    )
    print(f"after the jump the cue began {off} ticks off a bar line, bars of {bar:.2f} s; then the band played on")
