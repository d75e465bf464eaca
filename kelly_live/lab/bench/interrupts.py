"""Interrupt every long command at random moments: `python -m kelly_live.lab.bench.interrupts`.

A command is right when it exits with 128 and the signal's number (or had just finished its work), prints nothing on
stderr, and leaves no process and no temporary file behind. While Python itself starts, before a line of ours runs, it
answers Ctrl-C with a traceback of its own: such a moment is not counted, and another is drawn.

The live commands are only tried where the environment names a sound server of one's own:
`JACK_DEFAULT_SERVER=NAME jackd --no-realtime -n NAME -d dummy`. Linux only: what is left behind is found by its
environment.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from kelly_live.core.resources import find_resources
from kelly_live.core.wording import plural

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
LONGEST_SECONDS = 8.0  # a later moment tells nothing new
_RUN_VARIABLE = "KELLY_LIVE_INTERRUPTED_RUN"
_END_SECONDS = 20.0  # for a command to end
_CHILD_SECONDS = 5.0  # for its processes to end after it
_PROGRESS = re.compile(r".*: \d+%")  # which belongs on stderr
_TEMPORARY = (".kelly-live-*", ".render*", "tmp*")


@dataclass(frozen=True, slots=True)
class LongCommand:
    """A command line, and whether it ends by itself."""

    name: str
    arguments: tuple[str, ...]
    is_endless: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an interrupted run ended; `faults` is empty if it was right.

    `is_early`: Python was still starting; no line of ours had run.
    """

    command: str
    signal_name: str
    after_seconds: float
    faults: tuple[str, ...]
    is_early: bool = False


def list_commands(folder: Path, *, live: bool) -> list[LongCommand]:
    """List the commands that take long, on the bundled recording and a log that is made in `folder` first."""
    recording = str(find_resources("presets") / "demo" / "recording.ogg")
    log = folder / "take.jsonl"
    make = ["render", recording, "--midi", str(folder / "take.mid"), "--log", str(log), "--profile", "none"]
    subprocess.run([*_program(), *make], check=True, capture_output=True)
    subprocess.run([*_program(), "profile", "create", "bench"], check=False, capture_output=True)
    commands = [
        LongCommand("render", ("render", recording, "--midi", "r.mid", "--wav", "r.wav", "--plot", "r.png")),
        LongCommand("compose", ("compose", "--emotion", "sad", "--bars", "400", "--midi", "c.mid", "--wav", "c.wav")),
        LongCommand("analyze", ("analyze", recording)),
        LongCommand("demo", ("demo",)),
        LongCommand("replay", ("replay", str(log), "--midi", "again.mid", "--wav", "again.wav")),
        LongCommand("follow", ("follow", recording, recording)),
        LongCommand("gallery", ("gallery", "gallery")),
        LongCommand("profile calibrate --from", ("profile", "calibrate", "bench", "--from", recording)),
        LongCommand("lab bench --only deadlines", ("lab", "bench", "--only", "deadlines", "--seconds", "2")),
        LongCommand("lab bench --only start", ("lab", "bench", "--only", "start")),
    ]
    if live:
        commands += [
            LongCommand("live", ("live",), is_endless=True),
            LongCommand("live --record", ("live", "--record", "live.mid", "--follow", "tempo,key"), is_endless=True),
            LongCommand("profile calibrate", ("profile", "calibrate", "bench"), is_endless=True),
            LongCommand("learn", ("learn", "panic"), is_endless=True),
        ]
    return commands


def interrupt(command: LongCommand, signal_name: str, after_seconds: float, number: int) -> Outcome:
    """Run a command in a folder of its own, send it the signal, and look at what is left."""
    run_name = f"{os.getpid()}-{number}"
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as temporary,
        tempfile.TemporaryFile("w+") as errors,  # no pipe, which a process that is left behind would keep open
    ):
        environment = {**os.environ, _RUN_VARIABLE: run_name, "TMPDIR": temporary, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [*_program(), *command.arguments],
            cwd=folder, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
        )  # fmt: skip
        time.sleep(after_seconds)
        process.send_signal(getattr(signal, signal_name))
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            errors.write(f"did not end within {_END_SECONDS:g} s")
        errors.seek(0)
        output = errors.read()
        faults = [*_list_code_faults(command, signal_name, process.returncode)]
        if wrong := [line for line in output.splitlines() if line and not _PROGRESS.fullmatch(line)]:
            faults.append(f"stderr: {wrong[-1][:200]}")
        faults += [f"left a process: {line}" for line in _wait_for_children(run_name)]
        leftovers = [
            path for root in (folder, temporary) for pattern in _TEMPORARY for path in Path(root).rglob(pattern)
        ]
        faults += [f"left a temporary file: {path.name}" for path in leftovers]
    is_early = output.rstrip().endswith("KeyboardInterrupt") and "kelly_live/" not in output
    return Outcome(command.name, signal_name, after_seconds, tuple(faults), is_early)


