"""The drummer's tables, learned from people's grooves as aggregates of each place of the bar.

Nothing in them is longer than one stroke. A group's numbers at a place are drawn towards those of all grooves there,
and those towards the same place of any beat, with the weight of PRIOR_GROOVES grooves. A groove counts once at a place,
however often it is struck.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.atomic_write import write_atomically
from kelly_live.lab.corpora.drum_grooves import DrumGroove
from kelly_live.music.drumming import (
    BAR_BEATS,
    DRUMMERS,
    FILL_BEATS,
    FRACTIONS,
    INSTRUMENTS,
    PLACES,
    QUANTILES,
    VERSION,
    find_place,
)

PRIOR_GROOVES = 3.0
_LOUDEST_PERCENTILE = 90.0  # of a groove's velocities: what the shares are of
_GHOST_SHARE = 0.45  # of it; softer strokes of the snare are ghost notes
_DRIFT_BEATS = 4.0  # standard deviation of the window that slow drift is averaged in
_FARTHEST_MS = 45.0  # from a place; what lies farther off is no stroke of it
_LEAST_BARS = 8  # of a groove, to tell what is usual in it
_LEAST_STROKES = 20  # of an instrument, to tell how they spread
_USUAL, _FIRM = 0.5, 0.8  # share of a groove's bars that have a stroke which belongs to it, and hardly ever lacks
_DECIMALS = 3
_KICK, _SNARE, _TOM = (INSTRUMENTS.index(name) for name in ("kick", "snare", "tom"))
_TIMEKEEPERS = [INSTRUMENTS.index(name) for name in ("hat", "open hat", "ride")]


class Spread(NamedTuple):
    """Standard deviations in ms: of what is struck together, and of each instrument (by name) around that.

    `correlation` is that of the first from one place to the next.
    """

    place: float
    correlation: float
    own: dict[str, float]


@dataclass(frozen=True)
class MeasuredGroove:
    """What the tables need of a groove, by stroke: place in the bar, instrument, velocity share, deviation (ms)."""

    groove: DrumGroove

    @cached_property
    def place(self) -> np.ndarray:
        """Places in the bar, 0 to PLACES - 1."""
        positions, inverse = np.unique(self.groove.places % BAR_BEATS, return_inverse=True)
        return np.asarray(np.array([find_place(float(position)) for position in positions])[inverse], dtype=int)

    @cached_property
    def instrument(self) -> np.ndarray:
        """Indices of INSTRUMENTS."""
        return self.groove.strokes[:, 1].astype(int)

    @cached_property
    def share(self) -> Floats:
        """Velocities over the loudest of the groove."""
        velocities = self.groove.strokes[:, 2]
        return np.asarray(velocities / np.percentile(velocities, _LOUDEST_PERCENTILE))

    @cached_property
    def drift(self) -> Floats:
        """The slow drift at each stroke, in ms."""
        onsets, near = self.groove.strokes[:, 0], self._is_near
        weights = np.exp(-0.5 * ((onsets[:, None] - onsets[None, near]) / _DRIFT_BEATS) ** 2)
        return np.asarray(weights @ self._off[near] / weights.sum(axis=1))

    @cached_property
    def deviation(self) -> Floats:
        """How far each stroke lies behind its place and the drift, in ms; NaN for what lies too far off."""
        return np.where(self._is_near, self._off - self.drift, np.nan)

    @cached_property
    def presence(self) -> np.ndarray:
        """Whether a bar has a stroke: `[bars, instruments, places]`, and `[..., ghosts]` as one instrument more."""
        bars = (self.groove.places // BAR_BEATS).astype(int)
        grid = np.zeros((int(bars.max()) + 1, len(INSTRUMENTS) + 1, PLACES), dtype=bool)
        grid[bars, self.instrument, self.place] = True
        ghosts = (self.instrument == _SNARE) & (self.share < _GHOST_SHARE)
        grid[bars[ghosts], len(INSTRUMENTS), self.place[ghosts]] = True
        return grid

    @cached_property
    def spread(self) -> Spread:
        """How far strokes spread around where each instrument usually is in its place."""
        return _measure_spread(self)

    @cached_property
    def has_place(self) -> np.ndarray:
        """Which places the groove's grid has: those of sixteenths, or of triplets."""
        fractions = np.tile(np.array(FRACTIONS), BAR_BEATS) * self.groove.division
        return np.asarray(np.isclose(fractions, np.rint(fractions)))

    @cached_property
    def _off(self) -> Floats:
        return np.asarray(1000.0 * self.groove.beat_seconds * (self.groove.strokes[:, 0] - self.groove.places))

    @cached_property
    def _is_near(self) -> np.ndarray:
        near = np.abs(self._off) <= _FARTHEST_MS
        return near if near.any() else np.ones(len(near), dtype=bool)


