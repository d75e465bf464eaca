from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.engine.batch.inputs import find_inputs, name_places


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.wav", "a.WAV", "sub/c.flac", "sub/take.mid", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_stands_for_its_sound_files_in_their_order(folder: Path) -> None:
    assert [str(one.place) for one in find_inputs([folder])] == ["a.WAV", "b.wav", "sub/c.flac"]
    assert [str(one.place) for one in find_inputs([folder / "sub"], notes=True)] == ["c.flac", "take.mid"]


def test_a_named_file_is_taken_whatever_its_name_and_whether_it_is_there(folder: Path) -> None:
    paths = [folder / "notes.txt", folder / "none.wav"]
    assert [one.path for one in find_inputs(paths)] == paths


def test_a_list_holds_a_path_a_line(folder: Path) -> None:
    listed = folder / "list.txt"
    listed.write_text(f"# mine\n{folder / 'b.wav'}\n\n{folder / 'sub'}\n")
    assert [str(one.place) for one in find_inputs([], list_file=listed)] == ["b.wav", "c.flac"]


def test_a_list_that_is_not_text_is_told(folder: Path) -> None:
    listed = folder / "list.txt"
    listed.write_bytes(b"a\0b.wav\n")
    with pytest.raises(ConfigError, match="is not text"):
        find_inputs([], list_file=listed)


def test_a_folder_without_sound_is_told(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no sound file in"):
        find_inputs([make_empty(folder)])


def make_empty(folder: Path) -> Path:
    empty = folder / "empty"
    empty.mkdir()
    return empty


def test_results_of_two_files_of_one_name_keep_apart(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac", "b.wav"):
        (tmp_path / name).touch()
    assert [str(place) for place in name_places(find_inputs([tmp_path]))] == ["a.flac", "a.wav", "b"]
