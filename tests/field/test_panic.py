"""Panic ends notes, and only that: what follows our clock plays on, unless it is asked to stop."""

from __future__ import annotations

import pytest

from kelly_live.core.commands import Notes, Silence, Start, Tuning
from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, CONTINUE, START, STOP, get_kind, song_position
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import NoteEvent
from kelly_live.engine.options.external_io import ExternalIOOptions
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.midi.ports import RecordedMessage, RecordingPort
from kelly_live.midi.scheduler import SchedulerCore
from kelly_live.music.conductor import Conductor
from tests.music.band import band, make_parameters

BPM, PANIC_SECONDS, END_SECONDS = 120.0, 5.3, 10.0  # a bar is 2 s
TRANSPORT = {START: "start", STOP: "stop", CONTINUE: "continue"}


def play(*, stops_transport: bool = False, panics: bool = True) -> list[RecordedMessage]:
    """A band at 120 BPM that sends its clock."""
    clock = ManualClock()
    port = RecordingPort(clock)
    core = SchedulerCore(port, send_clock=True)

    class Sink:
        send = staticmethod(core.apply)
        health = staticmethod(core.health)

    parameters = make_parameters(bpm=BPM)
    conductor = Conductor(Sink(), band(), seed=1, tonic=0, beats_per_bar=4)
    conductor.start(0.0, parameters)
    for millisecond in range(int(END_SECONDS * 1000)):
        if panics and millisecond == int(PANIC_SECONDS * 1000):
            conductor.panic(clock.now(), stops_transport=stops_transport)
        if millisecond % 10 == 0:
            conductor.advance(clock.now(), parameters)
        core.run_due(clock.now())
        clock.advance(0.001)
    return port.messages


def list_transport(messages: list[RecordedMessage]) -> list[str]:
    return [TRANSPORT[message.data] for message in messages if message.data in TRANSPORT]


def test_a_panic_leaves_clock_and_transport_alone() -> None:
    messages = play()
    assert list_transport(messages) == ["start"]
    assert not [message for message in messages if message.data[0] == song_position(0)[0]]
    ticks = [message.seconds for message in messages if message.data == CLOCK]
    assert ticks == [message.seconds for message in play(panics=False) if message.data == CLOCK]
    assert len(ticks) == pytest.approx(END_SECONDS * BPM / 60.0 * CLOCKS_PER_BEAT, abs=1)


def test_a_panic_may_stop_the_transport_and_start_it_at_the_next_bar() -> None:
    assert list_transport(play(stops_transport=True)) == ["start", "stop", "continue"]


@pytest.mark.parametrize("stops_transport", [False, True])
def test_a_panic_ends_all_that_sounds_and_the_band_plays_on_at_the_next_bar(stops_transport: bool) -> None:
    messages, sounding_keys = play(stops_transport=stops_transport), set()
    for message in messages:
        kind = get_kind(message.data)
        if message.seconds < PANIC_SECONDS + 0.01 and kind in ("note_on", "note_off"):
            (set.add if kind == "note_on" else set.discard)(sounding_keys, (message.data[0] & 0x0F, message.data[1]))
    assert not sounding_keys
    onsets = [message.seconds for message in messages if get_kind(message.data) == "note_on"]
    assert not [second for second in onsets if PANIC_SECONDS + 0.01 < second < 5.9]
    assert [second for second in onsets if 5.9 <= second < 6.2]
    assert next(m.seconds for m in messages if m.data[:2] == b"\xb0\x7b") == pytest.approx(PANIC_SECONDS)


def test_the_transport_is_only_ours_to_stop_with_our_clock() -> None:
    with pytest.raises(ConfigError, match="--panic-stops-transport needs --clock send"):
        ExternalIOOptions(panic_stops_transport=True)
    assert ExternalIOOptions(clock="send", panic_stops_transport=True).panic_stops_transport


def test_silence_keeps_a_tuning_right() -> None:
    """A quarter tone before and after: the same bend, and its note ends."""
    sink = OfflineScheduler(tuning=Tuning("bend"))
    sink.send(Start(0.0, 60.0))
    sink.send(Notes((NoteEvent(0.0, 8.0, 60, 80, 1, part="solo", cents=50.0),)))
    sink.advance(1.0)
    sink.send(Silence())
    assert sink.health().sounding_notes == 0
    sink.send(Notes((NoteEvent(2.0, 1.0, 62, 80, 1, part="solo", cents=50.0),)))
    sink.advance(4.0)
    assert [(round(m.seconds), get_kind(m.data)) for m in sink.messages if get_kind(m.data).startswith("note")] == [
        (0, "note_on"), (1, "note_off"), (2, "note_on"), (3, "note_off"),
    ]  # fmt: skip
    bends = {m.data for m in sink.messages if get_kind(m.data) == "pitch_bend"}
    assert len(bends) == 1
