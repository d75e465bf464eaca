"""Training of the emotion net on cached windows, with early stopping on held-out speakers and songs."""

from __future__ import annotations

import copy
import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import WeightedRandomSampler

from kelly_live.core.errors import ConfigError, ModelError
from kelly_live.emotion.nets.emotion import LABELS, MultiScaleEmotionNet
from kelly_live.emotion.nets.members import FeatureNorm
from kelly_live.lab.corpora.clips import assign_folds
from kelly_live.lab.corpora.targets import create_neutral_targets
from kelly_live.lab.training.distributed import SINGLE_PROCESS, Ranks
from kelly_live.lab.training.emotion_calibration import calibrate, combine_members, fit_mixture, predict_members
from kelly_live.lab.training.labelled_windows import LabelledWindows, average_weighted, compute_loss, convert_targets
from kelly_live.lab.training.scores import compute_overall_score, evaluate, select_description
from kelly_live.lab.training.speaker_swap import SpeakerSwap
from kelly_live.lab.training.windows import Windows

OPEN_SPEAKER_SWAP = 0.7  # `Settings.speaker_swap` of the open set


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a training run."""

    epochs: int = 28
    patience: int = 28
    batch: int = 128
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    skip_decay: float = 0.3  # of the linear paths, which learn at a fifth of the rate
    set_heads: float = 1.0  # weight of the heads that are each data set's own
    averaging: float = (
        0.99  # of the moving average of the weights that is scored and shipped: the share kept at each step
    )
    cross: int = 4  # parts of speakers and songs, each held out once to stop and calibrate; 1: the fold alone
    lengths: float = 1.0  # power of a clip's number of windows in how often it is drawn
    tempering: float = 0.25  # power of the sampling weights: at 1 the net overfits the rare clips
    speaker_swap: float = 0.0  # share of the drawn voices that get another speaker's mean (`speaker_swap.py`)
    seed: int = 0


@dataclass(slots=True)
class EarlyStopping:
    """The best score and its weights; `is_done` after `patience` scores in a row that were not better."""

    patience: int
    best: float = -math.inf
    since: int = 0
    weights: dict[str, torch.Tensor] = field(default_factory=dict)

    def update(self, score: float, net: torch.nn.Module) -> bool:
        """Record a score; return whether it is the new best."""
        if score > self.best:
            self.best, self.since = score, 0
            self.weights = copy.deepcopy(net.state_dict())
            return True
        self.since += 1
        return False

    @property
    def is_done(self) -> bool:
        """Whether the last `patience` scores were not better than the best."""
        return self.since >= self.patience


class LossModule(torch.nn.Module):
    """All trained parameters in one module whose forward is the loss, as DistributedDataParallel needs it."""

    def __init__(
        self, net: MultiScaleEmotionNet, set_heads: torch.nn.Parameter, loss: Callable[..., torch.Tensor]
    ) -> None:
        super().__init__()
        self.net, self.set_heads = net, set_heads
        self._loss: Callable[..., torch.Tensor] = loss

    def forward(self, rows: np.ndarray, sounds: np.ndarray) -> torch.Tensor:
        """Compute the loss of these windows and background sounds."""
        return self._loss(rows, sounds)


class Trainer:
    """A training run, epoch by epoch, which `state` and `restore` make resumable.

    Each data set has a head of its own beside the shared label head, in training only. It absorbs what is specific to a
    studio or a language, so that the shared answer need not.

    Without a `fold` there is no early stopping: the run goes to `until`.

    Several ranks draw the same clips, and each learns from its share of every batch; only the first scores the fold.
    """

    def __init__(
        self, net: MultiScaleEmotionNet, fit: LabelledWindows, sounds: Windows, fold: LabelledWindows | None,
        weights: np.ndarray, settings: Settings, ranks: Ranks = SINGLE_PROCESS, until: int | None = None,
        shares: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        self.until = until or settings.epochs
        self.net, self.fit, self.fold, self.settings, self.ranks = net, fit, fold, settings, ranks
        self.sounds, self.sound_targets = sounds, create_neutral_targets(len(sounds))
        self.device = next(net.parameters()).device
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.stopping = EarlyStopping(settings.patience)
        self.generator = torch.Generator().manual_seed(settings.seed)
        clip_weights = weights**settings.tempering * self._count_windows(fit) ** settings.lengths
        if shares:
            clip_weights = scale_to_shares(clip_weights, [clip.dataset for clip in fit.clips], shares)
        self.swap = SpeakerSwap(fit, settings.seed) if settings.speaker_swap else None
        self.sampler = WeightedRandomSampler(
            list(clip_weights), len(fit.clips), replacement=True, generator=self.generator
        )
        self.rows = [np.flatnonzero(fit.windows.clip == i) for i in range(len(fit.clips))]
        sets = sorted({clip.dataset for clip in fit.clips})
        self.set_of = np.array([sets.index(fit.clips[i].dataset) for i in fit.windows.clip])
        shape = (len(net.members), len(sets), net.members.hidden, len(LABELS))
        self.set_heads = torch.nn.Parameter(torch.zeros(shape, device=self.device))
        self.average = copy.deepcopy(net).requires_grad_(False)
        self.loss_module = ranks.wrap(LossModule(net, self.set_heads, self._loss))
        named_parameters = [(name, p) for name, p in net.named_parameters() if p.requires_grad]
        skips = [p for name, p in named_parameters if ".skip." in name]
        main_parameters = [p for name, p in named_parameters if ".skip." not in name]
        groups: list[dict[str, Any]] = [
            {
                "params": [*main_parameters, self.set_heads],
                "lr": settings.learning_rate,
                "weight_decay": settings.weight_decay,
            },
            {"params": skips, "lr": settings.learning_rate / 5, "weight_decay": settings.skip_decay},
        ]
        self.optimiser = torch.optim.AdamW(groups)
        steps = max(1, settings.epochs * (len(fit.clips) // settings.batch + 1))
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, [g["lr"] for g in groups], total_steps=steps, pct_start=0.1
        )

    @staticmethod
    def _count_windows(part: LabelledWindows) -> np.ndarray:
        return np.maximum(np.bincount(part.windows.clip, minlength=len(part.clips)), 1)

    def measure_scales(self) -> None:
        """Set the standardisation from all training windows."""
        for name, scale in self.net.scales.items():
            assert isinstance(scale, FeatureNorm)
            scale.fit(torch.from_numpy(getattr(self.fit.windows, name).astype(np.float32)))
        self.average.load_state_dict(self.net.state_dict())

    @torch.no_grad()
    def _average(self) -> None:
        steps = self.schedule.last_epoch
        keep = min(self.settings.averaging, (1.0 + steps) / (10.0 + steps))  # the first weights are soon forgotten
        for mean, now in zip(self.average.members.parameters(), self.net.members.parameters(), strict=True):
            mean.lerp_(now, 1.0 - keep)

    def _loss(self, rows: np.ndarray, sounds: np.ndarray) -> torch.Tensor:
        """Compute the loss of all members; each member learns from its own errors."""
        drawn = select_description(self.fit.windows, rows, self.device)
        if self.swap is not None:
            drawn = self.swap(drawn, self.fit.windows.clip[rows], self.settings.speaker_swap)
        windows = [self.net.standardise(part) for part in (drawn, select_description(self.sounds, sounds, self.device))]
        pairs = [
            convert_targets(t, r, self.device) for t, r in ((self.fit.targets, rows), (self.sound_targets, sounds))
        ]
        hidden, raw = self.net.members({name: torch.cat([w[name] for w in windows]) for name in windows[0]})
        count = len(hidden)
        targets = {name: torch.cat((pairs[0][name], pairs[1][name])) for name in pairs[0]}
        out = self.net.decode(raw.flatten(0, 1))
        loss = compute_loss(out, {name: torch.cat([value] * count) for name, value in targets.items()})
        set_logits = torch.einsum("mbh,mdhl->mbdl", hidden[:, : len(rows)], self.set_heads)
        set_logits = set_logits[:, torch.arange(len(rows)), torch.from_numpy(self.set_of[rows])]
        common_logits = out.label_logits.view(count, -1, len(LABELS))[:, : len(rows)]
        label = pairs[0]["label"].repeat(count)
        wrong = functional.cross_entropy(
            (common_logits + set_logits).flatten(0, 1), label.clamp_min(0), reduction="none"
        )
        return loss + self.settings.set_heads * average_weighted(wrong, (label >= 0).float())

    def _batches(self) -> list[np.ndarray]:
        """Draw one random window for each drawn clip, and return this rank's share of each batch."""
        clip_indices = [i for i in self.sampler if len(self.rows[i])]
        pick = torch.rand(len(clip_indices), generator=self.generator).numpy()
        rows = np.array([self.rows[i][int(u * len(self.rows[i]))] for i, u in zip(clip_indices, pick, strict=True)])
        size, ranks = self.settings.batch, self.ranks
        batches = [rows[i : i + size] for i in range(0, len(rows), size) if len(rows[i : i + size]) > ranks.count]
        return [batch[ranks.rank :: ranks.count] for batch in batches]

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch, score the fold and keep the best weights."""
        start_time, ranks = time.monotonic(), self.ranks
        self.net.train()
        total, batches = 0.0, self._batches()
        for rows in batches:
            # Drawn for all ranks at once, so that their generators stay equal; the share of a batch may differ by one.
            count = (self.settings.batch // ranks.count // 16 + 1) * ranks.count
            sound_rows = torch.randint(len(self.sounds), (count,), generator=self.generator).numpy()
            loss: torch.Tensor = self.loss_module(rows, sound_rows[ranks.rank :: ranks.count][: len(rows) // 16 + 1])
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_([p for g in self.optimiser.param_groups for p in g["params"]], 5.0)
            self.optimiser.step()
            self._average()
            if self.schedule.last_epoch < self.schedule.total_steps - 1:
                self.schedule.step()
            total += float(loss.detach())
        score = 0.0
        if self.fold is not None:
            raw = predict_members(self.average, self.fold.windows)
            fit_mixture(self.average, self.fold, raw)  # on every rank: the mix is part of the weights that must agree
            if ranks.is_first:
                answers = combine_members(self.average, raw)
                score = compute_overall_score(evaluate(self.fold.clips, self.fold.windows, answers, resamples=0))
        self.epoch += 1
        entry = {
            "epoch": float(self.epoch), "loss": total / max(1, len(batches)), "score": ranks.broadcast_first(score),
            "seconds": time.monotonic() - start_time,
        }  # fmt: skip
        entry["best"] = float(self.stopping.update(entry["score"], self.average))
        self.history.append(entry)
        return entry

    @property
    def is_done(self) -> bool:
        """Whether the run has reached its last epoch or has stopped early."""
        return self.epoch >= self.until or (self.fold is not None and self.stopping.is_done)

    def state(self) -> dict[str, Any]:
        """Return the state of the run for a checkpoint."""
        stop = self.stopping
        return {
            "net": self.net.state_dict(), "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(), "epoch": self.epoch, "history": self.history, "best": stop.best,
            "since": stop.since, "weights": stop.weights, "generator": self.generator.get_state(),
            "set_heads": self.set_heads.detach(), "average": self.average.state_dict(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch, self.history = state["epoch"], state["history"]
        self.stopping.best, self.stopping.since = state["best"], state["since"]
        self.stopping.weights = state["weights"]
        self.generator.set_state(state["generator"])
        self.set_heads.data.copy_(state["set_heads"])
        self.average.load_state_dict(state["average"])


def scale_to_shares(weights: np.ndarray, datasets: Sequence[str], shares: Mapping[str, float]) -> np.ndarray:
    """Scale the clips' weights so that each data set is drawn as often as its share says."""
    scaled, names = weights.copy(), np.array(datasets)
    for name in set(datasets):
        scaled[names == name] *= shares.get(name, 1.0) / scaled[names == name].sum()
    return scaled