def learn_tables(grooves: Sequence[MeasuredGroove]) -> dict[str, Any]:
    """Learn the content of the file that music/drumming.py reads."""
    pool = learn_group(grooves, None)
    tables = {"all": pool}
    for name in DRUMMERS[:-1]:
        tables[name] = learn_group([one for one in grooves if one.groove.group == name], pool)
    return {"version": VERSION, "drummers": {name: tables[name] for name in DRUMMERS}}


def learn_group(grooves: Sequence[MeasuredGroove], pool: dict[str, Any] | None) -> dict[str, Any]:
    """Learn a group's tables, drawn towards those of all people; those of all towards any beat's."""
    instruments = {}
    for index, name in enumerate(INSTRUMENTS):
        wider = None if pool is None else pool["instruments"][name]
        own = [one.spread.own[name] for one in grooves if name in one.spread.own]
        left_out = [rate for one in grooves if (rate := _measure_left_out(one, index)) is not None]
        velocities = learn_velocities(grooves, index, None if wider is None else wider["velocities"])
        touch = [spread for one in grooves for spread in _measure_touch(one, index, velocities)]
        instruments[name] = {
            "velocities": velocities,
            "touch_sd": _shrink(touch, 0.2 if wider is None else wider["touch_sd"]),
            "offset_ms": _learn_offsets(grooves, index, None if wider is None else wider["offset_ms"]),
            "own_sd_ms": _shrink(own, 5.0 if wider is None else wider["own_sd_ms"]),
            "left_out": _shrink(left_out, 0.0 if wider is None else wider["left_out"]),
        }
    return {
        "grooves": len(grooves),
        "place_sd_ms": _shrink([one.spread.place for one in grooves], 10.0 if pool is None else pool["place_sd_ms"]),
        "place_correlation": _shrink(
            [one.spread.correlation for one in grooves], 0.0 if pool is None else pool["place_correlation"]
        ),
        "drift_sd_ms": _shrink(
            [float(one.drift.std()) for one in grooves], 5.0 if pool is None else pool["drift_sd_ms"]
        ),
        "ghosts": _learn_additions(grooves, len(INSTRUMENTS), _SNARE, None if pool is None else pool["ghosts"]),
        "kicks": _learn_additions(grooves, _KICK, _KICK, None if pool is None else pool["kicks"]),
        "instruments": instruments,
        "fills": _learn_fills(grooves, None if pool is None else pool["fills"]),
    }


def _shrink(values: Sequence[float], prior: float) -> float:
    return round((float(np.sum(values)) + PRIOR_GROOVES * prior) / (len(values) + PRIOR_GROOVES), _DECIMALS)


def learn_velocities(
    grooves: Sequence[MeasuredGroove], instrument: int, wider: Sequence[Sequence[float]] | None
) -> list[list[float]]:
    """Learn the quantiles of an instrument's velocity shares at each place."""
    anywhere = _find_quantiles((one.share[one.instrument == instrument] for one in grooves), None)
    by_fraction = []
    for fraction in range(len(FRACTIONS)):
        strokes = (
            one.share[(one.instrument == instrument) & (one.place % len(FRACTIONS) == fraction)] for one in grooves
        )
        by_fraction.append(_find_quantiles(strokes, anywhere))
    table = []
    for place in range(PLACES):
        strokes = (one.share[(one.instrument == instrument) & (one.place == place)] for one in grooves)
        prior = by_fraction[place % len(FRACTIONS)] if wider is None else np.array(wider[place])
        table.append([round(float(share), 2) for share in _find_quantiles(strokes, prior)])
    return table


