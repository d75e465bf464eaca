"""`kelly-live identify`: does what is played in a tradition sound like that tradition's corpus, by its notes alone?"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kelly_live.cultures.identify import Statistics

# Valence and arousal of the four quadrants: a piece of each culture takes them in turn.
QUADRANTS = ((0.6, 0.6), (-0.6, 0.6), (-0.6, -0.6), (0.6, -0.6))
LITTLE = 3  # features; a preset that knows fewer is named


@dataclass(frozen=True, slots=True)
class Row:
    """A culture's pieces: how many were known, whom the others were taken for, how far they are from their corpus in
    each feature, and which features that is measured in."""

    culture: str
    right: int
    pieces: int
    taken_for: dict[str, int]
    distance: dict[str, float]
    knows: tuple[str, ...]


@click.command("identify")
@click.option("--pieces", type=click.IntRange(1, 1000), default=10, show_default=True, help="Pieces a culture.")
@click.option("--bars", type=click.IntRange(4, 1000), default=64, show_default=True, help="How long each is.")
@click.option("--only", multiple=True, metavar="NAME", help="Play only this culture; all are compared with.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(pieces: int, bars: int, only: tuple[str, ...], as_json: bool, debug: bool) -> int:
    """Compose pieces in each culture, over the four quadrants of feeling, and find the nearest corpus of each piece by
    its melody's notes. The tonic is given, as in the corpora; metre, mode and tempo are not."""
    from kelly_live.cultures.identify import Heard, distances, identified, interval_of_share, signature_of
    from kelly_live.cultures.shelf import CULTURES, choose_culture

    played = [choose_culture(name).preset.name for name in only] or list(CULTURES)
    signatures = {name: signature_of(choose_culture(name).preset) for name in CULTURES}
    heard = []
    for culture in played:
        for number, statistics in enumerate(_compose(culture, pieces, bars)):
            heard.append(Heard(culture, {name: distances(statistics, one) for name, one in signatures.items()}))
            if not as_json and number == pieces - 1:
                click.echo(f"{culture}: {pieces} pieces", err=True)
    verdicts = identified(heard)
    right = sum(verdict == piece.culture for verdict, piece in zip(verdicts, heard, strict=True))
    low, high = interval_of_share(right, len(heard))
    rows = []
    for culture in played:
        own = [(piece, verdict) for piece, verdict in zip(heard, verdicts, strict=True) if piece.culture == culture]
        far = [piece.far[culture] for piece, _ in own]
        knows = signatures[culture].knows
        distance = {name: [one[name] for one in far if name in one] for name in knows}
        taken_for = Counter(verdict for _, verdict in own if verdict != culture)
        mean = {name: sum(values) / len(values) for name, values in distance.items() if values}
        rows.append(Row(culture, len(own) - taken_for.total(), len(own), dict(taken_for.most_common()), mean, knows))
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
    little = [row.culture for row in rows if len(row.knows) < LITTLE]
    if little:
        click.echo(f"hold little to be known by: {', '.join(little)}")
    click.echo(
        f"{right} of {len(heard)} pieces are nearest to their own corpus: {right / len(heard):.1%} "
        f"(95 %: {low:.1%} to {high:.1%}; chance {1 / len(signatures):.0%})"
    )
    return 0


_SHOWN = ("degrees", "intervals", "onsets", "rhythms")


def _compose(culture: str, pieces: int, bars: int) -> list[Statistics]:
    """Pieces in a culture, each with a seed, a tonic and a quadrant of its own, as their melodies' statistics."""
    from kelly_live.cli.options import CultureWish
    from kelly_live.cli.parts import make_conductor, make_mapper
    from kelly_live.cultures.identify import statistics_of
    from kelly_live.midi.client import NoteList
    from kelly_live.steering import state_from

    mapper = make_mapper(CultureWish(culture, 1.0))
    found = []
    for number in range(pieces):
        valence, arousal = QUADRANTS[number % len(QUADRANTS)]
        sink = NoteList()
        tonic = 7 * number % 12
        conductor = make_conductor(sink, seed=100 + number, length_bars=bars, tonic=tonic)
        conductor.play_through(mapper(state_from(valence, arousal, None, None)))
        found.append(statistics_of([note for note in sink.notes if note.part == "melody"], tonic))
    return found
