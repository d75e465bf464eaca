"""`kelly-live lab identify`: whether pieces in a culture are nearest to its own corpus."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, seed_option

if TYPE_CHECKING:
    from kelly_live.cultures.preset import CulturePreset, Mode
    from kelly_live.lab.cultures.identify import ComposedPiece, Likeness

# Valence and arousal of the four quadrants: a piece of each culture takes them in turn.
QUADRANTS = ((0.6, 0.6), (-0.6, 0.6), (-0.6, -0.6), (0.6, -0.6))
MIN_FEATURES = 3  # a preset that knows fewer is named


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one culture's pieces.

    Attributes:
        culture: The culture.
        right: The number of pieces that are nearest to their own corpus.
        pieces: The number of pieces that were compared.
        taken_for: The number of the others, by the nearest culture.
        distance: The mean distance to their own corpus in each feature.
        knows: The features that the preset knows.
        composed: The number of pieces that `likeness` was measured on.
        likeness: The likeness of all pieces of a mode, put together, in degrees and intervals.
    """

    culture: str
    right: int
    pieces: int
    taken_for: dict[str, int]
    distance: dict[str, float]
    knows: tuple[str, ...]
    composed: int
    likeness: dict[str, Likeness | None]


@click.command("identify", cls=CheckedCommand)
@click.option("--pieces", type=click.IntRange(1, 1000), default=10, show_default=True, help="Pieces for each culture.")
@click.option("--bars", type=click.IntRange(4, 1000), default=64, show_default=True, help="Length of each piece.")
@click.option(
    "--corpora",
    type=click.Path(path_type=Path),
    help="Folder of the corpora: also measure how far the two halves of each corpus are from each other, and whether "
    "the culture's pieces are within twice that; more are composed until chance is ruled out (ten minutes for all).",
)
@click.option(
    "--most",
    type=click.IntRange(1, 1000),
    default=500,
    show_default=True,
    help="With --corpora: the most pieces for each culture.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Play only this culture (compared with all).")
