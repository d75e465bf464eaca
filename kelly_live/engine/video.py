"""What a composition has to do with a film: its length, and a copy of it with the music as its sound.

Both are left to ffmpeg, where it is installed; nothing of the picture or the sound is read here.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from kelly_live.core.errors import ConfigError, OutputError
from kelly_live.core.numbers import quote_value
from kelly_live.core.termination import temporary_folder

_PROBE_SECONDS, _MIX_SECONDS = 60.0, 900.0
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_SUFFIX = "-music"  # of the copy: film.mp4 -> film-music.mp4


def read_duration(video: Path) -> float:
    """Return a video's duration in seconds, as ffprobe (else ffmpeg) tells it. Raises ConfigError."""
    if not video.is_file():
        raise ConfigError(f"the video {quote_value(str(video))} is no file; check its name")
    seconds = _ask_ffprobe(video) if shutil.which("ffprobe") is not None else _ask_ffmpeg(video)
    if seconds is None or not seconds > 0.0:
        raise ConfigError(
            f"ffmpeg finds no duration in {quote_value(str(video))}; name a video, or say --length 1:23.5"
        )
    return seconds


def _ask_ffprobe(video: Path) -> float | None:
    run = _run(["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "json", str(video.resolve())])
    try:
        return float(json.loads(run.stdout)["format"]["duration"])
    except (ValueError, KeyError, TypeError):
        return None


def _ask_ffmpeg(video: Path) -> float | None:
    if shutil.which("ffmpeg") is None:
        raise ConfigError(
            "neither ffprobe nor ffmpeg is installed, and --video asks them how long it is; install ffmpeg, or say "
            "--length 1:23.5"
        )
    match = _DURATION.search(_run(["ffmpeg", "-hide_banner", "-nostdin", "-i", str(video.resolve())]).stderr)
    return None if match is None else 3600.0 * int(match[1]) + 60.0 * int(match[2]) + float(match[3])


def choose_mix(video: Path) -> Path | None:
    """Return where a video's copy with the music goes, beside it; None where ffmpeg is not installed."""
    return video.with_name(f"{video.stem}{_SUFFIX}{video.suffix}") if shutil.which("ffmpeg") is not None else None


def write_mix(video: Path, wav: Path, mix: Path) -> None:
    """Write a copy of a video whose sound is a WAV, no longer than the picture, which is copied. Raises OutputError."""
    with temporary_folder() as folder:
        whole = Path(folder) / f"mix{mix.suffix}"
        run = _run([
            "ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error", "-y",
            "-i", str(video.resolve()), "-i", str(wav.resolve()),
            "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-shortest", str(whole),
        ], seconds=_MIX_SECONDS)  # fmt: skip
        if run.returncode != 0 or not whole.is_file():
            last = (run.stderr.strip().splitlines() or ["no message"])[-1][:200]
            raise OutputError(f"ffmpeg could not write {str(mix)!r} ({last}); the WAV has the same music")
        try:
            shutil.move(whole, mix)
        except OSError as error:
            raise OutputError(f"cannot write {str(mix)!r} ({error.strerror}); check its folder") from error


def _run(command: Sequence[str], *, seconds: float = _PROBE_SECONDS) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{command[0]} does not answer ({type(error).__name__}); try it by hand") from error
