"""The culture stage between emotion and music: the trained adapter's numbers, at a strength.

`CultureNet` computes on numpy what `lab/nets/culture.py` trains with torch; a test holds the two within 1e-5 of each
other. Thread: everything here is immutable after construction, so any thread may call it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from kelly_live.core.arrays import Floats
from kelly_live.core.checkpoint import load_part, require_small
from kelly_live.core.errors import ConfigError, ModelError
from kelly_live.core.values import EMOTIONS, MODES, RHYTHMS, TEMPO_BPM, CultureStyle, Scale
from kelly_live.mapping.net import MapperNet, Music, order_ranks, softmax

NAME = "culture"
KNOWN = ("tempo", "modes", "dynamics", "rhythms")  # the columns of `known`
_LEAST_PROBABILITY = 1e-6
_LEAST_WEIGHT = 0.02  # of a mode or rhythm: under a fiftieth, how rare it is says nothing
_CONFIG = {"cultures", "regions", "languages", "n_emotions", "features"}

# How much more (or less) than on average each of MODES is felt, to how the culture plays what feels so.
StyleChooser: TypeAlias = Callable[[Sequence[float]], CultureStyle | None]


@dataclass(frozen=True, slots=True)
class CultureNumbers:
    """What is usual in a culture, a row for each state.

    `tempo_bpm [B, 3]` (minimum, preferred, maximum), `modes [B, 7]` and `rhythms [B, 5]` (each row sums to 1),
    `dynamics [B, 3]` (soft, normal, loud, 0-1), and `known [B, 4]` (0-1): how well its corpus tells each of KNOWN.
    """

    tempo_bpm: Floats
    modes: Floats
    dynamics: Floats
    rhythms: Floats
    known: Floats


class CultureNet:
    """The adapter of a checkpoint: how a culture perceives emotions `[B, E]`, and how it usually plays."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, npt.NDArray[Any]]) -> None:
        """Check that the weights match the config. Raises ValueError."""
        shapes = _list_shapes(config)
        if weights.keys() != shapes.keys():
            raise ValueError(f"other weights: {', '.join(sorted(weights.keys() ^ shapes.keys()))}")
        for name, shape in shapes.items():
            if weights[name].shape != shape:
                raise ValueError(f"{name} is {weights[name].shape}, not {shape}")
        self.cultures = tuple(config["cultures"])
        self._weights = {name: np.asarray(weight, np.float64) for name, weight in weights.items()}

    def index(self, name: str) -> int:
        """Return the row of a culture, from 1. Raises ConfigError for one that was not learned."""
        if name not in self.cultures:
            raise ConfigError(
                f"the culture adapter has not learned {name!r}; it knows {', '.join(self.cultures) or 'none'}"
            )
        return self.cultures.index(name) + 1

    def __call__(self, emotions: Floats, culture: int) -> tuple[Floats, CultureNumbers]:
        """Return emotions `[B, E]` as the culture `index` perceives them, and its numbers."""
        w = self._weights
        place = np.concatenate([w["culture.weight"][culture], w["region.weight"][0], w["language.weight"][0]])
        hidden = np.concatenate([np.tile(place, (len(emotions), 1)), emotions], axis=1)
        hidden = hidden @ w["fuse.0.weight"].T + w["fuse.0.bias"]
        hidden = hidden - hidden.mean(axis=1, keepdims=True)
        hidden = hidden / np.sqrt((hidden**2).mean(axis=1, keepdims=True) + 1e-5)
        hidden = hidden * w["fuse.1.weight"] + w["fuse.1.bias"]
        hidden = hidden * _logistic(hidden)

        def head(name: str) -> Floats:
            return np.asarray(hidden @ w[f"{name}.weight"].T + w[f"{name}.bias"])

        perceived_emotions = softmax(np.log(np.maximum(emotions, _LEAST_PROBABILITY)) + head("emotion"))
        slowest, fastest = TEMPO_BPM
        middle, slower, faster = _logistic(head("tempo")).T
        # Shares of the way, on a logarithmic scale, from the middle to either end: bounded without a flat place.
        usual_tempo = slowest * np.exp(middle * math.log(fastest / slowest))
        lowest = np.minimum(usual_tempo * (slowest / usual_tempo) ** slower, usual_tempo)
        highest = np.maximum(usual_tempo * (fastest / usual_tempo) ** faster, usual_tempo)
        soft, normal, loud = _logistic(head("dynamics")).T
        return perceived_emotions, CultureNumbers(
            tempo_bpm=np.clip(np.stack((lowest, usual_tempo, highest), axis=1), slowest, fastest),
            modes=softmax(head("modes")),
            dynamics=np.stack((normal * soft, normal, normal + (1.0 - normal) * loud), axis=1),
            rhythms=softmax(head("rhythms")),
            known=np.tile(w["known"][culture], (len(emotions), 1)),
        )


