"""Training of the net that hears chords (`sync/chord_net.py`) on rendered songs with their chords."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from kelly_live.core.arrays import Floats
from kelly_live.lab.corpora.chord_songs import UNMEASURED
from kelly_live.sync.chord_features import FEATURES, rotate_to_roots
from kelly_live.sync.chord_net import CHORDS, ChordWeights

_BATCH, _EXCERPT_HOPS = 8, 300
# In the order of ChordWeights.
_TENSORS = (
    "enter.weight", "enter.bias", "gru.weight_ih_l0", "gru.bias_ih_l0", "gru.weight_hh_l0", "gru.bias_hh_l0",
    "leave.weight", "leave.bias",
)  # fmt: skip
_LEARNING_RATE, _SMOOTHING = 6e-3, 0.05


class ChordNetTrainer(torch.nn.Module):
    """The net in torch, over whole excerpts at once; `weights` gives what `ChordNet` takes."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.enter = torch.nn.Linear(FEATURES, units)
        self.gru = torch.nn.GRU(units, units, batch_first=True)
        self.leave = torch.nn.Linear(units, 3)

    def forward(self, rotated: torch.Tensor) -> torch.Tensor:
        """Return logits `[batch, hops, 25]` of features as each root sees them `[batch, 12, hops, 72]`."""
        batch, roots, hops, _ = rotated.shape
        state, _ = self.gru(torch.tanh(self.enter(rotated.flatten(0, 1))))
        scores = self.leave(state).reshape(batch, roots, hops, 3)
        return torch.cat([scores[..., 0].mT, scores[..., 1].mT, scores[..., 2].mean(1)[..., None]], -1)

    def get_weights(self) -> ChordWeights:
        """Return the weights for numpy."""
        tensors = self.state_dict()
        return ChordWeights(*(tensors[name].double().numpy() for name in _TENSORS))


def train_chords(
    songs: Sequence[tuple[Floats, np.ndarray]], *, units: int, epochs: int, seed: int, log: Callable[[str], None]
) -> ChordWeights:
    """Train on the features `[hops, 72]` and true indices `[hops]` of songs; the same seed gives the same net."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = ChordNetTrainer(units)
    optimizer = torch.optim.AdamW(net.parameters(), _LEARNING_RATE, weight_decay=1e-3)
    batches = -(-len(songs) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=epochs * batches + 1)
    data = [(torch.tensor(rotate_to_roots(x), dtype=torch.float32), torch.tensor(true)) for x, true in songs]
    for epoch in range(epochs):
        losses = []
        for numbers in np.array_split(rng.permutation(len(data)), batches):
            excerpts = []
            for number in numbers:
                start = int(rng.integers(0, max(1, len(data[number][1]) - _EXCERPT_HOPS)))
                excerpts.append((number, slice(start, start + _EXCERPT_HOPS)))
            rotated = torch.stack([data[number][0][:, excerpt] for number, excerpt in excerpts])
            true = torch.stack([data[number][1][excerpt] for number, excerpt in excerpts])
            loss = torch.nn.functional.cross_entropy(
                net(rotated).reshape(-1, CHORDS), true.flatten(), ignore_index=UNMEASURED, label_smoothing=_SMOOTHING
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        log(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.3f}")
    return net.get_weights()


def save_chord_weights(weights: ChordWeights, path: Path) -> None:
    """Write the weights as `ChordNet` loads them."""
    arrays = {name: value.astype(np.float32) for name, value in weights._asdict().items()}
    np.savez_compressed(path, allow_pickle=False, **arrays)
