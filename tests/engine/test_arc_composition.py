"""A piece along an arc: given these hit points, the band strikes there, and the sound ends in time."""

from __future__ import annotations

import itertools

import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.engine.composition import compose_piece
from kelly_live.engine.options.commands import ComposeOptions
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.engine.options.override import OverrideOptions
from kelly_live.engine.options.piece import PieceOptions
from kelly_live.engine.performance import FRAME_SECONDS, Performance
from kelly_live.midi.files import encode_midi
from kelly_live.music.arc import SMOOTH, STEP, Arc, ArcChange, ArcPoint, HitPoint

SCENE = Arc(
    (
        ArcPoint(0.0, create_state(emotion="sad"), SMOOTH),
        ArcPoint(22.4, create_state(-0.5, 0.6), STEP),
        ArcPoint(31.3, create_state(emotion="happy")),
    ),
    (HitPoint(12.5, "the letter"), HitPoint(22.4, "the door opens"), HitPoint(31.3, "they embrace")),
    45.0,
)


@pytest.fixture(scope="module")
def scene() -> Performance:
    return compose_piece(ComposeOptions(arc=SCENE, seed=1))


def list_strikes(performance: Performance) -> list[tuple[float, int, int]]:
    """The seconds, channel and velocity of each note-on."""
    ons = (message for message in performance.messages if message.data[0] >> 4 == 9 and message.data[2])
    return [(message.seconds, message.data[0] & 15, message.data[2]) for message in ons]


def test_several_players_strike_each_hit_point_together_and_louder(scene: Performance) -> None:
    strikes = list_strikes(scene)
    for hit in scene.hits:
        at = [one for one in strikes if abs(one[0] - hit.asked_seconds) < 0.001]
        before = [one[2] for one in strikes if hit.asked_seconds - 3.0 < one[0] < hit.asked_seconds - 0.05]
        assert len({channel for _, channel, _ in at}) >= 2
        assert max(velocity for *_, velocity in at) > sum(before) / len(before) + 10
        assert abs(hit.seconds - hit.asked_seconds) < FRAME_SECONDS


def test_the_last_note_is_let_go_at_the_end(scene: Performance) -> None:
    assert scene.end_seconds == 45.0
    offs = [m.seconds for m in scene.messages if m.data[0] >> 4 == 8 or (m.data[0] >> 4 == 9 and not m.data[2])]
    assert max(offs) == pytest.approx(45.0, abs=FRAME_SECONDS)


def test_the_tempo_never_steps_by_more_than_four_in_a_hundred(scene: Performance) -> None:
    bpms = [point.bpm for point in scene.tempo_map.points()]
    assert len(bpms) > 20
    assert all(max(a / b, b / a) <= 1.04 for a, b in itertools.pairwise(bpms))


def test_the_feeling_turns_on_the_hit_point(scene: Performance) -> None:
    by_name = {hit.name: hit for hit in scene.hits}
    turn = by_name["they embrace"].seconds
    emotions = [(one.state.time, one.state.emotion) for one in scene.readings]
    assert next(time for time, emotion in emotions if emotion == "happy") == pytest.approx(turn)
    assert scene.phrases[-1].key.mode == "ionian"


def test_the_same_arc_gives_the_same_bytes(scene: Performance) -> None:
    again = compose_piece(ComposeOptions(arc=SCENE, seed=1))
    files = [encode_midi(one.messages, one.tempo_map, programs={}) for one in (scene, again)]
    assert files[0] == files[1]


def test_a_length_ends_a_piece_without_an_arc() -> None:
    performance = compose_piece(ComposeOptions(override=OverrideOptions(emotion="sad"), length=23.5))
    assert performance.end_seconds == 23.5
    assert performance.hits == ()


def test_an_arc_without_an_end_asks_for_one() -> None:
    arc = Arc((ArcPoint(0.0, create_state(emotion="sad")),))
    with pytest.raises(ConfigError, match="give it an `end`"):
        compose_piece(ComposeOptions(arc=arc))
    assert compose_piece(ComposeOptions(arc=arc, length=8.0)).end_seconds == 8.0


def test_an_unknown_tradition_names_the_line() -> None:
    arc = Arc(
        (ArcPoint(0.0, create_state(emotion="sad")),),
        end=20.0,
        changes=(ArcChange(10.0, culture="atlantis", origin="scene.csv line 4: culture"),),
    )
    with pytest.raises(ConfigError, match=r"scene\.csv line 4: culture: no culture is called 'atlantis'"):
        compose_piece(ComposeOptions(arc=arc))


@pytest.mark.parametrize("culture", ["turkish-makam", "hindustani", "korean-jeongak"])
def test_a_tradition_without_a_kit_strikes_too_and_ends_in_time(culture: str) -> None:
    arc = Arc(
        (ArcPoint(0.0, create_state(emotion="sad")),),
        tuple(HitPoint(second, "hit") for second in (5.3, 6.9, 18.0)),
        20.0,
    )
    performance = compose_piece(ComposeOptions(arc=arc, culture=CultureOptions(culture)))
    strikes = list_strikes(performance)
    for hit in performance.hits:
        assert len({channel for second, channel, _ in strikes if abs(second - hit.asked_seconds) < 0.001}) >= 2
    offs = [m.seconds for m in performance.messages if m.data[0] >> 4 == 8]
    assert max(offs) == pytest.approx(20.0, abs=FRAME_SECONDS)


def test_a_style_that_breaks_off_before_the_last_bar_does_not_miss_a_hit_point_there() -> None:
    arc = Arc((ArcPoint(0.0, create_state(-0.5, 0.5)),), (HitPoint(17.3, "the blade"),), 20.0)
    performance = compose_piece(ComposeOptions(arc=arc, piece=PieceOptions(style="suspense"), seed=3))
    (hit,) = performance.hits
    assert performance.phrases[-1].start_beat - 2.0 <= hit.beat < performance.phrases[-1].start_beat
    struck = {channel for second, channel, _ in list_strikes(performance) if abs(second - hit.asked_seconds) < 0.001}
    assert len(struck) >= 2
