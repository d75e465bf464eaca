"""A generator that is being written: its file changes while it plays."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.engine.options.host import HostOptions
from kelly_live.generators.host_preset import HostPreset, PresetPlayer, Setting
from kelly_live.generators.preset_band import PresetBand
from kelly_live.generators.reloader import GeneratorReloader
from kelly_live.generators.scaffold import write_package
from kelly_live.music.conductor import Conductor
from tests.music.band import RecordingSink, make_parameters

PARAMETERS = make_parameters(bpm=120.0)
# It plays its key on every beat, and counts its bars as cents.
SOURCE = """
class Draft:
    descriptor = {
        "name": "draft", "part": "draft", "channel": 7, "program": 0,
        "parameters": [{"name": "up", "default": 0, "help": "semitones", "low": 0, "high": 24}],
    }
    def __init__(self): self.bars = 0
    def configure(self, values): self.up = values["up"]
    def reset(self): self.bars = 0
    def save_state(self): return self.bars
    def load_state(self, state): self.bars = state
    def generate(self, parameters, context, start, end):
        self.bars += 1
        return [
            {"onset_beats": beat, "duration_beats": 0.5, "pitch": KEY + self.up, "velocity": 80, "cents": self.bars}
            for beat in range(int(start), int(end))
        ]
"""


class Draft:
    """A file, the generator in it, and a band of nothing else."""

    def __init__(self, folder: Path, *settings: Setting) -> None:
        self.file, self._versions = folder / "draft.py", 0
        self.save(SOURCE, key=40)
        self.reloader = GeneratorReloader(str(self.file), waits=True)
        preset = HostPreset("alone", "alone", (PresetPlayer("draft"),))
        self.band = PresetBand([preset], settings=settings, prepared={"draft": self.reloader.generator})
        self.sink = RecordingSink()
        self.conductor = Conductor(self.sink, self.band, seed=3, tonic=0)
        self.conductor.start(0.0, PARAMETERS)

    def save(self, source: str, key: int = 0) -> None:
        """Save the file, as long after the last time as a person needs for it."""
        self._versions += 1
        self.file.write_text(source.replace("KEY", str(key)))
        os.utime(self.file, (self._versions, self._versions))

    def look(self) -> list[str]:
        """What the reloader says after it has looked twice."""
        self.reloader.check()
        self.reloader.check()
        return self.reloader.take_lines()

    def play(self, to_beat: float) -> list[tuple[int, float]]:
        """Play up to a beat; the pitch and the count of bars of each new note."""
        before = len(self.sink.notes)
        while self.conductor.slices < 4 * to_beat:
            self.conductor.advance(self.conductor.seconds_at(self.conductor.slices / 4), PARAMETERS)
        return [(note.pitch, note.cents) for note in self.sink.notes[before:]]


@contextmanager
def writing(folder: Path, *settings: Setting) -> Iterator[Draft]:
    draft = Draft(folder, *settings)
    try:
        yield draft
    finally:
        draft.band.close()


def test_a_file_that_changes_is_heard_at_the_next_bar_with_state_and_values_kept(tmp_path: Path) -> None:
    with writing(tmp_path, Setting("draft", "up", "2")) as draft:
        assert draft.play(6.0) == [(42, 1)] * 4 + [(42, 2)] * 2
        assert draft.look() == [], "nothing has changed"
        draft.save(SOURCE, key=50)
        assert draft.look() == ["draft: loaded again, heard from the next bar on"]
        assert draft.play(8.0) == [(42, 2)] * 2
        assert draft.play(11.5) == [(52, 3)] * 4
        draft.save(SOURCE.replace('"up"', '"higher"').replace('"default": 0', '"default": 5'), key=60)
        draft.look()
        assert draft.play(16.0) == [(65, 4)] * 4, "a parameter that is new has its default"
        (change,) = draft.band.resolve_setting("draft.higher", 7)
        draft.band.set_parameter(change)
        assert draft.play(20.0) == [(67, 5)] * 4


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        (
            SOURCE.replace("self.bars += 1", "self.bars += won"),
            "draft: not loaded: generate failed: NameError: name 'won' is not defined (draft.py line 13); "
            "the version before it plays on; see docs/writing-a-generator.md#rules",
        ),
        (
            SOURCE.replace("return [", "return [}"),
            "(draft.py, line 14); the version before it plays on; see docs/writing-a-generator.md#rules",
        ),
        (
            f"import nothing_such\n{SOURCE}",
            "draft: not loaded: ModuleNotFoundError: No module named 'nothing_such' (draft.py line 1); the version "
            "before it plays on; see docs/writing-a-generator.md#rules",
        ),
        (
            SOURCE.replace('"onset_beats": beat', '"onset_beats": -beat'),
            "the version before it plays on; see docs/writing-a-generator.md#rules, rule 1",
        ),
    ],
)
def test_a_version_that_is_broken_is_said_with_its_line_and_the_one_before_plays_on(
    tmp_path: Path, broken: str, line: str
) -> None:
    with writing(tmp_path) as draft:
        draft.play(2.0)
        draft.save(broken, key=50)
        (said,) = draft.look()
        assert said.endswith(line)
        assert draft.look() == [], "said once"
        assert draft.play(7.5) == [(40, 1)] * 2 + [(40, 2)] * 4
        assert draft.band.muted == ()
        draft.save(SOURCE, key=60)
        draft.look()
        assert draft.play(12.0) == [(60, 3)] * 4


def test_a_state_that_another_version_cannot_read_is_dropped_and_that_is_said(tmp_path: Path) -> None:
    with writing(tmp_path) as draft:
        draft.play(6.0)
        draft.save(SOURCE.replace("self.bars = state", 'self.bars = state["bars"]'), key=50)
        (line,) = draft.look()
        assert line.startswith("draft: loaded again, heard from the next bar on, without its state (TypeError")
        assert draft.play(12.0) == [(40, 2)] * 2 + [(50, 1)] * 4


def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    with writing(tmp_path) as draft:
        draft.save("half a fi")
        draft.reloader.check()
        draft.file.unlink()
        draft.reloader.check()
        draft.save(SOURCE, key=50)
        draft.reloader.check()
        assert draft.reloader.take_lines() == []
        draft.reloader.check()
        assert draft.reloader.take_lines() == ["draft: loaded again, heard from the next bar on"]


def test_the_folder_of_a_package_is_watched_whole(tmp_path: Path) -> None:
    module, *_ = write_package("slow-bass", tmp_path)
    folder = module.parent
    reloader = GeneratorReloader(str(folder), waits=True)
    try:
        assert reloader.name == "slow-bass"
        assert reloader.describe() == f"slow-bass is loaded again at the next bar when {folder} changes"
        (folder / "lines.py").write_text("LOWEST = 48\n")
        module.write_text(module.read_text().replace("LOWEST = 36", "from lines import LOWEST  #"))
        reloader.check()
        reloader.check()
        assert reloader.take_lines() == ["slow-bass: loaded again, heard from the next bar on"]
    finally:
        reloader.generator.close()


def test_it_may_run_in_an_environment_of_its_own(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')  # without any installed package
    python.chmod(0o755)
    file = tmp_path / "draft.py"
    file.write_text(SOURCE.replace("KEY", "40") + "\nimport sys\nassert sys.flags.no_site\n")
    reloader = GeneratorReloader(str(file), str(python), waits=True)
    reloader.generator.close()
    with pytest.raises(ConfigError, match="is no interpreter"):
        GeneratorReloader(str(file), str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="--dev-python is for the generator of --dev PATH"):
        HostOptions(developed_python=str(python))


def test_what_does_not_load_at_the_start_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "draft.py"
    file.write_text("import nothing_such\n")
    with pytest.raises(
        ConfigError, match=r"No module named 'nothing_such' \(draft.py line 1\); its rules: docs/writing"
    ):
        GeneratorReloader(str(file))
    with pytest.raises(ConfigError, match="there is no file"):
        GeneratorReloader(str(tmp_path / "none.py"))
    with pytest.raises(ConfigError, match=r"cannot be read .*; name the generator's file instead"):
        GeneratorReloader(str(tmp_path))
    file.write_text(SOURCE.replace('"draft"', '"melody"').replace("KEY", "40"))
    with pytest.raises(ConfigError, match="melody is the name of a built-in generator"):
        GeneratorReloader(str(file))
