"""Reads an arc from a CSV or YAML file: which feeling when, hit points, and the end.

A table has a row a place, under a header; YAML has the same fields in `points`, and `hits` and `end` beside them. The
files come from strangers: sizes are bounded, and an error names line, field, rule and remedy.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from kelly_live.core.checks import as_number
from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import parse_number, parse_time, quote_value
from kelly_live.core.safe_yaml import MAX_BYTES, Node, parse_nodes
from kelly_live.core.values import EMOTIONS, GROOVES
from kelly_live.music.arc import (
    CLOSEST_HITS_SECONDS,
    INTERPOLATIONS,
    LINEAR,
    LONGEST_BARS,
    LONGEST_SECONDS,
    SHORTEST_BARS,
    SHORTEST_SECONDS,
    Arc,
    ArcChange,
    ArcPoint,
    HitPoint,
)
from kelly_live.music.groove import PLAIN_STYLE

MAX_ROWS, MAX_HITS, MAX_CHANGES = 1000, 200, 32
_AXES = ("valence", "arousal", "dominance")
_FEELING = (*_AXES, "emotion")
_FIELDS = ("time", "bar", *_FEELING, "interpolation", "style", "culture", "hit")


def parse_arc(data: bytes, file: str) -> Arc:
    """Read the bytes of a file; its name's end tells CSV from YAML. Raises ConfigError."""
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{file} is over {MAX_BYTES // 1024} kB; no arc is that long: shorten it")
    if file.lower().endswith((".yaml", ".yml")):
        return _read_yaml(parse_nodes(data, file))
    if file.lower().endswith(".csv"):
        rows = list(_read_table(data, file))
        return _build(rows, None, rows[-1])
    raise ConfigError(f"{file[:80]!r} is neither CSV nor YAML; end its name in .csv or .yaml")


def _read_yaml(root: Node) -> Arc:
    fields = root.as_fields(("format", "points"), ("end", "hits", "style", "culture"))
    fields["format"].as_int(1, 1)
    rows = fields["points"].as_list()
    for row in rows:
        row.as_fields((), _FIELDS)
    hits = fields["hits"].as_list() if "hits" in fields else []
    for hit in hits:
        hit.as_fields(("name",), ("time", "bar"))
    named = [Node({**hit.as_map(), "hit": hit.as_map()["name"]}, hit.file, hit.line, hit.field) for hit in hits]
    whole = {name: fields[name] for name in ("style", "culture") if name in fields}
    if not rows:
        fields["points"].fail("is empty; give one point or more, such as {time: 0, emotion: sad}")
    arc_rows = [*rows, *named]
    unit = _find_unit(arc_rows)
    if whole:
        start: dict[str, Node] = {unit: Node("1" if unit == "bar" else "0", root.file, root.line, unit)}
        arc_rows.append(Node(start | whole, root.file, root.line, ""))
    return _build(arc_rows, fields.get("end"), rows[-1])


def _read_table(data: bytes, file: str) -> Iterator[Node]:
    """Yield a map of fields for each row of a table; what is empty is left out."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file} line {line}: is not UTF-8; save it as UTF-8") from error
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    names: list[str] = []
    count = 0
    try:
        for cells in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
                continue
            if not names:
                names = _read_header(cells, file, line)
                continue
            if any(cell.strip() for cell in cells[len(names) :]):
                raise ConfigError(f"{file} line {line}: has {len(cells)} cells and the header {len(names)}; even them")
            count += 1
            yield Node(
                {
                    name: Node(cell.strip(), file, line, name)
                    for name, cell in zip(names, cells, strict=False)
                    if cell.strip()
                },
                file,
                line,
                "the row",
            )
    except csv.Error as error:
        raise ConfigError(f"{file} line {reader.line_num}: is no table ({str(error)[:80]}); repair it") from error
    if not count:
        raise ConfigError(f"{file} has no row under its header; write a header such as time,emotion,hit and rows")


def _read_header(cells: Sequence[str], file: str, line: int) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    for name in names:
        if name not in _FIELDS:
            raise ConfigError(
                f"{file} line {line}: the header has {name[:40]!r}, which is no field; "
                f"there may be {', '.join(_FIELDS)}"
            )
        if names.count(name) > 1:
            raise ConfigError(f"{file} line {line}: the header has {name} twice; keep one")
    return names


def _find_unit(rows: Sequence[Node]) -> str:
    """Find what a file counts in, `time` or `bar`: the same in every row."""
    unit = ""
    for row in rows:
        fields = row.as_map()
        own = [name for name in ("time", "bar") if name in fields]
        if len(own) != 1:
            row.fail(f"has {' and '.join(own) or 'no place'}; it must have a time or a bar")
        if unit and own[0] != unit:
            row.fail(f"has a {own[0]}, and the rows before it a {unit}; count in one of them throughout")
        unit = own[0]
    return unit


def _build(rows: Sequence[Node], end: Node | None, last: Node) -> Arc:
    """Build the arc of rows in any order; without an `end` the `last` row is where it ends, if it comes last."""
    if len(rows) > MAX_ROWS:
        rows[MAX_ROWS].fail(f"is one too many; there may be {MAX_ROWS} rows")
    unit = _find_unit(rows)
    in_bars = unit == "bar"
    placed = sorted(((_read_place(row.as_map()[unit], in_bars=in_bars), row) for row in rows), key=lambda one: one[0])
    points, changes, hits = list[ArcPoint](), list[ArcChange](), list[HitPoint]()
    for place, row in placed:
        fields = row.as_map()
        if (point := _read_point(place, fields, row)) is not None:
            if points and points[-1].place == place:
                row.fail(f"has a feeling at {fields[unit].describe()}, as a row before it has; keep one")
            points.append(point)
        if "style" in fields or "culture" in fields:
            changes.append(_read_change(place, fields, row))
        if "hit" in fields:
            name = fields["hit"].as_text(60)
            if hits and place - hits[-1].place < (0.25 if in_bars else CLOSEST_HITS_SECONDS):
                fields["hit"].fail(
                    f"is less than {'a quarter of a bar' if in_bars else f'{CLOSEST_HITS_SECONDS:g} s'} after "
                    f"{hits[-1].name!r}; one strike serves both: keep one"
                )
            hits.append(HitPoint(place, name))
    _check_counts(points, hits, changes, last)
    # A row's bar is the last one itself; a single place leaves the length to be said.
    ends: float | None = placed[-1][0] + in_bars if end is None else _read_end(end, in_bars=in_bars)
    if end is None and placed[-1][0] == placed[0][0]:
        ends = None
    last_place = placed[-1][0]
    if ends is not None and end is not None and (last_place > ends or (in_bars and last_place == ends)):
        placed[-1][1].fail(f"lies after the end ({end.describe()}); move one of them")
    if ends is not None and end is None:
        _check_length(ends, placed[-1][1].as_map()[unit], in_bars=in_bars)
    return Arc(tuple(points), tuple(hits), ends, tuple(changes), in_bars)


def _check_counts(
    points: Sequence[ArcPoint], hits: Sequence[HitPoint], changes: Sequence[ArcChange], last: Node
) -> None:
    if not points:
        last.fail("and all other rows have no feeling; give one row an emotion, or valence and arousal")
    if len(hits) > MAX_HITS:
        last.fail(f"comes with {len(hits)} hit points; there may be {MAX_HITS}")
    if len(changes) > MAX_CHANGES:
        last.fail(f"comes with {len(changes)} changes of style and culture; there may be {MAX_CHANGES}")


def _read_place(node: Node, *, in_bars: bool) -> float:
    """Read a time in seconds, or a bar that is written from 1, as bars from the start."""
    if in_bars:
        return node.as_number(1.0, LONGEST_BARS) - 1.0
    seconds = parse_time(node.as_text())
    if not 0.0 <= seconds <= LONGEST_SECONDS:  # also where it is none
        node.fail(f"is {node.describe()}; it must be a time up to {LONGEST_SECONDS / 60.0:g} minutes: 83.5, or 1:23.5")
    return seconds


def _read_end(node: Node, *, in_bars: bool) -> float:
    """Read the end: a time, or the number of the last bar."""
    place = node.as_number(1.0, LONGEST_BARS) if in_bars else _read_place(node, in_bars=False)
    _check_length(place, node, in_bars=in_bars)
    return place


def _check_length(place: float, node: Node, *, in_bars: bool) -> None:
    if in_bars and (place != int(place) or place < SHORTEST_BARS):
        node.fail(f"is {node.describe()}, where the piece ends; it must be a whole bar, from bar {SHORTEST_BARS:g} on")
    if not in_bars and place < SHORTEST_SECONDS:
        node.fail(f"is {node.describe()}, where the piece ends; it must last {SHORTEST_SECONDS:g} s or more")


def _read_point(place: float, fields: dict[str, Node], row: Node) -> ArcPoint | None:
    given = [name for name in _FEELING if name in fields]
    if not given:
        if "interpolation" in fields:
            fields["interpolation"].fail("stands in a row without a feeling; give the row one, or leave it out")
        return None
    interpolation = fields["interpolation"].as_text() if "interpolation" in fields else LINEAR
    if interpolation not in INTERPOLATIONS:
        fields["interpolation"].fail(
            f"is {fields['interpolation'].describe()}; it must be one of {', '.join(INTERPOLATIONS)}"
        )
    numbers = {name: _read_axis(fields[name]) for name in _AXES if name in fields}
    emotion = fields["emotion"].as_text().lower() if "emotion" in fields else None
    if emotion is not None and emotion not in EMOTIONS:
        fields["emotion"].fail(f"is {fields['emotion'].describe()}; it must be one of {', '.join(EMOTIONS)}")
    if emotion is None and not {"valence", "arousal"} <= set(numbers):
        row.fail(f"has {' and '.join(given)} alone; give valence and arousal together, or an emotion")
    return ArcPoint(place, create_state(**numbers, emotion=emotion), interpolation)


def _read_axis(node: Node) -> float:
    number = parse_number(node.as_text())
    if not -1.0 <= number <= 1.0:  # also where it is none
        node.fail(f"is {node.describe()}; it must be a number from -1 to 1")
    return number


def _read_change(place: float, fields: dict[str, Node], row: Node) -> ArcChange:
    style, culture = (fields[name].as_text(100) if name in fields else None for name in ("style", "culture"))
    if style is not None and style not in (PLAIN_STYLE, *GROOVES):
        known = ", ".join((PLAIN_STYLE, *GROOVES))
        fields["style"].fail(f"is {fields['style'].describe()}; it must be one of {known}")
    line = fields["culture"].line if culture is not None else row.line
    return ArcChange(place, "" if style == PLAIN_STYLE else style, culture, f"{row.file} line {line}: culture")


def read_length(text: str) -> float:
    """Read the length of a piece, such as 1:23.5, in seconds. Raises ConfigError."""
    seconds = parse_time(text)
    if math.isnan(seconds):
        raise ConfigError(f"{text[:40]!r} is no length; write a time such as 83.5 or 1:23.5")
    check_length(seconds)
    return seconds


def check_length(seconds: float | None) -> None:
    """Refuse a length that is no number, too short or too long; None is as it comes. Raises ConfigError."""
    number = 0.0 if seconds is None else as_number(seconds)
    if seconds is not None and (number is None or not SHORTEST_SECONDS <= number <= LONGEST_SECONDS):
        raise ConfigError(
            f"the length is {quote_value(seconds)}; it must be {SHORTEST_SECONDS:g} s to "
            f"{LONGEST_SECONDS / 60.0:g} minutes, such as 83.5 or 1:23.5"
        )
