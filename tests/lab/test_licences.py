"""The table of licences covers what is installed; the bill of materials covers the plain install."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kelly_live.lab.licences import HEAD, Package, find_faults, list_packages, main

CLICK = Package("click", "8.1", "BSD-3-Clause", "plain", ())
PYTEST = Package("pytest", "9.0", "MIT", "test", ())
TABLE = HEAD + CLICK.format_row() + "\n" + PYTEST.format_row() + "\n"


def test_what_is_in_the_table_is_no_fault() -> None:
    assert find_faults(TABLE, [CLICK, PYTEST]) == []


@pytest.mark.parametrize(
    ("package", "fault"),
    [
        (Package("numpy", "2", "BSD-3-Clause", "plain", ()), "numpy (BSD-3-Clause) is a new dependency; "),
        (Package("click", "9", "MIT", "plain", ()), "click was BSD-3-Clause, now it is MIT; "),
        (Package("pytest", "9", "GPL-3.0", "test", ()), "pytest was MIT, now it is GPL-3.0; "),
    ],
)
def test_a_new_dependency_or_licence_is_one_line(package: Package, fault: str) -> None:
    (line,) = find_faults(TABLE, [package])
    assert line.startswith(fault)
    assert line.endswith("read its licence, then run: make licences")


@pytest.mark.parametrize("licence", ["GPL-3.0-or-later", "MIT OR GPL-2.0", "LGPL-2.1-or-later", "not stated"])
def test_the_plain_installation_stays_permissive(licence: str) -> None:
    package = Package("stranger", "1", licence, "plain", ())
    (fault,) = find_faults(HEAD + package.format_row() + "\n", [package])
    assert fault == f"stranger is {licence}; the plain installation takes only permissive licences"
    assert find_faults(HEAD + PYTEST.format_row() + "\n", [PYTEST]) == []


def test_the_dependencies_of_dependencies_are_listed_with_what_brings_them() -> None:
    extras = {package.name: package.extra for package in list_packages()}
    assert (extras["click"], extras["mdurl"], extras["pytest"]) == ("plain", "plain", "test")  # mdurl is of rich
    assert "kelly-live" not in extras


def test_the_bill_of_materials_has_the_plain_installation(tmp_path: Path) -> None:
    assert main(["--sbom", str(tmp_path / "bill.json")]) == 0
    bill = json.loads((tmp_path / "bill.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    names = {component["name"] for component in bill["components"]}
    assert {"click", "numpy", "mdurl"} <= names
    assert not names & {"pytest", "librosa", "kelly-live"}
    references = {component["bom-ref"] for component in bill["components"]}
    assert all(set(entry["dependsOn"]) <= references for entry in bill["dependencies"])


def test_the_check_of_a_table_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "licences.md"
    assert main([str(table)]) == 0
    assert main([str(table), "--check"]) == 0
    table.write_text(table.read_text().replace("| click |", "| clack |"))
    assert main([str(table), "--check"]) == 1
    assert f"{table}: click (BSD-3-Clause) is a new dependency; " in capsys.readouterr().err
