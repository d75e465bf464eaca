"""`kelly-live lab compare`: our music beside people's."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option
from kelly_live.lab.click_options import DEFAULT_CACHE, FOLDER

if TYPE_CHECKING:
    from kelly_live.lab.judging.comparison import Composer, PieceStatistics, Repetitions


def _list_definitions() -> str:
    """List the statistics of arrangements with their definitions, as a paragraph of the help."""
    from kelly_live.lab.judging.arrangement_statistics import STATISTICS

    rows = [f"  {name}: {definition}" for name, definition in STATISTICS.items()]
    return "\b\n" + "\n".join(line for row in rows for line in textwrap.wrap(row, 78, subsequent_indent="    "))


class _DefinedCommand(CheckedCommand):
    """A command whose help ends with the statistics' definitions, which are read only when it is printed."""

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the definitions."""
        formatter.write_paragraph()
        with formatter.section("Arrangements"):
            formatter.write_text(_list_definitions())


@click.command("compare", cls=_DefinedCommand)
@click.option("--symbolic", type=FOLDER, help="Folder of a symbolic manifest.jsonl: EMOPIA and VGMIDI.")
@click.option(
    "--corpora", type=FOLDER, help="Folder of pop909-index.tar.xz: how melody, chords and drums fit together."
)
@click.option("--seeds", type=click.IntRange(2), default=4, show_default=True, help="With --corpora: seeds a feeling.")
@click.option(
    "--first-seed", type=click.IntRange(0), default=1, show_default=True, help="The seed that the others count from."
)
@click.option(
    "--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Folder of what was measured of people."
)
@click.option(
    "--pieces", type=click.IntRange(2), default=12, show_default=True, help="Pieces for each quadrant and kind."
)
@click.option(
    "--changes", type=click.IntRange(1), default=20, show_default=True, help="Moments for each change of emotion."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@debug_option
def command(
    symbolic: Path | None,
    corpora: Path | None,
    seeds: int,
    first_seed: int,
    cache: Path,
    pieces: int,
    changes: int,
    as_json: bool,
) -> None:
    """Compare our music with people's.

    --symbolic: with human pieces (EMOPIA, VGMIDI), random notes and a rule table; also how long it repeats itself
    literally in two minutes, and how soon new parameters are audible.

    --corpora: how melody, accompaniment and drums fit together, against POP909 from the bar in which the melody enters;
    and how the feelings and the traditions differ.
    """
    if symbolic is None and corpora is None:
        raise click.UsageError("nothing to compare with; give --symbolic FOLDER, --corpora FOLDER or both")
    if corpora is not None:
        _compare_arrangements(corpora, seeds, first_seed, as_json)
    if symbolic is not None:
        _compare_distributions(symbolic, cache, pieces, first_seed, changes, as_json)


def _compare_arrangements(corpora: Path, seeds: int, first_seed: int, as_json: bool) -> None:
    from dataclasses import asdict

    from kelly_live.lab.judging import arrangements
    from kelly_live.lab.judging.arrangement_statistics import summarise_arrangements

    people, band = arrangements.measure_people(corpora), arrangements.measure_band(seeds, first_seed)
    differences = arrangements.measure_differences(max(seeds, 6), first_seed=first_seed)
    if as_json:
        rows = {"people": summarise_arrangements(people), "band": summarise_arrangements(band)}
        answer = {name: [asdict(row) for row in summary] for name, summary in rows.items()}
        click.echo(json.dumps(answer | {"differences": differences}))
        return
    click.echo(arrangements.format_arrangements(people, band))
    click.echo("\n| how feelings and traditions differ | |\n|---|---|")
    for name, value in differences.items():
        click.echo(f"| {name} | {value:.2f} |")


def _compare_distributions(
    symbolic: Path, cache: Path, pieces: int, first_seed: int, changes: int, as_json: bool
) -> None:
    from dataclasses import asdict

    from kelly_live.engine.build import create_mapper
    from kelly_live.lab.judging import comparison
    from kelly_live.lab.judging.composers import KINDS, create_score_composer, measure_reactions

    people = comparison.read_human_statistics(symbolic, cache / "likeness")
    mapper = create_mapper()
    music, repetitions = _compose_all(create_score_composer(mapper), range(first_seed, first_seed + pieces))
    repetitions["people"] = comparison.Repetitions("people", tuple(comparison.find_human_repeats(symbolic)))
    lines = comparison.HumanReference(people).compare(music)
    reactions = {kind: measure_reactions(mapper, kind, changes, first_seed) for kind in KINDS}
    if as_json:
        answer = {
            "likeness": [asdict(line) | {"holds": line.holds} for line in lines],
            "repeats": {kind: asdict(one) for kind, one in repetitions.items()},
            "reaction": reactions,
        }
        click.echo(json.dumps(answer))
        return
    click.echo(comparison.format_comparison(lines))
    click.echo(_format_repetitions(repetitions))
    click.echo(_format_reactions(reactions))


def _compose_all(
    compose: Composer, seeds: Sequence[int]
) -> tuple[dict[str, list[PieceStatistics]], dict[str, Repetitions]]:
    """Compose a piece a seed and quadrant, of each kind, by rules and at random; measure them and what repeats."""
    from kelly_live.lab.corpora.manifest import QUADRANTS
    from kelly_live.lab.judging import comparison
    from kelly_live.lab.judging.baseline_composers import compose_by_rules, compose_random
    from kelly_live.lab.judging.composers import KINDS, TWO_MINUTES

    centres = [(0.5 * valence, 0.5 * arousal) for valence, arousal in QUADRANTS.values()]
    music: dict[str, list[PieceStatistics]] = {"random": [], "rule table": []}
    for index, (valence, arousal) in enumerate(centres):
        for seed in seeds:
            score = compose_by_rules(valence, arousal, 100 * index + seed, 64)
            music["rule table"].append(comparison.compute_generated_statistics(score, f"rules {index} {seed}"))
    repetitions = {}
    for kind in KINDS:
        music[kind], lengths, shared_shares = [], [], []
        for index, (valence, arousal) in enumerate(centres):
            previous = None
            for seed in seeds:
                score = compose(kind, valence, arousal, seed, TWO_MINUTES)
                music[kind].append(comparison.compute_generated_statistics(score, f"{kind} {index} {seed}"))
                excerpt = comparison.select_excerpt(score, TWO_MINUTES)
                if kind == "band":
                    random_score = compose_random(excerpt, seed)
                    music["random"].append(
                        comparison.compute_generated_statistics(random_score, f"random {index} {seed}")
                    )
                cells = comparison.list_cells(excerpt)
                lengths.append(comparison.find_longest_repeat(cells))
                if previous is not None:
                    shared_shares.append(comparison.compute_shared_notes(previous, cells))
                previous = cells
        repetitions[kind] = comparison.Repetitions(kind, tuple(lengths), tuple(shared_shares))
    return music, repetitions


def _format_repetitions(repetitions: Mapping[str, Repetitions]) -> str:
    import numpy as np

    lines = [
        "",
        "| two minutes | longest literal repeat, beats: median, worst | notes that two seeds share |",
        "|---|---|---|",
    ]
    for kind, one in repetitions.items():
        shared_text = f"{np.mean(one.shared):.2f}" if one.shared else ""
        lines.append(
            f"| {kind} (n {len(one.beats)}) | {np.median(one.beats):.1f}, {max(one.beats):.1f} | {shared_text} |"
        )
    return "\n".join(lines)


def _format_reactions(reactions: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    lines = [
        "",
        "| new parameters, ms | first new note p50 | p95 | last old note p50 | p95 | moments |",
        "|---|---|---|---|---|---|",
    ]
    for kind, rows in reactions.items():
        for name, row in rows.items():
            values = [f"{1000 * row[key]:.0f}" for key in ("p50", "p95", "stale p50", "stale p95")]
            lines.append(f"| {kind}: {name} | {' | '.join(values)} | {row['changes']:.0f} |")
    return "\n".join(lines)
