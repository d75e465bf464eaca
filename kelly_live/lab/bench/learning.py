"""How long learning of a person takes, how large their file grows and how soon it is read, after many reactions."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kelly_live.lab.judging.simulated_listeners import NOW, random_reactions
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper
from kelly_live.mapping.person import learn
from kelly_live.profiles.profile import new_profile
from kelly_live.profiles.store import Store

COUNTS = (10, 100, 1000, 10_000)
_REPEATS = 20


@dataclass(frozen=True, slots=True)
class Learning:
    """After `reactions` at random in every emotion, kept in `rows`: seconds of one learning step and of one load from
    the disk (medians over repeats: as the clock on the wall has it, and of this thread's own computing), and bytes.
    """

    reactions: int
    rows: int
    step_seconds: float
    step_cpu_seconds: float
    load_seconds: float
    load_cpu_seconds: float
    file_bytes: int


def measure_learning(net: DynamicEmotionToMusicMapper, seed: int = 1) -> list[Learning]:
    """A row for each of COUNTS."""
    profile, found = new_profile("crowd", NOW), []
    said = random_reactions(net, COUNTS[-1], seed)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for start, end in zip((0, *COUNTS), COUNTS, strict=False):
            for one in said[start:end]:
                profile = profile.heard(one)
            learned = learn(net, profile)
            step = _timed(lambda now=profile: learn(net, now))  # type: ignore[misc]
            store.create(replace(learned, name=f"crowd-{end}"))
            load = _timed(lambda name=f"crowd-{end}": store.load(name))  # type: ignore[misc]
            size = store.path(f"crowd-{end}").stat().st_size
            found.append(Learning(end, len(profile.reactions), *step, *load, size))
    return found


def _timed(do: Callable[[], object]) -> tuple[float, float]:
    times = []
    for _ in range(_REPEATS):
        wall, own = time.perf_counter(), time.thread_time()
        do()
        times.append((time.perf_counter() - wall, time.thread_time() - own))
    walls, cpu = np.median(np.array(times), axis=0)
    return float(walls), float(cpu)


def table(rows: list[Learning]) -> str:
    """As markdown."""
    lines = [
        "| reactions | rows | learning step (its own computing) | load | file |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        step = f"{1e3 * row.step_seconds:.1f} ms ({1e3 * row.step_cpu_seconds:.1f})"
        load = f"{1e3 * row.load_seconds:.1f} ms ({1e3 * row.load_cpu_seconds:.1f})"
        lines.append(f"| {row.reactions} | {row.rows} | {step} | {load} | {row.file_bytes / 1000.0:.0f} kB |")
    return "\n".join([*lines, "", "asked for: <= 50 ms, <= 50 ms, <= 1000 kB after 10 000 reactions"])
