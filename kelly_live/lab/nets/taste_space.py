"""The space of a taste's embedding: its parts, and the largest distance of each from no taste."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kelly_live.core.values import EMOTIONS
from kelly_live.mapping.net import (
    OWN_RADIUS,
    SHARED_RADIUS,
    TASTE_PARTS,
    TASTE_WAYS,
)


def create_taste_radii(like: Tensor) -> Tensor:
    """Create the radii `[9]` of a taste's parts, of the type and on the device of `like`.

    SHARED_RADIUS comes first, then OWN_RADIUS for each emotion.
    """
    return like.new_tensor([SHARED_RADIUS] + [OWN_RADIUS] * len(EMOTIONS))


def split_taste(embedding: Tensor) -> Tensor:
    """Split embeddings `[..., 64]` into parts `[..., 9, 7]`.

    The first part applies everywhere, the others to one emotion each.
    """
    return embedding[..., : TASTE_PARTS * TASTE_WAYS].reshape(*embedding.shape[:-1], TASTE_PARTS, TASTE_WAYS)


def limit_taste(embedding: Tensor) -> Tensor:
    """Limit each part of embeddings `[..., 64]` to its radius; parts inside stay.

    The number that moves nothing is 0.
    """
    parts = split_taste(embedding)
    lengths = torch.clamp(parts.norm(dim=-1), min=1e-9)
    inside = parts * torch.clamp(create_taste_radii(embedding) / lengths, max=1.0).unsqueeze(-1)
    return F.pad(inside.flatten(-2), (0, embedding.shape[-1] - TASTE_PARTS * TASTE_WAYS))
