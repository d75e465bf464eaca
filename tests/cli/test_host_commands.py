"""`generators`, `presets`, and the options that say who plays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mido
import pytest

from kelly_live.cli import run_program
from kelly_live.core.errors import ConfigError
from kelly_live.engine.build import build_band, build_sink
from kelly_live.engine.options.host import HostOptions


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def runs(*arguments: str) -> tuple[int, str, str]:
        code = run_program(list(arguments))
        output = capsys.readouterr()
        return code, output.out, output.err

    return runs


Run = Callable[..., tuple[int, str, str]]


def test_generators_are_listed_with_place_package_and_parameters_and_nobody_is_made(run: Run) -> None:
    code, out, _ = run("generators", "--json")
    generators_by_name = {one["name"]: one for one in json.loads(out)["generators"]}
    assert code == 0
    assert set(generators_by_name) >= {"bass", "chords", "melody", "percussion"}
    assert {one["state"] for one in generators_by_name.values()} <= {"unchecked", "not loaded"}
    drums = generators_by_name["percussion"]
    assert (drums["channel"], drums["part"], drums["package"]) == (10, "percussion", "kelly-live")
    knobs = {knob["name"]: knob for knob in generators_by_name["chords"]["parameters"]}
    assert knobs["voicing"]["choices"] == ["close", "open"]
    _, text, _ = run("generators")
    assert "--set chords.voicing=close" in text


VARIES = """
import itertools
counter = itertools.count()
class Varies:
    descriptor = {"name": "varies", "part": "varies", "channel": 1, "program": 0}
    def generate(self, parameters, context, start, end):
        return [{"onset_beats": start, "duration_beats": 1, "pitch": 40 + next(counter) % 50, "velocity": 80}]
    def reset(self):
        pass
"""


def test_check_makes_them_and_says_how_they_are(run: Run) -> None:
    code, out, _ = run("generators", "--check", "--json", "bass", "echo")
    (bass,), (echo,) = json.loads(out)["generators"], json.loads(out)["effects"]
    assert (code, bass["name"], bass["state"], echo["name"]) == (0, "bass", "playing", "echo")
    assert {rule["result"] for rule in [*bass["rules"], *echo["rules"]]} == {"ok"}
    assert "same seed, same notes" in [rule["rule"] for rule in bass["rules"]]


def test_check_says_which_rule_is_broken(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "varies.py"
    file.write_text(VARIES)
    monkeypatch.setattr("kelly_live.generators.added.find_file", lambda: tmp_path / "generators.json")
    assert run("generators", "add", str(file))[0] == 0
    code, out, _ = run("generators", "--check", "varies")
    assert code == 1
    assert "    FAILED     same seed, same notes\n        the same moment gives other notes the second time" in out
    assert "    ok         time budget\n" in out


def test_presets_are_listed_and_shown(run: Run) -> None:
    _, out, _ = run("presets")
    assert out.startswith("band ")
    assert "your own presets:" in out
    _, out, _ = run("presets", "two-synths")
    assert "--port backing=NAME" in out
    code, _, err = run("presets", "quartett")
    assert code == 1
    assert err.startswith("kelly-live: no host preset is called 'quartett'")


def channels(path: Path) -> dict[int, set[int]]:
    """Channel (1-16) -> the programs that a file gives it."""
    programs_by_channel: dict[int, set[int]] = {}
    for track in mido.MidiFile(path).tracks:
        for message in track:
            if message.type == "note_on":
                programs_by_channel.setdefault(message.channel + 1, set())
            if message.type == "program_change":
                programs_by_channel.setdefault(message.channel + 1, set()).add(message.program)
    return programs_by_channel


def test_a_preset_decides_who_plays_in_a_file(run: Run, tmp_path: Path) -> None:
    piano, default, named_file = tmp_path / "piano.mid", tmp_path / "default.mid", tmp_path / "named.mid"
    compose = ("compose", "--emotion", "happy", "--bars", "4", "--midi")
    assert run(*compose, str(piano), "--preset", "solo-piano", "--set", "chords.voicing=open")[0] == 0
    assert channels(piano) == {1: {0}}
    assert run(*compose, str(default))[0] == run(*compose, str(named_file), "--preset", "band")[0] == 0
    assert default.read_bytes() == named_file.read_bytes()


@pytest.mark.parametrize(
    ("options", "complaint", "exit_code"),
    [
        (("--preset", "quartett"), "no host preset is called 'quartett'", 1),
        (("--set", "chords=open"), "PLAYER.PARAMETER=VALUE", 2),
        (
            ("--set", "chords.voicing=wide"),
            "--set: generator chords: voicing is 'wide'; it must be one of close, open",
            2,
        ),
        (("--set", "flute.octave=1"), "there is no player 'flute'", 2),
    ],
)
def test_what_nobody_can_play_is_one_line(
    run: Run, tmp_path: Path, options: tuple[str, str], complaint: str, exit_code: int
) -> None:
    code, _, err = run("compose", "--emotion", "sad", "--midi", str(tmp_path / "x.mid"), *options)
    assert code == exit_code
    assert complaint in err
    assert err.count("\n") == 1


def test_a_generator_that_is_not_installed_is_refused(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "x.mid"
    code, _, err = run("compose", "--emotion", "sad", "--bars", "2", "--midi", str(out), "--with", "theremin")
    assert code == 2
    assert "there is no generator 'theremin'" in err
    assert not out.exists()


@pytest.mark.parametrize("option", ["backing", "backing=", "=x"])
def test_a_port_without_an_output_is_a_usage_error(run: Run, option: str) -> None:
    assert run("live", "--port", option)[0] == 2


def started(options: HostOptions, midi_out: str | None) -> dict[str, list[str]]:
    """Port -> how its scheduler process would be started."""
    sink = build_sink(options, build_band(options, live=True), midi_out, send_clock=True)
    return {name: port._client._command for name, port in sink._ports.items()}


def test_each_port_of_the_set_list_gets_its_output_and_the_clock() -> None:
    options = HostOptions(("band", "two-synths"), outputs=(("backing", "IAC 2"),))
    commands = started(options, "IAC 1")
    assert list(commands) == ["", "backing"]
    assert "--output=IAC 1" in commands[""]
    assert "--output=IAC 2" in commands["backing"]
    assert all("--clock" in command for command in commands.values())
    unnamed = started(HostOptions(("two-synths",)), None)
    assert "--virtual-name=Kelly Live backing" in unnamed["backing"]
    assert not [option for option in unnamed["backing"] if option.startswith("--output")]
    with pytest.raises(ConfigError, match=r"strings has no port 'backing' \(there: only the main one, --midi-out\)"):
        started(HostOptions(("strings",), outputs=(("backing", "IAC 2"),)), None)


def test_a_single_preset_is_followed_by_all_others_that_need_no_port_of_their_own() -> None:
    names = build_band(HostOptions(("strings",)), live=True).preset_names
    assert names[0] == "strings"
    assert {"band", "solo-piano", "minimal"} < set(names)
    assert "two-synths" not in names
    assert build_band(HostOptions(("strings", "band")), live=True).preset_names == ("strings", "band")
