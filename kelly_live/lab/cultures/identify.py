"""Recognition of a culture by a piece's notes: degrees, intervals, onsets, rhythms, ornaments.

The tonic is given, as it is in the corpora. The metre is not (each preset's own are tried), nor who played. Density and
loudness do not count: they belong to the emotion, not to the culture. Distances are those of Jensen and Shannon: the
root of the divergence in bits, 0 for the same, 1 for nothing in common (Endres & Schindelin 2003).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.values import Metre, NoteEvent
from kelly_live.cultures.preset import CulturePreset, Known, Mode, Shares
from kelly_live.cultures.style import build_metres
from kelly_live.lab.rhythm_weights import rhythm_weights

OCTAVE_COMMAS = 53  # of the octave: one comma, which tells a makam's third from a tempered one
MAX_STEP_COMMAS = 27  # commas; a wider melodic step counts as this wide
SAME_STEP_CENTS = (
    60.0  # cents; a step this near to a size that a corpus counts is of that size: notated there, tuned here
)
DRAWS = 200  # of a perfect sampler, to know how far chance alone leads
SAFETY = 3.0  # times nearer than the bound is a perfect sampler that cannot miss it by chance
SHORT_BEATS = 0.125  # a note this short that leads into another is its ornament
# Where notes fall in a beat, and as what they count: a swung eighth is an eighth, as it is written.
GRID = (*((n / 4, n / 4) for n in range(5)), *((n / 6, n / 6) for n in (1, 2, 4, 5)), (0.58, 0.5))
FEATURES = ("degrees", "intervals", "onsets", "rhythms", "ornaments")


@dataclass(frozen=True, slots=True)
class MelodyStatistics:
    """Statistics of a melody's notes.

    Attributes:
        degrees: Shares of time on the circle of commas, `[OCTAVE_COMMAS]`.
        intervals: Shares of steps, `[2 MAX_STEP_COMMAS + 1]`.
        onsets: Onsets in beats, snapped to the grid.
        rhythms: Weights over RHYTHMS, `[5]`.
        ornaments: Ornaments a note.
        steps: The steps in cents, as played.
        lengths: The lengths in beats, as played.
    """

    degrees: Floats
    intervals: Floats
    onsets: Floats
    rhythms: Floats
    ornaments: float
    steps: Floats
    lengths: Floats


@dataclass(frozen=True, slots=True)
class CultureSignature:
    """What a preset measured, in the terms of `MelodyStatistics`.

    A feature is None (or empty) where the preset says nothing. `tones` pairs the degrees and intervals of each mode (of
    the whole culture, where it has no modes).
    """

    name: str
    tones: tuple[tuple[Floats | None, Floats | None], ...]
    metres: tuple[Metre, ...]
    rhythms: Floats | None
    ornaments: float | None

    @property
    def knows(self) -> tuple[str, ...]:
        """The FEATURES by which it can be recognised."""
        has_feature = {
            "degrees": any(degrees is not None for degrees, _ in self.tones),
            "intervals": any(intervals is not None for _, intervals in self.tones),
            "onsets": bool(self.metres),
            "rhythms": self.rhythms is not None,
            "ornaments": self.ornaments is not None,
        }
        return tuple(name for name in FEATURES if has_feature[name])


def compute_distance(one: Floats, other: Floats) -> float:
    """Compute the Jensen-Shannon distance of two distributions, in [0, 1]."""
    a, b = one / one.sum(), other / other.sum()
    middle = (a + b) / 2.0

    def from_middle(p: Floats) -> float:
        is_positive = p > 0.0
        return float((p[is_positive] * np.log2(p[is_positive] / middle[is_positive])).sum())

    return math.sqrt(min(1.0, max(0.0, (from_middle(a) + from_middle(b)) / 2.0)))


def place_on_circle(cents: Sequence[float] | Floats, weights: Sequence[float] | Floats) -> Floats:
    """Place weights on the circle of commas, each divided between the two commas around it."""
    circle = np.zeros(OCTAVE_COMMAS)
    place = np.asarray(cents, dtype=np.float64) / 1200.0 * OCTAVE_COMMAS
    below = np.floor(place).astype(int)
    part = place - below
    np.add.at(circle, below % OCTAVE_COMMAS, np.asarray(weights) * (1.0 - part))
    np.add.at(circle, (below + 1) % OCTAVE_COMMAS, np.asarray(weights) * part)
    return np.asarray(circle / max(circle.sum(), 1e-12), dtype=np.float64)


def place_on_line(cents: Sequence[float] | Floats, weights: Sequence[float] | Floats) -> Floats:
    """Place weights of signed steps on a line of commas, divided in the same way.

    The ends hold the steps that are wider.
    """
    line = np.zeros(2 * MAX_STEP_COMMAS + 1)
    place = (
        np.clip(np.asarray(cents, dtype=np.float64) / 1200.0 * OCTAVE_COMMAS, -MAX_STEP_COMMAS, MAX_STEP_COMMAS)
        + MAX_STEP_COMMAS
    )
    below = np.minimum(np.floor(place).astype(int), 2 * MAX_STEP_COMMAS - 1)
    part = place - below
    np.add.at(line, below, np.asarray(weights) * (1.0 - part))
    np.add.at(line, below + 1, np.asarray(weights) * part)
    return np.asarray(line / max(line.sum(), 1e-12), dtype=np.float64)


def compute_statistics(melody: Sequence[NoteEvent], tonic: float) -> MelodyStatistics:
    """Compute the statistics of one voice of eight notes or more.

    `tonic` is a MIDI note; fractions are allowed.
    """
    notes = sorted(melody, key=lambda note: note.onset_beats)
    main: list[tuple[float, float, float]] = []  # onset, length, cents
    ornamented, ornament_start = 0, None
    for note, next_note in zip(notes, [*notes[1:], None], strict=True):
        start = note.onset_beats if ornament_start is None else ornament_start
        leads = next_note is not None and next_note.onset_beats - note.onset_beats < SHORT_BEATS
        if leads and note.duration_beats < SHORT_BEATS:
            ornament_start = start
            continue
        ornamented += ornament_start is not None
        ornament_start = None
        end = note.onset_beats + note.duration_beats
        main.append((start, end - start, 100.0 * (note.pitch - tonic) + note.cents))
    onsets = _snap_to_grid(np.array([start for start, _, _ in main]))
    lengths = np.array([length for _, length, _ in main])
    cents = np.array([pitch for _, _, pitch in main])
    return MelodyStatistics(
        degrees=place_on_circle(cents, lengths),
        intervals=place_on_line(np.diff(cents), np.ones(len(cents) - 1)),
        onsets=onsets,
        rhythms=np.array(rhythm_weights(onsets)),
        ornaments=ornamented / len(main),
        steps=np.diff(cents),
        lengths=lengths,
    )


def _snap_to_grid(onsets: Floats) -> Floats:
    """Snap onsets to the nearest place of the grid, after a common lean is taken out.

    Expressive timing is not rhythm.
    """
    shown_places, true_places = np.array(GRID).T

    def nearest(at: Floats, to: Floats) -> Floats:
        beat = np.floor(at)
        return np.asarray(beat + to[np.abs((at - beat)[:, None] - shown_places).argmin(axis=1)], dtype=np.float64)

    return nearest(onsets - np.median(onsets - nearest(onsets, shown_places)), true_places)


def create_degree_profile(of: CulturePreset | Mode) -> Floats | None:
    """Place the degrees of a mode or a whole culture on the circle; without weights they count alike."""
    if of.scale_cents is None:
        return None
    scale, weights = of.scale_cents.value, of.degree_weights
    return place_on_circle(scale, (1.0,) * len(scale) if weights is None else weights.value)


def create_interval_profile(intervals: Known[Shares] | None) -> Floats | None:
    """Place measured steps on the line of commas."""
    if intervals is None:
        return None
    return place_on_line([float(cents) for cents, _ in intervals.value], [share for _, share in intervals.value])


def create_signature(preset: CulturePreset) -> CultureSignature:
    """Express a preset in the terms of `MelodyStatistics`."""
    measured_metres = set() if preset.onset_profiles is None else {name for name, _ in preset.onset_profiles.value}
    kinds: list[CulturePreset | Mode] = [mode for mode in preset.modes if mode.scale_cents is not None]
    return CultureSignature(
        name=preset.name,
        tones=tuple(
            (create_degree_profile(one), create_interval_profile(one.intervals or preset.intervals))
            for one in (kinds or [preset])
        ),
        metres=tuple(metre for metre in build_metres(preset) if metre.name in measured_metres),
        rhythms=None if preset.rhythms is None else np.array(preset.rhythms.value),
        ornaments=None if preset.ornaments is None else min(1.0, sum(rate for _, rate in preset.ornaments.value)),
    )


def compute_distances(piece: MelodyStatistics, preset: CultureSignature) -> dict[str, float]:
    """Compute how far a piece is from a preset in each feature that the preset knows.

    Of its modes and metres the nearest counts.
    """
    distances: dict[str, float] = {}
    pairs = [
        (
            None if degrees is None else compute_distance(piece.degrees, degrees),
            None if intervals is None else compute_distance(piece.intervals, intervals),
        )
        for degrees, intervals in preset.tones
    ]
    # The nearest mode by those of its habits that are known, on the average.
    known_distances = [[value for value in pair if value is not None] for pair in pairs]
    nearest = min(
        (n for n in range(len(pairs)) if known_distances[n]),
        key=lambda n: sum(known_distances[n]) / len(known_distances[n]),
        default=None,
    )
    if nearest is not None:
        features = zip(("degrees", "intervals"), pairs[nearest], strict=True)
        distances = {name: value for name, value in features if value is not None}
    if preset.metres:
        distances["onsets"] = min(_compute_metre_distance(piece.onsets, metre) for metre in preset.metres)
    if preset.rhythms is not None:
        distances["rhythms"] = compute_distance(piece.rhythms, preset.rhythms)
    if preset.ornaments is not None:
        one, other = piece.ornaments, preset.ornaments
        distances["ornaments"] = compute_distance(
            np.array([one, 1.0 - one]) + 1e-6, np.array([other, 1.0 - other]) + 1e-6
        )
    return distances


def _compute_metre_distance(onsets: Floats, metre: Metre) -> float:
    """Compute how far onsets, folded into a bar, are from its profile.

    Onsets between the profile's places are counted separately.
    """
    cells = len(metre.profile)
    place = (onsets % metre.beats) / metre.beats * cells
    nearest_cell = np.rint(place)
    on_place = np.abs(place - nearest_cell) < 0.15
    counts = np.bincount(nearest_cell[on_place].astype(int) % cells, minlength=cells).astype(np.float64)
    profile = np.array(metre.profile)
    return compute_distance(np.append(counts, float((~on_place).sum())) + 1e-9, np.append(profile, 0.0) + 1e-9)


@dataclass(frozen=True, slots=True)
class ComposedPiece:
    """A composed piece: its mode (None for a culture without modes) and its melody's statistics."""

    mode: str | None
    statistics: MelodyStatistics


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like its corpus a culture's music is in one feature: means over the modes, weighted by pieces.

    Attributes:
        ours: The distance from the corpus of all pieces in a mode, put together.
        perfect: The distance of as many notes drawn from the corpus's own distribution.
        halves: The distance of one half of the corpus from the other; None where it was not measured on tunes, which
            can be halved.
        modes: The number of modes that were played.
        notes: The number of notes in all pieces.
    """

    ours: float
    perfect: float
    halves: float | None
    modes: int
    notes: int

    @property
    def bound(self) -> float | None:
        """The limit of `ours`: twice the distance of the corpus's halves."""
        return None if self.halves is None else 2.0 * self.halves


