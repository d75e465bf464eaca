"""`kelly-live lab together` calls the parts in their order, each with what it needs."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kelly_live.lab.cli import bench, follow, together


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What the parts were called with, instead of an hour's work."""
    made = list[tuple[str, dict[str, object]]]()

    def record(name: str, command: click.Command) -> None:
        monkeypatch.setattr(command, "callback", lambda **arguments: made.append((name, arguments)))

    record("follow", follow.command)
    record("bench", bench.command)
    monkeypatch.setattr(together, "print_stops", lambda seeds: made.append(("stops", {"seeds": list(seeds)})))
    return made


def test_all_parts_are_measured(calls: list[tuple[str, dict[str, object]]], tmp_path: Path) -> None:
    result = CliRunner().invoke(together.command, ["--corpora", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    assert [name for name, _ in calls] == ["follow", "follow", "follow", "follow", "stops", "bench"]
    for row, name in enumerate(("chords", "changes", "turns"), start=1):
        assert [arguments.get(name) for _, arguments in calls[:4]] == [place == row for place in range(4)]
    assert all(arguments["corpora"] == tmp_path for _, arguments in calls[:4])
    assert calls[5][1]["only"] == "control"
    assert result.output.count("## ") == len(together.PARTS)


def test_one_part_alone(calls: list[tuple[str, dict[str, object]]], tmp_path: Path) -> None:
    CliRunner().invoke(together.command, ["--corpora", str(tmp_path), "--only", "stops"], catch_exceptions=False)
    assert [name for name, _ in calls] == ["stops"]
