"""What is fixed by hand stays, whatever the emotion; the rest is the mapper's."""

from kelly_live.mapping.constraints import Constraints
from tests.music.band import make_parameters


def test_nothing_fixed_changes_nothing() -> None:
    parameters = make_parameters()
    assert Constraints().apply(parameters) is parameters


def test_a_fixed_mode_tempo_and_groove_stay() -> None:
    held = Constraints("dorian", 96.0, "swing").apply(make_parameters(bpm=140.0, mode="ionian"))
    assert held.mode == "dorian"
    assert max(held.modes) == 1.0
    assert (held.tempo.minimum, held.tempo.suggested, held.tempo.maximum) == (96.0, 96.0, 96.0)
    assert held.groove == "swing"
    assert held.density == make_parameters().density


def test_an_empty_groove_is_the_plain_band() -> None:
    swinging = Constraints(groove="swing").apply(make_parameters())
    assert Constraints(groove="").apply(swinging).groove == ""
    assert Constraints().apply(swinging).groove == "swing"
