"""Agreement of judges on the same emotions played in every culture.

A piece of a culture is compared with the intended quadrant, and with the plain piece of the same emotion and seed. The
ceiling is measured beside it: how often two plain pieces of one emotion and different seeds are judged as the same
quadrant. No culture can be held to more. The judges learned from pianists in 12-TET: the notes judge reads the nearest
keys, so that a quarter-tone becomes a semitone or none, and the audio judges perceive it as a piano out of tune. Where
a culture has neither major nor minor, their judgement of valence means little. Their judgement of arousal (pace,
density, force, register) does not depend on the tuning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.manifest import QUADRANTS
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS
from kelly_live.lab.intervals import compute_wilson_interval
from kelly_live.lab.judging.closed_loop import (
    CENTRE,
    JUDGES,
    Composer,
    JudgeInput,
    Log,
    compose_pieces,
    extract_all,
    fit_judge_to_clips,
    read_emopia,
    select_rows,
)
from kelly_live.lab.judging.judges import Judge

PLAIN = "western"
ARRANGEMENT = "piano"  # the one instrument that the judges know
# [n, 3]: quadrant 0-3 (-1: not judged); 1 where valence, and where arousal, is judged above 0.
JudgedPieces = np.ndarray


@dataclass(frozen=True, slots=True)
class Share:
    """`right` of `n` pieces, with its 95 % interval (Wilson)."""

    right: int
    n: int

    @property
    def value(self) -> float:
        """The share of right pieces."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the 95 % interval."""
        return compute_wilson_interval(self.right, self.n)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.2f} ({low:.2f} – {high:.2f})"


@dataclass(frozen=True, slots=True)
class CultureRow:
    """The shares of one culture and one judge.

    `intended` are pieces judged as the intended quadrant. `same`, `arousal` and `valence` are pieces judged as the same
    quadrant, arousal half and valence half as the plain piece of the same emotion and seed.
    """

    culture: str
    intended: Share
    same: Share
    arousal: Share
    valence: Share


@dataclass(frozen=True, slots=True)
class Agreement:
    """The result of one judge.

    `ceiling` compares plain pieces with plain ones of another seed; `pooled` puts the cultures together; `confusion`
    counts how each quadrant (rows) is judged (columns) in all of them.
    """

    judge: str
    ceiling: CultureRow
    pooled: CultureRow
    rows: tuple[CultureRow, ...]
    confusion: tuple[tuple[int, ...], ...]

    def reaches_ceiling(self, row: CultureRow) -> bool:
        """Return whether a row's agreement may be as high as the ceiling, given its interval."""
        return row.same.interval[1] >= self.ceiling.same.value

    def format_table(self) -> str:
        """Format the rows as Markdown."""
        lines = [
            f"| {self.judge} judge | as intended | as {PLAIN} | reaches the ceiling | arousal half | valence half |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {row.culture} | {row.intended} | {row.same} | {'yes' if self.reaches_ceiling(row) else 'no'} "
            f"| {row.arousal.value:.2f} | {row.valence.value:.2f} |"
            for row in (*self.rows, self.pooled)
        ]
        ceiling = self.ceiling
        lines.append(
            f"| {ceiling.culture} | {ceiling.intended} | {ceiling.same} | ceiling "
            f"| {ceiling.arousal.value:.2f} | {ceiling.valence.value:.2f} |"
        )
        judgements = "; ".join(
            f"{name} as {' '.join(f'{other} {count}' for other, count in zip(QUADRANTS, counts, strict=True) if count)}"
            for name, counts in zip(QUADRANTS, self.confusion, strict=True)
        )
        met = sum(self.reaches_ceiling(row) for row in self.rows)
        return "\n".join([*lines, "", f"{met} of {len(self.rows)} reach the ceiling; in all cultures: {judgements}."])


@dataclass(frozen=True, slots=True)
class CultureComparison:
    """The agreements of all judges."""

    agreements: tuple[Agreement, ...]

    def format_tables(self) -> str:
        """Format the tables of all judges as Markdown."""
        return "\n\n".join(compute_agreement.format_table() for compute_agreement in self.agreements)

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        return asdict(self)


