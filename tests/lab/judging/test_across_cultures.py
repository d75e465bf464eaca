"""A tradition that is played as it is felt is heard so; one that plays everything alike is found out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.lab.judging.across_cultures import PLAIN, agreement, judge_cultures
from kelly_live.lab.judging.closed_loop import Composer
from tests.lab.judging.test_closed_loop import composer, hall, symbolic

__all__ = ("hall", "symbolic")  # fixtures


def said(*quadrants: list[int]) -> np.ndarray:
    """Verdicts `[4, pieces, 3]`, the halves as the quadrant has them (Q1 to Q4 are 0 to 3)."""
    heard = np.array(quadrants)
    return np.stack([heard, np.isin(heard, (0, 3)), np.isin(heard, (0, 1))], axis=-1)


def test_agreement_is_counted_against_the_plain_piece_of_the_same_seed_not_against_what_was_meant() -> None:
    plain = said([0, 0, 1, 0], [1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3])
    found = agreement("notes", {PLAIN: plain, "mirror": plain[:, :2], "deaf": said([1, 1], [1, 1], [1, 1], [1, 1])})
    mirror, deaf = found.rows
    assert (mirror.same.value, mirror.intended.value) == (1.0, 1.0)
    assert (deaf.same.right, deaf.intended.right, deaf.same.n) == (2, 2, 8)
    assert (deaf.arousal.right, deaf.valence.right) == (4, 4)
    assert (found.pooled.same.right, found.pooled.same.n) == (10, 16)
    # Of plain's pairs of seeds, (1, 2) and (3, 4), one differs: Q1's second.
    assert (found.ceiling.same.right, found.ceiling.same.n) == (7, 8)
    assert found.ceiling.intended.right == 15
    assert found.allowed(mirror)
    assert not found.allowed(deaf)
    assert found.meant == ((2, 2, 0, 0), (0, 4, 0, 0), (0, 2, 2, 0), (0, 2, 0, 2))
    assert "| deaf | 0.25 (0.07 – 0.59) | 0.25 (0.07 – 0.59) | no | 0.50 | 0.50 |" in found.table()


def test_a_piece_with_too_little_to_judge_is_never_right() -> None:
    plain, silent = said([0, 0], [1, 1], [2, 2], [3, 3]), np.full((4, 2, 3), -1)
    found = agreement("notes", {PLAIN: plain, "silent": silent})
    assert (found.rows[0].same.right, found.rows[0].intended.right, found.rows[0].arousal.right) == (0, 0, 0)
    assert agreement("notes", {PLAIN: silent, "silent": silent}).rows[0].same.right == 0  # nor like another such


def test_a_tradition_that_feels_alike_agrees_and_one_that_means_the_opposite_keeps_only_arousal(
    symbolic: Path, tmp_path: Path, hall: list[Path]
) -> None:
    def judged(**composers: Composer) -> dict[str, object]:
        found = judge_cultures(
            symbolic, tmp_path / "cache", tmp_path / "none", composer(tmp_path), composers,
            pieces=2, plain_pieces=4, workers=1, log=lambda line: None,
        )  # fmt: skip
        assert "notes judge" in found.tables()
        json.dumps(found.as_dict())
        return {row.culture: row for one in found.agreements if one.judge == "notes" for row in one.rows}

    rows = judged(alike=composer(tmp_path), opposite=composer(tmp_path, twist=-1.0))
    assert rows["alike"].same.value == 1.0  # type: ignore[attr-defined]
    opposite = rows["opposite"]
    assert (opposite.same.value, opposite.arousal.value, opposite.valence.value) == (0.0, 1.0, 0.0)  # type: ignore[attr-defined]


def test_there_must_be_a_plain_piece_for_each_of_a_tradition(symbolic: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--pieces must be"):
        judge_cultures(symbolic, tmp_path, tmp_path, composer(tmp_path), {}, pieces=4, plain_pieces=3)
