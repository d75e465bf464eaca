"""Labels become targets by the stated rules, and a missing label has weight 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.values import EMOTION_VAD, EMOTIONS
from kelly_live.emotion.nets.emotion import LABELS
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.corpora.targets import (
    RATING_PLANES,
    Targets,
    average_bar_ratings,
    compute_quadrant_categories,
    create_clip_targets,
    create_neutral_targets,
)

ANGRY = tuple(float(name == "angry") for name in EMOTIONS)
NEUTRAL = tuple(float(name == "neutral") for name in EMOTIONS)


def make_targets(end: float = 3.0, **labels: object) -> Targets:
    return create_clip_targets([Clip(Path("a.wav"), **labels)], np.array([0]), np.array([end]))  # type: ignore[arg-type]


def test_a_category_sets_emotion_and_label_and_weakly_its_vad() -> None:
    t = make_targets(emotions=ANGRY, emotion_original="angry")
    assert t.emotions_weight[0] == 1.0
    assert t.label[0] == LABELS.index("angry")
    assert t.affect[0] == pytest.approx(EMOTION_VAD["angry"])
    assert list(t.affect_weight[0]) == pytest.approx([0.3, 0.3, 0.3])
    assert t.signs_weight[0] == t.gems_weight[0] == 0.0


def test_calm_is_neutral_but_pleasant_and_quiet() -> None:
    t = make_targets(emotions=NEUTRAL, emotion_original="calm")
    assert t.label[0] == LABELS.index("calm")
    assert t.affect_weight[0].sum() == 0.0
    assert list(t.signs[0]) == [1.0, -1.0]


def test_boredom_is_none_of_the_eight_categories() -> None:
    t = make_targets(emotions=None, emotion_original="boredom")
    assert t.label[0] == LABELS.index("boredom")
    assert t.emotions_weight[0] == 0.0
    assert list(t.signs[0]) == [-1.0, -1.0]


def test_a_quadrant_sets_signs_and_weakly_its_categories() -> None:
    t = make_targets(quadrant="Q2")
    assert list(t.signs[0]) == [-1.0, 1.0]
    assert t.signs_weight[0] == 1.0
    assert t.emotions_weight[0] == pytest.approx(0.2)
    assert {EMOTIONS[i] for i in np.flatnonzero(t.emotions[0])} == {"angry", "fearful", "disgusted"}
    assert t.label[0] == -1


@pytest.mark.parametrize("quadrant", ["Q1", "Q2", "Q3", "Q4"])
def test_quadrant_shares_sum_to_one(quadrant: str) -> None:
    assert compute_quadrant_categories(quadrant).sum() == pytest.approx(1.0)


def test_gems_set_fractions_and_weakly_the_rest() -> None:
    t = make_targets(gems=(0, 0, 0, 0, 0, 0, 0, 0, 0.8))  # all sadness
    assert t.gems_weight[0] == 1.0
    assert t.emotions[0, EMOTIONS.index("sad")] == pytest.approx(1.0)
    assert (t.affect[0, :2] < 0).all()
    assert t.affect_weight[0, 2] == 0.0


def test_bar_ratings_are_averaged_over_the_window() -> None:
    clip = Clip(Path("a.mid"), bar_ratings=((0.0, 0.0), (0.1, 0.2), (0.2, 0.4), (0.9, 0.9)), duration=8.0)
    assert average_bar_ratings(clip, 2.0, 2.0) == pytest.approx((0.05, 0.1))
    assert average_bar_ratings(clip, 100.0) == pytest.approx((0.9, 0.9))
    t = make_targets(end=6.0, bar_ratings=clip.bar_ratings, duration=8.0)
    assert list(t.affect_weight[0]) == [1.0, 1.0, 0.0]
    assert t.emotions_weight[0] == 0.0


def test_vgmidi_ratings_are_projected_onto_the_plane_of_the_quadrants() -> None:
    plane = RATING_PLANES["vgmidi"]
    middle = make_targets(bar_ratings=(plane.centre,), duration=2.0, dataset="vgmidi")
    assert middle.affect[0, :2] == pytest.approx((0.0, 0.0), abs=1e-6)
    one_deviation = tuple(c + 0.5 / g for c, g in zip(plane.centre, plane.gain, strict=True))
    higher = make_targets(bar_ratings=(one_deviation,), duration=2.0, dataset="vgmidi")
    assert higher.affect[0, :2] == pytest.approx((np.tanh(0.5), np.tanh(0.5)), abs=1e-5)
    elsewhere = make_targets(bar_ratings=(one_deviation,), duration=2.0)
    assert elsewhere.affect[0, :2] == pytest.approx(one_deviation, abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "music"),
    [({"quadrant": "Q1"}, 1.0), ({"emotions": ANGRY}, 0.0), ({"emotion_original": "boredom"}, 0.0)],
)
def test_music_and_voice_are_distinguished_where_known(labels: dict[str, object], music: float) -> None:
    t = make_targets(**labels)
    assert (t.music[0], t.music_weight[0]) == (music, 1.0)


def test_no_label_has_weight_zero() -> None:
    t = make_targets()
    assert t.label[0] == -1
    for name in ("emotions_weight", "affect_weight", "signs_weight", "gems_weight", "music_weight"):
        assert getattr(t, name).sum() == 0.0


def test_background_sounds_are_neutral_and_absent() -> None:
    t = create_neutral_targets(2)
    assert (t.emotions.argmax(axis=1) == EMOTIONS.index("neutral")).all()
    assert (t.presence == 0.0).all()
    assert (t.affect == 0.0).all()
