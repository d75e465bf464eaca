"""A film's length and its copy with the music, by programs that stand in for ffprobe and ffmpeg."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError, OutputError
from kelly_live.engine.video import choose_mix, read_duration, write_mix

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"pictures")
    return film


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> None:
    """Let only these programs be found, each a line of shell."""
    path = folder / "bin"
    path.mkdir()
    for name, line in programs.items():
        (path / name).write_text(f"#!/bin/sh\n{line}\n")
        (path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(path))


def test_ffprobe_tells_the_length(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, ffprobe="""echo '{"format": {"duration": "83.500000"}}'""")
    assert read_duration(film) == 83.5
    assert choose_mix(film) is None


def test_ffmpeg_tells_it_where_ffprobe_is_missing(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, ffmpeg="echo '  Duration: 00:01:23.50, start: 0.000000' >&2; exit 1")
    assert read_duration(film) == 83.5
    assert choose_mix(film) == tmp_path / "film-music.mp4"


def test_without_either_the_error_says_what_to_do(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch)
    with pytest.raises(ConfigError, match="install ffmpeg, or say --length"):
        read_duration(film)
    with pytest.raises(ConfigError, match="is no file"):
        read_duration(tmp_path / "none.mp4")


@pytest.mark.parametrize("answer", ["echo '{}'", "echo nonsense", "exit 1", "echo '[1]'"])
def test_a_file_without_a_length_is_refused(
    tmp_path: Path, film: Path, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, ffprobe=answer)
    with pytest.raises(ConfigError, match="finds no duration"):
        read_duration(film)


def test_the_copy_is_written_whole_or_not_at_all(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = shlex.quote(sys.executable)
    last = f"""{python} -c 'import sys; open(sys.argv[-1], "w").write("film and music")' "$@" """
    install(tmp_path, monkeypatch, ffmpeg=last)
    wav, mix = tmp_path / "music.wav", tmp_path / "film-music.mp4"
    wav.write_bytes(b"music")
    write_mix(film, wav, mix)
    assert mix.read_text() == "film and music"
    mix.unlink()
    (tmp_path / "bin" / "ffmpeg").write_text("#!/bin/sh\necho 'codec not found' >&2\nexit 1\n")
    with pytest.raises(OutputError, match=r"codec not found.*the WAV has the same music"):
        write_mix(film, wav, mix)
    assert not mix.exists()
