"""What `--record` wires together, and `kelly-live replay` of what came of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from kelly_live.cli.replay import command
from kelly_live.core.errors import OutputError
from kelly_live.core.sync_state import SyncState
from kelly_live.core.timebase import ManualClock
from kelly_live.engine.build import build_band, create_conductor
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.engine.options.host import HostOptions
from kelly_live.engine.options.recording import RecordingOptions
from kelly_live.engine.options.tuning import TuningOptions
from kelly_live.engine.record import insert_tee, start_recorder
from kelly_live.midi.offline import NoteList
from tests.fakes import parameters


@pytest.fixture(scope="module")
def recorded_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a set as `kelly-live live --record` keeps it.

    Real presets, with a setting; changed to the next and back, one of them on a second port.
    """
    folder = tmp_path_factory.mktemp("set")
    clock, target = ManualClock(50.0), parameters(150.0, density=2.0)
    host = HostOptions(("band", "two-synths", "solo-piano"), settings=("chords.voicing=open",))
    options = LiveOptions(
        host=host,
        culture=CultureOptions("klezmer", 0.5),
        tuning=TuningOptions("mpe"),
        recording=RecordingOptions(folder / "set.mid"),
    )
    players = build_band(host, live=True)
    out = insert_tee(options.recording, NoteList())
    conductor = create_conductor(out, seed=11, host=players)
    recorder = start_recorder(
        options, out, conductor, clock, seed=11, band=players, tuning=options.tuning.build_tuning()
    )
    assert recorder is not None
    conductor.start(50.3, target)
    recorder.record_start(50.0, 50.3, target)
    for step in range(1200):
        if step in (250, 500, 502, 800):
            players.request_preset(1 if step < 800 else -1)
        clock.advance(0.01)
        conductor.advance(clock.now(), target)
        recorder.record_step(clock.now(), target, SyncState(), conductor)
    recorder.record_stop(clock.now())
    recorder.close()
    players.close()
    return folder / "set.jsonl"


def test_a_set_is_played_again_to_the_byte(recorded_set: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(recorded_set), "--midi", str(tmp_path / "again.mid")])
    assert result.exit_code == 0, result.output
    assert "seed 11, preset band, made" in result.output
    assert "notes: the same" in result.output
    assert (tmp_path / "again.mid").read_bytes() == recorded_set.with_suffix(".mid").read_bytes()
    if os.name == "posix":
        assert {stat.S_IMODE(recorded_set.with_suffix(end).stat().st_mode) for end in (".mid", ".jsonl")} == {0o600}
    text = recorded_set.read_text()
    assert '"culture":"klezmer","culture_strength":0.5' in text
    assert [name in text for name in ('"name":"two-synths"', '"name":"solo-piano"', '"name":"band"')].count(True) >= 2


def test_a_difference_from_another_version_is_written_and_reported(recorded_set: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(recorded_set.read_text().replace('"seed":11', '"seed":12').replace('"version":"', '"version":"9.'))
    result = CliRunner().invoke(command, [str(other), "--midi", str(tmp_path / "other.mid")])
    assert result.exit_code == 1
    assert "from here on at the latest the notes are not the recorded ones (made by version 9." in str(result.exception)
    assert (tmp_path / "other.mid").exists()


def test_nothing_is_kept_unless_it_is_asked_for_and_what_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    sink = NoteList()
    assert insert_tee(RecordingOptions(), sink) is sink
    with pytest.raises(OutputError, match="does not exist"):
        insert_tee(RecordingOptions(tmp_path / "missing" / "set.mid"), sink)
