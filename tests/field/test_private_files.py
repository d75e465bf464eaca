"""What holds a person's playing or profile is readable by that person alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kelly_live.control.midi_map import Binding, Control, bindings_path, save_bindings
from kelly_live.core.atomic_write import create_folder
from kelly_live.engine.log_setup import set_up_logging
from tests.field.command_line import run_command

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights are another thing here")


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """The user's umask hides nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which nothing is there yet."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share" / "deep"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def _list_open(folder: Path) -> list[str]:
    paths = [folder, *folder.rglob("*")]
    return [str(path) for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_profiles_controls_and_the_programs_log_with_their_folders(data: Path) -> None:
    assert run_command("profile", "create", "anna").code == 0
    assert run_command("profile", "use", "anna").code == 0
    assert run_command("profile", "show", "anna", "--plot", data / "share" / "anna.png").code == 0
    assert run_command("profile", "export", "anna", data / "share" / "anna.yaml").code == 0
    save_bindings((Binding(Control("note", 36), "panic"),))
    assert bindings_path().is_file()
    assert _list_open(data / "share") == []
    assert _list_open(data / "state") == []


def test_a_recording_its_log_and_its_replay(data: Path) -> None:
    sound = Path(__file__).parents[2] / "presets" / "demo" / "recording.ogg"
    log, midi, again = data / "take.jsonl", data / "take.mid", data / "again.mid"
    result = run_command("render", sound, "--midi", midi, "--log", log, "--device", "cpu")
    assert result.code == 0, result.errors
    assert run_command("replay", log, "--midi", again).code == 0
    assert _list_open(log) == _list_open(again) == []


def test_an_older_log_of_the_program_is_closed_to_others(data: Path) -> None:
    file = data / "kelly-live.log"
    file.write_text("before\n")
    file.chmod(0o644)
    set_up_logging(debug=False, file=file).close()
    assert _list_open(file) == []


def test_a_folder_that_is_there_keeps_its_rights(data: Path) -> None:
    create_folder(data / "a" / "b", private=True)
    (data / "a").chmod(0o755)
    create_folder(data / "a" / "b" / "c", private=True)
    assert stat.S_IMODE((data / "a").stat().st_mode) == 0o755
    assert stat.S_IMODE((data / "a" / "b" / "c").stat().st_mode) == 0o700
