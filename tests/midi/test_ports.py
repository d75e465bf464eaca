"""Finding and opening outputs, on back ends made for the test: no MIDI system needed."""

import pytest

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import note_on
from kelly_live.core.protocols import MidiOut
from kelly_live.core.timebase import ManualClock
from kelly_live.midi.backend import MidiBackend
from kelly_live.midi.ports import (
    VIRTUAL_PORT_NAME,
    PortInfo,
    RecordedMessage,
    RecordingPort,
    list_outputs,
    open_output,
    resolve_output,
)


class PretendBackend:
    """A system with these outputs; remembers what was opened."""

    def __init__(self, name: str, outputs: list[str], *, has_virtual: bool = True, busy: bool = False) -> None:
        self.name = name
        self.has_virtual = has_virtual
        self.open_calls: list[tuple[str, int]] = []
        self._outputs = outputs
        self._busy = busy

    def outputs(self) -> list[str]:
        return self._outputs

    def open(self, name: str, occurrence: int = 0) -> MidiOut:
        if self._busy:
            raise MidiError(f"the MIDI output {name!r} cannot be opened (busy); close what else uses it")
        self.open_calls.append((name, occurrence))
        return RecordingPort(ManualClock(), name)

    def open_virtual(self, name: str) -> MidiOut:
        return RecordingPort(ManualClock(), name)


def test_ports_of_all_systems_are_listed_under_names_of_their_own() -> None:
    alsa = PretendBackend("alsa", ["Synth", "Piano", "Piano"])
    jack = PretendBackend("jack", ["synth:in", "Piano"])
    assert list_outputs([alsa, jack]) == [
        PortInfo("Synth", "alsa", "Synth", 0),
        PortInfo("Piano", "alsa", "Piano", 0),
        PortInfo("Piano #2", "alsa", "Piano", 1),
        PortInfo("synth:in", "jack", "synth:in", 0),
        PortInfo("Piano #3", "jack", "Piano", 0),
    ]


def test_each_of_several_twins_can_be_opened() -> None:
    alsa, jack = PretendBackend("alsa", ["Piano", "Piano"]), PretendBackend("jack", ["Piano"])
    for query in ("Piano", "piano #2", "#3"):
        assert not open_output(query, [alsa, jack]).is_virtual
    assert alsa.open_calls == [("Piano", 0), ("Piano", 1)]
    assert jack.open_calls == [("Piano", 0)]


def test_a_part_of_a_name_is_enough() -> None:
    mac: list[MidiBackend] = [PretendBackend("coremidi", ["IAC Driver Bus 1", "USB Keys"])]
    assert resolve_output("IAC Bus", mac).name == "IAC Driver Bus 1"
    opened_port = open_output("iac bus", mac)
    assert (opened_port.name, opened_port.is_virtual) == ("IAC Driver Bus 1", False)


def test_without_a_name_the_first_system_with_virtual_ports_makes_one() -> None:
    opened_port = open_output(None, [PretendBackend("winmm", [], has_virtual=False), PretendBackend("jack", [])])
    assert (opened_port.name, opened_port.is_virtual) == (VIRTUAL_PORT_NAME, True)


def test_where_there_are_none_the_error_says_which_command_lists_ports() -> None:
    with pytest.raises(MidiError, match=r"no virtual MIDI ports; name an output with --midi-out.*kelly-live devices"):
        open_output(None, [PretendBackend("winmm", ["Synth"], has_virtual=False)])


def test_no_midi_system_at_all_is_one_line_with_a_way_out() -> None:
    with pytest.raises(MidiError, match="no MIDI system is running") as caught:
        open_output(None, [])
    assert "\n" not in str(caught.value)
    with pytest.raises(MidiError, match="there are: none"):
        open_output("IAC Bus", [])


def test_a_busy_port_is_the_back_ends_one_line() -> None:
    with pytest.raises(MidiError, match="'Synth' cannot be opened"):
        open_output("Synth", [PretendBackend("winmm", ["Synth"], busy=True)])


def test_a_recording_port_keeps_time_and_bytes_until_it_is_closed() -> None:
    clock = ManualClock(2.0)
    port = RecordingPort(clock)
    port.send(note_on(1, 60, 80))
    clock.advance(0.5)
    port.send(note_on(1, 62, 80))
    assert port.messages == [RecordedMessage(2.0, note_on(1, 60, 80)), RecordedMessage(2.5, note_on(1, 62, 80))]
    port.close()
    with pytest.raises(MidiError, match="is closed"):
        port.send(note_on(1, 64, 80))
