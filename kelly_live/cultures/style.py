"""From a preset to what players are told: one mode of a tradition as a CultureStyle, and which mode a feeling asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from kelly_live.core.key_profiles import modal_profiles
from kelly_live.core.values import MAX_BAR_BEATS, ORNAMENTS, CultureStyle, Metre, Register, Scale
from kelly_live.cultures.preset import CulturePreset, Known, Mode, Shares

Floats = npt.NDArray[np.float64]

WHOLE = 0.5  # what cannot be had by halves, metre and texture, is there from this strength on
_USUAL_DENSITY = 0.8  # notes a beat and ...
_SMALL_CENTS, _REPEAT = 260.0, 0.35  # ... the habit of small steps that players have of their own (music/style.py)
FIT = 12.0  # how much a mode's fit with the feeling outweighs how common it is: share × e^(FIT × correlation)
_UNSTATED_SHARE = 0.5  # of the rarest stated one, for a mode that nobody counted
# The kinds that corpora name, as the players' ORNAMENTS.
_KINDS = {
    "grace": "grace", "small note": "grace", "kan grace": "grace", "glissando": "grace", "mordent": "mordent",
    "trill": "trill", "turn": "turn", "tremolo": "tremolo",
}  # fmt: skip
_KIND_DEFAULT = {"downbeat": 0.95, "group": 0.8, "unit": 0.6, "between": 0.15}

StyleChooser = Callable[[Sequence[float]], CultureStyle | None]  # weights over MODES -> how to play


def style_of(
    preset: CulturePreset, mode: Mode | None, emotion_modes: Sequence[float], strength: float = 1.0
) -> CultureStyle | None:
    """How `preset` plays in `mode`, or in the one that suits the feeling's weights over MODES; None at strength 0 and
    where the preset says nothing that a player could use.
    """
    return chooser(preset, mode, strength)(emotion_modes)


def chooser(preset: CulturePreset, mode: Mode | None, strength: float) -> StyleChooser:
    """`style_of` with everything but the feeling given; what does not depend on it is made once."""
    if strength <= 0.0:
        return lambda _: None
    if mode is not None:
        only = _style(preset, mode, min(strength, 1.0))
        return lambda _: only
    choose = mode_chooser(preset)
    made: dict[str | None, CultureStyle | None] = {}

    def chosen(emotion_modes: Sequence[float]) -> CultureStyle | None:
        best = choose(emotion_modes)
        name = None if best is None else best.name
        if name not in made:
            made[name] = _style(preset, best, min(strength, 1.0))
        return made[name]

    return chosen


def mode_chooser(preset: CulturePreset) -> Callable[[Sequence[float]], Mode | None]:
    """Weights over MODES to the tradition's mode whose tones fit them best, common ones favoured; None if no mode of it
    has a scale.
    """
    modes = [mode for mode in preset.modes if mode.scale_cents is not None]
    if not modes:
        return lambda _: None
    stated = [mode.share.value for mode in modes if mode.share is not None]
    unstated = _UNSTATED_SHARE * min(stated, default=1.0)
    shares = [unstated if mode.share is None else max(mode.share.value, 1e-4) for mode in modes]
    log_shares, tones = np.log(shares), np.stack([_standard(_tones(mode)) for mode in modes])
    profiles = modal_profiles()

    def choose(emotion_modes: Sequence[float]) -> Mode | None:
        correlations = tones @ _standard(np.array(emotion_modes) @ profiles) / 12.0
        return modes[int(np.argmax(log_shares + FIT * correlations))]

    return choose


def _standard(profile: Floats) -> Floats:
    """With mean 0 and deviation 1; an even profile, which fits every feeling alike, as zeros."""
    return np.asarray((profile - profile.mean()) / max(float(profile.std()), 1e-9), dtype=np.float64)


def _tones(mode: Mode) -> Floats:
    """`[12]` a mode's degree weights; a tone between two semitones is shared out between them."""
    assert mode.scale_cents is not None
    scale = mode.scale_cents.value
    weights = mode.degree_weights.value if mode.degree_weights else (1.0 / len(scale),) * len(scale)
    profile = np.zeros(12)
    for cents, weight in zip(scale, weights, strict=True):
        below, part = divmod(cents / 100.0, 1.0)
        profile[int(below) % 12] += weight * (1.0 - part)
        profile[int(below + 1) % 12] += weight * part
    return profile


def _style(preset: CulturePreset, mode: Mode | None, strength: float) -> CultureStyle | None:
    """One mode of a tradition (None: all of it) as a CultureStyle."""
    of: CulturePreset | Mode = preset if mode is None or mode.scale_cents is None else mode
    cents, weights, steps = of.scale_cents, of.degree_weights, of.intervals or preset.intervals
    name = preset.name if mode is None else f"{preset.name}:{mode.name}"
    scale = None if cents is None else Scale(name, tuned(cents.value, strength))
    style = CultureStyle(
        name=name,
        scale=scale,
        degree_weights=() if cents is None or weights is None else _towards_even(weights.value, strength),
        intervals=() if steps is None or scale is None else _towards_small_steps(steps.value, strength),
        metres=metres_of(preset) if strength >= WHOLE else (),
        density=None if preset.density is None else _towards_usual(preset.density.value, strength),
        ornaments=tuple(strength * rate for rate in _ornaments(preset.ornaments)),
        swing_ratio=1.0 if preset.swing_ratio is None else 1.0 + strength * (preset.swing_ratio.value - 1.0),
        texture=None if preset.texture is None or strength < WHOLE else preset.texture.value,
        register=None if preset.register is None else Register(*preset.register.value),
        strength=strength,
    )
    silent = CultureStyle(name=name, texture="chordal", strength=strength)
    return None if style in (silent, CultureStyle(name=name, strength=strength)) else style


