"""`kelly-live [live]`: listen to an input and play into a MIDI port until Ctrl-C."""

from __future__ import annotations

import sys

import click

from kelly_live.core.termination import finish_first
from kelly_live.engine.options.click_options import CheckedCommand, add_options, debug_option, print_notice
from kelly_live.engine.options.commands import LiveOptions


@click.command(cls=CheckedCommand)
@add_options(LiveOptions)
@click.option(
    "--plain", is_flag=True, help="Print a line for each change instead of rows that are redrawn; for screen readers."
)
@debug_option
def command(options: LiveOptions, plain: bool) -> None:
    """Listen, feel, play, send, until Ctrl-C. In a terminal, keys control it: ? lists them."""
    from kelly_live.core.timebase import MonotonicClock
    from kelly_live.ui.terminal import create_view

    with create_view(sys.stdout, MonotonicClock(), plain=plain) as view:
        view.say("loading …")  # PyTorch takes seconds
        from kelly_live.control.keyboard import Keyboard, KeyboardSurface
        from kelly_live.engine.live import LiveEngine

        engine = LiveEngine(options, notify=print_notice)
        engine.open()
        with finish_first(engine.request_stop):
            first, *rest = engine.describe()
            view.say("\n".join([f"{first}; Ctrl-C stops", *rest]))
            with Keyboard(before_stop=view.close) as keyboard:
                surfaces = [KeyboardSurface(keyboard, engine.own_keys)] if keyboard.is_open else []
                report = engine.run(view, surfaces)
            view.close()
            view.say("\n".join(report.describe()))
