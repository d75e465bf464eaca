"""`kelly-live lab identify`: does what is played in a tradition sound like that tradition's corpus, by its notes alone?"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import debug_option, seed_option

if TYPE_CHECKING:
    from kelly_live.cultures.preset import CulturePreset, Mode
    from kelly_live.lab.cultures.identify import ComposedPiece, Likeness

# Valence and arousal of the four quadrants: a piece of each culture takes them in turn.
QUADRANTS = ((0.6, 0.6), (-0.6, 0.6), (-0.6, -0.6), (0.6, -0.6))
LITTLE = 3  # features; a preset that knows fewer is named


@dataclass(frozen=True, slots=True)
class Row:
    """A culture's pieces: how many were known, whom the others were taken for, how far they are from their corpus in
    each feature, and which features that is measured in; `measure_likeness` puts the pieces of a mode together, of which there
    are `composed`, as many as it takes to know.
    """

    culture: str
    right: int
    pieces: int
    taken_for: dict[str, int]
    distance: dict[str, float]
    knows: tuple[str, ...]
    composed: int
    likeness: dict[str, Likeness | None]


@click.command("identify")
@click.option("--pieces", type=click.IntRange(1, 1000), default=10, show_default=True, help="Pieces a culture.")
@click.option("--bars", type=click.IntRange(4, 1000), default=64, show_default=True, help="How long each is.")
@click.option(
    "--corpora",
    type=click.Path(path_type=Path),
    help="The folder of corpora: also how far each corpus's two halves are from each other, and whether the culture's "
    "pieces are within twice that; so many more are composed for it that chance has no say (ten minutes for all).",
)
@click.option(
    "--most",
    type=click.IntRange(1, 1000),
    default=500,
    show_default=True,
    help="With --corpora: compose no more pieces a culture than so many.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Play only this culture; all are compared with.")
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
    """Compose pieces in each culture, over the four quadrants of feeling, and find the nearest corpus of each piece by
    its melody's notes. The tonic is given, as in the corpora; metre, mode and tempo are not.
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

    played = [choose_culture(name).preset.name for name in only] or list(CULTURES)
    presets = {name: choose_culture(name).preset for name in CULTURES}
    signatures = {name: create_signature(preset) for name, preset in presets.items()}
    heard, like, count = [], {}, {}
    for culture in played:
        composed = _compose(culture, range(pieces), bars, seed)
        heard += [
            ComparedPiece(culture, {name: compute_distances(piece.statistics, one) for name, one in signatures.items()})
            for piece in composed
        ]
        preset, halved = presets[culture], _halved(culture, corpora)
        like[culture] = _likeness(composed, preset, halved)
        while len(composed) < (needed := min(most, count_needed_pieces(like[culture].values(), len(composed)))):
            composed += _compose(culture, range(len(composed), needed), bars, seed)
            like[culture] = _likeness(composed, preset, halved)
        count[culture] = len(composed)
        click.echo(f"{culture}: {len(composed)} pieces", err=True)
    verdicts = identify(heard)
    right = sum(verdict == piece.culture for verdict, piece in zip(verdicts, heard, strict=True))
    low, high = compute_wilson_interval(right, len(heard))
    rows = []
    for culture in played:
        own = [(piece, verdict) for piece, verdict in zip(heard, verdicts, strict=True) if piece.culture == culture]
        far = [piece.far[culture] for piece, _ in own]
        knows = signatures[culture].knows
        distance = {name: [one[name] for one in far if name in one] for name in knows}
        taken_for = Counter(verdict for _, verdict in own if verdict != culture)
        mean = {name: sum(values) / len(values) for name, values in distance.items() if values}
        known = len(own) - taken_for.total()
        others = dict(taken_for.most_common())
        rows.append(Row(culture, known, len(own), others, mean, knows, count[culture], like[culture]))
    if as_json:
        total = {"right": right, "pieces": len(heard), "interval": [low, high]}
        click.echo(json.dumps({**total, "cultures": [asdict(row) for row in rows]}))
        return 0
    click.echo(f"{'culture':24} {'right':>7}  degrees  intervals  onsets  rhythms   taken for")
    for row in rows:
        cells = [f"{row.distance[name]:.3f}" if name in row.distance else "-" for name in _SHOWN]
        taken = ", ".join(f"{name} {count}" for name, count in row.taken_for.items())
        shown = f"{cells[0]:>7}  {cells[1]:>9}  {cells[2]:>6}  {cells[3]:>7}"
        click.echo(f"{row.culture:24} {row.right:3}/{row.pieces:<3}  {shown}   {taken}".rstrip())
    click.echo(
        "Jensen-Shannon distance of a piece to its own corpus (nearest mode and metre): 0 the same, 1 all different"
    )
    for line in _likeness_table(rows):
        click.echo(line)
    if corpora is None:
        click.echo("the distance between the halves of each corpus: with --corpora FOLDER")
    little = [row.culture for row in rows if len(row.knows) < LITTLE]
    if little:
        click.echo(f"hold little to be known by: {', '.join(little)}")
    click.echo(
        f"{right} of {len(heard)} pieces are nearest to their own corpus: {right / len(heard):.1%} "
        f"(95 %: {low:.1%} to {high:.1%}; chance {1 / len(signatures):.0%})"
    )
    return 0


