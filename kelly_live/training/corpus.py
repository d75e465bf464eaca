"""All that is learned from and measured on: recorded clips, rendered scores, and the three parts they fall into."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kelly_live.training.manifest import Clip, read_manifest, read_scores
from kelly_live.training.render import SOUNDFONTS, render

FOLD_SHARE = 0.15
RENDER_SECONDS = 62.0
SOUNDS = ("silence", "white", "pink", "brown", "hum", "clicks", "motor")
SOUND_SECONDS = 6.0


def _group(clip: Clip) -> str:
    # The same actors speak and sing in RAVDESS: what one set calls ravdess_song:01 is the other's ravdess_speech:01.
    return clip.group.replace("ravdess_song", "ravdess").replace("ravdess_speech", "ravdess")


def _rank(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def split_clips(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """`fit`, `fold` and `val`. `val` is the manifest's own and only ever reported on; `fold` is FOLD_SHARE of the
    train part's speakers and songs (at least one a set, where it has more), for stopping and calibrating."""
    held: set[str] = set()
    families: dict[str, set[str]] = {}
    for clip in clips:
        if clip.split != "val":
            families.setdefault(clip.dataset.split("_")[0], set()).add(_group(clip))
    for groups in families.values():
        ranked = sorted(groups, key=_rank)
        count = max(1, round(FOLD_SHARE * len(ranked))) if len(ranked) > 1 else 0
        held.update(ranked[:count])
    parts: dict[str, list[Clip]] = {"fit": [], "fold": [], "val": []}
    for clip in clips:
        parts["val" if clip.split == "val" else "fold" if _group(clip) in held else "fit"].append(clip)
    return parts


def thin(clips: Sequence[Clip], most: int) -> list[Clip]:
    """At most `most` clips of each data set, chosen by their names, in a fixed order."""
    kept: dict[str, list[Clip]] = {}
    for clip in sorted(clips, key=lambda c: _rank(c.key)):
        own = kept.setdefault(clip.dataset, [])
        if len(own) < most:
            own.append(clip)
    return [clip for dataset in sorted(kept) for clip in kept[dataset]]


def gather(
    emotion: Path | None,
    symbolic: Path | None,
    cache: Path,
    *,
    soundfonts: Sequence[Path] = SOUNDFONTS[:1],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Clip]:
    """The clips of both manifests, scores rendered with the first soundfont; with more, a third of the train scores
    (their names decide) is there again with each other one."""
    clips = read_manifest(emotion / "manifest.jsonl") if emotion else []
    scores = read_scores(symbolic / "manifest.jsonl") if symbolic else []
    for done, score in enumerate(scores):
        for index, soundfont in enumerate(soundfonts):
            again = score.split == "train" and int(_rank(score.key)[:4], 16) % 3 == 0
            if index == 0 or again:
                audio = render(score.audio_path, cache, soundfont, seconds=RENDER_SECONDS)
                group = score.speaker or f"{score.dataset}:{score.audio_path.stem}"
                clips.append(dataclasses.replace(score, audio_path=audio, speaker=group, region=soundfont.stem))
        progress(done + 1, len(scores))
    return clips


def make_sound(kind: str, rng: np.random.Generator, seconds: float = SOUND_SECONDS) -> np.ndarray:
    """A sound that feels nothing, 16 kHz: one of SOUNDS, at -55 to -12 dBFS."""
    n = int(seconds * 16_000)
    t = np.arange(n) / 16_000
    hertz = np.maximum(np.fft.rfftfreq(n, 1.0 / 16_000), 20.0)
    noise = np.fft.rfft(rng.standard_normal(n))
    match kind:
        case "silence":
            return (rng.standard_normal(n) * 10 ** rng.uniform(-6.0, -3.5)).astype(np.float32)
        case "white" | "pink" | "brown":
            x = np.fft.irfft(noise / hertz ** {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind], n)
        case "hum":
            base = rng.choice([50.0, 60.0]) * rng.uniform(0.99, 1.01)
            x = sum(
                rng.uniform(0.1, 1.0) / k * np.sin(2 * np.pi * base * k * t + rng.uniform(0, 6.28)) for k in range(1, 9)
            )
            x = x + 0.02 * rng.standard_normal(n)
        case "clicks":
            x = np.zeros(n)
            x[rng.integers(0, n, rng.integers(3, 60))] = rng.uniform(0.3, 1.0)
            x = np.convolve(x, np.exp(-np.arange(200) / rng.uniform(5, 60)) * rng.standard_normal(200))[:n]
            x += 1e-4 * rng.standard_normal(n)
        case _:  # a motor, a vacuum cleaner: a steady whine with its harmonics over shaped noise
            base = rng.uniform(80.0, 400.0)
            wobble = 2 * np.pi * np.cumsum(base * (1 + 0.01 * np.sin(2 * np.pi * rng.uniform(0.1, 2.0) * t))) / 16_000
            whine = sum(rng.uniform(0.0, 1.0) / k * np.sin(k * wobble) for k in range(1, 12))
            x = whine * rng.uniform(0.0, 0.5) + np.fft.irfft(noise / hertz ** rng.uniform(0.2, 0.9), n) * rng.uniform(
                1, 30
            )
    rms = np.sqrt(np.mean(np.square(x))) + 1e-9
    sound: np.ndarray = np.clip(x / rms * 10 ** rng.uniform(-2.75, -0.6), -1.0, 1.0).astype(np.float32)
    return sound


def make_sounds(count: int, seed: int) -> list[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [(SOUNDS[i % len(SOUNDS)], make_sound(SOUNDS[i % len(SOUNDS)], rng)) for i in range(count)]
