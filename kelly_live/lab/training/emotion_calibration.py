"""Combination and calibration of the emotion net's members on clips that they did not learn from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from kelly_live.emotion.nets.emotion import LABELS, MultiScaleEmotionNet
from kelly_live.lab.corpora.manifest import QUADRANTS, Clip
from kelly_live.lab.corpora.targets import TEACHER_LABELLED, find_label, is_music
from kelly_live.lab.training.labelled_windows import LabelledWindows, compute_loss, convert_targets
from kelly_live.lab.training.scores import Predictions, average_by_clip, find_quadrants, predict, select_description
from kelly_live.lab.training.windows import Windows


@torch.inference_mode()
def predict_members(net: MultiScaleEmotionNet, windows: Windows, batch: int = 512) -> torch.Tensor:
    """Compute the members' raw outputs over all windows, `[M, N, O]`, on the CPU."""
    net.eval()
    device = next(net.parameters()).device
    rows = np.arange(len(windows))
    parts = [
        net.members(net.standardise(select_description(windows, rows[i : i + batch], device)))[1].cpu()
        for i in range(0, len(rows), batch)
    ]
    return torch.cat(parts, dim=1)


@torch.inference_mode()
def combine_members(net: MultiScaleEmotionNet, raw: torch.Tensor) -> Predictions:
    """Combine the members' raw outputs into the net's predictions."""
    device = net.mix.device
    return Predictions.of(net.decode(net.mix_members(raw.to(device), net.mix)))


