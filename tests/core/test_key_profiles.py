import numpy as np
import pytest

from kelly_live.core.key_profiles import (
    ALBRECHT_SHANAHAN_MAJOR,
    ALBRECHT_SHANAHAN_MINOR,
    KRUMHANSL_KESSLER_MAJOR,
    KRUMHANSL_KESSLER_MINOR,
    MODE_PRIOR,
    key_distributions,
    modal_distributions,
    modal_profiles,
)
from kelly_live.core.values import MODES


@pytest.mark.parametrize(
    ("profile", "third", "other_third"),
    [
        (ALBRECHT_SHANAHAN_MAJOR, 4, 3), (ALBRECHT_SHANAHAN_MINOR, 3, 4),
        (KRUMHANSL_KESSLER_MAJOR, 4, 3), (KRUMHANSL_KESSLER_MINOR, 3, 4),
    ],
)  # fmt: skip
def test_tonic_fifth_and_own_third_weigh_most(profile: tuple[float, ...], third: int, other_third: int) -> None:
    assert len(profile) == 12
    assert profile[0] == max(profile)
    assert profile[third] > 2 * profile[other_third] or profile[third] - profile[other_third] > 2
    assert sorted(range(12), key=lambda degree: -profile[degree])[:3] in ([0, 7, third], [0, third, 7])


def test_published_modes_are_the_tables_themselves() -> None:
    np.testing.assert_array_equal(modal_profiles()[MODES.index("ionian")], ALBRECHT_SHANAHAN_MAJOR)
    np.testing.assert_array_equal(modal_profiles()[MODES.index("aeolian")], ALBRECHT_SHANAHAN_MINOR)
    assert len(MODE_PRIOR) == len(MODES)
    assert sum(MODE_PRIOR) == pytest.approx(1.0)


def test_a_key_is_its_mode_turned_to_its_tonic() -> None:
    keys = key_distributions()
    assert keys.shape == (84, 12)
    np.testing.assert_allclose(keys.sum(axis=1), 1.0)
    dorian = MODES.index("dorian")
    d_dorian = keys[12 * dorian + 2]
    np.testing.assert_array_equal(np.roll(d_dorian, -2), modal_distributions()[dorian])
    assert set(np.argsort(d_dorian)[-7:]) == {0, 2, 4, 5, 7, 9, 11}  # the white keys
