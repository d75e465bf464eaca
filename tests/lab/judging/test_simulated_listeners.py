"""Simulated listeners: a profile that learns nothing gains nothing, and one that learns gains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import find_resources
from kelly_live.lab.judging import simulated_listeners as simulated
from kelly_live.lab.judging.simulated_listeners import (
    COUNTS,
    _draw_state,
    _PreferenceTrial,
    _SimulatedListener,
    format_learning,
    format_spillovers,
)
from kelly_live.lab.plots.learning import Curve, draw_learning
from kelly_live.mapping.net import USER_DIM, load_mapper_net
from kelly_live.mapping.taste import play_values
from kelly_live.profiles.reaction import PLAYED_PARAMETERS, WORDS

NET = load_mapper_net(find_resources("models"))


@pytest.mark.parametrize("population", simulated.POPULATIONS)
def test_the_preferred_parameters_agree_on_every_pair(population: str) -> None:
    rng = np.random.default_rng(3)
    person = _SimulatedListener(NET, population, rng)
    trial = _PreferenceTrial(NET, person, rng)
    assert 0.3 < trial.measure_agreement(np.zeros(USER_DIM)) < 1.0
    assert np.array_equal(trial._find_nearer(person.compute_preferences(trial._states)), trial._better)


def test_a_listener_reacts_to_the_largest_error() -> None:
    """Most reactions to music at twice the preferred tempo name the tempo."""
    rng = np.random.default_rng(5)
    person, state = _SimulatedListener(NET, "rules", rng), _draw_state(rng)
    preferred = person.compute_preferences([state])[0]
    parameters = [
        2.0**w if name in ("tempo", "density") else w for name, w in zip(PLAYED_PARAMETERS, preferred, strict=True)
    ]
    parameters[0] = min(parameters[0] * 2.0, 300.0)
    reactions = [person.react(state, parameters, rng) for _ in range(40)]
    about_tempo = [
        one for one in reactions if one.kind == "too-fast" or (one.parameter == "tempo" and one.value < parameters[0])
    ]
    assert len(about_tempo) > 30
    assert {one.kind for one in reactions} - {"too-fast", "wish", "like", "dislike"} <= set(WORDS)


def test_a_taste_is_learned_and_reported() -> None:
    rows = simulated.simulate(NET, "songs", listeners=3, seed=2)
    assert [row.reactions for row in rows] == list(COUNTS)
    assert rows[-1].over_none.value > 0.05
    for row in rows:
        assert 0.0 <= row.agreement.low <= row.agreement.value <= row.agreement.high <= 1.0
    assert format_learning(rows).count("songs, 3") == len(COUNTS)
    points = tuple((row.agreement.value, row.agreement.low, row.agreement.high) for row in rows)
    alone = draw_learning([Curve("songs", COUNTS, points, 0.7)])
    assert alone.startswith(b"\x89PNG")
    assert draw_learning([Curve("songs", COUNTS, points, 0.7, (0.7, 0.7, 0.7, 0.7))]) != alone


def test_reactions_to_sad_alone_move_sad_alone() -> None:
    """Reactions to sad move other emotions by less than a noticeable difference.

    In a target's errors, about two just noticeable differences: what the others move is under one, and by the mean
    under a tenth of what sad moves.
    """
    rows = simulated.measure_spillovers(NET)
    assert all(row.own > row.most >= row.others for row in rows)
    assert all(row.most < 0.5 for row in rows)
    assert all(row.others < 0.1 * row.own for row in rows)
    assert format_spillovers(rows).count("|") > 20


def test_one_taste_for_each_state_is_played_as_alone() -> None:
    rng = np.random.default_rng(1)
    states = [_draw_state(rng) for _ in range(3)]
    tastes = rng.standard_normal((3, USER_DIM))
    together = play_values(NET, tastes, states, PLAYED_PARAMETERS)
    alone = np.concatenate(
        [play_values(NET, taste, [state], PLAYED_PARAMETERS) for taste, state in zip(tastes, states, strict=True)]
    )
    assert np.allclose(together, alone, atol=1e-5)


def test_like_agreement_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "likes.csv"
    path.write_text("track id,liked,disliked\n1,1,0\n1,1,0\n1,0,1\n2,0,0\n")
    real = simulated.read_like_agreement(path)
    assert (real.ratings, real.tracks, real.liked) == (4, 1, 0.5)
    assert real.agreement == pytest.approx(1 / 3)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="Emotify"):
        simulated.read_like_agreement(path)
