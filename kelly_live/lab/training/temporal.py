"""Training of the temporal model on the emotion net's predictions for sounds that change.

The sequences are pieces with ratings of each bar (VGMIDI), and clips in a row, so that the moment of each change is
known. Their speakers and songs are held out from the emotion net, so that its predictions are as wrong as live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from kelly_live.core.level import rms_dbfs
from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.emotion.nets.emotion_stream import EmotionStream
from kelly_live.emotion.nets.scales import HOP_SAMPLES, HOP_SECONDS, SAMPLE_RATE
from kelly_live.emotion.nets.temporal import EmotionTransitionModel
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.corpora.targets import Targets, create_clip_targets
from kelly_live.lab.intervals import bootstrap
from kelly_live.lab.training.emotion import EarlyStopping
from kelly_live.lab.training.labelled_windows import SIGN_SLOPE
from kelly_live.lab.training.scores import Score, create_mean_metric, predict_in_turn
from kelly_live.lab.training.windows import (
    Windows,
    describe_samples,
    hash_front_end,
    read_audio,
    read_windows,
    write_windows,
)

STEPS = 32  # the live history, 8 s
MIN_STEPS = 4
HORIZONS_SECONDS = (1.0, 4.0, 8.0)
SILENT_DBFS = -60.0
RATED_SECONDS = 45.0
SETTLE_SECONDS = 2.0  # after a change of clip, movement is right; only later it is instability
CHANGE_SHARE = 0.5  # of the training windows end within SETTLE_SECONDS of a change: rare live, but what is noticed

EmotionTrack = tuple[np.ndarray, np.ndarray]  # emotions `[T, 8]` and V, A, D `[T, 3]` at each hop of a sequence


@dataclass(frozen=True, slots=True)
class Scene:
    """Audio `[n]` at 16 kHz, with its segments: (start second, clip index, offset inside the clip)."""

    samples: np.ndarray
    segments: tuple[tuple[float, int, float], ...]


@dataclass(frozen=True, slots=True)
class HopSequence:
    """A sequence of hops.

    `predictions` are the emotion net's `[T, 13]`, `times` `[T]`, `truth` the targets (rows T); `segment` `[T]` numbers
    the clip that sounds.
    """

    predictions: np.ndarray
    times: np.ndarray
    truth: Targets
    segment: np.ndarray


def trim_silence(samples: np.ndarray) -> np.ndarray:
    """Remove the silence before and after: 40 dB under the loudest 20 ms."""
    frame = SAMPLE_RATE // 50
    n = len(samples) // frame
    if n == 0:
        return samples
    power = np.square(samples[: n * frame]).reshape(n, frame).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 1e-4)
    return samples[loud[0] * frame : (loud[-1] + 1) * frame] if len(loud) and power.max() > 0 else samples


def make_scenes(clips: Sequence[Clip], count: int, seed: int) -> Iterator[Scene]:
    """Yield `count` scenes of 4-6 clips with changing emotions, then one scene for every rated piece.

    A scene's clips are of one speaker, or piano excerpts of 5 s.
    """
    rng = np.random.default_rng(seed)
    speakers: dict[str, list[int]] = {}
    music = [i for i, c in enumerate(clips) if c.quadrant is not None]
    for i, clip in enumerate(clips):
        if clip.speaker is not None and clip.emotions is not None and clip.gems is None:
            speakers.setdefault(clip.speaker, []).append(i)
    names = sorted(name for name, indices in speakers.items() if len(indices) >= 6)
    for number in range(count if names or music else 0):
        from_music = bool(music) and (not names or number % 2 == 1)
        pool = music if from_music else speakers[names[int(rng.integers(len(names)))]]
        scene_clips: list[int] = []
        while len(scene_clips) < rng.integers(4, 7):
            candidate = int(pool[int(rng.integers(len(pool)))])
            if (
                not scene_clips
                or _identify_emotion(clips[candidate]) != _identify_emotion(clips[scene_clips[-1]])
                or rng.random() < 0.2
            ):
                scene_clips.append(candidate)
        parts, segments, at = [], [], 0.0
        for index in scene_clips:
            samples = read_audio(clips[index].audio_path, 20.0)
            offset = float(rng.uniform(0.0, 10.0)) if from_music else 0.0
            first = int(offset * SAMPLE_RATE)
            samples = samples[first : first + 5 * SAMPLE_RATE] if from_music else trim_silence(samples)
            segments.append((at, index, offset))
            parts.append(samples)
            at += len(samples) / SAMPLE_RATE
        yield Scene(np.concatenate(parts).astype(np.float32), tuple(segments))
    for index, clip in enumerate(clips):
        if clip.bar_ratings is not None:
            yield Scene(read_audio(clip.audio_path, RATED_SECONDS), ((0.0, index, 0.0),))


def compute_seconds_since_change(sequence: HopSequence) -> np.ndarray:
    """Compute the seconds since the last change of clip `[T]`; infinite in the first clip."""
    since = np.full(len(sequence.times), np.inf)
    for i in range(1, len(since)):
        step = sequence.times[i] - sequence.times[i - 1]
        since[i] = HOP_SECONDS if sequence.segment[i] != sequence.segment[i - 1] else since[i - 1] + step
    return since


def _identify_emotion(clip: Clip) -> object:
    return clip.quadrant or clip.emotion_original or clip.emotions


def describe_scenes(
    net: MultiScaleEmotionNet, clips: Sequence[Clip], count: int, seed: int, cache: Path, log: Callable[[str], None]
) -> list[tuple[Windows, np.ndarray, tuple[tuple[float, int, float], ...]]]:
    """Compute every scene's windows at live hops, which hops sound, and its segments; cached in `cache`."""
    out, front_end, stream = [], hash_front_end(net), None
    for number, scene in enumerate(make_scenes(clips, count, seed)):
        name = "_".join(clips[i].audio_path.stem[-12:] for _, i, _ in scene.segments)[:80]
        path = cache / "scenes" / f"{seed}_{number}_{name}_{len(scene.samples)}_{front_end}.npz"
        if path.is_file():
            windows = read_windows(path)
        else:
            samples = scene.samples[: len(scene.samples) // HOP_SAMPLES * HOP_SAMPLES]
            stream = stream or EmotionStream(net)
            windows = describe_samples(stream, samples, HOP_SECONDS, HOP_SECONDS)
            write_windows(path, windows)
        levels = [
            rms_dbfs(scene.samples[int(e * SAMPLE_RATE) - HOP_SAMPLES : int(e * SAMPLE_RATE)])
            for e in windows.end_seconds
        ]
        out.append((windows, np.array(levels) > SILENT_DBFS, scene.segments))
        if (number + 1) % 20 == 0:
            log(f"scenes described: {number + 1}")
    return out


def build_sequences(
    net: MultiScaleEmotionNet,
    clips: list[Clip],
    scenes: Sequence[tuple[Windows, np.ndarray, tuple[tuple[float, int, float], ...]]],
) -> list[HopSequence]:
    """Predict every hop that sounds, and pair it with its targets."""
    sequences = []
    for windows, has_sound, segments in scenes:
        answers = predict_in_turn(net, windows, HOP_SECONDS * has_sound)
        predictions = np.concatenate(
            (answers.emotions, answers.affect, answers.confidence[:, None], answers.presence[:, None]), 1
        )
        starts = np.array([start for start, _, _ in segments])
        # A hop belongs to the clip that sounds in its middle.
        which = np.searchsorted(starts, windows.end_seconds - HOP_SECONDS / 2, side="right") - 1
        clip = np.array([segments[i][1] for i in which])
        inside = windows.end_seconds - starts[which] + np.array([segments[i][2] for i in which])
        truth = create_clip_targets(clips, clip, inside)
        keep = np.flatnonzero(has_sound)
        if len(keep) > MIN_STEPS + 1:
            sequences.append(
                HopSequence(
                    predictions[keep].astype(np.float32),
                    windows.end_seconds[keep],
                    Targets(*(getattr(truth, name)[keep] for name in Targets.__slots__)),
                    which[keep],
                )
            )
    return sequences


def _loss(emotions: torch.Tensor, affect: torch.Tensor, t: dict[str, torch.Tensor]) -> torch.Tensor:
    weight = t["emotions_weight"]
    cross = -(t["emotions"] * torch.log(emotions.clamp_min(1e-6))).sum(1)
    signs = functional.softplus(-SIGN_SLOPE * t["signs"] * affect[:, :2]) * t["signs"].abs()
    return (
        (cross * weight).mean()
        + 3.0 * ((affect - t["affect"]).square() * t["affect_weight"]).mean()
        + (signs.mean(1) * t["signs_weight"]).mean()
    )


def _rows(sequences: Sequence[HopSequence], picks: Sequence[tuple[int, int]]) -> dict[str, torch.Tensor]:
    names = ("emotions", "emotions_weight", "affect", "affect_weight", "signs", "signs_weight")
    return {n: torch.from_numpy(np.stack([getattr(sequences[s].truth, n)[i] for s, i in picks])) for n in names}


def _window(
    sequences: Sequence[HopSequence], picks: Sequence[tuple[int, int]], steps: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Select the `steps` hops that end at each pick: emotions, times before the last, and other values."""
    predictions = torch.from_numpy(np.stack([sequences[s].predictions[i - steps + 1 : i + 1] for s, i in picks]))
    times = np.stack([sequences[s].times[i - steps + 1 : i + 1] for s, i in picks])
    eight = len(EMOTIONS)
    return (
        predictions[..., :eight],
        torch.from_numpy((times - times[:, -1:]).astype(np.float32)),
        predictions[..., eight:],
    )


def _find_later_hop(sequence: HopSequence, index: int, seconds: float) -> int | None:
    """Find the hop `seconds` after `index`, or None past the end."""
    later = int(np.searchsorted(sequence.times, sequence.times[index] + seconds - 1e-3))
    return later if later < len(sequence.times) else None


def train_temporal(
    model: EmotionTransitionModel, fit: list[HopSequence], fold: list[HopSequence], *, epochs: int, patience: int,
    seed: int, log: Callable[[str], None],
) -> EmotionTransitionModel:  # fmt: skip
    """Train on random windows of random length, many of them just after a change.

    The loss is on the last step, on its forecasts, and on changes after the time to settle.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), 1.5e-3, weight_decay=0.05)
    stopping = EarlyStopping(patience)
    hops = [(s, i) for s, sequence in enumerate(fit) for i in range(MIN_STEPS, len(sequence.times))]
    since = [compute_seconds_since_change(sequence) for sequence in fit]
    fresh = [(s, i) for s, i in hops if since[s][i] <= SETTLE_SECONDS]
    for epoch in range(1, epochs + 1):
        model.train()
        total = 0.0
        for _ in range(60):
            steps = int(rng.integers(MIN_STEPS, STEPS + 1))
            able = [hop for hop in hops if hop[1] >= steps]
            if not able:
                continue
            able_fresh = [hop for hop in fresh if hop[1] >= steps]
            turns = int(48 * CHANGE_SHARE) if able_fresh else 0
            picks = [able[int(k)] for k in rng.integers(0, len(able), 48 - turns)]
            picks += [able_fresh[int(k)] for k in rng.integers(0, len(able_fresh) or 1, turns)]
            out = model(*_window(fit, picks, steps))
            before = model(*_window(fit, [(s, i - 1) for s, i in picks], steps))
            loss = _loss(out.evolved_emotions[:, -1], out.evolved_affect[:, -1], _rows(fit, picks))
            steady = torch.tensor([float(since[s][i] > SETTLE_SECONDS) for s, i in picks])
            change = (out.evolved_emotions[:, -1] - before.evolved_emotions[:, -1]).square().sum(1)
            change = change + (out.evolved_affect[:, -1] - before.evolved_affect[:, -1]).square().sum(1)
            loss = loss + 2.0 * (change * steady).mean()
            for seconds in HORIZONS_SECONDS:
                later = [
                    (n, s, j)
                    for n, (s, i) in enumerate(picks)
                    if (j := _find_later_hop(fit[s], i, seconds)) is not None
                ]
                if later:
                    which = [n for n, _, _ in later]
                    forecast = model.forecast(
                        out.evolved_emotions[which, -1],
                        out.evolved_affect[which, -1],
                        torch.full((len(which),), seconds),
                    )
                    loss = loss + 0.3 * _loss(*forecast, _rows(fit, [(s, j) for _, s, j in later]))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            total += float(loss.detach())
        tracks = [run_model(model, sequence) for sequence in fold]
        errors = [e for e in score_forecasts(model, fold, tracks, resamples=0) if e.dataset == "temporal model"]
        # A second of delay weighs as much as .1 of error: slow averages are the best forecasts, but useless live.
        delay = measure_stability(fold, tracks)["median seconds to half-way"]
        score = -float(np.nanmean([e.value for e in errors])) - 0.1 * (0.0 if np.isnan(delay) else delay)
        best = stopping.update(score, model)
        if best or epoch % 10 == 0:
            best_note = "  * best" if best else ""
            log(f"epoch {epoch:3d}  loss {total / 60:.3f}  fold error and delay {-score:.4f}{best_note}")
        if stopping.is_done:
            break
    model.load_state_dict(stopping.weights)
    return model.eval()


