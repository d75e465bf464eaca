"""Training of DynamicEmotionToMusicMapper on labelled music, with published effects as weak priors.

Each corpus has a constant offset (`CorpusOffset`), so that the difference between piano pop and game music is not
mistaken for emotion. At run time the mapper of `research` uses the offset of EMOPIA, which people performed, that of
`open` none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.checkpoint import CORPUS_PREFIX, Checkpoint
from kelly_live.core.emotion_space import create_state
from kelly_live.emotion.nets.checkpoint import load_checkpoint, load_weights, save_checkpoint
from kelly_live.lab.corpora.film_cues import Evidence, correlate_cues, select_evidence
from kelly_live.lab.corpora.open_scores import extract_open_corpus
from kelly_live.lab.corpora.symbolic_features import FeatureCorpus, extract_corpus
from kelly_live.lab.nets.mapper import KIND, DynamicEmotionToMusicMapper, load_net
from kelly_live.lab.training.mapper_card import build_card, format_card
from kelly_live.lab.training.mapper_data import (
    QUADRANT_CENTRE,
    Examples,
    RatingScale,
    average_weights,
    build_examples,
    compute_states,
    fit_rating_scale,
    list_masks,
    split_folds,
)
from kelly_live.lab.training.mapper_scores import (
    Evaluation,
    check_directions,
    compute_losses,
    score_mapper,
    sum_mean_losses,
)
from kelly_live.lab.training.priors import PriorLoss
from kelly_live.lab.training.user_basis import compute_user_basis
from kelly_live.mapping.net import SCALARS, WEIGHTS

REFERENCE = 0  # which of a set's corpora
# A beat every 600 ms is what people tap by themselves and prefer (Fraisse 1982, in Deutsch (ed.), The Psychology of
# Music; from memory): the middle where that of ballads and art songs would be slower than a band's.
SPONTANEOUS_BPM = 100.0
MAX_GAIN = 1.75  # limit of the commitment; beyond it noise would be exaggerated
MAX_WEIGHT_GAIN = 2.0  # for weights: logits of rare values are noisier than those of common ones
PLAYED_SHARE = 0.05  # played medians stay between this quantile of labelled pieces and its mirror
FOLDS = 4


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters; `patience` is in epochs without a better held-back loss."""

    hidden_dim: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 3e-3
    epochs: int = 600
    patience: int = 80
    use_priors: bool = True
    seed: int = 1


class CorpusOffset(nn.Module):
    """The constant difference between the two corpora; the net itself lies half-way, without it."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(outputs))

    def forward(self, corpus: Tensor) -> Tensor:
        """Return the offset of each row's corpus."""
        return (1.0 - 2.0 * corpus[:, None].float()) * self.shift


@dataclass(frozen=True)
class FitResult:
    """A fitted net with its corpus offset; `epochs` is the best one."""

    net: DynamicEmotionToMusicMapper
    offset: CorpusOffset
    epochs: int
    held_back_loss: float


def _create_net(data: Examples, recipe: Recipe) -> DynamicEmotionToMusicMapper:
    """Create an untrained net at the corpus' averages: standardised scalars, log mean weights as biases."""
    torch.manual_seed(recipe.seed)
    net = DynamicEmotionToMusicMapper(hidden_dim=recipe.hidden_dim)
    weight = data.scalar_mask * data.importance[:, None]
    total = torch.clamp(weight.sum(0), min=1e-6)
    mean = (data.scalars * weight).sum(0) / total
    spread = (((data.scalars - mean) ** 2 * weight).sum(0) / total).sqrt()
    is_measured = weight.sum(0) > 0
    with torch.no_grad():
        net.scalar_mean.copy_(torch.where(is_measured, mean, net.scalar_mean))
        net.scalar_sd.copy_(torch.where(is_measured & (spread > 1e-2), spread, net.scalar_sd))
        net.linear.weight.mul_(0.1)
        net.bend.weight.mul_(0.1)
        net.bend.bias.zero_()
        base = torch.cat([average_weights(data)[name].log() for name in WEIGHTS])
        net.linear.bias.copy_(torch.cat([torch.zeros(2 * len(SCALARS)), base]))
    return net


