"""Where the time of a hop goes, stage by stage, and how fast a whole recording is rendered."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.audio.decode import read_blocks
from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.audio.sources import FileSource
from kelly_live.audio.synth import write_wav
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.timebase import ManualClock
from kelly_live.emotion.read_ahead import read_ahead
from kelly_live.emotion.reader import LiveEmotionReader
from kelly_live.engine.build import create_analyzer, create_conductor
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.engine.session import accompany
from kelly_live.mapping.mapper import LearnedMapper
from kelly_live.midi.offline import OfflineScheduler

STAGES = ("capture", "features", "net", "temporal", "culture", "mapper", "generate", "hand-off")
WARM_HOPS = 40  # that are not counted: the first fill caches, and 32 the temporal model's history
CULTURE = "klezmer"  # one with a scale, metres and ornaments of its own, so that its stage has all its work


@dataclass(frozen=True, slots=True)
class Hops:
    """Seconds: of each stage (STAGES) and of the whole analysis (`hop`: features to mapper), one number a hop."""

    stages: dict[str, tuple[float, ...]]
    hop: tuple[float, ...]


class Stopwatch:
    """Times calls by stage. A stage that runs inside another (the culture inside the mapper) is taken off it."""

    def __init__(self) -> None:
        self.now: dict[str, float] = defaultdict(float)
        self._inner = 0.0

    def wrap(self, owner: Any, method: str, stage: str) -> None:
        """From now on, what `owner.method` takes counts for `stage`."""
        run = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.running(stage):
                return run(*args, **kwargs)

        setattr(owner, method, timed)

    @contextmanager
    def running(self, stage: str) -> Iterator[None]:
        before, self._inner = self._inner, 0.0
        began = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - began
            self.now[stage] += took - self._inner
            self._inner = before + took

    def lap(self) -> dict[str, float]:
        """What was counted since the last lap."""
        lap, self.now = dict(self.now), defaultdict(float)
        return lap


class _Watched:
    """A callable part, its calls timed."""

    def __init__(self, part: Callable[..., Any], watch: Stopwatch, stage: str) -> None:
        self._part, self._watch, self._stage = part, watch, stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def __call__(self, *args: Any) -> Any:
        with self._watch.running(self._stage):
            return self._part(*args)


def measure_hops(recording: Path, device: str) -> Hops:
    """The offline path over a recording, a hop of sound at a time, every stage timed; in the culture CULTURE. Raises
    KellyError.
    """
    watch = Stopwatch()
    analyzer, opening = create_analyzer(device, EmotionOverride(), CultureOptions(CULTURE, 1.0))
    reader, mapper = analyzer.reader, analyzer.mapper
    assert isinstance(mapper, LearnedMapper)
    source = FileSource(recording, ManualClock(), realtime=False, block_seconds=analyzer.hop_seconds)
    scheduler = OfflineScheduler()
    conductor = create_conductor(scheduler, seed=1)
    watch.wrap(source, "read", "capture")
    assert isinstance(reader, LiveEmotionReader)
    if reader.captured is not None:  # features, net and temporal model are one graph
        reader.captured = _Watched(reader.captured, watch, "net")  # type: ignore[assignment]
    watch.wrap(reader._features, "push", "features")
    watch.wrap(reader._stream, "push", "net")
    watch.wrap(reader._stream, "read", "net")
    watch.wrap(reader, "_evolve", "temporal")
    user, stage = mapper._for
    assert stage is not None
    mapper._for = (user, _Watched(stage, watch, "culture"))  # type: ignore[assignment]
    analyzer.mapper = _Watched(mapper, watch, "mapper")  # type: ignore[assignment]
    watch.wrap(conductor, "advance", "generate")
    watch.wrap(scheduler, "send", "hand-off")

    stages: dict[str, list[float]] = {stage: [] for stage in STAGES}
    whole: list[float] = []

    def note(position: float) -> None:
        lap = watch.lap()
        for stage in STAGES:
            stages[stage].append(lap.get(stage, 0.0))
        whole.append(sum(lap.get(stage, 0.0) for stage in STAGES[1:6]))

    accompany(source, analyzer, conductor, scheduler, opening, note)
    warm = slice(WARM_HOPS, None)
    return Hops({stage: tuple(times[warm]) for stage, times in stages.items()}, tuple(whole[warm]))


def measure_render(recording: Path, device: str) -> float:
    """Seconds of sound that `kelly-live render` hears and plays along with in a second, the nets' loading apart. Raises
    KellyError.
    """
    analyzer, opening = create_analyzer(device, EmotionOverride())
    source = FileSource(recording, ManualClock(), realtime=False)
    scheduler = OfflineScheduler()
    conductor = create_conductor(scheduler, seed=1)
    began = time.perf_counter()
    made = accompany(read_ahead(source, analyzer), analyzer, conductor, scheduler, opening)
    return made.readings[-1].state.time / (time.perf_counter() - began)


@contextmanager
def repeated(recording: Path, seconds: float) -> Iterator[Path]:
    """The recording over and over, as a file of `seconds`, for as long as the context lasts. Raises AudioError."""
    sound = np.concatenate(list(read_blocks(recording, ANALYSIS_RATE)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "repeated.wav"
        write_wav(path, np.resize(sound, (1, int(seconds * ANALYSIS_RATE))), ANALYSIS_RATE)
        yield path


def milliseconds(times: tuple[float, ...], share: float) -> float:
    return round(1e3 * float(np.quantile(times, share)), 3)