def count_needed_pieces(likenesses: Iterable[Likeness | None], pieces: int) -> int:
    """Count the pieces for which chance stays SAFETY times below every bound.

    `likenesses` were measured on `pieces`; chance falls with the root of the notes. Without a bound, it is as many as
    there are.
    """
    short = [SAFETY * one.perfect / one.bound for one in likenesses if one is not None and one.bound]
    return max(pieces, math.ceil(pieces * max(short, default=0.0) ** 2))


def measure_likeness(
    pieces: Sequence[ComposedPiece],
    preset: CulturePreset,
    mode_halves: tuple[Sequence[Mode], Sequence[Mode]],
    feature: str,
) -> Likeness | None:
    """Measure the likeness in "degrees" or "intervals"; None where no mode's were measured."""
    distances, perfect, halves, modes, notes = [], [], [], 0, 0
    for name in dict.fromkeys(piece.mode for piece in pieces):
        corpus_shares = _get_measured(preset if name is None else preset.mode(name), feature)
        if corpus_shares is None:
            continue
        corpus_profile = _place(corpus_shares, feature)
        together = [piece.statistics for piece in pieces if piece.mode == name]
        if feature == "degrees":
            played_profile = np.mean([one.degrees for one in together], axis=0)
            lengths = np.concatenate([one.lengths for one in together])
            count = round(float(lengths.sum() ** 2 / np.square(lengths).sum()))  # as many notes of equal length
        else:
            steps = np.concatenate([one.steps for one in together])
            played_profile, count = (
                place_on_line(_snap_to_sizes(steps, corpus_shares[0]), np.ones(len(steps))),
                len(steps),
            )
        distances += [compute_distance(played_profile, corpus_profile)] * len(together)
        perfect += [_compute_sampling_distance(corpus_shares, feature, count)] * len(together)
        pair = [
            _get_measured(next((mode for mode in half if mode.name == name), None), feature) for half in mode_halves
        ]
        if pair[0] is not None and pair[1] is not None:
            one, other = (_place(each, feature) for each in pair if each is not None)
            if not np.array_equal(one, other):
                halves += [compute_distance(one, other)] * len(together)
        modes += 1
        notes += sum(len(one.lengths) for one in together)
    if not distances:
        return None
    between = float(np.mean(halves)) if len(halves) == len(distances) else None
    return Likeness(float(np.mean(distances)), float(np.mean(perfect)), between, modes, notes)


