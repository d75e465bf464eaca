"""A job: one file to analyze or to accompany, or one piece to compose, with its settings.

Jobs cross to other processes, so their fields hold what `workers.framing` has a schema for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from kelly_live import __version__
from kelly_live.core.errors import AudioError, OutputError
from kelly_live.core.resources import find_resources
from kelly_live.engine.build import choose_profile
from kelly_live.engine.options.audio import SoundFileOptions
from kelly_live.engine.options.commands import ComposeOptions, RenderOptions
from kelly_live.engine.options.piece import FILE_SUFFIXES
from kelly_live.profiles.store import ProfileStore
from kelly_live.workers.framing import encode_payload


class AnalyzeJob(msgspec.Struct, frozen=True, tag="analyze"):
    """Read the emotion in a sound file."""

    path: Path
    sound: SoundFileOptions
    device: str
    reader: str
    words: str | None = None  # the language that names the feeling


class RenderJob(msgspec.Struct, frozen=True, tag="render"):
    """Accompany a recording.

    `target`: the files to write, without their suffixes; `formats`: names of FILE_SUFFIXES.
    """

    path: Path
    options: RenderOptions
    target: Path
    formats: tuple[str, ...]


class ComposeJob(msgspec.Struct, frozen=True, tag="compose"):
    """Compose a piece; `path`: its name. `target` and `formats` as of a RenderJob."""

    path: Path
    options: ComposeOptions
    target: Path
    formats: tuple[str, ...]


Job = AnalyzeJob | RenderJob | ComposeJob


def name_job(job: Job) -> str:
    r"""Return the path of a job as text; bytes of a name that is not UTF-8 become `\udce9`."""
    return str(job.path).encode(errors="backslashreplace").decode()


def list_targets(job: Job) -> dict[str, Path]:
    """List the files that a job writes, by format."""
    if isinstance(job, AnalyzeJob):
        return {}
    return {name: job.target.with_name(job.target.name + FILE_SUFFIXES[name]) for name in job.formats}


def check_targets(jobs: Sequence[Job]) -> None:
    """Refuse jobs of which one writes over a file that one of them reads. Raises OutputError."""
    sources = {(status.st_dev, status.st_ino) for job in jobs if (status := _read_status(job.path)) is not None}
    for target in (target for job in jobs for target in list_targets(job).values()):
        status = _read_status(target)
        if status is not None and (status.st_dev, status.st_ino) in sources:
            raise OutputError(f"cannot write {str(target)!r}: it is a file that is read; name another folder")


def _read_status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):  # it is not there, or has no name that a file can have
        return None


def identify_job(job: Job) -> str:
    """Return 32 hexadecimal digits that change with whatever the result depends on.

    That is the version, the models, the settings, the profile and the file's content. Raises AudioError if the file
    cannot be read, ConfigError if the models or the profile are not there.
    """
    digest = hashlib.blake2b(encode_payload((__version__, digest_models(), job)), digest_size=16)
    if not isinstance(job, AnalyzeJob):
        store = ProfileStore()
        profile = choose_profile(job.options.profile, store)
        digest.update(b"" if profile is None else store.read(profile))
    if not isinstance(job, ComposeJob):
        try:
            with open(job.path, "rb") as file:
                content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
        except OSError as error:
            raise AudioError(
                f"cannot read {str(job.path)!r} ({error.strerror}); check the name and your rights"
            ) from error
        digest.update(content.digest())
    return digest.hexdigest()


def digest_models() -> str:
    """Return 16 hexadecimal digits that change with the files of the models in use. Raises ConfigError."""
    return _digest_models(find_resources("models"))


@lru_cache(maxsize=8)
def _digest_models(models: Path) -> str:
    files = sorted(path for path in models.iterdir() if path.is_file()) if models.is_dir() else [models]
    digest = hashlib.blake2b(digest_size=8)
    for path in files:
        if path.suffix in (".safetensors", ".json", ".npz"):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
