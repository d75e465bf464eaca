"""Choosing by name: an exact match, else words in order; otherwise an error lists the candidates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.errors import MidiError
from kelly_live.core.name_matching import choose, matches

PORTS = ["IAC Driver Bus 1", "IAC Driver Bus 12", "fluidsynth:midi_00", "kelly rec:in"]


def pick(query: str, names: list[str]) -> str:
    return names[choose(query, names, kind="MIDI output", error=MidiError, listing="kelly-live devices")]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("IAC Driver Bus 1", "IAC Driver Bus 1"),
        ("iac driver bus 1", "IAC Driver Bus 1"),
        ("Bus 12", "IAC Driver Bus 12"),
        ("fluid", "fluidsynth:midi_00"),
        ("kelly in", "kelly rec:in"),
    ],
)
def test_a_query_finds_its_port(query: str, name: str) -> None:
    assert pick(query, PORTS) == name


def test_words_match_in_order_only() -> None:
    assert matches("IAC Bus", "IAC Driver Bus 1")
    assert not matches("Bus IAC", "IAC Driver Bus 1")
    assert not matches("bus bus", "IAC Driver Bus 1")


def test_an_ambiguous_name_lists_the_candidates_and_the_command() -> None:
    with pytest.raises(MidiError, match=r"ambiguous: 'IAC Driver Bus 1', 'IAC Driver Bus 12'.*kelly-live devices"):
        pick("IAC Bus", PORTS)


def test_an_unknown_name_lists_the_candidates() -> None:
    with pytest.raises(MidiError, match=r"no MIDI output matches 'Bus 7'.*'kelly rec:in'.*kelly-live devices"):
        pick("Bus 7", PORTS)
    with pytest.raises(MidiError, match="there are: none"):
        pick("anything", [])


@pytest.mark.parametrize("query", ["", "   "])
def test_an_empty_name_is_not_a_wildcard(query: str) -> None:
    with pytest.raises(MidiError, match="is empty"):
        pick(query, PORTS)


def test_two_ports_of_one_name_are_ambiguous() -> None:
    with pytest.raises(MidiError, match="ambiguous"):
        pick("USB", ["USB", "USB"])


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, unique=True), st.data())
def test_the_exact_name_always_finds_its_port(names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names))
    assert pick(name, names) == name
