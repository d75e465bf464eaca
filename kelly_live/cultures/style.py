"""From a culture preset to a style: a mode of the tradition, chosen by the emotion, as a CultureStyle."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.key_profiles import modal_profiles
from kelly_live.core.melodic_habits import NO_HABITS, CellTable, MelodicHabits
from kelly_live.core.values import MAX_BAR_BEATS, ORNAMENTS, CultureStyle, Metre, Register, Scale
from kelly_live.cultures.preset import CulturePreset, Known, Mode, Shares

WHOLE = 0.5  # metre and texture, which have no halves, are there from this strength on
_USUAL_DENSITY = 0.8  # notes a beat and ...
_SMALL_CENTS, _REPEAT = (
    260.0,
    0.35,
)  # ... the habit of small steps that the band has by itself (music/style/transitions.py)
FIT = 12.0  # how much a mode's fit with the emotion outweighs how common it is: share × e^(FIT × correlation)
_UNSTATED_SHARE = 0.5  # of the rarest stated one, for a mode whose share is not known
# The kinds that corpora name, as the players' ORNAMENTS.
_KINDS = {
    "grace": "grace", "small note": "grace", "kan grace": "grace", "glissando": "grace", "mordent": "mordent",
    "trill": "trill", "turn": "turn", "tremolo": "tremolo",
}  # fmt: skip
_KIND_DEFAULT = {"downbeat": 0.95, "group": 0.8, "unit": 0.6, "between": 0.15}

StyleChooser = Callable[[Sequence[float]], CultureStyle | None]  # weights over MODES -> how to play


def create_style(
    preset: CulturePreset, mode: Mode | None, emotion_modes: Sequence[float], strength: float = 1.0
) -> CultureStyle | None:
    """Create the style of a preset in a mode, or in the one that suits the emotion's weights over MODES.

    Returns None at strength 0, and where the preset has nothing that a player could use.
    """
    return create_style_chooser(preset, mode, strength)(emotion_modes)


def create_style_chooser(preset: CulturePreset, mode: Mode | None, strength: float) -> StyleChooser:
    """Create a function from the emotion's weights over MODES to the style; each style is made once."""
    if strength <= 0.0:
        return lambda _: None
    if mode is not None:
        only = _create_style(preset, mode, min(strength, 1.0))
        return lambda _: only
    choose = create_mode_chooser(preset)
    styles: dict[str | None, CultureStyle | None] = {}

    def choose_style(emotion_modes: Sequence[float]) -> CultureStyle | None:
        best = choose(emotion_modes)
        name = None if best is None else best.name
        if name not in styles:
            styles[name] = _create_style(preset, best, min(strength, 1.0))
        return styles[name]

    return choose_style


def create_mode_chooser(preset: CulturePreset) -> Callable[[Sequence[float]], Mode | None]:
    """Create a function from weights over MODES to the tradition's mode whose tones fit them best.

    Common modes are favoured. The function returns None if no mode of the tradition has a scale.
    """
    modes = [mode for mode in preset.modes if mode.scale_cents is not None]
    if not modes:
        return lambda _: None
    stated = [mode.share.value for mode in modes if mode.share is not None]
    unstated = _UNSTATED_SHARE * min(stated, default=1.0)
    shares = [unstated if mode.share is None else max(mode.share.value, 1e-4) for mode in modes]
    log_shares, tones = np.log(shares), np.stack([_standardize(_compute_profile(mode)) for mode in modes])
    profiles = modal_profiles()

    def choose(emotion_modes: Sequence[float]) -> Mode | None:
        correlations = tones @ _standardize(np.array(emotion_modes) @ profiles) / 12.0
        return modes[int(np.argmax(log_shares + FIT * correlations))]

    return choose


def _standardize(profile: Floats) -> Floats:
    """Scale to mean 0 and deviation 1; an even profile, which fits every emotion alike, becomes zeros."""
    return np.asarray((profile - profile.mean()) / max(float(profile.std()), 1e-9), dtype=np.float64)


def _compute_profile(mode: Mode) -> Floats:
    """Return a mode's degree weights `[12]`; a tone between two semitones is shared between them."""
    assert mode.scale_cents is not None
    scale = mode.scale_cents.value
    weights = mode.degree_weights.value if mode.degree_weights else (1.0 / len(scale),) * len(scale)
    profile = np.zeros(12)
    for cents, weight in zip(scale, weights, strict=True):
        below, part = divmod(cents / 100.0, 1.0)
        profile[int(below) % 12] += weight * (1.0 - part)
        profile[int(below + 1) % 12] += weight * part
    return profile


