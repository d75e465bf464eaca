"""Finds the generators that are installed, ours and other people's, through the entry point group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from kelly_live.errors import ConfigError
from kelly_live.generators.base import Descriptor, Generator

GROUP = "kelly_live.generators"


@dataclass(frozen=True, slots=True)
class Found:
    """A registered generator: loaded, or the one-line `problem` that kept it from loading."""

    name: str
    generator: Generator | None
    problem: str | None = None


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value))}


def names() -> tuple[str, ...]:
    """The registered generators, sorted, without loading any."""
    return tuple(_installed())


def load(wanted: Sequence[str] | None = None) -> tuple[Found, ...]:
    """Load and make the `wanted` generators (all by default). A name that is not registered raises ConfigError;
    one that fails to load comes back with its problem."""
    installed = _installed()
    for name in wanted or ():
        if name not in installed:
            raise ConfigError(
                f"there is no generator {name!r}; it must be one of {', '.join(installed) or '(none installed)'}"
            )
    return tuple(_load(installed[name]) for name in (installed if wanted is None else wanted))


def _load(point: EntryPoint) -> Found:
    try:
        made = point.load()()
        if not isinstance(getattr(made, "descriptor", None), Descriptor) or not callable(
            getattr(made, "generate", None)
        ):
            return Found(point.name, None, f"{point.value} is not a generator: it lacks `descriptor` or `generate`")
    except Exception as error:  # someone else's code: whatever it raises is its problem, not the band's
        return Found(point.name, None, f"{point.value} did not load: {type(error).__name__}: {error}")
    return Found(point.name, cast(Generator, made))
