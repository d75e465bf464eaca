"""What is cited says how far it was looked up, and the scales that follow a scheme follow it."""

from __future__ import annotations

import re

import pytest

from kelly_live.cultures.library import CULTURES, PLAIN, list_folders, load_culture
from kelly_live.cultures.preset import CulturePreset, Known


def load_shipped(name: str) -> CulturePreset:
    return load_culture(name, list_folders()[1:])


def melakarta(number: int) -> set[int]:
    """Return the semitones of one of the 72 melas: ri-ga changes every six, dha-ni each time."""
    pairs = ((1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))
    half, place = divmod(number - 1, 36)
    low, high = pairs[place // 6], pairs[place % 6]
    return {0, *low, 5 + half, 7, *(7 + one for one in high)}


def test_the_scheme_of_melas_is_the_one_that_is_taught() -> None:
    assert melakarta(1) == {0, 1, 2, 5, 7, 8, 9}  # Kanakangi
    assert melakarta(15) == {0, 1, 4, 5, 7, 8, 11}  # Mayamalavagaula, the beginner's
    assert melakarta(29) == {0, 2, 4, 5, 7, 9, 11}  # Sankarabharanam, the major scale
    assert melakarta(72) == {0, 3, 4, 6, 7, 10, 11}  # Rasikapriya


@pytest.mark.parametrize("mode", load_shipped("carnatic").modes, ids=lambda mode: mode.name)
def test_a_carnatic_scale_is_its_mela_or_taken_from_it(mode: object) -> None:
    title, scale = mode.title, mode.scale_cents  # type: ignore[attr-defined]
    number = re.search(r"\((from )?(\d+)", title)
    assert number is not None
    semitones = {round(cents / 100.0) for cents in scale.value}
    assert semitones <= melakarta(int(number[2]))
    assert (semitones == melakarta(int(number[2]))) == (len(semitones) == 7)


@pytest.mark.parametrize("name", [*CULTURES, PLAIN])
def test_every_citation_says_how_far_it_was_checked(name: str) -> None:
    preset = load_shipped(name)
    things = [preset, *preset.modes]
    citations = [
        value
        for thing in things
        for field in thing.__dataclass_fields__
        if isinstance(value := getattr(thing, field), Known) and value.source == "cited"
    ]
    assert all("(checked: " in value.reference for value in citations)
