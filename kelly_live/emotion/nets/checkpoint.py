"""Write checkpoints of torch nets, and rebuild nets from them; `core/checkpoint.py` reads the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kelly_live.core import checkpoint as checkpoint_files
from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.checkpoint import CORPUS_PREFIX, FORMAT, Checkpoint, require_small
from kelly_live.core.errors import ModelError
from kelly_live.core.resources import is_shipped

if TYPE_CHECKING:
    import torch

N = TypeVar("N", bound="torch.nn.Module")


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; if that fails, the old file stays. Raises OutputError."""
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
    """Read a checkpoint of `kind` as torch tensors on the CPU. Raises ModelError."""
    return checkpoint_files.load_checkpoint(path, kind, "pt")


def load_net(create: Callable[..., N], path: Path, name: str) -> N:
    """Load one net from a folder of checkpoints or from a file of a whole system. Raises ModelError."""
    where = path if path.is_file() else path / f"{name}.safetensors"
    return rebuild_net(create, checkpoint_files.load_part(path, name, "pt"), where)


def rebuild_net(create: Callable[..., N], checkpoint: Checkpoint, path: Path) -> N:
    """Create a net from a checkpoint's config and weights, in eval mode.

    Weights that only training needs are left out. A net of a foreign file is first created without memory, and then
    with memory only if every weight fits, so that its config cannot allocate more than the file holds. Raises
    ModelError.
    """
    import torch

    trimmed_checkpoint = replace(
        checkpoint, weights={n: w for n, w in checkpoint.weights.items() if not n.startswith(CORPUS_PREFIX)}
    )
    try:
        if not is_shipped(path):  # the trial loads a part of torch, which takes a second
            require_small(checkpoint.config)
            with torch.device("meta"):
                trial = create(**checkpoint.config)
            load_weights(
                trial,
                replace(trimmed_checkpoint, weights={n: w.to("meta") for n, w in trimmed_checkpoint.weights.items()}),
                path,
            )
        net = create(**checkpoint.config)
    except ModelError:
        raise
    except Exception as error:  # whatever a foreign config raises, the file is at fault
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"the checkpoint {path} has a config that does not fit ({reason}); reinstall kelly-live"
        ) from error
    load_weights(net, trimmed_checkpoint, path)
    net.eval()
    return net


def load_weights(net: torch.nn.Module, checkpoint: Checkpoint, path: Path) -> None:
    """Load the weights into `net`. Raises ModelError if a name or a shape does not fit."""
    try:
        net.load_state_dict(checkpoint.weights, strict=True)
    except RuntimeError as error:
        reason = " ".join(" ".join(str(error).splitlines()[:2]).split())
        raise ModelError(
            f"the checkpoint {path} does not fit this version of the net ({reason}); reinstall kelly-live"
        ) from error
