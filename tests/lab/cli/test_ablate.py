"""`kelly-live lab ablate` on the shipped nets and the demo's recording."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from kelly_live.lab.cli.ablate import command
from kelly_live.lab.judging import ablation


def test_the_shipped_chain_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation, "PAST_SECONDS", 1.0)  # each quarter of a second is read by the net
    result = CliRunner().invoke(command, ["--json"], catch_exceptions=False, standalone_mode=False)
    rows = {row["what"]: row for row in json.loads(result.output)}
    assert set(rows) == {"history", "culture", "user"}
    assert all(row["holds"] for row in rows.values())
    assert rows["user"]["tempo_before"] < rows["user"]["tempo_after"] - 20.0
