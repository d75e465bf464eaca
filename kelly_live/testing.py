"""Test your own generator: does it keep the contract, and which notes does it play?

from kelly_live.testing import assert_conforms, make_context, make_parameters, play

def test_it_keeps_the_contract():
    assert_conforms(MyBassLine)

def test_it_begins_on_the_root():
    first, *_ = play(MyBassLine(), make_parameters(), make_context(tonic=0))
    assert first.pitch % 12 == 0

A note effect is checked in the same way. One of another environment or language, in a process of its own:

with ExternalGenerator("my_bass.py", python="/its/venv/bin/python") as bass:
    assert_conforms(bass)
"""

from __future__ import annotations

from kelly_live.generators.conformance import (
    RuleResult,
    assert_conforms,
    check_rules,
    find_faults,
    make_context,
    make_parameters,
    play,
)
from kelly_live.generators.external_generator import ExternalGenerator

__all__ = [
    "ExternalGenerator",
    "RuleResult",
    "assert_conforms",
    "check_rules",
    "find_faults",
    "make_context",
    "make_parameters",
    "play",
]
