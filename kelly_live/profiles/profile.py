"""A person's profile as a value and as YAML: their reactions, and the embedding learned from them.

The reactions are a table in one block of text, one row each, so that a full one still loads in milliseconds. Beyond
MAX_ROWS rows, the oldest row is merged with the next one of its topic, and counts for both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from kelly_live.core.actions import Action, parse_action
from kelly_live.core.errors import ConfigError
from kelly_live.core.limits import NO_SESSION_LIMITS, Limits
from kelly_live.core.numbers import parse_number
from kelly_live.core.safe_yaml import Node, parse_nodes
from kelly_live.core.values import EMOTIONS, EmotionState
from kelly_live.profiles.calibration import AXES, NO_HINTS, Calibration, Hints, Place, compute_offset
from kelly_live.profiles.limits import format_limits, read_limits
from kelly_live.profiles.reaction import (
    KINDS,
    PLAYED_PARAMETERS,
    PREFERENCE,
    RANGES,
    Reaction,
    merge_reactions,
    parse_time,
)

FORMAT = 2
MAX_NAME = 48
MAX_ROWS = 256  # more than there are topics (24 things to say, 8 emotions), so that two can always be merged
EMBEDDING = 64
_FARTHEST = 7.23  # as far as the mapper's radii let all parts of a taste go together, and what rounding adds
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
# "none" means no profile; the others are devices of Windows, in any folder.
_PORTS = (f"{port}{number}" for port in ("com", "lpt") for number in range(10))
_RESERVED = frozenset(("none", "con", "prn", "aux", "nul", *_PORTS))
_PRESET = re.compile(r"[\w][\w -]{0,99}")  # no dot or slash: a name cannot leave its folder
_CULTURE = re.compile(r"[\w][\w '’-]{0,49}(:[\w][\w '’-]{0,49})?")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}", re.ASCII)
_COLUMNS = ("time", "count", "kind", "about", "V", "A", "D", *EMOTIONS, *PLAYED_PARAMETERS)
_FIELDS = (
    "format", "name", "created", "culture", "culture_strength", "preset", "keys", "limits", "calibrate", "take",
    "hints", "learned_from", "mapper", "embedding", "reactions",
)  # fmt: skip
MAX_KEYS = 64
_ARROWS = ("up", "down", "left", "right")
Keys: TypeAlias = "tuple[tuple[str, Action | None], ...]"
_HEAD = "# A kelly-live profile: what one person means by each feeling. Private; holds no audio.\n"


class NewerFormatError(ConfigError):
    """A profile of a later version; it is whole, only not ours to read."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One person's reactions, what was learned from them, and their settings.

    `embedding`: 64 numbers for the mapper whose fingerprint is `mapper`, learned from `learned_from` reactions; None
    before anything was learned. `culture` (NAME or NAME:MODE), its strength and the host `preset` are played unless
    others are named. `keys`: what a key does instead (None: nothing). `limits` hold in every session that begins for
    this person. `take` and `hints` say what the input reads like at rest; with `calibrate` that is subtracted from the
    readings.
    """

    name: str
    created: str
    culture: str | None = None
    culture_strength: float = 1.0
    reactions: tuple[Reaction, ...] = ()
    embedding: tuple[float, ...] | None = None
    learned_from: int = 0
    mapper: str | None = None
    preset: str | None = None
    keys: Keys = ()
    limits: Limits = NO_SESSION_LIMITS
    calibrate: bool = False
    take: Calibration | None = None
    hints: Hints = NO_HINTS

    def __post_init__(self) -> None:
        check_name(self.name)
        parse_time(self.created)
        if self.culture is not None and not _CULTURE.fullmatch(self.culture):
            raise ConfigError(f"the culture {self.culture[:40]!r} of a profile must be NAME or NAME:MODE, no path")
        if self.preset is not None and not _PRESET.fullmatch(self.preset):
            raise ConfigError(f"the host preset {self.preset[:40]!r} of a profile must be a name, no path")
        if len(self.keys) > MAX_KEYS or len(dict(self.keys)) < len(self.keys):
            raise ConfigError(f"a profile has each key once, and at most {MAX_KEYS}")
        for key, _ in self.keys:
            check_key(key)
        if not (math.isfinite(self.culture_strength) and 0.0 <= self.culture_strength <= 1.0):
            raise ConfigError(f"the culture's strength is {self.culture_strength:g}; it must be from 0 to 1")
        if len(self.reactions) > MAX_ROWS:
            raise ConfigError(f"a profile has {len(self.reactions)} rows of reactions; it must have at most {MAX_ROWS}")
        if (self.embedding is None) != (self.mapper is None):
            raise ConfigError("a profile has an embedding and the mapper that it is for, or neither")
        if self.embedding is not None:
            size = math.hypot(*self.embedding)
            if len(self.embedding) != EMBEDDING or not (math.isfinite(size) and size <= _FARTHEST):
                raise ConfigError(f"an embedding must be {EMBEDDING} numbers, together no longer than {_FARTHEST:g}")
        if self.mapper is not None and not _FINGERPRINT.fullmatch(self.mapper):
            raise ConfigError("the mapper's fingerprint must be 16 digits from 0 to f")

    @property
    def count(self) -> int:
        """The number of reactions, merged ones included."""
        return sum(one.count for one in self.reactions)

    @property
    def offset(self) -> Place:
        """The offset to subtract from readings (V, A, D); zeros without calibration."""
        return compute_offset(self.take, self.hints) if self.calibrate else (0.0, 0.0, 0.0)

    def with_reaction(self, one: Reaction) -> Profile:
        """Return the profile with one more reaction; merges rows beyond MAX_ROWS."""
        rows = [*self.reactions, one]
        while len(rows) > MAX_ROWS:
            rows = _one_less(rows)
        return replace(self, reactions=tuple(rows))

    def without_last_reaction(self) -> Profile:
        """Return the profile without its last reaction, as one less of a merged row. Raises ConfigError."""
        if not self.reactions:
            raise ConfigError(f"{self.name} has said nothing; there is no reaction to take back")
        *rest, last = self.reactions
        rest += [replace(last, count=last.count - 1)] if last.count > 1 else []
        return replace(self, reactions=tuple(rest))

    def forget(self, emotion: str | None = None) -> Profile:
        """Return the profile without the reactions in an emotion, or without any and without the calibration.

        The embedding is dropped until `learn` runs again. Settings stay: culture, preset, keys.
        """
        remaining_reactions = (
            () if emotion is None else tuple(one for one in self.reactions if one.state.emotion != emotion)
        )
        rest = replace(self, reactions=remaining_reactions, embedding=None, learned_from=0, mapper=None)
        return replace(rest, calibrate=False, take=None, hints=NO_HINTS) if emotion is None else rest


def new_profile(name: str, now: datetime, culture: str | None = None, culture_strength: float = 1.0) -> Profile:
    """Create a profile that plays the base mapping. Raises ConfigError."""
    return Profile(name, now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), culture, culture_strength)


def check_name(name: str) -> str:
    """Check a name and return it. Raises ConfigError if it is empty or could be a path or a device."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME or name in _RESERVED:
        raise ConfigError(
            f"{name[:MAX_NAME]!r} is no name for a profile; "
            f"use a-z, 0-9 and single dashes between them, up to {MAX_NAME}"
        )
    return name


