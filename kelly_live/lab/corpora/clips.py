"""The clips to train and test on: recordings, rendered scores, and their division into three parts."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.manifest import Clip, read_manifest, read_scores
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS, locate_rendering, render_midi

FOLD_SHARE = 0.15
RENDER_SECONDS = 62.0


def _group(clip: Clip) -> str:
    # The same actors speak and sing in RAVDESS: what one set calls ravdess_song:01 is the other's ravdess_speech:01.
    return clip.group.replace("ravdess_song", "ravdess").replace("ravdess_speech", "ravdess")


def _hash_rank(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def split_clips(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Divide clips into `fit`, `fold` and `val`, by speaker and song.

    `val` is the manifest's own and is only reported on. `fold` is FOLD_SHARE of the train split's speakers and songs,
    at least one for each data set that has more than one; it decides when to stop and it calibrates.
    """
    fold_groups: set[str] = set()
    families: dict[str, set[str]] = {}
    for clip in clips:
        if clip.split != "val":
            families.setdefault(clip.dataset.split("_")[0], set()).add(_group(clip))
    for groups in families.values():
        ordered_groups = sorted(groups, key=_hash_rank)
        count = max(1, round(FOLD_SHARE * len(ordered_groups))) if len(ordered_groups) > 1 else 0
        fold_groups.update(ordered_groups[:count])
    parts: dict[str, list[Clip]] = {"fit": [], "fold": [], "val": []}
    for clip in clips:
        parts["val" if clip.split == "val" else "fold" if _group(clip) in fold_groups else "fit"].append(clip)
    return parts


def assign_folds(clips: Sequence[Clip], count: int) -> np.ndarray:
    """Assign each clip a fold from 0 to `count` - 1.

    The speakers and songs of each data set are dealt out in turn; none is divided between two folds.
    """
    families: dict[str, set[str]] = {}
    for clip in clips:
        families.setdefault(clip.dataset.split("_")[0], set()).add(_group(clip))
    place = {group: i % count for groups in families.values() for i, group in enumerate(sorted(groups, key=_hash_rank))}
    return np.array([place[_group(clip)] for clip in clips])


def limit_clips(clips: Sequence[Clip], most: int) -> list[Clip]:
    """Select at most `most` clips of each data set, by a hash of their names and so in a fixed order.

    A second rendering of a score comes only after the first rendering of every score.
    """
    selection: dict[str, list[Clip]] = {}
    first_keys: set[str] = set()
    first: list[Clip] = []
    again: list[Clip] = []
    for clip in clips:
        (again if clip.key in first_keys else first).append(clip)
        first_keys.add(clip.key)
    for clip in (*sorted(first, key=lambda c: _hash_rank(c.key)), *sorted(again, key=lambda c: _hash_rank(c.key))):
        dataset_clips = selection.setdefault(clip.dataset, [])
        if len(dataset_clips) < most:
            dataset_clips.append(clip)
    return [clip for dataset in sorted(selection) for clip in selection[dataset]]


def _find_soundfonts(
    scores: Sequence[Clip], cache: Path, soundfonts: Sequence[Path], log: Callable[[str], None]
) -> list[Path]:
    """Select the soundfonts that are installed or whose renderings are all cached; log the others."""
    if any(soundfont.stem == HELD_OUT_SOUNDFONT.stem for soundfont in soundfonts):
        raise ConfigError(f"{HELD_OUT_SOUNDFONT.stem} is kept for judging and must not be trained on; name another")
    usable = []
    for soundfont in soundfonts:
        if soundfont.is_file() or all(locate_rendering(s.audio_path, cache, soundfont).is_file() for s in scores):
            usable.append(soundfont)
        else:
            log(f"the soundfont {soundfont} is not installed and is left out")
    if not usable:
        names = ", ".join(map(str, soundfonts))
        raise ConfigError(
            f"none of the soundfonts {names} is there, but scores need one; "
            "`apt install fluid-soundfont-gm musescore-general-soundfont-small`"
        )
    return usable


def gather_clips(
    emotion: Path | None,
    symbolic: Path | None,
    cache: Path,
    *,
    soundfonts: Sequence[Path] = SOUNDFONTS,
    progress: Callable[[int, int], None] = lambda done, total: None,
    log: Callable[[str], None] = print,
) -> list[Clip]:
    """Read the clips of both manifests, and render the scores.

    Every score is rendered with the first soundfont that is available, then every train score again with each other
    one. The renderings of a score share its group; `region` names the soundfont.

    Raises:
        ConfigError: A manifest is wrong, or no soundfont is available.
    """
    clips = read_manifest(emotion / "manifest.jsonl") if emotion else []
    scores = read_scores(symbolic / "manifest.jsonl") if symbolic else []
    if not scores:
        return clips
    first, *others = _find_soundfonts(scores, cache, soundfonts, log)
    # All first renderings come before the second ones, so that adding a soundfont leaves the order before it alone.
    jobs = [(score, first) for score in scores]
    jobs += [(score, other) for other in others for score in scores if score.split == "train"]
    for count, (score, soundfont) in enumerate(jobs, 1):
        audio = render_midi(score.audio_path, cache, soundfont, seconds=RENDER_SECONDS)
        group = score.speaker or f"{score.dataset}:{score.audio_path.stem}"
        clips.append(dataclasses.replace(score, audio_path=audio, speaker=group, region=soundfont.stem))
        progress(count, len(jobs))
    return clips
