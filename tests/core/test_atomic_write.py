"""A file is written whole, or the old one stays and nothing else is left; each failure has a remedy."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import OutputError


def test_a_new_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new.mid", b"new")
    (tmp_path / "plain.mid").write_bytes(b"")
    assert (tmp_path / "new.mid").read_bytes() == b"new"
    assert (tmp_path / "new.mid").stat().st_mode == (tmp_path / "plain.mid").stat().st_mode


def test_an_old_file_is_replaced_and_keeps_its_rights(tmp_path: Path) -> None:
    target = tmp_path / "song.mid"
    target.write_bytes(b"old")
    target.chmod(0o600)
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["song.mid"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link.mid").symlink_to(tmp_path / "real.mid")
    write_atomically(tmp_path / "link.mid", b"new")
    assert (tmp_path / "link.mid").is_symlink()
    assert (tmp_path / "real.mid").read_bytes() == b"new"


def test_a_device_is_written_to_not_replaced() -> None:
    write_atomically(Path(os.devnull), b"gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_full_disk_is_named() -> None:
    with pytest.raises(OutputError, match=r"No space left.*free some space"):
        write_atomically(Path("/dev/full"), b"x")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("missing/song.mid", "folder does not exist"),
        ("file/song.mid", "not a folder"),
        ("folder", "that is a folder"),
        ("x" * 300, "shorten it"),
        ("nul\0.mid", "null"),
    ],
)
def test_a_bad_place_is_named_in_one_line(tmp_path: Path, name: str, complaint: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=complaint) as caught:
        write_atomically(tmp_path / name, b"x")
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_write_that_breaks_off_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "song.mid"
    target.write_bytes(b"old")
    # A real half-written file: the system refuses to let this process write past 4 kB.
    script = (
        "import resource, sys; from pathlib import Path; from kelly_live.core.atomic_write import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write_atomically(Path(sys.argv[1]), bytes(10000))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, str(target)], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("OutputError cannot write")
    assert "larger than the system allows" in run.stdout
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["song.mid"]


@pytest.fixture
def without_root() -> Iterator[None]:
    """Root may write anywhere, so become nobody meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.usefixtures("without_root")
def test_a_folder_without_rights_is_named() -> None:
    with pytest.raises(OutputError, match=r"may not write there|read-only"):
        write_atomically(Path("/usr/song.mid"), b"x")


def test_a_write_protected_file_is_not_replaced(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    target = tmp_path / "song.mid"
    target.write_bytes(b"old")
    target.chmod(0o444)
    with pytest.MonkeyPatch.context() as patch:
        if os.geteuid() == 0:  # os.access asks for the real user, whom seteuid does not change
            patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(OutputError, match="may not write there"):
            write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
