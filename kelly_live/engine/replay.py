"""Play a recorded session again, with the models and players that its log names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kelly_live.engine.model_choice import Notify
    from kelly_live.generators.lineup import PlayerSlot
    from kelly_live.recording.records import Header, Part
    from kelly_live.recording.replay import ReplayResult


def replay_log(log: Path, notify: Notify) -> ReplayResult:
    """Play a log again; the terms of its models go to `notify` at their first use. Raises ConfigError."""
    from kelly_live.engine.model_choice import choose_recorded_models, play_with_models
    from kelly_live.recording.log import LogReader
    from kelly_live.recording.replay import replay

    reader = LogReader(log)
    with play_with_models(choose_recorded_models(reader.header.models), notify):
        return replay(reader, load_recorded_players)


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
