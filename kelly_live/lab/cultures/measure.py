"""Making the shipped presets from the corpora: measure, write, read back and check."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.core.safe_yaml import parse_nodes
from kelly_live.cultures.preset import PARAMETERS, CulturePreset, parse_preset
from kelly_live.lab.cultures.recipe import create_preset
from kelly_live.lab.cultures.recipes import RECIPES
from kelly_live.lab.cultures.writing import format_yaml


def measure_all(corpora: Path, out: Path, only: tuple[str, ...], report: Callable[[str], None]) -> list[CulturePreset]:
    """Measure the presets (or those in `only`) and write them to `out`.

    Raises:
        ConfigError: A corpus is missing, or a name is unknown.
        OutputError: A preset cannot be written.
    """
    unknown_names = sorted(set(only) - {recipe.name for recipe in RECIPES})
    if unknown_names:
        raise ConfigError(
            f"there is no recipe for {', '.join(unknown_names)}; there are: {', '.join(r.name for r in RECIPES)}"
        )
    presets = []
    for recipe in RECIPES:
        if only and recipe.name not in only:
            continue
        start = time.monotonic()
        preset = create_preset(recipe, corpora)
        text = format_yaml(
            preset, f"kelly-live lab measure-cultures CORPORA --out presets/cultures --only {recipe.name}"
        ).encode()
        checked_preset = parse_preset(parse_nodes(text, f"{recipe.name}.yaml"), recipe.name)
        write_atomically(out / f"{recipe.name}.yaml", text)
        parameter_count = sum(getattr(checked_preset, name) is not None for name in PARAMETERS)
        report(
            f"{recipe.name:26} {parameter_count:2} parameters, {len(checked_preset.modes):3} modes, "
            f"{len(text) / 1000:.0f} kB, {time.monotonic() - start:.0f} s"
        )
        presets.append(checked_preset)
    return presets
