"""Training of CulturalContextAdapter on the measurements of the culture presets, and its model card.

Only what a preset states is taught; the rest is marked as unknown, and the mapper leaves it alone. Emotions are drawn
anew at every step: no corpus tells how emotion and tradition interact, so the heads learn that they do not. The
adaptation of emotions stays "no change": listeners' ratings do not support another (`listener_ratings.py`, the card).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from kelly_live.core.checkpoint import Checkpoint
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import OPEN_MODELS, RESEARCH_MODELS
from kelly_live.core.values import EMOTIONS, MODES, RHYTHMS
from kelly_live.cultures.preset import OPEN_CORPORA, CulturePreset, Known
from kelly_live.emotion.nets.checkpoint import save_checkpoint
from kelly_live.lab.corpora.listener_ratings import (
    MOODS,
    TROMPA_ARCHIVE,
    LanguageGain,
    ModePreference,
    compute_annotation_gains,
    compute_language_gains,
    format_language_gains,
    format_mode_preferences,
    read_annotations,
    read_mode_preferences,
    read_ratings,
)
from kelly_live.lab.nets.culture import KIND, NONE, CulturalContextAdapter, CultureOutput
from kelly_live.mapping.culture import KNOWN

STEPS = 1500


@dataclass(frozen=True, slots=True)
class PresetTensors:
    """One row for each culture.

    Ids `[N]`; targets, meaningless where `known [N, 4]` is 0: `tempo [N, 3]` BPM, `modes [N, 7]`, `dynamics [N, 3]`,
    `rhythms [N, 5]`.
    """

    culture: torch.Tensor
    region: torch.Tensor
    language: torch.Tensor
    known: torch.Tensor
    tempo: torch.Tensor
    modes: torch.Tensor
    dynamics: torch.Tensor
    rhythms: torch.Tensor


def convert_presets(
    presets: Sequence[CulturePreset], regions: Sequence[str], languages: Sequence[str]
) -> PresetTensors:
    """Convert the presets' numbers to tensors; a preset of several languages is taught under its first."""

    def rows(field: str, width: int) -> torch.Tensor:
        values = [getattr(preset, field) for preset in presets]
        return torch.tensor([[1.0] * width if value is None else list(value.value) for value in values])

    fields = ("tempo_bpm", "mode_preferences", "dynamics", "rhythms")
    return PresetTensors(
        culture=torch.arange(1, len(presets) + 1),
        region=torch.tensor([regions.index(preset.region) + 1 for preset in presets]),
        language=torch.tensor([languages.index(p.languages[0]) + 1 if p.languages else NONE for p in presets]),
        known=torch.tensor([[float(getattr(preset, field) is not None) for field in fields] for preset in presets]),
        tempo=rows("tempo_bpm", 3),
        modes=rows("mode_preferences", len(MODES)),
        dynamics=rows("dynamics", 3),
        rhythms=rows("rhythms", len(RHYTHMS)),
    )


def _loss(out: CultureOutput, lesson: PresetTensors) -> torch.Tensor:
    tempo = (out.tempo_range.log() - lesson.tempo.log()).square().mean(dim=1)
    loud = (out.dynamics - lesson.dynamics).square().mean(dim=1)
    modes = -(lesson.modes * torch.log(out.mode_preferences / lesson.modes.clamp_min(1e-6) + 1e-9)).sum(dim=1)
    rhythms = -(lesson.rhythms * torch.log(out.rhythm_patterns / lesson.rhythms.clamp_min(1e-6) + 1e-9)).sum(dim=1)
    each = torch.stack((10.0 * tempo, modes, 10.0 * loud, rhythms), dim=1)
    return (each * lesson.known).sum() / lesson.known.sum().clamp_min(1.0)


@torch.no_grad()
def measure_deviations(
    net: CulturalContextAdapter, lesson: PresetTensors, draws: int = 64, seed: int = 1
) -> dict[str, float]:
    """Measure the largest deviation of any culture's output from its preset, over random emotions.

    With and without region and language. Tempo is a share of itself, the others are absolute.
    """
    net.eval()
    worst = dict.fromkeys(KNOWN, 0.0)
    generator = torch.Generator().manual_seed(seed)
    for draw in range(draws):
        emotion = _emotions(len(lesson.culture), generator)
        place = (lesson.region, lesson.language) if draw % 2 else (None, None)
        out = net(emotion, lesson.culture, *place)
        off = (
            (out.tempo_range / lesson.tempo - 1.0).abs().amax(dim=1),
            (out.mode_preferences - lesson.modes).abs().amax(dim=1),
            (out.dynamics - lesson.dynamics).abs().amax(dim=1),
            (out.rhythm_patterns - lesson.rhythms).abs().amax(dim=1),
        )
        for name, column, is_known in zip(KNOWN, off, lesson.known.T, strict=True):
            worst[name] = max(worst[name], float((column * is_known).amax()))
    return worst


