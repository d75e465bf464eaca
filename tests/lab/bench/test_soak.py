"""What a soak counts: stuck and lost notes, growth."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_live.audio.sources import RepeatingSource
from kelly_live.core.midi_messages import note_off, note_on
from kelly_live.core.timebase import ManualClock
from kelly_live.lab.bench.soak import SoakCounts, compute_growth, count_stuck_notes
from kelly_live.midi.trace import TracedMessage

KEPT = SoakCounts(60.0, 1000, 0, 0, 0, 0.001, 0, 0.0, 0.001, 0.002, 0)


def test_a_note_that_ends_in_time_is_not_stuck() -> None:
    trace = [
        TracedMessage(0.0, note_on(1, 60, 64)),
        TracedMessage(1.0, note_off(1, 60)),
        TracedMessage(5.0, note_on(1, 60, 64)),
    ]
    assert count_stuck_notes([*trace, TracedMessage(6.0, note_off(1, 60))], 2.0) == 0
    assert count_stuck_notes([*trace, TracedMessage(8.0, note_off(1, 60))], 2.0) == 1
    assert count_stuck_notes(trace, 2.0) == 1  # it was never ended


def test_one_channels_note_off_ends_no_other_channels_note() -> None:
    assert count_stuck_notes([TracedMessage(0.0, note_on(1, 60, 64)), TracedMessage(1.0, note_off(2, 60))], 2.0) == 1


@pytest.mark.parametrize(
    ("samples", "growth"), [([100.0] * 40, 0.0), ([100.0] * 20 + [102.0] * 20, 0.02), ([1.0], 0.0)]
)
def test_growth_is_the_end_over_the_beginning(samples: list[float], growth: float) -> None:
    assert compute_growth(samples) == pytest.approx(growth)


def test_loading_at_the_start_is_no_growth() -> None:
    assert compute_growth([50.0] * 10 + [100.0] * 30) == 0.0


def test_each_broken_limit_is_named() -> None:
    assert KEPT.list_faults() == []
    broken = SoakCounts(1.0, 1000, 1, 2, 0, 0.02, 2, 0.0, 0.0, 0.0, 1)
    assert len(broken.list_faults()) == 5


def test_a_short_sound_is_repeated_to_a_long_one() -> None:
    source = RepeatingSource(np.arange(3) / 4.0, ManualClock(), seconds=1.0, sample_rate=8, block_seconds=0.5)
    source.start()
    lengths = []
    while (block := source.read(0.0)) is not None:
        lengths += [4.0 * sample for sample in block.samples]
    assert lengths == [0, 1, 2, 0, 1, 2, 0, 1]
