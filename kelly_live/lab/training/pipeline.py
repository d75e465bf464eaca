"""The commands' work, top to bottom: gather clips, cache windows, train, calibrate, measure, write the card."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import Mapper
from kelly_live.core.values import AudioWindow
from kelly_live.emotion.analyzer import LiveAnalyzer
from kelly_live.emotion.nets.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from kelly_live.emotion.nets.emotion import EmotionStream, MultiScaleEmotionNet
from kelly_live.emotion.nets.scales import HOP_SAMPLES, SAMPLE_RATE
from kelly_live.emotion.nets.temporal import EmotionTransitionModel
from kelly_live.emotion.reader import LiveEmotionReader, load_emotion_net, load_temporal_model
from kelly_live.lab.training.baseline import baseline_scores
from kelly_live.lab.training.card import emotion_card, temporal_card
from kelly_live.lab.training.corpus import deal, gather, split_clips, thin
from kelly_live.lab.training.diversity import DatasetDiversityManager
from kelly_live.lab.training.emotion import ALONE, Part, Settings, Trainer, calibrate, cross_fit, members_say, train
from kelly_live.lab.training.evaluation import Answers, Score, answer, bootstrap, evaluate, table
from kelly_live.lab.training.front_end import FrontEnd, load_front_end
from kelly_live.lab.training.goals import Row, rows_of
from kelly_live.lab.training.manifest import Clip
from kelly_live.lab.training.ranks import Ranks
from kelly_live.lab.training.replay import Change, changes, reaction_scores, reader_scores
from kelly_live.lab.training.sounds import make_sounds
from kelly_live.lab.training.temporal import (
    compare,
    described_scenes,
    evolve,
    make_stories,
    restlessness,
    train_temporal,
)
from kelly_live.lab.training.unseen import keep, kept, known_voices, recipe, unseen_scores, without
from kelly_live.lab.training.windows import (
    FIT,
    SHARD_CLIPS,
    TEST,
    Cut,
    Windows,
    cached_windows,
    describe_samples,
    ears_name,
    join,
    read_windows,
    write_windows,
)
from kelly_live.mapping.mapper import load_mapper

Say = Callable[[str], None]
PROGRESS_SECONDS = 5.0
RUN = "emotion_run"  # the trainings' states in the cache
CALIBRATED = ("mix", "temperature", "confidence_fit")
UNSEEN_CLIPS = 500  # of each left-out data set: enough for ± .04
SOUND_COUNTS = {"fit": 90, "fold": 54, "val": 54}  # five, three and three of a kind
SOUND_SEEDS = {"fit": 1, "fold": 2, "val": 3}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the manifests are (either may be None), where features are kept, and how many train clips a set is used."""

    data: Path | None
    symbolic: Path | None
    cache: Path
    most: int = 1000

    def clips(self, say: Say) -> dict[str, list[Clip]]:
        """`fit` (at most `most` a data set), `fold` and `val`."""
        parts = self.all_clips(say)
        return {**parts, "fit": thin(parts["fit"], self.most)}

    def all_clips(self, say: Say) -> dict[str, list[Clip]]:
        """`fit`, `fold` and `val`, whole."""
        if self.data is None and self.symbolic is None:
            raise ConfigError("there is nothing to learn from; give --data and/or --symbolic")

        def progress(done: int, total: int) -> None:
            if done == total or done % 200 == 0:
                say(f"scores rendered: {done}/{total}")

        return split_clips(gather(self.data, self.symbolic, self.cache, progress=progress))


def windows_of(
    net: MultiScaleEmotionNet, clips: Sequence[Clip], cache: Path, cut: Cut, say: Say, ranks: Ranks = ALONE
) -> Windows:
    """All windows of `clips`, `clip` indexing them; data set by data set. Several ranks compute a share each first."""
    sets = {d: [i for i, clip in enumerate(clips) if clip.dataset == d] for d in sorted({c.dataset for c in clips})}
    if ranks.count > 1:
        shards = [own[i : i + SHARD_CLIPS] for own in sets.values() for i in range(0, len(own), SHARD_CLIPS)]
        mine = shards[ranks.rank :: ranks.count]
        for number, shard in enumerate(mine, 1):
            list(cached_windows(net, [clips[i] for i in shard], cache, cut))
            say(f"windows: shard {number}/{len(mine)} of rank {ranks.rank}")
        ranks.wait()
    parts = []
    for dataset, own in sets.items():
        index, began, told = np.array(own), time.monotonic(), 0.0
        for done, windows in cached_windows(net, [clips[i] for i in own], cache, cut):
            parts.append(replace(windows, clip=index[windows.clip]))
            taken = time.monotonic() - began
            if done == len(own) or taken - told >= PROGRESS_SECONDS:
                say(f"windows of {dataset}: {done}/{len(own)} clips, {done / max(taken, 1e-3):.0f} a second")
                told = taken
    return join(parts)