def _emotions(count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.softmax(2.0 * torch.randn(count, len(EMOTIONS), generator=generator), dim=1)


def keep_open_values(preset: CulturePreset) -> CulturePreset:
    """Keep what an open corpus or a publication says of what is taught; the rest is then not known."""

    def keep(known: Known[Any] | None) -> Known[Any] | None:
        is_open = known is not None and (known.source == "cited" or known.reference.startswith(OPEN_CORPORA))
        return known if is_open else None

    return replace(
        preset,
        tempo_bpm=keep(preset.tempo_bpm),
        mode_preferences=keep(preset.mode_preferences),
        dynamics=keep(preset.dynamics),
        rhythms=keep(preset.rhythms),
        credits=tuple(credit for credit in preset.credits if credit.is_open),
    )


def train_culture(
    presets: Sequence[CulturePreset],
    out: Path,
    *,
    listeners: Path | None = None,
    seed: int = 0,
    steps: int = STEPS,
    model_set: str = RESEARCH_MODELS,
) -> dict[str, Any]:
    """Fit the heads to the presets; write `out` and its card, and return the card's data. Deterministic.

    The set `open` learns what `keep_open_values` keeps.

    Raises:
        ConfigError: There is no preset, or the listeners' archives cannot be read.
    """
    if not presets:
        raise ConfigError("there is no culture preset to learn; name the folder that `measure-cultures` wrote")
    if model_set == OPEN_MODELS:
        presets = [keep_open_values(preset) for preset in presets]
    regions = sorted({preset.region for preset in presets})
    languages = sorted({language for preset in presets for language in preset.languages[:1]})
    torch.manual_seed(seed)
    net = CulturalContextAdapter([preset.name for preset in presets], regions, languages)
    lesson = convert_presets(presets, regions, languages)
    net.known[1:] = lesson.known
    heads = [p for name, p in net.named_parameters() if not name.startswith("emotion.")]
    optimiser = torch.optim.Adam(heads, lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        keep = torch.rand(2, len(presets), generator=generator) < 0.5  # the culture's name alone must be enough
        place = [torch.where(k, ids, NONE) for k, ids in zip(keep, (lesson.region, lesson.language), strict=True)]
        loss = _loss(net(_emotions(len(presets), generator), lesson.culture, *place), lesson)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    card = {
        "set": model_set,
        "presets": {p.name: {k: bool(v) for k, v in zip(KNOWN, row, strict=True)}
                    for p, row in zip(presets, lesson.known.tolist(), strict=True)},
        "licences": sorted({f"{c.corpus}: {c.licence}" for p in presets for c in p.credits}),
        "furthest from the presets": measure_deviations(net, lesson),
        "listeners": {} if listeners is None else summarise_listeners(listeners),
        "steps": steps,
        "parameters": sum(p.numel() for p in net.parameters()),
    }  # fmt: skip
    save_checkpoint(out, Checkpoint(KIND, net.config, card, net.state_dict()))
    out.with_suffix(".md").write_text(_format_card(card, out.stat().st_size), encoding="utf-8")
    return card


def summarise_listeners(listeners: Path) -> dict[str, list[dict[str, Any]]]:
    """Compute the gains from knowing listeners' languages, from the folder of the corpora.

    With one archive instead of the folder, only the first test is made.

    Raises:
        ConfigError: An archive cannot be read.
    """
    if not listeners.is_dir():
        return {"languages": [gain.as_dict() for gain in compute_language_gains(*read_ratings(listeners))]}
    first = compute_language_gains(*read_ratings(listeners / "emo-agreement-4languages.tar.xz"))
    annotations = read_annotations(listeners / TROMPA_ARCHIVE)
    words, signs = (
        compute_annotation_gains(annotations, columns) for columns in (slice(len(MOODS)), slice(len(MOODS), None))
    )
    return {
        "languages": [gain.as_dict() for gain in first],
        "second, emotions": [gain.as_dict() for gain in words],
        "second, valence and arousal": [gain.as_dict() for gain in signs],
        "likings": [liking.as_dict() for liking in read_mode_preferences(listeners / "emo-pakistan-chords.tar.xz")],
    }


def format_listeners_report(card: dict[str, Any]) -> str:
    """Format the listeners' results of a card as Markdown."""
    results = card["listeners"]
    if not results:
        return "Not measured: trained without --listeners."

    def gains(name: str) -> list[LanguageGain]:
        return [LanguageGain(**row) for row in results[name]]

    parts = [format_language_gains(gains("languages"))]
    if "likings" in results:
        parts += [
            "A second test: TROMPA-MER (Gómez-Cañón et al. 2022; AGPL-3.0, only these figures leave it), excerpts of "
            "many\ncountries, most with few ratings, by listeners of a stated mother tongue that five or more share. "
            "Which of the\nsame eleven emotions they chose:",
            format_language_gains(gains("second, emotions")),
            "The signs of valence and arousal they chose:",
            format_language_gains(gains("second, valence and arousal")),
            _format_verdict({name: gains(name)[-1] for name in results if name != "likings"}),
            "A check of direction: how much better major chords are liked than minor ones (Lahdelma, Athanasopoulos & "
            "Eerola\n2021; GPL-3.0, only these figures leave it):",
            format_mode_preferences([ModePreference(**row) for row in results["likings"]]),
            "Liking is no perceived emotion, and no preset here is of these listeners, so nothing is learned from it. "
            "It says\nthat a major chord need not please everybody: where the signs differ, a mapping that puts major "
            "on the pleasant\nside is that of its own listeners.",
        ]
    return "\n\n".join(parts)


def _format_verdict(overall: dict[str, LanguageGain]) -> str:
    helps = [name for name, gain in overall.items() if gain.low > 0.0]
    if not helps:
        return "In none of the tests is the gain over all listeners above 0 with certainty: no ground for such a head."
    if len(helps) == len(overall):
        return "The gain over all listeners is above 0 in every test; the head stays off until one was learned from it."
    listing = " and ".join(f"`{name}` ({overall[name].gain:+.2%})" for name in helps)
    return (
        f"The gain over all listeners is above 0 with certainty in {listing}, not in the others. The head stays "
        "off: it\nis kept only where the tests agree."
    )


def _format_card(card: dict[str, Any], size_bytes: int) -> str:
    rows = "\n".join(
        f"| {name} | " + " | ".join("known" if known_parameters[k] else "–" for k in KNOWN) + " |"
        for name, known_parameters in card["presets"].items()
    )
    worst = card["furthest from the presets"]
    taught = (
        "Only what open corpora and publications say is taught here; what other corpora say is not known to this net.\n"
        if card["set"] == OPEN_MODELS
        else ""
    )
    listeners = " --listeners FOLDER" if card["listeners"] else ""
    licence_lines = "\n".join(f"- {line}" for line in card["licences"])
    return f"""# culture.safetensors: the parameters of a tradition

`CulturalContextAdapter`, {card["parameters"]} parameters, {size_bytes / 1e6:.2f} MB. Learned from the presets in
presets/cultures, which hold aggregates measured from corpora, and cited values; each says from what, and how many.
{taught}Made by `kelly-live lab train culture --set {card["set"]}{listeners}`; the same presets give the same weights.

## Known parameters
| culture | {" | ".join(KNOWN)} |
|---|{"---|" * len(KNOWN)}
{rows}

– is not known: there the mapping from emotions stands unchanged.

## How closely it learned the presets
The furthest from any preset, over random emotions, with or without region and language: tempo {worst["tempo"]:.1%},
mode preferences {worst["modes"]:.3f}, dynamics {worst["dynamics"]:.3f}, rhythms {worst["rhythms"]:.3f}.

## What it does not do
It does not adapt emotions: that head is zero, so `adapted_emotion` is the input. Ratings of held-out
listeners on held-out excerpts (Gómez-Cañón et al. 2020; GPL-3.0, only these figures leave it), predicted from listeners
of four languages alike, and with what their own language's listeners said of other excerpts; a gain above 0 would be a
ground for such a head:

{format_listeners_report(card)}

Published (Midya et al. 2019, PLoS ONE 14(9):e0222380; abstract looked up): of 192 comparisons between Indian and other
listeners of ragas 9 % differed.

## The corpora and their terms
{licence_lines}
"""
