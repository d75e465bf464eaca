"""`kelly-live latency`: how late the synth is heard, and by how much notes must leave earlier."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, add_options, debug_option, print_line
from kelly_live.engine.options.latency import LatencyOptions


@click.command(cls=CheckedCommand)
@add_options(LatencyOptions)
@click.option("--store", is_flag=True, help="Keep the latency for this output: live playing then uses it by itself.")
@debug_option
def command(options: LatencyOptions, store: bool) -> None:
    """Play clicks into a MIDI output, hear them in an audio input, and say what --latency-ms should be.

    The synth's sound must reach the input: by a microphone before the loudspeaker, or by a cable.
    """
    from kelly_live.audio.supervised_source import SupervisedSource
    from kelly_live.core.commands import Stop
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.engine.latency import list_click_times, measure_latency
    from kelly_live.midi.latencies import load_latencies, store_latency
    from kelly_live.midi.scheduler_client import SchedulerClient

    if store:
        load_latencies()  # a file that cannot be added to is reported before anything is opened
    clock = MonotonicClock()
    sink = SchedulerClient(options.midi_out, frame_accurate=options.frame_accurate)
    source = SupervisedSource(options.audio_in, clock, mix=options.audio.build_mix())
    try:
        port = sink.open()
        source.open()
        print_line(
            f"playing {options.clicks} clicks into {port.name!r}, listening to {source.name!r}"
            f"{source.inputs and f' ({source.inputs})'}: {list_click_times(options.clicks)[-1] + 2.0:.0f} s"
        )
        if port.is_virtual:
            click.pause("connect your synth or DAW to that virtual port, then press a key …")
        report = measure_latency(source, sink, clock, options, source_name=source.name, output=port.name)
    finally:
        source.close()
        sink.send(Stop())
    for line in report.describe():
        print_line(line)
    if store:
        path = store_latency(report.output, report.latency_seconds)
        print_line(f"stored in {path}; what you play into {report.output!r} uses it, and --latency-ms still wins")