def train(trainer: Trainer, resume: Path | None, log: Callable[[str], None]) -> MultiScaleEmotionNet:
    """Run to the end, saving to `resume` after every epoch, and continuing from it.

    The averaged weights are left in the net: the fold's best, or the last without a fold.

    Raises:
        ModelError: The ranks end with different weights.
    """
    ranks = trainer.ranks
    if resume and resume.is_file():
        trainer.restore(torch.load(resume, weights_only=True, map_location="cpu"))
        log(f"resuming after epoch {trainer.epoch} (best {trainer.stopping.best:.4f})")
    else:
        trainer.measure_scales()
    while not trainer.is_done:
        e = trainer.run_epoch()
        fold_note = "" if trainer.fold is None else f"  fold {e['score']:.4f}"
        best_note = "  * best" if e["best"] and fold_note else ""
        log(f"epoch {e['epoch']:3.0f}  loss {e['loss']:.3f}{fold_note}  {e['seconds']:.0f} s{best_note}")
        if resume and ranks.is_first:
            resume.parent.mkdir(parents=True, exist_ok=True)
            part = resume.with_suffix(".part")
            torch.save(trainer.state(), part)
            part.replace(resume)
    last = trainer.average.state_dict()
    trainer.net.load_state_dict(last if trainer.fold is None else trainer.stopping.weights)
    weights = b"".join(w.cpu().numpy().tobytes() for w in trainer.net.state_dict().values())
    digests = ranks.gather_texts(hashlib.sha256(weights).hexdigest()[:12])
    if len(set(digests)) > 1:
        raise ModelError(f"the ranks end with different weights ({', '.join(digests)}); they must see the same data")
    if len(digests) > 1:
        log(f"weights of {len(digests)} ranks: {' '.join(digests)}")
    return trainer.net.eval()


