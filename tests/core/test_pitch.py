import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.pitch import octave_distance_cents

CENTS = st.integers(-5000, 5000).map(float)


@pytest.mark.parametrize(
    ("pitch", "reference", "distance"),
    [
        (0.0, 0.0, 0.0),
        (700.0, 0.0, -500.0),  # a fifth up is nearer as a fourth down
        (500.0, 0.0, 500.0),
        (1190.0, 10.0, -20.0),
        (10.0, 1190.0, 20.0),
        (600.0, 0.0, -600.0),
        (6102.0, 0.0, 102.0),
    ],
)
def test_the_shorter_way_round_the_octave(pitch: float, reference: float, distance: float) -> None:
    assert octave_distance_cents(pitch, reference) == distance


@given(CENTS, CENTS, st.integers(-4, 4))
def test_octaves_do_not_count(pitch: float, reference: float, octaves: int) -> None:
    distance = octave_distance_cents(pitch, reference)
    assert -600.0 <= distance < 600.0
    assert octave_distance_cents(pitch + 1200.0 * octaves, reference) == distance
    assert (reference + distance - pitch) % 1200.0 == 0.0


def test_arrays_broadcast() -> None:
    distances = octave_distance_cents(np.array([[0.0], [1150.0]]), np.array([0.0, 100.0, 1100.0]))
    np.testing.assert_array_equal(distances, [[0.0, -100.0, 100.0], [-50.0, -150.0, 50.0]])
