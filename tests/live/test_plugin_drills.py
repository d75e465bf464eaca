"""Every way in which a generator of another package breaks, beside a live band; counted by another JACK client.

One session: each generator is a player of its own and breaks in a bar of its own. The band's notes, as the other client
heard them, are compared with the session's own recording: what was decided, and when it was due. `make drills` tries
all faults and writes their table; otherwise a few.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import mido
import pytest

from tests.generators import faulty
from tests.live.conftest import JackMonitor, JackServer, wait_for
from tests.live.live_program import DENSE, LiveProgram, keep_lines, longest_gap

pytestmark = pytest.mark.timeout(400)
TABLE = os.environ.get("KELLY_LIVE_PLUGIN_DRILLS")
LATE_SECONDS = 0.005
TOLD_SECONDS = 1.0
MATCH_SECONDS = 0.15
XRUN_SECONDS = 0.3
SILENT_BARS = 2.3  # from the last note before its bar to the first one after the next bar line
TAKES = 3
BAR_SECONDS = 4 * 60.0 / 130.0  # of DENSE
FIRST_BAR, EVERY_BARS = 4, 3
LOWEST_PITCH = 1
SURVIVES = "it plays on"
# What is said, and the class in tests/generators/faulty.py that does it.
SLOW_IMPORT = """
if Path(os.environ["KELLY_LIVE_MARK"] + "SlowImport").exists():
    time.sleep(20.0)
"""
FAULTS = {
    "segmentation fault": ("Segfault", "signal SIGSEGV"),
    "holds the interpreter's lock for 5 s": ("HoldLock", "did not answer"),
    "8 MB on stdout": ("Flood", "it printed over 1 MB"),
    "a fork that lives on": ("Fork", SURVIVES),
}
MORE_FAULTS = {
    "it ends, and its import then takes 20 s": ("SlowImport", "exit code 5"),
    "os._exit": ("Exit", "exit code 3"),
    "abort in C": ("Abort", "signal SIGABRT"),
    "a regular expression that never ends": ("Regex", "did not answer"),
    "2 GB allocated": ("Memory", "1536 MB of memory"),
    "memory that leaks, 330 MB a bar": ("Leak", "1536 MB of memory"),
    "it ends each time that it is started": ("Again", "exit code 6"),
    "500 threads": ("Threads", "can't start new thread"),
    "patched time and random": ("Patch", SURVIVES),
    "closed file descriptors 3-63": ("CloseFiles", SURVIVES),
    "changed working directory and environment": ("Surroundings", SURVIVES),
    "SIGINT raised": ("Interrupt", "KeyboardInterrupt"),
    "1000000 notes": ("ManyNotes", "over 512 notes"),
    "NaN and infinity": ("NotANumber", "onset is nan"),
    "numpy numbers": ("NumpyNumbers", SURVIVES),
    "negative durations": ("NegativeLength", "duration is -1.0"),
    "a generator object": ("Lazy", SURVIVES),
    "an endless generator object": ("Endless", "comes after one"),
    "unsorted notes": ("Unsorted", "must be sorted"),
    "notes outside the span": ("OutsideItsSpan", "is outside the slice"),
    "a note of a million beats": ("TooLong", "at most 64 are allowed"),
    "the package is removed while it plays": ("Gone", "exit code 4"),
}
NEVER_BACK, BACK_LATE = ("Gone", "Again"), ("SlowImport",)
# What goes wrong before the band begins is written behind the player's file.
BROKEN_IMPORT, LONG_IMPORT = "raise ImportError('no such library')\n", "time.sleep(20.0)\n"
RIVALS = ("rival-a", "rival-b")  # packages that have a player of the same name
START_BARS = 6


Note = tuple[float, int, int]  # onset (s, the monitor's clock), channel and pitch


@dataclass(frozen=True)
class Session:
    """What was heard and said in a session, and how it ended."""

    events: list[tuple[float, bytes]]  # at the monitor, by its clock
    xruns: list[float]  # by its clock, too
    lines: list[tuple[float, str]]  # said, with the time by the monitor's clock
    clock_offset: float  # the monitor's clock less the monotonic one
    exit_code: int
    left_over: list[str]  # processes

    def others(self) -> list[Note]:
        """The notes of everybody but the faulty players."""
        notes = [(t, (data[0] & 15) + 1, data[1]) for t, data in self.events if data[0] & 0xF0 == 0x90 and data[2] > 0]
        return [note for note in notes if note[1] != faulty.CHANNEL]

    def spans(self, pitch: int) -> list[tuple[float, float]]:
        """When a faulty player's notes began and ended."""
        spans, start = [], None
        for t, data in self.events:
            if data[0] & 0xE0 == 0x80 and (data[0] & 15) + 1 == faulty.CHANNEL and data[1] == pitch:
                if data[0] & 0xF0 == 0x90 and data[2] > 0:
                    start = t
                elif start is not None:
                    spans.append((start, t))
                    start = None
        return spans

    def find_line(self, name: str, words: str) -> tuple[float, str] | None:
        """The first line about a player, and when it came."""
        return next(((t, line) for t, line in self.lines if line.startswith(name) and words in line), None)


