"""The files that state the terms of the models are those of the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kelly_live.core.resources import find_model_set
from kelly_live.lab.model_terms import SETS, SOURCES, create_spdx, find_stale_files, main

MODELS = find_model_set("open").parent


def test_the_shipped_files_are_as_the_table_gives_them() -> None:
    assert find_stale_files(MODELS) == []


def test_a_set_that_was_deleted_is_not_missed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    assert main([str(tmp_path), "--check"]) == 1
    for name in SETS:
        (tmp_path / name).mkdir(exist_ok=True)
    assert main([str(tmp_path)]) == 0
    for file in (tmp_path / "research").iterdir():
        file.unlink()
    (tmp_path / "research").rmdir()
    assert main([str(tmp_path), "--check"]) == 0


@pytest.mark.parametrize("name", list(SETS))
def test_an_spdx_document_says_what_every_part_was_made_from(name: str) -> None:
    document = create_spdx(name)
    names = {package["SPDXID"]: package for package in document["packages"]}
    assert document["spdxVersion"] == "SPDX-2.3"
    for relation in document["relationships"]:
        assert relation["relatedSpdxElement"] in names
    own = {info["licenseId"] for info in document["hasExtractedLicensingInfos"]}
    used = {word for one in names.values() for word in one["licenseConcluded"].split() if word.startswith("LicenseRef")}
    assert used == own
    assert (
        json.loads((MODELS / name / "models.spdx.json").read_text()) == document if (MODELS / name).is_dir() else True
    )


def test_every_source_has_a_credit_line() -> None:
    assert all(source.credit and source.licence for source in SOURCES.values())
