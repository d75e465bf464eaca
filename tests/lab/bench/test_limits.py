"""The bench of the limits.

Its session sends every kind of action, and its rules find what passes a limit.
"""

from __future__ import annotations

from kelly_live.core.actions import Takes
from kelly_live.core.limits import Limits
from kelly_live.core.midi_messages import note_on
from kelly_live.lab.bench.hostile_plugin import WILD
from kelly_live.lab.bench.limits import CHOICES, STRICT, measure_limits
from kelly_live.lab.bench.limits_rules import check_messages, check_tempos
from kelly_live.midi.ports import RecordedMessage


def test_every_kind_of_value_that_an_action_takes_is_tried() -> None:
    assert set(CHOICES) == set(Takes)


def test_hostile_players_plug_ins_controls_and_clocks_pass_no_limit() -> None:
    """`kelly-live lab bench --only limits` tries 100 000 actions."""
    checks = measure_limits(250, seed=3, hosted=(WILD,))
    assert {check.name: check.passed for check in checks} == dict.fromkeys((check.name for check in checks), 0)
    assert {check.name for check in checks if check.checked} >= {
        "velocity", "loudness rise", "accent", "notes at once", "volume (controller 7)", "tempo rise", "arousal rise",
    }  # fmt: skip


def test_the_same_session_passes_each_limit_where_there_is_none() -> None:
    checks = measure_limits(400, seed=3, limits=Limits(), hosted=())
    passed = {check.name for check in checks if check.passed}
    assert passed >= {"velocity", "accent", "volume (controller 7)", "arousal rise"}


def test_the_rules_find_what_is_just_over_a_limit() -> None:
    assert check_tempos([(0.0, 100.0), (1.0, 100.4)], STRICT).passed == 0
    assert check_tempos([(0.0, 100.0), (1.0, 100.6)], STRICT).passed == 1
    stack = [RecordedMessage(0.0, note_on(1, key, 40)) for key in range(60, 73)]
    passed = [{check.name: check.passed for check in check_messages(stack[:most], STRICT)} for most in (12, 13)]
    assert [checks["notes at once"] for checks in passed] == [0, 1]
