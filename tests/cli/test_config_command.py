"""The config file: options that are given once for all, and `kelly-live config`."""

import os
from collections.abc import Callable
from pathlib import Path

import mido
import pytest

from kelly_live.cli import run_program

Run = Callable[..., tuple[int, str, str]]
posix_only = pytest.mark.skipif(os.name != "posix", reason="the editor is a shell script")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a config file that is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "kelly-live" / "config.toml"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def runs(*arguments: object) -> tuple[int, str, str]:
        code = run_program(list(map(str, arguments)))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return runs


def write(config: Path, text: str) -> None:
    config.parent.mkdir(exist_ok=True)
    config.write_text(text)


def count_bars(midi: Path) -> int:
    """Return the length of a file in bars of four."""
    file = mido.MidiFile(midi)
    return round(max(sum(message.time for message in track) for track in file.tracks) / file.ticks_per_beat / 4)


def test_what_is_set_once_holds_for_every_command_that_has_it(config: Path, run: Run) -> None:
    assert run("config", "set", "midi-out", "no such port")[0] == 0
    assert config.read_text() == 'midi-out = "no such port"\n'
    assert config.stat().st_mode & 0o777 == 0o600
    code, out, _ = run("devices")
    assert code == 1
    assert "no MIDI output matches 'no such port'" in out


def test_a_table_wins_over_what_stands_above_and_what_is_typed_wins_over_both(
    config: Path, run: Run, tmp_path: Path
) -> None:
    write(config, 'emotion = "sad"\nbars = 12\n[compose]\nbars = 8\nexpression = false\n')
    midi = tmp_path / "out.mid"
    assert run("compose", "--midi", midi)[1].startswith("8 bars of sad")
    assert run("compose", "--midi", midi, "--bars", 2)[1].startswith("2 bars of sad")
    assert run("compose", "--midi", midi, "--config", "none", "--emotion", "happy")[1].startswith("16 bars of happy")


def test_what_is_typed_puts_aside_what_it_excludes(config: Path, run: Run, tmp_path: Path) -> None:
    write(config, 'emotion = "sad"\n')
    code, out, _ = run("compose", "--valence", 0.8, "--arousal", 0.6, "--bars", 1, "--midi", tmp_path / "out.mid")
    assert code == 0
    assert "V +0.80 A +0.60" in out


def test_a_contradiction_with_the_file_names_what_the_file_gave(config: Path, run: Run) -> None:
    write(config, "[live]\ntempo = 92\n")
    code, _, err = run("live", "--follow", "tempo")
    assert code == 2
    assert "--tempo fixes what --follow tempo would follow" in err
    assert "the config file gives --tempo; --config none leaves it out" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tempo = \n", "is not TOML: Invalid value (at line 1"),
        ('# mine\n[live]\ntempo = "fast"\n', "line 3: tempo: that is not a number"),
        ("[compose]\nbars = 2.5\n", "line 2: bars: that is not a whole number"),
        ("[compose]\nexpression = 1\n", "line 2: expression: it is a switch: give true or false"),
        ("[compose]\nemotion = true\n", "line 2: emotion: it takes a value"),
        ('[compose]\nemotion = ["sad", "happy"]\n', "line 2: emotion: it takes one value"),
        ("bars = " + "9" * 5000, "is not TOML"),
        ("bars = " + "[" * 5000, "is not TOML"),
        ("x" * 100_001, "is larger than 100000 bytes"),
        ('midi-ot = "x"\n', "line 1: midi-ot: no command has an option --midi-ot"),
        ("[compose]\n\nfollow = 1\n", "line 3: follow: compose has no option --follow"),
        ("[lice]\nbars = 1\n", "line 2: bars is for 'lice', which takes no settings"),
        ("[lab]\n# a group\nseed = 1\n", "line 3: seed is for 'lab', which takes no settings"),
        ("bars = 1979-05-27\n", "line 1: bars is"),
        ("[compose]\ndebug = true\n", "debug: compose has no option --debug"),
    ],
)
def test_a_fault_is_one_line_with_its_place(config: Path, run: Run, tmp_path: Path, text: str, message: str) -> None:
    write(config, text)
    code, _, err = run("compose", "--emotion", "sad", "--midi", tmp_path / "out.mid")
    if "[live]" in text:
        code, _, err = run("live", "--midi-out", "nothing")
    assert code == 1
    assert message in err
    assert err.count("\n") == 1
    assert str(config) in err


