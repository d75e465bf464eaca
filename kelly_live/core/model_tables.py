"""Tables that were learned and ship as JSON, such as the vocabulary: read whole, or refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import quote_value

T = TypeVar("T")


def read_model_table(
    path: Path, build: Callable[[Mapping[str, Any]], T], *, version: int, max_bytes: int, command: str
) -> T:
    """Return what `build` makes of a file's content; `command` writes the file anew.

    Raises ConfigError if the file is missing, damaged, too large or of another version.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise ConfigError(f"{path} is over {max_bytes >> 20} MB; it is not kelly-live's: reinstall")
        content = json.loads(data.decode("utf-8"))
        if content["version"] != version:
            raise ConfigError(
                f"{path} is of version {quote_value(content['version'])}; this kelly-live reads version {version}"
            )
        return build(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(repr(error).split())[:200]
        raise ConfigError(f"{path} is damaged ({reason}); reinstall, or run `{command}`") from error


def check_number(value: object, largest: float) -> float:
    """Return a number as a float. Raises ValueError for anything else, or over `largest` in size."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= largest:
        raise ValueError(f"{quote_value(value)} is no number of at most {largest:g}")
    return float(value)


def check_share(value: object, largest: float) -> float:
    """Return a share from 0 to 1. Raises ValueError, as `check_number` does."""
    if not 0.0 <= (share := check_number(value, largest)) <= 1.0:
        raise ValueError(f"{share:g} is no share; it must be from 0 to 1")
    return share
