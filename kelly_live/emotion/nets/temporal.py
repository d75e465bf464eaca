"""The temporal model: the emotion after the last seconds of readings, and its expected change."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from kelly_live.core.values import EMOTIONS

N_AFFECT = 3  # valence, arousal, dominance
N_EXTRA = N_AFFECT + 2  # with confidence and presence
# Limits that hold however the model was trained, so that it neither keeps an outburst of seconds ago nor cancels a
# reading. They are chosen, not measured.
MIN_FADE_RATE = 0.5  # 1/s; by its learned weight a step counts at most e times as much as another
MAX_AFFECT_CORRECTION = 0.15  # of V, A, D
MAX_LOGIT_SHIFT = 0.25  # of an emotion's log-odds
MIN_TRUST = 0.7  # factor of the input's log-odds: how far the model may flatten them
_EPSILON = 1e-6


class TemporalOutput(NamedTuple):
    """The temporal model's answer.

    `evolved_emotions` `[B, T, E]` (probabilities); `transitions` `[B, T-1, E, E]` (rows sum to 1); `evolved_affect`
    `[B, T, 3]` (V, A, D in [-1, 1]).
    """

    evolved_emotions: torch.Tensor
    transitions: torch.Tensor
    evolved_affect: torch.Tensor


class EmotionTransitionModel(nn.Module):
    """Maps a sequence of emotions to a TemporalOutput.

    An LSTM, bidirectional inside the window, and attention over time read the history; the evolution head corrects the
    input emotions. Transitions are matrix_exp(rates * elapsed), so the product of two short steps is one long step.
    """

    def __init__(
        self,
        n_emotions: int = len(EMOTIONS),
        hidden_dim: int = 32,
        layers: int = 1,
        heads: int = 8,
        dropout: float = 0.3,
        bidirectional: bool = True,
    ) -> None:
        super().__init__()
        self.config = {
            "n_emotions": n_emotions, "hidden_dim": hidden_dim, "layers": layers, "heads": heads, "dropout": dropout,
            "bidirectional": bidirectional,
        }  # fmt: skip
        width = hidden_dim * (2 if bidirectional else 1)
        self.enter = nn.Linear(n_emotions + N_EXTRA + 2, hidden_dim)
        self.lstm = nn.LSTM(
            hidden_dim, hidden_dim, layers, batch_first=True, bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,
        )  # fmt: skip
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)
        self.evolve = nn.Linear(width, n_emotions)
        self.evolve_affect = nn.Linear(width, N_AFFECT)
        self.keep = nn.Linear(width, 1)  # how far the input emotions are trusted
        # Weighted means over the steps, one for the emotions and one for each of V, A, D: the weight of a step, and how
        # fast it decays as seen from each step. After a change the past must decay at once, in a steady sound slowly.
        self.weigh = nn.Linear(width, 1 + N_AFFECT)
        self.fade = nn.Linear(width, 1 + N_AFFECT)
        # Initially the output is the input; training learns when to deviate from it.
        nn.init.zeros_(self.evolve.weight)
        nn.init.zeros_(self.evolve_affect.weight)
        nn.init.constant_(self.keep.bias, 2.0)
        nn.init.zeros_(self.weigh.weight)
        nn.init.constant_(self.fade.bias, 1.0)
        self.rate = nn.Parameter(torch.full((n_emotions, n_emotions), -4.0))  # softplus of it is in 1/s
        self.return_rate = nn.Parameter(torch.full((N_AFFECT,), -4.0))
        self.rest = nn.Parameter(torch.zeros(N_AFFECT))

    def rate_matrix(self) -> torch.Tensor:
        """Return the generator of the Markov chain `[E, E]` in 1/s: off-diagonal >= 0, rows sum to 0."""
        positive = functional.softplus(self.rate) * (1.0 - torch.eye(len(self.rate), device=self.rate.device))
        return positive - torch.diag(positive.sum(dim=1))

    def transition_matrix(self, seconds: torch.Tensor) -> torch.Tensor:
        """Return the row-stochastic matrices `[…, E, E]` of elapsed seconds `[…]`."""
        chain = torch.matrix_exp(self.rate_matrix() * seconds.clamp_min(0.0)[..., None, None]).clamp_min(0.0)
        return chain / chain.sum(dim=-1, keepdim=True)

    def forward(
        self, emotion_sequence: torch.Tensor, timestamps: torch.Tensor, extra: torch.Tensor | None = None
    ) -> TemporalOutput:
        """Run on `emotion_sequence` `[B, T, E]` at `timestamps` `[B, T]` (seconds, rising; steps may differ).

        `extra` `[B, T, 5]`: V, A, D, confidence, presence.
        """
        emotions, affect = self._evolve(emotion_sequence, timestamps, extra, emotion_sequence.shape[1])
        return TemporalOutput(emotions, self.transition_matrix(timestamps.diff(dim=1)), affect)

    def evolve_newest(
        self, emotion_sequence: torch.Tensor, timestamps: torch.Tensor, extra: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return evolved emotions `[B, E]` and affect `[B, 3]` of the last step, at half the cost."""
        emotions, affect = self._evolve(emotion_sequence, timestamps, extra, 1)
        return emotions[:, -1], affect[:, -1]

    def _evolve(
        self, emotion_sequence: torch.Tensor, timestamps: torch.Tensor, extra: torch.Tensor | None, newest: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return evolved emotions `[B, newest, E]` and affect `[B, newest, 3]` of the newest steps."""
        batch, steps, _ = emotion_sequence.shape
        if extra is None:
            extra = emotion_sequence.new_zeros(batch, steps, N_EXTRA)
            extra[..., N_AFFECT:] = 1.0
        elapsed = functional.pad(timestamps.diff(dim=1), (1, 0))
        age = timestamps[:, -1:] - timestamps
        time = torch.stack((torch.log1p(elapsed), torch.log1p(age)), dim=2)
        log_emotions = torch.log(emotion_sequence.clamp_min(_EPSILON)) + 3.0
        h, _ = self.lstm(torch.tanh(self.enter(torch.cat((log_emotions * 0.3, extra, time), dim=2))))
        moments, _ = self.attention(h, h, h, need_weights=False)
        h = self.drop(self.norm(h + moments))
        # Weighted means over the steps, then a small correction, so that the input keeps its scale.
        newest_hidden = h[:, -newest:]
        distance = (timestamps[:, -newest:].unsqueeze(2) - timestamps.unsqueeze(1)).abs()[..., None]
        fading = (MIN_FADE_RATE + functional.softplus(self.fade(newest_hidden))).unsqueeze(2) * distance
        weight = 0.5 * torch.tanh(self.weigh(h)).unsqueeze(1)
        share = torch.softmax(weight - fading, dim=2)  # [B, step, other step, which mean]
        mean = torch.einsum("bsm,bme->bse", share[..., 0], emotion_sequence)
        keep = MIN_TRUST + (1.0 - MIN_TRUST) * torch.sigmoid(self.keep(newest_hidden))
        logits = keep * (torch.log(mean.clamp_min(_EPSILON)) + 3.0) + MAX_LOGIT_SHIFT * torch.tanh(
            self.evolve(newest_hidden)
        )
        affect = torch.einsum("bsma,bma->bsa", share[..., 1:], extra[..., :N_AFFECT])
        affect = affect + MAX_AFFECT_CORRECTION * torch.tanh(self.evolve_affect(newest_hidden))
        return torch.softmax(logits, dim=2), affect.clamp(-1.0, 1.0)

    def forecast(
        self, emotions: torch.Tensor, affect: torch.Tensor, seconds: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Predict emotions `[B, E]` and affect `[B, 3]` after `seconds` `[B]` more.

        `emotions` `[B, E]` and `affect` `[B, 3]` are evolved ones. The Markov chain of the emotions continues; V, A and
        D return towards their resting values (the mean of an Ornstein-Uhlenbeck process).
        """
        later = torch.einsum("be,bef->bf", emotions, self.transition_matrix(seconds))
        remaining_share = torch.exp(-functional.softplus(self.return_rate) * seconds.unsqueeze(1))
        rest = torch.tanh(self.rest)
        return later, rest + (affect - rest) * remaining_share
