"""Entry points of a group, as plug-ins: one for each name, with its package, and nothing imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError, ModelError
from kelly_live.core.plugins import describe_load_failure, find_plugins, select_plugin

GROUP = "kelly_live.test_group"


def install(folder: Path, package: str, name: str, target: str) -> None:
    info = folder / f"{package.replace('-', '_')}-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {target}\n")


def test_of_one_name_in_two_packages_the_first_in_the_alphabet_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("zebra-sounds", "Aardvark_Sounds"):
        install(tmp_path, package, "pad", f"{package[0].lower()}:Pad")
    install(tmp_path, "middle", "bass", "m:Bass")
    monkeypatch.syspath_prepend(tmp_path)
    plugins = find_plugins(GROUP)
    assert [(p.name, p.package, p.target, p.version) for p in plugins.values()] == [
        ("bass", "middle", "m:Bass", "2.0"),
        ("pad", "aardvark-sounds", "a:Pad", "2.0"),
    ]


def test_this_package_has_its_name_before_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("aardvark", "kelly-live"):
        install(tmp_path, package, "pad", f"{package[0]}:Pad")
    monkeypatch.syspath_prepend(tmp_path)
    (pad,) = find_plugins(GROUP).values()
    assert (pad.package, pad.is_ours) == ("kelly-live", True)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"there is no sound 'x'; it must be one of \(none installed\)"):
        select_plugin("x", find_plugins(GROUP), "sound")
    install(tmp_path, "middle", "bass", "m:Bass")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="there is no sound 'x'; it must be one of bass"):
        select_plugin("x", find_plugins(GROUP), "sound")


def test_a_failure_is_one_line_and_an_error_of_ours_is_quoted_without_its_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "middle", "bass", "m:Bass")
    monkeypatch.syspath_prepend(tmp_path)
    bass = find_plugins(GROUP)["bass"]
    assert describe_load_failure(bass, ValueError("two\n lines")) == "m:Bass did not load: ValueError: two lines"
    assert describe_load_failure(bass, ModelError("no weights")) == "m:Bass did not load: no weights"
