"""`kelly-live [live]`: listen to an input and play into a MIDI port until Ctrl-C."""

from __future__ import annotations

import secrets
import signal
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

import click

from kelly_live.cli.hosting import HostOptions, host
from kelly_live.cli.options import CultureOptions, common, culture, follow, profile, steering, tuning
from kelly_live.cli.studio import ExternalIOOptions, expression, studio
from kelly_live.cli.taking import RecordingOptions, taking
from kelly_live.core.protocols import EmotionOverride
from kelly_live.midi.tuning import Tuning

if TYPE_CHECKING:
    from kelly_live.profiles.profile import Profile


@click.command()
@click.option("--midi-out", metavar="NAME", help="The MIDI output, by any part of its name [default: a virtual port].")
@click.option("--audio-in", metavar="NAME", help="The audio input, by any part of its name [default: the system's].")
@studio
@steering
@culture
@host(live=True)
@tuning
@follow
@taking
@click.option("--freeze", is_flag=True, help="Do not follow the sound: neutral, or what is set by hand.")
@click.option("--seed", type=click.IntRange(min=0), help="Same seed, same choices [default: a new one each time].")
@profile
@common
def command(
    midi_out: str | None,
    audio_in: str | None,
    studio: ExternalIOOptions,
    steering: EmotionOverride,
    culture: CultureOptions | None,
    host: HostOptions,
    tuning: Tuning,
    follow: tuple[str, ...],
    take: RecordingOptions,
    freeze: bool,
    seed: int | None,
    profile: Profile | None,
    device: str,
) -> None:
    """Listen, feel, play, send, until Ctrl-C. In a terminal, keys steer it: ? lists them."""
    import sys

    from kelly_live.audio.supervised_source import SupervisedSource
    from kelly_live.control.keyboard import Keyboard
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.engine.analysis_proxy import AnalysisProxy
    from kelly_live.engine.console import Console
    from kelly_live.engine.parts import create_beat_tracker, create_conductor
    from kelly_live.engine.session import LiveSession
    from kelly_live.ui.terminal import StatusView
    from kelly_live.workers.realtime import enable_realtime, freeze_gc

    enable_realtime()
    ears = AnalysisProxy()  # loads beside all that follows
    click.get_current_context().call_on_close(ears.close)
    seed = secrets.randbelow(2**31) if seed is None else seed
    now = MonotonicClock()
    source = SupervisedSource(audio_in, now)
    host = host.for_profile(profile)
    players = host.host(live=True)
    sink = host.sink(
        players,
        midi_out,
        send_clock=studio.sends_clock,
        latencies=studio.latencies,
        frame_accurate=studio.frame_accurate,
    )
    out = take.before(sink)
    recorder = None
    room = studio.open(now)
    try:
        ports = sink.open()  # the cheap parts first: a wrong name is told before the nets are loaded
        source.open()
        steering = replace(steering, freeze=freeze)
        opening = ears.make(device, steering, culture, profile)
        conductor = create_conductor(out, seed=seed, host=players, live=True, early_seconds=sink.early_seconds)
        sink.tune(tuning, ((seat.port, seat.channel, seat.program) for seat in conductor.programs()))
        recorder = take.begin(
            out, conductor, now,
            seed=seed, host=host, players=players, tuning=tuning, culture=culture, profile=profile,
        )  # fmt: skip
        session = LiveSession(
            source=source,
            analyzer=ears,
            conductor=conductor,
            sink=sink,
            clock=now,
            opening=opening,
            journal=recorder,
            follower=create_beat_tracker(follow),
            leaders=room.leaders,
            controls=expression(studio.controllers, out),
            early_seconds=sink.early_seconds,
        )

        def on_signal(number: int, frame: FrameType | None) -> None:
            session.stop()

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        virtual = " (a virtual port: connect your synth or DAW to it)"
        into = " and ".join(f"{port.name!r}{virtual if port.is_virtual else ''}" for port in ports.values())
        click.echo(f"listening to {source.name!r}, playing into {into}, seed {seed}; Ctrl-C stops")
        for line in room.told():
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
        sink.stop()
        room.close()
        players.band.dismiss()
        for line in recorder.close() if recorder is not None else ():
            click.echo(line)
    click.echo(
        f"stopped: {last.scheduler.sent} events sent, {last.scheduler.late} late, {last.scheduler.dropped} notes "
        f"dropped; {last.dropped_windows} windows and {last.audio.dropped_seconds:.1f} s of input dropped"
    )
