"""The mapper net: it predicts a distribution of each musical parameter, then commits to a value.

A scalar parameter follows a sinh-arcsinh density (Jones & Pewsey 2009): location and scale depend on the state, skew
and tail on the parameter; density and quantiles have closed forms. Mode, timing and rhythm are softmax weights.

Commitment: conditional medians stay close to the corpus mean, because an emotion explains only part of a parameter. A
player who *means* the emotion goes further. So what leaves `forward` is stretched from the corpus centre by a gain that
training measures (`set_commitment`): medians regain the spread of the data, weights the entropy of single pieces, and
no median leaves the range of labelled pieces. `predict_distribution` stays as learned.

Users: an embedding (64 numbers, a priori N(0, 1) each) moves the raw outputs along the ways in which songs of the same
emotion differ from each other (`set_basis`, measured in training), so a preference about one parameter also moves what
goes with it in real music. A ninth of the numbers apply everywhere; each of the other eighths in proportion to one
emotion's probability. Each of these nine parts has its own radius, so that preferences in one emotion take no room from
another. At zero the mapping is the base, to the bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTION_VAD, EMOTIONS, NEUTRAL_PROBABILITIES
from kelly_live.emotion.nets.checkpoint import load_checkpoint, rebuild_net
from kelly_live.lab.nets.taste_space import limit_taste
from kelly_live.mapping.culture import KNOWN
from kelly_live.mapping.net import (
    DENSITY_TOP,
    MAJOR_COLUMNS,
    OWN_TASTE,
    QUANTILES,
    REGISTER_NOTES,
    REGISTER_SPAN_NOTES,
    SCALARS,
    SHARED_TASTE,
    TASTE_WAYS,
    TEMPO_BPM,
    TEMPO_SPAN_BPM,
    USER_DIM,
    USER_WAYS,
    WEIGHTS,
    MapperNet,
)

KIND = "mapper"
_NO_BOUND = 1e3  # standard deviations; a bound so far out that it has no effect
_LIMIT = 8.0  # standard deviations; a raw output beyond it is certainly noise


def _normalise(probabilities: Tensor) -> Tensor:
    """Normalise rows to sum to 1, or to 0 where all are 0."""
    p = torch.clamp(torch.nan_to_num(probabilities), 0.0, 1.0)
    return p / torch.clamp(p.sum(-1, keepdim=True), min=1e-6)


def _soft_limit(values: Tensor, limit: float) -> Tensor:
    """Limit values to ±limit, smoothly, and finite for any finite input."""
    return limit * torch.tanh(torch.nan_to_num(values, nan=0.0, posinf=1e6, neginf=-1e6) / limit)


@dataclass(frozen=True)
class ParameterDistribution:
    """The predicted distribution of every parameter.

    Standardised `location` and `log_scale` `[B, S]` over SCALARS, `skew` and `log_tail` `[S]`, and logits `[B, n]` for
    each of WEIGHTS.
    """

    location: Tensor
    log_scale: Tensor
    skew: Tensor
    log_tail: Tensor
    logits: dict[str, Tensor]

    def log_density(self, values: Tensor) -> Tensor:
        """Compute the log density (nats) `[B, S]` of standardised scalars."""
        tail = self.log_tail.exp()
        u = (values - self.location) / self.log_scale.exp()
        z = torch.sinh(torch.clamp(tail * torch.asinh(u) - self.skew, -12.0, 12.0))
        return (
            -0.5 * math.log(2 * math.pi) - 0.5 * z**2 + self.log_tail + 0.5 * torch.log1p(z**2)
            - 0.5 * torch.log1p(u**2) - self.log_scale
        )  # fmt: skip

    def quantile(self, probability: float) -> Tensor:
        """Compute the standardised scalars `[B, S]` below which a share `probability` of such music lies."""
        z = math.asinh(NormalDist().inv_cdf(probability))
        return self.location + self.log_scale.exp() * torch.sinh((z + self.skew) / self.log_tail.exp())


class BaseOutputs(NamedTuple):
    """States `[B]` before any user's taste.

    Attributes:
        probabilities: The probabilities of the emotions.
        raw: The committed raw outputs.
        spread: Their distribution.
        quantiles: The played quantiles `[3, B, S]`.
    """

    probabilities: Tensor
    raw: Tensor
    spread: ParameterDistribution
    quantiles: Tensor


class DynamicEmotionToMusicMapper(nn.Module):
    """Emotion state to the numbers of MusicParameters, always inside the documented ranges.

    `num_users` listeners have an embedding of their own; index 0 is no user, and means the base mapping, unchanged.
    """

    scalar_mean: Tensor
    scalar_sd: Tensor
    scalar_gain: Tensor
    weight_gain: Tensor
    centre: Tensor
    home: Tensor
    anchors: Tensor
    played_low: Tensor
    played_high: Tensor
    basis: Tensor

    def __init__(
        self, emotion_dim: int = len(EMOTIONS), hidden_dim: int = 256, num_modes: int = 7, num_users: int = 16
    ):
        super().__init__()
        self.config = {
            "emotion_dim": emotion_dim, "hidden_dim": hidden_dim, "num_modes": num_modes, "num_users": num_users,
        }  # fmt: skip
        self.sizes = {**WEIGHTS, "modes": num_modes}
        outputs = 2 * len(SCALARS) + sum(self.sizes.values())
        inputs = emotion_dim + 6
        self.linear = nn.Linear(inputs, outputs)
        self.body = nn.Sequential(
            nn.Linear(inputs, hidden_dim), nn.SiLU(), nn.Linear(hidden_dim, hidden_dim), nn.SiLU()
        )
        self.bend = nn.Linear(hidden_dim, outputs)
        self.shape = nn.Parameter(torch.zeros(2, len(SCALARS)))
        self.user = nn.Embedding(num_users + 1, USER_DIM, padding_idx=0)
        nn.init.zeros_(self.user.weight)  # a new user starts at the base mapping
        self.user.weight.requires_grad_(False)  # learned by `remember`, never by training
        anchors = torch.tensor([EMOTION_VAD[name] for name in EMOTIONS])
        self.register_buffer("anchors", F.pad(anchors, (0, 0, 0, max(emotion_dim - len(EMOTIONS), 0)))[:emotion_dim])
        self.register_buffer(
            "scalar_mean", torch.tensor([math.log2(110.0), 67.0, 3.2, 3.0, -1.2, -1.3, -1.3, -1.0, 0.8])
        )
        self.register_buffer("scalar_sd", torch.tensor([0.4, 6.0, 0.5, 0.5, 0.5, 1.0, 1.0, 0.5, 0.6]))
        self.register_buffer("scalar_gain", torch.ones(len(SCALARS)))
        self.register_buffer("weight_gain", torch.ones(len(self.sizes)))
        self.register_buffer("centre", torch.zeros(outputs))
        self.register_buffer("home", torch.zeros(outputs))
        self.register_buffer("played_low", torch.full((len(SCALARS),), -_NO_BOUND))
        self.register_buffer("played_high", torch.full((len(SCALARS),), _NO_BOUND))
        self.register_buffer("basis", torch.zeros(outputs, USER_WAYS))

    # ------------------------------------------------------------ what is learned

    def compute_raw(self, probabilities: Tensor, vad: Tensor) -> Tensor:
        """Compute the unbounded outputs `[B, outputs]` of the base mapping.

        From probabilities `[B, E]` and vad `[B, 3]`.
        """
        p = _normalise(probabilities)
        place = torch.clamp(torch.nan_to_num(vad), -1.0, 1.0)
        features = torch.cat([p, place, p @ self.anchors], dim=-1)
        outputs: Tensor = self.linear(features) + self.bend(self.body(features))
        return _soft_limit(outputs, _LIMIT)

    def unpack(self, raw: Tensor) -> ParameterDistribution:
        """Split the columns of `raw` by name; scales stay within a factor of about 7 of the corpus's own."""
        sizes = [len(SCALARS)] * 2 + list(self.sizes.values())
        location, log_scale, *logits = torch.split(raw, sizes, dim=-1)
        return ParameterDistribution(
            location=location,
            log_scale=_soft_limit(log_scale, 2.0),
            skew=_soft_limit(self.shape[0], 1.0),
            log_tail=_soft_limit(self.shape[1], 0.7),
            logits=dict(zip(self.sizes, logits, strict=True)),
        )

    def predict_distribution(self, probabilities: Tensor, vad: Tensor) -> ParameterDistribution:
        """Predict the learned distribution of each parameter: no commitment, no taste, no range."""
        return self.unpack(self.compute_raw(probabilities, vad))

    # ------------------------------------------------------------ the user's taste

    @torch.no_grad()
    def set_basis(self, basis: Tensor) -> None:
        """Set how far one standard deviation of each way of differing moves raw outputs.

        `basis` is `[outputs, USER_WAYS]`.
        """
        self.basis.copy_(basis)

    def compute_taste_shift(self, embedding: Tensor, probabilities: Tensor) -> Tensor:
        """Compute what embeddings `[B, 64]` add to the raw outputs at emotions `[B, E]`.

        It is 0 for a zero embedding.
        """
        weights = _normalise(probabilities)[:, : len(EMOTIONS)]
        weights = torch.cat([torch.full_like(weights[:, :1], SHARED_TASTE**0.5), OWN_TASTE**0.5 * weights], dim=-1)
        ways = embedding[:, : weights.shape[1] * TASTE_WAYS].reshape(len(embedding), weights.shape[1], TASTE_WAYS)
        columns, full_norms = self.basis[:, :TASTE_WAYS], self.basis.norm(dim=1, keepdim=True)
        # The smaller ways are left out; each output may still differ as much as songs do in all ways.
        columns = columns * (full_norms / torch.clamp(columns.norm(dim=1, keepdim=True), min=1e-9))
        shift: Tensor = (weights[:, :, None] * ways).sum(1) @ columns.T
        return shift

    def get_embedding(self, user: Tensor) -> Tensor:
        """Return the embeddings `[B, 64]` of users `[B]`; zeros for no user (0) and unknown ones."""
        known_users = torch.where((user >= 0) & (user < self.user.num_embeddings), user, torch.zeros_like(user))
        embedding: Tensor = self.user(known_users)
        return embedding * (known_users > 0)[:, None]

    @torch.no_grad()
    def remember(self, user: int, embedding: Tensor) -> None:
        """Store a user's embedding `[64]`, limited by `limit_taste`; zeros forget.

        Raises:
            ConfigError: There is no such user.
        """
        if not 1 <= user < self.user.num_embeddings:
            raise ConfigError(f"user {user} is not in 1..{self.user.num_embeddings - 1}; 0 is the base mapping")
        self.user.weight[user] = limit_taste(torch.nan_to_num(embedding.to(self.user.weight)))

    # ------------------------------------------------------------ what is played

    @torch.no_grad()
    def set_commitment(
        self,
        centre: Tensor,
        scalar_gain: Tensor,
        weight_gain: Tensor,
        home: Tensor | None = None,
        played: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        """Set how far outputs are stretched from the average state.

        Args:
            centre: The raw outputs `[outputs]` of the average state.
            scalar_gain: The gain of each scalar, at least 0.
            weight_gain: The gain of each group of weights, at least 0.
            home: The outputs at which the average state is played; default: the centre.
            played: The lowest and highest standardised median `[S]`.
        """
        self.centre.copy_(centre)
        self.home.copy_(centre if home is None else home)
        self.scalar_gain.copy_(scalar_gain)
        self.weight_gain.copy_(weight_gain)
        low, high = played or (torch.full_like(scalar_gain, -_NO_BOUND), torch.full_like(scalar_gain, _NO_BOUND))
        self.played_low.copy_(low)
        self.played_high.copy_(high)

    def apply_commitment(self, raw: Tensor) -> Tensor:
        """Stretch locations and logits of `raw` from the centre, around home; scales stay as they are."""
        gains = torch.cat(
            [self.scalar_gain, torch.ones_like(self.scalar_gain)]
            + [gain.expand(size) for gain, size in zip(self.weight_gain, self.sizes.values(), strict=True)]
        )
        return self.home + gains * (raw - self.centre)

    def forward(
        self,
        probabilities: Tensor,
        vad: Tensor,
        user: Tensor | None = None,
        culture: dict[str, Tensor] | None = None,
        culture_strength: float = 1.0,
    ) -> dict[str, Tensor]:
        """Compute the numbers to play.

        These are tempo_*, register_*, dynamics_*, density `[B]`; mode_, timing_, rhythm_weights `[B, n]`.

        `culture` holds CulturalContextAdapter's outputs. At strength 1 a neutral player moves half-way to what the
        culture prefers, and an emotion moves that player as far as any other; at 0 (or None) it changes nothing. Its
        optional `known` `[B, 4]` (tempo, modes, dynamics, rhythms; 0-1) says how well each is known of that culture;
        where it is 0 the emotion's value stays.
        """
        music = self.play(probabilities, vad, None if user is None else self.get_embedding(user))
        return music if culture is None else self.color(music, probabilities, vad, culture, culture_strength)

    def color(
        self,
        music: dict[str, Tensor],
        probabilities: Tensor,
        vad: Tensor,
        culture: dict[str, Tensor],
        culture_strength: float,
    ) -> dict[str, Tensor]:
        """Move what is played in these states towards a culture."""
        if culture_strength <= 0.0:
            return music
        return _apply_culture(
            music, self.play(*_create_neutral_state(probabilities, vad)), culture, min(culture_strength, 1.0)
        )

    def play(self, probabilities: Tensor, vad: Tensor, embedding: Tensor | None = None) -> dict[str, Tensor]:
        """Compute `forward` before any culture, for a taste `[B, 64]` that need not be a stored user's."""
        return self.play_base(self.compute_base(probabilities, vad), embedding)

    def compute_base(self, probabilities: Tensor, vad: Tensor) -> BaseOutputs:
        """Compute what these states play before any user's taste."""
        raw = self.apply_commitment(self.compute_raw(probabilities, vad))
        spread = self.unpack(raw)
        quantiles = torch.stack([spread.quantile(q) for q in QUANTILES])
        # The whole range moves with its median, which approaches but never passes the bounds of labelled pieces.
        middle_of, half = (self.played_high + self.played_low) / 2.0, (self.played_high - self.played_low) / 2.0
        median = middle_of + half * torch.tanh((quantiles[1] - middle_of) / torch.clamp(half, min=1e-3))
        return BaseOutputs(probabilities, raw, spread, quantiles + (median - quantiles[1]))

    def play_base(self, base: BaseOutputs, embedding: Tensor | None = None) -> dict[str, Tensor]:
        """Compute `play` of base outputs: cheap where many tastes are tried on the same states."""
        quantiles, spread = base.quantiles, base.spread
        if embedding is not None:  # after the bounds: a user may prefer what labelled pieces do not do
            taste_spread = self.unpack(base.raw + self.compute_taste_shift(embedding, base.probabilities))
            quantiles = quantiles + (taste_spread.location - spread.location)
            spread = taste_spread
        values = self.scalar_mean + self.scalar_sd * torch.clamp(quantiles, -_LIMIT, _LIMIT)
        early, middle, late = (dict(zip(SCALARS, rank.unbind(-1), strict=True)) for rank in values)

        centre = middle["centre"]
        level = torch.exp2(torch.clamp(middle["level"], -10.0, 0.0))
        tempi = (_exp2(early["tempo"]), _exp2(middle["tempo"]), _exp2(late["tempo"]))
        music = {
            **_order_range("tempo", TEMPO_BPM, TEMPO_SPAN_BPM, tempi),
            **_order_range(
                "register", REGISTER_NOTES, REGISTER_SPAN_NOTES,
                (centre - _exp2(middle["below"]), centre, centre + _exp2(middle["above"])),
                names=("low", "center", "high"),
            ),
            "mode_weights": torch.softmax(spread.logits["modes"], dim=-1),
            "timing_weights": torch.softmax(spread.logits["timing"], dim=-1),
            "rhythm_weights": torch.softmax(spread.logits["rhythms"], dim=-1),
            "dynamics_variance": torch.clamp(_exp2(middle["variation"]), 0.0, 1.0),
        }  # fmt: skip
        beats_a_second = music["tempo_suggested"] / 60.0
        music["density"] = torch.clamp(_exp2(middle["rate"]) / beats_a_second, 0.0, DENSITY_TOP)
        floor = torch.clamp(level - _exp2(middle["softer"]), 0.0, 1.0)
        music["dynamics_floor"] = floor
        music["dynamics_ceiling"] = torch.maximum(torch.clamp(level + _exp2(middle["louder"]), 0.0, 1.0), floor)
        return music


def compute_major_share(mode_weights: Tensor) -> Tensor:
    """Compute the share `[...]` of weights `[..., MODES]` that is on modes with a major third."""
    return mode_weights[..., MAJOR_COLUMNS].sum(-1)


def _exp2(values: Tensor) -> Tensor:
    return torch.exp2(torch.clamp(values, -12.0, 12.0))


def _order_range(
    name: str, low_range: tuple[float, float], span: float, ranks: tuple[Tensor, Tensor, Tensor],
    names: tuple[str, str, str] = ("min", "suggested", "max"),
) -> dict[str, Tensor]:  # fmt: skip
    """Order ranks (low, middle, high): low into its range, high within `span` of it.

    The window slides to keep the middle.
    """
    low, middle, high = ranks
    ceiling = low_range[1] + span
    middle = torch.clamp(middle, low_range[0], ceiling)
    # A band wider than the span is narrowed around the middle, not cut off at one end.
    width = torch.clamp((high - low).clamp(min=1e-6), max=1e5)
    scale = torch.clamp(span / width, max=1.0)
    low = torch.clamp(middle - scale * (middle - low).clamp(min=0.0), *low_range)
    low = torch.maximum(low, torch.clamp(middle - span, *low_range))
    high = torch.minimum(torch.maximum(middle + scale * (high - middle).clamp(min=0.0), low), low + span)
    middle = torch.minimum(torch.maximum(middle, low), high)
    return dict(zip((f"{name}_{part}" for part in names), (low, middle, high), strict=True))


_LEAST_WEIGHT = 0.02  # of a mode or rhythm: under a fiftieth, how rare it is says nothing


def _create_neutral_state(probabilities: Tensor, vad: Tensor) -> tuple[Tensor, Tensor]:
    """Create one row of the neutral state (zeros for a net of other emotions than ours)."""
    rest = torch.zeros_like(probabilities[:1])
    if rest.shape[-1] == len(EMOTIONS):
        rest = rest + torch.tensor(NEUTRAL_PROBABILITIES, dtype=rest.dtype, device=rest.device)
    return rest, torch.zeros_like(vad[:1])


def _apply_culture(
    music: dict[str, Tensor], rest: dict[str, Tensor], culture: dict[str, Tensor], strength: float
) -> dict[str, Tensor]:
    """Move `music` by half of what separates the culture from a neutral player, at strength 1.

    `rest` is the neutral player's music, one row. All are moved alike: what an emotion changes (faster, louder, a
    darker mode) it changes at full strength, from the culture's own middle. Tempo and weights move as ratios, loudness
    as a difference. What is not known of the culture keeps the emotion's own value, to the bit.
    """
    rows = len(music["density"])
    known_shares = culture.get("known")
    if known_shares is None:
        known_shares = torch.ones(rows, len(KNOWN), device=music["density"].device)
    share = dict(zip(KNOWN, (0.5 * strength * torch.clamp(known_shares, 0.0, 1.0)).unbind(-1), strict=True))

    def blend(field: str, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            is_known = share[field] > 0.0
            music[name] = torch.where(is_known if value.ndim == 1 else is_known[:, None], value, music[name])

    music = dict(music)
    for field, name, key in (
        ("modes", "mode_weights", "mode_preferences"), ("rhythms", "rhythm_weights", "rhythm_patterns"),
    ):  # fmt: skip
        if key in culture:
            # Two rare weights are no difference: what is rarely played at rest is not the culture's own for that.
            difference = torch.log(culture[key] + _LEAST_WEIGHT) - torch.log(rest[name] + _LEAST_WEIGHT)
            logits = torch.log(music[name] + 1e-6) + share[field][:, None] * difference
            blend(field, {name: torch.softmax(logits, dim=-1)})
    if "tempo_range" in culture:
        usual = torch.clamp(culture["tempo_range"][:, 1], 20.0, 300.0)
        ratio = (usual / rest["tempo_suggested"]) ** share["tempo"]
        tempi = tuple(ratio * music[f"tempo_{name}"] for name in ("min", "suggested", "max"))
        blend("tempo", _order_range("tempo", TEMPO_BPM, TEMPO_SPAN_BPM, (tempi[0], tempi[1], tempi[2])))
    if "dynamics" in culture:
        soft, _, loud = torch.clamp(culture["dynamics"], 0.0, 1.0).unbind(-1)
        floor = torch.clamp(music["dynamics_floor"] + share["dynamics"] * (soft - rest["dynamics_floor"]), 0.0, 1.0)
        louder = music["dynamics_ceiling"] + share["dynamics"] * (loud - rest["dynamics_ceiling"])
        louder = torch.maximum(torch.clamp(louder, 0.0, 1.0), floor)
        blend("dynamics", {"dynamics_floor": floor, "dynamics_ceiling": louder})
    return music


def load_net(path: Path) -> DynamicEmotionToMusicMapper:
    """Load the trained net of a checkpoint, on the CPU and ready to map.

    Raises:
        ModelError: The checkpoint is missing or damaged.
    """
    return rebuild_net(DynamicEmotionToMusicMapper, load_checkpoint(path, KIND), path)


def convert_mapper_to_numpy(net: DynamicEmotionToMusicMapper) -> MapperNet:
    """Convert the net to the one that plays, without torch."""
    return MapperNet(net.config, {name: weight.detach().cpu().numpy() for name, weight in net.state_dict().items()})