def test_a_file_that_never_ends_or_begins_is_refused(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for name, message in ((pipe, "is a pipe"), ("/dev/zero", "is larger than")):
        code, _, err = run("compose", "--config", name, "--emotion", "sad", "--midi", tmp_path / "out.mid")
        assert (code, err.count("\n")) == (1, 1)
        assert message in err


def test_a_contradiction_of_what_was_typed_does_not_blame_the_file(config: Path, run: Run) -> None:
    write(config, "tempo = 120\n")
    code, _, err = run("live", "--sound", "--midi-out", "FLUID")
    assert code == 2
    assert "--sound and --midi-out do not go together" in err
    assert "the config file gives" not in err


def test_help_shows_its_examples_line_by_line(run: Run) -> None:
    lines = run("config", "--help")[1].splitlines()
    assert not any("\\b" in line for line in lines)
    assert "  kelly-live config edit                       in your editor" in lines


def test_a_key_of_another_command_is_no_fault(config: Path, run: Run, tmp_path: Path) -> None:
    write(config, 'midi-out = "IAC Bus"\n')
    assert run("compose", "--emotion", "sad", "--bars", 1, "--midi", tmp_path / "out.mid")[0] == 0


def test_a_byte_order_mark_is_no_fault(config: Path, run: Run, tmp_path: Path) -> None:
    write(config, "\ufeffbars = 3\n")
    assert run("compose", "--emotion", "sad", "--midi", tmp_path / "out.mid")[1].startswith("3 bars")


def test_a_file_can_be_named(config: Path, run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("bars = 3\n")
    midi = tmp_path / "out.mid"
    assert run("compose", "--config", other, "--emotion", "sad", "--midi", midi)[1].startswith("3 bars")
    code, _, err = run("compose", "--config", tmp_path / "missing.toml", "--emotion", "sad", "--midi", midi)
    assert code == 1
    assert "cannot read" in err


def test_set_and_unset_keep_all_else(config: Path, run: Run) -> None:
    write(config, "# my rig\n\n[live]\nfollow = 'all'  # always\n")
    assert run("config", "set", "midi-out", "IAC Bus")[0] == 0
    assert run("config", "set", "--for", "compose", "bars", 8)[0] == 0
    assert run("config", "set", "--for", "live", "preset", "strings", "solo-piano")[0] == 0
    assert run("config", "set", "--for", "live", "expression", "false")[0] == 0
    text = config.read_text()
    assert text.startswith("# my rig")
    assert "follow = 'all'  # always" in text
    _, out, _ = run("config", "show")
    for line in ("midi-out = IAC Bus", "bars = 8", "preset = strings, solo-piano", "expression = false"):
        assert line in out
    assert run("config", "unset", "--for", "compose", "bars")[0] == 0
    assert "bars" not in config.read_text()
    code, _, err = run("config", "unset", "bars")
    assert code == 1
    assert "does not give bars" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tempo", "fast"), "tempo: that is not a number"),
        (("nonsense", "1"), "no command has an option --nonsense"),
        (("--for", "compose", "midi-out", "x"), "midi-out: compose has no option --midi-out"),
        (("--for", "nothing", "midi-out", "x"), "midi-out is for 'nothing', which takes no settings"),
        (("midi-out", "IAC", "Bus"), "put quotes around it"),
    ],
)
def test_what_no_command_would_take_is_not_kept(
    config: Path, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = run("config", "set", *arguments)
    assert code in (1, 2)
    assert message in err
    assert not config.exists()


@posix_only
def test_edit_begins_with_every_option_as_a_comment(
    config: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "true")
    code, out, _ = run("config", "edit")
    assert code == 0
    assert "0 settings, all understood" in out
    text = config.read_text()
    assert '# midi-out = ""' in text
    assert "# count-in = true" in text
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "folow = 1" > "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    code, _, err = run("config", "edit")
    assert code == 1
    assert "--folow" in err
