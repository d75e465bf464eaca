"""Opens the file of an arc that is named on a command line."""

from __future__ import annotations

from pathlib import Path

from kelly_live.core.safe_yaml import read_bounded
from kelly_live.music.arc import Arc
from kelly_live.music.arc_file import parse_arc


def read_arc(text: str) -> Arc:
    """Read the arc in a CSV or YAML file. Raises ConfigError."""
    path = Path(text.strip())
    return parse_arc(read_bounded(path, "a CSV or YAML file"), str(path))
