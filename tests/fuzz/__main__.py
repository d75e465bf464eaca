"""Coverage-guided fuzzing with atheris: `python -m tests.fuzz --seconds 60` prints a table.

Each target has a process of its own; as many run at once as there are processors. An input that breaks a target is
kept in the folder that is named, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.targets import TARGETS

ONE = "--one"  # how the table starts the process of one target; libFuzzer reads what follows
LARGEST = 16384  # bytes of an input: room for every structure, and thousands of tries a second


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"which of {', '.join(TARGETS)} [default: all]")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="the same inputs again; 0: others each time")
    if sys.argv[1:2] == [ONE]:
        return fuzz_one(sys.argv[2], sys.argv[3:])
    options = parser.parse_args()
    unknown_names = sorted(set(options.targets) - set(TARGETS))
    if unknown_names:
        parser.error(f"no target is called {', '.join(unknown_names)}; choose of {', '.join(TARGETS)}")
    print(
        "| parser | seconds | inputs tried | edges reached | kept as new | findings |\n|---|---|---|---|---|---|",
        flush=True,
    )
    is_broken = False
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for report in pool.map(lambda name: fuzz(name, options.seconds, options.seed), options.targets or TARGETS):
            print(report.row, flush=True)
            if report.problem:
                print(report.problem, file=sys.stderr)
                is_broken = True
    return 1 if is_broken else 0


class Report(NamedTuple):
    """A row of the table, and what broke the target, with the input's folder; empty if nothing did."""

    row: str
    problem: str


def fuzz(name: str, seconds: int, seed_number: int) -> Report:
    """Fuzz one target in a process of its own."""
    folder = Path(tempfile.mkdtemp(prefix=f"kelly-fuzz-{name}-"))
    for number, seed in enumerate(TARGETS[name].seeds()):
        (folder / f"seed-{number}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-max_len={LARGEST}", f"-seed={seed_number}"]
    arguments = [*limits, f"-artifact_prefix={folder}/", str(folder)]
    command = [sys.executable, "-m", "tests.fuzz", ONE, name, *arguments]
    # A process that breaks says so by its exit code; Python's traceback is on stdout, all else on stderr.
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    tried = re.findall(r"^#(\d+)", run.stderr, re.MULTILINE)
    edges = re.findall(r"cov: (\d+)", run.stderr)
    new = len(re.findall(r"^#\d+\s+NEW", run.stderr, re.MULTILINE))
    broken = run.returncode != 0
    row = f"| {name} | {seconds} | {tried[-1] if tried else 0} | {edges[-1] if edges else 0} | {new} | {int(broken)} |"
    ends = f"{run.stdout[-2000:]}\n{run.stderr[-1000:]}"
    problem = f"{name} broke (exit code {run.returncode}); the input is in {folder}\n{ends}"
    return Report(row, problem if broken else "")


def fuzz_one(name: str, arguments: list[str]) -> int:
    import atheris

    with atheris.instrument_imports(include=["kelly_live", "yaml"]):
        import yaml

        if hasattr(yaml, "CSafeLoader"):
            del yaml.CSafeLoader  # the same grammar in Python, whose branches can be seen
        target = TARGETS[name]
        for seed in target.seeds():
            if not target.feed(seed):
                raise AssertionError(f"a seed of {name} is refused; the fuzzer would begin from nothing")

    def one(data: bytes) -> None:
        target.feed(data)

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
