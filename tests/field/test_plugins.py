"""Plug-ins that exit, hang, print or answer nonsense end neither a command nor the show."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from kelly_live.cli import root
from kelly_live.core.errors import ConfigError, ModelError
from kelly_live.core.values import NoteEvent
from kelly_live.emotion.registry import require_reader
from kelly_live.generators import plugin_process, registry
from kelly_live.generators.answer import InvalidAnswer, read_answer
from kelly_live.generators.host_preset import load_preset
from kelly_live.generators.preset_band import PresetBand
from kelly_live.midi import backend_registry

GROUPS = ("kelly_live.generators", "kelly_live.readers", "kelly_live.midi_backends")

GOOD = """
import math
from kelly_live import Descriptor, NoteEvent
class Odd:
    descriptor = Descriptor("odd", "odd", 7, 45, help="on every beat")
    def reset(self): pass
    def generate(self, parameters, context, start, end):
        beats = range(math.ceil(start), math.ceil(end))
        return [NoteEvent(beat, 0.2, 62, 80, 7, "odd") for beat in beats]
"""

# It runs until the fixture forgets the package: a thread that spins for ever would slow every later test.
SPIN = "import sys\n        while 'odd' in sys.modules: pass"
LOOP = "\n        " + SPIN
META = """class Meta(type):
    @property
    def descriptor(cls): raise SystemExit(1)