@torch.inference_mode()
def run_model(model: EmotionTransitionModel, sequence: HopSequence) -> EmotionTrack:
    """Run the model as live: the last step of every rolling window, `[T, 8]` and `[T, 3]`."""
    model.eval()
    emotions, affect = [], []
    for i in range(len(sequence.times)):
        out = model(*_window([sequence], [(0, i)], min(i + 1, STEPS)))
        emotions.append(out.evolved_emotions[0, -1].numpy())
        affect.append(out.evolved_affect[0, -1].numpy())
    return np.stack(emotions), np.stack(affect)


def smooth_exponentially(values: np.ndarray, times: np.ndarray, constant_seconds: float) -> np.ndarray:
    """Compute an exponential moving average `[T, …]`; a constant of 0 keeps the last value."""
    out = values.astype(np.float64).copy()
    for i in range(1, len(values)):
        keep = np.exp(-(times[i] - times[i - 1]) / constant_seconds) if constant_seconds > 0 else 0.0
        out[i] = keep * out[i - 1] + (1.0 - keep) * values[i]
    return out


def score_forecasts(
    model: EmotionTransitionModel,
    sequences: Sequence[HopSequence],
    model_tracks: Sequence[EmotionTrack],
    resamples: int,
) -> list[Score]:
    """Score the temporal model, the last value and the best moving average, now and at each horizon.

    The Brier score of the emotions (spoken scenes), and the RMSE of valence and arousal (rated pieces).
    """
    eight = len(EMOTIONS)
    constants = (0.5, 1.0, 2.0, 4.0)
    errors: dict[tuple[str, str], list[float]] = {}
    for sequence, track in zip(sequences, model_tracks, strict=True):
        raw, raw_affect = sequence.predictions[:, :eight], sequence.predictions[:, eight : eight + 3]
        tracks = {"last value": (raw, raw_affect)}
        for c in constants:
            tracks[f"moving average {c:g} s"] = (
                smooth_exponentially(raw, sequence.times, c),
                smooth_exponentially(raw_affect, sequence.times, c),
            )
        tracks["temporal model"] = track
        is_rated = sequence.truth.affect_weight[0, 0] >= 0.99
        is_speech = sequence.truth.emotions_weight[0] >= 0.99
        if not is_rated and not is_speech:
            continue
        kind = "V/A RMSE, rated pieces" if is_rated else "Brier, spoken scenes"
        for seconds in (0.0, *HORIZONS_SECONDS):
            pairs = [
                (i, j) for i in range(len(sequence.times)) if (j := _find_later_hop(sequence, i, seconds)) is not None
            ]
            if not pairs:
                continue
            now, then = (np.array(x) for x in zip(*pairs, strict=True))
            for name, (emotions, affect) in tracks.items():
                e, a = emotions[now], affect[now]
                if name == "temporal model" and seconds > 0:
                    with torch.inference_mode():
                        later = model.forecast(
                            torch.from_numpy(e).float(), torch.from_numpy(a).float(), torch.full((len(e),), seconds)
                        )
                    e, a = later[0].numpy(), later[1].numpy()
                wrong = (
                    np.sqrt(np.mean(np.square(a[:, :2] - sequence.truth.affect[then, :2])))
                    if is_rated
                    else np.mean(np.square(e - sequence.truth.emotions[then]).sum(axis=1))
                )
                errors.setdefault((name, f"{kind}, {seconds:g} s ahead"), []).append(float(wrong))
    scores = []
    for metric in sorted({m for _, m in errors}):
        averages = {n: float(np.mean(errors[n, metric])) for n, m in errors if m == metric and n.startswith("moving")}
        for name in ("last value", min(averages, key=averages.__getitem__), "temporal model"):
            values = np.array(errors[name, metric])
            scores.append(
                Score(
                    name, metric, *bootstrap(create_mean_metric(values), len(values), resamples=resamples), len(values)
                )
            )
    return scores


