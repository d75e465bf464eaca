"""Scores of a mapper: likelihood of held-out music against two baselines, and published directions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kelly_live.core.emotion_space import create_state
from kelly_live.core.values import EmotionState
from kelly_live.lab.corpora.film_cues import CueCorrelation, CueCorrelations
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper, ParameterDistribution, compute_major_share
from kelly_live.lab.training.mapper_data import (
    Examples,
    average_weights,
    compute_states,
    correlate_within_corpora,
    list_masks,
)
from kelly_live.lab.training.priors import find_state
from kelly_live.mapping.net import SCALARS, WEIGHTS

NAMES = {"rate": "density (notes a second)", "centre": "register (centre)", "level": "dynamics (level)"}


@dataclass(frozen=True, slots=True)
class ParameterScore:
    """The mean negative log-likelihood (nats a piece or window, lower is better) of one parameter.

    On held-out music. `gain_se` is the standard error of corpus - mapper over songs and scores.
    """

    parameter: str
    rows: int
    mapper: float
    corpus: float
    rules: float
    gain_se: float


@dataclass(frozen=True, slots=True)
class Direction:
    """A published direction, with the mapper's slope and the correlation in the measured music.

    `mapper_slope` is per unit of the axis, or a difference. `data_correlation` is None where the axis was not rated.
    `film` is the correlation in listeners' ratings of film music.
    """

    claim: str
    source: str
    mapper_slope: float
    data_correlation: float | None
    sign: int
    film: CueCorrelation | None = None

    @property
    def holds(self) -> bool:
        """Whether the mapper moves in the published direction."""
        return self.mapper_slope * self.sign > 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores and directions of a mapper."""

    scores: tuple[ParameterScore, ...]
    directions: tuple[Direction, ...]

    @property
    def held_count(self) -> int:
        """The number of directions that hold."""
        return sum(direction.holds for direction in self.directions)

    def format_table(self) -> str:
        """Format both tables as Markdown."""
        lines = [
            "| parameter | rows | mapper | corpus-wide | rule table | gain over corpus ± SE |",
            "|---|---|---|---|---|---|",
            *(
                f"| {NAMES.get(s.parameter, s.parameter)} | {s.rows} | {s.mapper:.3f} | {s.corpus:.3f} | {s.rules:.3f} "
                f"| {s.corpus - s.mapper:+.3f} ± {s.gain_se:.3f} |"
                for s in self.scores
            ),
            "",
            "| direction | source | mapper slope | r in the data | r in film music [95 %] | holds |",
            "|---|---|---|---|---|---|",
        ]
        for d in self.directions:
            data = "not rated" if d.data_correlation is None else f"{d.data_correlation:+.2f}"
            film = "" if d.film is None else f"{d.film.r:+.2f} [{d.film.low:+.2f}, {d.film.high:+.2f}]"
            lines.append(
                f"| {d.claim} | {d.source} | {d.mapper_slope:+.3f} | {data} | {film} | {'yes' if d.holds else 'NO'} |"
            )
        return "\n".join([*lines, "", f"Directions that hold: {self.held_count} of {len(self.directions)}."])


def compute_losses(
    net: DynamicEmotionToMusicMapper, spread: ParameterDistribution, data: Examples
) -> dict[str, Tensor]:
    """Compute the negative log-likelihood (nats) `[N]` of each parameter.

    Scalars have a density, weights a cross-entropy.
    """
    density = spread.log_density((data.scalars - net.scalar_mean) / net.scalar_sd)
    losses = {name: -density[:, index] for index, name in enumerate(SCALARS)}
    for name in WEIGHTS:
        losses[name] = -(data.weights[name] * torch.log_softmax(spread.logits[name], dim=-1)).sum(-1)
    return losses


def sum_mean_losses(losses: dict[str, Tensor], masks: dict[str, Tensor], importance: Tensor) -> Tensor:
    """Sum the losses of the parameters, each averaged over the rows that measured it."""
    totals = []
    for name, loss in losses.items():
        weight = masks[name] * importance
        totals.append((loss * weight).sum() / torch.clamp(weight.sum(), min=1e-6))
    return torch.stack(totals).sum()


def compute_rule_locations(data: Examples) -> Tensor:
    """Compute a hand-written rule table on the scale of SCALARS, `[N, S]`, as a baseline without data."""
    lively, v = (data.arousal + 1.0) / 2.0, data.valence
    flat = torch.zeros(len(data))
    rules = {
        "tempo": torch.log2(60.0 + 120.0 * lively),
        "centre": 68.0 + 6.0 * v,
        "level": torch.log2(0.35 + 0.4 * lively),
        "rate": torch.log2(1.0 + 3.0 * lively),
        "variation": torch.log2(0.2 + 0.4 * lively),
    }
    return torch.stack([rules.get(name, flat) for name in SCALARS], dim=-1)