class Odd(metaclass=Meta)"""
AT_IMPORT = {
    "sys.exit": ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
    "os._exit": ("import os; os._exit(3)", "it ended by itself (exit code 3)"),
    "a crash": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "it crashed (signal SIGSEGV)"),
    "Ctrl-C": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "another end": ("class End(BaseException): pass\nraise End('over')", "End: over"),
    "a loop": (SPIN.replace("        ", ""), "it did not answer within"),
    "recursion": ("def f(): f()\nf()", "RecursionError"),
    "a missing library": ("import no_such_library", "No module named 'no_such_library'"),
    "a wrong syntax": ("def", "SyntaxError"),
    "an error without text": (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "did not load: E"
    ),
    "escapes": ("raise ValueError('\\x1b]0;title\\x07')", "ValueError: ?]0;title?"),
    "a property": (GOOD.replace("class Odd", META).replace("descriptor = D", "own = D"), "SystemExit: 1"),
    "__init__ that exits": (GOOD + "    def __init__(self): raise SystemExit(4)", "SystemExit: 4"),
    "__init__ that hangs": (GOOD + "    def __init__(self):" + LOOP, "it was not made within"),
    "a channel of 7.5": (GOOD.replace('"odd", 7', '"odd", 7.5'), "channel of odd is 7.5; it must be a whole number"),
}  # fmt: skip

IN_GENERATE = {
    "sys.exit": ("raise SystemExit(5)", "SystemExit: 5"),
    "Ctrl-C": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "recursion": ("return self.generate(parameters, context, start, end)", "RecursionError"),
    "a loop": (SPIN, "did not answer within"),
    "a lazy error": ("return (1 / 0 for _ in range(2))", "ZeroDivisionError"),
    "a lazy exit": ("return (exit(2) for _ in range(2))", "SystemExit: 2"),
    "an endless answer": (
        "import itertools; return itertools.repeat(NoteEvent(start, 0.2, 62, 80, 7, 'odd'))", "over 512 notes"
    ),
    "text for a pitch": ("return [NoteEvent(start, 0.2, '62', 80, 7, 'odd')]", "something else than numbers"),
    "an odd note": (
        "return [type('Odd', (NoteEvent,), {'pitch': property(lambda self: exit(9))}).__new__(NoteEvent)]",
        "generate failed: AttributeError",
    ),
}  # fmt: skip


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, for packages; what it holds is forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    threads = set(threading.enumerate())
    yield tmp_path
    sys.modules.pop("odd", None)
    for thread in set(threading.enumerate()) - threads:
        with contextlib.suppress(RuntimeError):  # another thread is starting it, and it ends by itself
            thread.join(timeout=30.0)
        assert not thread.is_alive(), f"{thread.name} still runs"


def write_package(folder: Path, source: str, target: str = "odd:Odd", group: str = GROUPS[0]) -> None:
    (folder / "odd.py").write_text(source)
    info = folder / "odd-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(f"[{group}]\nodd = {target}\n")


def compose(folder: Path) -> Result:
    command = ["compose", "--emotion", "happy", "--bars", "2", "--with", "odd", "--midi", str(folder / "o.mid")]
    return CliRunner().invoke(root, command, catch_exceptions=False)


@pytest.mark.parametrize(("source", "reason"), AT_IMPORT.values(), ids=AT_IMPORT)
def test_a_plug_in_that_does_not_load_is_named_and_the_band_plays(
    install: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    if "within" in reason:  # the others load as slowly as a busy machine does
        monkeypatch.setattr(plugin_process, "LOAD_SECONDS", 2.0)
    write_package(install, source)
    result = compose(install)
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stderr.splitlines() if "odd is silent (not loaded)" in line]
    assert reason in line
    assert (install / "o.mid").stat().st_size > 100


def test_the_list_of_generators_goes_on_and_stays_json(install: Path) -> None:
    write_package(install, "import os; os._exit(0 if os.write(1, b'x' * 10_000_000) else 1)")
    result = CliRunner().invoke(root, ["generators", "--json"], catch_exceptions=False)
    rows = {row["name"]: row for row in json.loads(result.stdout)["generators"]}
    assert result.exit_code == 0
    assert rows["odd"]["state"] == "not loaded"
    assert rows["melody"]["state"] == "unchecked"


@pytest.mark.parametrize(("body", "reason"), IN_GENERATE.values(), ids=IN_GENERATE)
def test_a_plug_in_that_fails_offline_is_named_and_the_band_plays_on(
    install: Path, monkeypatch: pytest.MonkeyPatch, body: str, reason: str
) -> None:
    if "did not answer" in reason:  # the others answer, however slow the machine is
        monkeypatch.setattr(registry, "OFFLINE_SECONDS", 0.5)
    write_package(install, GOOD.replace("beats = range(math.ceil(start), math.ceil(end))", body))
    result = compose(install)
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stderr.splitlines() if "odd is silent" in line]
    assert reason in line
    assert (install / "o.mid").stat().st_size > 100


def test_a_plug_in_that_changes_the_folder_does_not_move_the_file(
    install: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    chdir_code = f"import os; os.chdir({str(install)!r}); "
    write_package(install, chdir_code + GOOD.replace("beats = ", chdir_code + "beats = "))
    command = ["compose", "--emotion", "happy", "--bars", "2", "--with", "odd", "--midi", "o.mid"]
    assert CliRunner().invoke(root, command, catch_exceptions=False).exit_code == 0
    assert Path("o.mid").is_file()


def test_the_end_of_a_plug_in_is_not_waited_for(install: Path) -> None:
    write_package(install, GOOD + "    def __del__(self):" + LOOP)
    band = PresetBand([load_preset("band")], extra=["odd"])
    band.close()
    del band


def test_a_reader_that_exits_is_an_error_of_one_line(install: Path) -> None:
    write_package(install, "import sys\ndef create(device): sys.exit('no licence')", "odd:create", GROUPS[1])
    with pytest.raises(ModelError, match=r"reader 'odd' cannot be used: .*SystemExit: no licence; choose another"):
        require_reader("odd")


def test_a_reader_whose_attribute_exits_is_an_error_of_one_line(install: Path) -> None:
    source = """
class Reader:
    def push(self, block): return []
    def reset(self): pass
    def close(self): pass
    @property
    def sample_rate(self): raise SystemExit(1)
