"""The commands' schema: each command survives msgpack, and what is out of range is refused."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.commands import (
    TUNINGS,
    ChannelRelease,
    Controls,
    Notes,
    PartProgram,
    Pause,
    Signature,
    Silence,
    SinkCommand,
    Start,
    Stop,
    TempoChange,
    Tuning,
)
from kelly_live.core.errors import ConfigError
from kelly_live.core.timebase import TempoPoint
from kelly_live.core.values import ControlChange, NoteEvent

seconds = st.floats(-1e9, 1e9)
bpms = st.floats(1.0, 400.0)
channels = st.integers(1, 16)
notes = st.builds(
    NoteEvent,
    onset_beats=seconds,
    duration_beats=st.floats(1e-6, 1e6),
    pitch=st.integers(0, 127),
    velocity=st.integers(1, 127),
    channel=channels,
    part=st.text(max_size=10),
    cents=st.floats(-100.0, 100.0),
    program=st.none() | st.integers(0, 127),
)
controls = st.builds(ControlChange, channels, st.integers(0, 119), st.integers(0, 127))
programs = st.builds(PartProgram, channels, st.integers(0, 127), st.text(max_size=10))
commands = st.one_of(
    st.builds(Start, seconds, bpms, seconds),
    st.builds(TempoChange, st.builds(TempoPoint, seconds, bpms)),
    st.builds(Notes, st.lists(notes, max_size=20).map(tuple)),
    st.builds(Controls, st.lists(controls, max_size=20).map(tuple)),
    st.builds(
        Tuning,
        st.sampled_from(TUNINGS),
        st.sampled_from([None, 2, 48]),
        st.lists(programs, max_size=16).map(tuple),
    ),
    st.builds(
        Signature,
        seconds,
        st.integers(1, 255),
        st.sampled_from([1, 2, 4, 8, 16, 32]),
        st.integers(-7, 7),
        st.booleans(),
    ),
    st.builds(ChannelRelease, st.lists(channels, max_size=16).map(tuple)),
    st.just(Pause()),
    st.just(Silence()),
    st.just(Stop()),
)


@given(commands)
def test_a_command_survives_the_wire_and_the_log_to_the_bit(command: SinkCommand) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=SinkCommand) == command
    assert msgspec.json.decode(msgspec.json.encode(command), type=SinkCommand) == command


@pytest.mark.parametrize(
    ("kind", "fields", "complaint"),
    [
        ("start", {"origin_seconds": math.nan, "bpm": 120.0}, "nan"),
        ("start", {"origin_seconds": 0.0, "bpm": 120.0, "first_beat": math.inf}, "first beat is inf"),
        ("start", {"origin_seconds": 0.0, "bpm": 0.0}, "0.0 BPM"),
        ("tempo", {"point": {"beat": 0.0, "bpm": -5.0}}, "-5.0 BPM"),
        ("controls", {"changes": [{"channel": 1, "controller": 120, "value": 0}]}, "controller is 120"),
        ("notes", {"notes": [[0.0]]}, "notes"),
        ("tuning", {"mode": "equal"}, "tuning is 'equal'"),
        ("tuning", {"bend_semitones": 7}, "bend range is 7"),
        ("tuning", {"programs": [{"channel": 17, "program": 0}]}, "channel 17"),
        ("release", {"channels": [0]}, "channel is 0"),
        ("signature", {"beat": 0.0, "numerator": 4, "denominator": 3, "sharps": 0, "is_minor": False}, "4/3"),
        ("signature", {"beat": 0.0, "numerator": 4, "denominator": 4, "sharps": 8, "is_minor": False}, "8 sharps"),
        ("stop", {"now": True}, "now"),
        ("pause", {"now": True}, "now"),
        ("glissando", {}, "glissando"),
    ],
)
def test_what_does_not_fit_is_named(kind: str, fields: dict[str, object], complaint: str) -> None:
    payload = msgspec.msgpack.encode({"type": kind, **fields})
    with pytest.raises((ConfigError, msgspec.ValidationError), match=complaint):
        msgspec.msgpack.decode(payload, type=SinkCommand)


@pytest.mark.parametrize(("field", "value", "complaint"), [("pitch", 200, "pitch is 200"), ("program", 128, "128")])
def test_a_note_out_of_range_is_refused(field: str, value: int, complaint: str) -> None:
    note = msgspec.to_builtins(NoteEvent(0.0, 1.0, 60, 64, 1, "melody")) | {field: value}
    payload = msgspec.msgpack.encode({"type": "notes", "notes": [note]})
    with pytest.raises(ConfigError, match=complaint):
        msgspec.msgpack.decode(payload, type=SinkCommand)


def test_a_tuning_takes_the_programs_of_the_parts() -> None:
    parts = [PartProgram(1, 0), PartProgram(2, 32, "far")]
    assert Tuning("mpe").with_programs(parts) == Tuning("mpe", programs=tuple(parts))
