"""What the tunes of a corpus have in common: a function for each parameter of a preset.

Every tune counts alike where a share is of tunes; every note (or its length) where it is of notes. None means that the
corpus does not say: fewer than MIN_TUNES tunes have the thing in question.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.key_profiles import MODE_PRIOR, modal_distributions
from kelly_live.core.pitch import octave_distance_cents
from kelly_live.core.values import MODES, RHYTHMS
from kelly_live.cultures.preset import Known, Mode, Shares
from kelly_live.lab.cultures.tune import Tune, compute_bar_quarters
from kelly_live.lab.rhythm_weights import rhythm_weights

MIN_TUNES = 5
STANDS_OUT = 0.1  # log of how much more than its share the group starts must hold; ours
GROUPED_TUNES = 20  # fewer may share a grouping by chance
MIN_NOTES = 12  # fewer say nothing about a mode or a rhythm, as in corpora/symbolic_features.py
SMALL_SHARE = 0.002  # rarer intervals and metres are left out and the rest made to sum to 1
DEGREE_SHARE = 0.015  # of the sounding time: rarer pitches are passing or misprints, not degrees of the scale
DEGREE_TUNES = 0.10  # or of the tunes, whichever the degree reaches first, must use it
DIATONIC_SHARE = 0.96  # of the time on the best-fitting mode's seven degrees, in the median tune
DIATONIC_DEGREES = 6.0  # degrees that the median tune uses: a pentatonic tune fits several modes and proves none
INDEPENDENT_NOTES = 60.0  # as in corpora/symbolic_features.py: how many notes' worth of evidence a tune gives
LEAP_CENTS = 2400  # larger jumps are octave slips between voices or pages

Tuning = Callable[[tuple[Mode, ...]], tuple[Mode, ...]]
Description = Callable[[Sequence[Tune], Sequence[float], str], dict[str, Known[Any]]]


def compute_quantiles(values: Iterable[float], at: Sequence[float] = (20, 50, 80)) -> tuple[float, float, float]:
    """Compute quantiles of values, in per cent."""
    low, middle, high = np.percentile(np.array(list(values), dtype=np.float64), at)
    return float(low), float(middle), float(high)


def create_measured(value: object, n: int, of: str, reference: str) -> Known[Any]:
    """Create a measured value: its n, of what, and the corpus."""
    return Known(value, "measured", n, of, reference)


def compute_shares(counts: Counter[str], least: float = SMALL_SHARE) -> Shares:
    """Turn counts into shares that sum to 1, the largest first, without those under `least`."""
    total = sum(counts.values())
    large_counts = [(name, count) for name, count in counts.most_common() if count / total >= least]
    total_count = sum(count for _, count in large_counts)
    return tuple((name, count / total_count) for name, count in large_counts)


def measure_tempo(tunes: Sequence[Tune], reference: str) -> Known[Any] | None:
    """Measure the quantiles of the stated tempi."""
    stated = [tune.tempo for tune in tunes if tune.tempo is not None]
    return (
        create_measured(compute_quantiles(stated), len(stated), "tunes with a tempo", reference)
        if len(stated) >= MIN_TUNES
        else None
    )


def measure_metres(tunes: Sequence[Tune], reference: str) -> Known[Any] | None:
    """Measure the shares of the metres."""
    metre_counts = Counter(tune.metre for tune in tunes if tune.metre)
    n = sum(metre_counts.values())
    return create_measured(compute_shares(metre_counts, 0.01), n, "tunes", reference) if n >= MIN_TUNES else None


def list_timed(tunes: Iterable[Tune]) -> list[tuple[Tune, Floats, Floats]]:
    """List the tunes that have a rhythm, with their onsets and durations in beats."""
    return [
        (tune, tune.onsets / tune.beat, tune.durations / tune.beat)
        for tune in tunes
        if tune.onsets is not None and tune.durations is not None and len(tune) >= MIN_NOTES
    ]


def measure_rhythms(tunes: Sequence[Tune], reference: str) -> Known[Any] | None:
    """Measure weights over RHYTHMS, pooled over onsets: the same patterns that the mapper learns from."""
    total, n = np.zeros(len(RHYTHMS)), 0
    for tune, onsets, _ in list_timed(tunes):
        total += len(tune) * np.array(rhythm_weights(onsets))
        n += len(tune)
    return create_measured(tuple(total / total.sum()), n, "notes", reference) if n >= MIN_TUNES * MIN_NOTES else None


def measure_density(tunes: Sequence[Tune], reference: str) -> Known[Any] | None:
    """Measure melody onsets a beat, the median over tunes."""
    rates = [len(tune) / float(onsets[-1] + lengths[-1] - onsets[0]) for tune, onsets, lengths in list_timed(tunes)]
    return create_measured(float(np.median(rates)), len(rates), "tunes", reference) if len(rates) >= MIN_TUNES else None


def measure_npvi(tunes: Sequence[Tune], reference: str) -> Known[Any] | None:
    """Measure the normalised pairwise variability of durations (Grabe & Low 2002), median over tunes."""
    values = []
    for _, _, lengths in list_timed(tunes):
        pairs = 200.0 * np.abs(np.diff(lengths)) / (lengths[1:] + lengths[:-1])
        values.append(float(pairs.mean()))
    return (
        create_measured(float(np.median(values)), len(values), "tunes", reference) if len(values) >= MIN_TUNES else None
    )


def measure_onset_profiles(tunes: Sequence[Tune], reference: str, most: int = 4) -> Known[Any] | None:
    """Measure the share of bars with an onset at each place of the bar, for the commonest metres.

    Places are sixteenths, or twelfths of a beat's third where that is the finest grid.
    """
    by_metre: dict[str, list[Tune]] = {}
    for tune, _, _ in list_timed(tunes):
        if tune.metre:
            by_metre.setdefault(tune.metre, []).append(tune)
    profiles, n = [], 0
    for metre, members in sorted(by_metre.items(), key=lambda item: -len(item[1]))[:most]:
        profile = compute_onset_profile(members, metre)
        if len(members) >= MIN_TUNES and profile is not None:
            profiles.append((metre, profile))
            n += len(members)
    return create_measured(tuple(profiles), n, "tunes", reference) if profiles else None


def compute_onset_profile(tunes: Sequence[Tune], metre: str) -> tuple[float, ...] | None:
    """Compute the share of bars with an onset at each sixteenth; None if the bar is over 64 of them."""
    bar = compute_bar_quarters(metre)
    places = round(bar * 4)
    if not 2 <= places <= 64 or abs(bar * 4 - places) > 1e-6:
        return None
    hits, bars = np.zeros(places), 0
    for tune in tunes:
        assert tune.onsets is not None
        nearest_place = np.rint(tune.onsets * 4.0)
        on_grid = np.abs(tune.onsets * 4.0 - nearest_place) < 0.1
        cells = np.unique(nearest_place[on_grid].astype(int))
        np.add.at(hits, cells % places, 1.0)
        bars += len(np.unique(np.floor(tune.onsets / bar + 1e-6)))
    return tuple(float(min(hit / bars, 1.0)) for hit in hits)


def measure_groupings(tunes: Sequence[Tune], reference: str) -> Known[Any] | None:
    """Measure the grouping of each metre of five to sixteen eighths that GROUPED_TUNES tunes are in."""
    by_metre: dict[str, list[Tune]] = {}
    for tune, _, _ in list_timed(tunes):
        if tune.metre and tune.metre.endswith("/8") and 5 <= int(tune.metre.split("/")[0]) <= 16:
            by_metre.setdefault(tune.metre, []).append(tune)
    groupings, n = [], 0
    for metre, members in sorted(by_metre.items(), key=lambda item: -len(item[1])):
        parts = find_grouping(members, metre, int(metre.split("/")[0])) if len(members) >= GROUPED_TUNES else None
        if parts:
            groupings.append((metre, parts))
            n += len(members)
    return (
        create_measured(tuple(groupings), n, "tunes", f"{reference}: where long notes start in the bar")
        if groupings
        else None
    )


def find_grouping(tunes: Sequence[Tune], metre: str, units: int) -> tuple[int, ...] | None:
    """Find how `units` of the bar group into twos and threes; None if no grouping stands out.

    It is the composition whose group starts hold most of the note starts, weighted by how long the notes last, against
    chance.
    """
    bar = compute_bar_quarters(metre)
    weight = np.zeros(units)
    for tune in tunes:
        assert tune.onsets is not None
        assert tune.durations is not None
        place = (tune.onsets % bar) / bar * units
        nearest_unit = np.rint(place)
        on_grid = np.abs(place - nearest_unit) < 0.05
        np.add.at(weight, nearest_unit[on_grid].astype(int) % units, np.minimum(tune.durations[on_grid], bar))
    if weight.sum() <= 0:
        return None
    mean = weight.mean()
    candidates = sorted(
        (
            (float(np.sum(np.log(weight[list(starts)] / mean + 1e-3))) / math.sqrt(len(starts)), parts)
            for parts in list_compositions(units)
            if (starts := np.concatenate([[0], np.cumsum(parts)[:-1]]).astype(int)) is not None
        ),
        reverse=True,
    )
    return candidates[0][1] if candidates and candidates[0][0] > STANDS_OUT else None


def list_compositions(units: int) -> list[tuple[int, ...]]:
    """List all ways to write `units` as a sequence of twos and threes."""
    if units == 0:
        return [()]
    return [(part, *rest) for part in (2, 3) if part <= units for rest in list_compositions(units - part)]


def measure_register(tunes: Sequence[Tune], reference: str) -> Known[Any] | None:
    """Measure 10, 50 and 90 % of the sounding time over MIDI pitch; None for transposed tunes."""
    pitched_tunes = [tune for tune in tunes if tune.tonic is not None and len(tune)]
    if len(pitched_tunes) < MIN_TUNES:
        return None
    pitches = np.concatenate([tune.tonic + tune.cents / 100.0 for tune in pitched_tunes if tune.tonic is not None])
    weights = np.concatenate([_weigh_notes(tune) for tune in pitched_tunes])
    order = np.argsort(pitches)
    at = np.searchsorted(np.cumsum(weights[order]), np.array([0.1, 0.5, 0.9]) * weights.sum())
    low, centre, high = (float(pitches[order[min(i, len(order) - 1)]]) for i in at)
    return create_measured((low, centre, high), len(pitched_tunes), "tunes", reference)


def measure_ambitus(tunes: Sequence[Tune], reference: str) -> Known[Any] | None:
    """Measure the quantiles of the tunes' ranges in semitones."""
    spans = [float(np.ptp(tune.cents)) / 100.0 for tune in tunes if len(tune) >= MIN_NOTES]
    return (
        create_measured(compute_quantiles(spans), len(spans), "tunes", reference) if len(spans) >= MIN_TUNES else None
    )


