"""Time of a hop of the analysis, stage by stage, and the speed of rendering a whole recording."""

from __future__ import annotations

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
from kelly_live.core.termination import temporary_folder
from kelly_live.core.timebase import ManualClock
from kelly_live.emotion.read_ahead import read_ahead
from kelly_live.emotion.reader import LiveEmotionReader
from kelly_live.engine.build import create_conductor, create_override_stage, load_emotion_reader
from kelly_live.engine.offline import accompany
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.mapping.mapper import LearnedMapper
from kelly_live.mapping.net import USER_DIM
from kelly_live.midi.offline import OfflineScheduler

STAGES = ("capture", "features", "net", "temporal", "culture", "mapper", "generate", "hand-off")
WARM_HOPS = 40  # not counted: the first ones fill caches, and 32 fill the temporal model's history
CULTURE = "klezmer"  # has a scale, metres and ornaments of its own, so that its stage has all its work


@dataclass(frozen=True, slots=True)
class HopTimes:
    """Seconds of each stage and of the whole analysis (`hop`: features to mapper), a number a hop."""

    stages: dict[str, tuple[float, ...]]
    hop: tuple[float, ...]


class Stopwatch:
    """A stopwatch by stage.

    A stage inside another (the culture inside the mapper) is subtracted from the outer one.
    """

    def __init__(self) -> None:
        self.now: dict[str, float] = defaultdict(float)
        self._inner = 0.0

    def wrap(self, owner: Any, method: str, stage: str) -> None:
        """Count what calls of `owner.method` take for `stage`, from now on."""
        run = getattr(owner, method)

        def run_timed(*args: Any, **kwargs: Any) -> Any:
            with self.measure(stage):
                return run(*args, **kwargs)

        setattr(owner, method, run_timed)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count what the body of a `with` takes for `stage`."""
        before, self._inner = self._inner, 0.0
        start = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.now[stage] += took - self._inner
            self._inner = before + took

    def lap(self) -> dict[str, float]:
        """Return the seconds of each stage since the last lap."""
        lap, self.now = dict(self.now), defaultdict(float)
        return lap


class _TimedPart:
    """A callable part whose calls are timed."""

    def __init__(self, part: Callable[..., Any], watch: Stopwatch, stage: str) -> None:
        self._part, self._watch, self._stage = part, watch, stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    def __call__(self, *args: Any) -> Any:
        with self._watch.measure(self._stage):
            return self._part(*args)


def measure_hops(recording: Path, device: str) -> HopTimes:
    """Run the offline path over a recording, a hop at a time, and time every stage.

    It plays in the culture CULTURE.

    Raises:
        KellyError: The recording or a model cannot be read.
    """
    watch = Stopwatch()
    reader = load_emotion_reader(device)
    mapping = create_override_stage(EmotionOverride(), CultureOptions(CULTURE, 1.0))
    mapper = mapping.mapper
    assert isinstance(mapper, LearnedMapper)
    source = FileSource(recording, ManualClock(), realtime=False, block_seconds=reader.hop_seconds)
    scheduler = OfflineScheduler()
    conductor = create_conductor(scheduler, seed=1)
    watch.wrap(source, "read", "capture")
    assert isinstance(reader, LiveEmotionReader)
    reader.time_stage = watch.measure
    culture = mapper.audience.culture
    assert culture is not None
    watch.wrap(culture, "apply", "culture")
    mapper.play_for(np.zeros(USER_DIM), _TimedPart(culture, watch, "culture"))  # type: ignore[arg-type]
    mapping.mapper = _TimedPart(mapper, watch, "mapper")  # type: ignore[assignment]
    watch.wrap(conductor, "advance", "generate")
    watch.wrap(scheduler, "send", "hand-off")

    stages: dict[str, list[float]] = {stage: [] for stage in STAGES}
    totals: list[float] = []

    def record_lap(position: float) -> None:
        lap = watch.lap()
        for stage in STAGES:
            stages[stage].append(lap.get(stage, 0.0))
        totals.append(sum(lap.get(stage, 0.0) for stage in STAGES[1:6]))

    accompany(source, reader, mapping, conductor, scheduler, record_lap)
    warm = slice(WARM_HOPS, None)
    return HopTimes({stage: tuple(times[warm]) for stage, times in stages.items()}, tuple(totals[warm]))


def measure_render(recording: Path, device: str) -> float:
    """Measure how many seconds of sound `kelly-live render` handles in a second.

    Loading the nets is not counted.

    Raises:
        KellyError: The recording or a model cannot be read.
    """
    reader, mapping = load_emotion_reader(device), create_override_stage(EmotionOverride())
    source = FileSource(recording, ManualClock(), realtime=False)
    scheduler = OfflineScheduler()
    conductor = create_conductor(scheduler, seed=1)
    start = time.perf_counter()
    accompaniment = accompany(*read_ahead(source, reader), mapping, conductor, scheduler)
    return accompaniment.readings[-1].state.time / (time.perf_counter() - start)


@contextmanager
def repeat_recording(recording: Path, seconds: float) -> Iterator[Path]:
    """Repeat a recording in a temporary file of `seconds`, which is deleted at the end of the context.

    Raises:
        AudioError: The recording cannot be read.
    """
    sound = np.concatenate(list(read_blocks(recording, ANALYSIS_RATE)))
    with temporary_folder() as folder:
        path = Path(folder) / "repeated.wav"
        write_wav(path, np.resize(sound, (1, int(seconds * ANALYSIS_RATE))), ANALYSIS_RATE)
        yield path
