"""Environments for the example packages, as `python -m venv` makes them: without kelly-live or the network."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import venv
from pathlib import Path
from typing import Any

from kelly_live.core.values import NoteEvent
from kelly_live.testing import ExternalGenerator, make_context, make_parameters, play

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


def play_with(player: ExternalGenerator, *, density: float = 1.0, seed: int = 3, **values: Any) -> list[NoteEvent]:
    """Play a phrase in C with these parameters, the others at their defaults."""
    generator: Any = player()
    defaults = {one.name: one.default for one in player.descriptor.parameters}
    generator.configure({**defaults, **values})
    generator.reset()
    return play(generator, make_parameters(density=density), make_context(tonic=0, seed=seed))