def measure_stability(sequences: Sequence[HopSequence], tracks: Sequence[EmotionTrack]) -> dict[str, float]:
    """Measure how often the strongest emotion changes within a clip, and how soon a change of clip shows.

    Changes a second before and after the temporal model; and the median seconds until the arousal is half-way after a
    large change.
    """
    eight = len(EMOTIONS)
    seconds, raw_flips, flips, halves = 0.0, 0, 0, []
    for sequence, (emotions, affect) in zip(sequences, tracks, strict=True):
        same = sequence.segment[1:] == sequence.segment[:-1]
        for name, track in (("raw", sequence.predictions[:, :eight]), ("evolved", emotions)):
            top = track.argmax(axis=1)
            count = int(((top[1:] != top[:-1]) & same).sum())
            raw_flips, flips = (raw_flips + count, flips) if name == "raw" else (raw_flips, flips + count)
        seconds += float(same.sum()) * HOP_SECONDS
        for i in np.flatnonzero(~same) + 1:
            after = np.flatnonzero(sequence.segment == sequence.segment[i])
            before = np.flatnonzero(sequence.segment == sequence.segment[i - 1])
            low, high = affect[before[-1], 1], affect[after[-1], 1]
            if len(before) >= 4 and len(after) >= 8 and abs(high - low) > 0.4:
                is_past_half_way = (affect[after, 1] - low) / (high - low) >= 0.5
                halves.append(float((np.flatnonzero(is_past_half_way)[0] + 1) * HOP_SECONDS))
    return {
        "raw flips a second": raw_flips / max(seconds, 1e-9),
        "evolved flips a second": flips / max(seconds, 1e-9),
        "median seconds to half-way": float(np.median(halves)) if halves else float("nan"),
        "changes measured": float(len(halves)),
    }