def cross_fit(
    make: Callable[[int], MultiScaleEmotionNet], all_clips: LabelledWindows, sounds: Windows, fold_sounds: Windows,
    weights: np.ndarray, settings: Settings, state: Callable[[str], Path], ranks: Ranks, log: Callable[[str], None],
    shares: Mapping[str, float] | None = None, unseen_sets: Sequence[str] = (),
) -> tuple[MultiScaleEmotionNet, dict[str, Any]]:  # fmt: skip
    """Train `settings.cross` nets without one part of the speakers and songs each, then one net on all.

    The first nets decide the number of epochs and the calibration of the last, which is returned. For each of
    `unseen_sets` one more net learns without that set, and half of the confidence is fitted on what it says of the set,
    for confidence must also hold where nothing was learned. Beside the net: epochs, the mean score of the parts, the
    last run's history, and `away`, the scores of all clips while they were held out.

    Raises:
        ConfigError: All clips are of one speaker or song.
    """
    part_of = assign_folds(all_clips.clips, settings.cross)
    parts = np.unique(part_of)
    if len(parts) < 2:
        raise ConfigError("all clips are of one speaker or song, so none can be held out; add some, or give --cross 1")
    raw = torch.zeros(0)
    epochs, scores = [], []
    for index in parts.tolist():
        is_held_out = part_of == index
        log(f"part {index + 1} of {len(parts)}: {int(is_held_out.sum())} clips are held out")
        held_out = all_clips.select(is_held_out)
        trainer = Trainer(
            make(index), all_clips.select(~is_held_out), sounds, held_out, weights[~is_held_out], settings, ranks,
            shares=shares,
        )  # fmt: skip
        net = train(trainer, state(f"part{index}"), log)
        best = max(trainer.history, key=lambda entry: entry["score"])
        epochs.append(int(best["epoch"]))
        scores.append(best["score"])
        if ranks.is_first:
            outputs = predict_members(net, held_out.windows)
            if not len(raw):
                raw = torch.zeros(outputs.shape[0], len(all_clips.windows), outputs.shape[2])
            raw[:, torch.from_numpy(is_held_out[all_clips.windows.clip])] = outputs
    until = int(np.median(epochs))
    names = np.array([clip.dataset for clip in all_clips.clips])

    def learn_without(dataset: str) -> torch.Tensor:
        log(f"without {dataset}, until epoch {until}")
        trainer = Trainer(
            make(settings.cross), all_clips.select(names != dataset), sounds, None, weights[names != dataset], settings,
            ranks, until, shares,
        )  # fmt: skip
        other = train(trainer, state(f"without_{dataset}"), log)
        return predict_members(other, all_clips.select(names == dataset).windows)

    log(f"all clips, until epoch {until}")
    trainer = Trainer(make(settings.cross), all_clips, sounds, None, weights, settings, ranks, until, shares)
    net = train(trainer, state("whole"), log)
    course: dict[str, Any] = {"epochs": until, "fold_score": float(np.mean(scores)), "history": trainer.history}
    if ranks.is_first:
        net.cpu()
        fit_mixture(net, all_clips, raw)
        unseen = [
            (unseen_part, learn_without(dataset)) for dataset in unseen_sets
            if len((unseen_part := all_clips.select(names == dataset)).clips) > 0 and (names != dataset).any()
        ]  # fmt: skip
        calibrate(net, all_clips, raw, fold_sounds, unseen)
        course["away"] = [
            s.as_dict() for s in evaluate(all_clips.clips, all_clips.windows, combine_members(net, raw), 200)
        ]
    return net, course
