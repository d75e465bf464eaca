"""What a preset is made from: its names and corpora, its citations, and what cannot be known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kelly_live.core.errors import ConfigError
from kelly_live.cultures.preset import PARAMETERS, Credit, CulturePreset, Known, Mode
from kelly_live.lab.cultures import statistics
from kelly_live.lab.cultures.habits import measure_habits
from kelly_live.lab.cultures.tune import Tune


@dataclass(frozen=True, slots=True)
class Findings:
    """Parameters by field name, the modes, and the reasons for what the corpus does not say."""

    parameters: Mapping[str, Known[Any] | None] = field(default_factory=dict)
    modes: tuple[Mode, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)

    def exclude(self, **reasons: str) -> Findings:
        """Leave the named fields out, each with the reason why it is not a measurement."""
        remaining = {name: parameter for name, parameter in self.parameters.items() if name not in reasons}
        return replace(self, parameters=remaining, absent={**self.absent, **reasons})

    def also(self, parameters: Mapping[str, Known[Any] | None], modes: tuple[Mode, ...] | None = None) -> Findings:
        """Add or replace parameters."""
        return replace(self, parameters={**self.parameters, **parameters}, modes=self.modes if modes is None else modes)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one preset is made: `measure` reads the folder of corpora; `cited_parameters` adds what is only published."""

    name: str
    title: str
    summary: str
    region: str
    languages: tuple[str, ...]
    measure: Callable[[Path], Findings]
    credits: Mapping[str, str]  # corpus -> the publication to cite for it; origin and licence stand in its index
    cited_parameters: Mapping[str, Known[Any]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


_UNLISTED = ("not in INDEX.tsv", "not stated")


def read_index(corpora: Path) -> dict[str, tuple[str, str]]:
    """Read INDEX.tsv of the folder: by corpus, its origin with commit and its licence.

    Raises:
        ConfigError: The file is missing.
    """
    path = corpora / "INDEX.tsv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); name the folder of the corpora") from error
    rows = [line.split("\t") for line in lines[1:]]
    return {row[0]: (f"{row[1]} @{row[2]}", row[3]) for row in rows if len(row) >= 4}


def create_cited(value: object, reference: str, lookup: str) -> Known[Any]:
    """Create a cited value; `lookup` says where it was looked up, and what was not."""
    return Known(value, "cited", None, "", f"{reference} (checked: {lookup})")


_HALF: ContextVar[int | None] = ContextVar("half", default=None)  # 0 or 1: every other tune only


def measure_tunes(
    tunes: Sequence[Tune],
    reference: str,
    *,
    titles: Mapping[str, str] | None = None,
    divisions: int = 12,
    min_gap: int = 1,
    grid: float = 100.0,
    least: int = statistics.MIN_TUNES,
    pooled_scale: bool = True,
    tuning: statistics.Tuning | None = None,
) -> Findings:
    """Measure every parameter that a corpus of tunes can support.

    Args:
        tunes: The tunes.
        reference: The name of the corpus.
        titles: The title of each mode.
        divisions: The divisions of the octave in which degrees are looked for.
        min_gap: The least number of divisions between two degrees.
        grid: The bins of the steps, in cents.
        least: The least number of tunes for a mode.
        pooled_scale: False where each mode has its own degrees.
        tuning: Moves the degrees of modes to where they sound.
    """
    half = _HALF.get()
    if half is not None:
        tunes = tunes[half::2]
    preferences, why_not = statistics.measure_mode_preferences(tunes, reference)
    parameters: dict[str, Known[Any] | None] = {
        "tempo_bpm": statistics.measure_tempo(tunes, reference),
        "metres": statistics.measure_metres(tunes, reference),
        "onset_profiles": statistics.measure_onset_profiles(tunes, reference),
        "groupings": statistics.measure_groupings(tunes, reference),
        "rhythms": statistics.measure_rhythms(tunes, reference),
        "density": statistics.measure_density(tunes, reference),
        "npvi": statistics.measure_npvi(tunes, reference),
        "register": statistics.measure_register(tunes, reference),
        "ambitus_semitones": statistics.measure_ambitus(tunes, reference),
        "intervals": statistics.measure_intervals(tunes, reference, grid),
        "mode_preferences": preferences,
        "ornaments": statistics.measure_ornaments(tunes, reference),
    }
    absent = {} if preferences is not None else {"mode_preferences": why_not}
    if pooled_scale:
        parameters["scale_cents"], parameters["degree_weights"] = statistics.measure_scale(
            tunes, reference, divisions, min_gap
        )
    else:
        absent |= dict.fromkeys(("scale_cents", "degree_weights"), "each mode has its own degrees: see modes")
    modes = statistics.measure_modes(
        tunes, reference, dict(titles or {}), divisions, min_gap, grid, least, tuning, measure_habits
    )
    return Findings(parameters, modes, absent)


def measure_halves(recipe: Recipe, corpora: Path) -> tuple[Findings, Findings]:
    """Measure each half of the corpus, every other tune: how far they differ shows how sure the whole is.

    Only what is measured on tunes is halved.

    Raises:
        ConfigError: A corpus is missing.
    """

    def measure(half: int) -> Findings:
        token = _HALF.set(half)
        try:
            return recipe.measure(corpora)
        finally:
            _HALF.reset(token)

    return measure(0), measure(1)


def create_preset(recipe: Recipe, corpora: Path) -> CulturePreset:
    """Measure one preset.

    Raises:
        ConfigError: A corpus is missing.
    """
    index = read_index(corpora) if recipe.credits else {}
    findings = recipe.measure(corpora)
    measurements = {name: one for name, one in findings.parameters.items() if one is not None}
    parameters = {**measurements, **recipe.cited_parameters}
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
            if name not in parameters
        ),
        **{name: parameters.get(name) for name in PARAMETERS},
    )
