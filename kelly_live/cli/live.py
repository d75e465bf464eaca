"""`kelly-live [live]`: listen to an input and play into a MIDI port until Ctrl-C."""

from __future__ import annotations

import secrets
import signal
from types import FrameType

import click

from kelly_live.core.commands import Stop
from kelly_live.engine.options.click_options import add_options, debug_option, print_notice
from kelly_live.engine.options.commands import LiveOptions


@click.command()
@add_options(LiveOptions)
@debug_option
def command(options: LiveOptions) -> None:
    """Listen, feel, play, send, until Ctrl-C. In a terminal, keys steer it: ? lists them."""
    import sys

    from kelly_live.audio.supervised_source import SupervisedSource
    from kelly_live.control.keyboard import Keyboard
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.engine.analysis_proxy import AnalysisProxy
    from kelly_live.engine.build import build_band, build_sink, create_beat_tracker, create_conductor, load_profile
    from kelly_live.engine.console import Console
    from kelly_live.engine.external_io import create_controller_output, open_external_io
    from kelly_live.engine.record import insert_tee, start_recorder
    from kelly_live.engine.session import LiveSession
    from kelly_live.ui.terminal import StatusView
    from kelly_live.workers.realtime import enable_realtime, freeze_gc

    enable_realtime()
    ears = AnalysisProxy()  # loads beside all that follows
    click.get_current_context().call_on_close(ears.close)
    profile = load_profile(options.profile, print_notice)
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    now = MonotonicClock()
    source = SupervisedSource(options.audio_in, now)
    host = options.host.with_profile(profile)
    players = build_band(host, live=True)
    studio = options.external_io
    sink = build_sink(
        host,
        players,
        options.midi_out,
        send_clock=studio.sends_clock,
        latencies=studio.latencies,
        frame_accurate=studio.frame_accurate,
    )
    out = insert_tee(options.recording, sink)
    recorder = None
    room = open_external_io(studio, now)
    try:
        ports = sink.open()  # the cheap parts first: a wrong name is told before the nets are loaded
        source.open()
        steering, tuning = options.override.build_override(), options.tuning.build_tuning()
        opening = ears.make(options.device, steering, options.culture, profile, reader_name=options.reader)
        conductor = create_conductor(
            out, seed=seed, host=players, live=True, early_seconds=sink.early_seconds, notify=print_notice
        )
        sink.send(tuning.with_programs(conductor.slots))
        recorder = start_recorder(options, out, conductor, now, seed=seed, band=players, tuning=tuning, profile=profile)
        session = LiveSession(
            source=source,
            analyzer=ears,
            conductor=conductor,
            sink=sink,
            clock=now,
            opening=opening,
            journal=recorder,
            follower=create_beat_tracker(options.follow),
            leaders=room.sync_sources,
            controls=create_controller_output(studio.controllers, out),
            early_seconds=sink.early_seconds,
        )

        def on_signal(number: int, frame: FrameType | None) -> None:
            session.stop()

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        virtual = " (a virtual port: connect your synth or DAW to it)"
        into = " and ".join(f"{port.name!r}{virtual if port.is_virtual else ''}" for port in ports.values())
        click.echo(f"listening to {source.name!r}, playing into {into}, seed {seed}; Ctrl-C stops")
        for line in room.describe():
            click.echo(line)
        if recorder is not None:
            click.echo(f"recording: {recorder.paths.midi or recorder.paths.log}")
        with StatusView(sys.stdout, now) as view, Keyboard() as keyboard:
            desk = Console(
                session, view, keyboard,
                steering=steering, ears=ears, players=players, sink=sink, room=room, recorder=recorder,
            )  # fmt: skip
            try:
                freeze_gc()
                last = session.run(desk.look)
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
    finally:
        source.close()
        sink.send(Stop())
        room.close()
        players.close()
        for line in recorder.close() if recorder is not None else ():
            click.echo(line)
    click.echo(
        f"stopped: {last.scheduler.sent} events sent, {last.scheduler.late} late, {last.scheduler.dropped} notes "
        f"dropped; {last.dropped_windows} windows and {last.audio.dropped_seconds:.1f} s of input dropped"
    )