class CultureStage:
    """One culture at one strength (0: nothing of it, 1: all of it).

    `scale` is what it is played in, None for the mapper's modes; `choose_style` says how it is played.
    """

    def __init__(
        self,
        adapt: Callable[[Floats], tuple[Floats, CultureNumbers]],
        strength: float = 1.0,
        *,
        scale: Scale | None = None,
        choose_style: StyleChooser | None = None,
    ) -> None:
        """Take `adapt`: from emotions `[B, E]` to emotions as the culture perceives them, and its numbers."""
        self._adapt, self.scale, self._choose_style = adapt, scale, choose_style
        self.strength = min(max(strength, 0.0), 1.0)

    @classmethod
    def from_net(
        cls,
        net: CultureNet,
        name: str,
        strength: float = 1.0,
        *,
        scale: Scale | None = None,
        choose_style: StyleChooser | None = None,
    ) -> CultureStage:
        """Create the stage of a culture that the adapter learned. Raises ConfigError for others."""
        culture = net.index(name)
        return cls(lambda emotions: net(emotions, culture), strength, scale=scale, choose_style=choose_style)

    @classmethod
    def from_numbers(
        cls,
        strength: float = 1.0,
        *,
        tempo_bpm: tuple[float, ...] | None = None,
        modes: tuple[float, ...] | None = None,
        dynamics: tuple[float, ...] | None = None,
        rhythms: tuple[float, ...] | None = None,
        scale: Scale | None = None,
        choose_style: StyleChooser | None = None,
    ) -> CultureStage:
        """Create the stage of a culture that no net learned, such as a user's own preset."""

        def row(values: tuple[float, ...] | None, width: int) -> Floats:
            return np.array([values or (1.0 / width,) * width], dtype=np.float64)

        known_parts = [float(part is not None) for part in (tempo_bpm, modes, dynamics, rhythms)]
        numbers = CultureNumbers(
            tempo_bpm=row(tempo_bpm or (110.0,) * 3, 3),
            modes=row(modes, len(MODES)),
            dynamics=row(dynamics, 3),
            rhythms=row(rhythms, len(RHYTHMS)),
            known=np.array([known_parts]),
        )
        return cls(lambda emotions: (emotions, numbers), strength, scale=scale, choose_style=choose_style)

    @property
    def has_styles(self) -> bool:
        """Whether `choose_style` may choose a style; never at strength 0."""
        return self._choose_style is not None and self.strength > 0.0

    def choose_style(self, modes: Sequence[float]) -> CultureStyle | None:
        """How to play what leans so to each of MODES."""
        return None if self._choose_style is None else self._choose_style(modes)

    def __call__(self, emotions: Floats) -> tuple[Floats, CultureNumbers]:
        """Return emotions `[B, E]` as this culture perceives them at this strength, and its numbers."""
        perceived_emotions, numbers = self._adapt(emotions)
        return emotions + self.strength * (perceived_emotions - emotions), numbers

    def apply(self, net: MapperNet, music: Music, numbers: CultureNumbers) -> Music:
        """Move what is played by half of what parts the culture from a player at rest, at strength 1.

        Everybody is moved alike: what a feeling changes (faster, louder, a darker mode) it changes at full strength,
        from the culture's own middle. Tempo and weights move as ratios, loudness as a difference. What is not known of
        the culture keeps the emotion's own value, to the bit.
        """
        if self.strength == 0.0:
            return music
        rest, music = net.at_rest, dict(music)
        rows = len(music["density"])
        shares = dict(zip(KNOWN, (0.5 * self.strength * np.clip(numbers.known, 0.0, 1.0)).T, strict=True))

        def replace_known(field: str, replacements: Music) -> None:
            is_known = np.broadcast_to(shares[field] > 0.0, rows)
            for name, value in replacements.items():
                music[name] = np.where(is_known if value.ndim == 1 else is_known[:, None], value, music[name])

        for field, name, culture_weights in (
            ("modes", "mode_weights", numbers.modes),
            ("rhythms", "rhythm_weights", numbers.rhythms),
        ):
            # Two rarities are no difference: what hardly anybody plays at rest is not for that the culture's own.
            difference = np.log(culture_weights + _LEAST_WEIGHT) - np.log(rest[name] + _LEAST_WEIGHT)
            logits = np.log(music[name] + 1e-6) + shares[field][:, None] * difference
            replace_known(field, {name: softmax(logits)})
        ratio = (np.clip(numbers.tempo_bpm[:, 1], *TEMPO_BPM) / rest["tempo_suggested"]) ** shares["tempo"]
        tempi = tuple(ratio * music[f"tempo_{part}"] for part in ("min", "suggested", "max"))
        replace_known("tempo", order_ranks("tempo", tempi))
        soft, _, loud = np.clip(numbers.dynamics, 0.0, 1.0).T
        floor = np.clip(music["dynamics_floor"] + shares["dynamics"] * (soft - rest["dynamics_floor"]), 0.0, 1.0)
        ceiling = music["dynamics_ceiling"] + shares["dynamics"] * (loud - rest["dynamics_ceiling"])
        ceiling = np.maximum(np.clip(ceiling, 0.0, 1.0), floor)
        replace_known("dynamics", {"dynamics_floor": floor, "dynamics_ceiling": ceiling})
        return music