def check_key(key: str) -> str:
    """Check a key and return it: a character typed without shift, or an arrow. Raises ConfigError."""
    if key not in _ARROWS and not (len(key) == 1 and "!" <= key <= "~" and not key.isupper()):
        raise ConfigError(f"{key[:20]!r} is no key; it must be one character (a, 5, /) or {', '.join(_ARROWS)}")
    return key


def key_action(text: str) -> Action | None:
    """Parse the action of a key as it is written: `panic`, `emotion sad`, `none`. Raises ConfigError."""
    name, _, value = text.strip().lower().partition(" ")
    return None if name == "none" else parse_action(name, value.strip() or None)


def _one_less(rows: list[Reaction]) -> list[Reaction]:
    """Merge the oldest row that has a later one of its topic into that one."""
    later: dict[tuple[str, str | None, str], int] = {}
    pair = (0, 1)
    for index in range(len(rows) - 1, -1, -1):
        if rows[index].topic in later:
            pair = (index, later[rows[index].topic])
        later[rows[index].topic] = index
    first, second = pair
    both = merge_reactions(rows[first], rows[second])
    return [both if index == second else row for index, row in enumerate(rows) if index != first]


# ---------------------------------------------------------------- as a file


def to_yaml(profile: Profile) -> bytes:
    """Format the profile as its YAML file.

    Formatted by hand, for every text in it is of a small alphabet, and a block keeps the table readable.
    """
    lines = [f"format: {FORMAT}", f"name: {profile.name}", f"created: {profile.created}"]
    if profile.culture is not None:
        lines += [f"culture: {_quote(profile.culture)}", f"culture_strength: {_short(profile.culture_strength)}"]
    if profile.preset is not None:
        lines.append(f"preset: {_quote(profile.preset)}")
    if profile.keys:
        lines += ["keys:", *(f"  {_quote(key)}: {_quote(_format_action(action))}" for key, action in profile.keys)]
    if profile.limits != NO_SESSION_LIMITS:
        lines += ["limits:", *format_limits(profile.limits)]
    if profile.calibrate:
        lines.append("calibrate: yes")
    if (take := profile.take) is not None:
        lines += [
            "take:", f"  time: {take.time}", f"  seconds: {_short(take.seconds)}",
            f"  level_dbfs: {_short(take.level_dbfs)}", f"  floor_dbfs: {_short(take.floor_dbfs)}",
            f"  offset: {_list(take.offset)}", f"  error: {_list(take.error)}",
        ]  # fmt: skip
    if profile.hints != NO_HINTS:
        lines += ["hints:", f"  counts: {_list(profile.hints.counts)}", f"  means: {_list(profile.hints.means)}"]
    if profile.embedding is not None:
        numbers = ", ".join(f"{number:.9g}" for number in profile.embedding)
        lines += [f"learned_from: {profile.learned_from}", f"mapper: '{profile.mapper}'", f"embedding: [{numbers}]"]
    if profile.reactions:
        lines += ["reactions: |", f"  {' '.join(_COLUMNS)}", *(f"  {_row(one)}" for one in profile.reactions)]
    return (_HEAD + "\n".join(lines) + "\n").encode()


