"""`kelly-live [live]`: listen to an input and play into a MIDI port until Ctrl-C."""

from __future__ import annotations

import secrets
import signal
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import click

from kelly_live.cli.hosting import HostWish, host
from kelly_live.cli.options import CultureWish, common, culture, follow, profile, steering, tuning
from kelly_live.cli.studio import StudioWish, expression, studio
from kelly_live.cli.taking import TakeWish, taking
from kelly_live.midi.tuning import Tuning
from kelly_live.protocols import Steering

if TYPE_CHECKING:
    from kelly_live.actions import Action
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
    studio: StudioWish,
    steering: Steering,
    culture: CultureWish | None,
    host: HostWish,
    tuning: Tuning,
    follow: tuple[str, ...],
    take: TakeWish,
    freeze: bool,
    seed: int | None,
    profile: Profile | None,
    device: str,
) -> None:
    """Listen, feel, play, send, until Ctrl-C. In a terminal, keys steer it: ? lists them."""
    import sys

    from kelly_live.actions import Hand, Reach
    from kelly_live.audio.restarting import RestartingSource
    from kelly_live.cli.listening import Listening
    from kelly_live.cli.parts import make_conductor, make_follower
    from kelly_live.interpreter import on_stage, settle
    from kelly_live.midi import controls
    from kelly_live.session import LiveSession, Snapshot
    from kelly_live.steering import described
    from kelly_live.timebase import MonotonicClock
    from kelly_live.ui.alerts import Alerts
    from kelly_live.ui.keys import HELP, Keyboard, action_of, own_help
    from kelly_live.ui.terminal import LiveStatus, StatusView

    on_stage()
    ears = Listening()  # loads beside all that follows
    click.get_current_context().call_on_close(ears.close)
    seed = secrets.randbelow(2**31) if seed is None else seed
    now = MonotonicClock()
    source = RestartingSource(audio_in, now)
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
        pads_in = room.input.branch() if room.input is not None else None
        pads = controls.Controls(controls.with_defaults(controls.load()) if pads_in is not None else ())
        ports = sink.open()  # the cheap parts first: a wrong name is told before the nets are loaded
        source.open()
        steering = replace(steering, freeze=freeze)
        opening = ears.make(device, steering, culture, profile)
        conductor = make_conductor(out, seed=seed, host=players, live=True, early_seconds=sink.early_seconds)
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
            follower=make_follower(follow),
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

            def on_help() -> str:
                return f"{HELP}\n      {own_help(ears.keys)}" if ears.keys else HELP

            if keyboard.live:
                view.say(on_help())

            def on_action(action: Action, source: str, snapshot: Snapshot) -> None:
                ears.acted(action)
                if recorder is not None:
                    recorder.acted(action, source, snapshot)

            reach = Reach(
                ears.steer, panic=session.panic, preset=players.turn, profile=ears.turn,
                reaction=ears.react, help=on_help, quit=session.stop, log=on_action,
            )  # fmt: skip
            hand = Hand(steering, reach)
            alerts = Alerts()
            room.tell(session.snapshot)

            def on_status(snapshot: Snapshot) -> None:
                for key in keyboard.poll():
                    if (action := action_of(key, ears.keys)) and (told := hand.apply(action, snapshot, "key")):
                        view.say(told)
                asked = [("osc", action) for action in room.actions()]
                if pads_in is not None:
                    stands = partial(hand.place, shown=snapshot.reading.state)
                    asked += [("midi", action) for action in pads.hear(pads_in.poll(), stands)]
                for way, action in asked:
                    if told := hand.apply(action, snapshot, way):
                        view.say(told)
                if recorder is not None:
                    recorder.noticed(snapshot)
                for line in ears.watch(hand.steering):
                    view.say(line)
                silent = [f"{player.name} {player.state}" for player in snapshot.conductor.muted]
                joined = [f"with your {' and '.join(snapshot.conductor.joined)}"] * bool(snapshot.conductor.joined)
                troubles = {
                    "the audio input": snapshot.audio.problem,
                    "the MIDI input": room.problem,
                    "the analysis": snapshot.problem,
                    "the GPU": ears.problem,
                    "the recording": recorder.problem if recorder else None,
                    **{f"the MIDI port {name}".rstrip(): failure for name, failure in sink.failures.items()},
                }
                for line in alerts.news(troubles):
                    view.say(line)
                remarks = [
                    *joined,
                    *ears.remarks,
                    *room.remarks(),
                    *described(hand.steering, snapshot.conductor.bars),
                    *silent,
                    *(trouble for trouble in troubles.values() if trouble),
                ]
                view.show(
                    LiveStatus(
                        state=snapshot.reading.state,
                        tempo_bpm=snapshot.conductor.bpm,
                        mode=snapshot.conductor.mode,
                        level_dbfs=snapshot.audio.level_dbfs,
                        late_notes=snapshot.scheduler.late + snapshot.scheduler.dropped,
                        dropped_windows=snapshot.dropped_windows,
                        overflows=snapshot.audio.overflows,
                        tonic=snapshot.conductor.tonic,
                        chord=snapshot.conductor.chord,
                        bar=snapshot.conductor.bar + 1,
                        remark=", ".join(remarks) or None,
                    )
                )

            try:
                settle()
                last = session.run(on_status)
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