def _get_measured(of: CulturePreset | Mode | None, feature: str) -> tuple[Floats, Floats] | None:
    """Return the measured degrees or steps in cents, and their shares."""
    if of is None:
        return None
    if feature == "intervals":
        intervals = None if of.intervals is None else of.intervals.value
        return (
            None
            if intervals is None
            else (np.array([float(cents) for cents, _ in intervals]), _normalise([s for _, s in intervals]))
        )
    if of.scale_cents is None or of.degree_weights is None:
        return None
    return np.array(of.scale_cents.value), _normalise(of.degree_weights.value)


def _normalise(weights: Sequence[float]) -> Floats:
    return np.asarray(np.array(weights) / sum(weights), dtype=np.float64)


def _place(shares: tuple[Floats, Floats], feature: str) -> Floats:
    return place_on_circle(*shares) if feature == "degrees" else place_on_line(*shares)


def _snap_to_sizes(steps: Floats, sizes: Floats) -> Floats:
    """Count steps as the corpus does: those near one of its sizes as that size."""
    nearest_size = sizes[np.abs(steps[:, None] - sizes).argmin(axis=1)]
    return np.where(np.abs(steps - nearest_size) <= SAME_STEP_CENTS, nearest_size, steps)


def _compute_sampling_distance(shares: tuple[Floats, Floats], feature: str, count: int) -> float:
    """Compute how far `count` notes are on average from the distribution that they are drawn from."""
    rng, profile = np.random.default_rng(0), _place(shares, feature)
    samples = rng.multinomial(count, shares[1], DRAWS)
    return float(np.mean([compute_distance(_place((shares[0], one / count), feature), profile) for one in samples]))


