"""`kelly-live doctor`: one finding a line, none private, and a failure is a finding."""

from pathlib import Path

import pytest

from kelly_live.cli import run_program
from kelly_live.core.errors import MidiError
from kelly_live.engine.diagnosis import diagnose
from kelly_live.midi.backend_registry import LoadedBackends


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder that has the user's name in it."""
    home = tmp_path / "maria"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    (home / ".config" / "kelly-live").mkdir(parents=True)
    return home


def test_every_topic_is_looked_at_and_no_line_says_who_the_user_is() -> None:
    pytest.importorskip("torch")
    findings = list(diagnose())
    topics = {finding.topic for finding in findings}
    assert topics == {"program", "nets", "clock", "real time", "MIDI", "audio", "files"}
    assert not any("maria" in finding.text for finding in findings)
    assert any("~/.config/kelly-live/config.toml: not there" in finding.text for finding in findings)


def test_a_damaged_config_file_is_a_fault_with_its_line(at_home: Path) -> None:
    (at_home / ".config" / "kelly-live" / "config.toml").write_text("midi-out = \n")
    faults = [finding.text for finding in diagnose() if finding.topic == "files" and finding.is_fault]
    assert len(faults) == 1
    assert "line 1" in faults[0]


def test_a_check_that_fails_is_a_finding_and_the_others_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise MidiError("no MIDI library can be loaded; install one: pip install python-rtmidi")

    monkeypatch.setattr("kelly_live.midi.backend_registry.load_backends", fail)
    findings = list(diagnose())
    assert [finding.text for finding in findings if finding.topic == "MIDI" and finding.is_fault] == [
        "no MIDI library can be loaded; install one: pip install python-rtmidi"
    ]
    assert findings[-1].topic == "files"


def test_that_no_midi_system_runs_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    backends = [LoadedBackends("rtmidi", ()), LoadedBackends("other", (), "it is broken")]
    monkeypatch.setattr("kelly_live.midi.backend_registry.load_backends", lambda: backends)
    said = [(finding.text.partition(":")[0], finding.is_fault) for finding in diagnose() if finding.topic == "MIDI"]
    assert said == [("other", False), ("no MIDI system runs here", True)]


def test_ports_are_counted_and_named_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sounddevice")
    from kelly_live.audio.devices import AudioDevice

    device = AudioDevice(0, "Maria's AirPods", "Core Audio", 1, 48000, is_default=True)
    monkeypatch.setattr("kelly_live.audio.devices.list_inputs", lambda: [device])
    monkeypatch.setattr("kelly_live.audio.devices.list_outputs", list)

    def texts(**options: bool) -> list[str]:
        return [finding.text for finding in diagnose(**options) if finding.topic == "audio"]

    assert "1 input" in texts()
    assert "0 outputs; --sound needs one" in texts()
    assert '1 input: "Maria\'s AirPods"' in texts(with_names=True)


def test_an_output_that_cannot_be_opened_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    sounddevice = pytest.importorskip("sounddevice")
    from kelly_live.audio.devices import AudioDevice

    def refuse(*settings: object) -> None:
        raise sounddevice.PortAudioError("Device unavailable", -9985)

    speakers = AudioDevice(0, "Speakers", "ALSA", 2, 48000, is_default=True)
    monkeypatch.setattr("kelly_live.audio.devices.list_outputs", lambda: [speakers])
    monkeypatch.setattr(sounddevice, "check_output_settings", refuse)
    faults = [finding.text for finding in diagnose() if finding.topic == "audio" and finding.is_fault]
    assert any("the audio output 'Speakers' cannot be used: another program holds it" in fault for fault in faults)


def test_the_command_marks_what_fails(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kelly_live.audio.devices.list_inputs", lambda: [])
    assert run_program(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "ok  program:   kelly-live" in out
    assert "!!  audio:     none can be heard" in out
