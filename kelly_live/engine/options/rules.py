"""What settings need or exclude each other, as one table for every command and every options value.

A rule is about what was given: on a command line what was typed, in an options value what is not the default. A rule
that names a flag that a command does not have says nothing about that command.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kelly_live.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Rule:
    """A flag (or an argument's name in capitals) that needs one of some others, or excludes some."""

    flag: str
    needs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


RULES = (
    Rule("--emotion", excludes=("--valence", "--arousal", "--dominance")),
    Rule("--morph-bars", needs=("--morph-to",)),
    Rule("--goal", excludes=("--emotion", "--valence", "--arousal", "--dominance", "--morph-to", "--freeze")),
    Rule("--goal-minutes", needs=("--goal",)),
    Rule("--meet-minutes", needs=("--goal",)),
    Rule("--culture-strength", needs=("--culture",)),
    Rule("--cc-channel", needs=("--cc",)),
    Rule("--arc", excludes=("--emotion", "--valence", "--arousal", "--dominance", "--morph-to", "--bars", "--form")),
    Rule("--length", excludes=("--bars", "--morph-to")),
    Rule("--video", excludes=("--bars", "--morph-to")),
    Rule("--chords", excludes=("--culture",)),
    Rule("--play-in-range", needs=("--play-in",)),
    Rule("--limit-quiet-velocity", needs=("--limit-quiet-hours",)),
    Rule("--ui-host", needs=("--ui",)),
    Rule("--ui-port", needs=("--ui",)),
    Rule("--sound", excludes=("--midi-out", "--frame-accurate")),
    Rule("--pieces", excludes=("--midi", "--wav", "--plot")),
    Rule("--out", excludes=("--json",)),
    Rule("--into", excludes=("--midi", "--wav", "--plot", "--record", "--log")),
    Rule("--jobs", needs=("--out", "--into"), excludes=("--on",)),
    Rule("--on", needs=("--out", "--into")),
    Rule("--write", needs=("--into",)),
    Rule("--from", needs=("--cues",)),
    Rule("--sheet", excludes=("--listen", "--json")),
    Rule("--listen", excludes=("--json",)),
    Rule("--list", excludes=("--forget", "--midi-in", "ACTION")),
    Rule("--forget", excludes=("--midi-in", "ACTION")),
)


def check_rules(given_flags: Collection[str], available_flags: Collection[str]) -> None:
    """Check `given_flags` by the rules of `available_flags`. Raises ConfigError naming both sides."""
    for rule in RULES:
        if rule.flag not in given_flags:
            continue
        available_needs = [flag for flag in rule.needs if flag in available_flags]
        if available_needs and not set(available_needs) & set(given_flags):
            raise ConfigError(
                f"{rule.flag} has no effect without {' or '.join(available_needs)}; give both, or leave it out"
            )
        against = [flag for flag in rule.excludes if flag in given_flags]
        if against:
            raise ConfigError(f"{rule.flag} and {' and '.join(against)} do not go together; give one or the other")
