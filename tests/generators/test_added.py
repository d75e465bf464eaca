"""Generators that were added by hand: files, programs of another language, packages of another environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from kelly_live.cli import root
from kelly_live.core.errors import ConfigError, WorkerError
from kelly_live.generators import added, protocol_schema, registry
from kelly_live.generators.host_preset import HostPreset, PresetPlayer
from kelly_live.generators.plugin_process import SERVER
from kelly_live.generators.preset_band import PresetBand
from kelly_live.generators.wire import Request, Response, build_generate
from kelly_live.music.conductor import Conductor
from kelly_live.music.context import MusicContext
from kelly_live.music.harmony import plan_phrase
from kelly_live.music.theory import Key, build_mode_scale
from kelly_live.workers.json_lines import JsonLines
from tests.music.band import RecordingSink, make_parameters

EXAMPLES = Path(__file__).parents[2] / "examples"
PERL_BASS = EXAMPLES / "perl-bass" / "walking-bass.pl"
NEEDS_PERL = pytest.mark.skipif(
    shutil.which("perl") is None or sys.platform == "win32", reason="perl is not installed, or starts no scripts"
)

PLAIN = """
class Plain:
    descriptor = {"name": "plain", "part": "plain", "channel": 5, "program": 0, "help": "a note a bar"}
    def reset(self): pass
    def generate(self, parameters, context, start, end):
        return [{"onset_beats": start, "duration_beats": 1, "pitch": 40, "velocity": 80}]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the list of this test is kept."""
    monkeypatch.setattr(added, "find_file", lambda: tmp_path / "generators.json")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(root, ["generators", *arguments], catch_exceptions=False)


def play(name: str, bars: int = 4) -> RecordingSink:
    sink, band = RecordingSink(), PresetBand([HostPreset("alone", "alone", (PresetPlayer(name),))])
    Conductor(sink, band, seed=3, tonic=0, length_bars=bars).play_through(make_parameters())
    band.close()
    assert band.muted == ()
    assert not band.remarks
    return sink


@NEEDS_PERL
def test_a_program_in_another_language_plays_chord_tones_on_every_beat() -> None:
    result = run("add", str(PERL_BASS))
    assert result.stdout == "added walking: a walking bass in Perl; play it with --with walking\n", result.stderr
    notes = play("walking").notes
    assert [round(note.onset_beats) for note in notes] == [*range(12), 12], "the last bar has one note"
    assert notes[0].pitch % 12 == 0
    assert {note.pitch % 12 for note in notes} <= set(Key(0, build_mode_scale("ionian")).pitch_classes)
    assert notes == play("walking").notes
    assert run("remove", "walking").stdout == "removed walking\n"
    assert "walking" not in registry.list_names()


@NEEDS_PERL
def test_a_program_s_parameters_are_listed_and_heard() -> None:
    run("add", str(PERL_BASS))
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)["generators"]}
    assert rows["walking"]["parameters"] == [
        {
            "name": "octave",
            "default": 3,
            "help": "how high it walks",
            "low": 2.0,
            "high": 4.0,
            "unit": "",
            "kind": "whole",
        }
    ]
    low, high = (registry.create_generator("walking", {"octave": octave}).generator for octave in (2, 4))
    pitches = []
    for player in (low, high):
        assert player is not None
        phrase = plan_phrase(3, 0, Key(0, build_mode_scale("ionian")), start_bar=0)
        context = MusicContext(3, phrase, "straight", 120.0)
        pitches.append([note.pitch for note in player.generate(make_parameters(), context, 0.0, 4.0)])
        if player is low:  # set while it plays
            player.configure({"octave": 3})  # type: ignore[attr-defined]
            pitches.append([note.pitch for note in player.generate(make_parameters(), context, 4.0, 8.0)])
        player.close()  # type: ignore[attr-defined]
    assert [{pitch // 12 for pitch in bar} for bar in pitches] == [{2}, {3}, {4}]


def test_a_file_runs_in_the_interpreter_that_is_named(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True, timeout=60)
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    source = PLAIN + "import sys\nassert sys.prefix.endswith('venv')\n"
    (folder / "plain.py").write_text(source)
    result = run("add", str(folder / "plain.py"), "--python", str(python))
    assert result.stdout.startswith("added plain: a note a bar"), result.stderr
    assert len(play("plain").notes) == 4


def test_a_package_of_an_environment_is_added_by_its_entry_points(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True, timeout=60)
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = Path(subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout.strip())
    (site / "elsewhere.py").write_text(PLAIN)
    info = site / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kelly_live.generators]\nfar = elsewhere:Plain\n")
    assert run("add", "elsewhere", "--python", str(python)).exit_code == 0
    assert [note.pitch for note in play("far").notes] == [40] * 4


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["no-such-package"], "has no package 'no-such-package'; install it there, or name a file"),
        (["./no-such-file.py"], "there is no file './no-such-file.py'"),
        (["broken.py"], "broken.py cannot be added: it did not load: SyntaxError"),
        (["empty.py"], "holds 0 generators (none)"),
        (["text.txt"], "text.txt is no program; make it executable"),
        (["bass.py"], "bass is the name of a built-in generator"),
        (["plain.py", "/no/such/python"], "/no/such/python is no interpreter"),
    ],
)
def test_what_cannot_be_added_is_said_in_one_line_and_not_added(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str
) -> None:
    monkeypatch.chdir(folder)
    sources = {"broken": "def", "empty": "", "bass": PLAIN.replace('"plain"', '"bass"'), "plain": PLAIN}
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    (folder / "text.txt").write_text("nothing")
    with pytest.raises(ConfigError) as error:
        added.add_generators(*arguments)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert added.load_added() == ()


def test_a_damaged_list_is_an_error_that_says_what_to_do(folder: Path) -> None:
    (folder / "generators.json").write_text("{")
    with pytest.raises(ConfigError, match=r"is no list of generators .*; repair or remove it"):
        registry.list_names()


def test_the_schema_in_the_docs_is_that_of_the_messages() -> None:
    assert protocol_schema.FILE.read_text() == protocol_schema.format_schema()


def test_a_message_survives_the_pipe_however_it_is_cut() -> None:
    phrase = plan_phrase(3, 0, Key(0, build_mode_scale("ionian")), start_bar=0)
    request = build_generate(make_parameters(), MusicContext(3, phrase, "straight", 120.0), 0.0, 4.0)
    lines: JsonLines[Request] = JsonLines(Request, sender="the host")
    data = lines.encode(request)
    assert [one for k in range(len(data)) for one in lines.feed(data[k : k + 1])] == [request]


@pytest.mark.parametrize("line", [b"hello\n", b"{}\n", b'{"type":"what"}\n', b"\xff\xfe\n", b"[" * 5000 + b"\n"])
def test_a_line_that_is_no_message_is_quoted(line: bytes) -> None:
    lines: JsonLines[Response] = JsonLines(Response, sender="the player odd")
    with pytest.raises(WorkerError, match=r"the player odd sent .*, which is no message") as error:
        lines.feed(line)
    assert "\n" not in str(error.value)


def test_a_line_without_an_end_is_refused_at_the_bound() -> None:
    lines: JsonLines[Response] = JsonLines(Response, sender="the player odd", max_bytes=100)
    assert lines.feed(b"x" * 100) == []
    with pytest.raises(WorkerError, match="a line of over 100 bytes"):
        lines.feed(b"x")


def test_the_server_of_a_generator_needs_nothing_but_the_standard_library() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(SERVER.parent)!r}); import generator_server; "
        "print(sorted({'kelly_live', 'numpy', 'torch', 'msgspec'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_two_packages_with_one_name_are_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("alpha", "beta"):
        (folder / f"{package}.py").write_text(PLAIN)
        info = folder / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[kelly_live.generators]\nplain = {package}:Plain\n")
    monkeypatch.syspath_prepend(folder)
    band = PresetBand([HostPreset("alone", "alone", (PresetPlayer("plain"),))])
    band.close()
    assert list(band.remarks.values()) == [
        "plain: that of alpha plays, as beta has one of the same name; uninstall one of them"
    ]


def test_every_response_of_a_generator_fits_the_schema_s_types() -> None:
    decoder = msgspec.json.Decoder(Response)
    for line in (
        b'{"id":1,"type":"hello","protocol":1}',
        b'{"id":2,"type":"descriptor","name":"a","part":"a","channel":1,"program":0}',
        b'{"id":3,"type":"done"}',
        b'{"id":4,"type":"notes","notes":[{"onset_beats":0,"duration_beats":1,"pitch":60,"velocity":80}]}',
        b'{"id":5,"type":"error","reason":"why"}',
    ):
        assert decoder.decode(line).id > 0
