"""Agreement across cultures: a faithful tradition agrees with plain music, a constant one does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.lab.judging.across_cultures import PLAIN, compute_agreement, judge_cultures
from kelly_live.lab.judging.closed_loop import Composer
from tests.lab.judging.test_closed_loop import make_composer, rendered_files, symbolic

__all__ = ("rendered_files", "symbolic")  # fixtures


def make_judgements(*quadrants: list[int]) -> np.ndarray:
    """Judgements `[4, pieces, 3]`, the halves as the quadrant has them (Q1 to Q4 are 0 to 3)."""
    kinds = np.array(quadrants)
    return np.stack([kinds, np.isin(kinds, (0, 3)), np.isin(kinds, (0, 1))], axis=-1)


def test_agreement_compares_with_the_plain_piece_of_the_same_seed_not_with_the_intention() -> None:
    plain = make_judgements([0, 0, 1, 0], [1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3])
    agreement = compute_agreement(
        "notes", {PLAIN: plain, "mirror": plain[:, :2], "constant": make_judgements([1, 1], [1, 1], [1, 1], [1, 1])}
    )
    mirror, constant = agreement.rows
    assert (mirror.same.value, mirror.intended.value) == (1.0, 1.0)
    assert (constant.same.right, constant.intended.right, constant.same.n) == (2, 2, 8)
    assert (constant.arousal.right, constant.valence.right) == (4, 4)
    assert (agreement.pooled.same.right, agreement.pooled.same.n) == (10, 16)
    # Of plain's pairs of seeds, (1, 2) and (3, 4), one differs: Q1's second.
    assert (agreement.ceiling.same.right, agreement.ceiling.same.n) == (7, 8)
    assert agreement.ceiling.intended.right == 15
    assert agreement.reaches_ceiling(mirror)
    assert not agreement.reaches_ceiling(constant)
    assert agreement.confusion == ((2, 2, 0, 0), (0, 4, 0, 0), (0, 2, 2, 0), (0, 2, 0, 2))
    assert "| constant | 0.25 (0.07 – 0.59) | 0.25 (0.07 – 0.59) | no | 0.50 | 0.50 |" in agreement.format_table()


def test_a_piece_with_too_little_to_judge_is_never_right() -> None:
    plain, silent = make_judgements([0, 0], [1, 1], [2, 2], [3, 3]), np.full((4, 2, 3), -1)
    agreement = compute_agreement("notes", {PLAIN: plain, "silent": silent})
    assert (agreement.rows[0].same.right, agreement.rows[0].intended.right, agreement.rows[0].arousal.right) == (
        0,
        0,
        0,
    )
    assert (
        compute_agreement("notes", {PLAIN: silent, "silent": silent}).rows[0].same.right == 0
    )  # nor like another such


def test_an_alike_tradition_agrees_and_one_with_opposite_valence_keeps_only_arousal(
    symbolic: Path, tmp_path: Path, rendered_files: list[Path]
) -> None:
    def judge(**composers: Composer) -> dict[str, object]:
        comparison = judge_cultures(
            symbolic, tmp_path / "cache", tmp_path / "none", make_composer(tmp_path), composers,
            pieces=2, plain_pieces=4, workers=1, log=lambda line: None,
        )  # fmt: skip
        assert "notes judge" in comparison.format_tables()
        json.dumps(comparison.as_dict())
        return {row.culture: row for one in comparison.agreements if one.judge == "notes" for row in one.rows}

    rows = judge(alike=make_composer(tmp_path), opposite=make_composer(tmp_path, twist=-1.0))
    assert rows["alike"].same.value == 1.0  # type: ignore[attr-defined]
    opposite = rows["opposite"]
    assert (opposite.same.value, opposite.arousal.value, opposite.valence.value) == (0.0, 1.0, 0.0)  # type: ignore[attr-defined]


def test_each_piece_of_a_tradition_needs_a_plain_piece(symbolic: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--pieces must be"):
        judge_cultures(symbolic, tmp_path, tmp_path, make_composer(tmp_path), {}, pieces=4, plain_pieces=3)
