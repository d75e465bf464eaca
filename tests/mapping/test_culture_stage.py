"""A culture changes the music by its strength; at 0, or where it knows nothing, nothing changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.core.resources import find_resources
from kelly_live.core.values import MODES, CultureStyle, MusicParameters
from kelly_live.cultures.library import CULTURES, load_culture
from kelly_live.cultures.style import create_style_chooser
from kelly_live.lab.nets.culture import convert_adapter_to_numpy
from kelly_live.mapping.culture import CultureStage, load_culture_net
from kelly_live.mapping.mapper import LearnedMapper
from kelly_live.mapping.net import load_mapper_net
from tests.lab.nets.test_culture import make_adapter

NET = load_mapper_net(find_resources("models"))
DORIAN = tuple(float(mode == "dorian") for mode in MODES)


def play(culture: CultureStage | None, emotion: str = "sad") -> MusicParameters:
    return LearnedMapper(NET, culture=culture)(create_state(emotion=emotion))


def test_a_fast_dorian_tradition_makes_sadness_faster_and_more_dorian() -> None:
    plain, with_culture = play(None), play(CultureStage.from_numbers(tempo_bpm=(140, 160, 180), modes=DORIAN))
    assert with_culture.tempo.suggested > plain.tempo.suggested * 1.1
    assert with_culture.modes[1] > plain.modes[1]
    assert with_culture.rhythms == plain.rhythms  # of which it says nothing


def test_the_shipped_traditions_are_glad_at_tempi_of_their_own() -> None:
    """From slow court music to the fast cycles of a concert; sad music is slower than glad music in each."""
    net = load_culture_net(find_resources("models"))
    # What only corpora that are not open say of a tradition is not known to the set `open`.
    known = [name for name in CULTURES if net(np.eye(1, 8), net.index(name))[1].known[0, 0] > 0.0]
    glad, sad = (
        {name: play(CultureStage.from_net(net, name), emotion).tempo.suggested for name in known}
        for emotion in ("happy", "sad")
    )
    assert len(known) >= 14
    order = ["korean-jeongak", "javanese-gamelan", "arab-maqam", "klezmer", "hindustani"]
    tempi = [glad[name] for name in order if name in known]
    assert tempi == sorted(tempi)
    assert max(glad.values()) > 1.8 * min(glad.values())
    assert len({round(tempo) for tempo in glad.values()}) >= 11
    assert all(sad[name] < 0.8 * glad[name] for name in known)


def test_half_the_strength_is_between() -> None:
    full, half, none = (play(CultureStage.from_numbers(s, tempo_bpm=(140, 160, 180))) for s in (1.0, 0.5, 0.0))
    assert none == play(None)
    assert none.tempo.suggested < half.tempo.suggested < full.tempo.suggested


def test_a_clear_emotion_requests_its_mode_and_a_mixed_one_the_common_modes() -> None:
    requests: list[tuple[float, ...]] = []

    def ask(weights: Sequence[float]) -> None:
        requests.append(tuple(weights))

    for place in ((-0.5, 0.5), (0.0, 0.0), (0.5, -0.5)):
        LearnedMapper(NET, culture=CultureStage.from_numbers(choose_style=ask))(create_state(*place))
    dark, between, bright = (dict(zip(MODES, weights, strict=True)) for weights in requests)
    assert all(sum(weights) == pytest.approx(0.0, abs=1e-6) for weights in requests)  # against the average of all seven
    assert dark["aeolian"] > 0.65
    assert bright["ionian"] > 0.75
    assert max(between.values()) < min(dark["aeolian"], bright["ionian"]) + 0.05


def test_a_style_sets_modes_and_accompaniment_in_proportion_to_its_strength() -> None:
    plain = play(None, "angry")

    def play_at(strength: float) -> MusicParameters:
        return play(CultureStage.from_numbers(strength, choose_style=lambda weights: CultureStyle("ours")), "angry")

    full, half, none = (play_at(strength) for strength in (1.0, 0.5, 0.0))
    assert none == plain
    assert full.unrest == 0.0
    assert half.unrest == pytest.approx(0.5 * plain.unrest)
    assert full.modes[0] > half.modes[0] > plain.modes[0]  # anger leans further from major where nobody else chooses


@pytest.mark.parametrize(
    ("name", "happy", "sad"), [("chinese-han-folk", "gong", "yu"), ("persian-dastgah", "mahur", "shur")]
)
def test_features_of_all_modes_choose_no_mode(name: str, happy: str, sad: str) -> None:
    preset = load_culture(name, (find_resources("presets") / "cultures",))
    stage = CultureStage.from_numbers(choose_style=create_style_chooser(preset, None, 1.0))
    styles = [play(stage, emotion).style for emotion in ("happy", "sad")]
    assert [style and style.name for style in styles] == [f"{name}:{happy}", f"{name}:{sad}"]


def test_sadness_chooses_the_minor_mode_of_a_mostly_major_tradition() -> None:
    preset = load_culture("german-folk", (find_resources("presets") / "cultures",))
    stage = CultureStage.from_numbers(choose_style=create_style_chooser(preset, None, 1.0))
    names = {emotion: play(stage, emotion).style for emotion in ("happy", "sad")}
    assert {emotion: style and style.name for emotion, style in names.items()} == {
        "happy": "german-folk:ionian",
        "sad": "german-folk:aeolian",
    }


def test_a_culture_that_knows_nothing_changes_nothing() -> None:
    assert play(CultureStage.from_numbers()) == play(None)


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_learned_culture_re_interprets_by_its_strength(name: str) -> None:
    net, emotions = convert_adapter_to_numpy(make_adapter()), np.eye(8)[:1]
    full, numbers = CultureStage.from_net(net, name)(emotions)
    half, _ = CultureStage.from_net(net, name, 0.5)(emotions)
    np.testing.assert_allclose(half, (emotions + full) / 2)
    assert numbers.tempo_bpm.shape == (1, 3)
