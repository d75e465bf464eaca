from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.core.errors import OutputError
from kelly_live.core.values import EMOTIONS, GEMS
from kelly_live.engine.batch.rows import check_row_file, read_rows, write_rows

EVEN = {name: 1.0 / len(EMOTIONS) for name in EMOTIONS}
MEANS = {"emotions": EVEN, "valence": 0.5, "arousal": -0.25, "dominance": 0.0, "confidence": 0.75, "word": "calm"} | {
    f"gems_{name}": 0.5 for name in GEMS
}
GOOD = {"id": "a1", "path": "a.wav", "duration": 0.5, **MEANS, "windows": [{"time": 0.25, **MEANS}], "damage": None}
BAD = {"id": "b2", "path": "b.wav", "error": "b.wav is not a sound file"}


def test_json_lines_hold_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(path, [GOOD, BAD])
    assert list(read_rows(path)) == [GOOD, BAD]


def test_parquet_holds_the_same_in_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    write_rows(path, [GOOD, BAD])
    good, bad = read_rows(path)
    assert good == GOOD | {"error": None}
    assert {name: value for name, value in bad.items() if value is not None} == BAD
    table = parquet.read_table(path)
    assert table.column("valence").to_pylist() == [0.5, None]


def test_many_rows_keep_their_order_in_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "rows.parquet"
    write_rows(path, (BAD | {"path": f"{number}.wav"} for number in range(600)))
    assert [row["path"] for row in read_rows(path)] == [f"{number}.wav" for number in range(600)]


@pytest.mark.parametrize("name", ["rows.csv", "rows"])
def test_other_files_are_refused_by_their_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"end the name in \.jsonl or \.parquet"):
        check_row_file(tmp_path / name)


@pytest.mark.parametrize("content", ["[]\n", '{"path": "a"}\n', "{\n", "\x00"])
def test_a_file_without_results_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(OutputError, match="holds no results"):
        list(read_rows(path))
