"""`kelly-live lab arcs`: whether hit points are met, and whether judges hear the course that an arc asks for."""

from __future__ import annotations

import json
from pathlib import Path

import click

from kelly_live.engine.options.arc import read_arc
from kelly_live.engine.options.click_options import OUTPUT_FILE, CheckedCommand, debug_option, print_line
from kelly_live.lab.click_options import DEFAULT_CACHE, FILE, FOLDER, measured_set_option


@click.command("arcs", cls=CheckedCommand)
@measured_set_option
@click.option("--arcs", "count", type=click.IntRange(0), default=200, show_default=True, help="Random arcs to compose.")
@click.option("--judged", type=click.IntRange(1), default=12, show_default=True, help="Random arcs to judge.")
@click.option("--steps", type=click.IntRange(2), default=12, show_default=True, help="Single steps to judge.")
@click.option("--first-seed", type=click.IntRange(0), default=1, show_default=True, help="Seeds count from it.")
@click.option(
    "--symbolic", type=FOLDER, help="Folder of a symbolic manifest.jsonl with EMOPIA: one judge learns there."
)
@click.option(
    "--independent", "emotion", type=FOLDER, help="Folder of a manifest.jsonl with Emotify: the others learn there."
)
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Renderings and features.")
@click.option("--arc", "arc_file", type=FILE, help="With --picture: the arc to draw, a CSV or YAML file.")
@click.option("--picture", type=OUTPUT_FILE, help="Draw --arc as it was asked, played and judged (PNG).")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes for the features.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@debug_option
def command(
    model_set: str | None, count: int, judged: int, steps: int, first_seed: int, symbolic: Path | None,
    emotion: Path | None, cache: Path, arc_file: Path | None, picture: Path | None, workers: int, as_json: bool,
) -> None:  # fmt: skip
    """Compose along random arcs, and measure hit points, ends and tempo in what is sent.

    The arcs have 1 to 8 hit points in 30 s to 5 min, anywhere but a second apart, and 2 to 6 feelings. With --symbolic
    and --independent judges hear others, of two minutes at most, in windows of 12 s, and pieces with a single step.
    """
    from kelly_live.core.errors import ConfigError
    from kelly_live.core.resources import select_models
    from kelly_live.lab.judging import arcs
    from kelly_live.lab.judging.closed_loop import fit_notes_judge
    from kelly_live.lab.judging.independent_loop import fit_independent_judges

    if (symbolic is None) != (emotion is None):
        raise ConfigError("--symbolic and --independent go together: both families of judges, or none")
    if picture is not None and (arc_file is None or symbolic is None):
        raise ConfigError("--picture needs --arc, and the judges' --symbolic and --independent; give them too")
    select_models(model_set)

    def log(line: str) -> None:
        click.echo(line, err=True)

    scores, responses = [], []
    if count:
        measured = []
        for seed in range(first_seed, first_seed + count):
            measured.append(arcs.measure_arc(arcs.compose_arc(arcs.draw_arc(seed), seed), seed))
            if len(measured) % 20 == 0:
                log(f"composed {len(measured)} of {count} arcs")
        scores += arcs.score_hits(measured)
    if symbolic is not None and emotion is not None:
        sound = fit_independent_judges(emotion, cache, workers=workers, log=log)
        judges = arcs.Judges(fit_notes_judge(symbolic, cache), sound)
        if picture is not None and arc_file is not None:
            from kelly_live.lab.plots.arcs import draw_course

            arc = read_arc(str(arc_file))
            performance = arcs.compose_arc(arc, first_seed)
            draw_course(picture, performance, arcs.judge_course(performance, arc, first_seed, judges, cache, hop=1.0))
            print_line(f"wrote {picture}")
            if not count:
                return
        courses, stepped = [], []
        for seed in range(first_seed, first_seed + judged):
            arc = arcs.draw_arc(seed, arcs.JUDGED_LONGEST_SECONDS)
            courses.append(arcs.judge_course(arcs.compose_arc(arc, seed), arc, seed, judges, cache))
            log(f"judged {len(courses)} of {judged} arcs")
        for seed in range(first_seed, first_seed + steps):
            arc, axis = arcs.draw_step(seed)
            stepped.append((
                arcs.judge_course(
                    arcs.compose_arc(arc, seed), arc, seed, judges, cache,
                    window=arcs.STEP_WINDOW_SECONDS, hop=arcs.STEP_HOP_SECONDS,
                ),
                axis,
            ))  # fmt: skip
            log(f"judged {len(stepped)} of {steps} steps")
        scores += arcs.score_courses(courses)
        responses = arcs.score_steps(stepped)
    result = arcs.ArcsResult(tuple(scores), tuple(responses))
    click.echo(json.dumps(result.as_dict()) if as_json else result.format_tables())
