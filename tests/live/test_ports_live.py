"""Two real MIDI ports at once, each with an independent ear, and a host preset that changes while it plays."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from kelly_live.generators.host import Host, HostPreset, PlayerWish, PortWish, load_preset
from kelly_live.midi.client import SchedulerClient
from kelly_live.midi.routing import RoutedSink
from kelly_live.midi.tuning import Tuning
from kelly_live.music.conductor import Conductor
from kelly_live.timebase import MonotonicClock
from tests.live.conftest import Witness, wait_for
from tests.music.band import told

FAST = told(bpm=240.0, density=2.0)  # a bar a second


@pytest.fixture
def far_witness(witness: Witness) -> Iterator[Witness]:
    second = Witness("kelly-far-witness")
    yield second
    second.close()


def channels(witness: Witness, since: int = 0) -> set[int]:
    """Channels of the notes that began, from the `since`-th event on."""
    begun = [data for _, data in list(witness.events)[since:] if data[0] & 0xF0 == 0x90 and data[2]]
    return {(data[0] & 15) + 1 for data in begun}


@pytest.mark.timeout(100)
def test_two_ports_play_their_own_parts_a_preset_follows_and_one_may_die(
    witness: Witness, far_witness: Witness
) -> None:
    strings = HostPreset(
        "strings",
        "on both ports",
        (PlayerWish("melody", channel=1, program=40), PlayerWish("bass", channel=6, program=43, port="backing")),
        (PortWish("backing"),),
    )
    host = Host([load_preset("two-synths"), strings], live=True)
    backing = SchedulerClient(virtual_name="Kelly Live backing", send_clock=True)
    sink = RoutedSink({"": SchedulerClient(), "backing": backing})
    clock = MonotonicClock()
    try:
        assert sorted(port.name for port in sink.open().values()) == ["Kelly Live", "Kelly Live backing"]
        sink.tune(Tuning(), [(seat.port, seat.channel, seat.program) for seat in host.band.programs()])
        witness.listen_to("Kelly Live")
        far_witness.listen_to("Kelly Live backing")
        conductor = Conductor(sink, host.band, seed=3, tonic=0)
        conductor.start(clock.now() + 0.3, FAST)

        def play(what: str, until: object) -> None:
            def done() -> bool:
                conductor.advance(clock.now(), FAST)
                return bool(until())  # type: ignore[operator]

            wait_for(done, what, 20.0)

        play("all three of the backing", lambda: channels(far_witness) == {1, 2, 10})
        play("the tune", lambda: channels(witness) == {1})
        assert far_witness.of_kind(0xF8), "MIDI clock on the port that wants it"
        assert not witness.of_kind(0xF8)
        assert not witness.of_kind(0xC0) + far_witness.of_kind(0xC0), "nobody asked for a program"

        host.step()
        play("a bass on channel 6", lambda: 6 in channels(far_witness))
        changed = len(far_witness.events)
        assert [data for _, data in far_witness.of_kind(0xC0)] == [bytes([0xC5, 43])]
        play("the violin's program", lambda: [data for _, data in witness.of_kind(0xC0)] == [bytes([0xC0, 40])])
        play("some more of it", lambda: len(far_witness.events) > changed + 60)
        assert channels(far_witness, changed + 12) == {6}
        assert {channel for channel, _ in far_witness.sounding()} <= {6}, "nothing hangs from the preset before"

        assert backing._process is not None
        os.kill(backing._process.pid, signal.SIGKILL)
        play("the death is told", lambda: sink.failures)
        assert sink.health().error is None
        alive = len(witness.events)
        play("the tune goes on", lambda: len(witness.events) > alive + 8)
    finally:
        sink.stop()
        host.band.dismiss()
    wait_for(lambda: not witness.sounding(), "silence", 5.0)
