"""Sound files whose header tells another length than the file has: what is there is heard, and what is not is said."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kelly_live.audio.decode import AudioFile
from kelly_live.core.errors import AudioError

RATE, SECONDS = 22050, 4.0
FLAC_TOTAL_SAMPLES_AT = 21  # the low 4 bits of this byte and the 4 bytes after it


def write_sound(file: Path) -> bytearray:
    time = np.arange(round(RATE * SECONDS)) / RATE
    rng = np.random.default_rng(1)  # so that the compressed file is long enough to be cut
    soundfile.write(file, 0.3 * np.sin(2765.0 * time) + 0.05 * rng.standard_normal(len(time)), RATE)
    return bytearray(file.read_bytes())


def read_sound(file: Path) -> tuple[float, str | None]:
    """Return the seconds of sound that are read, and what is said to be wrong."""
    with AudioFile(file) as sound:
        seconds = sum(len(block) for block in sound.blocks()) / 16000.0
        return seconds, sound.damage


def with_sizes(riff: int, data: int) -> Callable[[Path], None]:
    """Return what writes a WAV file whose two sizes are these."""

    def write(file: Path) -> None:
        content = write_sound(file)
        at = content.index(b"data") + 4
        content[4:8], content[at : at + 4] = struct.pack("<I", riff), struct.pack("<I", data)
        file.write_bytes(content)

    return write


def write_flac_of_unknown_length(file: Path) -> None:
    """Write a FLAC file as an encoder does that writes into a pipe."""
    content = write_sound(file)
    content[FLAC_TOTAL_SAMPLES_AT] &= 0xF0
    content[FLAC_TOTAL_SAMPLES_AT + 1 : FLAC_TOTAL_SAMPLES_AT + 5] = bytes(4)
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        pytest.param("pipe.flac", write_flac_of_unknown_length, id="FLAC from a pipe"),
        pytest.param("pipe.wav", with_sizes(0xFFFFFFFF, 0xFFFFFFFF), id="ffmpeg into a pipe"),
        pytest.param("pipe.wav", with_sizes(0x7FFFF024, 0x7FFFF000), id="sox into a pipe"),
        pytest.param("crash.wav", with_sizes(0, 0), id="a recorder that crashed"),
        pytest.param("crash.wav", with_sizes(36, 0), id="a recorder that crashed, with a size of the head"),
    ],
)
def test_a_header_that_does_not_know_the_length_hides_no_sound(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    seconds, damage = read_sound(tmp_path / name)
    assert seconds == pytest.approx(SECONDS, abs=0.2)
    assert damage is None


def test_an_unknown_length_is_still_limited(tmp_path: Path) -> None:
    write_flac_of_unknown_length(tmp_path / "pipe.flac")
    with AudioFile(tmp_path / "pipe.flac", max_minutes=0.03) as sound, pytest.raises(AudioError, match="the limit is"):
        list(sound.blocks())


@pytest.mark.parametrize("suffix", [".wav", ".aiff", ".flac", ".ogg", ".mp3"])
def test_of_half_a_file_the_rest_is_said_to_be_missing(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"half{suffix}"
    content = write_sound(file)
    file.write_bytes(content[: len(content) // 2])
    seconds, damage = read_sound(file)
    assert 0.3 * SECONDS < seconds < 0.7 * SECONDS
    assert damage is not None


def test_an_ogg_file_with_a_hole_says_so(tmp_path: Path) -> None:
    content = write_sound(tmp_path / "hole.ogg")
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(range(1, 101)) * 3
    (tmp_path / "hole.ogg").write_bytes(content)
    seconds, damage = read_sound(tmp_path / "hole.ogg")
    assert seconds < SECONDS - 0.5
    assert damage is not None


def test_a_whole_file_is_whole(tmp_path: Path) -> None:
    for suffix in (".wav", ".aiff", ".flac", ".ogg", ".mp3"):
        write_sound(tmp_path / f"whole{suffix}")
        assert read_sound(tmp_path / f"whole{suffix}")[1] is None, suffix
