"""Files in the user's folders that are no presets, maps or profiles stop nothing, and are named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kelly_live.control.midi_map import bindings_path, load_bindings
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import find_resources
from kelly_live.engine.build import build_band
from kelly_live.engine.external_io import ExternalIO
from kelly_live.engine.model_choice import state_terms
from kelly_live.generators.host_preset import load_preset
from kelly_live.profiles.store import ProfileStore
from tests.field.command_line import run_command


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _link_in_a_circle(path: Path) -> None:
    path.symlink_to("circle")
    (path.parent / "circle").symlink_to(path.name)


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("gone")


def _link_out_of_the_folder(path: Path) -> None:
    (path.parents[2] / "outside.yaml").write_text("format: 1\n")
    path.symlink_to(path.parents[2] / "outside.yaml")


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 32)


def _unreadable_file(path: Path) -> None:
    path.write_text("format: 1\n")
    path.chmod(0)


MAKERS = [_link_to_itself, _link_in_a_circle, _link_to_nothing, _link_out_of_the_folder, _folder, _huge_file]
MAKERS += [_pipe] if hasattr(os, "mkfifo") else []
MAKERS += [_unreadable_file] if hasattr(os, "geteuid") and os.geteuid() != 0 else []


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder, empty."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = tmp_path / "kelly-live"
    for kind in ("hosts", "cultures", "profiles"):
        (folder / kind).mkdir(parents=True)
    state_terms(lambda line: None)  # the terms of the models are said once, and not in a test of other lines
    return folder


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("kind", "command"), [("hosts", "presets"), ("cultures", "cultures"), ("profiles", "profile list")]
)
def test_a_listing_names_it_and_lists_the_rest(
    data: Path, make: Callable[[Path], None], kind: str, command: str
) -> None:
    make(data / kind / "odd.yaml")
    listing = run_command(*command.split())
    assert (listing.code, listing.errors) == (0, "")
    (line,) = [line for line in listing.output.splitlines() if "odd" in line]
    assert "left out: " in line or "cannot be used: " in line
    assert "odd" in json.dumps(json.loads(run_command(*command.split(), "--json").output))


@pytest.mark.parametrize("make", MAKERS)
def test_the_music_plays_on_with_the_shipped_preset_and_says_so(data: Path, make: Callable[[Path], None]) -> None:
    make(data / "hosts" / "band.yaml")
    _link_to_itself(data / "hosts" / "other.yaml")
    lines: list[str] = []
    assert build_band(notify=lines.append).preset_names == ("band",)
    (line,) = lines
    assert "band.yaml" in line
    assert str(find_resources("presets") / "hosts" / "band.yaml") in line
    lines.clear()
    live = build_band(live=True, notify=lines.append)
    assert {"band", "minimal", "strings"} <= set(live.preset_names)
    assert sum("band.yaml" in line for line in lines) == 1
    assert sum("other.yaml" in line for line in lines) == 1


def test_compose_starts_beside_odd_files(data: Path, tmp_path: Path) -> None:
    for kind, name in (("hosts", "band"), ("cultures", "klezmer"), ("hosts", "unused")):
        _link_to_itself(data / kind / f"{name}.yaml")
    arguments = ["compose", "--emotion", "sad", "--bars", "1", "--culture", "klezmer", "--midi"]
    result = run_command(*arguments, tmp_path / "a.mid")
    assert result.code == 0, result.errors
    lines = [line for line in result.errors.splitlines() if "LICENCE" not in line]  # of what the preset was measured in
    assert len(lines) == 2
    assert all("a link that leads to itself" in line and "is used" in line for line in lines)


def test_asking_for_it_says_why_it_cannot_be_used(data: Path) -> None:
    _link_to_itself(data / "hosts" / "mine.yaml")
    with pytest.raises(ConfigError, match=r"mine\.yaml cannot be read \(a link that leads to itself\)"):
        load_preset("mine")
    (data / "hosts" / "Bad Name.yaml").write_text("format: 1\n")
    with pytest.raises(ConfigError, match="not named as a preset"):
        load_preset("Bad Name")


def test_a_folder_that_is_none_is_named_too(data: Path) -> None:
    (data / "hosts").rmdir()
    _link_to_itself(data / "hosts")
    listing = run_command("presets")
    assert listing.code == 0
    assert f"left out: {data / 'hosts'} cannot be read (a link that leads to itself)" in listing.output
    assert build_band().preset_names == ("band",)


@pytest.mark.parametrize("make", [make for make in MAKERS if make is not _link_out_of_the_folder])
def test_a_wrong_map_of_controls_is_named_and_the_default_controls_apply(
    data: Path, make: Callable[[Path], None]
) -> None:
    make(bindings_path())
    with pytest.raises(ConfigError, match=r"midi-controls\.yaml"):
        load_bindings()

    class Branching:
        def branch(self) -> object:
            return None

    external, lines = ExternalIO(), []
    external.input = Branching()  # type: ignore[assignment]
    assert len(external.create_surfaces(lines.append)) == 1
    assert len(lines) == 1
    assert "the default MIDI controls apply" in lines[0]


def test_a_default_profile_that_is_a_pipe_is_no_default(data: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(data / "profiles" / ".default")
    assert ProfileStore().default() is None