def judge_cultures(
    symbolic: Path,
    cache: Path,
    emotion_net: Path,
    plain: Composer,
    cultures: Mapping[str, Composer],
    *,
    pieces: int = 12,
    plain_pieces: int = 40,
    first_seed: int = 1,
    workers: int = 2,
    log: Log = print,
) -> CultureComparison:
    """Fit the judges on EMOPIA's train part, and judge `pieces` a quadrant of each culture.

    `plain_pieces` a quadrant of the plain music are judged beside them; seeds count from `first_seed`. All are rendered
    with the held-out soundfont.

    Raises:
        KellyError: EMOPIA's scores cannot be read, or `plain_pieces` is less than `pieces`.
    """
    if plain_pieces < max(pieces, 2):
        raise ConfigError(
            f"{plain_pieces} plain pieces a quadrant cannot stand beside {pieces} of each tradition; --pieces must be "
            "at least --culture-pieces, and 2 or more"
        )
    train = read_emopia(symbolic)["train"]
    centres = [(CENTRE * v, CENTRE * a) for v, a in QUADRANTS.values()]
    composers = {PLAIN: plain, **cultures}
    jobs: dict[str, list[JudgeInput]] = {
        "notes/train": [JudgeInput(clip.audio_path, None) for clip in train],
        "audio/train": [JudgeInput(clip.audio_path, SOUNDFONTS[i % len(SOUNDFONTS)]) for i, clip in enumerate(train)],
    }
    for name, compose in composers.items():
        seeds = range(first_seed, first_seed + (plain_pieces if name == PLAIN else pieces))
        culture_pieces = compose_pieces(centres, seeds, compose, cache)
        jobs[f"notes/{name}"] = [JudgeInput(piece.files[ARRANGEMENT], None) for piece in culture_pieces]
        jobs[f"audio/{name}"] = [JudgeInput(piece.files[ARRANGEMENT], HELD_OUT_SOUNDFONT) for piece in culture_pieces]
    log(f"composed {sum(map(len, jobs.values())) // 2 - len(train)} pieces in {len(composers)} traditions")
    rows = extract_all(jobs, emotion_net, cache, workers, log)
    agreements = []
    for judge_name, feature_kind, part in JUDGES:
        judge = fit_judge_to_clips(rows[f"{feature_kind}/train"], train, part)
        judgements = {
            name: judge_rows(judge, rows[f"{feature_kind}/{name}"], part).reshape(len(centres), -1, 3)
            for name in composers
        }
        agreements.append(compute_agreement(judge_name, judgements))
    return CultureComparison(tuple(agreements))


def judge_rows(judge: Judge, rows: Sequence[Floats | None], part: slice) -> JudgedPieces:
    """Judge each row; -1 throughout where there was too little to judge, which is then never right."""
    result = np.full((len(rows), 3), -1)
    row_indices, features = select_rows(rows, part)
    answers = judge.predict(features)
    result[row_indices] = np.stack([answers.quadrant, answers.valence > 0.0, answers.arousal > 0.0], axis=1)
    return result


def compute_agreement(judge: str, judgements: Mapping[str, JudgedPieces]) -> Agreement:
    """Compute the agreement from judgements `[4, pieces, 3]` of each culture and of PLAIN.

    PLAIN must have at least as many pieces as each culture.
    """
    plain = judgements[PLAIN]
    rows = [
        _compare_pieces(name, judged_pieces, plain[:, : judged_pieces.shape[1]])
        for name, judged_pieces in judgements.items()
        if name != PLAIN
    ]
    # Neighbours in pairs: each piece is compared once, so the pairs are independent, as an interval wants them.
    pairs = plain.shape[1] // 2
    ceiling = _compare_pieces(f"{PLAIN}, another seed", plain[:, : 2 * pairs : 2], plain[:, 1 : 2 * pairs : 2])
    counts = np.zeros((4, 4), int)
    for name, judged_pieces in judgements.items():
        if name != PLAIN:
            for quadrant in range(4):
                counts[quadrant] += np.bincount(
                    judged_pieces[quadrant, judged_pieces[quadrant, :, 0] >= 0, 0], minlength=4
                )
    ceiling_row = CultureRow(ceiling.culture, _count_intended(plain), ceiling.same, ceiling.arousal, ceiling.valence)
    return Agreement(judge, ceiling_row, _pool_rows(rows), tuple(rows), tuple(tuple(map(int, row)) for row in counts))


def _compare_pieces(name: str, judged_pieces: JudgedPieces, other: JudgedPieces) -> CultureRow:
    same = (judged_pieces == other) & (judged_pieces >= 0)

    def share(column: int) -> Share:
        return Share(int(same[..., column].sum()), same[..., column].size)

    return CultureRow(name, _count_intended(judged_pieces), share(0), share(2), share(1))


def _count_intended(judged_pieces: JudgedPieces) -> Share:
    return Share(int((judged_pieces[..., 0] == np.arange(4)[:, None]).sum()), judged_pieces[..., 0].size)


def _pool_rows(rows: Sequence[CultureRow]) -> CultureRow:
    def total(name: str) -> Share:
        shares = [getattr(row, name) for row in rows]
        return Share(sum(one.right for one in shares), sum(one.n for one in shares))

    return CultureRow("all of them", total("intended"), total("same"), total("arousal"), total("valence"))
