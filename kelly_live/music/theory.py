"""Modes, keys and chords: pitch as steps of a scale, for music that sounds in any mode or tuning.

A *step* counts scale tones upwards from the tonic of MIDI octave 0 (notes 0-11); a *degree* is a step within the
octave, 0 = tonic. Pitches are MIDI note numbers with a remainder in cents for scales outside 12-TET.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from kelly_live.core.pitch import octave_distance_cents
from kelly_live.core.values import MODES, Scale

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
# Each mode is the major scale started one degree later.
MODE_SEMITONES: dict[str, tuple[int, ...]] = {
    mode: tuple((_MAJOR[(i + k) % 7] - _MAJOR[i]) % 12 for k in range(7)) for i, mode in enumerate(MODES)
}
NOTE_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_LETTERS = "CDEFGAB"


class Note(NamedTuple):
    """A MIDI note number and the cents above it, in [-50, 50]."""

    pitch: int
    cents: float


@lru_cache(maxsize=16)
def build_mode_scale(mode: str) -> Scale:
    """Build the scale of one of MODES, in 12-TET."""
    return Scale(mode, tuple(100.0 * semitone for semitone in MODE_SEMITONES[mode]))


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic (pitch class 0-11) and the scale that stands on it."""

    tonic: int
    scale: Scale

    @property
    def size(self) -> int:
        """The number of scale tones in an octave."""
        return len(self.scale.degrees_cents)

    @property
    def tonic_name(self) -> str:
        """The name of the tonic."""
        return spell_key(self)[0]

    def cents(self, step: int) -> float:
        """Return a step's height in cents above MIDI note 0."""
        octave, degree = divmod(step, self.size)
        return 100.0 * self.tonic + 1200.0 * octave + self.scale.degrees_cents[degree]

    def note(self, step: int) -> Note:
        """Return the note of a step."""
        cents = self.cents(step)
        pitch = round(cents / 100.0)
        return Note(pitch, round(cents - 100.0 * pitch, 3))

    def step_near(self, pitch: float) -> int:
        """Return the step nearest to `pitch` (a MIDI note number, may be fractional); the lower one on a tie."""
        octave = int((pitch - self.tonic) // 12)
        around = range((octave - 1) * self.size, (octave + 2) * self.size)
        return min(around, key=lambda step: abs(self.cents(step) - 100.0 * pitch))

    def steps_within(self, low: float, high: float) -> range:
        """Return the steps in [low, high] (MIDI note numbers); if there is none, the nearest playable one."""
        first, last = self.step_near(low), self.step_near(high)
        first += self.cents(first) < 100.0 * low
        last -= self.cents(last) > 100.0 * high
        if first > last:
            middle = self.step_near((low + high) / 2.0)
            playable = [step for step in (middle, middle + 1, middle - 1) if 0 <= self.note(step).pitch <= 127]
            first = last = playable[0]
        return range(first, last + 1)

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """The nearest 12-TET pitch class of each degree."""
        return tuple(self.note(degree).pitch % 12 for degree in range(self.size))

    @property
    def mode(self) -> str:
        """The diatonic mode that the scale is, or is nearest to."""
        return find_nearest_mode(self.scale)

    def find_degree(self, mode_degree: int) -> int:
        """Return the degree of this scale that a degree (0-6) of the nearest mode falls on."""
        if self.size == 7:
            return mode_degree
        cents = 100.0 * MODE_SEMITONES[self.mode][mode_degree]
        return min(range(self.size), key=lambda degree: abs(self.scale.degrees_cents[degree] - cents))


@lru_cache(maxsize=256)
def spell_key(key: Key) -> tuple[str, ...]:
    """Name each degree of a key.

    A seven-tone scale has one letter a degree, with as few accidentals as any spelling of the tonic gives. Other scales
    have the usual names of the pitch classes.
    """
    classes = key.pitch_classes
    if len(classes) != 7:
        return tuple(NOTE_NAMES[pc] for pc in classes)

    def from_letter(first: int) -> list[tuple[str, int]]:
        letters = [(first + k) % 7 for k in range(7)]
        return [
            (_LETTERS[letter], (pc - _MAJOR[letter] + 6) % 12 - 6) for letter, pc in zip(letters, classes, strict=True)
        ]

    def accidentals(names: list[tuple[str, int]]) -> tuple[int, int]:
        return max(abs(shift) for _, shift in names), sum(abs(shift) for _, shift in names)

    best = min((from_letter(first) for first in range(7)), key=accidentals)
    return tuple(letter + ("#" * shift if shift > 0 else "b" * -shift) for letter, shift in best)


@lru_cache(maxsize=64)
def find_nearest_mode(scale: Scale) -> str:
    """Find the mode whose tones are nearest to the scale's own, in cents; the first one on a tie."""

    def distance(mode: str) -> float:
        scale_degrees, mode_degrees = scale.degrees_cents, build_mode_scale(mode).degrees_cents
        return sum(min(abs(octave_distance_cents(a, b)) for b in mode_degrees) for a in scale_degrees) + sum(
            min(abs(octave_distance_cents(a, b)) for b in scale_degrees) for a in mode_degrees
        )

    return scale.name if scale == _as_mode(scale.name) else min(MODES, key=distance)


def _as_mode(name: str) -> Scale | None:
    return build_mode_scale(name) if name in MODE_SEMITONES else None


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord of a key: the degrees of its tones, root first, and its name."""

    key: Key
    degrees: tuple[int, ...]
    name: str

    @property
    def root(self) -> int:
        """The degree of the root."""
        return self.degrees[0]

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """The nearest 12-TET pitch class of each tone, root first."""
        return tuple(self.key.note(degree).pitch % 12 for degree in self.degrees)

    def has(self, step: int) -> bool:
        """Tell whether a step is a tone of the chord."""
        return step % self.key.size in self.degrees

    def step_near(self, step: float) -> int:
        """Return the chord tone nearest to a step (may be fractional); the lower one on a tie."""
        size, middle = self.key.size, round(step)
        return min((s for s in range(middle - size, middle + size + 1) if self.has(s)), key=lambda s: abs(s - step))


@lru_cache(maxsize=1024)
def build_chord(key: Key, degree: int, *, seventh: bool = False, fifth: bool = True) -> Chord:
    """Build the chord that a key has on a degree.

    It stacks thirds on scales of five to seven tones. On others it takes the tones nearest to a neutral third, a fifth
    and a seventh above the root.
    """
    if 5 <= key.size <= 7:
        stack = [degree, degree + 2, degree + 4, degree + 6]
    else:
        root = key.cents(degree)
        above = range(degree, degree + key.size)
        stack = [degree] + [
            min(above, key=lambda s: abs(key.cents(s) - root - above_root)) for above_root in (350.0, 700.0, 1050.0)
        ]
    steps = stack[:2] + stack[2:3] * fifth + stack[3:4] * seventh
    degrees = tuple(dict.fromkeys(step % key.size for step in steps))
    return Chord(key, degrees, _chord_name(key, stack, seventh=seventh, fifth=fifth))


def fit_chord(key: Key, root: int, quality: str) -> Chord | None:
    """Fit a major or minor triad on any `root` (0-11) into a key of seven tones; None where it does not fit."""
    spelling = spell_key(key)
    own_degrees = [degree for degree, pitch_class in enumerate(key.pitch_classes) if pitch_class == root]
    name = (spelling[own_degrees[0]] if own_degrees else NOTE_NAMES[root]) + ("m" if quality == "minor" else "")
    return fit_tones(key, root, (0, 4 if quality == "major" else 3, 7), name)


@lru_cache(maxsize=1024)
def fit_tones(key: Key, root: int, tones: tuple[int, ...], name: str) -> Chord | None:
    """Fit tones, in semitones above a `root` (0-11), into a key of seven tones; None where they do not fit.

    Tones that the scale lacks take the place of a neighbour a semitone away, but never of the tonic. Other tones stay,
    so that steps keep their meaning.
    """
    semitones = [round(cents / 100.0) for cents in key.scale.degrees_cents]
    if len(semitones) != 7 or any(100.0 * s != c for s, c in zip(semitones, key.scale.degrees_cents, strict=True)):
        return None
    above_tonic = [(root - key.tonic + tone) % 12 for tone in tones]
    degrees = {tone: semitones.index(tone) for tone in above_tonic if tone in semitones}
    for tone in above_tonic:
        if tone in degrees:
            continue
        nearby_degrees = [d for d in range(1, 7) if abs(semitones[d] - tone) == 1 and d not in degrees.values()]
        if not nearby_degrees:
            return None
        degrees[tone] = nearby_degrees[-1]
        semitones[nearby_degrees[-1]] = tone
    if semitones != sorted(set(semitones)):
        return None
    scale = Scale(f"{key.scale.name} for {name}", tuple(100.0 * semitone for semitone in semitones))
    fits = scale.degrees_cents == key.scale.degrees_cents
    return Chord(key if fits else Key(key.tonic, scale), tuple(degrees[tone] for tone in above_tonic), name)


_TRIADS = {(4, 7): "", (3, 7): "m", (3, 6): "dim", (4, 8): "aug", (5, 7): "sus4", (2, 7): "sus2"}


def _chord_name(key: Key, stack: Sequence[int], *, seventh: bool, fifth: bool) -> str:
    root, *above = (key.note(step).pitch for step in stack)
    third, perfect, top = (pitch - root for pitch in above)
    name = spell_key(key)[stack[0] % key.size]
    if not fifth:
        return name + {3: "m", 4: ""}.get(third, "") + "(no5)"
    quality = _TRIADS.get((third, perfect), f"({third},{perfect})")
    if seventh and quality == "dim" and top == 10:
        return name + "m7b5"
    return name + quality + ({11: "maj7", 10: "7", 9: "6"}.get(top, "") if seventh else "")


def measure_voice_leading(a: Sequence[int], b: Sequence[int]) -> int:
    """Measure how many semitones the voices move in all from chord `a` to `b` (MIDI pitches).

    Voices are paired by height.     A voice that the smaller chord lacks comes from its nearest neighbour.
    """
    low, high = sorted((sorted(a), sorted(b)), key=len)
    if len(low) == len(high):
        return sum(abs(x - y) for x, y in zip(low, high, strict=True))
    return sum(min(abs(x - y) for y in low) for x in high) if low else 0
