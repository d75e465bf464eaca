"""`lab simulate-listeners`: the tables, the JSON and the picture of a small run."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from kelly_live.lab.cli.simulate_listeners import command
from kelly_live.lab.judging import simulated_listeners


@pytest.fixture(autouse=True)
def few_reactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_listeners, "COUNTS", (5,))


def test_a_small_run_prints_a_row_for_each_population_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "learning.png"
    result = CliRunner().invoke(command, ["--listeners", "2", "--picture", str(picture)])
    assert result.exit_code == 0, result.output
    for population in simulated_listeners.POPULATIONS:
        assert f"| {population}, 2 | 5 |" in result.output
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_json_is_one_object_with_the_intervals() -> None:
    result = CliRunner().invoke(command, ["--listeners", "2", "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert len(answer["learned"]) == len(simulated_listeners.POPULATIONS)
    for row in answer["learned"]:
        agreement = row["agreement"]
        assert 0.0 <= agreement["low"] <= agreement["value"] <= agreement["high"] <= 1.0
    assert answer["emotify"] is None
