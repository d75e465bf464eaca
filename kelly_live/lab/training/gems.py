"""A head for the nine emotions that music induces (GEMS-9).

Measured is whether it hears more than valence and arousal. Emotify has, for each of 313 excerpts of four genres, the
share of listeners who chose each of the nine. A ridge regression reads them from what the emotion net's frozen encoders
and fixed statistics give (PARTS), averaged over an excerpt; each part counts alike, however many numbers it has. Each
genre is left out once, so a scale counts only if it carries over to music of another kind: the head that is scored on
rock learned from classical, electronic and pop. The strength of the ridge is chosen inside the other genres.

The floor is a ridge on valence and arousal, their squares and product, in the same folds. They are read by the emotion
net of the open set, which never heard Emotify: the research one learned its valence and arousal of these excerpts from
these very answers. A scale ships if its r and its lead over the floor lie over 0 with their whole intervals, these
widened for nine tests (Bonferroni). r is within a genre, as the mean of the four genres: a head that only tells genres
apart gets nothing. Intervals are over excerpts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import stats  # type: ignore[import-untyped]

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.checkpoint import Checkpoint
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import RESEARCH_MODELS
from kelly_live.core.values import GEMS
from kelly_live.emotion.nets.checkpoint import save_checkpoint
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.emotion.nets.gems import GemsHead
from kelly_live.lab.corpora.manifest import read_manifest
from kelly_live.lab.intervals import RESAMPLES, Estimate, bootstrap
from kelly_live.lab.training.scores import average_by_clip, correlate, predict
from kelly_live.lab.training.sources import Log, load_windows
from kelly_live.lab.training.windows import TEST_OPTIONS

DATASET = "emotify"
TERMS = "**Non-commercial research only**: Emotify's recordings are non-commercial, and its authors ask to be cited."
PARTS = ("trunk", "tonality", "voice")
LEAST_DEVIATION = 1e-3  # as of the emotion net's own scaling
WIDENING = float(stats.norm.ppf(1.0 - 0.025 / len(GEMS)) / stats.norm.ppf(0.975))  # of a 95 % interval: 1.41
PENALTIES = tuple(float(value) for value in np.geomspace(0.1, 1e3, 13))


@dataclass(frozen=True, slots=True)
class Excerpts:
    """Excerpts of music, with what listeners said and the nets hear of them.

    `genres` `[n]`, listeners' `shares` `[n, 9]` of GEMS, `parts` `[n, F]` each, and `affect` `[n, 2]`. `affect` is the
    valence and arousal that the open emotion net reads.
    """

    genres: np.ndarray
    shares: np.ndarray
    parts: tuple[np.ndarray, ...]
    affect: np.ndarray


@dataclass(frozen=True, slots=True)
class ScaleScore:
    """One scale, on genres that were left out: r of the head, r of the floor, and the head's lead."""

    scale: str
    head: Estimate
    floor: Estimate
    lead: Estimate

    @property
    def is_supported(self) -> bool:
        """Whether the data support the scale.

        Its r and its lead lie over 0 by their intervals, widened by WIDENING.
        """
        return all(one.value - WIDENING * (one.value - one.low) > 0.0 for one in (self.head, self.lead))


def load_excerpts(data: Path, net: MultiScaleEmotionNet, cache: Path, log: Log) -> Excerpts:
    """Read Emotify and compute its features, once; `net` is the open set's.

    Raises:
        ConfigError: The folder has no Emotify, or fewer than three of its genres.
    """
    clips = [clip for clip in read_manifest(data / "manifest.jsonl", (DATASET,)) if clip.gems is not None]
    genres = np.array([clip.audio_path.stem.rpartition("_")[0] for clip in clips])
    if len(set(genres)) < 3:
        raise ConfigError(f"{data} has Emotify excerpts of {len(set(genres))} genres; to leave one out takes 3")
    windows = load_windows(net, clips, cache, TEST_OPTIONS, log)

    def average(rows: np.ndarray) -> np.ndarray:
        return average_by_clip(rows.astype(np.float64), windows.clip, len(clips))

    return Excerpts(
        genres, np.array([clip.gems for clip in clips]), tuple(average(getattr(windows, name)) for name in PARTS),
        average(predict(net, windows).affect[:, :2]),
    )  # fmt: skip


