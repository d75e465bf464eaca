"""The trained mapper's forward pass on numpy: from states to numbers to play, before any culture.

It computes what `lab/nets/mapper.py` trains with torch; a test holds the two within 1e-5 of each other. That module
explains the design. Arrays are float64; B states are rows, S the scalars (SCALARS), O the net's raw outputs.

A person's taste is an embedding of 64 numbers. The first seven move the outputs everywhere; each emotion has seven more
that move them in proportion to that emotion's probability. Zeros are the base mapping, to the bit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from kelly_live.core.arrays import Floats
from kelly_live.core.checkpoint import CORPUS_PREFIX, Checkpoint, load_part, require_small
from kelly_live.core.errors import ModelError
from kelly_live.core.values import EMOTIONS, MAJOR_MODES, MODES, NEUTRAL_PROBABILITIES, RHYTHMS

Music: TypeAlias = dict[str, Floats]  # what is played, by name: `[B]`, or `[B, n]` for weights

NAME = "mapper"
# Scalars are learned on scales without bounds: log2 of BPM; MIDI notes; log2 of semitones, of velocity share, …; `rate`
# is log2 of melody notes a second, which needs no beat to be measured: what is played as density is rate over tempo.
SCALARS = (
    "tempo", "centre", "below", "above", "level", "softer", "louder", "variation", "rate",
)  # fmt: skip
WEIGHTS = {"modes": len(MODES), "timing": 3, "rhythms": len(RHYTHMS)}

TEMPO_BPM = (40.0, 160.0)
TEMPO_SPAN_BPM = 60.0
REGISTER_NOTES = (24.0, 72.0)
REGISTER_SPAN_NOTES = 48.0
DENSITY_TOP = 3.0
USER_DIM = 64  # numbers in an embedding
USER_WAYS = USER_DIM // 3  # ways in which songs differ that a basis keeps, the largest first
TASTE_PARTS = 1 + len(EMOTIONS)  # of a taste: what holds everywhere, and what each emotion has of its own
TASTE_WAYS = USER_DIM // TASTE_PARTS  # of these, in which each part may differ
# Variances of a taste, in those of songs: what emotions share, and what each adds of its own where it is certain.
SHARED_TASTE, OWN_TASTE = 0.5, 1.0
# Standard deviations: how far from the base a taste may go in what emotions share, and in what each has of its own.
SHARED_RADIUS, OWN_RADIUS = 1.5, 2.5
# A taste is searched a little nearer to the base than songs lie, because reactions are noisy.
CAUTION = 0.8
RADII = np.array([SHARED_RADIUS] + [OWN_RADIUS] * len(EMOTIONS))
QUANTILES = (0.2, 0.5, 0.8)
OUTPUT_LIMIT = 8.0  # standard deviations; what a raw output may reach before it is certainly noise
LOG2_LIMIT = 12.0  # of what is raised to a power of two
LEVEL_LOG2 = (-10.0, 0.0)
MAJOR_COLUMNS = [MODES.index(mode) for mode in MAJOR_MODES]

_NORMAL_QUANTILES = np.array([math.asinh(NormalDist().inv_cdf(q)) for q in QUANTILES])[:, None, None]


@dataclass(frozen=True, slots=True)
class BaseOutputs:
    """What the net gives for states `[B]` without any taste.

    Committed raw outputs `[B, O]`, the emotions' shares `[B, 9]` as a taste weighs them, and standardised quantiles
    `[3, B, S]` (QUANTILES).
    """

    raw: Floats
    taste_shares: Floats
    quantiles: Floats


@dataclass(frozen=True, slots=True)
class Ranks:
    """BaseOutputs moved by a taste: standardised quantiles `[3, B, S]`, logits `[B, n]` by WEIGHTS."""

    quantiles: Floats
    logits: Mapping[str, Floats]


class MapperNet:
    """The net of a checkpoint. Immutable after construction, so any thread may call it."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, npt.NDArray[Any]]) -> None:
        """Check that the weights match the config. Raises ValueError."""
        shapes = _list_shapes(config)
        net_weights = {name: weight for name, weight in weights.items() if not name.startswith(CORPUS_PREFIX)}
        if net_weights.keys() != shapes.keys():
            raise ValueError(f"other weights: {', '.join(sorted(net_weights.keys() ^ shapes.keys()))}")
        for name, shape in shapes.items():
            if net_weights[name].shape != shape:
                raise ValueError(f"{name} is {net_weights[name].shape}, not {shape}")
        self.config = dict(config)
        self.fingerprint = _digest(net_weights)
        self._weights = {name: np.asarray(weight, np.float64) for name, weight in net_weights.items()}
        w = self._weights
        sizes = {**WEIGHTS, "modes": int(config["num_modes"])}
        ends = np.cumsum([2 * len(SCALARS), *sizes.values()])
        self.columns = {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends[1:], strict=True)}
        self.scalar_mean, self.scalar_sd = w["scalar_mean"], w["scalar_sd"]
        self._gains = np.concatenate(
            [w["scalar_gain"], np.ones(len(SCALARS))]
            + [np.full(size, gain) for gain, size in zip(w["weight_gain"], sizes.values(), strict=True)]
        )
        tail = np.exp(_limit_softly(w["shape"][1], 0.7))
        self._spread = np.sinh((_NORMAL_QUANTILES + _limit_softly(w["shape"][0], 1.0)) / tail)
        low, high = w["played_low"], w["played_high"]
        self._middle, self._half = (high + low) / 2.0, (high - low) / 2.0
        basis = w["basis"][:, :TASTE_WAYS]
        full_norms = np.linalg.norm(w["basis"], axis=1, keepdims=True)
        # What the smaller ways would add is not lost: each output may differ as much as songs do in all ways.
        self.taste_basis = basis * (full_norms / np.maximum(np.linalg.norm(basis, axis=1, keepdims=True), 1e-9))
        emotions = int(config["emotion_dim"])
        neutral = NEUTRAL_PROBABILITIES if emotions == len(EMOTIONS) else (0.0,) * emotions
        # A player who feels nothing in particular, one row: from where a culture leads away.
        self.at_rest = self.play(self.base(np.array([neutral]), np.zeros((1, 3))))

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, path: Path) -> MapperNet:
        """Create the net of a checkpoint that came from `path`. Raises ModelError."""
        try:
            require_small(checkpoint.config)
            with np.errstate(over="raise", divide="raise", invalid="raise"):  # else such a net plays nonsense
                return cls(checkpoint.config, checkpoint.weights)
        except (KeyError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise ModelError(
                f"the checkpoint {path} does not fit this version of the {NAME} ({str(error)[:200]}); "
                "reinstall kelly-live"
            ) from error

    def base(self, probabilities: Floats, vad: Floats) -> BaseOutputs:
        """Return the base outputs for probabilities `[B, E]` and valence, arousal and dominance `[B, 3]`."""
        w = self._weights
        shares = _normalize(probabilities)
        place = np.clip(np.nan_to_num(vad), -1.0, 1.0)
        features = np.concatenate([shares, place, shares @ w["anchors"]], axis=-1)
        hidden = _silu(features @ w["body.0.weight"].T + w["body.0.bias"])
        hidden = _silu(hidden @ w["body.2.weight"].T + w["body.2.bias"])
        raw = features @ w["linear.weight"].T + w["linear.bias"] + hidden @ w["bend.weight"].T + w["bend.bias"]
        raw = w["home"] + self._gains * (_limit_softly(raw, OUTPUT_LIMIT) - w["centre"])
        scalars = len(SCALARS)
        location, log_scale = raw[:, :scalars], _limit_softly(raw[:, scalars : 2 * scalars], 2.0)
        quantiles = location + np.exp(log_scale) * self._spread
        # The whole band moves with its median, which nears but never passes the ends of what labelled pieces do.
        medians = self._middle + self._half * np.tanh((quantiles[1] - self._middle) / np.maximum(self._half, 1e-3))
        emotion_taste_shares = OWN_TASTE**0.5 * shares[:, : len(EMOTIONS)]
        everywhere = np.full((len(shares), 1), SHARED_TASTE**0.5)
        return BaseOutputs(
            raw, np.concatenate([everywhere, emotion_taste_shares], axis=-1), quantiles + (medians - quantiles[1])
        )

    def ranks(self, base: BaseOutputs, embedding: Floats | None = None) -> Ranks:
        """Move the base by embeddings `[B, 64]` (or one, `[64]`); None for no taste."""
        raw, quantiles = base.raw, base.quantiles
        if embedding is not None:  # after the edges: a person may want what labelled pieces do not do
            parts = base.taste_shares.shape[1]
            ways = np.atleast_2d(embedding)[:, : parts * TASTE_WAYS].reshape(-1, parts, TASTE_WAYS)
            taste_shift = (base.taste_shares[:, :, None] * ways).sum(axis=1) @ self.taste_basis.T
            raw, quantiles = raw + taste_shift, quantiles + taste_shift[:, : len(SCALARS)]
        return Ranks(quantiles, {name: raw[:, columns] for name, columns in self.columns.items()})

    def play(self, base: BaseOutputs, embedding: Floats | None = None) -> Music:
        """Return the numbers to play, in range: tempo_*, register_*, dynamics_*, density, *_weights."""
        ranks = self.ranks(base, embedding)
        values = self.scalar_mean + self.scalar_sd * np.clip(ranks.quantiles, -OUTPUT_LIMIT, OUTPUT_LIMIT)
        early, middle, late = (dict(zip(SCALARS, np.moveaxis(rank, -1, 0), strict=True)) for rank in values)
        centre = middle["centre"]
        music = {
            **order_ranks("tempo", tuple(_exp2(rank["tempo"]) for rank in (early, middle, late))),
            **order_ranks("register", (centre - _exp2(middle["below"]), centre, centre + _exp2(middle["above"]))),
            "mode_weights": softmax(ranks.logits["modes"]),
            "timing_weights": softmax(ranks.logits["timing"]),
            "rhythm_weights": softmax(ranks.logits["rhythms"]),
            "dynamics_variance": np.clip(_exp2(middle["variation"]), 0.0, 1.0),
        }
        beats_a_second = music["tempo_suggested"] / 60.0
        music["density"] = np.clip(_exp2(middle["rate"]) / beats_a_second, 0.0, DENSITY_TOP)
        level = np.exp2(np.clip(middle["level"], *LEVEL_LOG2))
        floor = np.clip(level - _exp2(middle["softer"]), 0.0, 1.0)
        music["dynamics_floor"] = floor
        music["dynamics_ceiling"] = np.maximum(np.clip(level + _exp2(middle["louder"]), 0.0, 1.0), floor)
        return music


def load_mapper_net(path: Path) -> MapperNet:
    """Load the mapper's net of a folder of checkpoints, or of a whole system's file. Raises ModelError."""
    return MapperNet.from_checkpoint(load_part(path, NAME), path)


_RANGES = {
    "tempo": (TEMPO_BPM, TEMPO_SPAN_BPM, ("min", "suggested", "max")),
    "register": (REGISTER_NOTES, REGISTER_SPAN_NOTES, ("low", "center", "high")),
}


def order_ranks(name: str, ranks: tuple[Floats, ...]) -> Music:
    """Ranks (low, middle, high) of "tempo" or "register" in their ranges and in order.

    Low comes into its range, high within the span above it; a band wider than the span is narrowed around the middle,
    not cut off at one end.
    """
    low_range, span, parts = _RANGES[name]
    low, middle, high = ranks
    middle = np.clip(middle, low_range[0], low_range[1] + span)
    scale = np.minimum(span / np.minimum(np.maximum(high - low, 1e-6), 1e5), 1.0)
    low = np.clip(middle - scale * np.maximum(middle - low, 0.0), *low_range)
    low = np.maximum(low, np.clip(middle - span, *low_range))
    high = np.minimum(np.maximum(middle + scale * np.maximum(high - middle, 0.0), low), low + span)
    middle = np.minimum(np.maximum(middle, low), high)
    return {f"{name}_{part}": value for part, value in zip(parts, (low, middle, high), strict=True)}


def softmax(logits: Floats) -> Floats:
    """Weights that sum to 1 along the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def split_taste(embedding: Floats) -> Floats:
    """Split an embedding `[..., 64]` into `[..., 9, 7]`: the shared part, then each emotion's own."""
    return embedding[..., : TASTE_PARTS * TASTE_WAYS].reshape(*embedding.shape[:-1], TASTE_PARTS, TASTE_WAYS)


def limit_taste(embedding: Floats) -> Floats:
    """Limit each part of an embedding `[..., 64]` to its radius (RADII); the unused number becomes 0."""
    parts = split_taste(embedding)
    lengths = np.maximum(np.linalg.norm(parts, axis=-1), 1e-9)
    result = np.zeros_like(embedding)
    limited_parts = parts * np.minimum(RADII / lengths, 1.0)[..., None]
    result[..., : TASTE_PARTS * TASTE_WAYS] = limited_parts.reshape(*embedding.shape[:-1], -1)
    return result


def _list_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight of a net of this config. Raises KeyError, TypeError and ValueError."""
    if config.keys() != {"emotion_dim", "hidden_dim", "num_modes", "num_users"}:
        raise ValueError(f"a config of {', '.join(sorted(config))}")
    emotions, hidden, modes, users = (
        _size(config[name]) for name in ("emotion_dim", "hidden_dim", "num_modes", "num_users")
    )
    scalars, inputs = len(SCALARS), emotions + 6
    outputs = 2 * scalars + sum({**WEIGHTS, "modes": modes}.values())
    return {
        "linear.weight": (outputs, inputs), "linear.bias": (outputs,),
        "body.0.weight": (hidden, inputs), "body.0.bias": (hidden,),
        "body.2.weight": (hidden, hidden), "body.2.bias": (hidden,),
        "bend.weight": (outputs, hidden), "bend.bias": (outputs,),
        "shape": (2, scalars), "user.weight": (users + 1, USER_DIM), "anchors": (emotions, 3),
        "scalar_mean": (scalars,), "scalar_sd": (scalars,), "scalar_gain": (scalars,), "weight_gain": (len(WEIGHTS),),
        "centre": (outputs,), "home": (outputs,), "played_low": (scalars,), "played_high": (scalars,),
        "basis": (outputs, USER_WAYS),
    }  # fmt: skip


def _size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"a size of {value!r}; it must be a whole number over 0")
    return value


def _digest(weights: Mapping[str, npt.NDArray[Any]]) -> str:
    """Return 16 hex digits that identify a trained mapper, whatever tastes its file stores.

    An embedding fits the mapper it was learned for, and no other.
    """
    layout = (TASTE_WAYS, SHARED_TASTE, OWN_TASTE, SHARED_RADIUS, OWN_RADIUS, CAUTION)
    digest = hashlib.sha256(f"taste {layout}".encode())
    for name in sorted(name for name in weights if not name.startswith("user.")):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(weights[name]).tobytes())
    return digest.hexdigest()[:16]


def _normalize(probabilities: Floats) -> Floats:
    """Scale rows to sum to 1, or to 0 where all are 0; numbers that are not finite or in 0-1 are clipped."""
    shares = np.clip(np.nan_to_num(probabilities), 0.0, 1.0)
    return np.asarray(shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-6))


def _limit_softly(values: Floats, limit: float) -> Floats:
    """Limit values smoothly to ±limit; the result is finite for any input."""
    return np.asarray(limit * np.tanh(np.nan_to_num(values, nan=0.0, posinf=1e6, neginf=-1e6) / limit))


def _silu(values: Floats) -> Floats:
    return np.asarray(values * 0.5 * (1.0 + np.tanh(0.5 * values)))  # x times the logistic function, without overflow


def _exp2(values: Floats) -> Floats:
    return np.asarray(np.exp2(np.clip(values, -LOG2_LIMIT, LOG2_LIMIT)))
