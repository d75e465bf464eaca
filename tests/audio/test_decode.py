"""Every file that a user may name: the sound in it, or one clear line."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kelly_live.audio.decode import open_audio, read_blocks
from kelly_live.core.errors import AudioError
from kelly_live.core.level import rms_dbfs
from tests.audio.tones import frequency_of, tone

FORMATS = {
    "wav": {},
    "flac": {},
    "ogg": {"format": "OGG", "subtype": "VORBIS"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {"format": "MP3"},
}


def write(path: Path, frames: np.ndarray, rate: int = 48_000, **options: str) -> Path:
    soundfile.write(path, frames, rate, **options)
    return path


def read_all(path: Path) -> np.ndarray:
    return np.concatenate(list(read_blocks(path)))


def one_line(error: pytest.ExceptionInfo[AudioError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("extension", FORMATS)
def test_every_format_gives_the_tone_back(tmp_path: Path, extension: str) -> None:
    path = write(tmp_path / f"a.{extension}", tone(440.0, 48_000, seconds=2.0, channels=2), **FORMATS[extension])
    samples = read_all(path)
    assert len(samples) == pytest.approx(32_000, abs=1_200)
    assert frequency_of(samples, 16_000) == pytest.approx(440.0, abs=1.0)
    assert rms_dbfs(samples[2_000:-2_000]) == pytest.approx(-9.03, abs=0.3)


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
def test_every_rate_and_channel_count(tmp_path: Path, rate: int, channels: int) -> None:
    path = write(tmp_path / "a.wav", tone(440.0, rate, seconds=0.5, channels=channels), rate)
    with open_audio(path) as file:
        assert (file.native_rate, file.channels, file.duration_seconds) == (rate, channels, 0.5)
    assert frequency_of(read_all(path), 16_000) == pytest.approx(440.0, abs=1.0)


def test_blocks_have_the_size_asked_for_and_the_last_is_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(440.0, 48_000, seconds=1.1))
    assert [len(block) for block in read_blocks(path, 16_000, 0.25)] == [4_000] * 4 + [1_600]


def test_memory_stays_small_however_long_the_file(tmp_path: Path) -> None:
    """20 minutes, 77 MB as 16 kHz float32, pass through 25 MB at most."""
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 48_000, 1) as file:
        for _ in range(60):
            file.write(np.zeros((20 * 48_000, 1), np.float32))
    code = (
        "import resource, sys; from kelly_live.audio.decode import read_blocks\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "blocks = read_blocks(sys.argv[1]); next(blocks); before = peak()\n"
        "seconds = sum(len(b) for b in blocks) / 16000; print(seconds, peak() - before)"
    )
    result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    seconds, grown_kilobytes = map(float, result.stdout.split())
    assert seconds == pytest.approx(1_200.0, abs=1.0)
    assert grown_kilobytes < 25_000


def test_nan_and_infinity_become_silence_and_are_counted(tmp_path: Path) -> None:
    frames = tone(440.0, 48_000, seconds=0.5)
    frames[1_000:1_010] = np.nan
    frames[2_000] = np.inf
    path = write(tmp_path / "a.wav", frames, subtype="FLOAT")
    with open_audio(path) as file:
        samples = np.concatenate(list(file.blocks()))
        assert file.replaced_samples == 11
    assert np.isfinite(samples).all()


def test_clipped_sound_stays_in_range(tmp_path: Path) -> None:
    samples = read_all(
        write(tmp_path / "a.wav", tone(440.0, 44_100, seconds=0.5, amplitude=9.0), 44_100, subtype="FLOAT")
    )
    assert np.abs(samples).max() == 1.0


@pytest.mark.parametrize("rate", [8_000, 48_000, 192_000])
def test_one_sample_is_a_sound(tmp_path: Path, rate: int) -> None:
    samples = read_all(write(tmp_path / "a.wav", np.full((1, 1), 0.5, np.float32), rate))
    assert 1 <= len(samples) <= 2


def test_silence_is_silent(tmp_path: Path) -> None:
    assert rms_dbfs(read_all(write(tmp_path / "a.wav", np.zeros((48_000, 1), np.float32)))) == -120.0


@pytest.mark.parametrize("extension", ["wav", "ogg"])
def test_no_samples_at_all_is_one_line(tmp_path: Path, extension: str) -> None:
    path = write(tmp_path / f"a.{extension}", np.zeros((0, 1), np.float32), **FORMATS[extension])
    with pytest.raises(AudioError, match="holds no sound") as error:
        read_all(path)
    one_line(error)


@pytest.mark.parametrize("extension", FORMATS)
def test_cut_off_file_gives_what_is_there(tmp_path: Path, extension: str) -> None:
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (480_000, 1)).astype(np.float32)
    path = write(tmp_path / f"a.{extension}", noise, **FORMATS[extension])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_audio(path) as file:
        seconds = sum(len(block) for block in file.blocks()) / 16_000
        assert 3.0 < seconds < 5.5
        if extension in ("flac", "mp3"):  # the others' own headers are gone or are read from what is there
            assert file.damage is not None


def test_garbage_in_the_middle_gives_what_came_before(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (480_000, 1)).astype(np.float32)
    path = write(tmp_path / "a.mp3", noise, **FORMATS["mp3"])
    data = bytearray(path.read_bytes())
    data[40_000:60_000] = np.random.default_rng(0).bytes(20_000)
    path.write_bytes(data)
    with open_audio(path) as file:
        assert sum(len(block) for block in file.blocks()) / 16_000 > 3.0
        assert file.damage is not None
    assert capfd.readouterr().err == "", "the MP3 decoder's chatter must not reach the user"


@pytest.mark.parametrize("extension", FORMATS)
def test_only_the_first_bytes_are_left(tmp_path: Path, extension: str) -> None:
    path = write(tmp_path / f"a.{extension}", tone(440.0, 48_000, seconds=1.0), **FORMATS[extension])
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(AudioError) as error:
        read_all(path)
    one_line(error)


@pytest.mark.parametrize("name", ["notes.wav", "notes.mp3", "notes.flac", "notes.raw", "notes"])
def test_text_is_not_sound(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_text("dear diary\n" * 1_000)
    with pytest.raises(AudioError, match=r"reads WAV, FLAC, OGG Vorbis, Opus and MP3: convert it") as error:
        read_all(path)
    assert str(path) in one_line(error)
    assert capfd.readouterr().err == ""


def test_folder_missing_and_empty_name_the_cause(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    for name, cause in {"": "is a folder", "gone.wav": "does not exist", "empty.wav": "0 bytes"}.items():
        with pytest.raises(AudioError, match=cause) as error:
            open_audio(tmp_path / name)
        one_line(error)


def test_name_that_no_file_system_holds(tmp_path: Path) -> None:
    for name in ("a\0b.wav", "x" * 5_000):
        with pytest.raises(AudioError) as error:
            open_audio(tmp_path / name)
        one_line(error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_fifo_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioError, match="not a regular file"):
        open_audio(tmp_path / "pipe.wav")


def test_unreadable_file_says_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.wav", tone(440.0, 48_000, seconds=0.1))
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything: have the system refuse in its own words instead
        monkeypatch.setattr(Path, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(AudioError, match=r"Permission denied.*make it readable") as error:
        open_audio(path)
    one_line(error)