def compute_rule_weights(data: Examples) -> dict[str, Tensor]:
    """Compute a rule table of the weights: a line of brightness for the mode, even shares for the others."""
    bright = torch.tensor([2.0, 0.0, -2.0, 3.0, 1.0, -1.0, -3.0])  # sharps against dorian, order of MODES
    modes = torch.softmax(-((bright[None] - 2.5 * data.valence[:, None]) ** 2) / 2.0, dim=-1)
    on = torch.tensor([0.2, 0.6, 0.2]).expand(len(data), 3)
    return {"modes": modes, "timing": on, "rhythms": torch.full((len(data), 5), 0.2)}


class _UnconditionalDensity(nn.Module):
    """A sinh-arcsinh density for each corpus around given locations, as the noise of the baselines."""

    def __init__(self, corpora: int) -> None:
        super().__init__()
        self.location = nn.Parameter(torch.zeros(corpora, len(SCALARS)))
        self.log_scale = nn.Parameter(torch.zeros(corpora, len(SCALARS)))
        self.shape = nn.Parameter(torch.zeros(2, len(SCALARS)))

    def log_density(self, residual: Tensor, corpus: Tensor) -> Tensor:
        shaped = ParameterDistribution(
            self.location[corpus], self.log_scale[corpus], self.shape[0], self.shape[1].clamp(-0.7, 0.7), {}
        )
        return shaped.log_density(residual)


def _fit_baseline(residual: Tensor, data: Examples, epochs: int) -> _UnconditionalDensity:
    baseline = _UnconditionalDensity(len(data.corpora))
    optimiser = torch.optim.Adam(baseline.parameters(), lr=0.03)
    weight = data.scalar_mask * data.importance[:, None]
    for _ in range(epochs):
        optimiser.zero_grad()
        loss = -(baseline.log_density(residual, data.corpus) * weight).sum(0) / torch.clamp(weight.sum(0), min=1e-6)
        torch.autograd.backward(loss.sum())
        optimiser.step()
    return baseline


def score_mapper(
    net: DynamicEmotionToMusicMapper,
    offset: Callable[[Tensor], Tensor],
    train: Examples,
    test: Examples,
    baseline_epochs: int = 400,
) -> tuple[ParameterScore, ...]:
    """Score the mapper against the corpus-wide distribution and the rule table.

    Both baselines may fit their noise on `train`.
    """

    def standard(values: Tensor) -> Tensor:
        return (values - net.scalar_mean) / net.scalar_sd

    plain = _fit_baseline(standard(train.scalars), train, baseline_epochs)
    rule_baseline = _fit_baseline(
        (train.scalars - compute_rule_locations(train)) / net.scalar_sd, train, baseline_epochs
    )
    with torch.no_grad():
        spread = net.unpack(net.compute_raw(*compute_states(test)) + offset(test.corpus))
        mapper_losses = compute_losses(net, spread, test)
        corpus = -plain.log_density(standard(test.scalars), test.corpus)
        rules = -rule_baseline.log_density((test.scalars - compute_rule_locations(test)) / net.scalar_sd, test.corpus)
        baseline_losses = {name: (corpus[:, i], rules[:, i]) for i, name in enumerate(SCALARS)}
        by_corpus = [
            average_weights(train.take((train.corpus == c).nonzero()[:, 0])) for c in range(len(train.corpora))
        ]
        for name, target in test.weights.items():
            mean = torch.stack([by_corpus[c][name] for c in test.corpus.tolist()])
            baseline_losses[name] = (
                -(target * mean.log()).sum(-1),
                -(target * compute_rule_weights(test)[name].clamp(min=1e-6).log()).sum(-1),
            )
    rows = []
    for name, mask in list_masks(test).items():
        weight = mask * test.importance
        total = torch.clamp(weight.sum(), min=1e-6)
        mapper, plain_mean, rules_mean = (
            float((loss * weight).sum() / total) for loss in (mapper_losses[name], *baseline_losses[name])
        )
        by_group: dict[str, float] = {}
        difference = (baseline_losses[name][0] - mapper_losses[name] - (plain_mean - mapper)) * weight / total
        for group, value in zip(test.groups, difference.tolist(), strict=True):
            by_group[group] = by_group.get(group, 0.0) + value
        error = math.sqrt(sum(value * value for value in by_group.values()))
        rows.append(ParameterScore(name, int(mask.sum()), mapper, plain_mean, rules_mean, error))
    return tuple(rows)


