"""A feeling chooses among a tradition's modes, and a preset says no more than it knows."""

import numpy as np
import pytest

from kelly_live.cultures.idiom import MAX_BAR_BEATS, idiom_of, metres_of, mode_chooser
from kelly_live.cultures.shelf import CULTURES, choose_culture, load_culture
from kelly_live.domain import MODES


def feeling(mode: str) -> tuple[float, ...]:
    return tuple(float(name == mode) for name in MODES)


@pytest.mark.parametrize("name", [*CULTURES, "western"])
@pytest.mark.parametrize("mode", MODES)
def test_every_shipped_preset_can_be_played(name: str, mode: str) -> None:
    preset = load_culture(name)
    idiom = idiom_of(preset, None, feeling(mode))
    if name == "western":
        assert idiom is None
        return
    assert idiom is not None
    assert idiom.texture == (preset.texture.value if preset.texture else None)
    assert (idiom.scale is None) == (preset.scale_cents is None and not preset.modes)
    assert all(metre.bar_beats <= MAX_BAR_BEATS for metre in idiom.metres)
    assert not idiom.metres or np.isclose(sum(metre.share for metre in idiom.metres), 1.0)


def test_strength_none_is_no_idiom() -> None:
    assert idiom_of(load_culture("turkish-makam"), None, feeling("aeolian"), 0.0) is None


def test_a_lesser_strength_is_less_of_it() -> None:
    preset = load_culture("hindustani")
    whole, half = (idiom_of(preset, preset.mode("bhairav"), feeling("ionian"), s) for s in (1.0, 0.5))
    assert whole is not None
    assert half is not None
    assert sum(half.ornaments) == pytest.approx(sum(whole.ornaments) / 2)
    assert max(half.degree_weights) < max(whole.degree_weights)
    assert half.scale == whole.scale


@pytest.mark.parametrize(
    ("name", "bright", "dark"),
    [
        ("turkish-makam", "rast", "nihavent"), ("irish-traditional", "ionian", "aeolian"),
        ("klezmer", "major", "minor"), ("mandopop", "major", "minor"),
    ],
)  # fmt: skip
def test_a_bright_feeling_takes_a_bright_mode_and_a_dark_one_a_dark(name: str, bright: str, dark: str) -> None:
    preset = load_culture(name)
    chosen = [mode_chooser(preset)(feeling(mode)) for mode in ("ionian", "aeolian")]
    assert [mode.name for mode in chosen if mode] == [bright, dark]


def test_the_mode_that_is_typed_wins() -> None:
    choice = choose_culture("turkish-makam:hicaz")
    for mode in MODES:
        idiom = idiom_of(choice.preset, choice.mode, feeling(mode))
        assert idiom is not None
        assert idiom.name == "turkish-makam:hicaz"
        assert choice.mode is not None
        assert choice.mode.scale_cents is not None
        assert idiom.scale is not None
        assert idiom.scale.degrees_cents == choice.mode.scale_cents.value


def test_aksak_is_added_up_in_eighths_and_a_jig_is_not() -> None:
    aksak = next(m for m in metres_of(load_culture("turkish-makam")) if m.name == "9/8")
    assert (aksak.groups, aksak.unit_beats, aksak.bar_beats) == ((2, 2, 2, 3), 0.5, 9)
    jig = next(m for m in metres_of(load_culture("irish-traditional")) if m.name == "6/8")
    assert jig.groups == (3, 3)
    assert jig.compound
    assert jig.bar_beats == 4


def test_a_metre_without_a_profile_borrows_the_tradition_s_habits() -> None:
    """Turkish 7/8 was not measured place by place: its downbeat sounds as often as downbeats do."""
    metres = {metre.name: metre for metre in metres_of(load_culture("turkish-makam"))}
    seven = metres["7/8"]
    assert len(seven.profile) == 14
    assert seven.profile[0] == max(seven.profile)
    assert min(m.profile[0] for m in metres.values()) <= seven.profile[0] <= max(m.profile[0] for m in metres.values())
