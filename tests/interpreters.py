"""Run the tests that need no torch on each other Python: `python -m tests.interpreters [VERSION …]`.

Torch stays out because an index may have it for them with CUDA alone, which is gigabytes. Each interpreter has its
environment in `.venv/VERSION`. One that is not on PATH is looked for among those of pyenv.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSIONS = ("3.12", "3.13", "3.14")
EXTRAS = ("test", "lab", "isobar")
LEFT_OUT = ("torch", "kelly-live")
LONGEST_SECONDS = 1500  # they take 4 minutes
MADE_OF = ("pyproject.toml", "constraints.txt")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.interpreters", description=__doc__)
    parser.add_argument("versions", nargs="*", default=VERSIONS, help=f"[default: {' '.join(VERSIONS)}]")
    own_version = "{}.{}".format(*sys.version_info)
    interpreters: dict[str, str] = {}
    for version in parser.parse_args().versions:
        interpreter = find_interpreter(version)
        if version == own_version:
            print(f"Python {version}: tested by `make test`")
        elif interpreter is None:
            print(f"Python {version}: not found, so not tested")
        else:
            interpreters[version] = interpreter
    with ThreadPoolExecutor() as pool:
        pythons = list(pool.map(install, interpreters.values(), interpreters))
    failed_versions = []
    for (version, interpreter), python in zip(interpreters.items(), pythons, strict=True):
        print(f"Python {version}: {interpreter}", flush=True)
        if not run_tests(python):
            failed_versions.append(version)
    if failed_versions:
        print(f"tests failed on Python {', '.join(failed_versions)}", file=sys.stderr)
    return 1 if failed_versions else 0


def find_interpreter(version: str) -> str | None:
    """A Python of this version that answers, on PATH or of pyenv (whose shims on PATH may refuse)."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python{version}"))]
    for candidate in candidates:
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(candidate)
    return None


def install(interpreter: str, version: str) -> Path:
    """Make the environment of this version, or update it if what it is made of has changed; its Python."""
    folder = ROOT / ".venv" / version
    python, stamp = folder / "bin" / "python", folder / ".installed"
    if stamp.exists() and stamp.stat().st_mtime > max((ROOT / name).stat().st_mtime for name in MADE_OF):
        return python
    if not python.exists():
        subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", "constraints.txt", *list_requirements()], cwd=ROOT, check=True)
    subprocess.run([*pip, "--no-deps", "--editable", "."], cwd=ROOT, check=True)
    stamp.touch()
    return python


def list_requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [requirement for extra in EXTRAS for requirement in project["optional-dependencies"][extra]]
    return [requirement for requirement in project["dependencies"] + extras if not requirement.startswith(LEFT_OUT)]


def run_tests(python: Path) -> bool:
    arguments = ["-q", "-m", "not live", "--numprocesses", "auto", "--maxprocesses", "8"]
    arguments += ["--dist", "loadfile", "--no-loadscope-reorder"]
    # A shared machine may stand still for seconds: one that fails is tried once more, and listed as R at the end.
    arguments += ["--reruns", "1", "-r", "fER"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([python, "-m", "tests.numba_cache"], cwd=ROOT, env=environment, check=True)
    try:
        run = subprocess.run(
            [python, "-m", "pytest", *arguments], cwd=ROOT, env=environment, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        print(f"the tests did not end within {LONGEST_SECONDS} s", file=sys.stderr)
        return False
    return run.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
