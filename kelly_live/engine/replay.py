"""Load the players of a recorded session again, as its log names them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kelly_live.generators.band import PlayerSlot
    from kelly_live.recording.records import Header, Part


def load_recorded_players(header: Header, preset: str, parts: tuple[Part, ...]) -> list[PlayerSlot]:
    """Return the players of a host preset in the slots of a log.

    They play in this thread, untimed and without plug-ins. Raises ConfigError.
    """
    from kelly_live.generators.host_preset import EffectRequest, Setting, add_effects, add_players, load_preset
    from kelly_live.generators.preset_band import assign_slots

    settings = [Setting.parse(text) for text in header.settings]
    effects = [EffectRequest.parse(text) for text in header.effects]
    band = add_effects(add_players(load_preset(preset), header.extra), effects)
    slots = assign_slots(band, settings, one_port=not header.live).slots
    recorded = {part.name: part for part in parts if not part.is_plug_in}
    return [
        replace(slot, program=recorded[slot.part].program, sends_program=recorded[slot.part].sends_program)
        for slot in slots
        if slot.part in recorded
    ]
