"""Checkpoints: one safetensors file that holds the weights and, as JSON in its header, what is needed to rebuild the
net (kind and config) and to trust it (the card: sources, licences, measured scores). Nothing in it can run code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kelly_live.atomic import write_atomically
from kelly_live.errors import ModelError

if TYPE_CHECKING:
    import torch

N = TypeVar("N", bound="torch.nn.Module")
FORMAT = "kelly-live/1"
CORPUS_PREFIX = "corpus."  # weights of a checkpoint that only training needs: what is constant between its corpora
MAX_BYTES = 256 * 1024 * 1024


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
    """Read a checkpoint of `kind`; sizes are checked before anything is allocated. Raises ModelError."""
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
            return Checkpoint(
                kind=kind,
                config=json.loads(metadata["config"]),
                card=json.loads(metadata["card"]),
                weights={name: file.get_tensor(name) for name in file.keys()},  # noqa: SIM118
            )
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ModelError(f"the checkpoint {path} is damaged ({error}); reinstall kelly-live") from error


def rebuilt(make: Callable[..., N], checkpoint: Checkpoint, path: Path) -> N:
    """The net that `make` makes of the checkpoint's config, with its weights but those that only training needs, in
    eval mode. Raises ModelError."""
    try:
        net = make(**checkpoint.config)
    except TypeError as error:
        raise ModelError(
            f"the checkpoint {path} has a config that does not fit ({error}); reinstall kelly-live"
        ) from error
    played = {name: weight for name, weight in checkpoint.weights.items() if not name.startswith(CORPUS_PREFIX)}
    load_weights(net, replace(checkpoint, weights=played), path)
    net.eval()
    return net


def load_weights(net: torch.nn.Module, checkpoint: Checkpoint, path: Path) -> None:
    """Put the weights into `net`, strictly. Raises ModelError if a name or a shape does not fit."""
    try:
        net.load_state_dict(checkpoint.weights, strict=True)
    except RuntimeError as error:
        reason = " ".join(" ".join(str(error).splitlines()[:2]).split())
        raise ModelError(
            f"the checkpoint {path} does not fit this version of the net ({reason}); reinstall kelly-live"
        ) from error
