"""Which notes a chord is played with: near the last ones, around a centre, without parallels."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations, pairwise

from kelly_live.music.theory import Chord, Note, measure_voice_leading

VOICES = 4
_REACH = 11  # semitones either side of the centre
_LARGEST_SPAN = 17
_FLOOR = 45  # A2: below it is the bass's
_LOW = 52  # below this (E3), intervals under a fourth growl
LOWEST_BASS, HIGHEST_BASS = 31, 48  # G1 to C3
_BASS_CENTRE = 38.0  # D2: roots lie within half an octave of it
# The penalty for two outer voices that move in parallel perfect intervals, or leap into one together.
_PARALLEL, _HIDDEN = 10.0, 5.0


@lru_cache(maxsize=1024)
def find_bass_root(chord: Chord) -> int:
    """Return the step of the root nearest to the bass's centre."""
    return min(
        (s for s in chord.key.steps_within(LOWEST_BASS, HIGHEST_BASS) if s % chord.key.size == chord.root),
        key=lambda s: abs(chord.key.cents(s) / 100.0 - _BASS_CENTRE),
        default=chord.key.step_near(_BASS_CENTRE),
    )


def find_bass_pitch(chord: Chord) -> int:
    """Return the MIDI note that the bass plays where a chord begins."""
    return chord.key.note(find_bass_root(chord)).pitch


def penalize_parallels(low: tuple[int, int], high: tuple[int, int]) -> float:
    """Return a penalty for parallel or hidden fifths and octaves; each voice is a pitch and the next one."""
    down, up = low[1] - low[0], high[1] - high[0]
    after = (high[1] - low[1]) % 12
    if down * up <= 0 or after not in (0, 7):
        return 0.0
    return _PARALLEL if (high[0] - low[0]) % 12 == after else _HIDDEN * (abs(up) > 2)


@lru_cache(maxsize=4096)
def voice_chord(
    chord: Chord, previous: tuple[int, ...] | None, centre: int, before: Chord | None = None
) -> tuple[int, ...]:
    """Choose four MIDI pitches, rising, for a chord: all its tones, around `centre`, with little movement.

    `previous` are the pitches of the last chord. With that chord as `before`, the top voice avoids parallels with the
    roots in the bass.
    """
    roots = None if before is None else (find_bass_pitch(before), find_bass_pitch(chord))
    classes = chord.pitch_classes
    pitches = [p for p in range(centre - _REACH, centre + _REACH + 1) if _FLOOR <= p <= 127 and p % 12 in classes]

    def cost(notes: tuple[int, ...]) -> float:
        sounding_classes = {p % 12 for p in notes}
        missing = sum(40.0 for pc in classes if pc not in sounding_classes)
        # Doubling the third (or seventh) makes a chord thick; doubling the root or fifth is free.
        doubling = sum(1.5 * (sum(p % 12 == pc for p in notes) > 1) for pc in (*classes[1:2], *classes[3:4]))
        gaps = [b - a for a, b in pairwise(notes)]
        crowding = sum(5.0 for a, gap in zip(notes, gaps, strict=False) if gap < (5 if a < _LOW else 2))
        seconds = 1.5 * max(0, sum(gap <= 2 for gap in gaps) - 1) + 3.0 * (bool(gaps) and gaps[-1] <= 2)
        wide = 2.0 * max(0, notes[-1] - notes[0] - _LARGEST_SPAN) + 2.0 * max(0, 7 - (notes[-1] - notes[0]))
        off_centre = abs(sum(notes) / len(notes) - centre)
        movement = float(measure_voice_leading(previous, notes)) if previous else off_centre
        leap = max((abs(a - b) for a, b in zip(previous, notes, strict=False)), default=0) if previous else 0
        parallels = penalize_parallels(roots, (previous[-1], notes[-1])) if roots and previous else 0.0
        return (
            missing + doubling + crowding + seconds + wide + off_centre + movement + 0.8 * max(0, leap - 4) + parallels
        )

    return min(combinations(pitches, min(VOICES, len(pitches))), key=lambda notes: (cost(notes), notes))


def tune_pitch(chord: Chord, pitch: int) -> Note:
    """Return a pitch with the cents that the chord's scale gives its tone."""
    for degree in chord.degrees:
        note = chord.key.note(degree)
        if note.pitch % 12 == pitch % 12:
            return Note(pitch, note.cents)
    return Note(pitch, 0.0)


@lru_cache(maxsize=256)
def lead_voices(chords: tuple[Chord, ...], centre: int) -> tuple[tuple[int, ...], ...]:
    """Voice each of a phrase's chords, each near the one before; the first lies around the centre."""
    voicings: list[tuple[int, ...]] = []
    before: Chord | None = None
    for chord in chords:
        voicings.append(voice_chord(chord, voicings[-1] if voicings else None, centre, before))
        before = chord
    return tuple(voicings)
