"""`kelly-live [live]`: listen to an input and play into a MIDI port until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from kelly_live.engine.options.click_options import CheckedCommand, add_options, debug_option, print_notice
from kelly_live.engine.options.commands import LiveOptions


@click.command(cls=CheckedCommand)
@add_options(LiveOptions)
@debug_option
def command(options: LiveOptions) -> None:
    """Listen, feel, play, send, until Ctrl-C. In a terminal, keys control it: ? lists them."""
    from kelly_live.control.keyboard import Keyboard, KeyboardSurface
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.engine.live import LiveEngine
    from kelly_live.ui.terminal import StatusView

    engine = LiveEngine(options, notify=print_notice)
    engine.open()

    def on_signal(number: int, frame: FrameType | None) -> None:
        engine.request_stop()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    first, *rest = engine.describe()
    for line in (f"{first}; Ctrl-C stops", *rest):
        click.echo(line)
    try:
        with StatusView(sys.stdout, MonotonicClock()) as view, Keyboard() as keyboard:
            surfaces = [KeyboardSurface(keyboard, engine.own_keys)] if keyboard.is_open else []
            report = engine.run(view, surfaces)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for line in report.describe():
        click.echo(line)
