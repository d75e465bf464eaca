"""`kelly-live [live]`: listen to an input and play into a MIDI port until Ctrl-C."""

from __future__ import annotations

import sys

import click

from kelly_live.core.termination import finish_first
from kelly_live.engine.options.click_options import CheckedCommand, add_options, debug_option, print_line, print_notice
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
    with finish_first(engine.request_stop):
        first, *rest = engine.describe()
        for line in (f"{first}; Ctrl-C stops", *rest):
            print_line(line)
        with StatusView(sys.stdout, MonotonicClock()) as view, Keyboard() as keyboard:
            surfaces = [KeyboardSurface(keyboard, engine.own_keys)] if keyboard.is_open else []
            report = engine.run(view, surfaces)
        for line in report.describe():
            print_line(line)
