"""`kelly-live bench`: how late and how fast, measured on this machine."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import click

from kelly_live.cli.options import common


@click.command()
@click.option("--seconds", type=click.FloatRange(1.0, 3600.0), default=10.0, show_default=True, help="Each timing run.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the table.")
@common
def command(seconds: float, as_json: bool, device: str) -> None:
    """Deadline error of the send path (idle and with every core busy), time of a hop, render speed, start-up."""
    results = measure(seconds, device)
    if as_json:
        click.echo(json.dumps(results))
        return
    for name, value in results.items():
        click.echo(f"{name:<44} {value}")


def measure(seconds: float, device: str) -> dict[str, Any]:
    """Name of a measurement (with its unit) -> number."""
    from kelly_live.midi.bench import measure_deadline_error

    results: dict[str, Any] = {}
    for label, load in (("idle", False), ("every core busy", True)):
        error = measure_deadline_error(seconds, load)
        results[f"deadline error, {label}, p50 (ms)"] = round(error.p50_seconds * 1e3, 3)
        results[f"deadline error, {label}, p99 (ms)"] = round(error.p99_seconds * 1e3, 3)
        results[f"deadline error, {label}, max (ms)"] = round(error.worst_seconds * 1e3, 3)
        results[f"messages sent, {label}"] = error.messages
        results[f"notes dropped, {label}"] = error.dropped_notes
    results.update(_hop(device))
    results.update(_start_up())
    return results


def _hop(device: str) -> dict[str, Any]:
    """Time of one hop, stage by stage, and the real-time factor of a render, on the demo recording."""
    from kelly_live.audio.sources import FileSource
    from kelly_live.cli.parts import make_analyzer, make_conductor
    from kelly_live.config import resource_root
    from kelly_live.domain import AudioWindow
    from kelly_live.midi.client import OfflineScheduler
    from kelly_live.protocols import Reading, Steering
    from kelly_live.session import accompany
    from kelly_live.timebase import ManualClock

    recording = resource_root("presets") / "demo" / "recording.ogg"
    began = time.perf_counter()
    analyzer, opening = make_analyzer(device, Steering())
    loaded = time.perf_counter() - began

    hops: list[float] = []

    class Timed:
        """The analyzer, with a stopwatch on each hop."""

        hop_seconds = analyzer.hop_seconds
        steer = analyzer.steer

        def push(self, block: AudioWindow, bar: float = 0.0) -> Sequence[Reading]:
            start = time.perf_counter()
            readings = analyzer.push(block, bar)
            hops.append(time.perf_counter() - start)
            return readings

    source = FileSource(recording, ManualClock(), realtime=False, block_seconds=analyzer.hop_seconds)
    scheduler = OfflineScheduler()
    conductor = make_conductor(scheduler, seed=1)
    began = time.perf_counter()
    made = accompany(source, Timed(), conductor, scheduler, opening)
    took = time.perf_counter() - began
    ranked = sorted(hops)
    return {
        "hop, sound to parameters, median (ms)": round(statistics.median(ranked) * 1e3, 2),
        "hop, sound to parameters, p99 (ms)": round(ranked[int(0.99 * (len(ranked) - 1))] * 1e3, 2),
        "hops measured": len(ranked),
        "render, real-time factor": round(made.readings[-1].state.time / took, 1),
        "loading the nets, torch import included (s)": round(loaded, 2),
    }


def _start_up() -> dict[str, Any]:
    """`kelly-live --help`, median of five, in a process of its own."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "kelly_live", "--help"], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return {"kelly-live --help (s)": round(statistics.median(times), 3)}
