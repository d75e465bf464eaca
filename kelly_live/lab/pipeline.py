"""Training runs from start to end: gather clips, cache windows, train, calibrate, score, write cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from kelly_live.core.checkpoint import Checkpoint
from kelly_live.core.errors import ConfigError
from kelly_live.emotion.nets.checkpoint import load_checkpoint, save_checkpoint
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.emotion.nets.temporal import EmotionTransitionModel
from kelly_live.emotion.reader import LiveEmotionReader, load_emotion_net
from kelly_live.lab.corpora.clips import assign_folds, limit_clips
from kelly_live.lab.corpora.diversity import DatasetDiversityManager
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.corpora.open_data import SHARES
from kelly_live.lab.judging.linear_baseline import score_linear_baseline
from kelly_live.lab.judging.report import measure_hop, summarise_sounds
from kelly_live.lab.judging.unseen_languages import (
    hash_recipe,
    leave_out_languages,
    load_scores,
    save_scores,
    score_known_languages,
    score_unseen,
)
from kelly_live.lab.training.distributed import SINGLE_PROCESS, Ranks
from kelly_live.lab.training.emotion import Settings, Trainer, cross_fit, train
from kelly_live.lab.training.emotion_calibration import calibrate, predict_members
from kelly_live.lab.training.front_end import FrontEnd, load_front_end
from kelly_live.lab.training.labelled_windows import LabelledWindows
from kelly_live.lab.training.model_cards import format_emotion_card, format_temporal_card
from kelly_live.lab.training.open_cards import (
    OPEN_SOURCES,
    OPEN_TERMS,
    format_open_emotion_card,
    format_open_temporal_card,
)
from kelly_live.lab.training.scores import evaluate, format_scores, predict, predict_sessions
from kelly_live.lab.training.sources import SOUND_COUNTS, Log, Sources, load_sound_windows, load_windows
from kelly_live.lab.training.temporal import (
    build_sequences,
    describe_scenes,
    measure_stability,
    run_model,
    score_forecasts,
    train_temporal,
)

RUN = "emotion_run"  # name of the training states in the cache
ADAPTATION_SECONDS = 10.0  # of voice: the prior of the open net's adaptation to a session
CORPORA_HELD_OUT = ("crema_d", "emodb")  # each once, so that the open net's confidence knows unseen corpora


def name_run(model_set: str) -> str:
    """Name the training states of a set."""
    return RUN if model_set == "research" else f"{RUN}_{model_set}"


CALIBRATED = ("mix", "temperature", "confidence_fit")
RATED_SONGS = 16  # that the open temporal model learns from
UNSEEN_CLIPS = 500  # of each left-out data set: enough for ± .04


def train_emotion(
    sources: Sources, front_end: Path | None, out: Path, settings: Settings, *, resume: bool, log: Log,
    leave_out: Sequence[str] = (), ranks: Ranks = SINGLE_PROCESS,
) -> None:  # fmt: skip
    """Train the emotion net; the state after every epoch is cached, so that `resume` can continue.

    With `leave_out`, a net that learned neither from those data sets nor from their languages is scored on them, and
    nothing is written to `out`.

    Raises:
        ConfigError: There are no clips, or the front end is missing.
    """
    log = ranks.restrict_log(log)
    with ranks.run_first_rank_first():
        all_parts = sources.read_all_clips(log)
    parts = leave_out_languages(all_parts, leave_out) if leave_out else all_parts
    parts = {name: sources.limit(name, clips) for name, clips in parts.items()}
    is_open = sources.model_set == "open"
    shares = SHARES if is_open else None
    if leave_out:
        parts["unseen"] = limit_clips(parts["unseen"], UNSEEN_CLIPS)
    manager = DatasetDiversityManager(parts["fit"])
    report = manager.format_report()
    for line in report:
        log(line)
    torch.manual_seed(settings.seed)
    adaptation = ADAPTATION_SECONDS if is_open else 0.0
    net = MultiScaleEmotionNet(adaptation_seconds=adaptation)
    if front_end is not None:
        load_front_end(front_end).copy_into(net)
    elif out.is_file():
        shipped_net = load_emotion_net(out)
        FrontEnd(shipped_net.trunk, shipped_net.speech).copy_into(net)
    else:
        raise ConfigError("the net needs its front end; give --front-end, made by `kelly-live lab train front-end`")
    net.eval()
    ready = {
        name: LabelledWindows.of(clips, load_windows(net, clips, sources.cache, sources.find_options(name), log, ranks))
        for name, clips in parts.items()
    }
    with ranks.run_first_rank_first():
        sounds = {name: load_sound_windows(net, name, sources.cache)[1] for name in SOUND_COUNTS}
    if not ranks.is_first:
        torch.manual_seed(settings.seed + ranks.rank)  # other dropout than the first rank's
    log(", ".join(f"{name}: {len(p.clips)} clips, {len(p.windows)} windows" for name, p in ready.items()))
    run = "_".join((name_run(sources.model_set), *(f"without_{name}" for name in leave_out)))
    if not resume and ranks.is_first:
        for old in sources.cache.glob(f"{run}.*pt"):
            old.unlink()
    ranks.wait()

    def state(name: str) -> Path:
        return sources.cache / f"{run}.{name}.pt"

    def fresh(index: int) -> MultiScaleEmotionNet:
        torch.manual_seed(settings.seed + 1000 * index + ranks.rank * bool(index))
        new_net = MultiScaleEmotionNet(adaptation_seconds=adaptation)
        FrontEnd(net.trunk, net.speech).copy_into(new_net)
        return new_net.to(ranks.device)

    if settings.cross > 1 and not leave_out:
        all_clips = ready["fit"].concatenate(ready["fold"])
        weights = DatasetDiversityManager(all_clips.clips).get_sampling_weights()
        net, course = cross_fit(
            fresh, all_clips, sounds["fit"], sounds["fold"], weights, settings, state, ranks, log, shares,
            unseen_sets=CORPORA_HELD_OUT if is_open else (),
        )  # fmt: skip
    else:  # a left-out language needs no calibration: one run, stopped by the fold
        weights = manager.get_sampling_weights()
        trainer = Trainer(
            net.to(ranks.device), ready["fit"], sounds["fit"], ready["fold"], weights, settings, ranks, shares=shares
        )
        net = train(trainer, state("fit"), log)
        course = {"epochs": trainer.epoch, "fold_score": trainer.stopping.best, "history": trainer.history}
        if ranks.is_first:
            net.cpu()
            calibrate(net, ready["fold"], predict_members(net, ready["fold"].windows), sounds["fold"])
    if not ranks.is_first:
        return
    recipe_hash = hash_recipe(net, asdict(settings), sources.most, all_parts)
    if leave_out:
        unseen = ready["unseen"]
        scores = score_unseen(unseen.clips, unseen.windows, predict(net, unseen.windows))
        known_part = ready["val"]
        scores += score_known_languages(
            known_part.clips, known_part.windows, predict(net, known_part.windows), leave_out
        )
        for line in format_scores(scores).splitlines():
            log(line)
        for path in save_scores(sources.cache, recipe_hash, leave_out, scores):
            log(f"wrote {path}")
        return
    val = ready["val"]
    scores = evaluate(val.clips, val.windows, predict(net, val.windows))
    training_part = ready["fit"].concatenate(ready["fold"]) if settings.cross > 1 else ready["fit"]
    baseline = score_linear_baseline((training_part.clips, training_part.windows), (val.clips, val.windows))
    kinds, calls = load_sound_windows(net, "val", sources.cache)
    calm = summarise_sounds(kinds, calls, predict(net, calls), predict(net, val.windows))
    hop = measure_hop(LiveEmotionReader(net, EmotionTransitionModel(), torch.device("cpu"))).value
    card = {
        "set": sources.model_set,
        "sources": list(OPEN_SOURCES)
        if is_open
        else sorted({(c.dataset, c.licence or "none stated") for c in parts["fit"]}),
        "licence": OPEN_TERMS if is_open else "non-commercial research only: learned from CC BY-NC-SA 4.0 clips",
        "clips": {name: len(p.clips) for name, p in ready.items()},
        "most": sources.most,
        "members": len(net.members),
        "settings": asdict(settings),
        **course,
        "scores": [s.as_dict() for s in scores],
        "baseline": [s.as_dict() for s in baseline],
        "sessions": [
            s.as_dict() for s in evaluate(val.clips, val.windows, predict_sessions(net, val.clips, val.windows))
        ]
        if is_open
        else [],
        "unseen": [s.as_dict() for s in load_scores(sources.cache, recipe_hash)],
        "sounds": calm,
        "hop_milliseconds": hop,
        "diversity": report,
        "temperature": [[round(float(t), 3) for t in row] for row in net.temperature],
    }
    save_checkpoint(out, Checkpoint("emotion", dict(net.config), card, net.export_weights()))
    write_card = format_open_emotion_card if is_open else format_emotion_card
    out.with_suffix(".md").write_text(write_card(card, scores, baseline, out.stat().st_size), encoding="utf-8")
    log(f"wrote {out} and {out.with_suffix('.md')}")


def _load_held_out_net(
    net: MultiScaleEmotionNet, cross: int, parts: dict[str, list[Clip]], cache: Path, run: str, log: Log
) -> tuple[MultiScaleEmotionNet, list[Clip]]:
    """Load a net that did not learn from some clips, and those clips.

    It is the first part's net, which `train emotion` leaves in the cache, with the mixture and calibration of the
    shipped net. The shipped net's predictions of its own training clips would be too good.
    """
    clips = parts["fit"] + parts["fold"]
    checkpoint_path = cache / f"{run}.part0.pt"
    if cross < 2 or not checkpoint_path.is_file():
        log("the cache holds no net with a held-out part (`train emotion --cross 4` leaves one); the fold is used")
        return net, parts["fold"]
    weights = torch.load(checkpoint_path, weights_only=True, map_location="cpu")["weights"]
    held_out_net = MultiScaleEmotionNet(**net.config)
    held_out_net.load_state_dict({**weights, **{name: w for name, w in net.state_dict().items() if name in CALIBRATED}})
    part = assign_folds(clips, cross)
    return held_out_net.eval(), [clip for clip, index in zip(clips, part, strict=True) if index == 0]


def train_temporal_model(
    sources: Sources, models: Path, out: Path, *, epochs: int, scenes: int, seed: int, log: Log
) -> None:
    """Train the temporal model on scenes of held-out clips, and score it on scenes of `val`.

    A fifth of the scenes decides when to stop.
    """
    parts = sources.read_clips(log)
    net = load_emotion_net(models / "emotion.safetensors")
    cross = int(load_checkpoint(models / "emotion.safetensors", "emotion").card["settings"].get("cross", 1))
    teacher, held_out = _load_held_out_net(net, cross, parts, sources.cache, name_run(sources.model_set), log)
    is_open = sources.model_set == "open"
    if is_open:  # the songs are many, and only a teacher rated them
        songs = [clip for clip in held_out if clip.kind == "music"]
        held_out = [clip for clip in held_out if clip.kind != "music"] + songs[:RATED_SONGS]
    sequences = {}
    for number, (name, one, clips, count) in enumerate(
        (("fold", teacher, held_out, scenes), ("val", net, parts["val"], max(1, scenes // 2)))
    ):
        described_scenes = describe_scenes(one, clips, count, seed + number, sources.cache, log)
        sequences[name] = build_sequences(one, clips, described_scenes)
    stop = sequences["fold"][::5]
    fit = [sequence for i, sequence in enumerate(sequences["fold"]) if i % 5]
    torch.manual_seed(seed)
    model = EmotionTransitionModel()
    train_temporal(model, fit, stop, epochs=epochs, patience=15, seed=seed, log=log)
    tracks = [run_model(model, sequence) for sequence in sequences["val"]]
    scores = score_forecasts(model, sequences["val"], tracks, resamples=1000)
    rest = measure_stability(sequences["val"], tracks)
    card: dict[str, Any] = {
        "set": sources.model_set,
        "licence": OPEN_TERMS if is_open else "non-commercial research only: learned from CC BY-NC-SA 4.0 clips",
        "sources": list(OPEN_SOURCES) if is_open else [],
        "most": sources.most,
        "epochs": epochs,
        "scenes": scenes,
        "stories": {"fit": len(fit), "stop": len(stop), "val": len(sequences["val"])},
        "scores": [s.as_dict() for s in scores],
        "restlessness": rest,
    }
    save_checkpoint(out, Checkpoint("temporal", dict(model.config), card, dict(model.state_dict())))
    write_card = format_open_temporal_card if is_open else format_temporal_card
    out.with_suffix(".md").write_text(write_card(card, scores, out.stat().st_size), encoding="utf-8")
    for score in scores:
        log(f"{score.metric:42} {score.dataset:22} {score.value:.3f} ({score.low:.3f} – {score.high:.3f}), n {score.n}")
    for metric, value in rest.items():
        log(f"{metric}: {value:.3f}")
    log(f"wrote {out} and {out.with_suffix('.md')}")
