"""Reading of standard MIDI files that others wrote."""

from __future__ import annotations

from pathlib import Path

import mido
from mido.midifiles.meta import KeySignatureError

from kelly_live.core.errors import MidiError
from kelly_live.core.wording import quote_error

# What mido raises of damaged bytes, while it reads and while its messages are merged.
READ_ERRORS = (
    OSError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, ZeroDivisionError,
    KeySignatureError,
)  # fmt: skip


def read_midi_file(path: Path) -> mido.MidiFile:
    """Read a standard MIDI file; data bytes over 127 are clipped. Raises MidiError."""
    try:
        return mido.MidiFile(path, clip=True)
    except READ_ERRORS as error:
        raise create_read_error(path, error) from error


def create_read_error(path: Path, error: Exception) -> MidiError:
    """Return what to raise where a file's bytes made mido raise one of READ_ERRORS."""
    reason = quote_error(error) or "it ends too soon"
    return MidiError(f"cannot read {path} ({reason}); it must be a standard MIDI file")
