"""Each fuzzing target takes its own seeds, and a damaged seed raises nothing but KellyError."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_accepted(name: str) -> None:
    seeds = list(TARGETS[name].seeds())
    assert seeds
    assert all(TARGETS[name].feed(seed) for seed in seeds)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage_is_refused_in_a_line(name: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(list(TARGETS[name].seeds())))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(seed)))
        gone = data.draw(st.integers(0, 8))
        seed = seed[:at] + data.draw(st.binary(max_size=8)) + seed[at + gone :]
    TARGETS[name].feed(seed)