def _weigh_notes(tune: Tune) -> Floats:
    """Weigh each note of a tune by its length, or by 1 without a rhythm; a tune sums to 1."""
    lengths = np.ones(len(tune)) if tune.durations is None else np.asarray(tune.durations, dtype=np.float64)
    return np.asarray(lengths / max(float(lengths.sum()), 1e-9), dtype=np.float64)


def compute_degree_histogram(tunes: Sequence[Tune], divisions: int) -> tuple[Floats, Floats]:
    """Compute the shares of time, and of tunes, at each of `divisions` of the octave, `[divisions]`."""
    time, tune_shares = np.zeros(divisions), np.zeros(divisions)
    for tune in tunes:
        bins = np.rint(tune.cents / 1200.0 * divisions).astype(int) % divisions
        np.add.at(time, bins, _weigh_notes(tune))
        tune_shares[np.unique(bins)] += 1
    return time / max(time.sum(), 1e-9), tune_shares / max(len(tunes), 1)


def measure_scale(
    tunes: Sequence[Tune], reference: str, divisions: int = 12, min_gap: int = 1
) -> tuple[Known[Any] | None, Known[Any] | None]:
    """Measure the degrees (cents) on which the tunes rest, and their shares of the time.

    A degree holds DEGREE_SHARE of the time, is used by DEGREE_TUNES of the tunes, and is the strongest within `min_gap`
    divisions. What sounds beside it counts towards it.
    """
    if len(tunes) < MIN_TUNES:
        return None, None
    time, tune_shares = compute_degree_histogram(tunes, divisions)
    cents, weights = find_degrees(time, tune_shares, divisions, min_gap)
    n = sum(len(tune) for tune in tunes)
    of = f"notes in {len(tunes)} tunes"
    return create_measured(cents, n, of, reference), create_measured(weights, n, of, reference)


