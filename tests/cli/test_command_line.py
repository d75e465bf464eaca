"""The command line as a user meets it: order of options, exit codes, one-line errors, a light start."""

import subprocess
import sys

import pytest

from kelly_live.cli import COMMANDS, put_command_first


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["live"]),
        (["--midi-out", "IAC Bus"], ["live", "--midi-out", "IAC Bus"]),
        (["--device", "cpu", "--midi-out", "X"], ["live", "--device", "cpu", "--midi-out", "X"]),
        (["--debug", "demo"], ["demo", "--debug"]),
        (["--device=cpu", "--debug", "render", "a.wav"], ["render", "--device=cpu", "--debug", "a.wav"]),
        (["--help"], ["--help"]),
        (["--version"], ["--version"]),
        (["analyze", "a.wav", "--json"], ["analyze", "a.wav", "--json"]),
    ],
)
def test_options_before_a_command_are_its_options_and_alone_mean_live(
    arguments: list[str], expected: list[str]
) -> None:
    assert put_command_first(arguments) == expected


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kelly_live", *args], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_lists_every_command() -> None:
    result = run("--help")
    assert result.returncode == 0
    for name in COMMANDS:
        assert name in result.stdout


def test_the_help_shows_its_two_examples_on_lines_of_their_own() -> None:
    lines = [line.strip() for line in run("--help").stdout.splitlines()]
    assert 'kelly-live --midi-out "IAC Bus"      play along, live' in lines
    assert "kelly-live demo                      see and hear what it does" in lines


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_has_help(name: str) -> None:
    result = run(name, "--help")
    assert result.returncode == 0, result.stderr
    assert "--debug" in result.stdout or name in ("config", "lab", "profile", "generators", "study")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom kelly_live.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'librosa', 'matplotlib', 'sounddevice', 'mido'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--no-such-option"], "No such option"),
        (["no-such-command"], "No such command"),
        (["compose", "--valence", "3", "--midi", "x.mid"], "3"),
        (["compose", "--emotion", "bored", "--midi", "x.mid"], "bored"),
        (["render", "x.wav", "--midi", "y.mid", "--culture-strength", "2"], "0<=x<=1"),
    ],
)
def test_usage_errors_exit_2_without_a_traceback(args: list[str], complaint: str) -> None:
    result = run(*args)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_file_is_one_line_on_stderr_and_exit_1(tmp_path) -> None:
    result = run("analyze", str(tmp_path / "none.wav"))
    assert result.returncode == 1
    assert result.stderr.startswith("kelly-live: ")
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_unknown_profile_is_one_line_on_stderr_and_exit_1(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    result = run("--profile", "nobody", "compose", "--emotion", "sad", "--midi", str(tmp_path / "x.mid"))
    assert result.returncode == 1
    assert result.stderr.startswith("kelly-live: no profile is called 'nobody'")
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "x.mid").exists()


def test_debug_shows_the_traceback(tmp_path) -> None:
    result = run("--debug", "render", str(tmp_path / "none.wav"), "--midi", str(tmp_path / "out.mid"))
    assert result.returncode == 1
    assert "Traceback" in result.stderr
