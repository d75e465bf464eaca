"""A language helps exactly where its listeners hear alike and unlike the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kelly_live.errors import ConfigError
from kelly_live.training.listeners import FILE, RATED, gains_table, language_gains, read_ratings


def made(shift: float) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(1)
    excerpts = rng.uniform(0.3, 0.7, (12, len(RATED)))
    ratings = excerpts + 0.1 * rng.standard_normal((40, 12, len(RATED)))
    ratings[20:] += shift
    return np.clip(ratings, 0, 1), ["xx"] * 20 + ["yy"] * 20


def test_listeners_who_hear_otherwise_are_worth_knowing() -> None:
    *_, overall = language_gains(*made(0.2), repeats=2)
    assert overall.low > 0.2


def test_listeners_who_hear_alike_are_not() -> None:
    gains = language_gains(*made(0.0), repeats=2)
    assert [g.language for g in gains] == ["xx", "yy", "all"]
    assert gains[-1].gain < 0.0
    assert "| all | 40 |" in gains_table(gains)


def test_ratings_are_read_or_refused(tmp_path: Path) -> None:
    head = "user,language," + ",".join(RATED) + ",excerpt\n"
    row = ",".join(["1"] * 5 + ["5"] * 6)
    path = tmp_path / FILE
    path.write_text(head + f"0,xx,{row},joy_1\n1,yy,{row},joy_1\n", encoding="utf-8")
    ratings, languages = read_ratings(path)
    assert (ratings.shape, languages) == ((2, 1, 11), ("xx", "yy"))
    assert ratings[0, 0].tolist() == [0.0] * 5 + [1.0] * 6
    path.write_text(head + f"0,xx,{row},joy_1\n1,yy,{row},sad_1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="every one must have rated all"):
        read_ratings(path)
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="does not hold the ratings' columns"):
        read_ratings(path)
    with pytest.raises(ConfigError, match="cannot read"):
        read_ratings(tmp_path / "missing.tar.xz")
