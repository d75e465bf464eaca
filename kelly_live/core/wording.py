"""Small helpers for the sentences that the program prints."""

from __future__ import annotations

from collections.abc import Sequence


def plural(count: int, noun: str, several: str | None = None) -> str:
    """Return a count with its noun, in the right number: "1 bar", "2 bars"."""
    return f"{count} {noun if count == 1 else several or noun + 's'}"


def join_words(words: Sequence[str], conjunction: str) -> str:
    """Return a list as a sentence has it: "tempo", "tempo and key", "tempo, key and chords"."""
    return f" {conjunction} ".join([*([", ".join(words[:-1])] if len(words) > 1 else []), *words[-1:]])


def quote_error(error: Exception) -> str:
    """Return a library's error, which may repeat what a stranger sent, as part of one line."""
    return " ".join(str(error).split())[:200]


def escape(text: str) -> str:
    r"""Return text as one printable line.

    Names of files and ports come from strangers: escape sequences would move the cursor, new lines fake a message, and
    bidi controls turn it round. Bytes of a name that is not UTF-8 (PEP 383) become `\xe9`.
    """
    return "".join(one if one.isprintable() else _escape_character(one) for one in text)


def _escape_character(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