def _create_style(preset: CulturePreset, mode: Mode | None, strength: float) -> CultureStyle | None:
    """Create the style of one mode of a tradition (None: all of it)."""
    of: CulturePreset | Mode = preset if mode is None or mode.scale_cents is None else mode
    cents, weights, steps = of.scale_cents, of.degree_weights, of.intervals or preset.intervals
    name = preset.name if mode is None else f"{preset.name}:{mode.name}"
    scale = None if cents is None else Scale(name, blend_tuning(cents.value, strength))
    style = CultureStyle(
        name=name,
        scale=scale,
        degree_weights=() if cents is None or weights is None else _blend_weights(weights.value, strength),
        intervals=() if steps is None or scale is None else _blend_steps(steps.value, strength),
        metres=build_metres(preset) if strength >= WHOLE else (),
        density=None if preset.density is None else _blend_density(preset.density.value, strength),
        ornaments=tuple(strength * rate for rate in _read_ornaments(preset.ornaments)),
        swing_ratio=1.0 if preset.swing_ratio is None else 1.0 + strength * (preset.swing_ratio.value - 1.0),
        texture=None if preset.texture is None or strength < WHOLE else preset.texture.value,
        register=None if preset.register is None else Register(*preset.register.value),
        strength=strength,
        groove="" if preset.groove is None or strength < WHOLE else preset.groove.value,
        habits=_create_habits(None if of is preset else mode, strength),
    )
    silent = CultureStyle(name=name, texture="chordal", strength=strength)
    return None if style in (silent, CultureStyle(name=name, strength=strength)) else style


def _create_habits(mode: Mode | None, strength: float) -> MelodicHabits:
    """Create the habits of a mode's melodies; at less than full strength its cells are less typical."""
    if mode is None or strength < WHOLE:
        return NO_HABITS
    return MelodicHabits(
        contour=() if mode.contour is None else mode.contour.value,
        rests=() if mode.rests is None else mode.rests.value,
        cells=tuple((steps, lift**strength) for steps, lift in _read_cells(mode.cells)),
        cadences=_read_cells(mode.cadences),
    )


def _read_cells(cells: Known[Shares] | None) -> CellTable:
    return () if cells is None else tuple((tuple(map(int, name.split())), number) for name, number in cells.value)


def blend_tuning(cents: tuple[float, ...], strength: float) -> tuple[float, ...]:
    """Tune degrees between their nearest 12-TET neighbours (strength 0) and their own tuning (1)."""
    return tuple(
        c if strength >= 1.0 else nearest + strength * (c - nearest)
        for c in cents
        for nearest in (100.0 * round(c / 100.0),)
    )


def _blend_density(density: float, strength: float) -> float:
    return float(max(0.01, density**strength * _USUAL_DENSITY ** (1.0 - strength)))


def _blend_steps(steps: Shares, strength: float) -> tuple[tuple[float, float], ...]:
    """Mix the tradition's shares of its steps with the band's usual ones."""
    sizes = [float(cents) for cents, _ in steps]
    if strength >= 1.0:
        return tuple((size, share) for size, (_, share) in zip(sizes, steps, strict=True))
    usual = [math.exp(-abs(size) / _SMALL_CENTS) * (_REPEAT if size == 0.0 else 1.0) for size in sizes]
    total = sum(usual)
    return tuple(
        (size, strength * share + (1.0 - strength) * usual_share / total)
        for size, (_, share), usual_share in zip(sizes, steps, usual, strict=True)
    )


def _blend_weights(weights: tuple[float, ...], strength: float) -> tuple[float, ...]:
    total = sum(weights)
    return tuple(strength * weight / total + (1.0 - strength) / len(weights) for weight in weights)


def _read_ornaments(ornaments: Known[Shares] | None) -> tuple[float, ...]:
    rates = dict.fromkeys(ORNAMENTS, 0.0)
    for kind, rate in () if ornaments is None else ornaments.value:
        if kind in _KINDS:
            rates[_KINDS[kind]] += rate
    return tuple(min(1.0, rate) for rate in rates.values())


