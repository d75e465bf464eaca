"""Training the emotion net on cached windows: early stopping on held-out speakers and songs, then calibration."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import WeightedRandomSampler

from kelly_live.core.errors import ConfigError, ModelError
from kelly_live.emotion.nets.emotion import LABELS, EmotionOutput, MultiScaleEmotionNet, Standardise
from kelly_live.lab.corpora.clips import assign_folds
from kelly_live.lab.corpora.manifest import QUADRANTS, Clip
from kelly_live.lab.corpora.targets import Targets, create_clip_targets, create_neutral_targets, find_label, is_music
from kelly_live.lab.training.distributed import Ranks
from kelly_live.lab.training.scores import Answers, answer, by_clip, description_of, evaluate, overall, quadrant_of
from kelly_live.lab.training.windows import Windows, join

ALONE = Ranks()
SIGN_SLOPE = 4.0  # how sharply the sign losses treat V and A near 0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run depends on, besides its data."""

    epochs: int = 28
    patience: int = 28
    batch: int = 128
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    skip_decay: float = 0.3  # of the linear paths, which learn at a fifth of the rate
    set_heads: float = 1.0  # weight of the heads that are each data set's own
    averaging: float = 0.99  # what scores and ships is a moving average of the weights, a step keeping so much of it
    cross: int = 4  # parts of speakers and songs that sit out once each, to stop and calibrate by; 1: the fold alone
    lengths: float = 1.0  # power of a clip's number of windows in how often it is drawn
    tempering: float = 0.25  # power of the sampling weights: at 1 the net learns the rare clips by heart
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
        return cls(clips, windows, create_clip_targets(clips, windows.clip, windows.end_seconds))

    def select(self, chosen: np.ndarray) -> Part:
        """Those clips (a mask) and their windows."""
        rows = chosen[self.windows.clip]
        windows = self.windows.take(np.flatnonzero(rows))
        places = np.cumsum(chosen) - 1
        windows = dataclasses.replace(windows, clip=places[windows.clip])
        targets = Targets(*(getattr(self.targets, name)[rows] for name in Targets.__slots__))
        return Part([clip for clip, kept in zip(self.clips, chosen, strict=True) if kept], windows, targets)

    def followed_by(self, other: Part) -> Part:
        windows = join([self.windows, other.windows.shifted(len(self.clips))])
        pairs = ((getattr(self.targets, name), getattr(other.targets, name)) for name in Targets.__slots__)
        return Part(self.clips + other.clips, windows, Targets(*(np.concatenate(pair) for pair in pairs)))


