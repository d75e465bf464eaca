"""A shell completes commands, options and the names that there are now; bash does so for real."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from kelly_live import __version__
from kelly_live.cli import COMPLETION, root, run_program
from kelly_live.core.errors import MidiError
from kelly_live.core.resources import MODEL_SETS
from kelly_live.engine.options.sections import OTHERS, SECTIONS, find_section
from kelly_live.profiles.profile import new_profile
from kelly_live.profiles.store import ProfileStore
from tests.profiles.sample import NOW


def complete(*words: str) -> list[str]:
    """Return what is offered for the last word."""
    shell = ShellComplete(root, {}, "kelly-live", COMPLETION)
    return [str(item.value) for item in shell.get_completions(list(words[:-1]), words[-1])]


def test_the_first_word_is_a_command_or_an_option_of_live() -> None:
    assert complete("te") == ["test-note"]
    assert {"--midi-out", "--midi-in"} <= set(complete("--midi"))
    assert complete("--versi") == ["--version"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("--emotion", "s"), ["sad", "surprised"]),
        (("--morph-to", "e"), ["excited"]),
        (("--goal", "c"), ["calm"]),
        (("--preset", "solo-p"), ["solo-piano"]),
        (("--culture", "klez"), ["klezmer"]),
        (("--follow", "ch"), ["chords"]),
        (("compose", "--style", "bos"), ["bossa"]),
        (("--role", "tr"), ["trade"]),
        (("profile", "re"), ["rename", "reset"]),
        (("completion", "z"), ["zsh"]),
    ],
)
def test_what_can_be_given_is_offered(words: tuple[str, ...], offered: list[str]) -> None:
    assert complete(*words) == offered


def test_profiles_are_those_that_there_are_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("kelly_live.profiles.store.user_folder", lambda: tmp_path)
    assert complete("--profile", "") == []
    ProfileStore(tmp_path).create(new_profile("anna", NOW))
    assert complete("--profile", "") == complete("profile", "use", "A") == ["anna"]


def test_ports_are_those_that_there_are_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kelly_live.midi.ports.list_outputs", list)
    assert complete("--midi-out", "B") == ["built-in synth"]

    def fail() -> None:
        raise MidiError("no MIDI library can be loaded")

    monkeypatch.setattr("kelly_live.midi.ports.list_outputs", fail)
    assert complete("--midi-out", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("bash") is None and shell == "bash":
        pytest.skip("click asks bash for its version")
    assert run_program(["completion", shell]) == 0
    assert f"{COMPLETION}={shell}_complete" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="there is no bash")
def test_bash_completes_names_of_several_words(tmp_path: Path) -> None:
    program = tmp_path / "kelly-live"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -X importtime -m kelly_live "$@" 2>"{tmp_path}/imports"\n')
    program.chmod(0o700)
    script = (
        f'PATH="{tmp_path}:$PATH"; eval "$(kelly-live completion bash)"\n'
        "COMP_WORDS=(kelly-live --midi-out buil); COMP_CWORD=2; _kelly_live_completion kelly-live\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    shell = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert shell.stdout.splitlines() == ["built-in\\ synth"]
    assert "torch" not in (tmp_path / "imports").read_text()


def test_the_version_names_models_and_counts_presets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["--version"]) == 0
    first, *models, last = capsys.readouterr().out.splitlines()
    assert first == f"kelly-live {__version__}"
    installed = [name for name in MODEL_SETS if (Path(__file__).parents[2] / "models" / name).is_dir()]
    assert [line.split()[1].rstrip(":") for line in models] == installed
    assert sum("(in use)" in line for line in models) == 1
    assert "presets, " in last
    assert last.endswith("traditions")


def test_the_help_lists_options_under_headings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["live", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert [heading for heading in headings if heading[:-1] != OTHERS] == [f"{title}:" for title in SECTIONS]
    under = {title: lines[lines.index(f"{title}:") + 1].split()[0] for title in SECTIONS}
    assert under["Ports"] == "--midi-out"
    assert under["Recording"] == "--record"
    assert find_section(["--no-such-option"]) == OTHERS
    assert run_program(["--help"]) == 0
    assert "  Players                --preset --with --effect --set" in capsys.readouterr().out


def test_the_sections_name_no_option_twice_and_none_that_is_gone() -> None:
    listed = [flag for flags in SECTIONS.values() for flag in flags]
    assert len(set(listed)) == len(listed)
    there = {flag for name in ("live", "compose") for flag in complete(name, "--")}
    assert set(listed) - there == set()


def test_every_option_of_live_stands_under_a_heading() -> None:
    live = root.get_command(click.Context(root), "live")
    assert live is not None
    assert [param.opts for param in live.params if find_section(param.opts) == OTHERS] == []
