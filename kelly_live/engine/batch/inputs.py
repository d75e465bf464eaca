"""Find the files of a batch: those that are named, those of a list, and those in folders."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.engine.audio_input import NOTE_FILES

SOUND_FILES = (".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")
STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class BatchInput:
    """A file, and where its results go below the folder of results."""

    path: Path
    place: Path


def find_inputs(
    paths: Sequence[Path],
    *,
    list_file: Path | None = None,
    notes: bool = False,
    written: Collection[Path] = (),
) -> list[BatchInput]:
    """Find the files that are named, those of a list (one path a line), and the sound files in folders, in order.

    `notes`: MIDI files count as sound files. `written`: what an earlier run wrote, resolved; in folders it is left out.
    Raises ConfigError if there is none.
    """
    suffixes = (*SOUND_FILES, *NOTE_FILES) if notes else SOUND_FILES
    named = [*paths, *(() if list_file is None else read_list(list_file))]
    inputs = [one for path in named for one in _expand(path, suffixes, written)]
    if not inputs:
        searched = ", ".join(map(str, named)) or str(list_file)
        raise ConfigError(f"there is no sound file in {searched[:200]}; name files that end in {', '.join(suffixes)}")
    return inputs


def read_list(file: Path) -> list[Path]:
    """Read the paths of a list, one a line; lines that are empty or begin with # are none.

    `file`: STDIN reads the list from there. Raises ConfigError.
    """
    try:
        text = sys.stdin.read() if file == STDIN else file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise ConfigError(f"cannot read the list {str(file)!r} ({error.strerror}); check its name") from error
    if "\0" in text:
        raise ConfigError(f"cannot read the list {str(file)!r} (it is not text); write one path a line")
    lines = (line.strip() for line in text.splitlines())
    return [Path(line) for line in lines if line and not line.startswith("#")]


def name_places(inputs: Sequence[BatchInput]) -> list[Path]:
    """Return where each input's results go: its place without a suffix or, where two are alike, with it."""
    short = [one.place.with_suffix("") for one in inputs]
    counts = Counter(short)
    return [one.place if counts[name] > 1 else name for one, name in zip(inputs, short, strict=True)]


def _expand(path: Path, suffixes: Sequence[str], written: Collection[Path]) -> Iterator[BatchInput]:
    if not path.is_dir():
        yield BatchInput(path, Path(path.name))
        return
    for found in sorted(path.rglob("*")):
        if found.suffix.lower() in suffixes and found.is_file() and not (written and found.resolve() in written):
            yield BatchInput(found, found.relative_to(path))
