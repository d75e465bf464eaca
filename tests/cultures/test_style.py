"""A feeling chooses among a tradition's modes, and a preset says no more than it knows."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.values import MAX_BAR_BEATS, MODES
from kelly_live.cultures.library import CULTURES, choose_culture, load_culture
from kelly_live.cultures.style import blend_tuning, build_metres, create_mode_chooser, create_style


def feeling(mode: str) -> tuple[float, ...]:
    return tuple(float(name == mode) for name in MODES)


@pytest.mark.parametrize("name", [*CULTURES, "western"])
@pytest.mark.parametrize("mode", MODES)
def test_every_shipped_preset_can_be_played(name: str, mode: str) -> None:
    preset = load_culture(name)
    style = create_style(preset, None, feeling(mode))
    if name == "western":
        assert style is None
        return
    assert style is not None
    assert style.texture == (preset.texture.value if preset.texture else None)
    assert (style.scale is None) == (preset.scale_cents is None and not preset.modes)
    assert all(metre.bar_beats <= MAX_BAR_BEATS for metre in style.metres)
    assert not style.metres or np.isclose(sum(metre.share for metre in style.metres), 1.0)


def test_strength_none_is_no_style() -> None:
    assert create_style(load_culture("turkish-makam"), None, feeling("aeolian"), 0.0) is None


def test_a_lower_strength_applies_less_of_the_style() -> None:
    preset = load_culture("hindustani")
    full, half = (create_style(preset, preset.mode("bhairav"), feeling("ionian"), s) for s in (1.0, 0.5))
    assert full is not None
    assert half is not None
    assert sum(half.ornaments) == pytest.approx(sum(full.ornaments) / 2)
    assert max(half.degree_weights) < max(full.degree_weights)
    assert half.strength == 0.5


def test_half_the_strength_is_half_way_to_the_tuning_and_to_the_steps() -> None:
    preset = load_culture("turkish-makam")
    full, half, hint = (create_style(preset, preset.mode("hicaz"), feeling("ionian"), s) for s in (1.0, 0.5, 0.01))
    assert full is not None
    assert half is not None
    assert hint is not None
    for own_cents, between, tempered in zip(
        *(one.scale.degrees_cents for one in (full, half, hint) if one.scale), strict=True
    ):
        assert tempered == pytest.approx(100.0 * round(own_cents / 100.0), abs=0.6)
        assert between == pytest.approx((own_cents + 100.0 * round(own_cents / 100.0)) / 2.0)
    leaps = [sum(share for cents, share in one.intervals if abs(cents) > 400.0) for one in (full, half, hint)]
    assert leaps == sorted(leaps) or leaps == sorted(leaps, reverse=True)
    assert leaps[0] != leaps[2]
    assert sum(share for _, share in half.intervals) == pytest.approx(1.0, abs=0.01)


@given(
    st.lists(st.floats(1.0, 1199.0), min_size=1, max_size=20, unique_by=lambda cents: round(cents)),
    st.floats(0.01, 1.0),
)
def test_a_scale_on_its_way_to_its_tuning_keeps_its_order(cents: list[float], strength: float) -> None:
    between = blend_tuning((0.0, *sorted(cents)), strength)
    assert between[0] == 0.0
    assert all(low < high for low, high in pairwise(between))
    assert between[-1] < 1200.0


@pytest.mark.parametrize(("strength", "is_full"), [(0.49, False), (0.5, True), (1.0, True)])
def test_metre_and_texture_apply_only_at_half_strength_or_more(strength: float, is_full: bool) -> None:
    style = create_style(load_culture("turkish-makam"), None, feeling("ionian"), strength)
    assert style is not None
    assert bool(style.metres) == is_full
    assert style.texture == ("heterophony" if is_full else None)


def test_a_cycle_too_long_for_a_bar_lies_over_two() -> None:
    """A usul of 28 beats in bars of 14, a jangdan of 60/8 in bars of ten dotted quarters."""
    devri_kebir = next(metre for metre in build_metres(load_culture("turkish-makam")) if metre.name == "28/4")
    assert (devri_kebir.bar_beats, devri_kebir.bars_per_cycle, devri_kebir.beats) == (14, 2, 28)
    jangdan = next(metre for metre in build_metres(load_culture("korean-jeongak")) if metre.name == "60/8")
    assert (jangdan.bar_beats, jangdan.bars_per_cycle) == (10, 2)


@pytest.mark.parametrize(
    ("name", "bright", "dark"),
    [
        ("turkish-makam", "rast", "nihavent"), ("irish-traditional", "ionian", "aeolian"),
        ("klezmer", "major", "minor"), ("mandopop", "major", "minor"),
    ],
)  # fmt: skip
def test_a_bright_feeling_takes_a_bright_mode_and_a_dark_one_a_dark(name: str, bright: str, dark: str) -> None:
    preset = load_culture(name)
    modes = [create_mode_chooser(preset)(feeling(mode)) for mode in ("ionian", "aeolian")]
    assert [mode.name for mode in modes if mode] == [bright, dark]


def test_the_mode_that_is_typed_wins() -> None:
    choice = choose_culture("turkish-makam:hicaz")
    for mode in MODES:
        style = create_style(choice.preset, choice.mode, feeling(mode))
        assert style is not None
        assert style.name == "turkish-makam:hicaz"
        assert choice.mode is not None
        assert choice.mode.scale_cents is not None
        assert style.scale is not None
        assert style.scale.degrees_cents == choice.mode.scale_cents.value


def test_aksak_is_added_up_in_eighths_and_a_jig_is_not() -> None:
    aksak = next(m for m in build_metres(load_culture("turkish-makam")) if m.name == "9/8")
    assert (aksak.groups, aksak.unit_beats, aksak.bar_beats) == ((2, 2, 2, 3), 0.5, 9)
    jig = next(m for m in build_metres(load_culture("irish-traditional")) if m.name == "6/8")
    assert jig.groups == (3, 3)
    assert jig.is_compound
    assert jig.bar_beats == 4


def test_a_metre_without_a_profile_borrows_the_tradition_s_habits() -> None:
    """Turkish 7/8 was not measured place by place: its downbeat sounds as often as downbeats do."""
    metres = {metre.name: metre for metre in build_metres(load_culture("turkish-makam"))}
    seven = metres["7/8"]
    assert len(seven.profile) == 14
    assert seven.profile[0] == max(seven.profile)
    assert min(m.profile[0] for m in metres.values()) <= seven.profile[0] <= max(m.profile[0] for m in metres.values())
