"""All that is learned from and measured on: recorded clips, rendered scores, and the three parts they fall into."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.manifest import Clip, read_manifest, read_scores
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS, render, rendered_path

FOLD_SHARE = 0.15
RENDER_SECONDS = 62.0


def _group(clip: Clip) -> str:
    # The same actors speak and sing in RAVDESS: what one set calls ravdess_song:01 is the other's ravdess_speech:01.
    return clip.group.replace("ravdess_song", "ravdess").replace("ravdess_speech", "ravdess")


def _rank(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def split_clips(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """`fit`, `fold` and `val`. `val` is the manifest's own and only ever reported on; `fold` is FOLD_SHARE of the
    train part's speakers and songs (at least one a set, where it has more), for stopping and calibrating.
    """
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


def deal(clips: Sequence[Clip], count: int) -> np.ndarray:
    """A number from 0 to `count` - 1 for each clip: the speakers and songs of each set go round, none is split."""
    families: dict[str, set[str]] = {}
    for clip in clips:
        families.setdefault(clip.dataset.split("_")[0], set()).add(_group(clip))
    place = {group: i % count for groups in families.values() for i, group in enumerate(sorted(groups, key=_rank))}
    return np.array([place[_group(clip)] for clip in clips])


def thin(clips: Sequence[Clip], most: int) -> list[Clip]:
    """At most `most` clips of each data set, chosen by their names, in a fixed order; a score's second rendering only
    after every score's first.
    """
    kept: dict[str, list[Clip]] = {}
    seen: set[str] = set()
    first: list[Clip] = []
    again: list[Clip] = []
    for clip in clips:
        (again if clip.key in seen else first).append(clip)
        seen.add(clip.key)
    for clip in (*sorted(first, key=lambda c: _rank(c.key)), *sorted(again, key=lambda c: _rank(c.key))):
        own = kept.setdefault(clip.dataset, [])
        if len(own) < most:
            own.append(clip)
    return [clip for dataset in sorted(kept) for clip in kept[dataset]]


def _usable(scores: Sequence[Clip], cache: Path, soundfonts: Sequence[Path], say: Callable[[str], None]) -> list[Path]:
    """The soundfonts that are installed, or that everything was already rendered with; says which are not."""
    if any(soundfont.stem == HELD_OUT_SOUNDFONT.stem for soundfont in soundfonts):
        raise ConfigError(f"{HELD_OUT_SOUNDFONT.stem} is kept for judging and must not be trained on; name another")
    usable = []
    for soundfont in soundfonts:
        if soundfont.is_file() or all(rendered_path(s.audio_path, cache, soundfont).is_file() for s in scores):
            usable.append(soundfont)
        else:
            say(f"the soundfont {soundfont} is not installed and is left out")
    if not usable:
        names = ", ".join(map(str, soundfonts))
        raise ConfigError(
            f"none of the soundfonts {names} is there, but scores need one; "
            "`apt install fluid-soundfont-gm musescore-general-soundfont-small`"
        )
    return usable


def gather(
    emotion: Path | None,
    symbolic: Path | None,
    cache: Path,
    *,
    soundfonts: Sequence[Path] = SOUNDFONTS,
    progress: Callable[[int, int], None] = lambda done, total: None,
    say: Callable[[str], None] = print,
) -> list[Clip]:
    """The clips of both manifests: every score rendered with the first soundfont there is, then every train score
    again with each other one, in the same group, `region` telling them apart.
    """
    clips = read_manifest(emotion / "manifest.jsonl") if emotion else []
    scores = read_scores(symbolic / "manifest.jsonl") if symbolic else []
    if not scores:
        return clips
    first, *others = _usable(scores, cache, soundfonts, say)
    # All first renderings come before the second ones, so that adding a soundfont leaves the order before it alone.
    jobs = [(score, first) for score in scores]
    jobs += [(score, other) for other in others for score in scores if score.split == "train"]
    for done, (score, soundfont) in enumerate(jobs, 1):
        audio = render(score.audio_path, cache, soundfont, seconds=RENDER_SECONDS)
        group = score.speaker or f"{score.dataset}:{score.audio_path.stem}"
        clips.append(dataclasses.replace(score, audio_path=audio, speaker=group, region=soundfont.stem))
        progress(done, len(jobs))
    return clips
