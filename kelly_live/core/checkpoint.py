"""Read checkpoints: weights, what rebuilds the net (`kind`, `config`) and its sources (`card`).

A checkpoint is one safetensors file of numbers and JSON; nothing in it can run. It holds one net, or a whole system:
then each weight's name begins with the name of its part.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kelly_live.core.errors import ModelError
from kelly_live.core.numbers import quote_value

FORMAT = "kelly-live/1"
SYSTEM_KIND = "system"  # the kind of a file with all nets
CORPUS_PREFIX = "corpus."  # name prefix of weights that only training needs: offsets between its corpora
MAX_BYTES = 256 * 1024 * 1024
LARGEST_NUMBER = 4096  # in a config: our widths, counts and numbers of layers are smaller
LARGEST_WEIGHT = 1000.0  # those of our nets are under 130; far larger ones overflow in use
_DEEPEST = 8  # levels of a config
_DTYPES = ("F16", "F32", "F64")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights by name, the net's `kind`, its constructor's `config`, and its `card`.

    The card has sources, licences and scores. The weights are on the CPU, as arrays of the framework that they were
    loaded for.
    """

    kind: str
    config: dict[str, Any]
    card: dict[str, Any]
    weights: dict[str, Any]


def load_checkpoint(path: Path, kind: str, framework: Literal["np", "pt"] = "np") -> Checkpoint:
    """Read a checkpoint of `kind` as numpy arrays ("np") or torch tensors ("pt"). Raises ModelError.

    Sizes are checked before anything is allocated. A foreign file may be refused, and nothing else happens.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"the checkpoint {path} is missing; reinstall kelly-live or name another with --models")
    if path.stat().st_size > MAX_BYTES:
        raise ModelError(f"the checkpoint {path} is over {MAX_BYTES >> 20} MB; it is not one of kelly-live's")
    try:
        with safe_open(path, framework=framework) as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT or metadata.get("kind") != kind:
                raise ModelError(
                    f"{path} is a {metadata.get('kind', 'foreign')[:40]!r} checkpoint, not {kind!r} of {FORMAT}; "
                    "name the right file or reinstall kelly-live"
                )
            checkpoint = Checkpoint(
                kind=kind,
                config=_parse_object(metadata["config"]),
                card=_parse_object(metadata["card"]),
                weights={name: _read_weight(file, name) for name in file.keys()},  # noqa: SIM118
            )
    except (SafetensorError, OSError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"the checkpoint {path} is damaged ({reason}); reinstall kelly-live") from error
    for name, weight in checkpoint.weights.items():
        if not _is_finite(weight, framework):
            raise ModelError(
                f"the checkpoint {path} holds values that are not finite, in {name[:80]!r}; reinstall kelly-live"
            )
        if not bool((abs(weight) <= LARGEST_WEIGHT).all()):
            raise ModelError(
                f"the checkpoint {path} holds values of over {LARGEST_WEIGHT:g}, in {name[:80]!r}; "
                "no net of kelly-live does: reinstall it"
            )
    return checkpoint


def load_part(path: Path, name: str, framework: Literal["np", "pt"] = "np") -> Checkpoint:
    """Read one net's checkpoint from a folder of them or from a file of a whole system. Raises ModelError."""
    if not path.is_file():
        return load_checkpoint(path / f"{name}.safetensors", name, framework)
    return select_part(path, name, load_checkpoint(path, SYSTEM_KIND, framework))


def select_part(path: Path, name: str, system: Checkpoint) -> Checkpoint:
    """Take one net out of a whole system's checkpoint, which came from `path`. Raises ModelError."""
    if name not in system.config:
        raise ModelError(f"{path} lacks the {name} net; it is not a whole system: make it with `train system`")
    prefix = f"{name}."
    weights = {key.removeprefix(prefix): w for key, w in system.weights.items() if key.startswith(prefix)}
    return Checkpoint(name, system.config[name], system.card.get(name, {}), weights)


def require_small(config: object, depth: int = 0) -> None:
    """Refuse numbers, lists and depths larger than our nets have, before use. Raises ValueError."""
    if depth > _DEEPEST:
        raise ValueError(f"over {_DEEPEST} levels")
    if isinstance(config, dict):
        config = list(config.values())
    if isinstance(config, list):
        if len(config) > LARGEST_NUMBER:
            raise ValueError(f"a list of {len(config)}; at most {LARGEST_NUMBER}")
        for value in config:
            require_small(value, depth + 1)
    elif isinstance(config, int | float) and not abs(config) <= LARGEST_NUMBER:
        raise ValueError(f"a number of {quote_value(config)}; at most {LARGEST_NUMBER}")


def _read_weight(file: Any, name: str) -> Any:
    """Read one weight. Raises ValueError unless it is of a plain floating type."""
    dtype = file.get_slice(name).get_dtype()
    if dtype not in _DTYPES:
        raise ValueError(f"{name[:80]!r} is of type {dtype}; it must be one of {', '.join(_DTYPES)}")
    return file.get_tensor(name)


def _parse_object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("config and card must be JSON objects")
    return value


def _is_finite(weight: Any, framework: Literal["np", "pt"]) -> bool:
    if framework == "pt":
        return bool(weight.isfinite().all())
    import numpy as np

    return bool(np.isfinite(weight).all())