def from_yaml(data: bytes, file: str) -> Profile:
    """Parse a file's bytes, migrated from an old format. Raises ConfigError naming file and line."""
    root = parse_nodes(data, file)
    fields = root.as_map()
    version = _field(root, fields, "format").as_int(0, 10**6)
    if version > FORMAT:
        raise NewerFormatError(
            f"{file} is of format {version}, this kelly-live knows up to {FORMAT}; update kelly-live"
        )
    while version < FORMAT:
        if version not in MIGRATIONS:
            root.fail(f"is of format {version}; it must be {FORMAT}")
        fields, version = MIGRATIONS[version](fields), version + 1
    for key, node in fields.items():
        if key not in _FIELDS:
            node.fail(f"is not known; a profile has {', '.join(_FIELDS)}")
    embedding = fields.get("embedding")
    strength, learned_from = fields.get("culture_strength"), fields.get("learned_from")
    try:
        return Profile(
            name=_field(root, fields, "name").as_text(MAX_NAME),
            created=_field(root, fields, "created").as_text(40),
            culture=fields["culture"].as_text(100) if "culture" in fields else None,
            culture_strength=1.0 if strength is None else strength.as_number(0.0, 1.0),
            reactions=_rows(fields["reactions"]) if "reactions" in fields else (),
            embedding=None if embedding is None else tuple(n.as_number(-4.0, 4.0) for n in embedding.as_list()),
            learned_from=0 if learned_from is None else learned_from.as_int(0, 10**11),
            mapper=fields["mapper"].as_text(40) if "mapper" in fields else None,
            preset=fields["preset"].as_text(100) if "preset" in fields else None,
            keys=_keys(fields["keys"]) if "keys" in fields else (),
            limits=read_limits(fields["limits"]) if "limits" in fields else NO_SESSION_LIMITS,
            calibrate="calibrate" in fields and _yes(fields["calibrate"]),
            take=_take(fields["take"]) if "take" in fields else None,
            hints=_hints(fields["hints"]) if "hints" in fields else NO_HINTS,
        )
    except ConfigError as error:
        if str(error).startswith(file):
            raise
        raise ConfigError(f"{file}: {error}") from error


# From a format to the next one. Format 2 can hold a preset, keys, a take and hints, which 1 did not know.
MIGRATIONS: dict[int, Callable[[dict[str, Node]], dict[str, Node]]] = {1: lambda fields: fields}


