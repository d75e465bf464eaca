"""The songs of POP909: where they are, and their notes and beats."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.engine.audio_input import read_note_file
from kelly_live.lab.corpora.pieces import HELD_OUT

TRAINING_PLACE = 3  # of HELD_OUT songs; that at 0 is held out


@dataclass(frozen=True, slots=True)
class NoteSong:
    """A song's messages and annotated beats, both in seconds."""

    name: str
    beats: tuple[float, ...]
    messages: tuple[ReceivedMessage, ...]


def extract_pop909(corpora: Path, cache: Path) -> Path:
    """Extract the archive into the cache unless it is there; return its folder. Raises ConfigError."""
    folder, archive = cache / "follow" / "pop909", corpora / "pop909-index.tar.xz"
    if not folder.is_dir():
        if not archive.is_file():
            raise ConfigError(f"{archive} is missing; --corpora names the folder of the cultures' corpora")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    return folder


def list_songs(folder: Path, annotation: str = "beat_midi.txt") -> list[Path]:
    """List the folders of the songs that have an annotation, in order."""
    return sorted(path.parent for path in folder.glob(f"*/POP909/*/{annotation}"))


def choose_songs(songs: list[Path], *, held_out: bool, every: int = 1) -> list[Path]:
    """Choose songs to train tempo tracking on, or those that nothing was trained or measured on before."""
    if held_out:  # of those held out, chords are measured on every other one, and every 15th song has been used
        return [song for n, song in enumerate(songs) if n % (2 * HELD_OUT) == HELD_OUT and n % 15 != 0]
    return [song for n, song in enumerate(songs) if n % HELD_OUT == TRAINING_PLACE][::every]


def read_beats(song: Path) -> tuple[float, ...]:
    """Read a song's annotated beats, in seconds."""
    return tuple(float(line.split()[0]) for line in (song / "beat_midi.txt").read_text().splitlines() if line.strip())


def read_note_song(song: Path) -> NoteSong:
    """Read a song's notes and beats. Raises AudioError."""
    return NoteSong(song.name, read_beats(song), tuple(read_note_file(song / f"{song.name}.mid")))
