"""Every input that is shown is heard, at the level it is played at; limits of sound files are said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kelly_live.audio import devices
from kelly_live.audio.decode import AudioFile, read_blocks
from kelly_live.audio.portaudio_source import PortAudioSource
from kelly_live.core.errors import AudioError, ConfigError
from kelly_live.core.input_mix import ALL_CHANNELS, InputMix, format_channels, parse_channels
from kelly_live.core.level import rms_dbfs
from tests.audio.fake_portaudio import DrivenClock, FakePortAudio
from tests.audio.tones import tone
from tests.field.command_line import run_command

RATE = 48_000
TONE_DBFS = -9.0  # a sine of amplitude .5


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock()


def open_interface(
    monkeypatch: pytest.MonkeyPatch, clock: DrivenClock, channels: int, mix: InputMix = ALL_CHANNELS
) -> tuple[PortAudioSource, FakePortAudio]:
    fake = FakePortAudio([("interface", "Test", channels, RATE)])
    monkeypatch.setattr(devices, "portaudio", lambda: fake)
    source = PortAudioSource(None, clock, mix=mix)
    source.start()
    return source, fake


def hear(source: PortAudioSource, fake: FakePortAudio, sound: np.ndarray) -> float:
    """Return the level in dBFS at which the second half of `sound` is heard."""
    first, second = np.split(sound, 2)
    fake.streams[0].deliver(first)
    source.read(0.0)
    fake.streams[0].deliver(second)
    window = source.read(0.0)
    assert window is not None
    return rms_dbfs(window.samples)


def play_on(channel: int, channels: int) -> np.ndarray:
    sound = np.zeros((2 * RATE, channels), np.float32)
    sound[:, channel - 1] = tone(440.0, RATE, seconds=2.0)[:, 0]
    return sound


@pytest.mark.parametrize(("channel", "channels"), [(1, 1), (2, 2), (1, 8), (9, 32), (20, 32), (64, 64)])
def test_one_live_input_among_silent_ones_is_heard_at_its_level(
    monkeypatch: pytest.MonkeyPatch, clock: DrivenClock, channel: int, channels: int
) -> None:
    source, fake = open_interface(monkeypatch, clock, channels)
    assert hear(source, fake, play_on(channel, channels)) == pytest.approx(TONE_DBFS, abs=0.1)
    assert source.health().inputs == ((channel,) if channels > 2 else ())


def test_two_inputs_in_antiphase_do_not_cancel(monkeypatch: pytest.MonkeyPatch, clock: DrivenClock) -> None:
    source, fake = open_interface(monkeypatch, clock, 2)
    balanced = tone(440.0, RATE, seconds=2.0, channels=2) * np.array([1.0, -1.0], np.float32)
    assert hear(source, fake, balanced) == pytest.approx(TONE_DBFS, abs=0.1)


def test_a_stereo_sound_is_still_the_mean_of_both(monkeypatch: pytest.MonkeyPatch, clock: DrivenClock) -> None:
    source, fake = open_interface(monkeypatch, clock, 2)
    noise = np.random.default_rng(1).normal(0.0, 0.1, (2 * RATE, 2)).astype(np.float32)
    fake.streams[0].deliver(noise)
    window = source.read(0.0)
    other, other_fake = open_interface(monkeypatch, clock, 1)
    other_fake.streams[0].deliver(noise.mean(axis=1, keepdims=True, dtype=np.float32))
    mono = other.read(0.0)
    assert window is not None
    assert mono is not None
    np.testing.assert_array_equal(window.samples, mono.samples)


def test_the_named_input_is_heard_and_no_other(monkeypatch: pytest.MonkeyPatch, clock: DrivenClock) -> None:
    source, fake = open_interface(monkeypatch, clock, 18, InputMix(channels=(2,)))
    assert source.inputs == "input 2 of 18"
    stream_channels = fake.streams[0].channels
    assert hear(source, fake, play_on(1, stream_channels)) < -100.0
    assert hear(source, fake, play_on(2, stream_channels)) == pytest.approx(TONE_DBFS, abs=0.1)


def test_a_gain_makes_a_quiet_input_louder(monkeypatch: pytest.MonkeyPatch, clock: DrivenClock) -> None:
    source, fake = open_interface(monkeypatch, clock, 2, InputMix(gain_db=20.0))
    quiet = tone(440.0, RATE, seconds=2.0, channels=2, amplitude=0.05)
    assert hear(source, fake, quiet) == pytest.approx(TONE_DBFS, abs=0.1)
    assert source.inputs == "+20 dB"


def test_an_input_that_the_interface_lacks_is_one_line(monkeypatch: pytest.MonkeyPatch, clock: DrivenClock) -> None:
    with pytest.raises(AudioError, match="has 2 channels, and no channel 3; give --audio-channels 1 to 2"):
        open_interface(monkeypatch, clock, 2, InputMix(channels=(1, 3)))


def test_past_the_limit_of_a_large_interface_its_inputs_can_be_named(
    monkeypatch: pytest.MonkeyPatch, clock: DrivenClock
) -> None:
    source, _ = open_interface(monkeypatch, clock, 128)
    assert source.inputs == "inputs 1-64 of 128"
    source, fake = open_interface(monkeypatch, clock, 128, InputMix(channels=(100,)))
    assert hear(source, fake, play_on(100, fake.streams[0].channels)) == pytest.approx(TONE_DBFS, abs=0.1)


@pytest.mark.parametrize(
    ("text", "channels"), [("2", (2,)), ("1,2", (1, 2)), (" 3 , 1 ", (3, 1)), ("1-3,7", (1, 2, 3, 7))]
)
def test_channels_are_typed_as_musicians_count_them(text: str, channels: tuple[int, ...]) -> None:
    assert parse_channels(text) == channels
    assert parse_channels(format_channels(channels)) == channels


@pytest.mark.parametrize("text", ["0", "-1", "1,1", "2-1", "1-2-3", "x", "", "1,", "1025", "1-65", "1.5", "٣"])
def test_what_names_no_channel_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="channel"):
        parse_channels(text)


def write_sound(path: Path, frames: np.ndarray, rate: int = 16_000) -> Path:
    soundfile.write(path, frames, rate)
    return path


def test_files_are_mixed_as_inputs_are(tmp_path: Path) -> None:
    frames = np.zeros((32_000, 18), np.float32)
    frames[:, 11] = tone(440.0, 16_000, seconds=2.0)[:, 0]
    path = write_sound(tmp_path / "eighteen.wav", frames)
    assert rms_dbfs(list(read_blocks(path))[-1]) == pytest.approx(TONE_DBFS, abs=0.2)
    with AudioFile(path, mix=InputMix(channels=(1,))) as file:
        assert rms_dbfs(list(file.blocks())[-1]) < -100.0


def test_hours_in_a_small_file_and_a_thousand_channels_are_asked_for(tmp_path: Path) -> None:
    long = write_sound(tmp_path / "two-hours.flac", np.zeros(2 * 3600 * 1000, np.int16), rate=1000)
    wide = write_sound(tmp_path / "wide.wav", np.zeros((100, 1024), np.int16))
    assert long.stat().st_size < 1_000_000
    for path, rule in ((long, "120 minutes long; the limit is 60"), (wide, "has 1024 channels")):
        result = run_command("render", path, "--midi", tmp_path / "out.mid", "--profile", "none")
        assert result.code == 1
        assert rule in result.errors
        assert "--" in result.errors  # the option that allows it
        assert not (tmp_path / "out.mid").exists()
    AudioFile(long, max_minutes=121.0).close()
    AudioFile(wide, mix=InputMix(channels=(1024,))).close()
