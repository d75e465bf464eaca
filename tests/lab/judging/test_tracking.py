"""Evaluation of tracking: octaves, fifths and relative keys count separately."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from kelly_live.cli import follow
from kelly_live.core.errors import ConfigError, KellyError
from kelly_live.engine.tracking import TrackingMoment
from kelly_live.lab.cli import follow as lab_follow
from kelly_live.lab.judging.tracking import (
    AnnotatedRecording,
    classify_key,
    classify_tempo,
    evaluate_tracking,
    format_results,
    parse_key,
    read_recordings,
)
from tests.sync.synthetic_music import FIRST_BEAT, RATE, song


@pytest.mark.parametrize(
    ("estimated", "relation"),
    [(120.0, "right"), (124.5, "right"), (125.5, "other"), (60.5, "half"), (236.0, "double"), (80.0, "other")],
)
def test_a_tempo_is_right_within_4_percent_and_octaves_count_separately(estimated: float, relation: str) -> None:
    assert classify_tempo(estimated, 120.0) == relation


@pytest.mark.parametrize(
    ("estimated", "true", "relation"),
    [
        ("C:maj", "C:maj", "right"),
        ("G:maj", "C:maj", "fifth"),
        ("F:maj", "C:maj", "fifth"),
        ("A:min", "C:maj", "relative"),
        ("Eb:maj", "C:min", "relative"),
        ("C:min", "C:maj", "parallel"),
        ("D:maj", "C:maj", "other"),
        ("E:min", "C:maj", "other"),
    ],
)
def test_a_key_is_right_or_a_near_one(estimated: str, true: str, relation: str) -> None:
    assert classify_key(parse_key(estimated), parse_key(true)) == relation


@pytest.mark.parametrize(("name", "key"), [("Gb:maj", (6, True)), ("A minor", (9, False)), ("C# major", (1, True))])
def test_common_spellings_of_keys_are_parsed(name: str, key: tuple[int, bool]) -> None:
    assert parse_key(name) == key


@pytest.mark.parametrize("name", ["", "H:maj", "C", "C:dur"])
def test_a_text_that_is_not_a_key_is_rejected(name: str) -> None:
    with pytest.raises(ConfigError, match="no key"):
        parse_key(name)


def make_moment(seconds: float, bpm: float, next_beat: float, sure: float) -> TrackingMoment:
    return TrackingMoment(seconds, bpm, next_beat, sure, (), 0, True, 0.8, ())


def test_beats_count_with_confidence_and_seconds_until_it_stays_right() -> None:
    piece = AnnotatedRecording(Path("a"), "set", tuple(0.5 * i for i in range(100)), ((0.0, 99.0, 0, True),))
    times = np.arange(0.25, 40.0, 0.25)
    moments = [
        make_moment(t, 120.0 if t >= 8.0 else 100.0, 0.5 * np.ceil(t / 0.5) + 0.02, float(t < 30.0)) for t in times
    ]
    verdict = evaluate_tracking(piece, moments, band_beats=[20.01, 20.26, 20.6])
    assert verdict.tempo == "right"
    assert verdict.tempo_seconds == 8.0
    assert verdict.key == "right"
    assert len(verdict.beat_errors) == 80  # from 10 to 30 s
    assert np.allclose(verdict.beat_errors, 0.02)
    assert np.allclose(verdict.band_errors, [(0.01, 0.01), (0.24, 0.01), (0.1, 0.1)])
    assert verdict.beat_confidence_share == pytest.approx(80 / 120)
    assert "right 1.00" in format_results([verdict])


def test_a_recording_without_beats_counts_only_confidence() -> None:
    verdict = evaluate_tracking(
        AnnotatedRecording(Path("a"), "noise"), [make_moment(t, 120.0, t, 0.9) for t in np.arange(0.0, 20.0, 0.25)]
    )
    assert (verdict.tempo, verdict.key, verdict.beat_confidence_share) == (None, None, 1.0)


def test_the_commands_print_what_is_tracked_and_how_well(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", song(96.0, 0), RATE)
    beats = [round(FIRST_BEAT + i * 0.625, 3) for i in range(26)]
    line = {"path": "song.wav", "set": "ours", "beats": beats, "key": "C:maj"}
    (tmp_path / "truth.jsonl").write_text(json.dumps(line) + "\n")
    recording = str(tmp_path / "song.wav")
    estimate = CliRunner().invoke(follow.command, [recording])
    assert estimate.exit_code == 0, estimate.output
    assert "C major" in estimate.output
    table = CliRunner().invoke(lab_follow.command, ["--measure", str(tmp_path / "truth.jsonl")])
    assert table.exit_code == 0, table.output
    assert "tempo   right 1.00" in table.output
    assert "key     right 1.00" in table.output


@pytest.mark.parametrize("line", ["{", '{"path": "a.wav"}', '{"path": "a.wav", "set": "s", "key": "H"}'])
def test_a_broken_manifest_is_an_error(tmp_path: Path, line: str) -> None:
    (tmp_path / "truth.jsonl").write_text(line)
    with pytest.raises(KellyError):
        read_recordings(tmp_path / "truth.jsonl")
