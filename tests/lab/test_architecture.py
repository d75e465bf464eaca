"""The picture in CONTRIBUTING.md is drawn from the import statements."""

from pathlib import Path

import pytest

from kelly_live.lab.architecture import BEGIN, END, main, rank_subpackages, replace_picture

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


def test_each_subpackage_stands_above_what_it_imports() -> None:
    imports = {"core": {}, "music": {"core": 3}, "engine": {"music": 1, "core": 1}, "audio": {"core": 2}}
    assert rank_subpackages(imports) == [["core"], ["music", "audio"], ["engine"]]


def test_a_circle_has_no_rank() -> None:
    with pytest.raises(ValueError, match="a, b import each other in a circle"):
        rank_subpackages({"core": {}, "a": {"b": 1}, "b": {"a": 1}})


def test_the_picture_replaces_the_old_one_and_nothing_else() -> None:
    document = f"# Title\n\n{BEGIN}\n\nold\n\n{END}\n\nmore\n"
    assert replace_picture(document, "new") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nmore\n"
    with pytest.raises(ValueError, match="no place for the picture"):
        replace_picture("# Title\n", "new")


def test_an_old_picture_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("grimp")
    document = tmp_path / "CONTRIBUTING.md"
    document.write_text(f"{BEGIN}\n\nold\n\n{END}\n")
    assert main([str(document), "--check"]) == 1
    assert "is old" in capsys.readouterr().out


def test_the_picture_in_contributing_is_true() -> None:
    pytest.importorskip("grimp")
    assert main([str(CONTRIBUTING), "--check"]) == 0