def find_degrees(
    time: Floats, tune_shares: Floats, divisions: int, min_gap: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Find the strong bins of a tonic-relative histogram, as rising cents from 0, and their shares."""
    centres = [0]
    for place in np.argsort(-time):
        distances = [min((place - c) % divisions, (c - place) % divisions) for c in centres]
        if time[place] >= DEGREE_SHARE and tune_shares[place] >= DEGREE_TUNES and min(distances) >= min_gap:
            centres.append(int(place))
    centres.sort()
    weights = np.zeros(len(centres))
    for place, share in enumerate(time):
        distances = [min((place - c) % divisions, (c - place) % divisions) for c in centres]
        if min(distances) < min_gap or (min_gap == 1 and min(distances) == 0):
            weights[int(np.argmin(distances))] += share
    weights /= weights.sum()
    return tuple(round(c * 1200.0 / divisions, 1) for c in centres), tuple(float(w) for w in weights)


def measure_intervals(tunes: Sequence[Tune], reference: str, grid: float = 100.0) -> Known[Any] | None:
    """Measure shares of signed melodic steps between neighbouring notes, in cents on a grid of `grid`.

    Steps to or from a note without pitch (NaN) do not count.
    """
    counts: Counter[str] = Counter()
    for tune in tunes:
        steps = np.diff(tune.cents)
        steps = np.rint(steps[np.abs(steps) <= LEAP_CENTS] / grid) * grid
        counts.update(str(round(step)) for step in steps)
    n = sum(counts.values())
    if n < MIN_TUNES * MIN_NOTES:
        return None
    shares = sorted(compute_shares(counts), key=lambda pair: int(pair[0]))
    return create_measured(tuple(shares), n, "steps", reference)


def move_to_degrees(
    tune: Tune,
    scale: Sequence[float],
    divisions: int = 12,
    min_gap: int = 1,
    sounding_cents: Sequence[float] | None = None,
) -> Tune:
    """Move a tune to the degrees (cents) of its mode.

    What is notated beside a degree belongs to it, as in `find_degrees`. A note that is no degree loses its pitch (NaN).
    With `sounding_cents`, each degree moves to the nearest of these.
    """
    bins = np.rint(tune.cents / 1200.0 * divisions)
    degrees = np.array(scale)
    half = divisions // 2
    offsets = (bins[:, None] - np.rint(degrees / 1200.0 * divisions) + half) % divisions - half
    nearest_degree = np.abs(offsets).argmin(axis=1)
    offset = offsets[np.arange(len(bins)), nearest_degree]
    to_sounding = octave_distance_cents(np.array(scale if sounding_cents is None else sounding_cents), degrees[:, None])
    shifts = to_sounding[np.arange(len(degrees)), np.abs(to_sounding).argmin(axis=1)]
    cents = (bins - offset) * 1200.0 / divisions + shifts[nearest_degree]
    return replace(tune, cents=np.where(np.abs(offset) < min_gap, cents, np.nan))


def compute_mode_posteriors(tunes: Sequence[Tune]) -> tuple[Floats, Floats, Floats]:
    """Compute weights over MODES for each tune with a known tonic.

    Returns:
        The weights `[t, 7]`; the share of time on the best mode's degrees `[t]`; and the number of the 12 pitch classes
        that are used for over 1 % of the time `[t]`.
    """
    profiles = modal_distributions()
    members = np.zeros((7, 12))
    major = np.array([0, 2, 4, 5, 7, 9, 11])
    for row, start in enumerate(major):
        members[row, (major - start) % 12] = 1.0
    weights, inside, degree_counts = [], [], []
    for tune in tunes:
        time, _ = compute_degree_histogram([tune], 12)
        logits = INDEPENDENT_NOTES * (np.log(profiles) @ time) + np.log(MODE_PRIOR)
        weight = np.exp(logits - logits.max())
        weights.append(weight / weight.sum())
        inside.append(float((members @ time).max()))
        degree_counts.append(float((time > 0.01).sum()))
    return np.array(weights), np.array(inside), np.array(degree_counts)


def measure_mode_preferences(tunes: Sequence[Tune], reference: str) -> tuple[Known[Any] | None, str]:
    """Measure weights over MODES, the mean over tunes; or None and the reason.

    The reason is that the scales are not the seven-note diatonic ones.
    """
    clear = [tune for tune in tunes if len(tune) >= MIN_NOTES]
    if len(clear) < MIN_TUNES:
        return None, "too few tunes with a known tonic"
    weights, inside, degree_counts = compute_mode_posteriors(clear)
    share, count = float(np.median(inside)), float(np.median(degree_counts))
    if share < DIATONIC_SHARE:
        return (
            None,
            f"not diatonic: the best mode covers {share:.2f} of the median tune's time ({DIATONIC_SHARE} needed)",
        )
    if count < DIATONIC_DEGREES:
        return None, f"not seven-note: the median tune uses {count:.0f} degrees, which fit several modes"
    return create_measured(tuple(weights.mean(axis=0)), len(clear), "tunes", reference), ""


def find_diatonic_mode(tune: Tune) -> str:
    """Find the likeliest of MODES for one tune with a known tonic."""
    weights, _, _ = compute_mode_posteriors([tune])
    return MODES[int(np.argmax(weights[0]))]


def measure_ornaments(tunes: Sequence[Tune], reference: str) -> Known[Any] | None:
    """Measure ornaments a note, by kind; None where the corpus does not notate them."""
    ornamented_tunes = [tune for tune in tunes if tune.ornaments is not None]
    n = sum(len(tune) for tune in ornamented_tunes)
    if len(ornamented_tunes) < MIN_TUNES:
        return None
    counts: Counter[str] = Counter()
    for tune in ornamented_tunes:
        counts.update(tune.ornaments or {})
    rates = tuple((kind, count / n) for kind, count in counts.most_common(12) if count >= MIN_TUNES)
    return create_measured(rates, n, f"notes in {len(ornamented_tunes)} tunes", reference) if rates else None


def measure_modes(
    tunes: Sequence[Tune],
    reference: str,
    titles: dict[str, str] | None = None,
    divisions: int = 12,
    min_gap: int = 1,
    grid: float = 100.0,
    least: int = MIN_TUNES,
    tuning: Tuning | None = None,
    describe: Description | None = None,
) -> tuple[Mode, ...]:
    """Measure the modes that the tunes name, the commonest first, each with at least `least` tunes.

    `tuning` moves their degrees from where they are notated to where they sound. Of a mode only the steps between its
    degrees count, as only the time on them does, and as wide as they sound: a player has no other tones. `describe`
    adds what else is known of the tunes on these degrees.
    """
    by_name: dict[str, list[Tune]] = {}
    for tune in tunes:
        if tune.mode:
            by_name.setdefault(tune.mode, []).append(tune)
    tune_count = sum(len(members) for members in by_name.values())
    notated_modes = []
    for name, members in sorted(by_name.items(), key=lambda item: (-len(item[1]), item[0])):
        if len(members) < least:
            continue
        cents, weights = measure_scale(members, reference, divisions, min_gap)
        notated_modes.append(
            Mode(
                name=name,
                title=(titles or {}).get(name, name),
                share=Known(len(members) / tune_count, "measured", len(members), "tunes", reference),
                scale_cents=cents,
                degree_weights=weights,
                intervals=None,
                valence=None,
            )
        )
    modes = []
    for mode, tuned_mode in zip(
        notated_modes, tuple(notated_modes) if tuning is None else tuning(tuple(notated_modes)), strict=True
    ):
        members, known = by_name[mode.name], dict[str, Any]()
        if mode.scale_cents is not None and tuned_mode.scale_cents is not None:
            degrees, sounding_cents = mode.scale_cents.value, tuned_mode.scale_cents.value
            members = [move_to_degrees(tune, degrees, divisions, min_gap, sounding_cents) for tune in members]
            known = {} if describe is None else describe(members, sounding_cents, reference)
        modes.append(replace(tuned_mode, intervals=measure_intervals(members, reference, grid), **known))
    return tuple(modes)
