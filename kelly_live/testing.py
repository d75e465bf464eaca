"""Test your own generator: does it keep the contract, and which notes does it play?

from kelly_live.testing import assert_conforms, make_context, make_parameters, play

def test_it_keeps_the_contract():
assert_conforms(MyBassLine)

def test_it_begins_on_the_root():
first, *_ = play(MyBassLine(), make_parameters(), make_context(tonic=0))
assert first.pitch % 12 == 0
"""

from __future__ import annotations

from kelly_live.generators.conformance import assert_conforms, find_faults, make_context, make_parameters, play

__all__ = ["assert_conforms", "find_faults", "make_context", "make_parameters", "play"]
