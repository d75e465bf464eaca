"""The same feelings in every tradition: heard as meant, and heard as the plain music of the same emotion and seed is.

What to hold a tradition to is measured beside it: how often two plain pieces of one emotion and different seeds are
heard as the same quadrant. More than that no judge allows. The judges learned from pianists in 12-TET: the notes judge
reads the nearest keys, so that a quarter-tone is a semitone or none to it, and the audio judges hear one as a piano out
of tune; what they say of major and minor stands for nothing where a tradition has neither. What they say of arousal
(pace, density, force, register) does not depend on the tuning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.manifest import QUADRANTS
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS
from kelly_live.lab.intervals import compute_wilson_interval
from kelly_live.lab.judging.closed_loop import (
    CENTRE,
    JUDGES,
    Composer,
    Job,
    Log,
    all_heard,
    composed_in,
    emopia_scores,
    fitted,
    present,
)
from kelly_live.lab.judging.judges import Floats, Judge

PLAIN = "western"
READING = "piano"  # the one instrument that the judges know
Halves = np.ndarray  # [n, 3]: quadrant 0-3; 1 where valence, where arousal is heard above 0; a quadrant of -1: unheard


@dataclass(frozen=True, slots=True)
class Share:
    """`right` of `n` pieces, with its 95 % interval (Wilson)."""

    right: int
    n: int

    @property
    def value(self) -> float:
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        return compute_wilson_interval(self.right, self.n)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.2f} ({low:.2f} – {high:.2f})"


@dataclass(frozen=True, slots=True)
class Row:
    """One tradition before one judge: pieces heard as the quadrant that was meant; and as the same quadrant, the same
    arousal half and the same valence half as the plain piece of the same emotion and seed.
    """

    culture: str
    intended: Share
    same: Share
    arousal: Share
    valence: Share


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one judge says: `ceiling` compares plain pieces with plain ones of another seed; `pooled` puts the
    traditions together; `meant` is how each quadrant (rows) is heard (columns) in all of them.
    """

    judge: str
    ceiling: Row
    pooled: Row
    rows: tuple[Row, ...]
    meant: tuple[tuple[int, ...], ...]

    def allowed(self, row: Row) -> bool:
        """Whether its agreement may be as high as the ceiling, as far as so few pieces can say."""
        return row.same.interval[1] >= self.ceiling.same.value

    def table(self) -> str:
        """As markdown."""
        lines = [
            f"| {self.judge} judge | as meant | as {PLAIN} | as the judge allows | arousal half | valence half |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {row.culture} | {row.intended} | {row.same} | {'yes' if self.allowed(row) else 'no'} "
            f"| {row.arousal.value:.2f} | {row.valence.value:.2f} |"
            for row in (*self.rows, self.pooled)
        ]
        ceiling = self.ceiling
        lines.append(
            f"| {ceiling.culture} | {ceiling.intended} | {ceiling.same} | the ceiling "
            f"| {ceiling.arousal.value:.2f} | {ceiling.valence.value:.2f} |"
        )
        heard = "; ".join(
            f"{name} as {' '.join(f'{other} {count}' for other, count in zip(QUADRANTS, counts, strict=True) if count)}"
            for name, counts in zip(QUADRANTS, self.meant, strict=True)
        )
        met = sum(self.allowed(row) for row in self.rows)
        return "\n".join([*lines, "", f"{met} of {len(self.rows)} as the judge allows; in all traditions: {heard}."])


