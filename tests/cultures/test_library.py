"""Preset names: the user's own before the shipped, never outside the folders, with suggestions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.errors import ConfigError, KellyError
from kelly_live.cultures import library
from kelly_live.cultures.preset import PARAMETERS
from tests.cultures.example import PRESET


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A user's folder with one preset, and a shipped one with two."""
    user_folder, shipped_folder = tmp_path / "own", tmp_path / "shipped"
    user_folder.mkdir()
    shipped_folder.mkdir()
    (user_folder / "my-waltzes.yaml").write_text(PRESET.replace("title: My waltzes", "title: Mine"), encoding="utf-8")
    (shipped_folder / "my-waltzes.yaml").write_text(PRESET, encoding="utf-8")
    (shipped_folder / "my-reels.yaml").write_text(
        PRESET.replace("name: my-waltzes", "name: my-reels"), encoding="utf-8"
    )
    return user_folder, shipped_folder


def test_the_users_own_preset_comes_first(folders: tuple[Path, Path]) -> None:
    assert library.load_culture("my-waltzes", folders).title == "Mine"
    assert library.load_culture("my-waltzes", folders[1:]).title == "My waltzes"


def test_a_name_is_found_by_its_words_and_a_near_miss_is_suggested(folders: tuple[Path, Path]) -> None:
    assert library.load_culture("My Reels", folders).name == "my-reels"
    assert library.load_culture("waltz", folders).name == "my-waltzes"
    with pytest.raises(ConfigError, match="did you mean my-waltzes"):
        library.load_culture("my-walzes", folders)
    with pytest.raises(ConfigError, match="ambiguous"):
        library.load_culture("my", folders)


def test_a_mode_is_chosen_after_the_colon(folders: tuple[Path, Path]) -> None:
    assert library.choose_culture("my-waltzes", folders).mode is None
    choice = library.choose_culture("my-waltzes:glad", folders)
    assert choice.mode is choice.preset.modes[0]
    with pytest.raises(ConfigError, match="did you mean glad"):
        library.choose_culture("my-waltzes:gald", folders)
    with pytest.raises(ConfigError, match="no mode"):
        library.choose_culture("my-waltzes:", folders)


def test_no_name_leaves_its_folder(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(PRESET.replace("name: my-waltzes", "name: outside"), encoding="utf-8")
    (folders[0] / "linked.yaml").symlink_to(tmp_path / "outside.yaml")
    (folders[0] / "Bad Name.yaml").write_text(PRESET, encoding="utf-8")
    for name in ("../outside", "linked", "/etc/passwd", "..", "Bad Name", "outside.yaml"):
        with pytest.raises(ConfigError, match="no culture is called"):
            library.load_culture(name, folders)
    assert [one.name for one in library.list_cultures(folders)] == ["my-reels", "my-waltzes"]


@given(st.text(max_size=120))
def test_any_text_is_a_culture_or_a_kelly_error(text: str) -> None:
    try:
        name = library.choose_culture(text, library.list_folders()[1:]).preset.name
    except KellyError as error:
        name = str(error)
    assert "\n" not in name


def test_the_list_shows_what_cannot_be_used_and_why(folders: tuple[Path, Path]) -> None:
    (folders[0] / "broken.yaml").write_text("format: 1\nname: [", encoding="utf-8")
    files_by_name = {one.name: one for one in library.list_cultures(folders)}
    assert files_by_name["broken"].preset is None
    assert "line" in (files_by_name["broken"].problem or "")
    assert files_by_name["my-waltzes"].is_own
    assert not files_by_name["my-reels"].is_own


def test_the_shipped_presets_are_twenty_traditions_and_the_plain_default() -> None:
    files = library.list_cultures(library.list_folders()[1:])
    assert [one.problem for one in files if one.problem] == []
    assert tuple(one.name for one in files) == (*library.list_culture_ids(), library.PLAIN)
    assert [library.get_culture_id(one.name) for one in files] == [*range(1, 21), 0]
    for one in files:
        assert one.preset is not None
        parameters = {name: getattr(one.preset, name) for name in PARAMETERS if getattr(one.preset, name) is not None}
        assert {*parameters, *dict(one.preset.absent)} == set(PARAMETERS)
        assert all(reason != "not stated" for reason in dict(one.preset.absent).values())
        assert one.name == library.PLAIN or one.preset.credits
        assert all(credit.licence != "not stated" for credit in one.preset.credits)
        assert one.path.stat().st_size < 100_000  # aggregates: no room for melodies


def test_the_plain_default_changes_nothing() -> None:
    western = library.load_culture(library.PLAIN, library.list_folders()[1:])
    assert [name for name in PARAMETERS if getattr(western, name) is not None] == ["texture"]
    assert western.has_triads
    assert western.modes == ()


def test_the_shipped_numbers_agree_with_what_the_literature_says() -> None:
    """Signell (1977) on makam, Friberg & Sundström (2002) on swing, Surjodiningrat (1972) on slendro."""
    shipped_folders = library.list_folders()[1:]
    makam = library.load_culture("turkish-makam", shipped_folders)
    assert makam.groupings is not None
    groupings = dict(makam.groupings.value)
    assert groupings["9/8 Aksak"] == (2, 2, 2, 3)
    assert groupings["10/8 Curcuna"] == (3, 2, 2, 3)
    hicaz = makam.mode("hicaz")
    assert hicaz is not None
    assert hicaz.scale_cents is not None
    second, third = hicaz.scale_cents.value[1:3]
    assert 100.0 < second < 120.0 < 370.0 < third < 395.0  # the augmented second, narrower than a piano's 300
    jazz = library.load_culture("jazz-swing", shipped_folders)
    assert jazz.swing_by_tempo is not None
    by_tempo = dict(jazz.swing_by_tempo.value)
    assert by_tempo["140-180"] > by_tempo["220-260"] > by_tempo["260-340"] > 1.0
    slendro = library.load_culture("javanese-gamelan", shipped_folders).mode("slendro")
    assert slendro is not None
    assert slendro.scale_cents is not None
    steps = [b - a for a, b in zip(slendro.scale_cents.value, [*slendro.scale_cents.value[1:], 1200.0], strict=True)]
    assert max(steps) - min(steps) < 20.0
    assert library.load_culture("chinese-han-folk", shipped_folders).mode_preferences is None
    irish = library.load_culture("irish-traditional", shipped_folders)
    assert irish.mode_preferences is not None
    assert [mode.name for mode in irish.modes][:4] == ["ionian", "mixolydian", "aeolian", "dorian"]
