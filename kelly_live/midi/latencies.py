"""The measured latencies of MIDI outputs, in a file of the user's own: `kelly-live latency --store` writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.core.safe_yaml import read_nodes
from kelly_live.core.values import MAX_LATENCY_MS

MAX_OUTPUTS = 200
_FORMAT = 1
_CHANGING_NUMBERS = re.compile(r"\(\d+\)|\s\d+:\d+$")  # of a process and of an ALSA client: others at each start


def latencies_path() -> Path:
    """Return the file of the measured latencies; it need not exist."""
    import platformdirs

    return platformdirs.user_data_path("kelly-live", appauthor=False) / "latencies.yaml"


def find_latency(output: str, latencies: Mapping[str, float]) -> float | None:
    """Return the latency in seconds of the output of this full name; None if none was measured.

    Numbers that change with each start of a synth do not count: "FLUID Synth (412)" is "FLUID Synth (97)".
    """
    if output in latencies:
        return latencies[output]
    stem = _strip_numbers(output)
    return next((seconds for name, seconds in latencies.items() if _strip_numbers(name) == stem), None)


def load_latencies(file: Path | None = None) -> dict[str, float]:
    """Load seconds by the full name of an output; empty if there are none. Raises ConfigError naming file and line."""
    file = latencies_path() if file is None else file
    if not os.path.lexists(file):  # a link to nothing is no empty file
        return {}
    fields = read_nodes(file).as_fields(("format", "latency_ms"))
    fields["format"].as_int(_FORMAT, _FORMAT)
    nodes = fields["latency_ms"].as_map() if fields["latency_ms"].value != "" else {}
    if len(nodes) > MAX_OUTPUTS:
        fields["latency_ms"].fail(f"has {len(nodes)} outputs; it may have {MAX_OUTPUTS}")
    return {name: node.as_number(-MAX_LATENCY_MS, MAX_LATENCY_MS) / 1e3 for name, node in nodes.items()}


def store_latency(output: str, seconds: float, file: Path | None = None) -> Path:
    """Add an output's latency to the file, in place of an older one, whole or not at all; returns the file.

    Raises ConfigError if the file cannot be added to or the latency is too long, OutputError if it is not written.
    """
    file = latencies_path() if file is None else file
    latencies = load_latencies(file)
    if abs(seconds) * 1e3 > MAX_LATENCY_MS:
        raise ConfigError(
            f"a latency of {seconds * 1e3:.0f} ms cannot be made up for, {MAX_LATENCY_MS:g} at most; make the buffers "
            "of the synth's sound smaller, and measure again"
        )
    stem = _strip_numbers(output)
    others = {name: value for name, value in latencies.items() if _strip_numbers(name) != stem}
    if len(others) >= MAX_OUTPUTS:
        raise ConfigError(f"{file} holds {len(others)} outputs, as many as it may; remove one that is not used")
    entries = {name: round(value * 1e3, 1) for name, value in (*others.items(), (output, seconds))}
    text = yaml.safe_dump({"format": _FORMAT, "latency_ms": entries}, allow_unicode=True, sort_keys=False, width=1000)
    create_folder(file.parent, private=True)
    write_atomically(
        file, f"# How early notes leave by each MIDI output: kelly-live latency\n{text}".encode(), private=True
    )
    return file


def _strip_numbers(output: str) -> str:
    return _CHANGING_NUMBERS.sub("", output).strip()
