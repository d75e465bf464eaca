"""The options that connect a session to a studio: what is refused, and what reaches a file."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import mido
import pytest
from click.testing import CliRunner

from kelly_live.cli.compose import command as compose
from kelly_live.cli.live import command as live
from kelly_live.core.actions import Action
from kelly_live.core.errors import ConfigError
from kelly_live.core.timebase import ManualClock
from kelly_live.engine.build import build_band, build_sink
from kelly_live.engine.external_io import ExternalIO, open_external_io
from kelly_live.engine.options.external_io import ExternalIOOptions
from kelly_live.engine.options.host import HostOptions
from kelly_live.midi.inputs import SharedInput
from kelly_live.midi.supervised_input import SupervisedInput
from kelly_live.sync.midi_clock import MidiClockSource
from kelly_live.ui.alerts import Alerts
from tests.control.test_osc import message, send
from tests.midi.test_supervised_input import FakeSystem


@pytest.fixture
def free_address() -> str:
    """A free UDP port on this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_port:
        any_port.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{any_port.getsockname()[1]}"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--clock", "lead"], "'lead' is not one of 'send', 'follow', 'link', 'off'"),
        (["--latency-ms", "soon"], "write MS or PORT=MS"),
        (["--latency-ms", "501"], "milliseconds from -500 to 500"),
        (["--latency-ms", "nan"], "milliseconds from -500 to 500"),
        (["--latency-ms", "=5"], "write MS or PORT=MS"),
        (["--latency-ms", "5", "--latency-ms", "6"], "comes second for that port"),
        (["--cc", "joy=20"], "'joy=20' is no controller"),
        (["--cc", "valence=64"], "the sustain pedal"),
        (["--cc-channel", "17"], "1<=x<=16"),
    ],
)
def test_what_cannot_be_is_a_usage_error(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(live, arguments)
    assert result.exit_code == 2
    assert complaint in result.output


def test_a_latency_is_the_ports_that_it_names_and_only_a_known_one() -> None:
    options = HostOptions(presets=("two-synths",))
    sink = build_sink(options, build_band(options), None, send_clock=False, latencies={"": 0.02, "backing": -0.005})
    assert sink.early_seconds == 0.02
    late = build_sink(options, build_band(options), None, send_clock=False, latencies={"backing": -0.005})
    assert late.early_seconds == 0.0
    with pytest.raises(ConfigError, match=r"no port 'bakcing'.*there: backing"):
        build_sink(options, build_band(options), None, send_clock=False, latencies={"bakcing": 0.01})


def test_what_cannot_be_opened_is_one_line_and_leaves_nothing_open(free_address: str) -> None:
    with pytest.raises(ConfigError, match="'nine' is no OSC address"):
        open_external_io(ExternalIOOptions(osc="nine"), ManualClock())
    first = open_external_io(ExternalIOOptions(osc_in=free_address), ManualClock())
    try:
        with pytest.raises(ConfigError, match="take another port"):
            open_external_io(ExternalIOOptions(osc_in=free_address), ManualClock())
        assert first.describe() == [f"OSC input: {free_address}"]
    finally:
        first.close()
    open_external_io(ExternalIOOptions(osc_in=free_address), ManualClock()).close()  # it was let go


def test_what_comes_as_osc_becomes_actions_and_what_is_none_is_refused(free_address: str) -> None:
    external_io = open_external_io(ExternalIOOptions(osc_in=free_address), ManualClock())
    try:
        assert external_io.osc is not None
        expected_actions = [Action("freeze", True), Action("valence", 0.5), Action("emotion", "sad"), Action("panic")]
        packets = [message("/kelly/do/freeze", 1), message("/kelly/do/valence", 0.5)]
        packets += [message("/kelly/do/emotion", "sad"), message("/kelly/do/panic")]
        send(external_io.osc._in, *packets, message("/kelly/do/valence", 7.0), message("/kelly/do/dance"))
        actions: list[Action] = []
        deadline = time.monotonic() + 20.0
        while len(actions) + external_io.osc.refused_messages < 6 and time.monotonic() < deadline:
            actions += external_io.osc.poll()
            time.sleep(0.005)
        assert actions == expected_actions
        (remark,) = external_io.remarks()
        assert remark.startswith("OSC refused 2, at last '/kelly/do/")  # whichever of the two was read later
    finally:
        external_io.close()


def test_a_lost_midi_input_and_its_return_are_printed_once_each() -> None:
    clock = ManualClock()
    system = FakeSystem(clock)
    external_io, alerts = ExternalIO(), Alerts()
    external_io.midi_in = SupervisedInput("keys", clock, find_backends=system.running)
    external_io.midi_clock = MidiClockSource(SharedInput(external_io.midi_in).branch())

    def seconds_later(seconds: float) -> tuple[list[str], list[str]]:
        """What is told anew, and what the status says besides."""
        clock.advance(seconds)
        assert external_io.midi_in is not None
        external_io.midi_in.step()
        return alerts.news({"the MIDI input": external_io.problem}), external_io.remarks()

    try:
        assert external_io.describe() == ["MIDI input: 'Keys'"]
        assert seconds_later(1.0) == ([], ["no MIDI clock yet"])
        system.unplug("Keys")
        assert seconds_later(1.0) == (["the MIDI input 'Keys' is gone; kelly-live opens it again"], [])
        assert seconds_later(1.0) == ([], [])
        assert external_io.problem == "the MIDI input 'Keys' is gone; kelly-live opens it again"
        system.plugged = ["Keys"]
        assert seconds_later(1.0) == (["the MIDI input: back"], ["no MIDI clock yet"])
        assert external_io.problem is None
    finally:
        external_io.close()
    assert not any(one.alive for one in system.connections)


def test_the_emotion_is_written_as_controllers(tmp_path: Path) -> None:
    out = tmp_path / "song.mid"
    arguments = ["--emotion", "sad", "--morph-to", "happy", "--morph-bars", "2", "--bars", "3"]
    result = CliRunner().invoke(compose, [*arguments, "--cc", "valence=20", "--cc-channel", "5", "--midi", str(out)])
    assert result.exit_code == 0, result.output
    values = [m.value for track in mido.MidiFile(out).tracks for m in track if m.is_cc(20) and m.channel == 4]
    assert values[0] == 24  # V -0.63
    assert values == sorted(values)
    assert values[-1] == 115  # V +0.81
    assert len(values) > 5
