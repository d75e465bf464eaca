"""Statistics of how a melody, its accompaniment and a rhythm section fit together, over whole sections.

An arrangement has a melody, an accompaniment (bass and chords together) and drums, placed in beats of bars of four
quarter notes. `compute_arrangement_statistics` describes its first BARS bars. Each entry of STATISTICS names one number
and defines it. Chords are found by one triad detector for people's music and ours: the triad that fits what the
accompaniment sounds in each half bar.

Sources: the fitness of a segment is that of Müller, Jiang & Grosche (2013), "A robust fitness measure for capturing
repetitions in music recordings"; its use as a structure indicator is that of Wu & Yang (2020), "The Jazz Transformer on
the front line". The human reference is POP909 (Wang et al. 2020), from the bar in which the melody enters.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.lab.corpora.pieces import TRIADS, fit_triad

BARS = 64
BAR_BEATS = 4.0
TOGETHER_BEATS = 0.12  # onsets closer than this are struck together
WINDOW_BARS = 8
STRUCTURE_BARS = (9, 20)  # the segments that structure is looked for in
_REST_BEATS = 0.9  # a silence of this length, or a note of _LONG_BEATS before, divides two phrases
_LONG_BEATS = 2.5
_STEP_SEMITONES = 2
_LONG_NONCHORD_BEATS = 1.5
_GHOST_VELOCITY = 55
_HATS, _SNARES = frozenset({42, 44, 46}), frozenset({37, 38, 40})

STATISTICS: Mapping[str, str] = {
    "semitone clashes": "melody notes struck within .12 beat of an accompaniment note a semitone away, octaves folded, "
    "per 100",
    "strong non-chord tones resolved": "melody notes on beats 1 and 3 outside the half bar's triad whose next note is "
    "a step away and in its own half bar's triad, %",
    "strong non-chord tones held": "melody notes on beats 1 and 3 outside the half bar's triad that last, or are "
    "repeated, for 1.5 beats or more, %",
    "commonest rhythm of every fourth bar": "share of the commonest melody rhythm (sixteenths) among bars 4, 8, 12, %",
    "phrases from beat 1": "phrases, divided by a rest of .9 beat or a note of 2.5, that begin on beat 1, %",
    "notes over a barline": "barlines inside the melody that one of its notes sounds over, %",
    "syncopations a bar": "melody notes off the beat that sound over the next beat, where no note begins",
    "new chord 4-grams": "groups of four successive triads (half bars, repeats joined) that occur first, %",
    "structure": "greatest fitness of a segment of 9 to 20 bars, 0-1",
    "density variation": "SD of the notes in 8-bar windows, over their mean",
    "velocity range": "loudest less softest mean velocity of 8-bar windows",
    "melody range": "semitones from its lowest to its highest note",
    "parallel flips": "successive 4-bar windows whose thirds above the tonic change between major and minor, %",
    "drum timing SD ms": "standard deviation of the drums' onsets from the nearest sixteenth or triplet, ms",
    "hat velocity SD": "standard deviation of the hi-hat's velocities",
    "ghost snares": "snare strokes softer than velocity 55, %",
    "distinct drum bars": "bars of drums with a rhythm (sixteenths, keys) of their own, %",
}


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A piece by parts: each an array of rows onset (beats), length (beats), pitch and velocity, in order of onset.

    `tonic` is a pitch class, `drums` are empty where the piece has none, and `beat_seconds` is the length of a beat.
    """

    melody: Floats
    accompaniment: Floats
    tonic: int
    drums: Floats = field(default_factory=lambda: np.empty((0, 4)))
    beat_seconds: float = 0.5

    def select_bars(self, bars: int = BARS) -> Arrangement:
        """Select `bars` bars from the bar in which the melody enters, which becomes bar 0."""
        first = BAR_BEATS * math.floor((float(self.melody[0, 0]) + TOGETHER_BEATS) / BAR_BEATS)

        def cut(rows: Floats) -> Floats:
            moved = rows.copy()
            moved[:, 0] -= first
            return moved[(moved[:, 0] >= -TOGETHER_BEATS) & (moved[:, 0] < bars * BAR_BEATS - TOGETHER_BEATS)]

        return replace(self, melody=cut(self.melody), accompaniment=cut(self.accompaniment), drums=cut(self.drums))


