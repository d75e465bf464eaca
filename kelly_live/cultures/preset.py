"""Culture presets, read from YAML: numbers of a musical tradition, each with its source.

Units are in the names. A parameter is `Known` (measured or cited) or None: absent means absent, the base mapping stays.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from kelly_live.core.melodic_habits import LONGEST_CELL
from kelly_live.core.preset_library import MAX_NAME, NAME
from kelly_live.core.safe_yaml import Node, read_nodes
from kelly_live.core.values import GROOVES, MODES, RHYTHMS, TEXTURES

T = TypeVar("T")
FORMAT = 1
SOURCES = ("measured", "cited", "absent")
# Corpora under licences that allow any use: MIT, Unlicense, ODbL (weights and figures need its notice), CC BY.
OPEN_CORPORA = (
    "cuban-son-onsets-iemp", "groove-gmd-latin-afro", "irish-ceol-rince", "japan-english-folk", "jazz-weimar",
    "pop909-index",
)  # fmt: skip
_TOLERANCE = 0.01  # shares are written to four digits: fifty of them may be off by this much together

PITCHED_PARTS = ("melody", "chords", "bass", "pad", "arpeggio")  # the roles of players that a program is for
Shares = tuple[tuple[str, float], ...]  # name -> share, the largest first
Quantiles = tuple[float, float, float]  # 20, 50 and 80 % over pieces unless the field says otherwise


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """A value with its source.

    `source` is "measured" or "cited". It comes from `n` (None if the citation does not say) of `of` ("tunes",
    "recordings"); `reference` names the corpus or publication.
    """

    value: T
    source: str
    n: int | None
    of: str
    reference: str


@dataclass(frozen=True, slots=True)
class Mode:
    """A makam, raga, dastgah, banshi …; `name` is typed after the colon.

    `scale_cents` rise from 0 (the tonic) to under 1200. `degree_weights` are their shares of the sounding time,
    `intervals` the shares of signed melodic steps between them (cents). `share` is the mode's share of the corpus.
    `valence` is in [-1, 1], and known only where listeners were asked. Of its melodies (core/melodic_habits.py):
    `contour`, mean heights in cents at even places of a tune; `rests`, shares of the degrees at rest; `cells` and
    `cadences`, steps above the tonic ("4 3 1") -> how many times more often than expected, and share.
    """

    name: str
    title: str
    share: Known[float] | None
    scale_cents: Known[tuple[float, ...]] | None
    degree_weights: Known[tuple[float, ...]] | None
    intervals: Known[Shares] | None
    valence: Known[float] | None
    contour: Known[tuple[float, ...]] | None = None
    rests: Known[tuple[float, ...]] | None = None
    cells: Known[Shares] | None = None
    cadences: Known[Shares] | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """The corpus that a number comes from, and its licence."""

    corpus: str
    origin: str
    licence: str
    credit: str

    @property
    def is_open(self) -> bool:
        """Whether the corpus allows any use, by its name: the licence's text is the corpus's own words."""
        return self.corpus in OPEN_CORPORA


@dataclass(frozen=True, slots=True)
class CulturePreset:
    """One musical tradition.

    `languages` are ISO 639 codes. `absent` pairs each field that is not known with the reason. The fields:

    tempo_bpm           beats a minute, 20/50/80 % (the beat of `metres`: a dotted quarter in 6/8)
    metres              share of each metre
    groupings           "metre" or "metre name" ("9/8 Aksak") -> how the bar's units group into beats (2 2 2 3)
    onset_profiles      "metre" (the melody) or "metre part" ("4/4 clave") -> chance of an onset at each sixteenth
                        of the bar, the downbeat first
    rhythms             weights over RHYTHMS; density: melody notes a beat; npvi: contrast of neighbouring durations
    register, ambitus_semitones   10/50/90 % of the melody's MIDI pitch; 20/50/80 % of a piece's range
    tonic_midi          20/50/80 % of the sounding tonic over performances, as a MIDI note with its fraction
    scale_cents, degree_weights, intervals   as in Mode, over all modes
    mode_preferences    weights over the seven MODES, only where the scales are diatonic
    ornaments           kind -> ornaments a note
    swing_ratio, swing_by_tempo   long to short eighth; band of BPM -> ratio
    timing              shares behind, on and ahead of the beat; microtiming_ms: instrument -> mean onset offset
    dynamics            10/50/90 % of velocity over 127
    texture             one of TEXTURES; only "chordal" has triads
    groove              how the rhythm section plays: one of GROOVES (core/values.py)
    programs            part -> the General MIDI program (0-127) that comes nearest to its instrument
    """

    name: str
    title: str
    summary: str
    region: str
    languages: tuple[str, ...]
    tempo_bpm: Known[Quantiles] | None
    metres: Known[Shares] | None
    groupings: Known[tuple[tuple[str, tuple[int, ...]], ...]] | None
    onset_profiles: Known[tuple[tuple[str, tuple[float, ...]], ...]] | None
    rhythms: Known[tuple[float, ...]] | None
    density: Known[float] | None
    npvi: Known[float] | None
    register: Known[Quantiles] | None
    tonic_midi: Known[Quantiles] | None
    ambitus_semitones: Known[Quantiles] | None
    scale_cents: Known[tuple[float, ...]] | None
    degree_weights: Known[tuple[float, ...]] | None
    intervals: Known[Shares] | None
    mode_preferences: Known[tuple[float, ...]] | None
    ornaments: Known[Shares] | None
    swing_ratio: Known[float] | None
    swing_by_tempo: Known[Shares] | None
    timing: Known[Quantiles] | None
    microtiming_ms: Known[Shares] | None
    dynamics: Known[Quantiles] | None
    texture: Known[str] | None
    groove: Known[str] | None
    programs: Known[tuple[tuple[str, int], ...]] | None
    modes: tuple[Mode, ...]
    credits: tuple[Credit, ...]
    absent: tuple[tuple[str, str], ...]

    @property
    def closed_credits(self) -> tuple[Credit, ...]:
        """The corpora whose terms do not allow any use, or are not stated."""
        return tuple(credit for credit in self.credits if not credit.is_open)

    @property
    def has_triads(self) -> bool | None:
        """Whether the tradition has chords under the melody; None if that is not known."""
        return None if self.texture is None else self.texture.value == "chordal"

    def mode(self, name: str) -> Mode | None:
        """Return the mode called `name`, or None."""
        return next((mode for mode in self.modes if mode.name == name), None)


def load_preset_file(path: Path) -> CulturePreset:
    """Read and check one preset; raises ConfigError that names file, line and field."""
    return parse_preset(read_nodes(path), path.stem)


def parse_preset(root: Node, stem: str) -> CulturePreset:
    """Check a preset read from `<stem>.yaml`; raises ConfigError that names file, line and field."""
    nodes = root.as_map()
    form = _require(root, nodes, "format").as_int(0, 10_000)
    if form != FORMAT:
        nodes["format"].fail(f"is {form}; this kelly-live reads format {FORMAT}: take the preset that fits, or update")
    name = _read_name(_require(root, nodes, "name"))
    if name != stem:
        nodes["name"].fail(f"is {name!r}; it must be the file's own name, {stem!r}")
    head = ("format", "name", "title", "summary", "region", "languages", "modes", "credits")
    for key, node in nodes.items():
        if key not in head and key not in PARAMETERS:
            node.fail(f"is not a field of a preset; the fields are: {', '.join((*head, *PARAMETERS))}")
    absent: list[tuple[str, str]] = []
    parameters = {
        key: _read_parameter(nodes[key], read, key, absent) if key in nodes else None
        for key, read in PARAMETERS.items()
    }
    absent += [(key, "not stated") for key in PARAMETERS if key not in nodes]
    _check_lengths(parameters, nodes)
    modes = nodes["modes"].as_map() if "modes" in nodes else {}
    credits_ = nodes["credits"].as_list() if "credits" in nodes else []
    languages = nodes["languages"].as_list() if "languages" in nodes else []
    return CulturePreset(
        name=name,
        title=_require(root, nodes, "title").as_text(80),
        summary=_require(root, nodes, "summary").as_text(600),
        region=_require(root, nodes, "region").as_text(60),
        languages=tuple(node.as_text(12) for node in languages),
        modes=tuple(_read_mode(key, node) for key, node in modes.items()),
        credits=tuple(_read_credit(node) for node in credits_),
        absent=tuple(absent),
        **parameters,
    )


def _require(parent: Node, nodes: dict[str, Node], key: str) -> Node:
    if key not in nodes:
        parent.fail(f"lacks {key!r}; add it")
    return nodes[key]


def _read_name(node: Node, text: str | None = None) -> str:
    name = node.as_text(MAX_NAME) if text is None else text
    if len(name) > MAX_NAME or not NAME.fullmatch(name):
        node.fail(f"is {name[:MAX_NAME]!r}; a name is up to {MAX_NAME} of a-z, 0-9 and single hyphens")
    return name


def _read_parameter(
    node: Node, read: Callable[[Node], Any], key: str, absent: list[tuple[str, str]]
) -> Known[Any] | None:
    nodes = node.as_map()
    for name, part in nodes.items():
        if name not in ("value", "source", "n", "of", "reference"):
            part.fail("is not a part of a parameter; the parts are: value, source, n, of, reference")
    source = _require(node, nodes, "source").as_text(20)
    if source not in SOURCES:
        nodes["source"].fail(f"is {nodes['source'].describe()}; it must be one of {', '.join(SOURCES)}")
    reference = _require(node, nodes, "reference").as_text(600)
    if source == "absent":
        if "value" in nodes:
            nodes["value"].fail("is there although the source is absent; remove it, or say where it comes from")
        absent.append((key, reference))
        return None
    count = nodes["n"].as_int(1, 10**9) if "n" in nodes else None
    if source == "measured" and count is None:
        node.fail("is measured but has no n; say from how many")
    of = nodes["of"].as_text(60) if "of" in nodes else ""
    return Known(read(_require(node, nodes, "value")), source, count, of, reference)


def _check_lengths(parameters: dict[str, Known[Any] | None], nodes: dict[str, Node]) -> None:
    scale = parameters["scale_cents"]
    for name in ("degree_weights", "rests"):
        weights = parameters.get(name)
        if weights is not None and (scale is None or len(scale.value) != len(weights.value)):
            nodes[name].fail("must have one weight for each of scale_cents")


def _read_mode(name: str, node: Node) -> Mode:
    nodes = node.as_map()
    _read_name(node, name)
    for key, part in nodes.items():
        if key != "title" and key not in MODE_PARAMETERS:
            part.fail(f"is not a field of a mode; the fields are: title, {', '.join(MODE_PARAMETERS)}")
    parameters = {
        key: _read_parameter(nodes[key], read, key, []) if key in nodes else None
        for key, read in MODE_PARAMETERS.items()
    }
    _check_lengths(parameters, nodes)
    if parameters["valence"] is not None and parameters["valence"].source != "cited":
        nodes["valence"].fail("must be cited: an emotion is not measured on notes")
    return Mode(name=name, title=_require(node, nodes, "title").as_text(80), **parameters)


def _read_credit(node: Node) -> Credit:
    nodes = node.as_map()
    names = [field.name for field in fields(Credit)]
    for key, part in nodes.items():
        if key not in names:
            part.fail(f"is not a field of a credit; the fields are: {', '.join(names)}")
    return Credit(**{name: _require(node, nodes, name).as_text(600) for name in names})


# ---------------------------------------------------------------- what each field may hold


def _number(low: float, high: float) -> Callable[[Node], float]:
    return lambda node: node.as_number(low, high)


def _quantiles(low: float, high: float) -> Callable[[Node], Quantiles]:
    def read(node: Node) -> Quantiles:
        numbers = [one.as_number(low, high) for one in node.as_list()]
        if len(numbers) != 3 or numbers != sorted(numbers):
            node.fail("must be three rising numbers (the low, middle and high quantile)")
        return numbers[0], numbers[1], numbers[2]

    return read


def _weights(length: int | None) -> Callable[[Node], tuple[float, ...]]:
    def read(node: Node) -> tuple[float, ...]:
        weights = tuple(one.as_number(0.0, 1.0) for one in node.as_list())
        if length is not None and len(weights) != length:
            node.fail(f"has {len(weights)} weights; it must have {length}")
        if abs(sum(weights) - 1.0) > _TOLERANCE:
            node.fail(f"sums to {sum(weights):.3f}; it must sum to 1")
        return tuple(weight / sum(weights) for weight in weights)

    return read


def _triple(node: Node) -> Quantiles:
    behind, on, ahead = _weights(3)(node)
    return behind, on, ahead


def _scale(node: Node) -> tuple[float, ...]:
    cents = tuple(one.as_number(0.0, 1199.99) for one in node.as_list())
    if not 1 <= len(cents) <= 53 or cents[0] != 0.0 or any(a >= b for a, b in itertools.pairwise(cents)):
        node.fail("must be 1 to 53 rising cents from 0 to under 1200")
    return cents


def _table(low: float, high: float, *, sums_to_one: bool = False, most: int = 400) -> Callable[[Node], Shares]:
    def read(node: Node) -> Shares:
        nodes = node.as_map()
        if not 1 <= len(nodes) <= most:
            node.fail(f"has {len(nodes)} entries; it must have 1 to {most}")
        table = tuple((_label(one, key), one.as_number(low, high)) for key, one in nodes.items())
        total = sum(value for _, value in table)
        if sums_to_one and abs(total - 1.0) > 2 * _TOLERANCE:
            node.fail(f"sums to {total:.3f}; shares must sum to 1")
        return table

    return read


def _label(node: Node, key: str) -> str:
    if not 1 <= len(key) <= MAX_NAME or not key.isprintable():
        node.fail(f"must have a name of 1 to {MAX_NAME} printable characters")
    return key


def _intervals(node: Node) -> Shares:
    table = _table(0.0, 1.0, sums_to_one=True)(node)
    for key, _ in table:
        if not re.fullmatch(r"-?\d{1,4}", key, re.ASCII):
            node.as_map()[key].fail("must be named by signed whole cents, such as -200")
    return table


def _contour(node: Node) -> tuple[float, ...]:
    heights = tuple(one.as_number(-4800.0, 4800.0) for one in node.as_list())
    return heights if 2 <= len(heights) <= 32 else node.fail(f"has {len(heights)} heights; it must have 2 to 32")


def _cells(high: float) -> Callable[[Node], Shares]:
    def read(node: Node) -> Shares:
        table = _table(0.01, high, most=64)(node)
        for key, _ in table:
            if not re.fullmatch(rf"-?\d{{1,2}}( -?\d{{1,2}}){{1,{LONGEST_CELL - 1}}}", key, re.ASCII):
                node.as_map()[key].fail(f"must be named by 2 to {LONGEST_CELL} scale steps above the tonic, as '4 3 1'")
        return table

    return read


def _lists(read: Callable[[Node], Any], most: int) -> Callable[[Node], tuple[tuple[str, tuple[Any, ...]], ...]]:
    def read_map(node: Node) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        nodes = node.as_map()
        for one in nodes.values():
            if not 1 <= len(one.as_list()) <= most:
                one.fail(f"must have 1 to {most} entries")
        return tuple((_label(one, key), tuple(read(part) for part in one.as_list())) for key, one in nodes.items())

    return read_map


def _texture(node: Node) -> str:
    text = node.as_text(20)
    return text if text in TEXTURES else node.fail(f"is {node.describe()}; it must be one of {', '.join(TEXTURES)}")


def _groove(node: Node) -> str:
    text = node.as_text(20)
    return text if text in GROOVES else node.fail(f"is {node.describe()}; it must be one of {', '.join(GROOVES)}")


def _programs(node: Node) -> tuple[tuple[str, int], ...]:
    nodes = node.as_map()
    for part, one in nodes.items():
        if part not in PITCHED_PARTS:
            one.fail(f"is for {part[:40]!r}; a program is for one of {', '.join(PITCHED_PARTS)}")
    return tuple((part, one.as_int(0, 127)) for part, one in nodes.items())


PARAMETERS: dict[str, Callable[[Node], Any]] = {
    "tempo_bpm": _quantiles(5.0, 400.0),
    "metres": _table(0.0, 1.0, sums_to_one=True),
    "groupings": _lists(lambda node: node.as_int(1, 64), 64),
    "onset_profiles": _lists(_number(0.0, 1.0), 128),
    "rhythms": _weights(len(RHYTHMS)),
    "density": _number(0.0, 20.0),
    "npvi": _number(0.0, 200.0),
    "register": _quantiles(0.0, 127.0),
    "tonic_midi": _quantiles(0.0, 127.0),
    "ambitus_semitones": _quantiles(0.0, 127.0),
    "scale_cents": _scale,
    "degree_weights": _weights(None),
    "intervals": _intervals,
    "mode_preferences": _weights(len(MODES)),
    "ornaments": _table(0.0, 10.0),
    "swing_ratio": _number(0.3, 5.0),
    "swing_by_tempo": _table(0.3, 5.0),
    "timing": _triple,
    "microtiming_ms": _table(-500.0, 500.0),
    "dynamics": _quantiles(0.0, 1.0),
    "texture": _texture,
    "groove": _groove,
    "programs": _programs,
}
MODE_PARAMETERS: dict[str, Callable[[Node], Any]] = {
    "share": _number(0.0, 1.0),
    "scale_cents": _scale,
    "degree_weights": _weights(None),
    "intervals": _intervals,
    "valence": _number(-1.0, 1.0),
    "contour": _contour,
    "rests": _weights(None),
    "cells": _cells(1000.0),
    "cadences": _cells(1.0),
}
