"""Pictures of the plane: made of plain values, the same bytes for the same values."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.image import imread

from kelly_live.lab.plots.plane import COLUMNS, Panel, draw_plane

PLACES = {"happy": (0.8, 0.5), "sad": (-0.6, -0.3)}


def panels(count: int) -> list[Panel]:
    slope = np.linspace(0.0, 1.0, 9)
    return [Panel(f"panel {i}", "BPM", slope[:, None] * 60 + slope[None, :] * i) for i in range(count)]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(imread(io.BytesIO(data), format="png"))


def test_the_same_values_give_the_same_picture_and_other_values_another() -> None:
    one, two = draw_plane(panels(2), PLACES, "title", "note"), draw_plane(panels(2), PLACES, "title", "note")
    assert one == two
    assert one != draw_plane(panels(2), {"happy": (0.8, 0.5)}, "title", "note")


def test_more_panels_make_more_rows() -> None:
    short, tall = (pixels(draw_plane(panels(n), PLACES, "title", "note")) for n in (COLUMNS, COLUMNS + 1))
    assert tall.shape[0] > 1.5 * short.shape[0]
    assert tall.shape[1] == short.shape[1]


def test_a_parameter_that_never_changes_is_drawn_too() -> None:
    flat = Panel("flat", "share", np.full((5, 5), 0.5))
    assert pixels(draw_plane([flat], PLACES, "a $ is no formula", "nor is $this$")).std() > 0.0