def read_recording(path: Path) -> list[Note]:
    """The notes of everybody but the faulty players in a MIDI file, in seconds from its start."""
    now, notes = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "note_on" and message.velocity > 0 and message.channel + 1 != faulty.CHANNEL:
            notes.append((now, message.channel + 1, message.note))
    return notes


def play(folder: Path, names: Sequence[str], monitor: JackMonitor, bars: int) -> Session:
    """Play so many bars with these faulty players, of which the first breaks in FIRST_BAR."""
    add_players(folder, {name.lower(): (name, SLOW_IMPORT * (name == "SlowImport")) for name in names})
    options: list[str] = []
    for number, name in enumerate(names):
        player, bar = name.lower(), FIRST_BAR + EVERY_BARS * number
        options += [
            "--with",
            player,
            "--set",
            f"{player}.bar={bar}",
            "--set",
            f"{player}.pitch={LOWEST_PITCH + number}",
        ]
    return run_session(folder, options, monitor, bars)


def add_players(folder: Path, players: Mapping[str, tuple[str, str]]) -> None:
    """Add players, each by its class in tests/generators/faulty.py and what is written behind that."""
    (folder / "kelly-live").mkdir(parents=True)
    added = []
    for player, (name, rest) in players.items():
        copy = folder / f"{player}_plug_in.py"
        copy.write_text(Path(faulty.__file__).read_text() + rest)
        added.append({"name": player, "target": f"{copy}:{name}"})
    (folder / "kelly-live" / "generators.json").write_text(json.dumps({"format": 1, "generators": added}))


def run_session(
    folder: Path, options: Sequence[str], monitor: JackMonitor, bars: int, site: Path | None = None
) -> Session:
    """Play so many bars with these options; packages in `site` are installed."""
    mark = str(folder / "mark-")
    environment = {**os.environ, "XDG_DATA_HOME": str(folder), "KELLY_LIVE_MARK": mark, "PYTHONUNBUFFERED": "1"}
    if site is not None:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "kelly_live", "--midi-out", "kelly-monitor:in", *options, *DENSE]
    command += ["--record", str(folder / "drill.mid")]
    lines: list[tuple[float, str]] = []
    monitor.events.clear()
    monitor.xruns.clear()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        reader = keep_lines(process, lines)
        try:
            program = LiveProgram(monitor, process)
            wait_for(lambda: program.onsets() or process.poll() is not None, "a first note", 120.0)
            assert process.poll() is None, lines
            seconds = bars * BAR_SECONDS
            until = program.onsets()[0] + seconds
            offset = monitor.now() - time.monotonic()
            wait_for(lambda: program.onsets(until) or process.poll() is not None, "the last bar", seconds + 60.0)
            process.terminate()
            process.wait(30.0)
            events, xruns = list(monitor.events), list(monitor.xruns)
        finally:
            process.kill()
            reader.join(10.0)
        code = process.returncode
    told = [(t + offset, line) for t, line in lines]
    return Session(events, xruns, told, offset, code, list_processes(mark))


