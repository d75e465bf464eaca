from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError, OptionError
from kelly_live.engine.batch.pieces import read_pieces

COLUMNS, SWITCHES = ("emotion", "bars", "expression"), ("expression",)


def read(tmp_path: Path, text: str) -> list[tuple[str, list[str]]]:
    file = tmp_path / "pieces.csv"
    file.write_text(text, encoding="utf-8")
    return list(read_pieces(file, refuse_loud, COLUMNS, SWITCHES))


def refuse_loud(arguments: list[str]) -> list[str]:
    if "--emotion=loud" in arguments:
        raise OptionError("loud is no emotion")
    return arguments


def test_a_line_is_a_piece_and_a_column_an_option(tmp_path: Path) -> None:
    text = "name,emotion,bars,expression\nslow/one,sad,8,\n,happy,,no\n"
    assert read(tmp_path, text) == [
        ("slow/one", ["--emotion=sad", "--bars=8"]),
        ("0002", ["--emotion=happy", "--no-expression"]),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,mood\na,sad\n", "line 1: 'mood' is no column"),
        ("", "line 1: '' is no column"),
        ("name,emotion\n", "has no piece below its head line"),
        ("name,emotion\na,sad,8\n", "line 2: it has not as many cells as line 1"),
        ("name,emotion\na\n", "line 2: it has not as many cells as line 1"),
        ("name,emotion\na,sad\na,sad\n", "line 3: there is a piece 'a' already"),
        ("name,emotion\nA,sad\n./a,sad\n", "line 3: there is a piece './a' already"),
        ("name,emotion,emotion\na,sad,happy\n", "line 1: there are two columns emotion"),
        ('name,emotion\n"a\nb",sad\n', r"line 3: the name 'a\\nb' is no name for a file"),
        (f"name,emotion\n{'a' * 201},sad\n", "200 bytes at most"),
        ("name,emotion\n../a,sad\n", "line 2: the name '../a' leads out of the folder"),
        ("name,emotion\n/tmp/a,sad\n", "line 2: the name '/tmp/a' leads out of the folder"),
        ("emotion,expression\nsad,maybe\n", "line 2: expression is 'maybe'; it is a switch: say yes or no"),
        ("name,emotion\na,sad\nb,loud\n", "line 3: loud is no emotion"),
    ],
)
def test_a_line_that_breaks_a_rule_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert message in str(error.value)


def test_a_file_that_is_no_csv_is_told(tmp_path: Path) -> None:
    file = tmp_path / "pieces.csv"
    with pytest.raises(ConfigError, match="No such file"):
        list(read_pieces(file, refuse_loud, COLUMNS, SWITCHES))
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no CSV file in UTF-8"):
        list(read_pieces(file, refuse_loud, COLUMNS, SWITCHES))
