"""The names of the band's roles beside the player; what they mean is in music/roles.py."""

from __future__ import annotations

ACCOMPANY, ANSWER, TRADE, LEAD, SHADOW = "accompany", "answer", "trade", "lead", "shadow"
ROLES = (ACCOMPANY, ANSWER, TRADE, LEAD, SHADOW)
