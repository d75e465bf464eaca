"""GO by a pad, through JACK: what sounds ends, and an independent listener hears the cue begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.control.midi_map import Binding, Control, bindings_path, save_bindings
from tests.live.conftest import JackMonitor, wait_for
from tests.live.test_midi_in_returns import performance, sending

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
