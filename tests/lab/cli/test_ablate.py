"""`kelly-live lab ablate` on the shipped nets and the demo's recording."""

from __future__ import annotations

import json

from click.testing import CliRunner

from kelly_live.lab.cli.ablate import command


def test_the_shipped_chain_is_live() -> None:
    result = CliRunner().invoke(command, ["--json"], catch_exceptions=False, standalone_mode=False)
    rows = {row["what"]: row for row in json.loads(result.output)}
    assert set(rows) == {"history", "culture", "user"}
    assert all(row["holds"] for row in rows.values())
    assert rows["user"]["tempo_before"] < rows["user"]["tempo_after"] - 20.0
