"""Two real MIDI ports, each with an independent listener, and a preset that changes while playing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from kelly_live.core.commands import Stop, Tuning
from kelly_live.core.timebase import MonotonicClock
from kelly_live.generators.host_preset import HostPreset, PresetPlayer, PresetPort, load_preset
from kelly_live.generators.preset_band import PresetBand
from kelly_live.midi.routing import RoutedSink
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.music.conductor import Conductor
from tests.live.conftest import JackMonitor, JackServer, wait_for
from tests.music.band import make_parameters

FAST = make_parameters(bpm=240.0, density=2.0)  # a bar a second


@pytest.fixture
def far_monitor(monitor: JackMonitor) -> Iterator[JackMonitor]:
    second = JackMonitor("kelly-far-monitor")
    yield second
    second.close()


def channels(monitor: JackMonitor, since: int = 0) -> set[int]:
    """Channels of the notes that began, from the `since`-th event on."""
    note_ons = [data for _, data in list(monitor.events)[since:] if data[0] & 0xF0 == 0x90 and data[2]]
    return {(data[0] & 15) + 1 for data in note_ons}


class Duo:
    """A band on two ports, of which the second can be killed."""

    def __init__(self, presets: list[HostPreset]) -> None:
        self.host = PresetBand(presets, live=True)
        self.backing = SchedulerClient(virtual_name="Kelly Live backing", send_clock=True)
        self.sink = RoutedSink({"": SchedulerClient(), "backing": self.backing})
        self._clock = MonotonicClock()
        self._conductor = Conductor(self.sink, self.host, seed=3, tonic=0)

    def begin(self, monitor: JackMonitor, far_monitor: JackMonitor) -> None:
        assert sorted(port.name for port in self.sink.open().values()) == ["Kelly Live", "Kelly Live backing"]
        self.sink.send(Tuning().with_programs(self.host.slots))
        monitor.listen_to("Kelly Live")
        far_monitor.listen_to("Kelly Live backing")
        self._conductor.start(self._clock.now() + 0.3, FAST)

    def play(self, description: str, until: Callable[[], object]) -> None:
        def is_done() -> bool:
            self._conductor.advance(self._clock.now(), FAST)
            return bool(until())

        wait_for(is_done, description, 20.0)

    def end(self) -> None:
        self.sink.send(Stop())
        self.host.close()


@pytest.mark.timeout(100)
def test_two_ports_play_their_own_parts_and_a_preset_follows(monitor: JackMonitor, far_monitor: JackMonitor) -> None:
    strings = HostPreset(
        "strings",
        "on both ports",
        (PresetPlayer("melody", channel=1, program=40), PresetPlayer("bass", channel=6, program=43, port="backing")),
        (PresetPort("backing"),),
    )
    duo = Duo([load_preset("two-synths"), strings])
    try:
        duo.begin(monitor, far_monitor)
        duo.play("all three of the backing", lambda: channels(far_monitor) == {1, 2, 10})
        duo.play("the tune", lambda: channels(monitor) == {1})
        assert far_monitor.of_kind(0xF8), "MIDI clock on the port that wants it"
        assert not monitor.of_kind(0xF8)
        assert not monitor.of_kind(0xC0) + far_monitor.of_kind(0xC0), "nobody asked for a program"

        duo.host.change_preset()
        duo.play("a bass on channel 6", lambda: 6 in channels(far_monitor))
        event_count = len(far_monitor.events)
        assert [data for _, data in far_monitor.of_kind(0xC0)] == [bytes([0xC5, 43])]
        duo.play("the violin's program", lambda: [data for _, data in monitor.of_kind(0xC0)] == [bytes([0xC0, 40])])
        duo.play("some more of it", lambda: len(far_monitor.events) > event_count + 60)
        assert channels(far_monitor, event_count + 12) == {6}
        far_channels = {channel for channel, _ in far_monitor.list_sounding_notes()}
        assert far_channels <= {6}, "nothing hangs from the preset before"
    finally:
        duo.end()
    wait_for(lambda: not monitor.list_sounding_notes() and not far_monitor.list_sounding_notes(), "silence", 5.0)


@pytest.mark.timeout(100)
def test_one_port_dies_and_the_other_plays_on(
    prompt_server: JackServer, monitor: JackMonitor, far_monitor: JackMonitor
) -> None:
    """Use a server that does not wait for its clients: the killed one would hold it up for seconds."""
    duo = Duo([load_preset("two-synths")])
    try:
        duo.begin(monitor, far_monitor)
        duo.play("both ports", lambda: channels(monitor) and channels(far_monitor))
        assert duo.backing.process_id is not None
        os.kill(duo.backing.process_id, signal.SIGKILL)
        duo.play("the death is told", lambda: duo.sink.failures)
        assert duo.sink.health().error is None
        alive = len(monitor.events)
        duo.play("the tune goes on", lambda: len(monitor.events) > alive + 8)
    finally:
        duo.end()
    wait_for(lambda: not monitor.list_sounding_notes(), "silence", 5.0)
