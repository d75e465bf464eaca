"""Names come from strangers: any name that the system can open is opened, and none is printed raw."""

from __future__ import annotations

import importlib.util
import logging
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
from kelly_live.cultures import library
from kelly_live.engine.log_setup import set_up_logging
from kelly_live.generators import host_preset
from kelly_live.profiles.store import ProfileStore
from tests.field.command_line import Result, run_command

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
    ("name", "output"),
    [
        ("\x1b]0;mine\x07", "\\x1b]0;mine\\x07"),
        ("in\nstopped: 0 late", "in\\nstopped: 0 late"),
        ("a\u202eb", "a\\u202eb"),
        (LATIN_1, "caf\\xe9" if os.name == "posix" else LATIN_1),
        ("Gerät 1 → Übung 音", "Gerät 1 → Übung 音"),
    ],
)
def test_no_name_controls_the_terminal(name: str, output: str) -> None:
    assert escape(name) == output


HOSTILE = "a\x1b]0;mine\x07\nstopped: fake\u202e"


def is_harmless(result: Result) -> bool:
    """Whether no line was faked, and nothing but printable characters was printed."""
    lines = [*result.output.split("\n"), *result.errors.split("\n")]
    return all(line.isprintable() and not line.startswith("stopped: fake") for line in lines)


@posix_only
@pytest.mark.parametrize(
    "arguments",
    [
        ["presets"],
        ["presets", "--json"],
        ["presets", HOSTILE],
        ["cultures"],
        ["cultures", "--json"],
        ["cultures", HOSTILE],
        ["cultures", "klezmer", "--listen", HOSTILE],
        ["cultures", "klezmer", "--sheet", f"{HOSTILE}.png"],
        ["profile", "create", HOSTILE],
        ["profile", "list"],
        ["profile", "list", "--json"],
        ["profile", "show", HOSTILE],
        ["profile", "import", HOSTILE],
        ["profile", "set", "anna", f"preset={HOSTILE}"],
        ["profile", "export", "anna", f"{HOSTILE}.yaml"],
        ["profile", "use", HOSTILE],
        ["profile", "delete", HOSTILE, "--yes"],
        ["devices", "--audio-in", HOSTILE, "--midi-out", HOSTILE, "--midi-in", HOSTILE],
        ["learn", HOSTILE],
        ["learn", "--list"],
        ["compose", "--emotion", "sad", "--bars", "1", "--midi", f"{HOSTILE}.mid"],
        ["compose", "--emotion", "sad", "--midi", "x.mid", "--with", HOSTILE],
        ["compose", "--emotion", "sad", "--midi", "x.mid", "--set", f"{HOSTILE}.x=1"],
        ["compose", "--emotion", "sad", "--midi", "x.mid", "--preset", HOSTILE],
        ["render", HOSTILE, "--midi", "x.mid"],
        ["replay", HOSTILE],
        ["analyze", HOSTILE],
        ["follow", HOSTILE],
        ["gallery", "folder", "--sheet", f"{HOSTILE}/a.png"],
        ["demo", "--out", f"{HOSTILE}/{HOSTILE * 20}"],
        ["live", "--osc", HOSTILE],
        ["presets", "band", HOSTILE],
        ["presets", f"--{HOSTILE}"],
        [HOSTILE],
    ],
    ids=lambda typed: " ".join(typed).replace(HOSTILE, "NAME")[:40],
)
def test_no_command_prints_a_name_raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    assert run_command("profile", "create", "anna").code == 0
    for user_folder in (host_preset.user_folder(), library.user_folder(), ProfileStore().folder):
        user_folder.mkdir(parents=True, exist_ok=True)
        (user_folder / f"{HOSTILE}.yaml").write_text(f"name: {HOSTILE!r}\n")
    assert is_harmless(run_command(*arguments))


def test_a_log_repeats_no_escape_sequence(tmp_path: Path) -> None:
    setup = set_up_logging(debug=False, file=tmp_path / "a.log")
    log = logging.getLogger("kelly_live.test")
    try:
        log.warning("the port %s is lost", HOSTILE)
        try:
            raise OSError(HOSTILE)
        except OSError:
            log.exception("unexpected %s", HOSTILE)
    finally:
        setup.close()
    lines = (tmp_path / "a.log").read_text().splitlines()
    assert all(map(str.isprintable, lines))
    assert [line.partition(": ")[2].partition("\\x1b")[0] for line in lines[:2]] == ["the port a", "unexpected a"]
    assert "Traceback (most recent call last):" in lines


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
        result = subprocess.run(
            [sys.executable, "-m", "kelly_live", "presets"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert result.returncode == 1
    assert result.stderr.startswith("kelly-live: cannot print the result (No space left on device)")


def test_a_peer_that_is_not_installed_is_said_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "isobar" else find_spec(name))
    result = run_command("lab", "bench", "--against", "isobar")
    assert result.code == 2
    assert "isobar is not installed" in result.errors
    assert result.output == ""


@posix_only
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("command", [("presets",), ("profile", "create", "one"), ("cultures",)], ids=" ".join)
def test_a_data_folder_whose_name_is_no_text_is_printed_all_the_same(
    tmp_path: Path, command: tuple[str, ...], encoding: str
) -> None:
    variables = {"XDG_DATA_HOME": str(tmp_path / LATIN_1), "PYTHONIOENCODING": f"{encoding}:strict"}
    result = subprocess.run(
        [sys.executable, "-m", "kelly_live", *command], env={**os.environ, **variables}, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "caf" in result.stdout


@posix_only
def test_a_folder_that_was_deleted_is_a_plain_message(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    code = f"import os; os.chdir({str(folder)!r}); os.rmdir({str(folder)!r}); "
    code += "import kelly_live.cli; print(kelly_live.cli.run_program(['presets']))"
    # -P, as for the installed command: with the folder on its path, Python 3.13.0 raises a SystemError of its own.
    result = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == "kelly-live: the folder that you are in was deleted; change to another one: `cd`\n"
    assert result.stdout == "1\n"