def list_processes(mark: str) -> list[str]:
    """The processes that have this mark in their environment."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def compare(heard: Sequence[Note], recorded: Sequence[Note]) -> tuple[list[Note], list[tuple[float, float]]]:
    """Which notes of a recording were not heard; when each of the others was, and how late (s)."""
    ours, theirs = sort_by_key(heard), sort_by_key(recorded)
    # The n-th notes of a key mostly belong together: what lies between them is the time between the two starts.
    shift = statistics.median(a - b for key in theirs for a, b in zip(ours.get(key, []), theirs[key], strict=False))
    lost, delays = [], []
    for key, onsets in theirs.items():
        waiting = [onset - shift for onset in ours.get(key, [])]
        for onset, following in itertools.pairwise([*onsets, float("inf")]):
            while waiting and waiting[0] < onset - MATCH_SECONDS:
                waiting.pop(0)
            belongs = waiting and waiting[0] <= onset + MATCH_SECONDS
            if belongs and abs(waiting[0] - onset) <= abs(waiting[0] - following):
                delays.append((waiting[0] + shift, waiting.pop(0) - onset))
            else:
                lost.append((onset + shift, *key))
    return lost, delays


def sort_by_key(notes: Sequence[Note]) -> dict[tuple[int, int], list[float]]:
    """The onsets of each channel and pitch."""
    onsets: dict[tuple[int, int], list[float]] = {}
    for onset, channel, pitch in sorted(notes):
        onsets.setdefault((channel, pitch), []).append(onset)
    return onsets


def is_near(time: float, xruns: Sequence[float]) -> bool:
    """Whether JACK lost a period about then."""
    return any(abs(time - xrun) < XRUN_SECONDS for xrun in xruns)


def add_row(*cells: str) -> None:
    print(" | ".join(cells))
    if TABLE is not None:
        with Path(TABLE).open("a") as file:
            file.write("| " + " | ".join(cells) + " |\n")


class Result(NamedTuple):
    """A fault's row of the table, and which goals were missed."""

    cells: tuple[str, ...]
    problems: list[str]


def drill(folder: Path, faults: Mapping[str, tuple[str, str]], monitor: JackMonitor) -> dict[str, Result]:
    """Play a session in which each of these faults happens, and measure it."""
    bars = FIRST_BAR + EVERY_BARS * len(faults) + 1
    session = play(folder, [name for name, _ in faults.values()], monitor, bars)
    heard = session.others()
    lost, delays = compare(heard, read_recording(folder / "drill.mid"))
    # What JACK itself lost, and its clock with it, is no fault of ours.
    lost = [note for note in lost if not is_near(note[0], session.xruns)]
    delays = [one for one in delays if not is_near(one[0], session.xruns)]
    assert longest_gap([onset for onset, _, _ in heard], heard[0][0]) < BAR_SECONDS / 2
    assert session.left_over == []
    assert session.exit_code == 143, "as after any SIGTERM"
    results = {}
    for number, (fault, (name, words)) in enumerate(faults.items()):
        at = float((folder / f"mark-{name}").read_text()) + session.clock_offset
        until = at + EVERY_BARS * BAR_SECONDS
        # Against the others in this time: a busy machine's JACK may lose a period, and its clock with it.
        window = [delay for t, delay in delays if at <= t < until]
        late = max(window) - statistics.median(window)
        missing = sum(at <= t < until for t, _, _ in lost)
        spans = session.spans(LOWEST_PITCH + number)
        longest = max(stop - start for start, stop in spans)
        onsets = [start for start, _ in spans if start > at - 2 * BAR_SECONDS]
        gap = max((b - a for a, b in itertools.pairwise(onsets)), default=float("inf"))
        told = None if words == SURVIVES else session.find_line(name.lower(), words)
        after = None if told is None else told[0] - at
        problems = [f"{fault}: {missing} notes of the others are lost"] * (missing > 0)
        problems += [f"{fault}: the others are late by {1000.0 * late:.1f} ms"] * (late > LATE_SECONDS)
        problems += [f"{fault}: a note of its own sounds {longest:.2f} s"] * (longest > BAR_SECONDS)
        if name not in (*NEVER_BACK, *BACK_LATE) and gap > SILENT_BARS * BAR_SECONDS:
            problems.append(f"{fault}: it is silent for {gap / BAR_SECONDS:.1f} bars")
        if words != SURVIVES and (after is None or after > TOLD_SECONDS):
            problems.append(f"{fault}: it is not said within a second ({after}): {session.lines}")
        cells = (
            fault,
            f"{1000.0 * max(0.0, late):.1f} ms",
            "-" if after is None else f"{after:.2f} s",
            "to the end" if name in NEVER_BACK else f"{gap / BAR_SECONDS:.1f} bars",
            words if told is None else told[1].partition(": ")[2],
        )
        results[fault] = Result(cells, problems)
    return results


