"""`kelly-live lab bench`: lateness, speed, latency and memory on this machine."""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, device_option

PEERS = ("isobar",)
PARTS = ("deadlines", "hop", "control", "start", "plug-ins", "waterfall", "page")
EXTRA_PARTS = ("limits", "files")  # minutes of work: only when they are named
LIMITS_ACTIONS = 100_000
RENDERED_SECONDS = 600.0  # of sound, for the real-time factor
STARTS = 3
_IDLE_SECONDS = 5e-5  # a step that takes less had nothing to do
PAIRS = 3  # of sessions without the page and with it


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `limit` is the goal in words, or empty."""

    name: str
    value: float
    unit: str
    limit: str = ""


@click.command(cls=CheckedCommand)
@click.option(
    "--seconds", type=click.FloatRange(2.0, 3600.0), default=10.0, show_default=True, help="Length of each timing run."
)
@click.option(
    "--against",
    type=click.Choice(PEERS),
    help="Measure a peer on the same grid, too (`pip install kelly-live[isobar]`).",
)
@click.option("--only", type=click.Choice((*PARTS, *EXTRA_PARTS)), help="Measure one part alone.")
@click.option(
    "--files", type=click.IntRange(2), default=800, show_default=True, help="How many files `--only files` analyzes."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@device_option()
@debug_option
def command(seconds: float, against: str | None, only: str | None, files: int, as_json: bool, device: str) -> None:
    """Measure deadlines, a hop's stages, control latency, start, memory, plug-ins, and the page with its waterfall.

    Deadlines are measured idle, beside the nets and with every core busy. The page is measured in a browser; where
    there is none it is left out, unless you ask for it alone.
    """
    from kelly_live.workers.realtime import set_switch_interval

    if against is not None and importlib.util.find_spec(against) is None:
        raise click.UsageError(f"{against} is not installed: `pip install kelly-live[{against}]`")
    set_switch_interval()  # as in a live session
    rows = []
    for row in measure(seconds, device, against, (only,) if only else _list_parts(), files):
        rows.append(row)
        if not as_json:
            click.echo(f"{row.name:<62} {row.value:>10g} {row.unit:<3} {row.limit}".rstrip())
    if as_json:
        click.echo(json.dumps({"rows": [asdict(row) for row in rows]}))


def _list_parts() -> list[str]:
    """List what can be measured here; a line on stderr says why the page is left out."""
    from kelly_live.core.errors import ConfigError
    from kelly_live.lab.bench.browser import find_browser

    try:
        find_browser()
    except ConfigError as error:
        click.echo(f"the page is left out: {error}", err=True)
        return [part for part in PARTS if part != "page"]
    return list(PARTS)


def measure(
    seconds: float, device: str, against: str | None = None, parts: Sequence[str] = PARTS, files: int = 800
) -> Iterator[Row]:
    """Measure row by row.

    Raises:
        KellyError: Something that is measured fails.
    """
    from kelly_live.core.resources import find_resources

    recording = find_resources("presets") / "demo" / "recording.ogg"
    if "deadlines" in parts:
        yield from _measure_deadlines(seconds, against)
    if "hop" in parts:
        yield from _measure_hop(recording, device)
    if "control" in parts:
        yield from _measure_control(recording, device, seconds)
    if "start" in parts:
        yield from _measure_starts(recording, device)
    if "plug-ins" in parts:
        yield from _measure_plugins()
    if "waterfall" in parts:
        yield from _measure_waterfall(recording, device, seconds)
    if "page" in parts:
        yield from _measure_page(recording, device, seconds)
    if "limits" in parts:
        yield from _measure_limits()
    if "files" in parts:
        yield from _measure_files(files)


def _measure_files(count: int) -> Iterator[Row]:
    """Analyze many short files by one process and by two, and once killed and resumed."""
    from kelly_live.lab.bench.many_files import FILE_SECONDS, measure_many_files

    measured = measure_many_files(count)
    name = f"analyze {count} files of {FILE_SECONDS:g} s"
    yield Row(f"{name}, one process", round(measured.one_seconds, 1), "s")
    yield Row(f"{name}, two processes", round(measured.two_seconds, 1), "s")
    yield Row(f"{name}, two against one", round(measured.one_seconds / measured.two_seconds, 2), "x", ">= 1.8")
    yield Row("killed when so many were done, and resumed", measured.killed_after, "")
    yield Row("tables that are not the same to the byte", int(not measured.is_same), "", "0")


def _measure_limits() -> Iterator[Row]:
    """Count what passes the limits in two sessions of random actions.

    They have hostile players, controls and clocks.
    """
    from kelly_live.lab.bench.limits import measure_limits

    sessions = [measure_limits(LIMITS_ACTIONS // 2, seed=seed, tuning=one) for seed, one in ((1, "bend"), (2, "mpe"))]
    for checks in zip(*sessions, strict=True):
        checked, passed = (sum(getattr(one, name) for one in checks) for name in ("checked", "passed"))
        yield Row(f"{checks[0].name}: over the limit, of {checked}", passed, "", "0")


def _measure_deadlines(seconds: float, against: str | None) -> Iterator[Row]:
    from kelly_live.lab.bench.deadlines import measure_punctuality

    loads = {"idle": {}, "beside the nets": {"net": True}, "every core busy": {"busy": True}}
    for load, options in loads.items():
        punctuality = measure_punctuality(seconds, **options)
        limits = ("", "<= 1", "<= 5") if load == "beside the nets" else ("", "", "")
        yield from _quantile_rows(f"deadline error, {load}", punctuality.late_seconds, limits)
        yield Row(f"MIDI clock, {load}: SD of its intervals", _ms(punctuality.jitter_seconds), "ms", "<= 0.3")
        yield Row(f"MIDI clock, {load}: drift at the end", _ms(punctuality.drift_seconds), "ms", "within a tick, 20.8")
        yield Row(f"note messages counted, {load}", len(punctuality.late_seconds), "")
        yield Row(f"notes dropped, {load}", punctuality.dropped_notes, "", "0")
    if against == "isobar":
        from kelly_live.lab.bench.peer_isobar import measure_isobar

        for load, net in (("idle", False), ("beside the nets", True)):
            errors = [abs(error) for error in measure_isobar(seconds, net=net)]
            yield from _quantile_rows(f"isobar, {load}", errors)


def _measure_plugins() -> Iterator[Row]:
    """Measure the generators and note effects of other packages that are added or installed."""
    from kelly_live.generators import effect_registry, registry
    from kelly_live.lab.bench.plugin_costs import BAR_SECONDS, measure_plugin

    for name, command in {**registry.list_commands(), **effect_registry.list_commands()}.items():
        cost = measure_plugin(name, command)
        yield Row(f"{name}: its processes, of one core", round(100.0 * cost.share, 2), "%", "<= 1")
        yield Row(f"{name}: this process for it, of one core", round(100.0 * cost.host_share, 2), "%")
        yield Row(f"{name}: memory of its processes", round(cost.memory_bytes / 1e6, 1), "MB", "<= 40 without torch")
        limit = f"<= 1 bar, {1000.0 * BAR_SECONDS:.0f} at 120 BPM"
        yield Row(f"{name}: from its start to its first bar", _ms(cost.return_seconds), "ms", limit)


def _quantile_rows(name: str, seconds: Sequence[float], limits: Sequence[str] = ("", "", "")) -> Iterator[Row]:
    for share, title, limit in zip((0.5, 0.99, 1.0), ("p50", "p99", "max"), limits, strict=True):
        yield Row(f"{name}, {title}", _quantile_ms(seconds, share), "ms", limit)


def _measure_hop(recording: Path, device: str) -> Iterator[Row]:
    from kelly_live.lab.bench.hops import CULTURE, STAGES, measure_hops, measure_render, repeat_recording
    from kelly_live.lab.bench.load import stress_cores

    with repeat_recording(recording, RENDERED_SECONDS) as longer:
        hops = measure_hops(longer, device)
        for part in STAGES:
            title = f"{part} ({CULTURE})" if part == "culture" else part
            yield Row(f"a hop's {title}, median", _quantile_ms(hops.stages[part], 0.5), "ms")
        yield Row("hop, sound to parameters, median", _quantile_ms(hops.hop, 0.5), "ms", "<= 20")
        yield Row("hop, sound to parameters, p99", _quantile_ms(hops.hop, 0.99), "ms", "<= 40, GPU <= 3")
        yield Row("hops measured", len(hops.hop), "")
        yield Row("render, seconds of sound in a second", round(measure_render(longer, device), 1), "", ">= 20")
    with stress_cores():
        hops = measure_hops(recording, device)
    yield Row("hop, every core busy, median", _quantile_ms(hops.hop, 0.5), "ms")
    yield Row("hop, every core busy, p99", _quantile_ms(hops.hop, 0.99), "ms", "< 250, or windows are dropped")


def _measure_control(recording: Path, device: str, seconds: float) -> Iterator[Row]:
    from kelly_live.lab.bench.control import AUDIBLE_DB, measure_control, measure_presses

    latencies = measure_control(recording, device, 2.0 * seconds)
    events = {
        "beat that can show it": (latencies.beats, "", "<= 150"),
        "note that does": (latencies.notes, "", ""),
        f"note, or {AUDIBLE_DB:g} dB on a held one": (latencies.differences, "<= 90", "<= 200"),
    }
    for event, (times, median_limit, limit) in events.items():
        yield Row(
            f"control latency, end of window to the first {event}, median",
            _quantile_ms(times, 0.5, digits=1),
            "ms",
            median_limit,
        )
        yield Row(
            f"control latency, end of window to the first {event}, p95",
            _quantile_ms(times, 0.95, digits=1),
            "ms",
            limit,
        )
    yield Row("turns measured", len(latencies.notes), "")
    presses = measure_presses(recording, device, 2.0 * seconds)
    heard = f"control latency, key to the first note, or {AUDIBLE_DB:g} dB on a held one"
    yield Row(f"{heard}, median", _quantile_ms(presses, 0.5, digits=1), "ms", "<= 90")
    yield Row(f"{heard}, p95", _quantile_ms(presses, 0.95, digits=1), "ms", "<= 200")
    yield Row("presses measured", len(presses), "")


def _measure_starts(recording: Path, device: str) -> Iterator[Row]:
    from kelly_live.lab.bench.first_note import measure_start

    starts = [measure_start(recording, device) for _ in range(STARTS)]
    first = statistics.median(start.first_note_seconds for start in starts)
    yield Row(f"program start to first note, median of {STARTS}", round(first, 2), "s", "<= 3")
    yield Row("memory of a live session, peak", round(max(start.memory_bytes for start in starts) / 1e6), "MB")
    times = []
    for _ in range(5):
        start_time = time.perf_counter()
        subprocess.run([sys.executable, "-m", "kelly_live", "--help"], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start_time)
    yield Row("kelly-live --help, median of 5", round(statistics.median(times), 3), "s")


def _measure_waterfall(recording: Path, device: str, seconds: float) -> Iterator[Row]:
    from kelly_live.lab.bench.waterfall import BARS, PRESETS, measure_session, measure_waterfall

    for preset in PRESETS:
        run, name = measure_waterfall(preset), f"waterfall, {preset}"
        yield Row(f"{name}: pieces of {BARS} bars", len(run.shares), "")
        yield Row(f"{name}: played of what was shown, mean", round(statistics.mean(run.shares), 4), "", ">= 0.95")
        yield Row(f"{name}: played of what was shown, worst piece", round(min(run.shares), 4), "")
        yield Row(f"{name}: a note is shown before it sounds, least", round(min(run.leads), 2), "bar", ">= 1")
        yield Row(f"{name}: the same, median", round(statistics.median(run.leads), 2), "bar")
        for part, times in (("the conductor's own step", run.own_seconds), ("looking ahead", run.preview_seconds)):
            yield from _quantile_rows(f"{name}: {part}", [one for one in times if one > _IDLE_SECONDS])
        share = sum(run.preview_seconds) / run.music_seconds
        yield Row(f"{name}: looking ahead, of one core", round(100.0 * share, 2), "%")
    for freeze, feeling in ((True, "held feeling"), (False, "feelings as heard")):
        played_share, leads = measure_session(recording, device, 6.0 * seconds, freeze=freeze)
        name = f"waterfall, the demo, {feeling}"
        yield Row(f"{name}: played of what was shown", round(played_share, 3), "")
        early = sum(lead >= 1.0 for lead in leads) / max(1, len(leads))
        yield Row(f"{name}: shown a bar before, of what is played", round(early, 3), "")


def _measure_page(recording: Path, device: str, seconds: float) -> Iterator[Row]:
    from kelly_live.lab.bench import page

    run = page.measure_presses_on_page(recording, device, 6.0 * seconds)
    shown = {
        "page, state in force to its pixel": (run.list_shown(), "<= 100"),
        "page, press on it to its pixel": (run.list_seen(), ""),
        "page, press on it to the state in force": (run.list_in_force(by_page=True), ""),
        "page, key to the state in force": (run.list_in_force(by_page=False), ""),
        "page, press on it to what is heard": (run.list_heard(by_page=True), "<= a key's + 20"),
        "page, key to what is heard": (run.list_heard(by_page=False), ""),
    }
    for name, (times, limit) in shown.items():
        yield Row(f"{name}, median", _quantile_ms(times, 0.5, digits=1), "ms")
        yield Row(f"{name}, p95", _quantile_ms(times, 0.95, digits=1), "ms", limit)
    yield Row("page, presses on it and by key", len(run.presses), "")
    yield Row("page, states shown in a second", round(run.states_per_second, 1), "")
    yield Row("page, its process, of one core", round(100.0 * run.cpu_share, 2), "%", "<= 10")
    yield Row("page, all that it has to load", round(page.measure_page_bytes() / 1e3, 1), "kB", "<= 300")
    paints = page.measure_first_paints(recording, device)
    yield Row(f"page, first paint, median of {len(paints)} loads", _quantile_ms(paints, 0.5, digits=1), "ms", "<= 500")
    late = {with_page: list[float]() for with_page in (False, True)}
    for with_page in (False, True, True, False) * ((PAIRS + 1) // 2):
        if len(late[with_page]) < PAIRS:
            late[with_page].append(page.measure_deadlines(recording, device, 2.0 * seconds, with_page=with_page))
    for with_page, name in ((False, "without the page"), (True, "with it, open in a browser")):
        yield Row(f"deadline p99 {name}, median of {PAIRS}", _quantile_ms(late[with_page], 0.5), "ms")
        yield Row(f"deadline p99 {name}, worst of {PAIRS}", _quantile_ms(late[with_page], 1.0), "ms")


def _quantile_ms(seconds: Sequence[float], share: float, *, digits: int = 3) -> float:
    import numpy as np

    return round(1e3 * float(np.quantile(seconds, share)), digits)


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 3)
