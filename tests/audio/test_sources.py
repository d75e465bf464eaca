"""Sound arrives whole, on time and counted; a lost device is never a hang."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kelly_live.audio import devices, portaudio_source
from kelly_live.audio.portaudio_source import PortAudioSource
from kelly_live.audio.sources import FileSource, ScriptedSource, SilenceSource, ToneSource
from kelly_live.core.errors import AudioError, ConfigError
from kelly_live.core.protocols import AudioSource
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import AudioWindow
from tests.audio.fake_portaudio import DrivenClock, FakePortAudio
from tests.audio.tones import frequency_of, tone

RATE = 48_000
BLOCK = 480  # 10 ms


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    fake = FakePortAudio([("Mic", "Test", 2, RATE)])
    monkeypatch.setattr(devices, "portaudio", lambda: fake)
    return fake


@pytest.fixture
def clock() -> DrivenClock:
    return DrivenClock()


def open_source(portaudio: FakePortAudio, clock: DrivenClock, frames: np.ndarray | None = None, **options: float):
    """A started source whose device delivers `frames` in blocks of 10 ms, each at the time of its end."""
    source = PortAudioSource(None, clock, **options)
    source.start()
    stream = portaudio.streams[-1]
    for start in range(0, 0 if frames is None else len(frames), BLOCK):
        block = frames[start : start + BLOCK]
        clock.agenda.append(((start + BLOCK) / RATE, lambda block=block: stream.deliver(block)))
    return source, stream


def read_windows(source: AudioSource, seconds: float, timeout: float = 0.05) -> Iterator[AudioWindow]:
    clock = source._clock
    while clock.now() < seconds:
        if (window := source.read(timeout)) is not None:
            yield window


def test_a_tone_through_a_device(portaudio: FakePortAudio, clock: DrivenClock) -> None:
    source, _ = open_source(portaudio, clock, tone(440.0, RATE, seconds=1.0, channels=2))
    delivered = list(read_windows(source, 1.0))
    samples = np.concatenate([window.samples for window in delivered])
    assert frequency_of(samples, 16_000) == pytest.approx(440.0, abs=1.0)
    assert len(samples) / 16_000 > 0.95
    assert source.health().level_dbfs == pytest.approx(-9.03, abs=0.5)
    ends = [window.end_time for window in delivered]
    assert ends == sorted(ends)
    for n, window in enumerate(delivered):  # the stamp is the true time of the last sample
        position = sum(len(w.samples) for w in delivered[: n + 1]) / 16_000
        assert window.end_time == pytest.approx(position, abs=1e-3)


def test_the_device_is_opened_as_it_is(monkeypatch: pytest.MonkeyPatch, clock: DrivenClock) -> None:
    fake = FakePortAudio([("Big mixer", "Test", 18, 96_000)])
    monkeypatch.setattr(devices, "portaudio", lambda: fake)
    PortAudioSource("mixer", clock).start()
    assert (fake.streams[0].channels, fake.streams[0].rate) == (18, 96_000)


@pytest.mark.parametrize(
    ("refusals", "expected"),
    [
        ({}, (2, 48_000)),
        ({(2, 48_000): -9997}, (2, 44_100)),
        ({(2, rate): -9998 for rate in (48_000, 44_100, 16_000)}, (1, 48_000)),
    ],
)
def test_a_refused_format_falls_back(
    portaudio: FakePortAudio, clock: DrivenClock, refusals: dict, expected: tuple[int, int]
) -> None:
    portaudio.refusals = refusals
    PortAudioSource(None, clock).start()
    assert (portaudio.streams[0].channels, portaudio.streams[0].rate) == expected


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"open_error": -9985}, "another program holds it"),
        ({"refusals": {(c, r): -9997 for c in (1, 2) for r in (48_000, 44_100, 16_000)}}, "usable sample rate"),
        ({"rows": []}, "no audio input on this machine"),
    ],
)
def test_what_cannot_be_opened_is_one_line(
    portaudio: FakePortAudio, clock: DrivenClock, setting: dict, words: str
) -> None:
    for name, value in setting.items():
        setattr(portaudio, name, value)
    source = PortAudioSource(None, clock)
    with pytest.raises(AudioError, match=words):
        source.start()
    source.close()


def test_nothing_new_is_none_after_the_timeout(portaudio: FakePortAudio, clock: DrivenClock) -> None:
    source, _ = open_source(portaudio, clock)
    assert source.read(0.5) is None
    assert clock.now() == pytest.approx(0.5)
    assert source.read(0.0) is None


def test_a_slow_reader_gets_the_newest_sound_and_the_loss_is_counted(
    portaudio: FakePortAudio, clock: DrivenClock
) -> None:
    source, stream = open_source(portaudio, clock, buffer_seconds=1.0)
    for n in range(300):  # 3 s into a ring of 1 s
        stream.deliver(np.full((BLOCK, 2), n / 300, np.float32))
    window = source.read(0.0)
    assert window is not None
    assert window.samples[8_000] > 0.8
    assert source.health().dropped_seconds == pytest.approx(2.0)
    assert source.health().overflows == 1


def test_portaudio_overflow_flags_are_counted(portaudio: FakePortAudio, clock: DrivenClock) -> None:
    source, stream = open_source(portaudio, clock)
    for overflow in (False, True, True):
        stream.deliver(np.zeros((BLOCK, 2), np.float32), overflow)
    assert source.health().overflows == 2


def test_the_delay_of_the_input_is_what_its_driver_says(portaudio: FakePortAudio, clock: DrivenClock) -> None:
    source, stream = open_source(portaudio, clock)
    stream.deliver(np.zeros((BLOCK, 2), np.float32))
    assert source.health().delay_seconds is None
    stream.deliver(np.zeros((BLOCK, 2), np.float32), age_seconds=BLOCK / RATE + 0.012)
    assert source.health().delay_seconds == pytest.approx(0.012)


def test_not_a_number_from_the_device_is_silence(portaudio: FakePortAudio, clock: DrivenClock) -> None:
    source, stream = open_source(portaudio, clock)
    for _ in range(20):
        stream.deliver(np.full((BLOCK, 2), np.nan, np.float32))
    window = source.read(0.0)
    assert window is not None
    assert not window.samples.any()
    assert source.replaced_samples == 20 * BLOCK * 2
    assert source.health().level_dbfs == -120.0


def test_a_device_that_falls_silent_is_an_error_after_2_s(portaudio: FakePortAudio, clock: DrivenClock) -> None:
    source, stream = open_source(portaudio, clock, np.zeros((RATE, 2), np.float32))
    with pytest.raises(AudioError, match=r"nothing came for 2.0 s.*plug it in again"):
        list(read_windows(source, 60.0))
    assert clock.now() == pytest.approx(3.0, abs=0.05)
    assert stream.closed
    with pytest.raises(AudioError, match="not open"):
        source.read(0.0)


def test_a_stream_that_stops_is_an_error_after_its_last_sound(portaudio: FakePortAudio, clock: DrivenClock) -> None:
    source, stream = open_source(portaudio, clock)
    for _ in range(20):
        stream.deliver(np.zeros((BLOCK, 2), np.float32))
    stream.active = False
    assert source.read(0.0) is not None
    with pytest.raises(AudioError, match=r"its stream has stopped"):
        source.read(0.0)


def test_a_slow_reader_is_not_taken_for_a_dead_device(portaudio: FakePortAudio, clock: DrivenClock) -> None:
    source, stream = open_source(portaudio, clock)
    clock.advance(60.0)
    stream.deliver(np.zeros((2 * RATE, 2), np.float32))
    assert source.read(0.0) is not None
    assert source.read(0.0) is None


def test_close_does_not_hang_on_a_portaudio_that_does(
    portaudio: FakePortAudio, clock: DrivenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PortAudio's JACK back end does when the server was killed."""
    monkeypatch.setattr(portaudio_source, "_CLOSE_SECONDS", 0.05)
    source, stream = open_source(portaudio, clock)
    release = threading.Event()
    stream.on_close = lambda: release.wait(30)
    source.close()
    source.close()
    assert not stream.closed
    release.set()