def compute_arrangement_statistics(arrangement: Arrangement, bars: int = BARS) -> dict[str, float]:
    """Compute what of STATISTICS the first `bars` bars allow; a number that has no basis is left out.

    Raises:
        ValueError: The melody has no note.
    """
    if not len(arrangement.melody):
        raise ValueError("the melody has no note; it must have at least one")
    piece = arrangement.select_bars(bars)
    melody = _make_monophonic(piece.melody)
    chords = detect_half_bar_chords(piece.accompaniment, bars)
    found = {
        "semitone clashes": _count_clashes(melody, piece.accompaniment),
        **_measure_nonchord_tones(melody, chords),
        **_measure_rhythm(melody, bars),
        "new chord 4-grams": _measure_new_chords(chords),
        "structure": measure_structure(describe_bars(piece, bars)),
        **_measure_windows(piece, bars),
        "melody range": float(np.ptp(melody[:, 2])),
        "parallel flips": _measure_flips(piece, bars),
        **_measure_drums(piece),
    }
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _make_monophonic(rows: Floats) -> Floats:
    """Keep the highest of notes struck together, and end each note where the next one begins."""
    kept: list[Floats] = []
    for row in rows[np.lexsort((rows[:, 2], rows[:, 0]))]:
        if kept and row[0] - kept[-1][0] < TOGETHER_BEATS:
            kept[-1] = row if row[2] > kept[-1][2] else kept[-1]
        else:
            kept.append(row.copy())
    for one, following in pairwise(kept):
        one[1] = min(one[1], following[0] - one[0])
    return np.array(kept)


# ---------------------------------------------------------------- melody and harmony


def detect_half_bar_chords(accompaniment: Floats, bars: int) -> list[int | None]:
    """Detect the triad of each half bar: 0-11 major by root, 12-23 minor; None before the first that sounds.

    A half bar with fewer than two pitch classes keeps the triad before it.
    """
    onsets, ends = accompaniment[:, 0], accompaniment[:, 0] + accompaniment[:, 1]
    chords: list[int | None] = []
    for number in range(2 * bars):
        start, stop = 2.0 * number, 2.0 * number + 2.0
        sounding = np.minimum(ends, stop) - np.maximum(onsets, start - TOGETHER_BEATS)
        audible = sounding > TOGETHER_BEATS
        pitches = accompaniment[audible, 2].astype(int)
        if len(set(pitches % 12)) < 2:
            chords.append(chords[-1] if chords else None)
            continue
        chords.append(fit_triad(pitches, sounding[audible]))
    return chords


def _count_clashes(melody: Floats, accompaniment: Floats) -> float:
    onsets = accompaniment[:, 0]
    clashing = 0
    for onset, _, pitch, _ in melody:
        first, last = np.searchsorted(onsets, (onset - TOGETHER_BEATS, onset + TOGETHER_BEATS))
        apart = (accompaniment[first:last, 2] - pitch) % 12
        clashing += bool(np.isin(apart, (1, 11)).any())
    return 100.0 * clashing / len(melody)