def load_culture_net(path: Path) -> CultureNet:
    """Load the adapter of a folder of checkpoints, or of a whole system's file. Raises ModelError."""
    checkpoint = load_part(path, NAME)
    try:
        require_small(checkpoint.config)
        return CultureNet(checkpoint.config, checkpoint.weights)
    except (KeyError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ModelError(
            f"the checkpoint {path} does not fit this version of the {NAME} ({str(error)[:200]}); reinstall kelly-live"
        ) from error


def _list_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight of an adapter. Raises KeyError, TypeError and ValueError."""
    if config.keys() != _CONFIG:
        raise ValueError(f"a config of {', '.join(sorted(config))}")
    cultures, regions, languages = (config[name] for name in ("cultures", "regions", "languages"))
    if not all(isinstance(names, list | tuple) for names in (cultures, regions, languages)):
        raise TypeError("cultures, regions and languages must be lists of names")
    features, emotions = config["features"], config["n_emotions"]
    if emotions != len(EMOTIONS) or not isinstance(features, int) or features < 1:
        raise ValueError(f"{emotions} emotions and {features} features")
    heads = {"emotion": emotions, "tempo": 3, "modes": len(MODES), "dynamics": 3, "rhythms": len(RHYTHMS)}
    return {
        "culture.weight": (len(cultures) + 1, 128),
        "region.weight": (len(regions) + 1, 64),
        "language.weight": (len(languages) + 1, 64),
        "fuse.0.weight": (features, 256 + emotions), "fuse.0.bias": (features,),
        "fuse.1.weight": (features,), "fuse.1.bias": (features,),
        **{f"{name}.weight": (size, features) for name, size in heads.items()},
        **{f"{name}.bias": (size,) for name, size in heads.items()},
        "known": (len(cultures) + 1, len(KNOWN)),
    }  # fmt: skip


def _logistic(values: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))
