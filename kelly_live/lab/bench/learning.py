"""Costs of learning a listener's taste: time of a step, file size and time to load."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kelly_live.core.termination import temporary_folder
from kelly_live.lab.judging.simulated_listeners import NOW, draw_random_reactions
from kelly_live.mapping.net import MapperNet
from kelly_live.mapping.profile_taste import learn_profile
from kelly_live.profiles.profile import new_profile
from kelly_live.profiles.store import ProfileStore

COUNTS = (10, 100, 1000, 10_000)
_REPEATS = 20


@dataclass(frozen=True, slots=True)
class LearningCosts:
    """Costs after `reactions` at random in every emotion, of which the profile keeps `rows`.

    One learning step and one load from the disk: medians over repeats, in elapsed time and in this thread's CPU time.
    """

    reactions: int
    rows: int
    step_seconds: float
    step_cpu_seconds: float
    load_seconds: float
    load_cpu_seconds: float
    file_bytes: int


def measure_learning(net: MapperNet, seed: int = 1) -> list[LearningCosts]:
    """Measure a row for each of COUNTS."""
    profile, costs = new_profile("crowd", NOW), []
    reactions = draw_random_reactions(net, COUNTS[-1], seed)
    with temporary_folder() as folder:
        store = ProfileStore(Path(folder))
        for start, end in zip((0, *COUNTS), COUNTS, strict=False):
            for reaction in reactions[start:end]:
                profile = profile.with_reaction(reaction)
            learned_profile = learn_profile(net, profile)
            step = _time_call(lambda now=profile: learn_profile(net, now))  # type: ignore[misc]
            store.create(replace(learned_profile, name=f"crowd-{end}"))
            load = _time_call(lambda name=f"crowd-{end}": store.load(name))  # type: ignore[misc]
            size = store.path(f"crowd-{end}").stat().st_size
            costs.append(LearningCosts(end, len(profile.reactions), *step, *load, size))
    return costs


def _time_call(call: Callable[[], object]) -> tuple[float, float]:
    times = []
    for _ in range(_REPEATS):
        start, cpu_start = time.perf_counter(), time.thread_time()
        call()
        times.append((time.perf_counter() - start, time.thread_time() - cpu_start))
    elapsed, cpu = np.median(np.array(times), axis=0)
    return float(elapsed), float(cpu)


def format_table(rows: list[LearningCosts]) -> str:
    """Format the rows as a Markdown table."""
    lines = [
        "| reactions | rows | learning step (CPU time) | load | file |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        step = f"{1e3 * row.step_seconds:.1f} ms ({1e3 * row.step_cpu_seconds:.1f})"
        load = f"{1e3 * row.load_seconds:.1f} ms ({1e3 * row.load_cpu_seconds:.1f})"
        lines.append(f"| {row.reactions} | {row.rows} | {step} | {load} | {row.file_bytes / 1000.0:.0f} kB |")
    return "\n".join([*lines, "", "Goals: at most 50 ms a step, 50 ms a load and 1000 kB after 10 000 reactions."])