def expand_affect(affect: np.ndarray) -> np.ndarray:
    """Return valence, arousal, their squares and their product, `[n, 5]`."""
    return np.column_stack((affect, affect**2, affect.prod(axis=1)))


def fit_scaling(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Fit the mean `[F]` and the scale `[F]` that give each of the parts `[n, F]` a total variance of 1."""
    scales = [np.sqrt(part.shape[1]) * np.maximum(part.std(axis=0), LEAST_DEVIATION) for part in parts]
    return np.concatenate([part.mean(axis=0) for part in parts]), np.concatenate(scales)


def standardise(parts: Sequence[np.ndarray], known: np.ndarray) -> np.ndarray:
    """Join parts `[n, F]`, scaled by their `known` rows."""
    mean, scale = fit_scaling([part[known] for part in parts])
    scaled: np.ndarray = (np.concatenate(parts, axis=1) - mean) / scale
    return scaled


def fit_ridge(x: np.ndarray, y: np.ndarray, penalties: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a ridge for each column of `y`, with its own penalty.

    Return weights `[F, scales]` and bias `[scales]`.
    """
    mean, bias = x.mean(axis=0), y.mean(axis=0)
    u, s, vt = np.linalg.svd(x - mean, full_matrices=False)
    weights = vt.T @ (s[:, None] / (s[:, None] ** 2 + penalties) * (u.T @ (y - bias)))
    return weights, bias - mean @ weights


def choose_penalties(parts: Sequence[np.ndarray], y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Choose each column's penalty by its squared error on groups that are left out.

    The group's own mean is no error.
    """
    errors = np.zeros((len(PENALTIES), y.shape[1]))
    for group in np.unique(groups):
        known = groups != group
        x = standardise(parts, known)
        for i, penalty in enumerate(PENALTIES):
            weights, _ = fit_ridge(x[known], y[known], np.full(y.shape[1], penalty))
            error = x[~known] @ weights - y[~known]
            errors[i] += ((error - error.mean(axis=0)) ** 2).sum(axis=0)
    best: np.ndarray = np.array(PENALTIES)[errors.argmin(axis=0)]
    return best


def cross_predict(parts: Sequence[np.ndarray], y: np.ndarray, genres: np.ndarray) -> np.ndarray:
    """Predict each genre `[n, scales]` by a ridge that learned from the others."""
    guess = np.zeros_like(y)
    for genre in np.unique(genres):
        known = genres != genre
        x = standardise(parts, known)
        penalties = choose_penalties([part[known] for part in parts], y[known], genres[known])
        weights, bias = fit_ridge(x[known], y[known], penalties)
        guess[~known] = x[~known] @ weights + bias
    return guess


def correlate_within(truth: np.ndarray, guess: np.ndarray, genres: np.ndarray) -> float:
    """Return the mean over genres of r within each."""
    return float(np.nanmean([correlate(truth[genres == g], guess[genres == g]) for g in np.unique(genres)]))


def score_scales(excerpts: Excerpts, resamples: int = RESAMPLES) -> list[ScaleScore]:
    """Score each of GEMS on genres that are left out, beside valence and arousal alone."""
    genres, shares = excerpts.genres, excerpts.shares
    head = cross_predict(excerpts.parts, shares, genres)
    floor = cross_predict([expand_affect(excerpts.affect)], shares, genres)

    def score(scale: int) -> ScaleScore:
        def r(rows: np.ndarray, guess: np.ndarray) -> float:
            return correlate_within(shares[rows, scale], guess[rows, scale], genres[rows])

        statistics = (lambda k: r(k, head), lambda k: r(k, floor), lambda k: r(k, head) - r(k, floor))
        return ScaleScore(GEMS[scale], *(bootstrap(one, len(genres), resamples=resamples) for one in statistics))

    return [score(scale) for scale in range(len(GEMS))]


def fit_head(excerpts: Excerpts, scales: Sequence[str]) -> GemsHead:
    """Fit the head that ships to all excerpts, the penalties as when a genre is left out."""
    chosen = [GEMS.index(scale) for scale in scales]
    shares, everything = excerpts.shares[:, chosen], np.ones(len(excerpts.genres), bool)
    penalties = choose_penalties(excerpts.parts, shares, excerpts.genres)
    weights, bias = fit_ridge(standardise(excerpts.parts, everything), shares, penalties)
    mean, scale = fit_scaling(excerpts.parts)
    head = GemsHead(scales, PARTS)
    for name, value in (("mean", mean), ("weights", weights / scale[:, None]), ("bias", bias)):
        getattr(head, name).copy_(torch.from_numpy(value))
    return head.eval()


def train_gems(data: Path, net: MultiScaleEmotionNet, cache: Path, out: Path, log: Log) -> list[ScaleScore]:
    """Score the scales, and write a head of those that the data support, with its card.

    If there is none, no file is written.

    Raises:
        ConfigError: `data` has no Emotify.
    """
    excerpts = load_excerpts(data, net, cache, log)
    scores = score_scales(excerpts)
    supported = [score.scale for score in scores if score.is_supported]
    log(format_scores(scores))
    if not supported:
        log("no scale is supported; nothing is written")
        return scores
    head = fit_head(excerpts, supported)
    counts = {str(genre): int(n) for genre, n in zip(*np.unique(excerpts.genres, return_counts=True), strict=True)}
    card = {"set": RESEARCH_MODELS, "licence": TERMS, "excerpts": counts, "scores": [asdict(score) for score in scores]}
    save_checkpoint(out, Checkpoint("gems", dict(head.config), card, dict(head.state_dict())))
    write_atomically(out.with_suffix(".md"), format_card(scores, supported, counts).encode())
    log(f"wrote {out} and {out.with_suffix('.md')}")
    return scores


def format_card(scores: Sequence[ScaleScore], supported: Sequence[str], counts: dict[str, int]) -> str:
    """Format gems.md."""
    excerpts = ", ".join(f"{genre} {count}" for genre, count in counts.items())
    return f"""# gems.safetensors: what music induces

A linear head on what the emotion net's frozen encoders and fixed statistics say of music ({", ".join(PARTS)}).
It reads the share of listeners who would choose {", ".join(supported)}.
These are scales of GEMS-9 (Zentner, Grandjean & Scherer 2008), which asks what music makes one feel, not what it
expresses. Emotify says `solemnity` for transcendence and `amazement` for wonder.

## Licence
{TERMS}

## Learned from
Emotify (Aljanaki, Wiering & Veltkamp 2015): {sum(counts.values())} excerpts ({excerpts}), the first 24 s of each.

    kelly-live lab train gems --data ../shared/data/emotion

## Measured on genres that were left out
r within a genre, as the mean of the four, by a head that learned from the other three; beside it a ridge on valence and
arousal (their squares and product too), as the open emotion net reads them, which never heard Emotify. In brackets the
95 % interval over excerpts. A scale ships if its r and its lead over valence and arousal lie over 0 with their whole
intervals, widened by {WIDENING:.2f} because there are nine tests (Bonferroni).

{format_scores(scores)}

The penalties of the ridge were chosen inside the other genres. That each part counts alike was settled on the first 192
excerpts, on which a ridge on trunk and tonality as they are came out lower. The listeners played an online game; the
music is Western, of four genres. It must not be used to judge people.
"""


def format_scores(scores: Sequence[ScaleScore]) -> str:
    """Format the scores as a Markdown table."""

    def show(one: Estimate) -> str:
        return f"{one.value:.2f} ({one.low:.2f} – {one.high:.2f})"

    lines = ["| scale | r, genre left out | of valence and arousal alone | lead | supported |", "|---|---|---|---|---|"]
    lines += [
        f"| {one.scale} | {show(one.head)} | {show(one.floor)} | {show(one.lead)} | "
        f"{'yes' if one.is_supported else 'no'} |"
        for one in scores
    ]
    return "\n".join(lines)