def _field(root: Node, fields: dict[str, Node], name: str) -> Node:
    return fields[name] if name in fields else root.fail(f"has no {name}; a profile must have one")


def _keys(node: Node) -> Keys:
    bindings: list[tuple[str, Action | None]] = []
    for key, value in node.as_map().items():
        try:
            bindings.append((check_key(key), key_action(value.as_text(60))))
        except ConfigError as error:
            value.fail(f"does not fit ({error})")
    return tuple(bindings)


def _yes(node: Node) -> bool:
    return {"yes": True, "no": False}[node.value] if node.value in ("yes", "no") else node.fail("must be yes or no")


def _take(node: Node) -> Calibration:
    fields = node.as_map()
    return Calibration(
        _field(node, fields, "time").as_text(40), _field(node, fields, "seconds").as_number(0.0, 3600.0),
        _field(node, fields, "level_dbfs").as_number(-200.0, 20.0),
        _field(node, fields, "floor_dbfs").as_number(-200.0, 20.0),
        _axes(_field(node, fields, "offset")), _axes(_field(node, fields, "error")),
    )  # fmt: skip


def _hints(node: Node) -> Hints:
    fields = node.as_map()
    counts = [one.as_int(0, 10**9) for one in _field(node, fields, "counts").as_list()]
    if len(counts) != len(AXES):
        node.fail(f"must have a count for each of {', '.join(AXES)}")
    return Hints((counts[0], counts[1], counts[2]), _axes(_field(node, fields, "means")))


def _axes(node: Node) -> Place:
    numbers = [one.as_number(-2.0, 2.0) for one in node.as_list()]
    if len(numbers) != len(AXES):
        node.fail(f"must have a number for each of {', '.join(AXES)}")
    return numbers[0], numbers[1], numbers[2]


def _format_action(action: Action | None) -> str:
    if action is None:
        return "none"
    if isinstance(action.value, bool):
        return f"{action.name} {'on' if action.value else 'off'}"
    value = action.value if action.value is None or isinstance(action.value, str) else _short(action.value)
    return action.name if value is None else f"{action.name} {value}"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(numbers: Sequence[float]) -> str:
    return f"[{', '.join(map(_short, numbers))}]"


def _short(number: float) -> str:
    return f"{number:.7g}"


def _row(one: Reaction) -> str:
    state = one.state
    about = "-" if one.parameter is None or one.value is None else f"{one.parameter}={_short(one.value)}"
    numbers = (state.valence, state.arousal, state.dominance, *state.probabilities, *one.played)
    return " ".join((one.time, str(one.count), one.kind, about, *map(_short, numbers)))


def _rows(node: Node) -> tuple[Reaction, ...]:
    if not isinstance(node.value, str):
        node.fail("must be a block of text (|)")
    head, *rows = node.value.split("\n")
    if tuple(head.split()) != _COLUMNS:
        node.fail(f"must begin with the columns {' '.join(_COLUMNS)}")
    reactions = []
    for number, row in enumerate(rows, start=node.line + 2):
        if row.strip():
            try:
                reactions.append(_reaction(row.split()))
            except (ValueError, ConfigError) as error:
                raise ConfigError(f"{node.file} line {number}: a reaction does not fit ({error})") from error
    return tuple(reactions)


def _reaction(cells: list[str]) -> Reaction:
    if len(cells) != len(_COLUMNS):
        raise ConfigError(f"it has {len(cells)} columns; it must have {len(_COLUMNS)}")
    time, count, kind, about = cells[:4]
    if kind not in KINDS or not (count.isascii() and count.isdecimal()) or len(count) > 10:
        raise ConfigError(f"{count[:20]} x {kind[:20]!r} is no reaction")
    numbers = [parse_number(cell) for cell in cells[4:]]
    parameter, equals, value = about.partition("=")
    if bool(equals) != (kind == PREFERENCE) or (equals and parameter not in RANGES):
        raise ConfigError(f"{about[:40]!r} must be NAME=NUMBER for a target, else -")
    state = EmotionState(tuple(numbers[3:11]), numbers[0], numbers[1], numbers[2], 1.0, 0.0)
    about_what, target_value = (parameter, parse_number(value)) if equals else (None, None)
    return Reaction(time, kind, state, tuple(numbers[11:]), about_what, target_value, int(count))