def _measure_touch(one: MeasuredGroove, instrument: int, velocities: Sequence[Sequence[float]]) -> Iterator[float]:
    """Measure how far a groove's strokes in one place spread among people's: standard deviations of their quantiles."""
    for place in range(PLACES):
        shares = one.share[(one.instrument == instrument) & (one.place == place)]
        if len(shares) >= _LEAST_BARS:
            yield float(np.interp(shares, velocities[place], QUANTILES).std())


def _find_quantiles(groups: Iterable[Floats], prior: Floats | None) -> Floats:
    """Find QUANTILES of values of which each group counts as one, drawn towards `prior`."""
    found = [group for group in groups if len(group)]
    if not found:
        return np.full(len(QUANTILES), 0.6) if prior is None else prior
    values = np.concatenate(found)
    weights = np.concatenate([np.full(len(group), 1.0 / len(group)) for group in found])
    order = np.argsort(values)
    reached = (np.cumsum(weights[order]) - 0.5 * weights[order]) / weights.sum()
    quantiles = np.interp(QUANTILES, reached, values[order])
    return quantiles if prior is None else _draw_towards(quantiles, prior, len(found))


def _draw_towards(value: Floats, prior: Floats, grooves: int) -> Floats:
    return np.asarray((grooves * value + PRIOR_GROOVES * prior) / (grooves + PRIOR_GROOVES))


def _learn_offsets(grooves: Sequence[MeasuredGroove], instrument: int, wider: Sequence[float] | None) -> list[float]:
    """Learn the median deviation at each place, ms; without a wider table drawn towards 0."""
    offsets = []
    for place in range(PLACES):
        medians = []
        for one in grooves:
            strokes = one.deviation[(one.instrument == instrument) & (one.place == place)]
            if np.isfinite(strokes).any():
                medians.append(float(np.nanmedian(strokes)))
        offsets.append(_shrink(medians, 0.0 if wider is None else wider[place]))
    return offsets


def _measure_spread(one: MeasuredGroove) -> Spread:
    """Measure the spread of places and instruments.

    The difference of two that are struck together is theirs alone; what they share is the place's. Standard deviations
    are robust: half the distance from the 16th to the 84th percentile.
    """
    onsets = np.rint(48.0 * one.groove.places).astype(int).tolist()
    rows = [
        row
        for row in zip(onsets, one.instrument.tolist(), one.place.tolist(), one.deviation.tolist(), strict=True)
        if not math.isnan(row[3])
    ]
    by_place: dict[tuple[int, int], list[float]] = defaultdict(list)
    for _, instrument, place, deviation in rows:
        by_place[instrument, place].append(deviation)
    usual = {key: median(values) for key, values in by_place.items()}
    own: dict[int, list[float]] = defaultdict(list)
    shared: list[float] = []
    for _, struck in groupby(rows, key=lambda row: row[0]):
        strokes = [(instrument, deviation - usual[instrument, place]) for _, instrument, place, deviation in struck]
        mean = fmean(deviation for _, deviation in strokes)
        shared.append(mean)
        if len({instrument for instrument, _ in strokes}) >= 2:
            correction = math.sqrt(len(strokes) / (len(strokes) - 1.0))
            for instrument, deviation in strokes:
                own[instrument].append(correction * (deviation - mean))
    return Spread(
        _find_robust_sd(shared),
        _correlate_successive(np.array(shared)) if len(shared) >= _LEAST_STROKES else 0.0,
        {INSTRUMENTS[index]: _find_robust_sd(values) for index, values in own.items() if len(values) >= _LEAST_STROKES},
    )


def _find_robust_sd(values: Sequence[float]) -> float:
    low, high = np.percentile(values, (16.0, 84.0))
    return float(high - low) / 2.0


def measure_velocity_correlation(grooves: Sequence[MeasuredGroove]) -> float:
    """Measure how the velocities of an instrument's successive strokes correlate, their places' means taken off.

    The median over grooves and instruments.
    """
    found = []
    for one in grooves:
        for instrument in set(one.instrument.tolist()):
            rows = one.instrument == instrument
            share, place = one.share[rows].copy(), one.place[rows]
            for number in set(place.tolist()):
                share[place == number] -= share[place == number].mean()
            if len(share) > _LEAST_STROKES and share.std() > 0.0:
                found.append(_correlate_successive(share))
    return float(np.median(found))