@dataclass(frozen=True, slots=True)
class ComparedPiece:
    """A piece: its preset, and its distance from each preset in each feature."""

    culture: str
    far: Mapping[str, Mapping[str, float]]


def identify(pieces: Sequence[ComparedPiece]) -> list[str]:
    """Identify the nearest preset of each piece, by Copeland's rule.

    Presets are compared two and two over the features that both know; the nearest wins the greatest share of its
    comparisons (two with nothing in common are no match). A tie goes to the preset that was nearer in more features,
    which is the stronger evidence, then to the nearer on average.

    A feature counts in units of its median distance over all pieces and presets, so that none outweighs the others by
    its spread alone.
    """
    values: dict[str, list[float]] = {name: [] for name in FEATURES}
    for piece in pieces:
        for far in piece.far.values():
            for name, value in far.items():
                values[name].append(value)
    unit = {name: max(float(np.median(distances)), 1e-6) for name, distances in values.items() if distances}
    verdicts = []
    for piece in pieces:
        scaled = {
            preset: {n: value / unit[n] for n, value in features.items()}
            for preset, features in piece.far.items()
            if features
        }
        wins, matches = dict.fromkeys(scaled, 0.0), dict.fromkeys(scaled, 1e-9)
        for one, other in itertools.combinations(scaled, 2):
            shared_names = scaled[one].keys() & scaled[other].keys()
            nearer = sum(scaled[other][name] - scaled[one][name] for name in shared_names)
            for preset, won in ((one, nearer > 0.0), (other, nearer < 0.0)) if shared_names else ():
                wins[preset] += won
                matches[preset] += 1.0
        mean = {preset: sum(features.values()) / len(features) for preset, features in scaled.items()}
        share = {preset: round(wins[preset] / matches[preset], 6) for preset in scaled}
        verdicts.append(max(scaled, key=lambda preset: (share[preset], len(scaled[preset]), -mean[preset])))
    return verdicts