def _weighted(loss: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The mean over the batch of what was said: a batch that says nothing gives 0."""
    return (loss * weight).sum() / weight.sum().clamp_min(1.0)


def loss_of(out: EmotionOutput, t: dict[str, torch.Tensor], importance: torch.Tensor | float = 1.0) -> torch.Tensor:
    """All heads' masked losses, summed; `importance` weighs the rows' labels, where no weight of their own does."""
    log_p = functional.log_softmax(out.emotion_logits, dim=1)
    affect = torch.stack((out.valence, out.arousal, out.dominance), dim=1)
    named = (t["label"] >= 0).float() * importance
    label = functional.cross_entropy(out.label_logits, t["label"].clamp_min(0), reduction="none", label_smoothing=0.05)
    gems = (out.gems - t["gems"]).square().mean(dim=1)
    presence = functional.binary_cross_entropy(out.presence.clamp(1e-5, 1 - 1e-5), t["presence"])
    music = functional.binary_cross_entropy(out.music.clamp(1e-5, 1 - 1e-5), t["music"], reduction="none")
    signs = functional.softplus(-SIGN_SLOPE * t["signs"] * affect[:, :2]) * t["signs"].abs()
    return (
        _weighted(-(t["emotions"] * log_p).sum(dim=1), t["emotions_weight"])
        + _weighted(label, named)
        + 3.0 * _weighted((affect - t["affect"]).square(), t["affect_weight"])
        + _weighted(signs.mean(dim=1), t["signs_weight"])
        + 8.0 * _weighted(gems, t["gems_weight"])
        + 0.5 * presence
        + 0.2 * _weighted(music, t["music_weight"])
    )


def torch_targets(targets: Targets, rows: np.ndarray, device: torch.device) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(getattr(targets, name)[rows]).to(device) for name in Targets.__slots__}


class Lesson(torch.nn.Module):
    """All that learns, as one module whose forward is the loss: what DistributedDataParallel averages gradients of."""

    def __init__(
        self, net: MultiScaleEmotionNet, set_heads: torch.nn.Parameter, loss: Callable[..., torch.Tensor]
    ) -> None:
        super().__init__()
        self.net, self.set_heads = net, set_heads
        self._loss: Callable[..., torch.Tensor] = loss

    def forward(self, rows: np.ndarray, sounds: np.ndarray) -> torch.Tensor:
        return self._loss(rows, sounds)


class Trainer:
    """One training run, epoch by epoch; `state` and `restore` make it resumable.

    Each data set has a head of its own on top of the shared label head, for training only: what is peculiar to a
    studio or a language then need not go into the answer that all share.

    Without a `fold` there is nothing to stop by: the run goes to `until`.

    Several ranks draw the same clips, and each learns from its share of every batch; only the first scores the fold.
    """

    def __init__(
        self, net: MultiScaleEmotionNet, fit: Part, sounds: Windows, fold: Part | None, weights: np.ndarray,
        settings: Settings, ranks: Ranks = ALONE, until: int | None = None,
    ) -> None:  # fmt: skip
        self.until = until or settings.epochs
        self.net, self.fit, self.fold, self.settings, self.ranks = net, fit, fold, settings, ranks
        self.sounds, self.sound_targets = sounds, create_neutral_targets(len(sounds))
        self.device = next(net.parameters()).device
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.stopping = EarlyStopping(settings.patience)
        self.generator = torch.Generator().manual_seed(settings.seed)
        drawn = weights**settings.tempering * self._windows_of(fit) ** settings.lengths
        self.sampler = WeightedRandomSampler(list(drawn), len(fit.clips), replacement=True, generator=self.generator)
        self.rows = [np.flatnonzero(fit.windows.clip == i) for i in range(len(fit.clips))]
        sets = sorted({clip.dataset for clip in fit.clips})
        self.set_of = np.array([sets.index(fit.clips[i].dataset) for i in fit.windows.clip])
        shape = (len(net.members), len(sets), net.members.hidden, len(LABELS))
        self.set_heads = torch.nn.Parameter(torch.zeros(shape, device=self.device))
        self.average = copy.deepcopy(net).requires_grad_(False)
        self.lesson = ranks.wrap(Lesson(net, self.set_heads, self._loss))
        named = [(name, p) for name, p in net.named_parameters() if p.requires_grad]
        skips = [p for name, p in named if ".skip." in name]
        learned = [p for name, p in named if ".skip." not in name]
        groups: list[dict[str, Any]] = [
            {"params": [*learned, self.set_heads], "lr": settings.learning_rate, "weight_decay": settings.weight_decay},
            {"params": skips, "lr": settings.learning_rate / 5, "weight_decay": settings.skip_decay},
        ]
        self.optimiser = torch.optim.AdamW(groups)
        steps = max(1, settings.epochs * (len(fit.clips) // settings.batch + 1))
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, [g["lr"] for g in groups], total_steps=steps, pct_start=0.1
        )

    @staticmethod
    def _windows_of(part: Part) -> np.ndarray:
        return np.maximum(np.bincount(part.windows.clip, minlength=len(part.clips)), 1)

    def measure_scales(self) -> None:
        """Set the standardisation from all training windows."""
        for name, scale in self.net.scales.items():
            assert isinstance(scale, Standardise)
            scale.measure(torch.from_numpy(getattr(self.fit.windows, name).astype(np.float32)))
        self.average.load_state_dict(self.net.state_dict())

    @torch.no_grad()
    def _average(self) -> None:
        steps = self.schedule.last_epoch
        keep = min(self.settings.averaging, (1.0 + steps) / (10.0 + steps))  # soon forgets where it began
        for mean, now in zip(self.average.members.parameters(), self.net.members.parameters(), strict=True):
            mean.lerp_(now, 1.0 - keep)

    def _loss(self, rows: np.ndarray, sounds: np.ndarray) -> torch.Tensor:
        """Of all members on these windows and these sounds; a member's mistakes are its own to mend."""
        windows = [
            self.net.standardise(description_of(w, r, self.device))
            for w, r in ((self.fit.windows, rows), (self.sounds, sounds))
        ]
        pairs = [torch_targets(t, r, self.device) for t, r in ((self.fit.targets, rows), (self.sound_targets, sounds))]
        hidden, raw = self.net.members({name: torch.cat([w[name] for w in windows]) for name in windows[0]})
        count = len(hidden)
        targets = {name: torch.cat((pairs[0][name], pairs[1][name])) for name in pairs[0]}
        out = self.net.speak(raw.flatten(0, 1))
        loss = loss_of(out, {name: torch.cat([value] * count) for name, value in targets.items()})
        own = torch.einsum("mbh,mdhl->mbdl", hidden[:, : len(rows)], self.set_heads)
        own = own[:, torch.arange(len(rows)), torch.from_numpy(self.set_of[rows])]
        shared = out.label_logits.view(count, -1, len(LABELS))[:, : len(rows)]
        label = pairs[0]["label"].repeat(count)
        wrong = functional.cross_entropy((shared + own).flatten(0, 1), label.clamp_min(0), reduction="none")
        return loss + self.settings.set_heads * _weighted(wrong, (label >= 0).float())

    def _batches(self) -> list[np.ndarray]:
        """One random window a drawn clip; of each batch, this rank's share."""
        drawn = [i for i in self.sampler if len(self.rows[i])]
        pick = torch.rand(len(drawn), generator=self.generator).numpy()
        rows = np.array([self.rows[i][int(u * len(self.rows[i]))] for i, u in zip(drawn, pick, strict=True)])
        size, ranks = self.settings.batch, self.ranks
        whole = [rows[i : i + size] for i in range(0, len(rows), size) if len(rows[i : i + size]) > ranks.count]
        return [batch[ranks.rank :: ranks.count] for batch in whole]

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch, score the fold, remember the best."""
        began, ranks = time.monotonic(), self.ranks
        self.net.train()
        total, batches = 0.0, self._batches()
        for rows in batches:
            # Drawn for all ranks at once, so that their generators stay alike; the share of a batch may differ by one.
            count = (self.settings.batch // ranks.count // 16 + 1) * ranks.count
            drawn = torch.randint(len(self.sounds), (count,), generator=self.generator).numpy()
            loss: torch.Tensor = self.lesson(rows, drawn[ranks.rank :: ranks.count][: len(rows) // 16 + 1])
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
            raw = members_say(self.average, self.fold.windows)
            mix_members(self.average, self.fold, raw)  # on every rank: the mix is part of the weights that must agree
            if ranks.first:
                answers = answer_of(self.average, raw)
                score = overall(evaluate(self.fold.clips, self.fold.windows, answers, resamples=0))
        self.epoch += 1
        entry = {
            "epoch": float(self.epoch), "loss": total / max(1, len(batches)), "score": ranks.of_first(score),
            "seconds": time.monotonic() - began,
        }  # fmt: skip
        entry["best"] = float(self.stopping.update(entry["score"], self.average))
        self.history.append(entry)
        return entry

    @property
    def done(self) -> bool:
        return self.epoch >= self.until or (self.fold is not None and self.stopping.done)

    def state(self) -> dict[str, Any]:
        stop = self.stopping
        return {
            "net": self.net.state_dict(), "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(), "epoch": self.epoch, "history": self.history, "best": stop.best,
            "since": stop.since, "weights": stop.weights, "generator": self.generator.get_state(),
            "set_heads": self.set_heads.detach(), "average": self.average.state_dict(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch, self.history = state["epoch"], state["history"]
        self.stopping.best, self.stopping.since = state["best"], state["since"]
        self.stopping.weights = state["weights"]
        self.generator.set_state(state["generator"])
        self.set_heads.data.copy_(state["set_heads"])
        self.average.load_state_dict(state["average"])


def train(trainer: Trainer, resume: Path | None, log: Callable[[str], None]) -> MultiScaleEmotionNet:
    """Run to the end, saving after every epoch to `resume` (and going on from there). The averaged weights are left in:
    the fold's best, or, without a fold, the last.
    """
    ranks = trainer.ranks
    if resume and resume.is_file():
        trainer.restore(torch.load(resume, weights_only=True, map_location="cpu"))
        log(f"resuming after epoch {trainer.epoch} (best {trainer.stopping.best:.4f})")
    else:
        trainer.measure_scales()
    while not trainer.done:
        e = trainer.run_epoch()
        mark = "  * best" if e["best"] else ""
        judged = "" if trainer.fold is None else f"  fold {e['score']:.4f}"
        log(f"epoch {e['epoch']:3.0f}  loss {e['loss']:.3f}{judged}  {e['seconds']:.0f} s{mark if judged else ''}")
        if resume and ranks.first:
            resume.parent.mkdir(parents=True, exist_ok=True)
            part = resume.with_suffix(".part")
            torch.save(trainer.state(), part)
            part.replace(resume)
    last = trainer.average.state_dict()
    trainer.net.load_state_dict(last if trainer.fold is None else trainer.stopping.weights)
    weights = b"".join(w.cpu().numpy().tobytes() for w in trainer.net.state_dict().values())
    digests = ranks.all(hashlib.sha256(weights).hexdigest()[:12])
    if len(set(digests)) > 1:
        raise ModelError(f"the ranks end with different weights ({', '.join(digests)}); they must see the same data")
    if len(digests) > 1:
        log(f"weights of {len(digests)} ranks: {' '.join(digests)}")
    return trainer.net.eval()


@torch.inference_mode()
def members_say(net: MultiScaleEmotionNet, windows: Windows, batch: int = 512) -> torch.Tensor:
    """The members' raw outputs over all windows, `[M, N, O]`, on the CPU."""
    net.eval()
    device = next(net.parameters()).device
    rows = np.arange(len(windows))
    parts = [
        net.members(net.standardise(description_of(windows, rows[i : i + batch], device)))[1].cpu()
        for i in range(0, len(rows), batch)
    ]
    return torch.cat(parts, dim=1)


@torch.inference_mode()
def answer_of(net: MultiScaleEmotionNet, raw: torch.Tensor) -> Answers:
    """What the net makes of its members' raw outputs."""
    device = net.mix.device
    return Answers.of(net.speak(net.mixed(raw.to(device), net.mix)))


def mix_members(net: MultiScaleEmotionNet, fold: Part, raw: torch.Tensor, steps: int = 60) -> None:
    """Set how much each member's word counts, by kind of sound and of answer: what makes the fold's labels likeliest,
    `raw` being what members that never saw it say of it. Each data set counts alike; a weak pull towards equal shares
    decides where the fold says nothing.
    """
    device = net.mix.device
    raw, every = raw.clone().to(device), np.arange(len(fold.windows))
    sets = np.array([fold.clips[i].dataset for i in fold.windows.clip])
    _, index, sizes = np.unique(sets, return_inverse=True, return_counts=True)
    alike = torch.from_numpy((len(sets) / len(sizes) / sizes)[index]).float().to(device)
    targets = torch_targets(fold.targets, every, device)
    targets = {n: v * alike.view(-1, *[1] * (v.dim() - 1)) if n.endswith("_weight") else v for n, v in targets.items()}
    widths, temperature = net.output_widths, net.temperature.clone()
    net.temperature.fill_(1.0)
    lean = torch.zeros(2, len(net.members), len(widths), device=device, requires_grad=True)
    optimiser = torch.optim.Adam([lean], lr=0.1)
    groups = torch.repeat_interleave(torch.arange(len(widths)), torch.tensor(widths)).to(device)

    def shares() -> torch.Tensor:
        return torch.softmax(lean, dim=1)[..., groups]

    for _ in range(steps):
        loss = loss_of(net.speak(net.mixed(raw, shares())), targets, alike) + 0.01 * lean.square().mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    net.temperature.copy_(temperature)
    net.mix.copy_(shares().detach())


def _temperature(probabilities: np.ndarray, clip: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """The temperature that makes `truth` `[clips, K]` likeliest, by a search over 0.3-5: rows are windows, and a clip's
    answer is the mean over its windows.
    """
    log_p = torch.from_numpy(np.log(np.maximum(probabilities, 1e-9)))
    best, best_loss = 1.0, math.inf
    for t in np.geomspace(0.3, 5.0, 60):
        mean = by_clip(torch.softmax(log_p / t, dim=1).numpy(), clip, len(truth))
        said = (weight > 0) & ~np.isnan(mean[:, 0])
        loss = -float((truth * np.log(np.maximum(mean, 1e-9))).sum(axis=1)[said] @ weight[said])
        if loss < best_loss:
            best, best_loss = float(t), loss
    return best


def was_right(clips: Sequence[Clip], answers: Answers, clip: np.ndarray) -> np.ndarray:
    """A number a clip: 1 if its mean answer agrees with what was said (category, or quadrant), 0 if not, NaN if
    nothing was said. `clip` is the clip of each of the answers' rows.
    """
    guess = by_clip(answers.emotions, clip, len(clips)).argmax(axis=1)
    quadrants = quadrant_of(by_clip(answers.affect, clip, len(clips)))
    right = np.full(len(clips), np.nan)
    for index, c in enumerate(clips):
        if c.quadrant is not None:
            right[index] = float(quadrants[index] == list(QUADRANTS).index(c.quadrant))
        elif c.emotions is not None and find_label(c) >= 0:
            right[index] = float(guess[index] == int(np.argmax(c.emotions)))
    return right


def _fit_confidence(x: torch.Tensor, y: torch.Tensor, importance: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Logistic regression of "it was right" on the evidence."""
    weight = start.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([weight], max_iter=200)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        wrong = functional.binary_cross_entropy_with_logits(x @ weight, y, reduction="none")
        loss = (wrong * importance).sum() / importance.sum() + 1e-4 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach()


def calibrate(net: MultiScaleEmotionNet, fold: Part, raw: torch.Tensor, sounds: Windows) -> None:
    """Fit the temperatures and the confidence, for voices and for music apart, on the fold (`raw` is what members that
    never saw it say of it) and on sounds that the weights never saw. Each data set counts alike. What is made honest is
    a clip's answer, the mean over its windows.
    """
    clips, clip = fold.clips, fold.windows.clip
    sizes = Counter(c.dataset for c in clips)
    alike = np.array([1.0 / sizes[c.dataset] for c in clips])
    kinds = {music: np.array([is_music(c) is music for c in clips]) for music in (False, True)}
    kinds = {music: own for music, own in kinds.items() if own.any()}
    first = {int(c): row for row, c in reversed(list(enumerate(clip)))}
    rows = np.array([first.get(i, 0) for i in range(len(clips))])
    labels = np.eye(len(LABELS))[fold.targets.label[rows].clip(0)]
    net.temperature.fill_(1.0)
    answers = answer_of(net, raw)
    for music, own in kinds.items():
        said = own * alike * fold.targets.emotions_weight[rows]
        net.temperature[int(music), 0] = _temperature(answers.emotions, clip, fold.targets.emotions[rows], said)
        told = own * alike * (fold.targets.label[rows] >= 0)
        net.temperature[int(music), 1] = _temperature(answers.labels, clip, labels, told) if told.any() else 1.0
    if len(kinds) == 1:  # the other kind was never heard: what is known is the better guess
        net.temperature[:] = net.temperature[int(next(iter(kinds)))].clone()
    answers, noise = answer_of(net, raw), answer(net, sounds)
    right = was_right(clips, answers, clip)[clip]

    def evidence(a: Answers) -> torch.Tensor:
        logits, affect, presence = (torch.from_numpy(v).float() for v in (a.emotions, a.affect, a.presence))
        odds = torch.logit(presence.clamp(1e-6, 1 - 1e-6)).unsqueeze(1)
        return net.evidence(logits.clamp_min(1e-9).log(), affect, odds)

    for music, own in kinds.items():
        known = ~np.isnan(right) & own[clip]
        if not known.any():
            continue
        x = torch.cat((evidence(answers)[torch.from_numpy(known)], evidence(noise)))
        y = torch.from_numpy(np.concatenate((right[known], np.zeros(len(sounds))))).float()
        per_clip = np.bincount(clip, minlength=len(clips))[clip[known]]
        importance = np.concatenate((alike[clip[known]] / per_clip, np.full(len(sounds), 0.5 / max(1, len(sounds)))))
        start = torch.tensor([0.0, 1.0, 0.0, 1.0])
        net.confidence_fit[int(music)] = _fit_confidence(x, y, torch.from_numpy(importance).float(), start)
    if len(kinds) == 1:
        net.confidence_fit[:] = net.confidence_fit[int(next(iter(kinds)))].clone()


def cross_fit(
    make: Callable[[int], MultiScaleEmotionNet], whole: Part, sounds: Windows, unheard: Windows, weights: np.ndarray,
    settings: Settings, state: Callable[[str], Path], ranks: Ranks, log: Callable[[str], None],
) -> tuple[MultiScaleEmotionNet, dict[str, Any]]:  # fmt: skip
    """`settings.cross` nets, each without a part of the speakers and songs, say when to stop and how far to trust; the
    net that is returned then learns from all. With it: epochs, the mean score of the parts, the last run's history, and
    `away`, the scores of all clips while they sat out.
    """
    part_of = assign_folds(whole.clips, settings.cross)
    parts = np.unique(part_of)
    if len(parts) < 2:
        raise ConfigError("all clips are of one speaker or song, so none can sit out; add some, or give --cross 1")
    raw = torch.zeros(0)
    epochs, scores = [], []
    for index in parts.tolist():
        held = part_of == index
        log(f"part {index + 1} of {len(parts)}: {int(held.sum())} clips sit out")
        away = whole.select(held)
        trainer = Trainer(make(index), whole.select(~held), sounds, away, weights[~held], settings, ranks)
        net = train(trainer, state(f"part{index}"), log)
        best = max(trainer.history, key=lambda entry: entry["score"])
        epochs.append(int(best["epoch"]))
        scores.append(best["score"])
        if ranks.first:
            said = members_say(net, away.windows)
            if not len(raw):
                raw = torch.zeros(said.shape[0], len(whole.windows), said.shape[2])
            raw[:, torch.from_numpy(held[whole.windows.clip])] = said
    until = int(np.median(epochs))
    log(f"all clips, until epoch {until}")
    trainer = Trainer(make(settings.cross), whole, sounds, None, weights, settings, ranks, until)
    net = train(trainer, state("whole"), log)
    course: dict[str, Any] = {"epochs": until, "fold_score": float(np.mean(scores)), "history": trainer.history}
    if ranks.first:
        net.cpu()
        mix_members(net, whole, raw)
        calibrate(net, whole, raw, unheard)
        course["away"] = [s.as_dict() for s in evaluate(whole.clips, whole.windows, answer_of(net, raw), 200)]
    return net, course
