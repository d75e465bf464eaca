"""The card of the drummer's tables: what they were learned from, and how well they tell what other drummers play."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.drum_grooves import CORPUS, read_drum_grooves
from kelly_live.lab.training.drumming import (
    PRIOR_GROOVES,
    MeasuredGroove,
    learn_tables,
    measure_velocity_correlation,
    write_tables,
)
from kelly_live.music.drumming import DRUMMERS, INSTRUMENTS, QUANTILES

_MEDIAN = QUANTILES.index(0.5)


@dataclass(frozen=True, slots=True)
class HeldOutError:
    """Mean absolute error of velocities (over the loudest) and of deviations (ms) in grooves of a drummer left out.

    `by_place` is by the tables, `by_instrument` by each instrument's one number, over `strokes` strokes.
    """

    group: str
    velocity_by_place: float
    velocity_by_instrument: float
    offset_by_place: float
    offset_by_instrument: float
    strokes: int


@dataclass(frozen=True, slots=True)
class DrummingTraining:
    """What was learned: the file's content, the errors, and how many grooves and drummers each group has.

    `velocity_correlation`: of an instrument's successive strokes.
    """

    tables: dict[str, Any]
    errors: tuple[HeldOutError, ...]
    grooves: dict[str, int]
    drummers: int
    velocity_correlation: float

    def format_table(self) -> str:
        """Format what the tables hold, and the errors, as Markdown."""
        lines = [
            "| drummers | grooves | timing SD, ms: together (r) / snare / hat / drift | ghosts a bar | fills a bar "
            "| beats of a fill: 1 / 2 / 3 / 4, % | hat left out, % |",
            "|---|---|---|---|---|---|---|",
        ]
        for name in DRUMMERS:
            table = self.tables["drummers"][name]
            parts, fills = table["instruments"], table["fills"]
            sixteenths = [chance for place, chance in enumerate(table["ghosts"]) if place % 6 in (0, 1, 3, 5)]
            spread = (
                f"{table['place_sd_ms']:.0f} ({table['place_correlation']:.2f}) / {parts['snare']['own_sd_ms']:.0f} / "
                f"{parts['hat']['own_sd_ms']:.0f} / {table['drift_sd_ms']:.0f}"
            )
            beats = " / ".join(f"{100.0 * share:.0f}" for share in fills["beats"].values())
            lines.append(
                f"| {name} | {self.grooves[name]} | {spread} | {sum(sixteenths):.1f} | {fills['a_bar']:.2f} | {beats} "
                f"| {100.0 * parts['hat']['left_out']:.0f} |"
            )
        lines += [
            "",
            "| error on the grooves of drummers left out | velocity by place | by instrument alone "
            "| timing by place, ms | by instrument alone, ms | strokes |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {one.group} | {one.velocity_by_place:.3f} | {one.velocity_by_instrument:.3f} "
            f"| {one.offset_by_place:.1f} | {one.offset_by_instrument:.1f} | {one.strokes} |"
            for one in self.errors
        ]
        return "\n".join(lines)

    def format_card(self, command: str, size_bytes: int) -> str:
        """Format the card."""
        return f"""# drumming.json