def test_reading_before_the_start_is_an_error(clock: DrivenClock) -> None:
    with pytest.raises(AudioError, match="not open"):
        PortAudioSource(None, clock).read(0.0)


def test_a_file_as_fast_as_asked(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440.0, RATE, seconds=1.02), RATE)
    clock = ManualClock(start=100.0)
    source = FileSource(tmp_path / "a.wav", clock, realtime=False)
    source.start()
    delivered = []
    while not source.is_finished:
        delivered.append(source.read(0.0))
    assert [len(window.samples) for window in delivered] == [800] * 20 + [320]
    assert [window.end_time for window in delivered] == pytest.approx([100.05 + 0.05 * n for n in range(20)] + [101.02])
    assert clock.now() == 100.0
    assert source.read(0.0) is None
    assert (source.duration_seconds, source.damage, source.replaced_samples) == (1.02, None, 0)
    source.close()
    source.close()


def test_a_file_in_real_time_keeps_to_the_clock(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440.0, RATE, seconds=0.2), RATE)
    clock = ManualClock()
    source = FileSource(tmp_path / "a.wav", clock, realtime=True, block_seconds=0.1)
    source.start()
    assert source.read(0.06) is None
    assert clock.now() == pytest.approx(0.06)
    first = source.read(0.06)
    assert first is not None
    assert clock.now() == first.end_time == pytest.approx(0.1)
    clock.advance(5.0)  # a reader that was away gets the rest at once, with the times it was due
    second = source.read(0.06)
    assert second is not None
    assert second.end_time == pytest.approx(0.2)
    assert source.is_finished


def test_a_file_without_sound_fails_at_the_start(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 1)), RATE)
    for name in ("a.wav", "gone.wav"):
        source = FileSource(tmp_path / name, ManualClock(), realtime=True)
        with pytest.raises(AudioError):
            source.start()
        source.close()


def test_a_script_is_played_then_ends_or_fails() -> None:
    samples = np.arange(2_000, dtype=np.float32) / 2_000
    source = ScriptedSource(samples, ManualClock())
    source.start()
    delivered = [source.read(0.0) for _ in range(3)]
    assert source.is_finished
    np.testing.assert_array_equal(np.concatenate([window.samples for window in delivered]), samples)

    source = ScriptedSource(samples[:800], ManualClock(), failure=AudioError("pulled out"))
    source.start()
    assert source.read(0.0) is not None
    assert not source.is_finished
    with pytest.raises(AudioError, match="pulled out"):
        source.read(0.0)


def test_tone_and_silence() -> None:
    source = ToneSource(440.0, ManualClock(), seconds=1.0)
    source.start()
    samples = np.concatenate([source.read(0.0).samples for _ in range(20)])
    assert source.is_finished
    assert frequency_of(samples, 16_000) == pytest.approx(440.0, abs=1.0)

    endless = SilenceSource(ManualClock(), realtime=True)
    endless.start()
    for _ in range(100):
        assert not endless.read(1.0).samples.any()
    assert not endless.is_finished
    assert endless.health().level_dbfs == -120.0


def test_a_block_of_no_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="over 0"):
        ScriptedSource(np.zeros(10), ManualClock(), block_seconds=0.0)
