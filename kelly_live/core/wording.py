"""Small helpers for the sentences that the program prints."""

from __future__ import annotations


def plural(count: int, noun: str, several: str | None = None) -> str:
    """Return a count with its noun, in the right number: "1 bar", "2 bars"."""
    return f"{count} {noun if count == 1 else several or noun + 's'}"


def quote_error(error: Exception) -> str:
    """Return a library's error, which may repeat what a stranger sent, as part of one line."""
    return " ".join(str(error).split())[:200]
