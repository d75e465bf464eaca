"""The clips to train on and their windows, with the features of each clip computed once and cached."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kelly_live.core.errors import ConfigError
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.emotion.nets.emotion_stream import EmotionStream
from kelly_live.lab.corpora.background_sounds import make_sounds
from kelly_live.lab.corpora.clips import gather_clips, limit_clips, split_clips
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.corpora.open_data import gather_open_clips
from kelly_live.lab.training.distributed import SINGLE_PROCESS, Ranks
from kelly_live.lab.training.windows import (
    FIT_OPTIONS,
    OPEN_FIT_OPTIONS,
    OPEN_TEST_OPTIONS,
    SHARD_CLIPS,
    TEST_OPTIONS,
    WindowOptions,
    Windows,
    concatenate_windows,
    describe_samples,
    hash_front_end,
    iterate_windows,
    read_windows,
    write_windows,
)

Log = Callable[[str], None]
PROGRESS_SECONDS = 5.0
SOUND_COUNTS = {"fit": 90, "fold": 54, "val": 54}  # five, three and three of a kind
SOUND_SEEDS = {"fit": 1, "fold": 2, "val": 3}


@dataclass(frozen=True, slots=True)
class Sources:
    """Folders of the manifests (either may be None) and of the cache.

    `most` is the number of train clips that are used of each data set. For `model_set` "open", `data` is the folder
    that holds open/, emotion/ and cultures/, and only data with open licences are read (`corpora/open_data.py`).
    """

    data: Path | None
    symbolic: Path | None
    cache: Path
    most: int = 1000
    model_set: str = "research"

    def find_options(self, part: str) -> WindowOptions:
        """Find how the clips of a part become windows."""
        fit, test = (OPEN_FIT_OPTIONS, OPEN_TEST_OPTIONS) if self.model_set == "open" else (FIT_OPTIONS, TEST_OPTIONS)
        return fit if part == "fit" else test

    def limit(self, part: str, clips: Sequence[Clip]) -> list[Clip]:
        """Limit a part to the clips that are used: `most` a data set to fit.

        In the open set bursts have two thirds of that, and the parts to stop by and to report on a sixth.
        """
        if self.model_set == "research":
            return limit_clips(clips, self.most) if part == "fit" else list(clips)
        if part != "fit":
            return limit_clips(clips, max(1, self.most // 6))
        bursts = [clip for clip in clips if clip.kind == "vocalisation"]
        others = [clip for clip in clips if clip.kind != "vocalisation"]
        return limit_clips(others, self.most) + limit_clips(bursts, max(1, self.most * 2 // 3))

    def read_clips(self, log: Log) -> dict[str, list[Clip]]:
        """Read the parts `fit` (at most `most` clips of each data set), `fold` and `val`."""
        return {name: self.limit(name, clips) for name, clips in self.read_all_clips(log).items()}

    def read_all_clips(self, log: Log) -> dict[str, list[Clip]]:
        """Read the parts `fit`, `fold` and `val`, complete (open: at most the songs that `most` allows)."""
        if self.model_set == "open":
            if self.data is None:
                raise ConfigError(
                    "there is nothing to learn from; give --data, the folder that holds open/ and emotion/"
                )
            return split_clips(gather_open_clips(self.data, self.cache, log))
        if self.data is None and self.symbolic is None:
            raise ConfigError("there is nothing to learn from; give --data and/or --symbolic")

        def progress(count: int, total: int) -> None:
            if count == total or count % 200 == 0:
                log(f"scores rendered: {count}/{total}")

        return split_clips(gather_clips(self.data, self.symbolic, self.cache, progress=progress))


def load_windows(
    net: MultiScaleEmotionNet,
    clips: Sequence[Clip],
    cache: Path,
    options: WindowOptions,
    log: Log,
    ranks: Ranks = SINGLE_PROCESS,
) -> Windows:
    """Load the windows of `clips`, one data set after another; `clip` is an index of `clips`.

    With several ranks, each computes its share of the cache first.
    """
    sets = {d: [i for i, clip in enumerate(clips) if clip.dataset == d] for d in sorted({c.dataset for c in clips})}
    if ranks.count > 1:
        shards = [
            indices[i : i + SHARD_CLIPS] for indices in sets.values() for i in range(0, len(indices), SHARD_CLIPS)
        ]
        own_shards = shards[ranks.rank :: ranks.count]
        for number, shard in enumerate(own_shards, 1):
            list(iterate_windows(net, [clips[i] for i in shard], cache, options))
            log(f"windows: shard {number}/{len(own_shards)} of rank {ranks.rank}")
        ranks.wait()
    parts = []
    for dataset, indices in sets.items():
        index, start_time, last_log = np.array(indices), time.monotonic(), 0.0
        for count, windows in iterate_windows(net, [clips[i] for i in indices], cache, options):
            parts.append(replace(windows, clip=index[windows.clip]))
            elapsed = time.monotonic() - start_time
            if count == len(indices) or elapsed - last_log >= PROGRESS_SECONDS:
                log(f"windows of {dataset}: {count}/{len(indices)} clips, {count / max(elapsed, 1e-3):.0f} a second")
                last_log = elapsed
    return concatenate_windows(parts)


def load_sound_windows(net: MultiScaleEmotionNet, part: str, cache: Path) -> tuple[list[str], Windows]:
    """Load the windows of background sounds, and the kind of each sound; `clip` is the index of the sound."""
    sounds = make_sounds(SOUND_COUNTS[part], SOUND_SEEDS[part])
    # The name hashes the content: other sounds, or another front end, give other windows.
    content = hashlib.sha256(b"".join(samples.tobytes() for _, samples in sounds)).hexdigest()[:8]
    path = cache / "windows" / f"sounds_{part}_{content}_{hash_front_end(net)}.npz"
    if path.is_file():
        windows = read_windows(path)
    else:
        stream = EmotionStream(net)
        rows = [describe_samples(stream, samples, 1.0, 1.5) for _, samples in sounds]
        windows = concatenate_windows([w.shift_clips(i) for i, w in enumerate(rows)])
        write_windows(path, windows)
    return [kind for kind, _ in sounds], windows
