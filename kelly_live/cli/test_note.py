"""`kelly-live test-note`: is the synth wired?"""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, WholeNumber, debug_option, name_option, print_line


@click.command("test-note", cls=CheckedCommand)
@name_option("--midi-out", "The MIDI output, by any part of its name [default: a virtual port].")
@click.option("--sound", is_flag=True, help="Through the built-in synthesiser, without a synth or a DAW.")
@click.option("--channel", type=WholeNumber(1, 16), default=1, show_default=True, help="The MIDI channel.")
@debug_option
def command(midi_out: str | None, sound: bool, channel: int) -> None:
    """Play a broken C major chord into a MIDI output, and say where it went."""
    from kelly_live.core.commands import Stop
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.engine.output_check import play_test_notes
    from kelly_live.midi.ports import BUILT_IN_SYNTH
    from kelly_live.midi.scheduler_client import SchedulerClient

    sink = SchedulerClient(BUILT_IN_SYNTH if sound else midi_out)
    try:
        port = sink.open()
        if port.is_virtual:
            click.pause(f"connect your synth or DAW to the virtual port {port.name!r}, then press a key …")
        print_line(f"playing C, E, G, C and the chord into {port.name!r} on channel {channel}")
        play_test_notes(sink, MonotonicClock(), channel=channel)
    finally:
        sink.send(Stop())
    if not sound:
        print_line(
            "nothing heard? The synth must listen to this port and channel; `kelly-live devices` lists the ports"
        )
