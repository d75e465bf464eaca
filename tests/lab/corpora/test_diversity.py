"""Diversity: entropies by hand, weights by the stated rule, recommendations that reach the goal."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.lab.corpora.diversity import DatasetDiversityManager, compute_entropy
from kelly_live.lab.corpora.manifest import Clip

HAPPY, SAD = ((1.0, 0, 0, 0, 0, 0, 0, 0), (0.0, 1.0, 0, 0, 0, 0, 0, 0))


def make_clips(*kinds: tuple[str | None, tuple[float, ...] | None, bool | None]) -> list[Clip]:
    return [
        Clip(Path(f"{i}.wav"), culture=c, emotions=e, is_genuine=g, language="xx", duration=2.0)
        for i, (c, e, g) in enumerate(kinds)
    ]


def test_entropy_by_hand() -> None:
    assert compute_entropy([1, 1, 1, 1]) == pytest.approx(math.log(4))
    assert compute_entropy([5]) == 0.0
    assert compute_entropy([]) == 0.0


def test_the_report_by_hand() -> None:
    report = DatasetDiversityManager(
        make_clips(("A", HAPPY, True), ("A", HAPPY, False), ("A", SAD, False), ("B", SAD, None), (None, None, None))
    ).analyze_diversity()
    assert report.num_cultures == 2
    assert report.cultural_entropy == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert report.cultural_balance == pytest.approx(1 / 3)
    assert report.emotion_entropy == pytest.approx(math.log(2))
    assert report.emotion_entropy_normalised == pytest.approx(math.log(2) / math.log(8))
    assert report.genuine_ratio == pytest.approx(1 / 3)
    assert (report.num_languages, report.language_entropy, report.duration_diversity) == (1, 0.0, 0.0)
    assert (report.clips_without_culture, report.clips_without_emotions, report.clips_without_genuine) == (1, 1, 2)


def test_weights_follow_the_rule() -> None:
    weights = DatasetDiversityManager(
        make_clips(("A", HAPPY, False), ("A", HAPPY, False), ("A", SAD, True), ("B", HAPPY, False))
    ).get_sampling_weights()
    assert weights.mean() == pytest.approx(1.0)
    assert weights[3] / weights[0] == pytest.approx(3.0)  # culture B is three times rarer
    assert weights[2] / weights[0] == pytest.approx(3.0 * 2.0)  # sad is three times rarer, and it is genuine


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A", "B", None]), st.sampled_from([HAPPY, SAD, None]), st.sampled_from([True, False, None])
        ),
        min_size=1,
        max_size=40,
    )
)
def test_weights_are_positive_with_mean_one(kinds: list) -> None:
    weights = DatasetDiversityManager(make_clips(*kinds)).get_sampling_weights()
    assert (weights > 0).all()
    assert weights.mean() == pytest.approx(1.0)


@given(st.integers(1, 300), st.integers(0, 300))
def test_the_recommended_genuine_clips_reach_the_goal(acted_count: int, genuine_count: int) -> None:
    manager = DatasetDiversityManager(
        make_clips(*[("A", HAPPY, False)] * acted_count, *[("A", HAPPY, True)] * genuine_count)
    )
    advice = [r for r in manager.recommend_data_collection() if r.type == "genuine"]
    if genuine_count / (acted_count + genuine_count) >= 0.3:
        assert not advice
    else:
        x = advice[0].needed_samples
        assert (genuine_count + x) / (acted_count + genuine_count + x) >= 0.3 - 1e-9
        assert (genuine_count + x - 1) / (acted_count + genuine_count + x - 1) < 0.3


def test_rare_cultures_and_emotions_are_recommended() -> None:
    kinds = [("A", HAPPY, True)] * 8 + [("B", SAD, True)] * 8 + [("C", HAPPY, True)]
    advice = {(r.type, r.target): r for r in DatasetDiversityManager(make_clips(*kinds)).recommend_data_collection()}
    assert advice["culture", "C"].needed_samples == 3
    assert advice["culture", "C"].priority == "high"
    assert ("emotion", "angry") in advice
    assert ("emotion", "happy") not in advice


def test_no_clip_means_no_weights() -> None:
    assert np.array_equal(DatasetDiversityManager([]).get_sampling_weights(), np.zeros(0))