@seed_option()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@debug_option
def command(
    pieces: int,
    bars: int,
    corpora: Path | None,
    most: int,
    only: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> int:
    """Compose pieces in each culture and find the nearest corpus of each by its melody's notes.

    The pieces cover the four quadrants of valence and arousal. The tonic is given, as in the corpora; metre, mode and
    tempo are not.
    """
    from kelly_live.cultures.library import CULTURES, choose_culture
    from kelly_live.lab.cultures.identify import (
        ComparedPiece,
        compute_distances,
        count_needed_pieces,
        create_signature,
        identify,
    )
    from kelly_live.lab.intervals import compute_wilson_interval

    cultures = [choose_culture(name).preset.name for name in only] or list(CULTURES)
    presets = {name: choose_culture(name).preset for name in CULTURES}
    signatures = {name: create_signature(preset) for name, preset in presets.items()}
    compared_pieces, likenesses, piece_counts = [], {}, {}
    for culture in cultures:
        culture_pieces = _compose(culture, range(pieces), bars, seed)
        compared_pieces += [
            ComparedPiece(culture, {name: compute_distances(piece.statistics, one) for name, one in signatures.items()})
            for piece in culture_pieces
        ]
        preset, halves = presets[culture], _measure_mode_halves(culture, corpora)
        likenesses[culture] = _measure_likeness(culture_pieces, preset, halves)
        while len(culture_pieces) < (
            target_count := min(most, count_needed_pieces(likenesses[culture].values(), len(culture_pieces)))
        ):
            culture_pieces += _compose(culture, range(len(culture_pieces), target_count), bars, seed)
            likenesses[culture] = _measure_likeness(culture_pieces, preset, halves)
        piece_counts[culture] = len(culture_pieces)
        click.echo(f"{culture}: {len(culture_pieces)} pieces", err=True)
    verdicts = identify(compared_pieces)
    right = sum(verdict == piece.culture for verdict, piece in zip(verdicts, compared_pieces, strict=True))
    low, high = compute_wilson_interval(right, len(compared_pieces))
    rows = []
    for culture in cultures:
        own_pieces = [
            (piece, verdict)
            for piece, verdict in zip(compared_pieces, verdicts, strict=True)
            if piece.culture == culture
        ]
        far = [piece.far[culture] for piece, _ in own_pieces]
        knows = signatures[culture].knows
        distance = {name: [one[name] for one in far if name in one] for name in knows}
        taken_for = Counter(verdict for _, verdict in own_pieces if verdict != culture)
        mean = {name: sum(values) / len(values) for name, values in distance.items() if values}
        right_count = len(own_pieces) - taken_for.total()
        others = dict(taken_for.most_common())
        rows.append(
            Row(culture, right_count, len(own_pieces), others, mean, knows, piece_counts[culture], likenesses[culture])
        )
    if as_json:
        total = {"right": right, "pieces": len(compared_pieces), "interval": [low, high]}
        click.echo(json.dumps({**total, "cultures": [asdict(row) for row in rows]}))
        return 0
    click.echo(f"{'culture':24} {'right':>7}  degrees  intervals  onsets  rhythms   taken for")
    for row in rows:
        cells = [f"{row.distance[name]:.3f}" if name in row.distance else "-" for name in _SHOWN]
        mistakes = ", ".join(f"{name} {piece_counts}" for name, piece_counts in row.taken_for.items())
        distances = f"{cells[0]:>7}  {cells[1]:>9}  {cells[2]:>6}  {cells[3]:>7}"
        click.echo(f"{row.culture:24} {row.right:3}/{row.pieces:<3}  {distances}   {mistakes}".rstrip())
    click.echo(
        "Jensen-Shannon distance of a piece to its own corpus (nearest mode and metre): 0 is the same, 1 all different"
    )
    for line in _format_likeness(rows):
        click.echo(line)
    if corpora is None:
        click.echo("name the corpora with --corpora FOLDER to measure the distance between the halves of each")
    little = [row.culture for row in rows if len(row.knows) < MIN_FEATURES]
    if little:
        click.echo(f"presets that know fewer than {MIN_FEATURES} features: {', '.join(little)}")
    click.echo(
        f"{right} of {len(compared_pieces)} pieces are nearest to their own corpus: {right / len(compared_pieces):.1%} "
        f"(95 %: {low:.1%} to {high:.1%}; chance {1 / len(signatures):.0%})"
    )
    return 0


_SHOWN = ("degrees", "intervals", "onsets", "rhythms")


def _measure_mode_halves(culture: str, corpora: Path | None) -> tuple[tuple[Mode, ...], tuple[Mode, ...]]:
    """Measure the modes in each half of the culture's corpus; none without the corpora."""
    from kelly_live.lab.cultures.recipe import measure_halves
    from kelly_live.lab.cultures.recipes import RECIPES

    recipe = next((recipe for recipe in RECIPES if recipe.name == culture), None)
    if corpora is None or recipe is None:
        return (), ()
    one, other = measure_halves(recipe, corpora)
    return one.modes, other.modes


def _measure_likeness(
    pieces: list[ComposedPiece], preset: CulturePreset, halves: tuple[tuple[Mode, ...], tuple[Mode, ...]]
) -> dict[str, Likeness | None]:
    """Measure how near all pieces of a mode together are to the corpus, beside the corpus's halves."""
    from kelly_live.lab.cultures.identify import measure_likeness

    return {feature: measure_likeness(pieces, preset, halves, feature) for feature in ("degrees", "intervals")}


def _format_likeness(rows: list[Row]) -> list[str]:
    """Format the likeness of degrees and of intervals.

    Columns are ours, a perfect sampler's, twice the halves' own, and whether ours is within that.
    """
    over = "ours  sampler  2 x halves     "
    lines = ["", f"{'all pieces of a mode':24}  degrees: {over}  intervals: {over}   pieces  modes   notes"]
    within: dict[str, list[bool]] = {"degrees": [], "intervals": []}
    for row in rows:
        cells = ""
        for feature, column in (("degrees", 15), ("intervals", 18)):
            likeness = row.likeness[feature]
            bound = None if likeness is None else likeness.bound
            distance, sampler = ("-", "-") if likeness is None else (f"{likeness.ours:.3f}", f"{likeness.perfect:.3f}")
            if likeness is not None and bound is not None:
                within[feature].append(likeness.ours < bound)
            verdict = "" if likeness is None or bound is None else "yes" if likeness.ours < bound else "no"
            cells += f"{distance:>{column}}  {sampler:>7}  {'-' if bound is None else f'{bound:.3f}':>10}  {verdict:3}"
        likenesses = [likeness for likeness in row.likeness.values() if likeness is not None]
        modes, notes = (max((getattr(one, name) for one in likenesses), default=0) for name in ("modes", "notes"))
        lines.append(f"{row.culture:24}{cells}   {row.composed:6}  {modes:5}  {notes:6}")
    lines.append("sampler: the distance of as many notes drawn from the corpus's own shares, which is chance alone")
    for feature, verdicts in within.items():
        if verdicts:
            count = f"{sum(verdicts)} of {len(verdicts)}"
            lines.append(f"within twice the distance of the corpus's halves in {feature}: {count}")
    return lines


def _compose(culture: str, numbers: range, bars: int, seed: int) -> list[ComposedPiece]:
    """Compose the melodies of numbered pieces in a culture, each with its own seed, tonic and quadrant."""
    from kelly_live.core.emotion_space import create_state
    from kelly_live.engine.build import create_mapper
    from kelly_live.engine.culture_pieces import play_melody
    from kelly_live.engine.options.culture import CultureOptions
    from kelly_live.lab.cultures.identify import ComposedPiece, compute_statistics

    mapper = create_mapper(CultureOptions(culture, 1.0))
    composed_pieces = []
    for number in numbers:
        valence, arousal = QUADRANTS[number % len(QUADRANTS)]
        tonic = 7 * number % 12
        parameters = mapper(create_state(valence, arousal, None, None))
        mode = None if parameters.style is None else parameters.style.name.partition(":")[2] or None
        melody = play_melody(parameters, seed=1000 * seed + number, tonic=tonic, bars=bars)
        composed_pieces.append(ComposedPiece(mode, compute_statistics(melody, tonic)))
    return composed_pieces