def build_metres(preset: CulturePreset) -> tuple[Metre, ...]:
    """Build the metres of a preset that a phrase can be made of; their shares sum to 1."""
    if preset.metres is None:
        return ()
    groups = _read_groups(preset)
    profiles = {} if preset.onset_profiles is None else dict(preset.onset_profiles.value)
    plain = {name: profile for name, profile in profiles.items() if " " not in name}
    shapes = {name: _parse_shape(name, groups.get(name)) for name, _ in preset.metres.value}
    places = _average_kinds({n: (shapes[n], profile) for n, profile in plain.items() if shapes.get(n)})
    playable_metres: list[tuple[str, float, float, tuple[int, ...], tuple[float, ...]]] = []
    for name, share in preset.metres.value:
        shape = shapes[name]
        if shape is not None:
            unit, parts = shape
            playable_metres.append((name, share, unit, parts, plain.get(name) or _build_profile(unit, parts, places)))
    total = sum(share for _, share, *_ in playable_metres) or 1.0
    return tuple(
        Metre(name, share / total, unit, parts, profile, tuple(
            (key.split(" ", 1)[1], chances) for key, chances in profiles.items() if key.startswith(f"{name} ")
        ))
        for name, share, unit, parts, profile in playable_metres
    )  # fmt: skip


def _read_groups(preset: CulturePreset) -> dict[str, tuple[int, ...]]:
    """Return the commonest grouping of each metre (they are written in that order)."""
    groupings: dict[str, tuple[int, ...]] = {}
    for name, parts in () if preset.groupings is None else preset.groupings.value:
        groupings.setdefault(name.split(" ", 1)[0], parts)
    return groupings


def _parse_shape(metre: str, groups: tuple[int, ...] | None) -> tuple[float, tuple[int, ...]] | None:
    """Return a metre's unit in beats and its groups, or None if it cannot be played.

    Eighths make a beat in threes (a dotted quarter) by default, and in twos where they are added up: 2+2+2+3.
    """
    match = re.fullmatch(r"(\d{1,3})/(1|2|4|8|16)", metre, re.ASCII)
    if match is None or int(match[1]) < 1:
        return None
    above, small = int(match[1]), int(match[2]) >= 8
    if groups is None or sum(groups) != above:
        if small and above % 3 == 0:
            groups = (3,) * (above // 3)
        else:
            groups = (2,) * (above // 2) + (1,) * (above % 2) if above > 3 else (1,) * above
    unit = 1.0 if not small else 1.0 / 3.0 if set(groups) == {3} else 0.5
    if not 1 <= len(groups) <= 64 or max(groups) > 64:
        return None
    beats = sum(groups) * unit
    counts = [count for count in (1, 2, 4) if abs(count * beats - round(count * beats)) < 1e-6]
    if not counts:
        return None
    cycle_beats = round(counts[0] * beats)
    fits = any(cycle_beats % bars == 0 and cycle_beats // bars <= MAX_BAR_BEATS for bars in (1, 2, 4))
    return (unit, groups) if fits else None


def _classify_place(place: float, unit: float, groups: tuple[int, ...]) -> str:
    """Return the kind of a place in the cycle (in units)."""
    if place == 0.0:
        return "downbeat"
    if any(abs(place - start) < 1e-6 for start in accumulate(groups)):
        return "group"
    return "unit" if abs(place - round(place)) < 1e-6 else "between"


def _average_kinds(
    measured_metres: dict[str, tuple[tuple[float, tuple[int, ...]] | None, tuple[float, ...]]],
) -> dict[str, float]:
    """Return the mean chance of an onset at each kind of place, over the measured metres."""
    chances_by_kind: dict[str, list[float]] = {kind: [] for kind in _KIND_DEFAULT}
    for shape, profile in measured_metres.values():
        assert shape is not None
        unit, groups = shape
        for cell, chance in enumerate(profile):
            chances_by_kind[_classify_place(cell * sum(groups) / len(profile), unit, groups)].append(chance)
    return {
        kind: float(np.mean(chances)) if chances else _KIND_DEFAULT[kind] for kind, chances in chances_by_kind.items()
    }


def _build_profile(unit: float, groups: tuple[int, ...], places: dict[str, float]) -> tuple[float, ...]:
    """Build a profile for a metre that has none, from the tradition's mean for each kind of place."""
    each = 4 if unit == 1.0 else 2
    return tuple(places[_classify_place(cell / each, unit, groups)] for cell in range(sum(groups) * each))
