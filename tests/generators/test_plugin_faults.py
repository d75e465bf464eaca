"""Every way in which a generator of another package breaks, in real processes: the band plays on, and it comes back.

The same faults beside a live session, counted on JACK: tests/live/test_plugin_drills.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from kelly_live.generators.added import AddedGenerator, save_added
from kelly_live.generators.host_preset import HostPreset, PresetPlayer
from kelly_live.generators.preset_band import PresetBand
from kelly_live.music.conductor import Conductor
from tests.generators import faulty
from tests.generators.faulty import FAULT_BAR
from tests.music.band import RecordingSink, make_parameters, play_piece

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the limits, the signals and the end of what was left running are Linux's"
)
BARS = 8
PLAYED = list(range(4 * BARS))
WITHOUT_A_BAR = [beat for beat in PLAYED if beat // 4 != FAULT_BAR]
ONE_NOTE_OF_IT = sorted([*WITHOUT_A_BAR, 4 * FAULT_BAR])


class Outcome(NamedTuple):
    """What is said of a fault (nothing: None), and on which beats the generator plays."""

    reason: str | None
    beats: list[int]


HANGS = "it did not answer within 0.5 s"
FAULTS = {
    "Segfault": Outcome("it crashed (signal SIGSEGV)", WITHOUT_A_BAR),
    "Exit": Outcome("it ended by itself (exit code 3)", WITHOUT_A_BAR),
    "Abort": Outcome("it crashed (signal SIGABRT)", WITHOUT_A_BAR),
    "HoldLock": Outcome(HANGS, WITHOUT_A_BAR),
    "Regex": Outcome(HANGS, WITHOUT_A_BAR),
    "Memory": Outcome("it needs more than the 1536 MB of memory that it may have", WITHOUT_A_BAR),
    "Threads": Outcome("generate failed: RuntimeError: can't start new thread", WITHOUT_A_BAR),
    "Flood": Outcome("it printed over 1 MB within a second", WITHOUT_A_BAR),
    "Patch": Outcome(None, PLAYED),
    "CloseFiles": Outcome(None, PLAYED),
    "Surroundings": Outcome(None, PLAYED),
    "Interrupt": Outcome("generate failed: KeyboardInterrupt", WITHOUT_A_BAR),
    "Fork": Outcome(None, PLAYED),
    "ManyNotes": Outcome("over 512 notes from beat 12 to 16", WITHOUT_A_BAR),
    "NotANumber": Outcome("notes were left out; onset is nan; it must be a number", ONE_NOTE_OF_IT),
    "NumpyNumbers": Outcome(None, ONE_NOTE_OF_IT),
    "NegativeLength": Outcome("notes were left out; duration is -1.0 beats; it must be over 0", WITHOUT_A_BAR),
    "Lazy": Outcome(None, PLAYED),
    "Endless": Outcome("comes after one at", WITHOUT_A_BAR),
    "Unsorted": Outcome("notes must be sorted by onset", WITHOUT_A_BAR),
    "OutsideItsSpan": Outcome("is outside the slice 12 to 16", WITHOUT_A_BAR),
    "TooLong": Outcome("at most 64 are allowed", WITHOUT_A_BAR),
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of this test, in which a generator can be added; the generator marks its fault there."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("kelly_live.generators.added.find_file", lambda: tmp_path / "generators.json")
    monkeypatch.setenv("KELLY_LIVE_MARK", str(tmp_path / "broke"))
    return tmp_path


def list_processes(folder: Path) -> list[str]:
    """The processes that have the mark of this test in their environment, but for this one."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and str(folder / "broke").encode() in process.joinpath("environ").read_bytes():
                found.append(process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def add(folder: Path, target: str) -> None:
    save_added([AddedGenerator("faulty", target)], folder / "generators.json")


def play() -> tuple[RecordingSink, PresetBand]:
    """Eight bars of the built-in band with the faulty one before it."""
    names = ("faulty", "chords", "bass", "melody", "percussion")
    band = PresetBand([HostPreset("test", "test", tuple(PresetPlayer(name) for name in names))])
    sink = RecordingSink()
    Conductor(sink, band, seed=3, tonic=0, length_bars=BARS).play_through(make_parameters())
    band.close()
    return sink, band


@pytest.mark.parametrize(("name", "outcome"), FAULTS.items(), ids=FAULTS)
def test_the_band_plays_on_and_it_comes_back_at_the_next_bar(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, outcome: Outcome
) -> None:
    if outcome.reason == HANGS:  # the others answer, however slow the machine is
        monkeypatch.setattr("kelly_live.generators.registry.OFFLINE_SECONDS", 0.5)
    add(own_folder, f"{faulty.__file__}:{name}")
    here = os.getcwd()
    sink, band = play()
    assert [note for note in sink.notes if note.part != "faulty"] == play_piece(make_parameters(), bars=BARS).notes
    assert (own_folder / f"broke{name}").exists()
    assert [round(note.onset_beats) for note in sink.part("faulty")] == outcome.beats
    assert band.muted == ()
    if outcome.reason is None:
        assert not band.remarks
    else:
        (line,) = band.remarks.values()
        assert line.startswith("faulty")
        assert outcome.reason in line
        assert "\n" not in line
    assert list_processes(own_folder) == []
    assert os.getcwd() == here


def test_a_package_that_is_removed_while_it_plays_is_given_up_after_three_tries(own_folder: Path) -> None:
    copy = own_folder / "removed.py"
    copy.write_text(Path(faulty.__file__).read_text())
    add(own_folder, f"{copy}:Gone")
    sink, band = play()
    assert [note for note in sink.notes if note.part != "faulty"] == play_piece(make_parameters(), bars=BARS).notes
    (muted,) = band.muted
    assert "it did not load: ModuleNotFoundError" in muted.reason
    assert "given up after 3 failures in a row" in muted.reason
    assert list(band.remarks) == ["the return of faulty"]


def test_it_starts_at_an_ordinary_priority_in_a_session_of_its_own(own_folder: Path) -> None:
    source = own_folder / "report.py"
    source.write_text(
        "import os\n"
        "class Report:\n"
        "    descriptor = {'name': 'report', 'part': 'report', 'channel': 5, 'program': 0}\n"
        "    def reset(self): pass\n"
        "    def generate(self, parameters, context, start, end):\n"
        "        raise ValueError(f'{os.sched_getscheduler(0)} {os.getsid(0) == os.getpid()} {os.nice(0) > 0}')\n"
    )
    add(own_folder, str(source))
    _, band = play()
    assert f"ValueError: {getattr(os, 'SCHED_OTHER', 0)} True True" in band.muted[0].reason


def test_a_class_without_kelly_live_gets_plain_values_and_returns_plain_notes(own_folder: Path) -> None:
    source = own_folder / "plain.py"
    source.write_text(
        "import sys\n"
        "class Plain:\n"
        "    descriptor = {'name': 'plain', 'part': 'plain', 'channel': 5, 'program': 0}\n"
        "    def reset(self): pass\n"
        "    def generate(self, parameters, context, start, end):\n"
        "        assert not {'numpy', 'torch', 'kelly_live'} & set(sys.modules)\n"
        "        root = context.chord_at(start).pitch_classes[0]\n"
        "        loud = int(127 * parameters.dynamics.ceiling)\n"
        "        return [{'onset_beats': start, 'duration_beats': 1, 'pitch': 36 + root, 'velocity': loud}]\n"
    )
    add(own_folder, str(source))
    sink, band = play()
    assert band.muted == ()
    assert [round(note.onset_beats) for note in sink.part("faulty")] == list(range(0, 4 * BARS, 4))


COUNTS = """
import os
class Counts:
    descriptor = {"name": "counts", "part": "counts", "channel": 5, "program": 0}
    def __init__(self): self.count = 0
    def reset(self): self.count = 0
    def save_state(self): return {"count": self.count}
    def load_state(self, state): self.count = state["count"]
    def generate(self, parameters, context, start, end):
        if self.count == 3 and not os.path.exists(os.environ["KELLY_LIVE_MARK"]):
            open(os.environ["KELLY_LIVE_MARK"], "w").close()
            os._exit(1)
        self.count += 1
        return [{"onset_beats": start, "duration_beats": 1, "pitch": 40 + self.count, "velocity": 80}]
"""


def test_its_state_survives_a_crash(own_folder: Path) -> None:
    source = own_folder / "counts.py"
    source.write_text(COUNTS)
    add(own_folder, str(source))
    sink, _ = play()
    assert [note.pitch for note in sink.part("faulty")] == [41, 42, 43, 44, 45, 46, 47], "one bar is missing"


def test_the_same_seed_gives_the_same_notes_with_a_crash_in_them(own_folder: Path) -> None:
    add(own_folder, f"{faulty.__file__}:Segfault")
    first, _ = play()
    (own_folder / "brokeSegfault").unlink()
    again, _ = play()
    assert first.notes == again.notes


def test_nothing_is_left_of_a_program_whose_parent_was_killed(own_folder: Path) -> None:
    program = (
        "import time\n"
        "from kelly_live.generators.plugin_process import PluginCommand, PluginProcess\n"
        f"process = PluginProcess(PluginCommand.for_python('faulty', {faulty.__file__ + ':Sound'!r}))\n"
        "process.start()\n"
        "process.describe(30.0)\n"
        "print('described', flush=True)\n"
        "time.sleep(60.0)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "described\n"
    assert len(list_processes(own_folder)) == 3, "the parent, the launcher and the generator"
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10.0
    while list_processes(own_folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list_processes(own_folder) == []
