"""The clips that the open models learn from: only data whose licences allow any use.

No file of other data is read, apart from the lines of EmoDB (CC0) in the manifest that it shares with other sets.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.manifest import Clip, read_manifest
from kelly_live.lab.corpora.open_music import gather_open_music

VOICES = ("crema_d", "emogator")  # archives in `open/`, each with a manifest of its own
OPEN_DATASETS = (*VOICES, "emodb", "openscore", "pop909")
SONGS = {"openscore": 240, "pop909": 330}  # of each corpus
# How often a data set's clips are drawn. Bursts and speech hardly transfer to each other (a regression on one scores
# .28 and .38 on the other), so bursts have under a third of the voices' share.
SHARES = {"crema_d": 0.34, "emodb": 0.08, "emogator": 0.18, "openscore": 0.14, "pop909": 0.26}


def extract_archive(archive: Path, folder: Path) -> Path:
    """Extract a tar archive into `folder` unless it is there; return the folder. Raises ConfigError."""
    if not folder.is_dir():
        if not archive.is_file():
            raise ConfigError(f"{archive} is missing; --data names the folder that holds open/, emotion/ and cultures/")
        part = folder.with_name(f".{folder.name}.part")
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
        part.replace(folder)
    return folder


def gather_open_voices(data: Path, cache: Path) -> list[Clip]:
    """Read the clips of CREMA-D, EmoGator and EmoDB; the archives are extracted into the cache. Raises ConfigError."""
    clips: list[Clip] = []
    for name in VOICES:
        folder = extract_archive(data / "open" / f"{name}.tar", cache / "open" / name)
        clips += [clip for clip in read_manifest(folder / "manifest.jsonl") if clip.emotions is not None]
    return clips + read_manifest(data / "emotion" / "manifest.jsonl", ("emodb",))


def gather_open_clips(data: Path, cache: Path, log: Callable[[str], None]) -> list[Clip]:
    """Read all clips that the open models learn from. Raises ConfigError."""
    return gather_open_voices(data, cache) + gather_open_music(data, cache, SONGS, log)
