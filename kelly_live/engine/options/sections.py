"""Under which heading the help of a command lists its options, the performer's first."""

from __future__ import annotations

from collections.abc import Iterable

OTHERS = "Options"  # what only this command has
SECTIONS: dict[str, tuple[str, ...]] = {
    "Ports": (
        "--midi-out", "--sound", "--audio-in", "--audio-channels", "--gain-db", "--play-in", "--play-in-range",
        "--play-in-transpose", "--midi-in", "--port",
    ),
    "Feeling": (
        "--emotion", "--valence", "--arousal", "--dominance", "--morph-to", "--morph-bars", "--goal",
        "--goal-minutes", "--meet-minutes", "--freeze", "--arc",
        "--profile", "--words",
    ),
    "Playing together": ("--follow", "--count-in", "--role", "--trade-bars", "--when-silent", "--silent-bars"),
    "Music": (
        "--culture", "--culture-strength", "--style", "--key", "--tempo", "--metre", "--form", "--chords", "--bars",
        "--length", "--seed",
    ),
    "Players": ("--preset", "--with", "--effect", "--set"),
    "Page and terminal": ("--ui", "--ui-host", "--ui-port", "--plain"),
    "Recording": ("--record", "--log", "--report", "--record-folder"),
    "Show": ("--cues", "--from"),
    "Clock and controllers": (
        "--clock", "--osc", "--osc-in", "--lsl", "--lsl-in", "--cc", "--cc-channel", "--panic-stops-transport",
    ),
    "Limits": (
        "--limit-velocity", "--limit-loudness-rise", "--limit-accent", "--limit-notes", "--limit-tempo-rise",
        "--limit-arousal-rise", "--limit-quiet-hours", "--limit-quiet-velocity",
    ),
    "Advanced": (
        "--latency-ms", "--frame-accurate", "--tuning", "--bend-range", "--expression", "--dev", "--dev-python",
        "--models", "--reader", "--device", "--debug", "--config", "--help",
    ),
}  # fmt: skip


def find_section(flags: Iterable[str]) -> str:
    """Return the heading of an option with these flags."""
    words = set(flags)
    return next((title for title, listed in SECTIONS.items() if not words.isdisjoint(listed)), OTHERS)
