"""What a performer should know where controllers of the expression are used for something else as well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import BRIGHTNESS, EXPRESSION
from kelly_live.engine.build import Notify

if TYPE_CHECKING:
    from kelly_live.engine.options.external_io import ControllerOptions
    from kelly_live.music.band import Slot

_SENT = (EXPRESSION, BRIGHTNESS)


def report_sent_twice(controllers: ControllerOptions, slots: Iterable[Slot], notify: Notify) -> None:
    """Say which controllers of the expression `--cc` sends on a part's channel, too."""
    if controllers.channel not in {slot.channel for slot in slots}:
        return
    for name, number in (controllers.numbers or {}).items():
        if number in _SENT:
            notify(
                f"controller {number} on channel {controllers.channel} carries {name} (--cc), so the expression leaves "
                "it alone there; another --cc-channel keeps both"
            )


def report_learned_too(notify: Notify) -> None:
    """Say which controllers of the expression our MIDI input has learned."""
    from kelly_live.control.midi_map import load_bindings

    try:
        bindings = load_bindings()
    except ConfigError:  # said where the controls are opened
        return
    for binding in bindings:
        number = binding.control.number
        if binding.control.kind == "cc" and number in _SENT:
            notify(
                f"controller {number} has been learned for {binding.action} and goes out as expression, "
                "too: where what we send comes back to our MIDI input, play with --no-expression"
            )
