"""Measured latencies: kept by output, found again at the next start, and used by the process that sends."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kelly_live.core.commands import Stop
from kelly_live.core.errors import ConfigError, MidiError
from kelly_live.midi.latencies import find_latency, latencies_path, load_latencies, store_latency
from kelly_live.midi.scheduler_client import SchedulerClient


def test_a_latency_is_kept_for_its_output_and_replaces_the_older_one(tmp_path: Path) -> None:
    file = tmp_path / "data" / "latencies.yaml"
    assert load_latencies(file) == {}
    assert store_latency("IAC Bus 1", 0.0482, file) == file
    store_latency("Kelly: 'Synth' #2 – ä", -0.005, file)
    store_latency("IAC Bus 1", 0.0211, file)
    assert load_latencies(file) == {"IAC Bus 1": 0.0211, "Kelly: 'Synth' #2 – ä": -0.005}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["latencies.yaml"]


@pytest.mark.parametrize("name", ["1", "yes", "a: b", "- x", "null", "{}", "#", "'", '"', "x" * 300])
def test_any_name_of_a_port_is_kept_as_it_is(tmp_path: Path, name: str) -> None:
    file = store_latency(name, 0.01, tmp_path / "latencies.yaml")
    assert load_latencies(file) == {name: 0.01}


def test_a_synth_is_known_again_by_another_process_number(tmp_path: Path) -> None:
    file = store_latency("FLUID Synth (412):FLUID Synth (412) 128:0", 0.02, tmp_path / "latencies.yaml")
    again = "FLUID Synth (97):FLUID Synth (97) 131:0"
    assert find_latency(again, load_latencies(file)) == 0.02
    store_latency(again, 0.03, file)
    assert list(load_latencies(file).values()) == [0.03]
    assert find_latency("IAC Bus 2", {"IAC Bus 1": 0.01}) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("format: 1\nlatency_ms:\n  Synth: soon\n", "line 3: latency_ms.Synth is 'soon'; it must be a number"),
        ("format: 1\nlatency_ms:\n  Synth: 501\n", "from -500 to 500"),
        ("format: 2\nlatency_ms: {}\n", "line 1: format"),
        ("format: 1\n", "lacks `latency_ms`"),
    ],
)
def test_a_file_that_breaks_a_rule_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "latencies.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"latencies\.yaml") as caught:
        load_latencies(file)
    assert complaint in str(caught.value)
    with pytest.raises(ConfigError):
        store_latency("Synth", 0.01, file)
    assert file.read_text() == text


def test_a_latency_that_cannot_be_made_up_for_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="612 ms cannot be made up for, 500 at most"):
        store_latency("Synth", 0.612, tmp_path / "latencies.yaml")
    assert not (tmp_path / "latencies.yaml").exists()


def test_the_sender_uses_what_was_measured_unless_it_is_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    store_latency("null", 0.0482)
    assert latencies_path().is_relative_to(tmp_path)
    for given, used, measured in ((None, 0.0482, 0.0482), (0.02, 0.02, None), (0.0, 0.0, None)):
        scheduler = SchedulerClient(null=True, latency_seconds=given)
        try:
            assert scheduler.open().measured_latency == measured
            assert scheduler.latency_seconds == used
        finally:
            scheduler.send(Stop())


def test_a_broken_file_is_told_before_the_port_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    store_latency("null", 0.01).write_text("format: 1\nlatency_ms: 7\n")
    scheduler = SchedulerClient(null=True, latency_seconds=None)
    with pytest.raises(MidiError, match="line 2: latency_ms must be a map"):
        scheduler.open()
