"""A log from anywhere is quickly played or refused with its line; its options read as typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.engine.options.external_io import (
    ControllerOptions,
    ExternalIOOptions,
    format_controllers,
    format_latencies,
    parse_controllers,
    parse_latencies,
)
from kelly_live.engine.options.host import HostOptions, format_outputs, parse_outputs
from kelly_live.engine.options.metadata import list_settings
from kelly_live.engine.options.override import OverrideOptions, format_target, parse_target
from kelly_live.engine.replay import load_recorded_players
from kelly_live.recording.log import LogReader
from kelly_live.recording.replay import replay
from tests.fuzz.targets import TARGETS

NOTE = {"onset_beats": 0, "duration_beats": 1, "pitch": 60, "velocity": 64, "channel": 1, "part": "melody"}
STEP, INSERTED_SECONDS = 3, 10.6


def _play(path: Path, edit: Callable[[list[dict[str, Any]]], object]) -> int:
    (seed,) = TARGETS["log"].seeds()
    records = [json.loads(line) for line in seed.splitlines()]
    edit(records)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return replay(LogReader(path), load_recorded_players).notes


def _head(**fields: object) -> Callable[[list[dict[str, Any]]], object]:
    return lambda records: records[0].update(fields)


def _plays(**fields: object) -> Callable[[list[dict[str, Any]]], object]:
    lot = [{"type": "notes", "notes": [{**NOTE, **fields}]}]
    return lambda records: records[STEP].update(plays=lot)


def _insert(event: str, **fields: object) -> Callable[[list[dict[str, Any]]], object]:
    return lambda records: records.insert(STEP, {"event": event, "time": INSERTED_SECONDS, **fields})


def _beat(**fields: object) -> Callable[[list[dict[str, Any]]], object]:
    return lambda records: records[7]["sync"]["beat"].update(fields)


EMOTION = {"audio_seconds": 1.0, "emotion": "sad", "valence": 0, "arousal": 0, "dominance": 0, "confidence": 0.5}
COUNTERS = {"dropped": 0, "late": 0, "windows": 0, "overflows": 0, "skipped_beats": 0.0}
WRONG = {
    "look-ahead": (1, _head(look_ahead_seconds=1e9)),
    "look-ahead of a minute": (1, _head(look_ahead_seconds=60)),
    "negative look-ahead": (1, _head(look_ahead_seconds=-1)),
    "fine slices": (1, _head(slice_beats=1e-9)),
    "coarse slices": (1, _head(slice_beats=1e9)),
    "uneven slices": (1, _head(slice_beats=0.3)),
    "tonic": (1, _head(tonic=12)),
    "seed": (1, _head(seed=-1)),
    "seed of 400 digits": (1, _head(seed=10**400)),
    "channel": (1, lambda records: records[0]["parts"][0].update(channel=17)),
    "program": (1, lambda records: records[0]["parts"][0].update(program=-1)),
    "parts": (1, lambda records: records[0].update(parts=records[0]["parts"] * 1000)),
    "strength": (1, _head(culture_strength=1.5)),
    "title": (1, _head(title="x" * 100_000)),
    "preset": (1, _head(preset="no-such-preset")),
    "time": (4, lambda records: records[STEP].update(time=2e9)),
    "start": (2, lambda records: records[1].update(origin_seconds=-2e9)),
    "truth for a number": (4, lambda records: records[STEP].update(time=True)),
    "onset": (4, _plays(onset_beats=-1e300)),
    "duration": (4, _plays(duration_beats=1e8)),
    "pitch": (4, _plays(pitch=200)),
    "beat": (8, _beat(beat_seconds=-1e300)),
    "beat number": (8, _beat(beat_number=10**30)),
    "emotion": (4, _insert("emotion", **(EMOTION | {"valence": 1e308}), probabilities=[1.0])),
    "probabilities": (4, _insert("emotion", **EMOTION, probabilities=[0.1] * 1000)),
    "bar": (4, _insert("action", name="freeze", source="key", bar=-(10**18))),
    "tempo": (4, _insert("tempo", beat=0.0, bpm=-1.0)),
    "beat of a tempo": (4, _insert("tempo", beat=1e300, bpm=100.0)),
    "counters": (4, _insert("counters", **(COUNTERS | {"late": -1}))),
    "beats skipped": (4, _insert("counters", **(COUNTERS | {"skipped_beats": 1e300}))),
    "checksum": (4, _insert("checksum", notes=1, crc=2**32)),
    "notes of a checksum": (4, _insert("checksum", notes=10**400, crc=1)),
    "control after a month": (4, _insert("control", time=2_600_000.0, changes=[])),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_number_of_a_log_has_a_bound(tmp_path: Path, name: str) -> None:
    line, edit = WRONG[name]
    with pytest.raises(ConfigError, match=rf"log\.jsonl line {line}: ") as refusal:
        _play(tmp_path / "log.jsonl", edit)
    assert len(str(refusal.value)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize("edit", [_head(look_ahead_seconds=0.55), _plays(), _insert("counters", **COUNTERS)])
def test_what_a_session_writes_is_within_the_bounds(tmp_path: Path, edit: Callable[..., object]) -> None:
    assert _play(tmp_path / "log.jsonl", edit) > 0


def test_the_header_lists_the_options_as_they_are_typed() -> None:
    latencies, numbers = {"": 0.02, "back": -0.005}, {"valence": 20, "sad": 21}
    outputs = (("back", "IAC Bus 2"), ("drums", "Synth"))
    options = LiveOptions(
        external_io=ExternalIOOptions(latencies=latencies, controllers=ControllerOptions(numbers, 5)),
        override=OverrideOptions(freeze=True, morph_to=parse_target("-0.5,0.25")),
        culture=CultureOptions("klezmer", 0.5),
        host=HostOptions(("band", "strings"), ("arpeggio",), settings=("chords.voicing=open",), outputs=outputs),
        follow=("tempo", "key"),
    )
    settings = dict(list_settings(options))
    assert settings["morph_to"] == "-0.5,0.25"
    assert settings["latency_ms"] == "20, back=-5"
    assert settings["cc"] == "valence=20,sad=21"
    assert settings["freeze"] == "on"
    assert settings["preset"] == "band, strings"
    assert settings["port"] == "back=IAC Bus 2, drums=Synth"
    assert settings["follow"] == "tempo,key"
    assert not [text for text in settings.values() if set(text) & set("(){}'\"")]


def test_what_is_listed_can_be_typed_again() -> None:
    for place in ("sad", "0.5,-1", "0.1,0.2,-0.3"):
        assert format_target(parse_target(place)) == place
    latencies = {"": 0.02, "back": -0.005}
    assert parse_latencies(tuple(format_latencies(latencies).split(", "))) == latencies
    numbers = {"valence": 20, "sad": 21}
    assert parse_controllers(format_controllers(numbers)) == numbers
    outputs = (("back", "IAC"),)
    assert parse_outputs((format_outputs(outputs),)) == outputs