def sound_windows(net: MultiScaleEmotionNet, part: str, cache: Path) -> tuple[list[str], Windows]:
    """Windows of sounds that feel nothing, and the kind of each sound; `clip` is the sound's index."""
    sounds = make_sounds(SOUND_COUNTS[part], SOUND_SEEDS[part])
    # Named by what it was made of: other sounds, or a net with other ears, are other windows.
    content = hashlib.sha256(b"".join(samples.tobytes() for _, samples in sounds)).hexdigest()[:8]
    path = cache / "windows" / f"sounds_{part}_{content}_{ears_name(net)}.npz"
    if path.is_file():
        windows = read_windows(path)
    else:
        stream = EmotionStream(net)
        rows = [describe_samples(stream, samples, 1.0, 1.5) for _, samples in sounds]
        windows = join([w.shifted(i) for i, w in enumerate(rows)])
        write_windows(path, windows)
    return [kind for kind, _ in sounds], windows


def train_emotion(
    sources: Sources, front_end: Path | None, out: Path, settings: Settings, *, resume: bool, say: Say,
    leave_out: Sequence[str] = (), ranks: Ranks = ALONE,
) -> None:  # fmt: skip
    """The whole run; the state after every epoch is kept in the cache, so that `resume` can go on. With `leave_out`,
    a net that never heard those data sets nor their languages is measured on them, and nothing is written to `out`.
    """
    say = ranks.voice(say)
    with ranks.first_goes_first():
        gathered = sources.all_clips(say)
    parts = without(gathered, leave_out) if leave_out else gathered
    parts = {**parts, "fit": thin(parts["fit"], sources.most)}
    if leave_out:
        parts["unseen"] = thin(parts["unseen"], UNSEEN_CLIPS)
    manager = DatasetDiversityManager(parts["fit"])
    report = manager.report_lines()
    for line in report:
        say(line)
    torch.manual_seed(settings.seed)
    net = MultiScaleEmotionNet()
    if front_end is not None:
        load_front_end(front_end).fit_into(net)
    elif out.is_file():
        shipped = load_emotion_net(out)
        FrontEnd(shipped.trunk, shipped.speech).fit_into(net)
    else:
        raise ConfigError("the net needs its frozen ears; give --front-end, made by `kelly-live lab train front-end`")
    net.eval()
    ready = {
        name: Part.of(clips, windows_of(net, clips, sources.cache, FIT if name == "fit" else TEST, say, ranks))
        for name, clips in parts.items()
    }
    with ranks.first_goes_first():
        sounds = {name: sound_windows(net, name, sources.cache)[1] for name in SOUND_COUNTS}
    if not ranks.first:
        torch.manual_seed(settings.seed + ranks.rank)  # other dropout than the first rank's
    say(", ".join(f"{name}: {len(p.clips)} clips, {len(p.windows)} windows" for name, p in ready.items()))
    run = "_".join((RUN, *(f"without_{name}" for name in leave_out)))
    if not resume and ranks.first:
        for old in sources.cache.glob(f"{run}.*pt"):
            old.unlink()
    ranks.wait()

    def state(name: str) -> Path:
        return sources.cache / f"{run}.{name}.pt"

    def fresh(index: int) -> MultiScaleEmotionNet:
        torch.manual_seed(settings.seed + 1000 * index + ranks.rank * bool(index))
        made = MultiScaleEmotionNet()
        FrontEnd(net.trunk, net.speech).fit_into(made)
        return made.to(ranks.device)

    if settings.cross > 1 and not leave_out:
        whole = ready["fit"].followed_by(ready["fold"])
        weights = DatasetDiversityManager(whole.clips).get_sampling_weights()
        net, course = cross_fit(fresh, whole, sounds["fit"], sounds["fold"], weights, settings, state, ranks, say)
    else:  # what a left-out language is asked needs no calibration: one run, stopped by the fold
        weights = manager.get_sampling_weights()
        trainer = Trainer(net.to(ranks.device), ready["fit"], sounds["fit"], ready["fold"], weights, settings, ranks)
        net = train(trainer, state("fit"), say)
        course = {"epochs": trainer.epoch, "fold_score": trainer.stopping.best, "history": trainer.history}
        if ranks.first:
            net.cpu()
            calibrate(net, ready["fold"], members_say(net, ready["fold"].windows), sounds["fold"])
    if not ranks.first:
        return
    made_by = recipe(net, asdict(settings), sources.most, gathered)
    if leave_out:
        unseen = ready["unseen"]
        scores = unseen_scores(unseen.clips, unseen.windows, answer(net, unseen.windows))
        heard = ready["val"]
        scores += known_voices(heard.clips, heard.windows, answer(net, heard.windows), leave_out)
        for line in table(scores).splitlines():
            say(line)
        for path in keep(sources.cache, made_by, leave_out, scores):
            say(f"wrote {path}")
        return
    val = ready["val"]
    scores = evaluate(val.clips, val.windows, answer(net, val.windows))
    learned = ready["fit"].followed_by(ready["fold"]) if settings.cross > 1 else ready["fit"]
    baseline = baseline_scores((learned.clips, learned.windows), (val.clips, val.windows))
    kinds, calls = sound_windows(net, "val", sources.cache)
    calm = sound_summary(kinds, calls, answer(net, calls), answer(net, val.windows))
    hop = hop_score(LiveEmotionReader(net, EmotionTransitionModel(), torch.device("cpu"))).value
    card = {
        "sources": sorted({(c.dataset, c.licence or "none stated") for c in parts["fit"]}),
        "licence": "non-commercial research only: learned from CC BY-NC-SA 4.0 clips",
        "clips": {name: len(p.clips) for name, p in ready.items()},
        "most": sources.most,
        "members": len(net.members),
        "settings": asdict(settings),
        **course,
        "scores": [s.as_dict() for s in scores],
        "baseline": [s.as_dict() for s in baseline],
        "unseen": [s.as_dict() for s in kept(sources.cache, made_by)],
        "sounds": calm,
        "hop_milliseconds": hop,
        "diversity": report,
        "temperature": [[round(float(t), 3) for t in row] for row in net.temperature],
    }
    save_checkpoint(out, Checkpoint("emotion", dict(net.config), card, net.stored()))
    out.with_suffix(".md").write_text(emotion_card(card, scores, baseline, out.stat().st_size), encoding="utf-8")
    say(f"wrote {out} and {out.with_suffix('.md')}")