"""
    write_package(install, source + "def create(device): return Reader()", "odd:create", GROUPS[1])
    with pytest.raises(ModelError, match="SystemExit: 1"):
        require_reader("odd")


@pytest.mark.parametrize("source", ["import os; os._exit(3)", "raise KeyboardInterrupt", "find = exit"])
def test_a_midi_back_end_that_exits_is_skipped(install: Path, source: str) -> None:
    write_package(install, source, "odd:find", GROUPS[2])
    (odd,) = [backend for backend in backend_registry.load_backends() if backend.name == "odd"]
    assert odd.backends == ()
    assert "odd:find did not load" in str(odd.problem)


class Step(IntEnum):
    D = 62


@pytest.mark.parametrize("number", [62.0, np.int64(62), np.float32(62), Step.D, Fraction(62)])
def test_a_whole_number_of_any_type_is_taken_as_an_int(number: int) -> None:
    (note,), refusal = read_answer([NoteEvent(number, number, number, number, 7.0, "odd")], 0.0, 100.0)  # type: ignore[arg-type]
    assert refusal is None
    assert (note.pitch, note.velocity, note.channel, note.onset_beats) == (62, 62, 7, 62.0)
    assert {type(note.pitch), type(note.velocity), type(note.channel)} == {int}
    assert {type(note.onset_beats), type(note.duration_beats)} == {float}


@pytest.mark.parametrize("odd", [62.5, np.float64(62.5), True, Decimal(62), np.True_, Fraction(125, 2)])
@pytest.mark.parametrize("name", ["pitch", "velocity"])
def test_a_note_with_anything_else_is_left_out_and_the_rest_plays(name: str, odd: int) -> None:
    good = NoteEvent(0.0, 0.5, 60, 80, 7, "odd")
    values = {"pitch": 60, "velocity": 80} | {name: odd}
    bad = NoteEvent(0.0, 0.5, channel=7, part="odd", **values)
    notes, refusal = read_answer([good, bad, good], 0.0, 1.0)
    assert notes == [good, good]
    assert refusal == f"{name} is {odd!r}; it must be a whole number"


@pytest.mark.parametrize("odd", ["62", None, [62], float("nan"), 3 + 0j, np.array([60, 62])])
@pytest.mark.parametrize("name", ["onset_beats", "duration_beats", "pitch", "velocity", "channel", "cents"])
def test_what_is_no_number_is_refused_in_one_line_where_the_note_is_made(name: str, odd: object) -> None:
    values = {"onset_beats": 0.0, "duration_beats": 0.5, "pitch": 60, "velocity": 80, "channel": 7} | {name: odd}
    with pytest.raises(ConfigError) as error:
        NoteEvent(part="odd", **values)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("answer", [None, 3, ["la"], {"a": 1}])
def test_an_answer_that_is_no_notes_is_invalid(answer: object) -> None:
    with pytest.raises(InvalidAnswer, match="it must return"):
        read_answer(answer, 0.0, 1.0)  # type: ignore[arg-type]


def test_what_was_left_out_is_said_once_with_the_plug_in_s_name(install: Path) -> None:
    write_package(install, GOOD.replace("62, 80", "61 + beat % 2 / 2, 80"))
    result = compose(install)
    assert [line for line in result.stderr.splitlines() if "odd" in line] == [
        "kelly-live: odd: notes were left out; pitch is 61.5; it must be a whole number"
    ]


def test_whole_floats_play_the_same_file_as_ints(install: Path) -> None:
    files = []
    for numbers in ("62, 80, 7,", "124 / 2, 80.0, 7.0,"):
        shutil.rmtree(install / "odd-0.1.dist-info", ignore_errors=True)
        sys.modules.pop("odd", None)
        write_package(install, GOOD.replace("62, 80, 7,", numbers))
        assert "odd" not in compose(install).stderr
        files.append((install / "o.mid").read_bytes())
    assert files[0] == files[1]