def fit(
    data: Examples,
    recipe: Recipe,
    held_back: Examples | None = None,
    progress: Callable[[int, float], None] | None = None,
    cues: Sequence[Evidence] = (),
) -> FitResult:
    """Minimise the losses on `data` and, as pseudo-observations, PRIORS and `cues`.

    With `held_back`, stop early on it and keep the best epoch's weights.
    """
    net = _create_net(data, recipe)
    offset = CorpusOffset(len(net.centre))
    decay_parameters = [net.linear.weight, net.bend.weight, *(p for p in net.body.parameters() if p.ndim > 1)]
    decay_ids = {id(p) for p in decay_parameters}
    others = [p for p in (*net.parameters(), *offset.parameters()) if id(p) not in decay_ids and p.requires_grad]
    optimiser = torch.optim.AdamW(
        [
            {"params": decay_parameters, "weight_decay": recipe.weight_decay / recipe.learning_rate},
            {"params": others, "weight_decay": 1e-3},  # an offset without evidence stays at 0
        ],
        lr=recipe.learning_rate,
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    masks, priors = list_masks(data), PriorLoss(data, cues)
    best, best_epoch, best_weights = math.inf, 0, None
    for epoch in range(1, recipe.epochs + 1):
        probabilities, vad = compute_states(data, generator)
        spread = net.unpack(net.compute_raw(probabilities, vad) + offset(data.corpus))
        loss = sum_mean_losses(compute_losses(net, spread, data), masks, data.importance)
        if recipe.use_priors:
            loss = loss + priors(net)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        if held_back is None:
            best, best_epoch = float(loss.detach()), epoch
        elif epoch % 5 == 0:
            score_mapper = compute_held_out_loss(net, offset, held_back)
            if score_mapper < best - 1e-4:
                best, best_epoch = score_mapper, epoch
                best_weights = [{k: v.clone() for k, v in part.state_dict().items()} for part in (net, offset)]
            if epoch - best_epoch > recipe.patience:
                break
        if progress and epoch % 25 == 0:
            progress(epoch, best)
    if best_weights is not None:
        net.load_state_dict(best_weights[0])
        offset.load_state_dict(best_weights[1])
    return FitResult(net, offset, best_epoch, best)


@torch.no_grad()
def compute_held_out_loss(net: DynamicEmotionToMusicMapper, offset: CorpusOffset, data: Examples) -> float:
    """Sum the mean losses (nats) of all parameters, at the labels' own states."""
    spread = net.unpack(net.compute_raw(*compute_states(data)) + offset(data.corpus))
    return float(sum_mean_losses(compute_losses(net, spread, data), list_masks(data), data.importance))


@torch.no_grad()
def calibrate(net: DynamicEmotionToMusicMapper, offset: CorpusOffset, data: Examples, skilled: dict[str, bool]) -> None:
    """Set the commitment of the played values, its centre and limits, and the user basis.

    A state's medians vary less than single pieces. They are stretched to the pieces' spread (weights: to the entropy of
    single pieces), but only where the state helped to predict held-back groups (`skilled`), and by at most MAX_GAIN and
    MAX_WEIGHT_GAIN. The medians are those of the labelled states; of an even grid of states where most rows lack a
    label, as the few others would say how far their words go, and not how far the emotions do. The middle is then
    half-way between the corpora, and for the tempo SPONTANEOUS_BPM.
    """
    states, importance = compute_states(data), data.importance / data.importance.sum()
    has_labels = bool(data.known.all())
    if not has_labels:
        states = _create_state_grid()
        importance = torch.full((len(states[0]),), 1.0 / len(states[0]))
    raw = net.compute_raw(*states)
    centre = (raw * importance[:, None]).sum(0)
    spread = net.unpack(raw)
    medians = spread.quantile(0.5)
    everywhere = torch.ones(len(raw), dtype=torch.bool)
    standard = (data.scalars - net.scalar_mean) / net.scalar_sd
    scalar_gain = torch.ones(len(SCALARS))
    for index, name in enumerate(SCALARS):
        if skilled[name]:
            is_measured = data.scalar_mask[:, index] > 0
            target = _measure_spread_within_corpora(standard[is_measured, index], data.corpus[is_measured])
            shown = is_measured if has_labels else everywhere
            full = max(target / max(_measure_spread(medians[shown, index]), 1e-3), 1.0)
            scalar_gain[index] = min(full, MAX_GAIN)
    weight_gain = torch.ones(len(WEIGHTS))
    for index, name in enumerate(WEIGHTS):
        if skilled[name]:
            mask = data.weight_mask[name] > 0
            target = float(_compute_entropy(data.weights[name][mask]).mean())
            shown = mask if has_labels else everywhere
            logits = spread.logits[name][shown]
            middle = (logits * importance[shown][:, None]).sum(0) / importance[shown].sum()
            gains = torch.linspace(1.0, MAX_WEIGHT_GAIN, 41)
            entropies = torch.stack(
                [_compute_entropy(torch.softmax(middle + gain * (logits - middle), -1)).mean() for gain in gains]
            )
            enough = (entropies <= target).nonzero()
            weight_gain[index] = gains[int(enough[0])] if len(enough) else MAX_WEIGHT_GAIN
    low, high = torch.full((len(SCALARS),), -1e3), torch.full((len(SCALARS),), 1e3)
    for index in range(len(SCALARS)):
        is_measured = (data.scalar_mask[:, index] > 0) & ((data.corpus == REFERENCE) | (not has_labels))
        if bool(is_measured.any()):
            low[index], high[index] = torch.quantile(
                standard[is_measured, index], torch.tensor([PLAYED_SHARE, 1.0 - PLAYED_SHARE])
            )
    reference_outputs = centre + offset(torch.tensor([REFERENCE]))[0]
    if not has_labels:
        tempo = SCALARS.index("tempo")
        reference_outputs = centre.clone()
        reference_outputs[tempo] = (math.log2(SPONTANEOUS_BPM) - net.scalar_mean[tempo]) / net.scalar_sd[tempo]
    net.set_commitment(centre, scalar_gain, weight_gain, reference_outputs, (low, high))
    net.set_basis(compute_user_basis(net, offset(data.corpus), data))


def _create_state_grid() -> tuple[Tensor, Tensor]:
    """Create states over the square of the quadrants' centres: probabilities `[N, 8]` and V/A/D `[N, 3]`."""
    axis = np.linspace(-QUADRANT_CENTRE, QUADRANT_CENTRE, 9)
    states = [create_state(float(v), float(a)) for a in axis for v in axis]
    return (
        torch.tensor([state.probabilities for state in states]),
        torch.tensor([(state.valence, state.arousal, state.dominance) for state in states]),
    )


def _measure_spread(values: Tensor) -> float:
    """Measure a robust standard deviation: half the 16-84 % range."""
    if len(values) < 2:
        return 0.0
    low, high = torch.quantile(values, torch.tensor([0.1587, 0.8413]))
    return float(high - low) / 2.0


def _measure_spread_within_corpora(values: Tensor, corpus: Tensor) -> float:
    """Average the spread inside each corpus by rows; the difference between corpora is not expression."""
    parts = [values[corpus == index] for index in set(corpus.tolist())]
    return sum(_measure_spread(part) * len(part) for part in parts) / max(len(values), 1)


def _compute_entropy(weights: Tensor) -> Tensor:
    return -(weights * torch.log(torch.clamp(weights, min=1e-9))).sum(-1)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The files of a training run, its epochs, and its scores on held-out music."""

    path: Path
    card_path: Path
    epochs: int
    evaluation: Evaluation


# What the emotion surely moves, whatever weak labels show: the first cues of Eerola, Friberg & Bresin 2013, in order.
FIRST_CUES = ("modes", "tempo", "centre", "level")
OPEN_COMMAND = "kelly-live lab train mapper --set open --open-data DATA/open --corpora DATA/cultures --cues DATA/cues"
COMMAND = "kelly-live lab train mapper --set research --data DATA/symbolic --cues DATA/cues"


def _split_corpus(corpus: FeatureCorpus) -> tuple[Examples, Examples, RatingScale]:
    train, held_out = corpus.part("train"), corpus.part("val")
    scale = fit_rating_scale(train)
    return build_examples(train, scale), build_examples(held_out, scale), scale


def _split_open_corpus(corpus: FeatureCorpus) -> tuple[Examples, Examples]:
    held_out = build_examples(corpus.part("val"), None).take_labelled()
    return build_examples(corpus.part("train"), None), held_out


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """The result of cross-validation: the number of epochs, and the parameters that the emotion predicts."""

    epochs: int
    skilled: dict[str, bool]


def cross_validate(
    data: Examples,
    recipe: Recipe,
    progress: Callable[[int, float], None] | None = None,
    cues: Sequence[Evidence] = (),
) -> CrossValidation:
    """Fit on all folds but one, in turn.

    A parameter is skilled if it beats the corpus-wide distribution by two standard errors.
    """
    epochs, gains = [], []
    for held_back, inner in split_folds(data, FOLDS, recipe.seed):
        labelled = held_back.take_labelled()
        result = fit(inner, recipe, labelled, progress, cues)
        epochs.append(result.epochs)
        rows = score_mapper(result.net, result.offset, inner, labelled)
        gains.append({row.parameter: (row.corpus - row.mapper, row.gain_se) for row in rows})
    skilled = {}
    for name in gains[0]:
        mean = float(np.mean([fold[name][0] for fold in gains]))
        error = math.sqrt(sum(fold[name][1] ** 2 for fold in gains)) / len(gains)
        skilled[name] = mean > 2.0 * error
    return CrossValidation(max(int(np.median(epochs)), 1), skilled)


def train_mapper(
    data_dir: Path,
    cache_dir: Path | None,
    out: Path,
    recipe: Recipe | None = None,
    command: str = COMMAND,
    progress: Callable[[int, float], None] | None = None,
    cues_dir: Path | None = None,
) -> TrainingResult:
    """Extract features, fit, calibrate and score on held-out songs and series; write `out` and its card.

    Cross-validation over the training songs chooses the number of epochs and the skilled parameters; then the net is
    fitted again on all of them. The manifest's `val` part is only used for scores.

    Raises:
        ConfigError: The manifest is missing or damaged, or lists no music that can be read.
    """
    parts = _split_corpus(extract_corpus(data_dir, cache_dir))
    return _train(parts, out, recipe or Recipe(), command, progress, cues_dir)


def train_open_mapper(
    open_data: Path,
    corpora: Path,
    cache: Path,
    out: Path,
    recipe: Recipe | None = None,
    command: str = OPEN_COMMAND,
    progress: Callable[[int, float], None] | None = None,
    cues_dir: Path | None = None,
) -> TrainingResult:
    """Train the mapper of the set `open`, as `train_mapper` does: from OpenScore's words, POP909 and publications.

    Scores are of composers that were held out. FIRST_CUES count as skilled.

    Raises:
        ConfigError: A corpus is missing or damaged.
    """
    train, held_out = _split_open_corpus(extract_open_corpus(open_data, corpora, cache))
    return _train((train, held_out, None), out, recipe or Recipe(), command, progress, cues_dir, FIRST_CUES)


def _train(
    parts: tuple[Examples, Examples, RatingScale | None],
    out: Path,
    recipe: Recipe,
    command: str,
    progress: Callable[[int, float], None] | None,
    cues_dir: Path | None,
    sure: Sequence[str] = (),
) -> TrainingResult:
    cues = correlate_cues(cues_dir) if cues_dir else None
    evidence = select_evidence(cues) if cues and recipe.use_priors else ()
    train, held_out, scale = parts
    trial = cross_validate(train, recipe, progress, evidence)
    trial = replace(trial, skilled={name: skilled or name in sure for name, skilled in trial.skilled.items()})
    final_recipe = replace(recipe, epochs=trial.epochs)
    final = fit(train, final_recipe, progress=progress, cues=evidence)
    calibrate(final.net, final.offset, train, trial.skilled)
    net = final.net.eval()
    evaluation = Evaluation(score_mapper(net, final.offset, train, held_out), check_directions(net, train, cues))
    without = None
    if recipe.use_priors:  # the same recipe without priors, for comparison
        bare = fit(train, replace(final_recipe, use_priors=False))
        calibrate(bare.net, bare.offset, train, trial.skilled)
        without = Evaluation(
            score_mapper(bare.net, bare.offset, train, held_out), check_directions(bare.net.eval(), train, cues)
        )
    limits = {"gain": MAX_GAIN, "weight_gain": MAX_WEIGHT_GAIN, "played_share": PLAYED_SHARE}
    card = build_card(
        net, recipe=asdict(final_recipe), scale=scale, parts=(train, held_out), evaluation=evaluation,
        without_priors=without, skilled=trial.skilled,
        cues=cues, home=train.corpora[REFERENCE], limits=limits, command=command,
    )  # fmt: skip
    offsets = {CORPUS_PREFIX + name: weight for name, weight in final.offset.state_dict().items()}
    weights = {**net.state_dict(), **offsets}
    save_checkpoint(out, Checkpoint(KIND, net.config, card, weights))
    card_path = out.with_suffix(".md")
    write_atomically(card_path, format_card(card, evaluation, cues).encode())
    return TrainingResult(out, card_path, trial.epochs, evaluation)


def evaluate_mapper(
    data_dir: Path, cache_dir: Path | None, checkpoint: Path, cues_dir: Path | None = None
) -> Evaluation:
    """Score a checkpoint on the manifest's `val` part, with baselines fitted on its `train` part.

    Raises:
        KellyError: The manifest or the checkpoint cannot be read.
    """
    train, held_out, _ = _split_corpus(extract_corpus(data_dir, cache_dir))
    return _evaluate(train, held_out, checkpoint, cues_dir)


def evaluate_open_mapper(
    open_data: Path, corpora: Path, cache: Path, checkpoint: Path, cues_dir: Path | None = None
) -> Evaluation:
    """Score a checkpoint of `open` on the composers of OpenScore that were held out. Raises KellyError."""
    train, held_out = _split_open_corpus(extract_open_corpus(open_data, corpora, cache))
    return _evaluate(train, held_out, checkpoint, cues_dir)


def _evaluate(train: Examples, held_out: Examples, checkpoint: Path, cues_dir: Path | None) -> Evaluation:
    net, offset = load_trained(checkpoint)
    cues = correlate_cues(cues_dir) if cues_dir else None
    return Evaluation(score_mapper(net, offset, train, held_out), check_directions(net, train, cues))


def load_trained(path: Path) -> tuple[DynamicEmotionToMusicMapper, CorpusOffset]:
    """Load the net and the corpus offset of a checkpoint.

    Raises:
        ModelError: The checkpoint cannot be read or does not fit.
    """
    net = load_net(path)
    offset = CorpusOffset(len(net.centre))
    checkpoint = load_checkpoint(path, KIND)
    corpus = {
        name.removeprefix(CORPUS_PREFIX): weight
        for name, weight in checkpoint.weights.items()
        if name.startswith(CORPUS_PREFIX)
    }
    load_weights(offset, replace(checkpoint, weights=corpus), path)
    return net, offset
