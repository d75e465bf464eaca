"""Names come from strangers: any name that the system can open is opened, and none is printed raw."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from kelly_live.audio.decode import read_blocks
from kelly_live.core.wording import escape
from tests.field.command_line import run_command

LATIN_1 = os.fsdecode(b"caf\xe9")
posix_only = pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")


@posix_only
def test_a_sound_file_whose_name_is_not_utf_8_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "plain.wav", np.zeros(9999), 22_050)
    (tmp_path / "plain.wav").rename(tmp_path / f"{LATIN_1}.wav")
    assert sum(map(len, read_blocks(tmp_path / f"{LATIN_1}.wav"))) > 0
    result = run_command("follow", tmp_path / f"{LATIN_1}.wav")
    assert result.code == 0
    assert "caf\\xe9.wav" in result.output


@posix_only
def test_a_recording_with_such_a_name_gives_its_title_to_the_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "plain.wav", np.zeros(16_000), 16_000)
    (tmp_path / "plain.wav").rename(tmp_path / f"{LATIN_1}.wav")
    midi = tmp_path / f"{LATIN_1}.mid"
    result = run_command("render", tmp_path / f"{LATIN_1}.wav", "--midi", midi, "--profile", "none")
    assert result.code == 0, result.errors
    with midi.open("rb") as file:
        assert mido.MidiFile(file=file).tracks[0].name == "Kelly Live: caf\\xe9"


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("\x1b]0;mine\x07", "\\x1b]0;mine\\x07"),
        ("in\nstopped: 0 late", "in\\nstopped: 0 late"),
        ("a\u202eb", "a\\u202eb"),
        (LATIN_1, "caf\\xe9" if os.name == "posix" else LATIN_1),
        ("Gerät 1 → Übung 音", "Gerät 1 → Übung 音"),
    ],
)
def test_no_name_controls_the_terminal(name: str, printed: str) -> None:
    assert escape(name) == printed


def test_an_error_repeats_no_escape_sequence() -> None:
    result = run_command("follow", "a\x1b]0;mine\x07\nkelly-live: fake.wav")
    assert result.code == 1
    assert "\x1b" not in result.errors
    assert len(result.errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("option", "name", "rule"),
    [
        ("--midi", "x.txt", "it would hold MIDI; end the name in .mid"),
        ("--plot", "x.jpg", "it would hold PNG; end the name in .png"),
        ("--wav", "x.mp3", "it would hold WAV; end the name in .wav"),
        ("--midi", "a" * 300 + ".mid", "longer than 255 bytes"),
    ],
)
def test_an_output_name_that_cannot_be_right_is_refused_at_once(
    tmp_path: Path, option: str, name: str, rule: str
) -> None:
    midi = () if option == "--midi" else ("--midi", tmp_path / "x.mid")
    result = run_command("compose", "--emotion", "sad", "--bars", 1, *midi, option, tmp_path / name)
    assert result.code == 1
    assert rule in result.errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_a_full_output_is_a_plain_message() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kelly_live", "presets"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr.startswith("kelly-live: cannot print the result (No space left on device)")


def test_a_peer_that_is_not_installed_is_said_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "isobar" else find_spec(name))
    result = run_command("lab", "bench", "--against", "isobar")
    assert result.code == 2
    assert "isobar is not installed" in result.errors
    assert result.output == ""
