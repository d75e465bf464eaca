"""Find and load emotion readers through the entry-point group `kelly_live.readers`.

A reader turns sound into emotion. A package registers one in its `pyproject.toml`:

    [project.entry-points."kelly_live.readers"]
    mine = "my_package:create_reader"

The target is called as `create_reader(device)` and returns the reader. `device` is "auto", "cpu", "cuda" or "mps";
a reader that only runs on the CPU ignores it. The reader offers (`kelly_live.core.protocols.EmotionReader`):

- `sample_rate`: the rate in Hz of the sound that it takes, SAMPLE_RATE.
- `hop_seconds`: the time between two states, over 0 and at most MAX_HOP_SECONDS.
- `push(block)`: takes an AudioWindow of any length (mono float32 in [-1, 1]); returns one EmotionState for each hop
  that the block completed, in order, with the `time` at which the hop ended. It may take at most `hop_seconds` a hop.
- `reset()`: forgets all sound so far. It is also called after `push` raised, before the next block.
- `close()`: releases what the reader holds. Nothing is called afterwards.

It may offer (`PlacedReader`) `device_type`, where it runs, and `note`, one line that the user should read. A reader
that does not run on the CPU is replaced by one created with `device="cpu"` if `push` raises.

Thread: a reader is created, used and closed by the one analysis thread. Live, that thread is in a process of its own,
so a reader that hangs or ends its process stops no music.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kelly_live.core.checks import as_number
from kelly_live.core.errors import ModelError
from kelly_live.core.memory import check_memory
from kelly_live.core.plugins import Plugin, describe_load_failure, find_plugins, guard_call, select_plugin
from kelly_live.core.protocols import EmotionReader

GROUP = "kelly_live.readers"
DEFAULT_READER = "kelly"
SAMPLE_RATE = 16_000  # Hz; what every audio source delivers to the analysis
MAX_HOP_SECONDS = 2.0  # music that follows a state older than this does not follow the player
_METHODS = ("push", "reset", "close")


@runtime_checkable
class PlacedReader(Protocol):
    """A reader that says where it runs."""

    @property
    def device_type(self) -> str:
        """The kind of device: "cpu", "cuda" or "mps"."""

    @property
    def note(self) -> str | None:
        """One line about how it runs that the user should read; None if there is nothing to say."""


@dataclass(frozen=True, slots=True)
class LoadedReader:
    """A registered reader: created, or the one-line `problem` that kept it from being created."""

    name: str
    reader: EmotionReader | None
    problem: str | None = None


def find_readers() -> dict[str, Plugin]:
    """Return the registered readers by name, without importing any."""
    return find_plugins(GROUP)


def load_reader(name: str = DEFAULT_READER, *, device: str = "auto") -> LoadedReader:
    """Create a reader; one that does not load is returned with its problem.

    Raises ConfigError for an unknown name.
    """
    plugin = select_plugin(name, find_readers(), "emotion reader")
    try:
        with guard_call():
            reader = plugin.load()(device)
            problem = _find_fault(reader)
    except Exception as error:  # code of another package: whatever it raises is reported, not passed on
        return LoadedReader(name, None, describe_load_failure(plugin, error))
    return LoadedReader(name, None, f"{plugin.target} {problem}") if problem else LoadedReader(name, reader)


def require_reader(name: str = DEFAULT_READER, *, device: str = "auto") -> EmotionReader:
    """Create a reader. Raises ConfigError for an unknown name, ModelError for one that does not load."""
    if name == DEFAULT_READER:
        check_memory()
    result = load_reader(name, device=device)
    if result.reader is None:
        raise ModelError(
            f"the emotion reader {name!r} cannot be used: {result.problem}; "
            f"{'reinstall kelly-live' if name == DEFAULT_READER else 'choose another with --reader'}"
        )
    return result.reader


def _find_fault(reader: object) -> str:
    """Return which rule of the contract a reader breaks, "" if none."""
    lacking = [name for name in _METHODS if not callable(getattr(reader, name, None))]
    if lacking:
        return f"is not an emotion reader: it lacks {' and '.join(f'`{name}`' for name in lacking)}"
    rate, hop = getattr(reader, "sample_rate", None), getattr(reader, "hop_seconds", None)
    if rate != SAMPLE_RATE:
        return f"has a `sample_rate` of {rate}; it must be {SAMPLE_RATE} Hz"
    seconds = as_number(hop)
    if seconds is None or not 0.0 < seconds <= MAX_HOP_SECONDS:
        return f"has a `hop_seconds` of {hop}; it must be over 0 and at most {MAX_HOP_SECONDS:g}"
    return ""
