"""Read planned music as a musician would: chords as roman numerals, cadences, phrases."""

from __future__ import annotations

from kelly_live.music.harmony import Phrase
from kelly_live.music.theory import Chord

# Above the tonic, as against its major scale, whatever the mode: the tonic of minor is i, its sixth degree bVI.
_NUMERALS = ("I", "bII", "II", "bIII", "III", "IV", "#IV", "V", "bVI", "VI", "bVII", "VII")
_DOMINANT, _SUBDOMINANT, _SUBMEDIANT = 7, 5, (8, 9)


def name_chord(chord: Chord) -> str:
    """Name a chord by its degree above the tonic: upper case with a major third, lower with a minor one.

    `°` is a diminished fifth, `+` an augmented one, and a seventh is named 7 or maj7.
    """
    root, *above = ((pitch - chord.pitch_classes[0]) % 12 for pitch in chord.pitch_classes)
    numeral = _NUMERALS[(chord.pitch_classes[0] - chord.key.tonic - root) % 12]
    if 3 in above and 4 not in above:
        numeral = numeral.lower() if numeral[0] not in "b#" else numeral[0] + numeral[1:].lower()
    if 6 in above and 7 not in above:
        numeral += "°"
    elif 8 in above and 7 not in above and 4 in above:
        numeral += "+"
    if 11 in above:
        return f"{numeral}maj7"
    return f"{numeral}7" if 10 in above and len(above) > 2 else numeral


def name_cadence(phrase: Phrase) -> str:
    """Name how a phrase ends: by the chord that it stops on, and the one before."""
    tonic = phrase.key.tonic
    chords = [span.chord for span in phrase.spans]
    last = (chords[-1].pitch_classes[0] - tonic) % 12
    before = (chords[-2].pitch_classes[0] - tonic) % 12 if len(chords) > 1 else None
    if last == 0:
        return {_DOMINANT: "authentic", _SUBDOMINANT: "plagal", None: "tonic"}.get(before, "modal")
    if last == _DOMINANT:
        return "half"
    if last in _SUBMEDIANT and before == _DOMINANT:
        return "deceptive"
    return "open"
