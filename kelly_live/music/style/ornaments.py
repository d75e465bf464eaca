"""A style's ornaments: a note as the short notes that it is played with."""

from __future__ import annotations

from typing import NamedTuple

from kelly_live.core.values import ORNAMENTS, CultureStyle
from kelly_live.music.randomness import rng_for

_ORNAMENT_BEATS = 0.09


class NotePart(NamedTuple):
    """A part of an ornamented note.

    `after` is when it begins, in beats after the note, `length` how many beats it lasts, and `steps` how many scale
    steps it lies above the note.
    """

    after: float
    length: float
    steps: int


_FIGURES: dict[str, tuple[int, ...]] = {
    "grace": (1,), "mordent": (0, -1), "trill": (0, 1, 0, 1), "turn": (1, 0, -1), "tremolo": (0, 0, 0),
}  # fmt: skip
assert tuple(_FIGURES) == ORNAMENTS


def ornament_note(
    style: CultureStyle, seed: int, part: str, beat: float, length: float, *, rising: bool
) -> tuple[NotePart, ...]:
    """Split a note into its ornament and itself, or return the note alone if it is left plain.

    A grace note comes from below where the melody rises. A note that is too short for the figure stays plain.
    """
    draw = rng_for(seed, "ornament", part, round(beat * 48)).random()
    for kind, rate in zip(ORNAMENTS, style.ornaments, strict=True):
        figure = _FIGURES[kind]
        if draw < rate and length > _ORNAMENT_BEATS * (len(figure) + 1.5):
            sign = -1 if rising and kind == "grace" else 1
            shorts = [NotePart(n * _ORNAMENT_BEATS, _ORNAMENT_BEATS, sign * steps) for n, steps in enumerate(figure)]
            start = _ORNAMENT_BEATS * len(figure)
            return (*shorts, NotePart(start, length - start, 0))
        draw -= rate
        if draw < 0.0:
            break
    return (NotePart(0.0, length, 0),)
