"""What `lab simulate-listeners --bench` measures: real reactions, and a file of bounded size."""

from __future__ import annotations

import pytest

from kelly_live.core.resources import find_resources
from kelly_live.lab.bench import learning
from kelly_live.mapping.net import load_mapper_net
from kelly_live.profiles.profile import MAX_ROWS


def test_a_row_for_each_count_with_the_file_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "COUNTS", (5, 400))
    monkeypatch.setattr(learning, "_REPEATS", 2)
    few, many = learning.measure_learning(load_mapper_net(find_resources("models")))
    assert (few.reactions, few.rows) == (5, 5)
    assert many.reactions == 400
    assert few.rows < many.rows <= MAX_ROWS
    assert few.file_bytes < many.file_bytes < 100_000
    assert 0.0 < few.load_seconds < 1.0
    assert learning.format_table([few, many]).count("ms (") == 4