_SHOWN = ("degrees", "intervals", "onsets", "rhythms")


def _halved(culture: str, corpora: Path | None) -> tuple[tuple[Mode, ...], tuple[Mode, ...]]:
    """The modes as each half of the culture's corpus has them; none without the corpora."""
    from kelly_live.lab.cultures.recipe import measure_halves
    from kelly_live.lab.cultures.recipes import RECIPES

    recipe = next((recipe for recipe in RECIPES if recipe.name == culture), None)
    if corpora is None or recipe is None:
        return (), ()
    one, other = measure_halves(recipe, corpora)
    return one.modes, other.modes


def _likeness(
    pieces: list[ComposedPiece], preset: CulturePreset, halved: tuple[tuple[Mode, ...], tuple[Mode, ...]]
) -> dict[str, Likeness | None]:
    """How like the corpus all pieces of a mode together are, beside what its halves are to each other."""
    from kelly_live.lab.cultures.identify import measure_likeness

    return {feature: measure_likeness(pieces, preset, halved, feature) for feature in ("degrees", "intervals")}


def _likeness_table(rows: list[Row]) -> list[str]:
    """The second table: of degrees and of intervals, ours, a perfect sampler's, twice the halves' own, and whether ours
    is within.
    """
    over = "ours  sampler  2 x halves     "
    lines = ["", f"{'all pieces of a mode':24}  degrees: {over}  intervals: {over}   pieces  modes   notes"]
    within: dict[str, list[bool]] = {"degrees": [], "intervals": []}
    for row in rows:
        cells = ""
        for feature, column in (("degrees", 15), ("intervals", 18)):
            found = row.likeness[feature]
            bound = None if found is None else found.bound
            ours, sampler = ("-", "-") if found is None else (f"{found.ours:.3f}", f"{found.perfect:.3f}")
            if found is not None and bound is not None:
                within[feature].append(found.ours < bound)
            verdict = "" if found is None or bound is None else "yes" if found.ours < bound else "no"
            cells += f"{ours:>{column}}  {sampler:>7}  {'-' if bound is None else f'{bound:.3f}':>10}  {verdict:3}"
        known = [found for found in row.likeness.values() if found is not None]
        modes, notes = (max((getattr(one, name) for one in known), default=0) for name in ("modes", "notes"))
        lines.append(f"{row.culture:24}{cells}   {row.composed:6}  {modes:5}  {notes:6}")
    lines.append("sampler: how far as many notes are that are drawn from the corpus's own shares; chance alone")
    for feature, verdicts in within.items():
        if verdicts:
            held = f"{sum(verdicts)} of {len(verdicts)}"
            lines.append(f"within twice the distance of the corpus's halves in {feature}: {held}")
    return lines


def _compose(culture: str, numbers: range, bars: int, seed: int) -> list[ComposedPiece]:
    """Numbered pieces in a culture, each with a seed, a tonic and a quadrant of its own: their melodies, for no other
    part is listened to.
    """
    from kelly_live.core.override import state_from
    from kelly_live.engine.build import create_mapper
    from kelly_live.engine.culture_pieces import play_melody
    from kelly_live.engine.options.culture import CultureOptions
    from kelly_live.lab.cultures.identify import ComposedPiece, compute_statistics

    mapper = create_mapper(CultureOptions(culture, 1.0))
    found = []
    for number in numbers:
        valence, arousal = QUADRANTS[number % len(QUADRANTS)]
        tonic = 7 * number % 12
        parameters = mapper(state_from(valence, arousal, None, None))
        mode = None if parameters.style is None else parameters.style.name.partition(":")[2] or None
        melody = play_melody(parameters, seed=1000 * seed + number, tonic=tonic, bars=bars)
        found.append(ComposedPiece(mode, compute_statistics(melody, tonic)))
    return found