@dataclass(frozen=True, slots=True)
class AcrossCultures:
    """The judges' answers."""

    agreements: tuple[Agreement, ...]

    def tables(self) -> str:
        """As markdown."""
        return "\n\n".join(agreement.table() for agreement in self.agreements)

    def as_dict(self) -> dict[str, Any]:
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
    workers: int = 2,
    log: Log = print,
) -> AcrossCultures:
    """Fit the judges on EMOPIA's train part; let them hear `pieces` a quadrant of each tradition and `plain_pieces` of
    the plain music, with the soundfont that nothing was trained on. Raises KellyError.
    """
    if plain_pieces < max(pieces, 2):
        raise ConfigError(
            f"{plain_pieces} plain pieces a quadrant cannot stand beside {pieces} of each tradition; --pieces must be "
            "at least --culture-pieces, and 2 or more"
        )
    train = emopia_scores(symbolic)["train"]
    centres = [(CENTRE * v, CENTRE * a) for v, a in QUADRANTS.values()]
    composers = {PLAIN: plain, **cultures}
    jobs: dict[str, list[Job]] = {
        "notes/train": [Job(clip.audio_path, None) for clip in train],
        "audio/train": [Job(clip.audio_path, SOUNDFONTS[i % len(SOUNDFONTS)]) for i, clip in enumerate(train)],
    }
    for name, compose in composers.items():
        own = composed_in(centres, plain_pieces if name == PLAIN else pieces, compose, cache)
        jobs[f"notes/{name}"] = [Job(piece.files[READING], None) for piece in own]
        jobs[f"audio/{name}"] = [Job(piece.files[READING], HELD_OUT_SOUNDFONT) for piece in own]
    log(f"composed {sum(map(len, jobs.values())) // 2 - len(train)} pieces in {len(composers)} traditions")
    rows = all_heard(jobs, emotion_net, cache, workers, log)
    labels, songs = [clip.quadrant or "Q1" for clip in train], [clip.group for clip in train]
    agreements = []
    for judge_name, sense, part in JUDGES:
        judge = fitted(rows[f"{sense}/train"], labels, songs, part)
        heard = {
            name: verdicts(judge, rows[f"{sense}/{name}"], part).reshape(len(centres), -1, 3) for name in composers
        }
        agreements.append(agreement(judge_name, heard))
    return AcrossCultures(tuple(agreements))


def verdicts(judge: Judge, rows: Sequence[Floats | None], part: slice) -> Halves:
    """What a judge says of each row; -1 throughout where there was too little to judge, which then is never right."""
    said = np.full((len(rows), 3), -1)
    kept, seen = present(rows, part)
    found = judge.hear(seen)
    said[kept] = np.stack([found.quadrant, found.valence > 0.0, found.arousal > 0.0], axis=1)
    return said


def agreement(judge: str, heard: Mapping[str, Halves]) -> Agreement:
    """From verdicts `[4, pieces, 3]` a tradition, PLAIN among them with at least as many pieces."""
    plain = heard[PLAIN]
    rows = [_row(name, said, plain[:, : said.shape[1]]) for name, said in heard.items() if name != PLAIN]
    # Neighbours in pairs: each piece is compared once, so the pairs are independent, as an interval wants them.
    pairs = plain.shape[1] // 2
    ceiling = _row(f"{PLAIN}, another seed", plain[:, : 2 * pairs : 2], plain[:, 1 : 2 * pairs : 2])
    counts = np.zeros((4, 4), int)
    for name, said in heard.items():
        if name != PLAIN:
            for quadrant in range(4):
                counts[quadrant] += np.bincount(said[quadrant, said[quadrant, :, 0] >= 0, 0], minlength=4)
    own = Row(ceiling.culture, _intended(plain), ceiling.same, ceiling.arousal, ceiling.valence)
    return Agreement(judge, own, _pooled(rows), tuple(rows), tuple(tuple(map(int, row)) for row in counts))


def _row(name: str, said: Halves, other: Halves) -> Row:
    same = (said == other) & (said >= 0)

    def share(column: int) -> Share:
        return Share(int(same[..., column].sum()), same[..., column].size)

    return Row(name, _intended(said), share(0), share(2), share(1))


def _intended(said: Halves) -> Share:
    return Share(int((said[..., 0] == np.arange(4)[:, None]).sum()), said[..., 0].size)


def _pooled(rows: Sequence[Row]) -> Row:
    def total(name: str) -> Share:
        shares = [getattr(row, name) for row in rows]
        return Share(sum(one.right for one in shares), sum(one.n for one in shares))

    return Row("all of them", total("intended"), total("same"), total("arousal"), total("valence"))
