"""Time and key signatures, as a MIDI file shows them, of the metres and scales that are played."""

from __future__ import annotations

from functools import lru_cache

from kelly_live.core.commands import Signature
from kelly_live.core.pitch import octave_distance_cents
from kelly_live.core.protocols import NoteSink
from kelly_live.core.values import Metre
from kelly_live.music.theory import MODE_SEMITONES, Key

_MAX_NUMERATOR = 64
_NOTE_VALUES = {4.0: 1, 2.0: 2, 1.0: 4, 0.5: 8, 0.25: 16, 0.125: 32}  # beats (quarter notes) to a denominator
_MINOR_THIRD_CENTS = (250.0, 350.0)  # from and up to: a neutral third counts as neither, so as major


def find_time_signature(metre: Metre | None, bar_beats: int) -> tuple[int, int]:
    """Return numerator and denominator of what is played in bars of `bar_beats` quarter notes.

    A metre counts its own units: tintal is 16/4, a usul of nine eighths 9/8. A compound metre, whose beat divides into
    three, is counted by its beats: a beat is a quarter note in a file, so a jig of two beats is 2/4 in triplets.
    """
    if metre is None or sum(metre.groups) > _MAX_NUMERATOR:
        return bar_beats, 4
    if metre.unit_beats not in _NOTE_VALUES:
        is_whole = abs(metre.beats - round(metre.beats)) < 1e-6
        return (round(metre.beats) if is_whole else bar_beats), 4
    return sum(metre.groups), _NOTE_VALUES[metre.unit_beats]


@lru_cache(maxsize=256)
def find_key_signature(key: Key) -> tuple[int, bool]:
    """Return the sharps (negative: flats) in -5..6, and whether the signature is a minor key's.

    A mode has the signature of its tones: D dorian has no sharps, as D, E, F, G, A, B and C have none. Another scale
    has the one whose tones lie nearest to its own; of several, the one nearest to the tonic's own major or minor. The
    signature is minor if the scale has a minor and no major third.
    """
    degrees = key.scale.degrees_cents
    is_minor = any(_MINOR_THIRD_CENTS[0] <= cents < _MINOR_THIRD_CENTS[1] for cents in degrees) and not any(
        _MINOR_THIRD_CENTS[1] <= cents < 450.0 for cents in degrees
    )
    tonic_sharps = _sharps_of_major(key.tonic + 3 * is_minor)

    def rank(sharps: int) -> tuple[float, int, int]:
        tones = [100.0 * (7 * sharps + semitone) for semitone in MODE_SEMITONES["ionian"]]
        heights = (100.0 * key.tonic + cents for cents in degrees)
        missed_cents = sum(min(abs(octave_distance_cents(height, tone)) for tone in tones) for height in heights)
        return round(missed_cents, 1), abs((sharps - tonic_sharps + 6) % 12 - 6), abs(sharps)

    return min(range(-5, 7), key=rank), is_minor


def _sharps_of_major(tonic: int) -> int:
    """Return the sharps (-5..6) of the major key on this pitch class: a fifth up is one more."""
    return (7 * tonic + 5) % 12 - 5


class SignatureSender:
    """Sends the metre and the key in force, where they are new. Thread: the conductor's."""

    def __init__(self, sink: NoteSink) -> None:
        self._sink = sink
        self.reset()

    def reset(self) -> None:
        """Send them again: a start begins a new count of beats."""
        self._latest: tuple[int, int, int, bool] | None = None

    def send(self, beat: float, metre: Metre | None, beats_per_bar: int, key: Key, *, bar_starts: bool) -> None:
        """Send what is new, at a bar line or after a reset."""
        if not bar_starts and self._latest is not None:
            return
        signature = (*find_time_signature(metre, beats_per_bar), *find_key_signature(key))
        if signature != self._latest:
            self._latest = signature
            self._sink.send(Signature(beat, *signature))