def _has_tone(chords: Sequence[int | None], beat: float, pitch: float) -> bool | None:
    number = int((beat + TOGETHER_BEATS) // 2.0)
    chord = chords[number] if 0 <= number < len(chords) else None
    return None if chord is None else bool(TRIADS[chord, int(pitch) % 12])


def _measure_nonchord_tones(melody: Floats, chords: Sequence[int | None]) -> dict[str, float]:
    resolved = held = count = 0
    for index, (onset, length, pitch, _) in enumerate(melody[:-1]):
        place = (onset + TOGETHER_BEATS) % 2.0
        if place > 2.0 * TOGETHER_BEATS or _has_tone(chords, onset, pitch) is not False:
            continue
        count += 1
        following = index + 1
        sounding = float(length)
        while following < len(melody) and melody[following, 2] == pitch and melody[following, 0] - onset < 4.0:
            sounding = float(melody[following, 0] + melody[following, 1] - onset)
            following += 1
        held += sounding >= _LONG_NONCHORD_BEATS - TOGETHER_BEATS
        if following < len(melody):
            beat, _, target, _ = melody[following]
            resolved += 0 < abs(target - pitch) <= _STEP_SEMITONES and _has_tone(chords, beat, target) is True
    if not count:
        return {}
    return {
        "strong non-chord tones resolved": 100.0 * resolved / count,
        "strong non-chord tones held": 100.0 * held / count,
    }


def _measure_new_chords(chords: Sequence[int | None]) -> float:
    joined = [
        chord for number, chord in enumerate(chords) if chord is not None and chords[number - 1 : number] != [chord]
    ]
    grams = list(zip(joined, joined[1:], joined[2:], joined[3:], strict=False))
    return 100.0 * len(set(grams)) / len(grams) if grams else math.nan


# ---------------------------------------------------------------- rhythm and phrase


def _measure_rhythm(melody: Floats, bars: int) -> dict[str, float]:
    sixteenths = np.rint(4.0 * melody[:, 0]).astype(int)
    rhythms: dict[int, list[int]] = {bar: [] for bar in range(bars)}
    for place in sixteenths:
        if 0 <= place < 16 * bars:
            rhythms[place // 16].append(int(place % 16))
    fourth = Counter(tuple(rhythms[bar]) for bar in range(3, bars, 4) if rhythms[bar])
    starts = [melody[0, 0]]
    for one, following in pairwise(melody):
        if following[0] - one[0] - one[1] >= _REST_BEATS or one[1] >= _LONG_BEATS:
            starts.append(following[0])
    on_one = [(start + TOGETHER_BEATS) % BAR_BEATS <= 2.0 * TOGETHER_BEATS for start in starts]
    over, barlines, syncopations = 0, 0, 0
    onsets = set(sixteenths.tolist())
    first, last = melody[0, 0], melody[-1, 0] + melody[-1, 1]
    for bar in range(1, bars):
        line = BAR_BEATS * bar
        if first < line < last:
            barlines += 1
            over += bool(
                ((melody[:, 0] < line - TOGETHER_BEATS) & (melody[:, 0] + melody[:, 1] > line + TOGETHER_BEATS)).any()
            )
    for (onset, length, _, _), place in zip(melody, sixteenths, strict=True):
        beat = 4 * (place // 4 + 1)
        if place % 4 and beat not in onsets and onset + length > beat / 4.0 + TOGETHER_BEATS:
            syncopations += 1
    return {
        "commonest rhythm of every fourth bar": 100.0 * max(fourth.values()) / sum(fourth.values())
        if fourth
        else math.nan,
        "phrases from beat 1": 100.0 * float(np.mean(on_one)),
        "notes over a barline": 100.0 * over / barlines if barlines else math.nan,
        "syncopations a bar": syncopations / max(1.0, (last - first) / BAR_BEATS),
    }


# ---------------------------------------------------------------- form


def describe_bars(piece: Arrangement, bars: int) -> Floats:
    """Describe each bar by the pitch classes that begin in each of its quarters: `[bars, 48]`, rows of length 1."""
    rows = np.concatenate((piece.melody, piece.accompaniment))
    cells = np.floor(rows[:, 0] + TOGETHER_BEATS).astype(int)
    inside = (cells >= 0) & (cells < 4 * bars)
    grid = np.zeros((4 * bars, 12))
    np.add.at(grid, (cells[inside], rows[inside, 2].astype(int) % 12), 1.0)
    vectors = grid.reshape(bars, 48)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


def measure_structure(bars: Floats) -> float:
    """Measure how well a segment of STRUCTURE_BARS explains the piece by its repetitions: the greatest fitness, 0-1.

    `bars` are rows of length 1, one a bar. The scores of a segment are the similarities along the best family of paths
    of equal tempo (a bar for a bar): its repetitions do not overlap, and what is no better than the piece's mean
    counts against one.
    """
    similarity = bars @ bars.T
    count = len(bars)
    if count < 2:
        return 0.0
    threshold = float(similarity[np.triu_indices(count, 1)].mean())
    scored = np.where(similarity > threshold, similarity, -0.5)
    best = 0.0
    for length in range(STRUCTURE_BARS[0], min(STRUCTURE_BARS[1], count) + 1):
        for start in range(count - length + 1):
            best = max(best, _measure_fitness(scored[:, start : start + length]))
    return best


def _measure_fitness(band: Floats) -> float:
    """Measure the fitness of a segment: the harmonic mean of normalised score and coverage of its repetitions."""
    count, length = band.shape
    windows = count - length + 1
    scores = np.array([np.trace(band[first : first + length]) for first in range(windows)])
    # The best set of repetitions that do not overlap.
    totals = np.zeros(count + 1)
    covered = np.zeros(count + 1)
    for end in range(1, count + 1):
        totals[end], covered[end] = totals[end - 1], covered[end - 1]
        if end >= length and totals[end - length] + scores[end - length] > totals[end]:
            totals[end] = totals[end - length] + scores[end - length]
            covered[end] = covered[end - length] + length
    score = max(0.0, (totals[count] - length) / max(covered[count], 1e-9))
    coverage = max(0.0, (covered[count] - length) / count)
    return float(2.0 * score * coverage / (score + coverage)) if score + coverage > 0.0 else 0.0


def _measure_windows(piece: Arrangement, bars: int) -> dict[str, float]:
    rows = np.concatenate((piece.melody, piece.accompaniment))
    windows = np.floor((rows[:, 0] + TOGETHER_BEATS) / (BAR_BEATS * WINDOW_BARS)).astype(int)
    whole = range(bars // WINDOW_BARS)
    counts = [float(np.count_nonzero(windows == number)) for number in whole]
    means = [float(rows[windows == number, 3].mean()) for number in whole if np.any(windows == number)]
    return {
        "density variation": float(np.std(counts) / np.mean(counts)) if any(counts) else math.nan,
        "velocity range": max(means) - min(means) if means else math.nan,
    }


def _measure_flips(piece: Arrangement, bars: int) -> float:
    """Measure how often the thirds above the tonic change sides between windows of four bars."""
    rows = np.concatenate((piece.melody, piece.accompaniment))
    thirds = (rows[:, 2].astype(int) - piece.tonic) % 12
    sides: list[bool] = []
    for number in range(bars // 4):
        inside = (rows[:, 0] + TOGETHER_BEATS >= 16.0 * number) & (rows[:, 0] + TOGETHER_BEATS < 16.0 * number + 16.0)
        minor, major = (float(rows[inside & (thirds == third), 1].sum()) for third in (3, 4))
        if major != minor:
            sides.append(major > minor)
    changes = [one != following for one, following in pairwise(sides)]
    return 100.0 * float(np.mean(changes)) if changes else math.nan


# ---------------------------------------------------------------- drums


def _measure_drums(piece: Arrangement) -> dict[str, float]:
    drums = piece.drums
    if not len(drums):
        return {}
    onsets = drums[:, 0]
    fours, threes = onsets - np.rint(4.0 * onsets) / 4.0, onsets - np.rint(3.0 * onsets) / 3.0
    off = np.where(np.abs(fours) <= np.abs(threes), fours, threes)
    hats, snares = np.isin(drums[:, 2], list(_HATS)), np.isin(drums[:, 2], list(_SNARES))
    found = {"drum timing SD ms": 1000.0 * piece.beat_seconds * float(off.std())}
    if np.count_nonzero(hats) > 1:
        found["hat velocity SD"] = float(drums[hats, 3].std())
    if snares.any():
        found["ghost snares"] = 100.0 * float(np.mean(drums[snares, 3] < _GHOST_VELOCITY))
    patterns = [pattern for pattern in _list_drum_bars(drums) if pattern]
    found["distinct drum bars"] = 100.0 * len(set(patterns)) / len(patterns)
    return found


def _list_drum_bars(drums: Floats) -> Iterator[frozenset[tuple[int, int]]]:
    places = np.rint(4.0 * drums[:, 0]).astype(int)
    for bar in range(int(places.max()) // 16 + 1):
        inside = places // 16 == bar
        yield frozenset(zip((places[inside] % 16).tolist(), drums[inside, 2].astype(int).tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class QuantileRow:
    """A statistic of a set of pieces: its 10th, 50th and 90th percentile, over `pieces`."""

    statistic: str
    low: float
    middle: float
    high: float
    pieces: int


def summarise_arrangements(rows: Sequence[Mapping[str, float]]) -> list[QuantileRow]:
    """Summarise each of STATISTICS over pieces; one that none has is left out."""
    summary = []
    for name in STATISTICS:
        values = [row[name] for row in rows if name in row]
        if values:
            low, middle, high = (float(q) for q in np.percentile(values, (10.0, 50.0, 90.0)))
            summary.append(QuantileRow(name, low, middle, high, len(values)))
    return summary
