"""The user basis: principal directions in which songs of the same emotion differ.

The part of a song that its emotion does not explain is partly the song's own (it is fast throughout) and partly chance
(this clip). Songs with several clips separate the two: the cross-covariance between one half of a song's clips and the
other half contains only what they share. Its principal directions, scaled to one standard deviation, are the basis.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper
from kelly_live.lab.training.mapper_data import Examples, compute_states, list_masks
from kelly_live.mapping.net import SCALARS, USER_WAYS, WEIGHTS

_MIN_SHARE = 0.01  # of a weight, before its logarithm is taken: keeps the logarithm of 0 finite
_MIN_SONGS = 20  # fewer songs with both of a pair give no covariance


@torch.no_grad()
def compute_user_basis(net: DynamicEmotionToMusicMapper, corpus_shift: Tensor, data: Examples) -> Tensor:
    """Compute the basis: columns `[outputs, USER_WAYS]`, largest first.

    Columns beyond the directions in the data are zero. `corpus_shift` `[N, outputs]` is the offset of each row's
    corpus.
    """
    residuals, masks = _compute_residuals(net, corpus_shift, data)
    one, other, has_both = _average_halves(residuals, masks, data.groups)
    count = has_both.T @ has_both
    covariance = (one.T @ other + other.T @ one) / 2.0 / torch.clamp(count, min=1.0)
    covariance = torch.where(count >= _MIN_SONGS, covariance, torch.zeros_like(covariance))
    power, ways = torch.linalg.eigh(covariance)
    top = torch.argsort(power, descending=True)[:USER_WAYS]
    columns = ways[:, top] * torch.clamp(power[top], min=0.0).sqrt()
    signs = columns.gather(0, columns.abs().argmax(0, keepdim=True)).sign()  # the same basis on every machine
    columns = columns * torch.where(signs == 0, torch.ones_like(signs), signs)
    basis = torch.zeros(len(net.centre), USER_WAYS)
    basis[_find_moved_outputs(net)] = columns[:, :USER_WAYS]
    return basis


def _find_moved_outputs(net: DynamicEmotionToMusicMapper) -> Tensor:
    """Find the raw outputs that a taste moves: locations and logits, never the spreads."""
    logits = torch.arange(2 * len(SCALARS), len(net.centre))
    return torch.cat([torch.arange(len(SCALARS)), logits])


def _compute_residuals(net: DynamicEmotionToMusicMapper, shift: Tensor, data: Examples) -> tuple[Tensor, Tensor]:
    """Compute residuals `[N, moved]` of locations (SDs) and of centred log weights, and their mask.

    The mask is 1 where they were measured.
    """
    spread = net.unpack(net.compute_raw(*compute_states(data)) + shift)
    residuals = [(data.scalars - net.scalar_mean) / net.scalar_sd - spread.quantile(0.5)]
    scalar_masks = [data.scalar_mask]
    masks_by_name = list_masks(data)
    for name in WEIGHTS:
        actual = torch.log(data.weights[name] + _MIN_SHARE)
        log_shares = torch.log(torch.softmax(spread.logits[name], dim=-1) + _MIN_SHARE)
        gap = actual - log_shares
        residuals.append(gap - gap.mean(-1, keepdim=True))
        scalar_masks.append(masks_by_name[name][:, None].expand_as(gap))
    residual, mask = torch.cat(residuals, dim=-1), torch.cat(scalar_masks, dim=-1)
    middle = (residual * mask).sum(0) / torch.clamp(mask.sum(0), min=1.0)
    return (residual - middle).clamp(-4.0, 4.0) * mask, mask


def _average_halves(residuals: Tensor, masks: Tensor, groups: tuple[str, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Average the odd and the even rows of each song that has both, `[songs, moved]`, with their mask."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    pairs = [(rows[::2], rows[1::2]) for _, rows in sorted(members.items()) if len(rows) > 1]
    if not pairs:
        nothing = torch.zeros(0, residuals.shape[1])
        return nothing, nothing, nothing

    def mean(rows: list[int]) -> tuple[Tensor, Tensor]:
        count = masks[rows].sum(0)
        return residuals[rows].sum(0) / torch.clamp(count, min=1.0), (count > 0).float()

    first, second = [mean(a) for a, _ in pairs], [mean(b) for _, b in pairs]
    has_both = torch.stack([x[1] * y[1] for x, y in zip(first, second, strict=True)])
    return torch.stack([x[0] for x in first]) * has_both, torch.stack([y[0] for y in second]) * has_both, has_both
