"""Environments for the example packages, as `python -m venv` makes them: without kelly-live or the network."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import venv
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def make_environment(folder: Path, *distributions: str) -> Path:
    """Make an environment that has copies of these installed distributions alone; return its python."""
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    place = folder / ("Lib" if os.name == "nt" else f"lib/python{sys.version_info.major}.{sys.version_info.minor}")
    for name in distributions:
        for file in importlib.metadata.files(name) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                target = place / "site-packages" / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
