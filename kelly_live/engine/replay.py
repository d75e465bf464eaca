"""Seat the players of a recorded session again, as its log names them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kelly_live.generators.band import PlayerSlot
    from kelly_live.recording.log import Header, Part


def seat_recorded_players(header: Header, preset: str, parts: tuple[Part, ...]) -> list[PlayerSlot]:
    """Return the players of a host preset as a log seats them: all in this thread, untimed, without plug-ins.

    Raises ConfigError.
    """
    from kelly_live.generators.host import Setting, load_preset, seat, with_extra

    settings = [Setting.read(text) for text in header.settings]
    seats = seat(with_extra(load_preset(preset), header.extra), settings, one_port=not header.live).seats
    sent = {part.part: part.sent_program for part in parts if not part.guest}
    return [replace(slot, sent_program=sent[slot.part]) for slot in seats if slot.part in sent]
