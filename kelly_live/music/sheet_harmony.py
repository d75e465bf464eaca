"""A chord sheet as harmony: the chords of its bars, fitted into the key of a phrase."""

from __future__ import annotations

from kelly_live.music.chord_sheet import ChordSheet, ChordSymbol
from kelly_live.music.harmony import ChordChoice, Phrase, create_tonic_chord, replace_chords
from kelly_live.music.theory import Chord, Key, fit_tones


def fit_symbol(symbol: ChordSymbol, key: Key) -> Chord:
    """Fit a written chord into a key; of tones that do not fit, the last ones are left out."""
    if symbol.root is None:
        return create_tonic_chord(key)
    for count in range(len(symbol.tones), 0, -1):
        chord = fit_tones(key, symbol.root, symbol.tones[:count], symbol.text)
        if chord is not None:
            return chord
    return create_tonic_chord(key)  # in a scale that has no such root


def apply_sheet(sheet: ChordSheet, phrase: Phrase) -> Phrase:
    """Return a phrase with the sheet's chords for its bars."""
    choices = list[ChordChoice]()
    for bar in range(phrase.start_bar, phrase.start_bar + phrase.bars):
        chords = sheet.bars[bar % len(sheet.bars)]
        length = phrase.beats_per_bar / len(chords)
        for number, symbol in enumerate(chords):
            chord = fit_symbol(symbol, phrase.key)
            if not choices or choices[-1][1] != chord:
                choices.append((bar * phrase.beats_per_bar + number * length, chord))
    return replace_chords(phrase, choices)
