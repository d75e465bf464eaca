"""`kelly-live lab judge`: which emotion independent judges hear in our music."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option
from kelly_live.lab.click_options import DEFAULT_CACHE, FILE, FOLDER, measured_set_option

if TYPE_CHECKING:
    from kelly_live.core.protocols import Mapper
    from kelly_live.lab.judging.across_cultures import CultureComparison
    from kelly_live.lab.judging.closed_loop import ClosedLoopResult
    from kelly_live.lab.judging.independent_loop import IndependentResult


@click.command("judge", cls=CheckedCommand)
@measured_set_option
@click.option("--symbolic", type=FOLDER, required=True, help="Folder of a symbolic manifest.jsonl with EMOPIA in it.")
@click.option(
    "--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Folder of renderings and features."
)
@click.option("--pieces", type=click.IntRange(1), default=40, show_default=True, help="Pieces for each quadrant.")
@click.option(
    "--grid-pieces", type=click.IntRange(1), default=8, show_default=True, help="Pieces for each place of the grid."
)
@click.option("--cultures", metavar="NAMES", help="Judge traditions beside the plain music instead: `all`, or a,b,c.")
@click.option(
    "--culture-pieces",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="With --cultures: pieces for each quadrant and tradition.",
)
@click.option(
    "--independent",
    "emotion",
    type=FOLDER,
    help="Judge independently instead: folder of a manifest.jsonl with Emotify.",
)
@click.option(
    "--first-seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Seeds count from it.",
)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Teach the judges of sound with every so-many-th clip of EMOPIA: 5 takes a fifth of the hour.",
)
@click.option("--mapper", type=FILE, help="Checkpoint of another mapper than the shipped one.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes that extract features."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@debug_option
def command(
    model_set: str | None, symbolic: Path, cache: Path, pieces: int, grid_pieces: int, cultures: str | None,
    culture_pieces: int, emotion: Path | None, first_seed: int, every: int, mapper: Path | None, workers: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Compose in each quadrant and over a grid, and ask judges which emotion they hear.

    The music is rendered with a soundfont that nothing was trained on. The judges are fitted on EMOPIA's train part;
    their answers to people's own playing (EMOPIA's val part) stand beside those to ours. Of the grid: r and slope of
    judged on intended, and valence's r within each row of arousal.

    With --cultures: the same emotions in each tradition, on the piano; how often they are heard as intended, and as the
    plain music of the same emotion and seed is heard.

    With --independent: judges that share neither data nor features with the mapper. *published* is the linear
    model of Eerola, Lartillot & Toiviainen (ISMIR 2009), *listeners* learned what listeners felt in Emotify's music,
    with and without hearing keys. AUC: how often, of two pieces of opposite intention, the one meant higher is judged
    higher (.5 is chance): of valence over all pieces, among stirred and among calm ones (the halves of arousal), and of
    arousal; for EMOPIA's val part and for ours, anywhere in the four quadrants. Then where the pieces of each emotion
    lie (--grid-pieces of each), in standard deviations from people's mean; the AUC is without neutral.
    """
    from kelly_live.core.errors import ConfigError
    from kelly_live.core.resources import OPEN_MODELS, RESEARCH_MODELS, find_model_set, select_models
    from kelly_live.engine.build import create_mapper
    from kelly_live.engine.options.culture import CultureOptions
    from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS
    from kelly_live.lab.judging.across_cultures import judge_cultures
    from kelly_live.lab.judging.closed_loop import evaluate_closed_loop
    from kelly_live.lab.judging.composers import create_midi_composer
    from kelly_live.lab.judging.independent_loop import judge_independently

    names = _parse_cultures(cultures)
    if emotion is not None and cultures is not None:
        raise ConfigError("--independent judges the plain music; leave --cultures out")
    if cultures is not None and mapper is not None:
        raise ConfigError("--cultures judges the blend of the shipped mapper with a tradition; leave --mapper out")

    for soundfont in (*SOUNDFONTS, HELD_OUT_SOUNDFONT):  # checked before the hours of rendering
        if not soundfont.is_file():
            raise ConfigError(
                f"the soundfont {soundfont} is missing, and the judges hear music rendered with it; apt install "
                "fluid-soundfont-gm musescore-general-soundfont-small timgm6mb-soundfont"
            )
    # Every set is heard by the same judges: one of them learns on the ears of the research net, if that is there.
    listening_set = RESEARCH_MODELS if (find_model_set(OPEN_MODELS).parent / RESEARCH_MODELS).is_dir() else OPEN_MODELS
    net = find_model_set(listening_set) / "emotion.safetensors"
    select_models(model_set)

    def log(line: str) -> None:
        click.echo(line, err=True)

    result: CultureComparison | ClosedLoopResult | IndependentResult
    if emotion is not None:
        result = judge_independently(
            emotion, symbolic, cache, create_midi_composer(_load_mapper(mapper)),
            pieces=pieces, feeling_pieces=grid_pieces, first_seed=first_seed, workers=workers, log=log,
        )  # fmt: skip
    elif names:
        result = judge_cultures(
            symbolic, cache, net, create_midi_composer(_load_mapper(None)),
            {name: create_midi_composer(create_mapper(CultureOptions(name, 1.0))) for name in names},
            pieces=culture_pieces, plain_pieces=pieces, first_seed=first_seed, workers=workers, log=log,
        )  # fmt: skip
    else:
        result = evaluate_closed_loop(
            symbolic, cache, net, create_midi_composer(_load_mapper(mapper)),
            pieces=pieces, grid_pieces=grid_pieces, first_seed=first_seed, every=every, workers=workers, log=log,
        )  # fmt: skip
    click.echo(json.dumps(result.as_dict()) if as_json else result.format_tables())


def _load_mapper(checkpoint: Path | None) -> Mapper:
    from kelly_live.engine.build import create_mapper

    if checkpoint is None:
        return create_mapper()
    from kelly_live.core.checkpoint import load_checkpoint
    from kelly_live.mapping import net
    from kelly_live.mapping.mapper import LearnedMapper

    return LearnedMapper(net.MapperNet.from_checkpoint(load_checkpoint(checkpoint, net.NAME), checkpoint))


def _parse_cultures(text: str | None) -> list[str]:
    """Parse the names of shipped traditions, `all` for all of them; none for None.

    Raises:
        ConfigError: A name is unknown.
    """
    from kelly_live.cultures.library import CULTURES, choose_culture

    if text is None:
        return []
    if text.strip().lower() == "all":
        return list(CULTURES)
    return list(dict.fromkeys(choose_culture(name).preset.name for name in text.split(",")))
