"""The folder of profiles: private, locked, and nothing in it is ever overwritten by accident."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.profiles.profile import MAX_ROWS, new_profile, to_yaml
from kelly_live.profiles.store import ProfileStore
from tests.profiles.sample import NOW, crowded, make_reaction

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    store = ProfileStore(tmp_path / "data" / "profiles")
    store.create(new_profile("anna", NOW))
    return store


def test_a_saved_profile_is_loaded_as_it_was(store: ProfileStore) -> None:
    updated = store.update("anna", lambda profile: profile.with_reaction(make_reaction("too-fast")))
    assert store.load("Anna ") == updated
    assert updated.count == 1
    assert store.update("anna", lambda profile: profile.forget()) == new_profile("anna", NOW)
    assert store.path("anna").read_bytes() == to_yaml(new_profile("anna", NOW))


@POSIX
def test_only_the_user_can_read(store: ProfileStore) -> None:
    store.folder.chmod(0o755)
    store.path("anna").chmod(0o644)
    store.update("anna", lambda profile: profile.with_reaction(make_reaction("like")))
    store.use("anna")
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    for file in store.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_name_is_made_once(store: ProfileStore) -> None:
    store.update("anna", lambda profile: profile.with_reaction(make_reaction("like")))
    with pytest.raises(ConfigError, match="already"):
        store.create(new_profile("anna", NOW))
    assert store.load("anna").count == 1


def test_an_unknown_name_tells_near_ones(store: ProfileStore) -> None:
    with pytest.raises(ConfigError, match="did you mean anna"):
        store.load("ana")
    with pytest.raises(ConfigError, match="no profile is called"):
        ProfileStore(store.folder / "elsewhere").load("../profiles/anna")


@pytest.mark.parametrize("text", ["../anna", "/etc/passwd", "anna.yaml", "", "a" * 10_000, "\0"])
def test_no_name_leads_out_of_the_folder(store: ProfileStore, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        store.load(text)
    assert len(str(error.value)) < 300


def test_a_damaged_profile_is_kept_aside_and_named(store: ProfileStore) -> None:
    path = store.path("anna")
    path.write_bytes(b"format: 1\nname: [")
    assert store.list_profiles()[0].problem is not None
    assert path.exists()  # looking moves nothing
    with pytest.raises(ConfigError, match=r"damaged and was kept as anna\.damaged-\d+T\d+Z\.yaml") as error:
        store.load("anna")
    assert "\n" not in str(error.value)
    assert [file.read_bytes() for file in store.list_damaged()] == [b"format: 1\nname: ["]
    assert store.names() == ()
    store.create(new_profile("anna", NOW))
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="was kept as"):
        store.update("anna", lambda profile: profile)
    assert {file.read_bytes() for file in store.list_damaged()} == {b"format: 1\nname: [", b"\xff"}


def test_a_newer_profile_stays_where_it_is(store: ProfileStore) -> None:
    newer = store.path("anna").read_bytes().replace(b"format: 2", b"format: 9")
    store.path("anna").write_bytes(newer)
    with pytest.raises(ConfigError, match="update kelly-live"):
        store.load("anna")
    assert store.path("anna").read_bytes() == newer
    assert store.list_damaged() == ()


@POSIX
def test_links_and_pipes_are_not_read(store: ProfileStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_bytes(to_yaml(new_profile("link", NOW)))
    (store.folder / "link.yaml").symlink_to(outside)
    os.mkfifo(store.folder / "pipe.yaml")
    for name in ("link", "pipe"):
        with pytest.raises(ConfigError, match="not a plain file"):
            store.load(name)
    with pytest.raises(ConfigError, match="not a plain file"):
        store.update("link", lambda profile: profile.with_reaction(make_reaction("like")))
    assert outside.read_bytes() == to_yaml(new_profile("link", NOW))


def test_the_default_is_kept_until_it_is_gone(store: ProfileStore) -> None:
    assert store.default() is None
    store.use("ANNA")
    assert store.default() == "anna"
    store.delete("anna")
    assert store.default() is None
    with pytest.raises(ConfigError, match="no profile"):
        store.use("anna")


def test_two_processes_lose_nothing(store: ProfileStore) -> None:
    code = (
        "import sys; from pathlib import Path; from kelly_live.profiles.store import ProfileStore;"
        "from tests.profiles.sample import make_reaction\n"
        "store = ProfileStore(Path(sys.argv[1]))\n"
        "for _ in range(20): store.update('anna', lambda profile: profile.with_reaction(make_reaction('like')))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(store.folder)], cwd=Path(__file__).parents[2]) for _ in "ab"
    ]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert store.load("anna").count == 40


def test_waiting_too_long_for_the_lock_is_an_error(store: ProfileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kelly_live.profiles.store._PATIENCE_SECONDS", 0.0)
    with store._hold_lock(), pytest.raises(ConfigError, match="another kelly-live"):
        store.update("anna", lambda profile: profile)


def test_a_full_profile_stays_small(store: ProfileStore) -> None:
    full = replace(crowded(2000), name="anna")
    store.update("anna", lambda profile: full)
    assert len(store.load("anna").reactions) == MAX_ROWS
    assert store.path("anna").stat().st_size < 100_000


def test_a_profile_is_renamed_with_its_backup_and_as_the_default(store: ProfileStore) -> None:
    store.create(new_profile("bert", NOW))
    store.back_up("anna")
    store.use("anna")
    assert store.rename("ANNA", "anna-live") == ("anna", "anna-live")
    assert store.names() == ("anna-live", "bert")
    assert store.load("anna-live").name == store.default() == "anna-live"
    assert (store.folder / "anna-live.backup.yaml").exists()
    with pytest.raises(ConfigError, match="'bert' already"):
        store.rename("anna-live", "bert")
    with pytest.raises(ConfigError, match="is no name for a profile"):
        store.rename("bert", "../bert")
    assert store.names() == ("anna-live", "bert")
