"""Checkpoints: one safetensors file that holds the weights and, as JSON in its header, what is needed to rebuild the
net (kind and config) and to trust it (the card: sources, licences, measured scores). Nothing in it can run code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ModelError
from kelly_live.core.resources import is_shipped

if TYPE_CHECKING:
    import torch

N = TypeVar("N", bound="torch.nn.Module")
FORMAT = "kelly-live/1"
CORPUS_PREFIX = "corpus."  # weights of a checkpoint that only training needs: what is constant between its corpora
MAX_BYTES = 256 * 1024 * 1024
LARGEST_NUMBER = 4096  # in a config: widths, counts, layers


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights on the CPU, the net's `kind` and constructor `config`, and its `card`."""

    kind: str
    config: dict[str, Any]
    card: dict[str, Any]
    weights: dict[str, torch.Tensor]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write it whole or not at all: a crash leaves the old file. Raises OutputError."""
    from safetensors.torch import save

    metadata = {
        "format": FORMAT,
        "kind": checkpoint.kind,
        "config": json.dumps(checkpoint.config, sort_keys=True),
        "card": json.dumps(checkpoint.card, sort_keys=True),
    }
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.weights.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(weights, metadata))


def load_checkpoint(path: Path, kind: str) -> Checkpoint:
    """Read a checkpoint of `kind`; sizes are checked before anything is allocated. Raises ModelError.

    A stranger's file may be refused, and nothing else: it holds numbers and JSON, no code.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"the checkpoint {path} is missing; reinstall kelly-live or name another with --models")
    if path.stat().st_size > MAX_BYTES:
        raise ModelError(f"the checkpoint {path} is over {MAX_BYTES >> 20} MB; it is not one of kelly-live's")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT or metadata.get("kind") != kind:
                raise ModelError(
                    f"{path} is a {metadata.get('kind', 'foreign')!r} checkpoint, not {kind!r} of {FORMAT}; "
                    "name the right file or reinstall kelly-live"
                )
            checkpoint = Checkpoint(
                kind=kind,
                config=_object(metadata["config"]),
                card=_object(metadata["card"]),
                weights={name: file.get_tensor(name) for name in file.keys()},  # noqa: SIM118
            )
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"the checkpoint {path} is damaged ({reason}); reinstall kelly-live") from error
    for name, weight in checkpoint.weights.items():
        if not bool(weight.isfinite().all()):
            raise ModelError(
                f"the checkpoint {path} holds numbers that are none, in {name[:80]!r}; reinstall kelly-live"
            )
    return checkpoint


def _object(text: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("config and card must be JSON objects")
    return value


def rebuilt(make: Callable[..., N], checkpoint: Checkpoint, path: Path) -> N:
    """The net that `make` makes of the checkpoint's config, with its weights but those that only training needs, in
    eval mode. A stranger's is first made without memory, and made for real only if every weight fits: its config can't
    ask for more than the file holds. Raises ModelError.
    """
    import torch

    played = replace(
        checkpoint, weights={n: w for n, w in checkpoint.weights.items() if not n.startswith(CORPUS_PREFIX)}
    )
    try:
        if not is_shipped(path):  # loading what the trial needs takes a second
            _require_small(checkpoint.config)
            with torch.device("meta"):
                trial = make(**checkpoint.config)
            load_weights(trial, replace(played, weights={n: w.to("meta") for n, w in played.weights.items()}), path)
        net = make(**checkpoint.config)
    except ModelError:
        raise
    except Exception as error:  # whatever a foreign config breaks, the file is at fault
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"the checkpoint {path} has a config that does not fit ({reason}); reinstall kelly-live"
        ) from error
    load_weights(net, played, path)
    net.eval()
    return net


def _require_small(config: object) -> None:
    """Refuse numbers and lists that no net of ours has, before a constructor counts up to them. Raises ValueError."""
    if isinstance(config, dict):
        config = list(config.values())
    if isinstance(config, list):
        if len(config) > LARGEST_NUMBER:
            raise ValueError(f"a list of {len(config)}; at most {LARGEST_NUMBER}")
        for value in config:
            _require_small(value)
    elif isinstance(config, int | float) and not abs(config) <= LARGEST_NUMBER:
        raise ValueError(f"a number of {config}; at most {LARGEST_NUMBER}")


def load_weights(net: torch.nn.Module, checkpoint: Checkpoint, path: Path) -> None:
    """Put the weights into `net`, strictly. Raises ModelError if a name or a shape does not fit."""
    try:
        net.load_state_dict(checkpoint.weights, strict=True)
    except RuntimeError as error:
        reason = " ".join(" ".join(str(error).splitlines()[:2]).split())
        raise ModelError(
            f"the checkpoint {path} does not fit this version of the net ({reason}); reinstall kelly-live"
        ) from error