How people strike a drum kit, as tables that the drummer draws from (`kelly_live/music/drumming.py`): how firmly, and
how far off the grid, each instrument is struck in each place of the bar; ghost notes, strokes left out, fills.
{size_bytes // 1000} kB. Made by `{command}`.

Learned from {self.grooves["all"]} grooves in 4/4 by {self.drummers} drummers of the Groove MIDI Dataset (Gillick,
Roberts, Engel, Eck & Bamman 2019, "Learning to Groove with Inverse Sequence Transformations", Google; CC BY 4.0), the
part of it that is Latin, Afro-Cuban, jazz, funk and reggae. The tables are adapted from it, and are under CC BY 4.0 as
well. **It has no rock and no pop**: what has a backbeat (disco, breakbeat, country, gospel, reggae, blues shuffle)
stands for them. Five grooves in 3/4 and 5/8 are left out. The drummers are session drummers at an electronic kit with a
metronome; none of this is hand percussion.

Velocities are over the 90th percentile of their groove, as quantiles. A timing SD is what is left after each
instrument's usual deviation in its place, and after drift slower than about four beats. A group's numbers are drawn
towards those of all people with the weight of {PRIOR_GROOVES:.0f} grooves, and those of all towards any beat's. Nothing
is longer than one stroke, so that no groove can be recognized. *r* is how what is struck together
correlates in timing with what comes next, beside the drift; the velocities of an instrument's successive strokes hardly
do (r {self.velocity_correlation:.2f}), so that each is drawn by itself.

{self.format_table()}

*Error*: mean absolute error of the median that was learned without that drummer; velocity in shares of the loudest. The
place tells little of either beyond the instrument: which strokes are firm is the groove's own, and it is the marks of
our patterns (music/groove.py) that say so. What the tables add is how far people's strokes spread around it.
"""


def train_drumming(corpora: Path, out: Path, *, command: str, log: Callable[[str], None] = print) -> DrummingTraining:
    """Learn the tables from the archive in `corpora`, measure them on drummers left out, write `out` and its card.

    Raises:
        KellyError: The archive cannot be read, or a file cannot be written.
    """
    grooves = [MeasuredGroove(groove) for groove in read_drum_grooves(corpora)]
    log(f"read {len(grooves)} grooves of {CORPUS}")
    return train_from_grooves(grooves, out, command=command, log=log)


def train_from_grooves(
    grooves: Sequence[MeasuredGroove], out: Path, *, command: str, log: Callable[[str], None] = print
) -> DrummingTraining:
    """Learn and measure the tables of grooves that were read; write `out` and its card."""
    drummers = sorted({one.groove.drummer for one in grooves})
    if len(drummers) < 2:
        raise ConfigError("the grooves are of one drummer; there must be two or more, to measure on one left out")
    tables = learn_tables(grooves)
    write_tables(tables, out)
    misses: dict[str, list[np.ndarray]] = {name: [] for name in DRUMMERS}
    for drummer in drummers:
        log(f"measuring drummer {drummer} by the others")
        others = learn_tables([one for one in grooves if one.groove.drummer != drummer])
        for one in grooves:
            if one.groove.drummer == drummer:
                missed = _measure_misses(one, others["drummers"][one.groove.group or "all"])
                misses[one.groove.group or "all"].append(missed)
    errors = []
    for name, found in misses.items():
        if found:
            rows = np.concatenate(found)
            velocity, alone = np.abs(rows[:, :2]).mean(axis=0)
            offset, offset_alone = np.nanmean(np.abs(rows[:, 2:]), axis=0)
            group = "of no group" if name == "all" else name
            errors.append(HeldOutError(group, velocity, alone, offset, offset_alone, len(rows)))
    counts = Counter(one.groove.group for one in grooves)
    training = DrummingTraining(
        tables,
        tuple(errors),
        {name: len(grooves) if name == "all" else counts[name] for name in DRUMMERS},
        len(drummers),
        measure_velocity_correlation(grooves),
    )
    write_atomically(out.with_suffix(".md"), training.format_card(command, out.stat().st_size).encode())
    return training


def _measure_misses(one: MeasuredGroove, table: dict[str, Any]) -> np.ndarray:
    """Measure what tables miss by, a stroke a row: velocity by place and by instrument, offset by place and by it."""
    velocities = np.array([table["instruments"][name]["velocities"] for name in INSTRUMENTS])[:, :, _MEDIAN]
    offsets = np.array([table["instruments"][name]["offset_ms"] for name in INSTRUMENTS])
    played = np.bincount(one.place, minlength=offsets.shape[1])
    alone_velocities, alone_offsets = (np.average(values, axis=1, weights=played) for values in (velocities, offsets))
    instrument, place = one.instrument, one.place
    return np.stack(
        (
            one.share - velocities[instrument, place],
            one.share - alone_velocities[instrument],
            one.deviation - offsets[instrument, place],
            one.deviation - alone_offsets[instrument],
        ),
        axis=1,
    )
