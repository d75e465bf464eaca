"""Training the emotion net on cached windows: early stopping on held-out speakers and songs, then calibration."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import WeightedRandomSampler

from kelly_live.nets.emotion import Description, EmotionOutput, MultiScaleEmotionNet
from kelly_live.training.evaluation import Answers, answer, evaluate, overall, quadrant_of
from kelly_live.training.manifest import QUADRANTS, Clip
from kelly_live.training.targets import Targets, clip_targets, label_of, sound_targets
from kelly_live.training.windows import Windows

SIGN_SLOPE = 4.0  # how sharply the sign losses treat V and A near 0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run depends on, besides its data."""

    epochs: int = 40
    patience: int = 8
    batch: int = 64
    learning_rate: float = 7e-4
    weight_decay: float = 0.05
    tempering: float = 0.5  # power of the sampling weights: at 1 the net learns the rare clips by heart
    seed: int = 0


@dataclass(slots=True)
class EarlyStopping:
    """Keeps the best score and its weights; `done` after `patience` scores in a row that were not better."""

    patience: int
    best: float = -math.inf
    since: int = 0
    weights: dict[str, torch.Tensor] = field(default_factory=dict)

    def update(self, score: float, net: torch.nn.Module) -> bool:
        """True if `score` is the new best."""
        if score > self.best:
            self.best, self.since = score, 0
            self.weights = copy.deepcopy(net.state_dict())
            return True
        self.since += 1
        return False

    @property
    def done(self) -> bool:
        return self.since >= self.patience


@dataclass(frozen=True, slots=True)
class Part:
    """Windows with their clips and targets; windows of sounds have clip -1."""

    clips: list[Clip]
    windows: Windows
    targets: Targets

    @classmethod
    def of(cls, clips: list[Clip], windows: Windows) -> Part:
        return cls(clips, windows, clip_targets(clips, windows.clip, windows.end_seconds))


def _weighted(loss: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The mean over the batch of what was said: a batch that says nothing gives 0."""
    return (loss * weight).sum() / weight.sum().clamp_min(1.0)


def loss_of(out: EmotionOutput, t: dict[str, torch.Tensor]) -> torch.Tensor:
    """All heads' masked losses, summed."""
    log_p = functional.log_softmax(out.emotion_logits, dim=1)
    affect = torch.stack((out.valence, out.arousal, out.dominance), dim=1)
    named = (t["label"] >= 0).float()
    label = functional.cross_entropy(out.label_logits, t["label"].clamp_min(0), reduction="none", label_smoothing=0.05)
    gems = (out.gems - t["gems"]).square().mean(dim=1)
    presence = functional.binary_cross_entropy(out.presence.clamp(1e-5, 1 - 1e-5), t["presence"])
    signs = functional.softplus(-SIGN_SLOPE * t["signs"] * affect[:, :2]) * t["signs"].abs()
    return (
        _weighted(-(t["emotions"] * log_p).sum(dim=1), t["emotions_weight"])
        + _weighted(label, named)
        + 3.0 * _weighted((affect - t["affect"]).square(), t["affect_weight"])
        + _weighted(signs.mean(dim=1), t["signs_weight"])
        + 8.0 * _weighted(gems, t["gems_weight"])
        + 0.5 * presence
    )


def torch_targets(targets: Targets, rows: np.ndarray, device: torch.device) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(getattr(targets, name)[rows]).to(device) for name in Targets.__slots__}


def vary(seen: Description, generator: torch.Generator) -> Description:
    """Augment a training batch: the picture's gain (exact: the mels are log10(1 + x)), a masked run of frames and of
    bands, and a little noise on the statistics."""
    n = len(seen.picture)
    gain = 10.0 ** (torch.rand(n, 1, 1, generator=generator) * 2.0 - 1.2)
    picture = torch.log10(1.0 + gain * (torch.pow(10.0, seen.picture) - 1.0).clamp_min(0.0))
    for axis, widest in ((1, 10), (2, 20)):
        size = picture.shape[axis]
        start = torch.rand(n, 1, generator=generator) * size
        width = torch.rand(n, 1, generator=generator) * widest
        place = torch.arange(size).unsqueeze(0)
        masked = (place >= start) & (place < start + width)
        picture = picture.masked_fill(masked.unsqueeze(3 - axis), 0.0)
    return Description(seen.trunk, seen.voice, picture)


