"""Opens the file of an arc that is named on a command line."""

from __future__ import annotations

import stat
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import quote_value
from kelly_live.core.safe_yaml import MAX_BYTES
from kelly_live.core.wording import quote_error
from kelly_live.music.arc import Arc
from kelly_live.music.arc_file import parse_arc


def read_arc(text: str) -> Arc:
    """Read the arc in a CSV or YAML file. Raises ConfigError."""
    path = Path(text.strip())
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device would never end
            raise ConfigError(f"the arc {quote_value(text)} is no file; name a CSV or YAML file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read the arc {quote_value(text)} ({quote_error(error)}); name a CSV or YAML file"
        ) from error
    return parse_arc(data, str(path))
