"""One rule for choosing a device or port by name, shared by audio and MIDI.

The rule is that of the library sounddevice: an exact match wins; otherwise the words of the query must occur in the
name, in order, ignoring case ("IAC Bus" finds "IAC Driver Bus 1"). No match or several is an error that lists the
candidates.
"""

from __future__ import annotations

from collections.abc import Sequence

from kelly_live.core.errors import KellyError


def matches(query: str, name: str) -> bool:
    """Return whether the words of `query` occur in `name` in their order, ignoring case."""
    position = 0
    folded = name.casefold()
    for word in query.casefold().split():
        start = folded.find(word, position)
        if start < 0:
            return False
        position = start + len(word)
    return True


def choose(query: str, names: Sequence[str], *, kind: str, error: type[KellyError], listing: str) -> int:
    """Return the index of the one of `names` that matches `query`.

    `kind` ("MIDI output") and `listing` (the command that lists the candidates) go into the error message. Raises
    `error`.
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
    matching = [i for i, name in enumerate(names) if matches(query, name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        listing_text = ", ".join(repr(names[i]) for i in matching)
        raise error(f"{kind} {query!r} is ambiguous: {listing_text}; give more of the name (see `{listing}`)")
    listing_text = ", ".join(map(repr, names)) if names else "none"
    raise error(f"no {kind} matches {query!r}; there are: {listing_text} (see `{listing}`)")
