"""The ALSA back end at a sequencer that is a stand-in: names, connections, stamps, and what is refused or lost."""

from __future__ import annotations

import errno
from contextlib import closing

import pytest

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import ReceivedMessage, note_off, note_on
from kelly_live.core.protocols import MidiIn
from kelly_live.core.timebase import read_clock
from kelly_live.midi.inputs import open_input
from kelly_live.midi.ports import list_outputs, open_output
from tests.workers.until import wait_until

alsa_midi = pytest.importorskip("alsa_midi", exc_type=(ImportError, OSError))

from kelly_live.midi.backends.alsa import AlsaBackend  # noqa: E402
from tests.midi.fake_alsa import FakeSequencer  # noqa: E402

SYNTH, KEYS, OTHER_KEYS = "Synth:Synth in 20:0", "Keys:Keys MIDI 1 24:0", "Keys:Keys MIDI 1 28:0"


@pytest.fixture
def sequencer() -> FakeSequencer:
    return FakeSequencer()


@pytest.fixture
def backend(sequencer: FakeSequencer) -> AlsaBackend:
    return AlsaBackend(sequencer.open_client)


def receive(source: MidiIn, count: int) -> list[ReceivedMessage]:
    messages: list[ReceivedMessage] = []
    wait_until(lambda: (messages.extend(source.poll()), len(messages) >= count)[1])
    return messages


def test_ports_are_named_as_python_rtmidi_names_them(backend: AlsaBackend, sequencer: FakeSequencer) -> None:
    assert backend.outputs() == [SYNTH]
    assert backend.inputs() == [KEYS, OTHER_KEYS]
    assert [port.name for port in list_outputs([backend])] == [SYNTH]
    assert all(client.closed for client in sequencer.clients)


def test_what_is_sent_reaches_the_named_port_whole_and_in_order(backend: AlsaBackend, sequencer: FakeSequencer) -> None:
    out = open_output("synth", [backend]).out
    messages = [note_on(1, 60, 80), note_off(1, 60), bytes.fromhex("f07f7f0802f7")]
    for message in messages:
        out.send(message)
    assert sequencer.received == [((20, 0), message) for message in messages]
    out.close()
    out.close()
    with pytest.raises(MidiError, match="is closed; open it again"):
        out.send(messages[0])


def test_what_the_kernel_does_not_take_yet_goes_with_the_next_message(
    backend: AlsaBackend, sequencer: FakeSequencer
) -> None:
    out = backend.open(SYNTH)
    sequencer.full = True
    out.send(note_on(1, 60, 80))
    sequencer.full = False
    out.send(note_off(1, 60))
    assert [data for _, data in sequencer.received] == [note_on(1, 60, 80), note_off(1, 60)]


def test_a_port_that_is_unplugged_is_told(backend: AlsaBackend, sequencer: FakeSequencer) -> None:
    out, source = backend.open(SYNTH), backend.open_input(KEYS)
    with closing(source):
        assert (out.is_alive(), source.is_alive()) == (True, True)
        sequencer.ports.clear()
        assert (out.is_alive(), source.is_alive()) == (False, False)
    with pytest.raises(MidiError, match=rf"the MIDI output '{SYNTH}' is gone \(No such device\)"):
        out.send(note_on(1, 60, 80))


def test_a_virtual_port_carries_its_name_and_lives_on_alone(backend: AlsaBackend, sequencer: FakeSequencer) -> None:
    with closing(open_output(None, [backend]).out) as out, closing(open_input(None, [backend])) as source:
        assert [port.name for port in sequencer.ports.values()][-2:] == ["Kelly Live", "Kelly Live in"]
        out.send(note_on(1, 60, 80))
        assert source.is_alive()
    assert not source.is_alive()


def test_messages_come_with_the_times_of_the_sequencer_s_own_clock(
    backend: AlsaBackend, sequencer: FakeSequencer
) -> None:
    def stamp() -> float:
        return read_clock() + 1000.0

    with closing(backend.open_input(KEYS)) as source:
        events = sequencer.clients[-1].events
        for _ in range(20):  # of which the one that is fetched the fastest tells how the two clocks lie
            events.append(alsa_midi.MidiBytesEvent(note_on(1, 60, 80), time=stamp()))
            receive(source, 1)
        now = stamp()
        events.extend(alsa_midi.MidiBytesEvent(note_on(1, 62, 80), time=now - early) for early in (0.0015, 0.0))
        first, second = receive(source, 2)
    assert second.seconds - first.seconds == pytest.approx(0.0015, abs=0.0007)
    assert now - 1000.0 - 0.001 < second.seconds <= read_clock()


def test_active_sensing_and_what_is_no_midi_is_left_out(backend: AlsaBackend, sequencer: FakeSequencer) -> None:
    with closing(backend.open_input(KEYS)) as source:
        sequencer.clients[-1].events.extend(
            [
                alsa_midi.MidiBytesEvent(b"\xfe", time=1.0),
                alsa_midi.PortSubscribedEvent((24, 0), (128, 0)),
                alsa_midi.MidiBytesEvent(note_on(1, 60, 80), time=1.1),
            ]
        )
        assert [message.data for message in receive(source, 1)] == [note_on(1, 60, 80)]
        assert source.overflows == 0


def test_an_overrun_of_the_sequencer_is_counted_and_what_follows_is_heard(
    backend: AlsaBackend, sequencer: FakeSequencer
) -> None:
    with closing(backend.open_input(KEYS)) as source:
        sequencer.clients[-1].events.extend([errno.ENOSPC, alsa_midi.MidiBytesEvent(note_on(1, 60, 80), time=1.0)])
        assert [message.data for message in receive(source, 1)] == [note_on(1, 60, 80)]
        assert source.overflows == 1


def test_an_input_whose_sequencer_fails_is_gone(backend: AlsaBackend, sequencer: FakeSequencer) -> None:
    with closing(backend.open_input(KEYS)) as source:
        sequencer.clients[-1].events.append(errno.ENODEV)
        wait_until(lambda: not source.is_alive())


def test_what_is_refused_or_not_there_is_one_line_and_leaves_no_client(
    backend: AlsaBackend, sequencer: FakeSequencer
) -> None:
    for open_port, kind in ((backend.open, "output"), (backend.open_input, "input")):
        with pytest.raises(MidiError, match=f"the MIDI {kind} 'nobody 9:9' is gone; .* see `kelly-live devices`"):
            open_port("nobody 9:9")
    sequencer.refusal = errno.EPERM
    with pytest.raises(MidiError, match=r"cannot be opened \(Operation not permitted\); .* check its rights"):
        backend.open(SYNTH)
    with pytest.raises(MidiError, match=r"cannot be opened \(Operation not permitted\)"):
        backend.open_input(KEYS)
    assert all(client.closed for client in sequencer.clients)
