"""How drummers strike: what people play at each place of the bar, as tables that the drummer draws from.

`load_drumming()` reads `drumming.json` of the models once. `kelly-live lab train drumming` makes it from the Groove
MIDI Dataset (Gillick et al. 2019, CC BY 4.0); models/open/drumming.md has the measurements. The drummers are in groups
of styles (DRUMMERS), and each groove of music/groove.py names the group that it is played like.

A stroke's touch (0-1) says how firmly it is struck among people's strokes of that instrument in that place of the bar:
.5 is the median one, .1 a ghost note where people play some.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from kelly_live.core.model_tables import check_number, check_share, read_model_table
from kelly_live.core.numbers import quote_value
from kelly_live.core.resources import find_model_file, name_models
from kelly_live.core.values import Dynamics, MusicParameters, NoteEvent
from kelly_live.music.feel import (
    LARGEST_JITTER_SECONDS,
    LOUDEST_VELOCITY,
    SOFTEST_VELOCITY,
    compute_onset_offset,
    compute_section_drift,
    draw_deviation,
    draw_drummer_deviation,
)
from kelly_live.music.groove import find_groove

FILE = "drumming.json"
VERSION = 1
MAX_BYTES = 1 << 20  # the shipped one has 45 kB
DRUMMERS = ("backbeat", "funk", "jazz", "latin", "afro", "all")
INSTRUMENTS = ("kick", "snare", "rim", "hat", "open hat", "pedal hat", "ride", "crash", "tom")
BAR_BEATS = 4
FRACTIONS = (0.0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4)  # of a beat; the places of a bar are these in each beat
PLACES = BAR_BEATS * len(FRACTIONS)
QUANTILES = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)  # of the strokes' velocities
FILL_BEATS = (1, 2, 3, 4)
_LARGEST = 100.0  # of any number in the file

# General MIDI keys by the instrument of the kit that they are struck like.
_KEYS = {
    "kick": (35, 36), "snare": (38, 39, 40), "rim": (37, 67, 75, 76, 77), "hat": (42, 54, 70), "open hat": (46,),
    "pedal hat": (44,), "ride": (51, 53, 56, 59), "crash": (49, 52, 55, 57),
    "tom": (41, 43, 45, 47, 48, 50, 60, 61, 62, 63, 64),
}  # fmt: skip
_INSTRUMENT_BY_KEY = {key: name for name, keys in _KEYS.items() for key in keys}

# The touch of a pattern's marks.
TOUCHES = {"X": 0.85, "x": 0.6, "-": 0.3, "o": 0.1}
_LIMIT = 1.12  # of the loudest note of the others, which a firm stroke is as loud as: one that stands out
_AUDIBLE = 0.2  # of it: people's softest strokes are half heard, or a pedal that came down
_USUAL_VARIANCE_SHARE = 1.7  # the spread is as measured at a variance of .35, which the mapper asks for mostly


class Stroke(NamedTuple):
    """A stroke: its place in the bar (beats), key, touch (0-1), and the least density that it is played at."""

    position: float
    key: int
    touch: float
    density: float


@dataclass(frozen=True, slots=True)
class Drumming:
    """How a group of drummers plays. Rows by place have PLACES numbers.

    `velocities` are by instrument and place: shares of the loudest strokes at QUANTILES. `touch_sd` is how far the
    strokes of one groove spread among these, as a standard deviation of quantiles. `offsets` are the seconds that an
    instrument lies behind its place, `own_sd` the standard deviation of one instrument from what is struck with it,
    `place_sd` that of all that is struck together, `drift_sd` of the slow drift under it (seconds each), and
    `place_correlation` how what is struck together correlates with what comes next.
    `ghosts` and `kicks` are the chances that a place where a groove has none gets a ghost note or a kick, `left_out`
    the chance that a stroke of a groove is left out. `fill_rate` is the fills a bar, `fill_beats` how long they are
    (beats -> share), `fill_strokes` how many strokes of snare and toms a beat of them has.
    """

    velocities: Mapping[str, tuple[tuple[float, ...], ...]]
    touch_sd: Mapping[str, float]
    offsets: Mapping[str, tuple[float, ...]]
    own_sd: Mapping[str, float]
    place_sd: float
    place_correlation: float
    drift_sd: float
    ghosts: tuple[float, ...]
    kicks: tuple[float, ...]
    left_out: Mapping[str, float]
    fill_rate: float
    fill_beats: Mapping[int, float]
    fill_strokes: float


def find_instrument(key: int) -> str:
    """Find the instrument of INSTRUMENTS that a General MIDI key is struck like; the toms for an unknown one."""
    return _INSTRUMENT_BY_KEY.get(key, "tom")


def find_place(position: float) -> int:
    """Find the place, 0 to PLACES - 1, nearest to a position in beats; bars of other metres begin at the same place."""
    beat = math.floor(position + 0.125)
    fraction = position - beat
    nearest = min(range(len(FRACTIONS)), key=lambda index: abs(FRACTIONS[index] - fraction))
    return beat % BAR_BEATS * len(FRACTIONS) + nearest


def compute_stroke_velocity(
    drumming: Drumming, dynamics: Dynamics, stroke: Stroke, *, lift: float, deviation: float, share: float = 1.0
) -> int:
    """Compute a stroke's MIDI velocity: as people strike that instrument in that place, under the band's ceiling.

    `lift` (about -0.3 to 0.3) is the form's, `deviation` in [-1, 1] the stroke's own, `share` (0-1) of the level is
    what the groove leaves it.
    """
    loudest = dynamics.ceiling + lift * (dynamics.ceiling - dynamics.floor)
    uneven = 0.4 + _USUAL_VARIANCE_SHARE * dynamics.variance
    instrument = find_instrument(stroke.key)
    touch = stroke.touch + math.sqrt(3.0) * drumming.touch_sd[instrument] * uneven * deviation
    shares = drumming.velocities[instrument][find_place(stroke.position)]
    level = share * loudest * min(_LIMIT, max(_AUDIBLE, _interpolate(shares, touch)))
    return max(SOFTEST_VELOCITY, min(LOUDEST_VELOCITY, round(LOUDEST_VELOCITY * level)))


def compute_stroke_offset(drumming: Drumming, *, seed: int, beat: float, beats_per_bar: int, key: int) -> float:
    """Compute how many seconds a stroke lies behind its beat, within LARGEST_JITTER_SECONDS; negative is ahead.

    Bars count from beat 0. What is struck together lies together, but for each instrument's own
    deviation, and all of it drifts with the band's rhythm section.
    """
    instrument = find_instrument(key)
    offset = drumming.offsets[instrument][find_place(beat % beats_per_bar)]
    correlation, place_sd = drumming.place_correlation, drumming.place_sd
    offset += math.hypot(drumming.drift_sd, math.sqrt(correlation) * place_sd) * compute_section_drift(seed, beat)
    offset += math.sqrt(3.0 * (1.0 - correlation)) * place_sd * draw_drummer_deviation(seed, beat)
    offset += math.sqrt(3.0) * drumming.own_sd[instrument] * draw_deviation(seed, "drummer", beat, key)
    return max(-LARGEST_JITTER_SECONDS, min(LARGEST_JITTER_SECONDS, offset))


def compute_player_offset(
    drummers: Mapping[str, Drumming],
    parameters: MusicParameters,
    note: NoteEvent,
    *,
    seed: int,
    role: str,
    beats_per_bar: int,
) -> float:
    """Compute how many seconds a note lies behind its beat: a drummer's by the tables, another player's by the feel.

    It is never further ahead than `compute_earliest_offset`.
    """
    beat, key = note.onset_beats, note.pitch
    if role != "percussion":
        return compute_onset_offset(parameters.timing, seed=seed, part=role, beat=beat, voice=key)
    drumming = drummers[find_groove(parameters.groove).drummers]
    return compute_stroke_offset(drumming, seed=seed, beat=beat, beats_per_bar=beats_per_bar, key=key)


def _interpolate(values: tuple[float, ...], quantile: float) -> float:
    """Interpolate between the values at QUANTILES, and hold the first and the last."""
    for index in range(1, len(QUANTILES)):
        low, high = QUANTILES[index - 1], QUANTILES[index]
        if quantile <= high:
            share = max(0.0, (quantile - low) / (high - low))
            return values[index - 1] + share * (values[index] - values[index - 1])
    return values[-1]


def load_drumming() -> Mapping[str, Drumming]:
    """Return the tables of the models in use by group, read once; raises ConfigError if they are missing or damaged."""
    return _load_drumming(name_models())


@lru_cache(maxsize=4)
def _load_drumming(models: str) -> Mapping[str, Drumming]:
    return read_drumming(find_model_file(FILE))


def read_drumming(path: Path) -> Mapping[str, Drumming]:
    """Read tables by group; raises ConfigError if the file is missing, damaged or of another version."""
    return read_model_table(
        path,
        lambda content: {name: _read_group(content["drummers"][name]) for name in DRUMMERS},
        version=VERSION,
        max_bytes=MAX_BYTES,
        command="kelly-live lab train drumming",
    )


def _read_group(content: Mapping[str, Any]) -> Drumming:
    instruments = {name: content["instruments"][name] for name in INSTRUMENTS}
    return Drumming(
        velocities={
            name: tuple(_read_row(row, len(QUANTILES)) for row in _read_rows(table["velocities"]))
            for name, table in instruments.items()
        },
        touch_sd={name: _read_share(table["touch_sd"]) for name, table in instruments.items()},
        offsets={
            name: tuple(value / 1000.0 for value in _read_row(table["offset_ms"], PLACES))
            for name, table in instruments.items()
        },
        own_sd={name: _read_number(table["own_sd_ms"]) / 1000.0 for name, table in instruments.items()},
        place_sd=_read_number(content["place_sd_ms"]) / 1000.0,
        place_correlation=_read_share(content["place_correlation"]),
        drift_sd=_read_number(content["drift_sd_ms"]) / 1000.0,
        ghosts=tuple(map(_read_share, _read_row(content["ghosts"], PLACES))),
        kicks=tuple(map(_read_share, _read_row(content["kicks"], PLACES))),
        left_out={name: _read_share(table["left_out"]) for name, table in instruments.items()},
        fill_rate=_read_share(content["fills"]["a_bar"]),
        fill_beats={beats: _read_share(content["fills"]["beats"][str(beats)]) for beats in FILL_BEATS},
        fill_strokes=_read_number(content["fills"]["strokes_a_beat"]),
    )


def _read_rows(rows: Any) -> list[Any]:
    if not isinstance(rows, list) or len(rows) != PLACES:
        raise ValueError(f"a table has {quote_value(rows)}; it must have {PLACES} places")
    return rows


def _read_row(row: Any, length: int) -> tuple[float, ...]:
    if not isinstance(row, list) or len(row) != length:
        raise ValueError(f"a row is {quote_value(row)}; it must have {length} numbers")
    return tuple(map(_read_number, row))


_read_number = partial(check_number, largest=_LARGEST)
_read_share = partial(check_share, largest=_LARGEST)