def check_directions(
    net: DynamicEmotionToMusicMapper, data: Examples, cues: CueCorrelations | None = None
) -> tuple[Direction, ...]:
    """Compute slopes of the played values over the valence-arousal plane, beside correlations in the data.

    Slopes are per unit. Where an axis was not rated, two states are compared: anger and fear, in power and submissive.
    """
    grid = [(v / 4.0, a / 4.0) for v in range(-3, 4) for a in range(-3, 4)]
    axes = {"valence": torch.tensor([v for v, _ in grid]), "arousal": torch.tensor([a for _, a in grid])}
    played_values = _compute_values(net, [create_state(v, a) for v, a in grid])
    parameters = {
        "tempo": ("tempo", data.scalars[:, SCALARS.index("tempo")]),
        "major": ("modes", compute_major_share(data.weights["modes"])),
        "register": ("centre", data.scalars[:, SCALARS.index("centre")]),
        "level": ("level", data.scalars[:, SCALARS.index("level")]),
        "variation": ("variation", data.scalars[:, SCALARS.index("variation")]),
        "rate": ("rate", data.scalars[:, SCALARS.index("rate")]),
        "sustained": ("rhythms", data.weights["rhythms"][:, -1]),
    }
    masks, labels = list_masks(data), {"valence": data.valence, "arousal": data.arousal}

    def claim(
        text: str, parameter: str, axis: str, sign: int, source: str, film: tuple[str, str] | None = None
    ) -> Direction:
        name, values = parameters[parameter]
        slope = float((axes[axis] * played_values[parameter]).sum() / (axes[axis] ** 2).sum())
        known = data.known[:, 0 if axis == "valence" else 1]
        r = correlate_within_corpora(labels[axis], values, data, masks[name] * known)
        return Direction(text, source, slope, r, sign, None if cues is None or film is None else cues.find(*film))

    def compare_places(text: str, parameter: str, one: str, other: str, sign: int, source: str) -> Direction:
        values = _compute_values(net, [find_state(one), find_state(other)])[parameter]
        return Direction(text, source, float(values[0] - values[1]), None, sign)

    ends = _compute_values(net, [create_state(-0.55, 0.55, d) for d in (0.75, -0.75)])["level"]
    return (
        claim("valence up: more major", "major", "valence", 1, "G&L 2010; EFB 2013"),
        claim("arousal up: faster", "tempo", "arousal", 1, "G&L 2010; J&L 2003"),
        claim("valence up: faster", "tempo", "valence", 1, "EFB 2013 (happy over sad)"),
        claim("arousal up: louder", "level", "arousal", 1, "G&L 2010; J&L 2003", ("Energy", "level")),
        claim("valence up: higher register", "register", "valence", 1, "EFB 2013, at high arousal only"),
        claim("arousal up: more notes a second", "rate", "arousal", 1, "G&L 2010", ("Energy", "density")),
        claim("arousal up: fewer long notes", "sustained", "arousal", -1, "G&L 2010; J&L 2003 (articulation)"),
        claim("arousal up: more level variability", "variation", "arousal", 1, "J&L 2003 (fear over sad)"),
        compare_places("happy over fearful: higher register", "register", "happy", "fearful", 1, "EFB 2013"),
        compare_places("happy over sad: higher register", "register", "happy", "sad", 1, "J&L 2003; EFB 2013"),
        compare_places("happy over fearful: steadier timing", "on", "happy", "fearful", 1, "J&L 2003 (prior only)"),
        compare_places("angry over fearful: louder", "level", "angry", "fearful", 1, "J&L 2003 (prior only)"),
        Direction(
            "dominance up at V- A+: louder", "G&L 2010 (power); J&L 2003 (prior only)",
            float(ends[0] - ends[1]) / 1.5, None, 1,
        ),
        compare_places(
            "in power over submissive: lower register", "register", "in power", "submissive", -1,
            "HKP 2006 (prior only)",
        ),
    )  # fmt: skip


@torch.no_grad()
def _compute_values(net: DynamicEmotionToMusicMapper, places: list[EmotionState]) -> dict[str, Tensor]:
    """Compute the played values at these states, on even scales: `[N]` each."""
    music = net(
        torch.tensor([s.probabilities for s in places]),
        torch.tensor([(s.valence, s.arousal, s.dominance) for s in places]),
    )
    return {
        "tempo": torch.log2(music["tempo_suggested"]),
        "major": compute_major_share(music["mode_weights"]),
        "register": music["register_center"],
        "level": (music["dynamics_floor"] + music["dynamics_ceiling"]) / 2.0,
        "variation": music["dynamics_variance"],
        "rate": torch.log2(music["density"] * music["tempo_suggested"]),
        "sustained": music["rhythm_weights"][:, -1],
        "on": music["timing_weights"][:, 1],
    }
