"""One rule for picking a device or port by name, shared by audio and MIDI.

The rule is sounddevice's: an exact match wins; else the query's words must occur in the name, in order, ignoring case
("IAC Bus" finds "IAC Driver Bus 1"); none or several is an error that lists the candidates.
"""

from __future__ import annotations

from collections.abc import Sequence

from kelly_live.core.errors import KellyError


def matches(query: str, name: str) -> bool:
    """True if the words of `query` occur in `name` in their order, ignoring case."""
    position = 0
    haystack = name.casefold()
    for word in query.casefold().split():
        found = haystack.find(word, position)
        if found < 0:
            return False
        position = found + len(word)
    return True


def choose(query: str, names: Sequence[str], *, kind: str, error: type[KellyError], listing: str) -> int:
    """Index of the one of `names` that `query` means. `kind` ("MIDI output") and `listing` (the command that shows
    the candidates) go into the message. Raises `error`.
    """
    if not query.strip():
        raise error(f"the {kind} name is empty; give a part of a name that `{listing}` shows")
    folded = query.casefold()
    for exact in (
        [i for i, name in enumerate(names) if name == query],
        [i for i, name in enumerate(names) if name.casefold() == folded],
    ):
        if len(exact) == 1:
            return exact[0]
    found = [i for i, name in enumerate(names) if matches(query, name)]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(repr(names[i]) for i in found)
        raise error(f"{kind} {query!r} is ambiguous: {listed}; give more of the name (see `{listing}`)")
    listed = ", ".join(map(repr, names)) if names else "none"
    raise error(f"no {kind} matches {query!r}; there are: {listed} (see `{listing}`)")