class Trainer:
    """One training run, epoch by epoch; `state` and `restore` make it resumable."""

    def __init__(
        self, net: MultiScaleEmotionNet, fit: Part, sounds: Windows, fold: Part, weights: np.ndarray, settings: Settings
    ) -> None:
        self.net, self.fit, self.fold, self.settings = net, fit, fold, settings
        self.sounds, self.sound_targets = sounds, sound_targets(len(sounds))
        self.device = next(net.parameters()).device
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.stopping = EarlyStopping(settings.patience)
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.sampler = WeightedRandomSampler(
            list(weights**settings.tempering), len(fit.clips), replacement=True, generator=self.generator
        )
        self.rows = [np.flatnonzero(fit.windows.clip == i) for i in range(len(fit.clips))]
        learned = [p for p in net.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(learned, settings.learning_rate, weight_decay=settings.weight_decay)
        steps = max(1, settings.epochs * (len(fit.clips) // settings.batch + 1))
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, settings.learning_rate, total_steps=steps, pct_start=0.1
        )

    def measure_scales(self) -> None:
        """Set the standardisation from all training windows."""
        self.net.trunk_scale.measure(torch.from_numpy(self.fit.windows.trunk.astype(np.float32)))
        self.net.voice_scale.measure(torch.from_numpy(self.fit.windows.voice))

    def _batches(self) -> list[np.ndarray]:
        """One random window a drawn clip."""
        drawn = [i for i in self.sampler if len(self.rows[i])]
        pick = torch.rand(len(drawn), generator=self.generator).numpy()
        rows = np.array([self.rows[i][int(u * len(self.rows[i]))] for i, u in zip(drawn, pick, strict=True)])
        size = self.settings.batch
        return [rows[i : i + size] for i in range(0, len(rows), size) if len(rows[i : i + size]) > 1]

    def _seen(self, windows: Windows, rows: np.ndarray) -> Description:
        parts = (windows.trunk[rows], windows.voice[rows], windows.picture[rows])
        return Description(*(torch.from_numpy(p).float() for p in parts))

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch, score the fold, remember the best."""
        began = time.monotonic()
        self.net.train()
        total, batches = 0.0, self._batches()
        for rows in batches:
            seen, targets = self._seen(self.fit.windows, rows), torch_targets(self.fit.targets, rows, self.device)
            extra = len(rows) // 16
            if extra and len(self.sounds):
                drawn = torch.randint(len(self.sounds), (extra,), generator=self.generator).numpy()
                seen = Description(
                    *(torch.cat(pair) for pair in zip(seen, self._seen(self.sounds, drawn), strict=True))
                )
                also = torch_targets(self.sound_targets, drawn, self.device)
                targets = {name: torch.cat((value, also[name])) for name, value in targets.items()}
            seen = Description(*(part.to(self.device) for part in vary(seen, self.generator)))
            loss = loss_of(self.net.judge(seen), targets)
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
            self.optimiser.step()
            if self.schedule.last_epoch < self.schedule.total_steps - 1:
                self.schedule.step()
            total += float(loss.detach())
        scores = evaluate(self.fold.clips, self.fold.windows, answer(self.net, self.fold.windows), resamples=0)
        self.epoch += 1
        entry = {
            "epoch": float(self.epoch), "loss": total / max(1, len(batches)), "score": overall(scores),
            "seconds": time.monotonic() - began,
        }  # fmt: skip
        entry["best"] = float(self.stopping.update(entry["score"], self.net))
        self.history.append(entry)
        return entry

    @property
    def done(self) -> bool:
        return self.epoch >= self.settings.epochs or self.stopping.done

    def state(self) -> dict[str, Any]:
        stop = self.stopping
        return {
            "net": self.net.state_dict(), "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(), "epoch": self.epoch, "history": self.history, "best": stop.best,
            "since": stop.since, "weights": stop.weights, "generator": self.generator.get_state(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch, self.history = state["epoch"], state["history"]
        self.stopping.best, self.stopping.since = state["best"], state["since"]
        self.stopping.weights = state["weights"]
        self.generator.set_state(state["generator"])


def train(trainer: Trainer, resume: Path | None, say: Callable[[str], None]) -> MultiScaleEmotionNet:
    """Run to the end, saving after every epoch to `resume` (and going on from there); the best weights are left in."""
    if resume and resume.is_file():
        trainer.restore(torch.load(resume, weights_only=True))
        say(f"resuming after epoch {trainer.epoch} (best {trainer.stopping.best:.4f})")
    else:
        trainer.measure_scales()
    while not trainer.done:
        e = trainer.run_epoch()
        mark = "  * best" if e["best"] else ""
        say(f"epoch {e['epoch']:3.0f}  loss {e['loss']:.3f}  fold {e['score']:.4f}  {e['seconds']:.0f} s{mark}")
        if resume:
            resume.parent.mkdir(parents=True, exist_ok=True)
            part = resume.with_suffix(".part")
            torch.save(trainer.state(), part)
            part.replace(resume)
    trainer.net.load_state_dict(trainer.stopping.weights)
    return trainer.net.eval()


def _temperature(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The temperature that makes `truth` likeliest, by a search over 0.3-5."""
    log_p = np.log(np.maximum(probabilities, 1e-9))
    best, best_loss = 1.0, math.inf
    for t in np.geomspace(0.3, 5.0, 60):
        z = log_p / t
        z -= np.log(np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True)) + z.max(1, keepdims=True)
        loss = -float(z[np.arange(len(truth)), truth].mean())
        if loss < best_loss:
            best, best_loss = float(t), loss
    return best


def was_right(clips: Sequence[Clip], answers: Answers, clip: np.ndarray) -> np.ndarray:
    """A row a window: 1 if it agrees with what was said (category, or quadrant), 0 if not, NaN if nothing was."""
    right = np.full(len(clip), np.nan)
    guess, quadrants = answers.emotions.argmax(axis=1), quadrant_of(answers.affect)
    for row, index in enumerate(clip):
        c = clips[index]
        if c.quadrant is not None:
            right[row] = float(quadrants[row] == list(QUADRANTS).index(c.quadrant))
        elif c.emotions is not None and label_of(c) >= 0:
            right[row] = float(guess[row] == int(np.argmax(c.emotions)))
    return right


def calibrate(net: MultiScaleEmotionNet, fold: Part, sounds: Windows) -> None:
    """Fit the temperatures and the confidence on the fold and on sounds that the weights never saw."""
    net.temperature.fill_(1.0)
    answers = answer(net, fold.windows)
    labels, told = fold.targets.label, fold.targets.emotions_weight >= 0.99
    if told.any():
        t = _temperature(answers.emotions[told], fold.targets.emotions[told].argmax(axis=1))
        net.temperature[0] = t
    if (labels >= 0).any():
        net.temperature[1] = _temperature(answers.labels[labels >= 0], labels[labels >= 0])
    answers, noise = answer(net, fold.windows), answer(net, sounds)
    right = was_right(fold.clips, answers, fold.windows.clip)
    known = ~np.isnan(right)

    def inputs(a: Answers) -> np.ndarray:
        top = np.clip(a.emotions.max(axis=1), 1e-4, 1 - 1e-4)
        presence = np.log(np.clip(a.presence, 1e-6, 1.0))
        return np.stack((np.ones(len(top)), np.log(top / (1 - top)), np.abs(a.affect[:, :2]).mean(1), presence), axis=1)

    x = torch.from_numpy(np.concatenate((inputs(answers)[known], inputs(noise)))).float()
    y = torch.from_numpy(np.concatenate((right[known], np.zeros(len(sounds))))).float()
    weight = net.confidence_fit.detach().cpu().clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([weight], max_iter=200)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(x @ weight, y) + 1e-4 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    net.confidence_fit.copy_(weight.detach())