def tuned(cents: tuple[float, ...], strength: float) -> tuple[float, ...]:
    """Degrees between their nearest 12-TET neighbours (strength 0) and their own tuning (1)."""
    return tuple(
        c if strength >= 1.0 else near + strength * (c - near) for c in cents for near in (100.0 * round(c / 100.0),)
    )


def _towards_usual(density: float, strength: float) -> float:
    return float(max(0.01, density**strength * _USUAL_DENSITY ** (1.0 - strength)))


def _towards_small_steps(steps: Shares, strength: float) -> tuple[tuple[float, float], ...]:
    """The tradition's shares of its steps, mixed with those that players have of their own."""
    sizes = [float(cents) for cents, _ in steps]
    if strength >= 1.0:
        return tuple((size, share) for size, (_, share) in zip(sizes, steps, strict=True))
    usual = [math.exp(-abs(size) / _SMALL_CENTS) * (_REPEAT if size == 0.0 else 1.0) for size in sizes]
    total = sum(usual)
    return tuple(
        (size, strength * share + (1.0 - strength) * own / total)
        for size, (_, share), own in zip(sizes, steps, usual, strict=True)
    )


def _towards_even(weights: tuple[float, ...], strength: float) -> tuple[float, ...]:
    total = sum(weights)
    return tuple(strength * weight / total + (1.0 - strength) / len(weights) for weight in weights)


def _ornaments(known: Known[Shares] | None) -> tuple[float, ...]:
    rates = dict.fromkeys(ORNAMENTS, 0.0)
    for kind, rate in () if known is None else known.value:
        if kind in _KINDS:
            rates[_KINDS[kind]] += rate
    return tuple(min(1.0, rate) for rate in rates.values())


def metres_of(preset: CulturePreset) -> tuple[Metre, ...]:
    """The metres of a preset that a phrase can be made of, their shares over them summing to 1."""
    if preset.metres is None:
        return ()
    groups = _groups(preset)
    profiles = {} if preset.onset_profiles is None else dict(preset.onset_profiles.value)
    plain = {name: profile for name, profile in profiles.items() if " " not in name}
    shapes = {name: _shape(name, groups.get(name)) for name, _ in preset.metres.value}
    places = _kinds_of_place({n: (shapes[n], profile) for n, profile in plain.items() if shapes.get(n)})
    made: list[tuple[str, float, float, tuple[int, ...], tuple[float, ...]]] = []
    for name, share in preset.metres.value:
        shape = shapes[name]
        if shape is not None:
            unit, parts = shape
            made.append((name, share, unit, parts, plain.get(name) or _built(unit, parts, places)))
    total = sum(share for _, share, *_ in made) or 1.0
    return tuple(
        Metre(name, share / total, unit, parts, profile, tuple(
            (key.split(" ", 1)[1], chances) for key, chances in profiles.items() if key.startswith(f"{name} ")
        ))
        for name, share, unit, parts, profile in made
    )  # fmt: skip


def _groups(preset: CulturePreset) -> dict[str, tuple[int, ...]]:
    """The commonest grouping of each metre (they are written in that order)."""
    found: dict[str, tuple[int, ...]] = {}
    for name, parts in () if preset.groupings is None else preset.groupings.value:
        found.setdefault(name.split(" ", 1)[0], parts)
    return found


def _shape(metre: str, groups: tuple[int, ...] | None) -> tuple[float, tuple[int, ...]] | None:
    """A metre's unit in beats and its groups, or None if it cannot be played here. Eighths make the beat in threes (a
    dotted quarter) where nothing says otherwise, and in twos where they are added up: 2+2+2+3.
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
    whole = round(counts[0] * beats)
    fits = any(whole % bars == 0 and whole // bars <= MAX_BAR_BEATS for bars in (1, 2, 4))
    return (unit, groups) if fits else None


def _kind(place: float, unit: float, groups: tuple[int, ...]) -> str:
    """What a place of the measure (units) is."""
    if place == 0.0:
        return "downbeat"
    if any(abs(place - start) < 1e-6 for start in accumulate(groups)):
        return "group"
    return "unit" if abs(place - round(place)) < 1e-6 else "between"


def _kinds_of_place(
    measured: dict[str, tuple[tuple[float, tuple[int, ...]] | None, tuple[float, ...]]],
) -> dict[str, float]:
    """The mean chance of an onset at each kind of place, over the metres whose profile was measured."""
    found: dict[str, list[float]] = {kind: [] for kind in _KIND_DEFAULT}
    for shape, profile in measured.values():
        assert shape is not None
        unit, groups = shape
        for cell, chance in enumerate(profile):
            found[_kind(cell * sum(groups) / len(profile), unit, groups)].append(chance)
    return {kind: float(np.mean(chances)) if chances else _KIND_DEFAULT[kind] for kind, chances in found.items()}


def _built(unit: float, groups: tuple[int, ...], places: dict[str, float]) -> tuple[float, ...]:
    """A profile for a metre that has none: the tradition's own mean for each kind of place."""
    each = 4 if unit == 1.0 else 2
    return tuple(places[_kind(cell / each, unit, groups)] for cell in range(sum(groups) * each))
