"""A controller that is used for something else as well is named to the performer, in one line."""

from __future__ import annotations

import pytest

from kelly_live.control.midi_map import Binding, Control, save_bindings
from kelly_live.engine.build import build_band
from kelly_live.engine.expression_conflicts import report_learned_too, report_sent_twice
from kelly_live.engine.options.external_io import ControllerOptions


@pytest.mark.parametrize(
    ("numbers", "channel", "said"),
    [
        ({"valence": 11}, 1, 1),
        ({"valence": 11, "arousal": 74}, 3, 2),
        ({"valence": 20}, 1, 0),
        ({"valence": 11}, 16, 0),
        (None, 16, 0),
    ],
)
def test_what_cc_sends_on_a_part_s_channel_is_said(numbers: dict[str, int] | None, channel: int, said: int) -> None:
    lines: list[str] = []
    report_sent_twice(ControllerOptions(numbers, channel), build_band().slots, lines.append)
    assert len(lines) == said
    assert all("(--cc)" in line and "--cc-channel" in line for line in lines)


def test_what_the_midi_input_has_learned_is_said() -> None:
    save_bindings((Binding(Control("cc", 11), "arousal"), Binding(Control("cc", 20), "valence")))
    lines: list[str] = []
    report_learned_too(lines.append)
    (line,) = lines
    assert line.startswith("controller 11 has been learned for arousal")
    assert "--no-expression" in line