def _correlate_successive(values: Floats) -> float:
    with np.errstate(invalid="ignore"):
        correlation = float(np.corrcoef(values[:-1], values[1:])[0, 1])
    return 0.0 if math.isnan(correlation) else correlation


def _measure_left_out(one: MeasuredGroove, instrument: int) -> float | None:
    """Measure how often a stroke that nearly all bars have is missing; None where the groove has no such stroke."""
    if len(one.presence) < _LEAST_BARS:
        return None
    shares = one.presence[:, instrument].mean(axis=0)
    usual = shares[shares >= _FIRM]
    return float(1.0 - usual.mean()) if len(usual) else None


def _learn_additions(
    grooves: Sequence[MeasuredGroove], row: int, instrument: int, wider: Sequence[float] | None
) -> list[float]:
    """Learn the chance, by place, of a stroke that the groove does not have in most of its bars."""
    chances: list[list[float]] = [[] for _ in range(PLACES)]
    for one in grooves:
        if len(one.presence) < _LEAST_BARS or not one.presence[:, instrument].any():
            continue
        shares = one.presence[:, row].mean(axis=0)
        usual = one.presence[:, instrument].mean(axis=0)
        for place in range(PLACES):
            if usual[place] < _USUAL and one.has_place[place]:
                chances[place].append(float(shares[place]))
    return [_shrink(found, 0.0 if wider is None else wider[place]) for place, found in enumerate(chances)]


def _learn_fills(grooves: Sequence[MeasuredGroove], wider: dict[str, Any] | None) -> dict[str, Any]:
    """Learn how often a bar ends in a fill, how many beats that has, and how many strokes a beat."""
    rates, lengths, strokes = [], [], []
    for one in grooves:
        fills = _find_fills(one)
        if fills is not None:
            rates.append(len(fills) / len(one.presence))
            lengths += [len(counts) for counts in fills]
            strokes += [count for counts in fills for count in counts]
    shares = [
        _count_share(lengths, beats, None if wider is None else wider["beats"][str(beats)]) for beats in FILL_BEATS
    ]
    return {
        "a_bar": _shrink(rates, 0.0 if wider is None else wider["a_bar"]),
        "beats": {
            str(beats): round(share / sum(shares), _DECIMALS) for beats, share in zip(FILL_BEATS, shares, strict=True)
        },
        "strokes_a_beat": _shrink(strokes, 4.0 if wider is None else wider["strokes_a_beat"]),
    }


def _count_share(lengths: Sequence[int], beats: int, wider: float | None) -> float:
    prior = 1.0 / len(FILL_BEATS) if wider is None else wider
    return (lengths.count(beats) + PRIOR_GROOVES * prior) / (len(lengths) + PRIOR_GROOVES)


def _find_fills(one: MeasuredGroove) -> list[list[int]] | None:
    """Find the fills that end at a barline: their strokes of snare and toms by beat; None for a short groove.

    A beat of a fill has two more strokes of snare and toms than usual, and more toms or less of hat and ride.
    """
    bars = len(one.presence)
    if bars < _LEAST_BARS:
        return None
    beats = np.floor(one.groove.places + 1e-6).astype(int)

    def count(instruments: Sequence[int]) -> np.ndarray:
        counts = np.zeros(BAR_BEATS * bars)
        np.add.at(counts, beats[np.isin(one.instrument, instruments)], 1.0)
        return counts.reshape(bars, BAR_BEATS)

    drums, toms, timekeepers = count((_SNARE, _TOM)), count((_TOM,)), count(_TIMEKEEPERS)
    usual_drums, usual_toms, usual_time = (np.median(rows, axis=0) for rows in (drums, toms, timekeepers))
    is_fill = (drums >= np.maximum(3.0, usual_drums + 2.0)) & (
        (toms >= usual_toms + 2.0) | (timekeepers < 0.6 * usual_time)
    )
    fills = []
    for bar in range(bars):
        length = 0
        while length < BAR_BEATS and is_fill[bar, BAR_BEATS - 1 - length]:
            length += 1
        if length:
            fills.append([int(number) for number in drums[bar, BAR_BEATS - length :]])
    return fills


def write_tables(tables: dict[str, Any], path: Path) -> None:
    """Write the file that music/drumming.py reads. Raises OutputError."""
    write_atomically(path, json.dumps(tables, separators=(",", ":")).encode())
