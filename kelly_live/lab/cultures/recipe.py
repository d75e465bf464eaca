"""What a preset is made from, before it is measured: its names and corpora, what is cited, what cannot be known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kelly_live.core.errors import ConfigError
from kelly_live.cultures.preset import PARAMETERS, Credit, CulturePreset, Known, Mode
from kelly_live.lab.cultures import statistics
from kelly_live.lab.cultures.tune import Tune


@dataclass(frozen=True, slots=True)
class Findings:
    """Parameters by field name, the modes, and the reasons for what the corpus cannot say."""

    known: Mapping[str, Known[Any] | None] = field(default_factory=dict)
    modes: tuple[Mode, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)

    def without(self, **reasons: str) -> Findings:
        """The same, without the named fields, each with the reason that it is no measurement."""
        kept = {name: known for name, known in self.known.items() if name not in reasons}
        return replace(self, known=kept, absent={**self.absent, **reasons})

    def also(self, known: Mapping[str, Known[Any] | None], modes: tuple[Mode, ...] | None = None) -> Findings:
        """The same, with more (or other) parameters."""
        return replace(self, known={**self.known, **known}, modes=self.modes if modes is None else modes)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one preset comes about. `measure` reads the folder of corpora; `cited` adds what only a publication says."""

    name: str
    title: str
    summary: str
    region: str
    languages: tuple[str, ...]
    measure: Callable[[Path], Findings]
    credits: Mapping[str, str]  # corpus -> the publication to cite for it; origin and licence stand in its index
    cited: Mapping[str, Known[Any]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


_UNLISTED = ("not in INDEX.tsv", "not stated")


def read_index(corpora: Path) -> dict[str, tuple[str, str]]:
    """Corpus -> (origin with commit, licence) from the folder's INDEX.tsv. Raises ConfigError if it is missing."""
    path = corpora / "INDEX.tsv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); name the folder of the corpora") from error
    rows = [line.split("\t") for line in lines[1:]]
    return {row[0]: (f"{row[1]} @{row[2]}", row[3]) for row in rows if len(row) >= 4}


def cited(value: object, reference: str, checked: str) -> Known[Any]:
    """What a publication says; `checked`: where it was looked up, and what was not."""
    return Known(value, "cited", None, "", f"{reference} (checked: {checked})")


_HALF: ContextVar[int | None] = ContextVar("half", default=None)  # 0 or 1: every other tune only


def from_tunes(
    tunes: Sequence[Tune],
    reference: str,
    *,
    titles: Mapping[str, str] | None = None,
    divisions: int = 12,
    apart: int = 1,
    grid: float = 100.0,
    least: int = statistics.MIN_TUNES,
    pooled_scale: bool = True,
    tuning: statistics.Tuning | None = None,
) -> Findings:
    """Every parameter that a corpus of tunes can support. `divisions` of the octave and `apart` find the degrees,
    `grid` (cents) bins the steps; `pooled_scale` is False where each mode has its own degrees; `tuning` says where
    these sound.
    """
    half = _HALF.get()
    if half is not None:
        tunes = tunes[half::2]
    preferences, why_not = statistics.mode_preferences(tunes, reference)
    known: dict[str, Known[Any] | None] = {
        "tempo_bpm": statistics.tempo(tunes, reference),
        "metres": statistics.metres(tunes, reference),
        "onset_profiles": statistics.onset_profiles(tunes, reference),
        "groupings": statistics.groupings(tunes, reference),
        "rhythms": statistics.rhythms(tunes, reference),
        "density": statistics.density(tunes, reference),
        "npvi": statistics.npvi(tunes, reference),
        "register": statistics.register(tunes, reference),
        "ambitus_semitones": statistics.ambitus(tunes, reference),
        "intervals": statistics.intervals(tunes, reference, grid),
        "mode_preferences": preferences,
        "ornaments": statistics.ornaments(tunes, reference),
    }
    absent = {} if preferences is not None else {"mode_preferences": why_not}
    if pooled_scale:
        known["scale_cents"], known["degree_weights"] = statistics.scale(tunes, reference, divisions, apart)
    else:
        absent |= dict.fromkeys(("scale_cents", "degree_weights"), "each mode has its own degrees: see modes")
    modes = statistics.modes_of(tunes, reference, dict(titles or {}), divisions, apart, grid, least, tuning)
    return Findings(known, modes, absent)


def halves(recipe: Recipe, corpora: Path) -> tuple[Findings, Findings]:
    """What each half of the corpus's tunes says, every other one: how far they differ is how sure the whole is. Only
    what is measured on tunes is halved. Raises ConfigError if a corpus is missing.
    """

    def measured(half: int) -> Findings:
        token = _HALF.set(half)
        try:
            return recipe.measure(corpora)
        finally:
            _HALF.reset(token)

    return measured(0), measured(1)


def complete(recipe: Recipe, corpora: Path) -> CulturePreset:
    """Measure one preset. Raises ConfigError if a corpus is missing."""
    index = read_index(corpora) if recipe.credits else {}
    findings = recipe.measure(corpora)
    known = {**{name: one for name, one in findings.known.items() if one is not None}, **recipe.cited}
    reasons = {**dict(findings.absent), **dict(recipe.absent)}
    return CulturePreset(
        name=recipe.name,
        title=recipe.title,
        summary=recipe.summary,
        region=recipe.region,
        languages=recipe.languages,
        modes=findings.modes,
        credits=tuple(Credit(corpus, *index.get(corpus, _UNLISTED), text) for corpus, text in recipe.credits.items()),
        absent=tuple(
            (name, reasons.get(name) or "the corpus does not say, and no listener's or player's measurement is cited")
            for name in PARAMETERS
            if name not in known
        ),
        **{name: known.get(name) for name in PARAMETERS},
    )
