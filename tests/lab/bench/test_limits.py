"""The bench of the limits: its session sends every kind of action, and its rules find what passes a limit."""

from __future__ import annotations

from kelly_live.core.actions import Takes
from kelly_live.core.limits import Limits
from kelly_live.lab.bench.hostile_plugin import WILD
from kelly_live.lab.bench.limits import CHOICES, STRICT, measure_limits
from kelly_live.lab.bench.limits_rules import check_tempos


def test_every_kind_of_value_that_an_action_takes_is_tried() -> None:
    assert set(CHOICES) == set(Takes)


def test_hostile_players_plug_ins_controls_and_clocks_pass_no_limit() -> None:
    """`kelly-live lab bench --only limits` tries 100 000 actions."""
    checks = measure_limits(300, seed=3, hosted=(WILD,))
    assert {check.name: check.passed for check in checks} == dict.fromkeys((check.name for check in checks), 0)
    assert {check.name for check in checks if check.checked} >= {
        "velocity", "loudness rise", "accent", "notes at once", "volume (controller 7)", "tempo rise", "arousal rise",
    }  # fmt: skip


def test_the_same_session_passes_each_limit_where_there_is_none() -> None:
    checks = measure_limits(300, seed=3, limits=Limits(), hosted=())
    passed = {check.name for check in checks if check.passed}
    assert passed >= {"velocity", "accent", "notes at once", "volume (controller 7)", "arousal rise"}
    assert check_tempos([(0.0, 100.0), (1.0, 100.4)], STRICT).passed == 0
    assert check_tempos([(0.0, 100.0), (1.0, 100.6)], STRICT).passed == 1