def fit_mixture(net: MultiScaleEmotionNet, fold: LabelledWindows, raw: torch.Tensor, steps: int = 60) -> None:
    """Set the weight of each member, by kind of sound and of output, to the likeliest on the fold.

    `raw` are the outputs of members that did not learn from the fold. Each data set counts alike. A weak prior of equal
    weights decides where the fold has no labels.
    """
    device = net.mix.device
    raw, every = raw.clone().to(device), np.arange(len(fold.windows))
    sets = np.array([fold.clips[i].dataset for i in fold.windows.clip])
    _, index, sizes = np.unique(sets, return_inverse=True, return_counts=True)
    balance = torch.from_numpy((len(sets) / len(sizes) / sizes)[index]).float().to(device)
    targets = convert_targets(fold.targets, every, device)
    targets = {
        n: v * balance.view(-1, *[1] * (v.dim() - 1)) if n.endswith("_weight") else v for n, v in targets.items()
    }
    widths, temperature = net.output_widths, net.temperature.clone()
    net.temperature.fill_(1.0)
    logits = torch.zeros(2, len(net.members), len(widths), device=device, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    groups = torch.repeat_interleave(torch.arange(len(widths)), torch.tensor(widths)).to(device)

    def shares() -> torch.Tensor:
        return torch.softmax(logits, dim=1)[..., groups]

    for _ in range(steps):
        loss = (
            compute_loss(net.decode(net.mix_members(raw, shares())), targets, balance) + 0.01 * logits.square().mean()
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    net.temperature.copy_(temperature)
    net.mix.copy_(shares().detach())


def fit_temperature(probabilities: np.ndarray, clip: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """Search the temperature in 0.3-5 that makes `truth` `[clips, K]` likeliest.

    Rows of `probabilities` are windows; a clip's answer is the mean over its windows.
    """
    log_p = torch.from_numpy(np.log(np.maximum(probabilities, 1e-9)))
    best, best_loss = 1.0, math.inf
    for t in np.geomspace(0.3, 5.0, 60):
        mean = average_by_clip(torch.softmax(log_p / t, dim=1).numpy(), clip, len(truth))
        is_weighted = (weight > 0) & ~np.isnan(mean[:, 0])
        loss = -float((truth * np.log(np.maximum(mean, 1e-9))).sum(axis=1)[is_weighted] @ weight[is_weighted])
        if loss < best_loss:
            best, best_loss = float(t), loss
    return best


def mark_correct(clips: Sequence[Clip], answers: Predictions, clip: np.ndarray) -> np.ndarray:
    """Mark each clip: 1 if its mean answer agrees with its label, 0 if not, NaN without a label.

    The label is a category or a quadrant. `clip` is the clip of each of the answers' rows.
    """
    guess = average_by_clip(answers.emotions, clip, len(clips)).argmax(axis=1)
    quadrants = find_quadrants(average_by_clip(answers.affect, clip, len(clips)))
    right = np.full(len(clips), np.nan)
    for index, c in enumerate(clips):
        if c.quadrant is not None:
            right[index] = float(quadrants[index] == list(QUADRANTS).index(c.quadrant))
        elif c.dataset in TEACHER_LABELLED and c.bar_ratings is not None:  # the quadrant of its mean label
            taught = find_quadrants(np.array(c.bar_ratings).mean(axis=0, keepdims=True))[0]
            right[index] = float(quadrants[index] == taught)
        elif c.emotions is not None and find_label(c) >= 0:
            right[index] = float(guess[index] == int(np.argmax(c.emotions)))
    return right


def _fit_confidence(x: torch.Tensor, y: torch.Tensor, importance: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Fit a logistic regression of "the answer was right" on the evidence."""
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


def calibrate(
    net: MultiScaleEmotionNet, fold: LabelledWindows, raw: torch.Tensor, sounds: Windows,
    unseen: Sequence[tuple[LabelledWindows, torch.Tensor]] = (),
) -> None:  # fmt: skip
    """Fit the temperatures and the confidence, separately for voices and for music.

    They are fitted on the fold, with `raw` the outputs of members that did not learn from it, and on background sounds
    that the weights did not learn from. Each data set counts alike. A clip's answer is calibrated, the mean over its
    windows. `unseen`: data sets, and the raw outputs of nets that learned nothing of them; then the confidence in
    voices weighs them as much as all of the fold.
    """
    clips, clip = fold.clips, fold.windows.clip
    sizes = Counter(c.dataset for c in clips)
    balance = np.array([1.0 / sizes[c.dataset] for c in clips])
    kinds = {music: np.array([is_music(c) is music for c in clips]) for music in (False, True)}
    kinds = {music: is_of_kind for music, is_of_kind in kinds.items() if is_of_kind.any()}
    first = {int(c): row for row, c in reversed(list(enumerate(clip)))}
    rows = np.array([first.get(i, 0) for i in range(len(clips))])
    labels = np.eye(len(LABELS))[fold.targets.label[rows].clip(0)]
    net.temperature.fill_(1.0)
    answers = combine_members(net, raw)
    for music, is_of_kind in kinds.items():
        emotion_weights = is_of_kind * balance * fold.targets.emotions_weight[rows]
        net.temperature[int(music), 0] = fit_temperature(
            answers.emotions, clip, fold.targets.emotions[rows], emotion_weights
        )
        label_weights = is_of_kind * balance * (fold.targets.label[rows] >= 0)
        net.temperature[int(music), 1] = (
            fit_temperature(answers.labels, clip, labels, label_weights) if label_weights.any() else 1.0
        )
    if len(kinds) == 1:  # without clips of the other kind, use the known one
        net.temperature[:] = net.temperature[int(next(iter(kinds)))].clone()
    answers, noise = combine_members(net, raw), predict(net, sounds)
    right = mark_correct(clips, answers, clip)[clip]

    def build_evidence(a: Predictions) -> torch.Tensor:
        logits, affect, presence = (torch.from_numpy(v).float() for v in (a.emotions, a.affect, a.presence))
        odds = torch.logit(presence.clamp(1e-6, 1 - 1e-6)).unsqueeze(1)
        return net.compute_evidence(logits.clamp_min(1e-9).log(), affect, odds)

    for music, is_of_kind in kinds.items():
        is_known = ~np.isnan(right) & is_of_kind[clip]
        if not is_known.any():
            continue
        x = torch.cat((build_evidence(answers)[torch.from_numpy(is_known)], build_evidence(noise)))
        y = torch.from_numpy(np.concatenate((right[is_known], np.zeros(len(sounds))))).float()
        per_clip = np.bincount(clip, minlength=len(clips))[clip[is_known]]
        importance = np.concatenate(
            (balance[clip[is_known]] / per_clip, np.full(len(sounds), 0.5 / max(1, len(sounds))))
        )
        if not music and unseen:
            rows_x, rows_y, rows_weight = [x], [y], [torch.from_numpy(importance).float()]
            total = float(balance[is_of_kind].sum()) / len(unseen)
            for part, outputs in unseen:
                said = combine_members(net, outputs)
                clip_right = mark_correct(part.clips, said, part.windows.clip)[part.windows.clip]
                is_marked = ~np.isnan(clip_right)
                rows_x.append(build_evidence(said)[torch.from_numpy(is_marked)])
                rows_y.append(torch.from_numpy(clip_right[is_marked]).float())
                rows_weight.append(torch.full((int(is_marked.sum()),), total / max(1, int(is_marked.sum()))))
            rows_weight[0][-len(sounds) :] *= 4.0  # else the nets that know less would raise the confidence in noise
            x, y, importance = torch.cat(rows_x), torch.cat(rows_y), torch.cat(rows_weight).numpy()
        start = torch.tensor([0.0, 1.0, 0.0, 1.0])
        net.confidence_fit[int(music)] = _fit_confidence(x, y, torch.from_numpy(importance).float(), start)
    if len(kinds) == 1:
        net.confidence_fit[:] = net.confidence_fit[int(next(iter(kinds)))].clone()
