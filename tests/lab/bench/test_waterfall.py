"""The tally of what was shown and what was played."""

from __future__ import annotations

import pytest

from kelly_live.lab.bench.waterfall import WaterfallTally, measure_messages


def test_a_note_counts_from_its_first_sight_and_once() -> None:
    tally = WaterfallTally()
    tally.show(0.0, 4, [(9.0, 60, "melody"), (10.0, 62, "melody")])
    tally.show(4.0, 4, [(9.01, 60, "melody"), (11.0, 64, "melody")])
    for onset, pitch in ((9.0, 60), (11.0, 64), (12.0, 65)):
        tally.play(onset, pitch, "melody")
    assert tally.compute_share(20.0) == pytest.approx(2 / 3)  # 62 was replaced before it sounded
    assert tally.compute_share(9.5) == 1.0
    assert sorted(tally.list_leads(0.0)) == [0.0, 1.75, 2.25]  # 65 was never shown


def test_the_sockets_messages_are_measured_from_two_bars_on() -> None:
    music = {"beat": 0.0, "beats_per_bar": 4, "bpm": 60.0}
    coming = {"type": "coming", "notes": [[8.5, 1.0, 60, 80, "bass"], [3.0, 1.0, 62, 80, "bass"]]}
    messages = [
        (0.0, {"type": "state", "music": music}),
        (0.5, coming),
        (3.0, {"type": "notes", "notes": [[3.0, 1.0, 62, 80, "bass"]]}),
        (8.5, {"type": "notes", "notes": [[8.5, 1.0, 60, 80, "bass"]]}),
        (9.0, {"type": "state", "music": music | {"beat": 9.0}}),
    ]
    assert measure_messages(messages) == (1.0, [2.0])