def measure_seconds(command: LongCommand) -> float:
    """Return how long a command takes, at most LONGEST_SECONDS."""
    if command.is_endless:
        return LONGEST_SECONDS
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        process = subprocess.Popen(
            [*_program(), *command.arguments], cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return time.monotonic() - start


def interrupt_all(
    commands: Sequence[LongCommand], *, count: int, seed: int, workers: int, signals: Sequence[str]
) -> Iterator[Outcome]:
    """Interrupt the commands in turn at moments that the seed draws; `count` outcomes do not come early."""
    rng = random.Random(seed)
    seconds: Mapping[str, float] = {command.name: measure_seconds(command) for command in commands}
    numbers = itertools.count()

    def draw(command: LongCommand) -> tuple[LongCommand, str, float, int]:
        return command, rng.choice(signals), rng.uniform(0.0, seconds[command.name]), next(numbers)

    runs = [draw(commands[number % len(commands)]) for number in range(count)]
    with ThreadPoolExecutor(workers) as pool:
        while runs:
            again = []
            for (command, *_), outcome in zip(runs, pool.map(lambda run: interrupt(*run), runs), strict=True):
                yield outcome
                if outcome.is_early:
                    again.append(draw(command))
            runs = again


def _program() -> list[str]:
    return [sys.executable, "-m", "kelly_live"]


def _list_code_faults(command: LongCommand, signal_name: str, code: int) -> Iterator[str]:
    number = int(getattr(signal, signal_name))
    if code == 128 + number:
        return
    if code == -number:  # before Python had its handlers; a shell says 128 and the number, too
        return
    if code == 0 and not command.is_endless:  # it had done its work
        return
    yield f"exit code {code}"


def _wait_for_children(run_name: str) -> list[str]:
    """Return the command lines of the run's processes that are still there after a while."""
    deadline = time.monotonic() + _CHILD_SECONDS
    while (processes := _find_processes(run_name)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process_id in processes:
        os.kill(process_id, signal.SIGKILL)
    return list(processes.values())


def _find_processes(run_name: str) -> dict[int, str]:
    """Return the processes of a run, found by the mark in their environment, and their command lines."""
    entry, processes = f"{_RUN_VARIABLE}={run_name}".encode(), {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                processes[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
        except OSError:  # it has just ended, or is another user's
            continue
    return processes


@click.command()
@click.option("--count", type=click.IntRange(1), default=200, show_default=True, help="How many interruptions.")
@click.option("--seed", default=1, show_default=True, help="Draws the moments.")
@click.option("--parallel", type=click.IntRange(1), default=2, show_default=True, help="How many at a time.")
@click.option("--signal", "signals", type=click.Choice(SIGNALS), multiple=True, help="Which [default: SIGINT].")
@click.option("--only", metavar="TEXT", default="", help="Only the commands whose name begins so.")
def main(count: int, seed: int, parallel: int, signals: tuple[str, ...], only: str) -> None:
    """Interrupt every long command at random moments, and print what was wrong."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(XDG_DATA_HOME=folder, XDG_STATE_HOME=folder)
        commands = list_commands(Path(folder), live="JACK_DEFAULT_SERVER" in os.environ)
        commands = [command for command in commands if command.name.startswith(only)]
        wrong = early = 0
        for outcome in interrupt_all(
            commands, count=count, seed=seed, workers=parallel, signals=signals or SIGNALS[:1]
        ):
            if outcome.is_early:
                early += 1
                continue
            wrong += bool(outcome.faults)
            for fault in outcome.faults:
                click.echo(f"{outcome.command}, {outcome.signal_name} after {outcome.after_seconds:.3f} s: {fault}")
    names = ", ".join(command.name for command in commands)
    click.echo(f"{count - wrong} of {plural(count, 'interruption')} right, over {names}")
    if early:
        click.echo(f"{plural(early, 'other')} came while Python itself was starting")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