def sound_summary(kinds: Sequence[str], windows: Windows, sounds: Answers, clips: Answers) -> dict[str, float]:
    """How sure the net is of sounds that feel nothing, by kind, beside its mean on real clips."""
    out = {"mean confidence on real clips": float(clips.confidence.mean())}
    for kind in dict.fromkeys(kinds):
        rows = np.isin(windows.clip, [i for i, k in enumerate(kinds) if k == kind])
        out[f"mean confidence on {kind}"] = float(sounds.confidence[rows].mean())
        out[f"mean presence on {kind}"] = float(sounds.presence[rows].mean())
    return out


def hop_score(reader: LiveEmotionReader, mapper: Mapper | None = None, hops: int = 60) -> Score:
    """The median milliseconds of a whole 250 ms hop after a warm-up: features, net, temporal model, and the mapper to
    the music's parameters if there is one.
    """
    push = reader.push if mapper is None else LiveAnalyzer(reader, mapper).push
    rng = np.random.default_rng(0)
    reader.reset()
    taken = []
    for i in range(hops):
        samples = (0.1 * rng.standard_normal(HOP_SAMPLES)).astype(np.float32)
        began = time.perf_counter()
        push(AudioWindow(samples, SAMPLE_RATE, (i + 1) * HOP_SAMPLES / SAMPLE_RATE))
        taken.append(1000.0 * (time.perf_counter() - began))
    reader.reset()
    warm = np.array(taken[hops // 3 :])
    name = "median ms, sound to emotion" if mapper is None else "median ms, sound to parameters"
    return Score("hop", name, *bootstrap(lambda k: float(np.median(warm[k])), len(warm), 1000), len(warm))


def _away(
    net: MultiScaleEmotionNet, cross: int, parts: dict[str, list[Clip]], cache: Path, say: Say
) -> tuple[MultiScaleEmotionNet, list[Clip]]:
    """A net that missed some clips, and those clips: a first part's own net, as `train emotion` left it in the cache,
    mixed and calibrated like the one that ships. What the shipped net says of clips that it learned is too good.
    """
    whole = parts["fit"] + parts["fold"]
    kept = cache / f"{RUN}.part0.pt"
    if cross < 2 or not kept.is_file():
        say("no net that missed a part is in the cache (`train emotion --cross 4` leaves one): the fold's clips serve")
        return net, parts["fold"]
    weights = torch.load(kept, weights_only=True, map_location="cpu")["weights"]
    away = MultiScaleEmotionNet(**net.config)
    away.load_state_dict({**weights, **{name: w for name, w in net.state_dict().items() if name in CALIBRATED}})
    part = deal(whole, cross)
    return away.eval(), [clip for clip, index in zip(whole, part, strict=True) if index == 0]


def train_temporal_model(
    sources: Sources, models: Path, out: Path, *, epochs: int, scenes: int, seed: int, say: Say
) -> None:
    """Scenes from clips that the net which answers has not learned from (a fifth of them to stop by), scores on scenes
    from `val`.
    """
    parts = sources.clips(say)
    net = load_emotion_net(models / "emotion.safetensors")
    cross = int(load_checkpoint(models / "emotion.safetensors", "emotion").card["settings"].get("cross", 1))
    teacher, unheard = _away(net, cross, parts, sources.cache, say)
    stories = {}
    for number, (name, one, clips, count) in enumerate(
        (("fold", teacher, unheard, scenes), ("val", net, parts["val"], max(1, scenes // 2)))
    ):
        described = described_scenes(one, clips, count, seed + number, sources.cache, say)
        stories[name] = make_stories(one, clips, described)
    stop = stories["fold"][::5]
    fit = [story for i, story in enumerate(stories["fold"]) if i % 5]
    torch.manual_seed(seed)
    model = EmotionTransitionModel()
    train_temporal(model, fit, stop, epochs=epochs, patience=15, seed=seed, say=say)
    evolved = [evolve(model, story) for story in stories["val"]]
    scores = compare(model, stories["val"], evolved, resamples=1000)
    rest = restlessness(stories["val"], evolved)
    card: dict[str, Any] = {
        "licence": "non-commercial research only: learned from CC BY-NC-SA 4.0 clips",
        "epochs": epochs,
        "scenes": scenes,
        "stories": {"fit": len(fit), "stop": len(stop), "val": len(stories["val"])},
        "scores": [s.as_dict() for s in scores],
        "restlessness": rest,
    }
    save_checkpoint(out, Checkpoint("temporal", dict(model.config), card, dict(model.state_dict())))
    out.with_suffix(".md").write_text(temporal_card(card, scores, out.stat().st_size), encoding="utf-8")
    for score in scores:
        say(
            f"{score.measure:42} {score.dataset:22} {score.value:.3f} ({score.low:.3f} – {score.high:.3f}), n {score.n}"
        )
    for what, value in rest.items():
        say(f"{what}: {value:.3f}")
    say(f"wrote {out} and {out.with_suffix('.md')}")


@dataclass(frozen=True, slots=True)
class Result:
    """What `kelly-live lab evaluate` reports: the issue's table, then all scores of the emotion net alone (`scores`), of
    the whole live reader (`live`), and of sounds that feel nothing; `heard` are the sudden changes behind `live`.
    """

    rows: list[Row]
    scores: list[Score]
    live: list[Score]
    sounds: dict[str, float]
    clips: list[Clip]
    windows: Windows
    answers: Answers
    heard: list[Change]
    reader: LiveEmotionReader

    def as_dict(self) -> dict[str, Any]:
        return {
            "table": [row.as_dict() for row in self.rows],
            "scores": [score.as_dict() for score in self.scores],
            "live": [score.as_dict() for score in self.live],
            "sounds": self.sounds,
        }


def evaluate_shipped(sources: Sources, models: Path, say: Say, reader_clips: int = 40) -> Result:
    """The nets of `models` on the `val` parts; the whole live reader on at most `reader_clips` of each data set."""
    net = load_emotion_net(models / "emotion.safetensors")
    card = load_checkpoint(models / "emotion.safetensors", "emotion").card
    reader = LiveEmotionReader(net, load_temporal_model(models / "temporal.safetensors"), torch.device("cpu"))
    clips = sources.clips(say)["val"]
    if not clips:
        raise ConfigError("the manifests have no clips with split 'val'; there is nothing to measure on")
    windows = windows_of(net, clips, sources.cache, TEST, say)
    answers = answer(net, windows)
    kinds, noise = sound_windows(net, "val", sources.cache)
    scores = evaluate(clips, windows, answers)
    scores += [Score(**score) for score in card.get("unseen", [])]  # measured when this net was trained
    mapper = load_mapper(models) if (models / "mapper.safetensors").is_file() else None
    live = [hop_score(reader, mapper)]
    heard = changes(reader, clips)
    live += reaction_scores(heard)
    live += reader_scores(reader, clips, reader_clips, say)
    calm = sound_summary(kinds, noise, answer(net, noise), answers)
    return Result(rows_of(scores, live), scores, live, calm, clips, windows, answers, heard, reader)