def install_rivals(site: Path) -> None:
    """Install packages whose players have one name, as pip would leave them."""
    for package in RIVALS:
        module, info = package.replace("-", "_"), site / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(Path(faulty.__file__).read_text())
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[kelly_live.generators]\nrival = {module}:Sound\n")


def drill_start(folder: Path, monitor: JackMonitor) -> dict[str, Result]:
    """Play two sessions with what goes wrong before they begin, and measure it."""
    install_rivals(folder / "site")
    results = {}
    for rows in (
        (
            ("an import that fails", "broken", BROKEN_IMPORT, "no such library"),
            ("two packages with one name", "rival", None, "that of rival-a plays"),
        ),
        (("an import of 20 s before the band begins", "slow", LONG_IMPORT, "still loading"),),
    ):
        place = folder / rows[0][1]
        add_players(place, {player: ("Sound", rest) for _, player, rest, _ in rows if rest is not None})
        options: list[str] = []
        for number, (_, player, rest, _) in enumerate(rows):
            options += ["--with", player]
            options += ["--set", f"{player}.pitch={LOWEST_PITCH + number}"] * (rest is not BROKEN_IMPORT)
        session = run_session(place, options, monitor, START_BARS, folder / "site")
        heard = session.others()
        lost, delays = compare(heard, read_recording(place / "drill.mid"))
        lost = [note for note in lost if not is_near(note[0], session.xruns)]
        window = [delay for t, delay in delays if not is_near(t, session.xruns)]
        late = max(window) - statistics.median(window)
        assert session.left_over == []
        assert session.exit_code == 143, "as after any SIGTERM"
        for number, (fault, player, rest, words) in enumerate(rows):
            told = next(((t, line) for t, line in session.lines if player in line and words in line), None)
            is_in_time = told is not None and told[0] < heard[0][0]
            spans = session.spans(LOWEST_PITCH + number)
            problems = [f"{fault}: {len(lost)} notes of the others are lost"] * bool(lost)
            problems += [f"{fault}: the others are late by {1000.0 * late:.1f} ms"] * (late > LATE_SECONDS)
            if not is_in_time:
                problems.append(f"{fault}: it is not said before the first note: {session.lines}")
            if bool(spans) == (rest is BROKEN_IMPORT):
                problems.append(f"{fault}: it plays {len(spans)} notes")
            silent = f"{(spans[0][0] - heard[0][0]) / BAR_SECONDS:.1f} bars" if spans else "to the end"
            said = "" if told is None else told[1].partition(": ")[2].replace(str(place) + os.sep, "")
            cells = (
                fault,
                f"{1000.0 * max(0.0, late):.1f} ms",
                "before it begins" if is_in_time else "-",
                silent,
                said,
            )
            results[fault] = Result(cells, problems)
    return results


@pytest.fixture
def prompt_monitor(prompt_server: JackServer) -> Iterator[JackMonitor]:
    """One whose clock no load tears."""
    pytest.importorskip("jack")
    with closing(JackMonitor()) as monitor:
        yield monitor


def test_no_fault_of_a_plug_in_is_heard_in_the_rest_of_the_band(prompt_monitor: JackMonitor, tmp_path: Path) -> None:
    """What misses a goal is tried again by itself: what a starved machine adds is not ours."""
    missed = {**FAULTS, **(MORE_FAULTS if TABLE else {})}
    for take in range(1, TAKES + 1):
        results = drill(tmp_path / f"take-{take}", missed, prompt_monitor)
        for cells, problems in results.values():
            if not problems or take == TAKES:
                add_row(*cells[:-1], cells[-1] + f" (take {take})" * (take > 1))
        missed = {fault: names for fault, names in missed.items() if results[fault].problems}
        if not missed:
            return
    assert [problem for result in results.values() for problem in result.problems] == []


def test_what_goes_wrong_before_the_band_begins_is_not_heard(prompt_monitor: JackMonitor, tmp_path: Path) -> None:
    if TABLE is None:
        pytest.skip("it waits for 20 s: make drills")
    for take in range(1, TAKES + 1):
        results = drill_start(tmp_path / f"take-{take}", prompt_monitor)
        if take == TAKES or not any(result.problems for result in results.values()):
            break
    for cells, _ in results.values():
        add_row(*cells[:-1], cells[-1] + f" (take {take})" * (take > 1))
    assert [problem for result in results.values() for problem in result.problems] == []
