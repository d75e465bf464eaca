"""`kelly-live lab train`: each net from its data."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option
from kelly_live.lab.click_options import (
    ANY_PATH,
    DEFAULT_CACHE,
    FILE,
    FOLDER,
    choose_out,
    data_options,
    out_option,
    require_folders,
    set_option,
    set_out_option,
)


@click.group("train")
def command() -> None:
    """Train the nets from labelled data."""


@command.command("front-end", cls=CheckedCommand)
@click.argument("musicnn", type=FILE)
@click.argument("pipecat", type=FILE)
@out_option("front_end.safetensors")
@debug_option
def front_end(musicnn: Path, pipecat: Path, out: Path) -> None:
    """Convert the frozen front ends from the wheels MUSICNN and PIPECAT.

    `pip download --no-deps musicnn pipecat-ai` fetches the wheels; needs kelly-live[convert].
    """
    from kelly_live.lab.training.front_end import (
        FrontEnd,
        convert_and_check_speech,
        convert_and_check_trunk,
        save_front_end,
    )

    trunk, worst = convert_and_check_trunk(musicnn)
    speech, mean = convert_and_check_speech(pipecat)
    save_front_end(FrontEnd(trunk, speech, worst, mean), out)
    click.echo(f"wrote {out}; taggrams differ from TensorFlow's by at most {worst:.1g},")
    click.echo(f"speech tokens from ONNX's by {mean:.1g} standard deviations on average")


@command.command("emotion", cls=CheckedCommand)
@data_options
@click.option(
    "--front-end", "front_end_file", type=FILE, help="From `train front-end`; default: the shipped net's own."
)
@set_option
@set_out_option("emotion.safetensors")
@click.option("--resume", is_flag=True, help="Continue an interrupted run.")
@click.option("--epochs", type=click.IntRange(1), default=28, show_default=True)
@click.option("--patience", type=click.IntRange(1), default=28, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--cross", type=click.IntRange(1), default=4, show_default=True, help="Parts, each held out once.")
@click.option(
    "--leave-out", metavar="DATASET[,DATASET]", help="Train without these and measure on them; writes no checkpoint."
)
def emotion(
    data: Path | None, symbolic: Path | None, cache: Path, most: int, threads: int,
    front_end_file: Path | None, model_set: str, out: Path | None, resume: bool, epochs: int, patience: int, seed: int,
    cross: int, leave_out: str | None,
) -> None:  # fmt: skip
    """Train the emotion net: features (kept in --cache), training, calibration, and the card.

    --set open takes the folder that holds open/, emotion/ (of which it reads EmoDB alone) and cultures/ as --data, and
    no --symbolic.

    On several GPUs or processes: `torchrun --nproc-per-node N -m kelly_live lab train emotion ...`.
    """
    import torch

    from kelly_live.lab.pipeline import train_emotion
    from kelly_live.lab.training.distributed import join_ranks
    from kelly_live.lab.training.emotion import OPEN_SPEAKER_SWAP, Settings
    from kelly_live.lab.training.open_reads import forbid_research_reads
    from kelly_live.lab.training.sources import Sources

    torch.set_num_threads(threads)
    swap = OPEN_SPEAKER_SWAP if model_set == "open" else 0.0
    settings = Settings(epochs=epochs, patience=patience, seed=seed, cross=cross, speaker_swap=swap)
    out = choose_out(out, model_set, "emotion.safetensors")
    excluded = tuple(name.strip() for name in leave_out.split(",")) if leave_out else ()
    guard = forbid_research_reads() if model_set == "open" else nullcontext()
    with guard, join_ranks() as ranks:
        train_emotion(
            Sources(data, symbolic, cache, most, model_set), front_end_file, out, settings,
            resume=resume, log=click.echo, leave_out=excluded, ranks=ranks,
        )  # fmt: skip


@command.command("temporal", cls=CheckedCommand)
@data_options
@set_option
@set_out_option("temporal.safetensors")
@click.option("--models", type=FOLDER, help="Where emotion.safetensors is. Default: models/SET.")
@click.option("--epochs", type=click.IntRange(1), default=80, show_default=True)
@click.option("--scenes", type=click.IntRange(1), default=80, show_default=True, help="Scenes of changing clips.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def temporal(
    data: Path | None, symbolic: Path | None, cache: Path, most: int, threads: int,
    model_set: str, out: Path | None, models: Path | None, epochs: int, scenes: int, seed: int,
) -> None:  # fmt: skip
    """Train the temporal model on the emotion net's predictions over sounds whose emotion changes."""
    import torch

    from kelly_live.lab.pipeline import train_temporal_model
    from kelly_live.lab.training.open_reads import forbid_research_reads
    from kelly_live.lab.training.sources import Sources

    torch.set_num_threads(threads)
    sources = Sources(data, symbolic, cache, most, model_set)
    models, out = models or Path("models") / model_set, choose_out(out, model_set, "temporal.safetensors")
    with forbid_research_reads() if model_set == "open" else nullcontext():
        train_temporal_model(sources, models, out, epochs=epochs, scenes=scenes, seed=seed, log=click.echo)


@command.command("mapper", cls=CheckedCommand)
@set_option
@click.option("--data", type=FOLDER, help="research: folder of a symbolic manifest.jsonl (MIDI with emotions).")
@click.option("--open-data", type=FOLDER, help="open: folder of the open data, with openscore/ in it.")
@click.option("--corpora", type=FOLDER, help="open: folder of pop909-index.tar.xz.")
@click.option("--cues", type=FOLDER, help="Folder of listeners' ratings of film music, to learn from as evidence.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Where measurements are kept.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads for torch.")
@debug_option
@set_out_option("mapper.safetensors")
def mapper(
    model_set: str, data: Path | None, open_data: Path | None, corpora: Path | None, cues: Path | None,
    cache: Path, threads: int, out: Path | None,
) -> None:  # fmt: skip
    """Train the mapper on measurements of labelled music, and print the held-out table."""
    import torch

    from kelly_live.core.resources import OPEN_MODELS
    from kelly_live.lab.training.mapper import train_mapper, train_open_mapper
    from kelly_live.lab.training.open_reads import forbid_research_reads

    torch.set_num_threads(threads)
    path = choose_out(out, model_set, "mapper.safetensors")
    if model_set == OPEN_MODELS:
        open_folder, pop909_folder = require_folders(open_data=open_data, corpora=corpora)
        with forbid_research_reads():
            result = train_open_mapper(open_folder, pop909_folder, cache, path, cues_dir=cues)
    else:
        (folder,) = require_folders(data=data)
        result = train_mapper(folder, cache / "symbolic", path, cues_dir=cues)
    click.echo(result.evaluation.format_table())
    click.echo(f"wrote {path} and {path.with_suffix('.md')}")


@command.command("culture", cls=CheckedCommand)
@set_option
@click.option("--presets", type=FOLDER, help="Folder of culture presets; default: the shipped ones.")
@click.option("--listeners", type=ANY_PATH, help="Folder of the emo-* archives: does knowing the language help?")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads for torch.")
@debug_option
@set_out_option("culture.safetensors")
def culture(
    model_set: str, presets: Path | None, listeners: Path | None, seed: int, threads: int, out: Path | None
) -> None:
    """Train the culture adapter on the presets.

    With --listeners, also measure whether knowing a listener's language helps.
    """
    import torch

    from kelly_live.core.resources import find_resources
    from kelly_live.cultures.library import CULTURES
    from kelly_live.cultures.preset import load_preset_file
    from kelly_live.lab.training.culture import format_listeners_report, train_culture

    torch.set_num_threads(threads)
    folder = presets or find_resources("presets") / "cultures"
    files = [folder / f"{name}.yaml" for name in CULTURES]  # in the order that is the adapter's ids
    path = choose_out(out, model_set, "culture.safetensors")
    loaded = [load_preset_file(file) for file in files if file.is_file()]
    card = train_culture(loaded, path, listeners=listeners, seed=seed, model_set=model_set)
    for name, worst in card["furthest from the presets"].items():
        click.echo(f"{name}: at most {worst:.4f} from any preset")
    if listeners is not None:
        click.echo(format_listeners_report(card))
    click.echo(f"wrote {path} and {path.with_suffix('.md')}")


@command.command("vocabulary", cls=CheckedCommand)
@set_option
@click.option("--corpora", type=FOLDER, required=True, help="Folder of pop909-index.tar.xz.")
@click.option("--symbolic", type=FOLDER, help="research: folder of a symbolic manifest.jsonl: EMOPIA and VGMIDI.")
@click.option("--open-data", type=FOLDER, help="open: folder of the open data, with openscore/ in it.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Folder of tracked beats.")
@click.option(
    "--pieces", type=click.IntRange(0), default=10, show_default=True, help="Of ours, a quadrant, to check for quotes."
)
@debug_option
@set_out_option("vocabulary.json")
def vocabulary(
    model_set: str, corpora: Path, symbolic: Path | None, open_data: Path | None, cache: Path, pieces: int,
    out: Path | None,
) -> None:  # fmt: skip
    """Learn what people play, as tables for the players: chords, rhythms, steps, touch, timing.

    Prints how likely the tables make held-out pieces, and whether our music quotes a piece for more than a bar.
    """
    from kelly_live.core.resources import OPEN_MODELS, models_in_use
    from kelly_live.engine.build import create_mapper
    from kelly_live.lab.corpora.manifest import QUADRANTS
    from kelly_live.lab.judging.composers import TWO_MINUTES, create_score_composer
    from kelly_live.lab.training.open_reads import forbid_research_reads
    from kelly_live.lab.training.vocabulary_card import train_open_vocabulary, train_vocabulary
    from kelly_live.music.grammar import GRAMMARS
    from kelly_live.music.rhythm import weigh_places
    from kelly_live.music.vocabulary import forget_vocabulary

    def compose_pieces() -> list[Any]:
        forget_vocabulary()
        compose = create_score_composer(create_mapper())
        return [
            compose("band", 0.5 * valence, 0.5 * arousal, seed, TWO_MINUTES)
            for valence, arousal in QUADRANTS.values()
            for seed in range(1, pieces + 1)
        ]

    path = choose_out(out, model_set, "vocabulary.json")
    settings: dict[str, Any] = {
        "grammar": {mode: g.moves for mode, g in GRAMMARS.items()},
        "places": weigh_places("straight", 4),
        "generate_pieces": compose_pieces,
        "log": click.echo,
    }
    if model_set == OPEN_MODELS:
        (folder,) = require_folders(open_data=open_data)
        with forbid_research_reads():
            result = train_open_vocabulary(corpora, folder, cache, path, **settings)
    else:
        (folder,) = require_folders(symbolic=symbolic)
        with models_in_use(model_set):
            result = train_vocabulary(corpora, folder, cache, path, **settings)
    click.echo(result.format_table())
    click.echo(f"wrote {path} and {path.with_suffix('.md')}")


@command.command("follow", cls=CheckedCommand)
@click.option("--corpora", type=FOLDER, required=True, help="Folder of pop909-index.tar.xz.")
@click.option("--speech", type=FOLDER, required=True, help="Folder of an audio manifest.jsonl with EmoDB (CC0) in it.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Renderings.")
@debug_option
@out_option("models/open/tracker.json")
def follow(corpora: Path, speech: Path, cache: Path, out: Path) -> None:
    """Train what `--follow` hears beats and keys with, for the set `open`: from POP909, rendered, and as notes.

    Rendered with the two soundfonts under MIT; speech and noise teach it what has no beat. `kelly-live lab follow
    --corpora …` measures it; that command's --learn trains the one of `research`.
    """
    from kelly_live.lab.judging.open_tracker import train_open_tracker
    from kelly_live.lab.training.open_reads import forbid_research_reads

    with forbid_research_reads():
        train_open_tracker(corpora, speech, cache, out, lambda line: click.echo(line, err=True))
    click.echo(f"wrote {out}")


@command.command("chords", cls=CheckedCommand)
@click.option("--corpora", type=FOLDER, required=True, help="Folder of pop909-index.tar.xz.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Renderings.")
@click.option("--notes", is_flag=True, help="Train the net that reads the player's own notes instead of sound.")
@click.option("--units", type=click.IntRange(1), default=48, show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=24, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@debug_option
@click.option("--out", type=FILE, default=None, help="Default: the net that ships, in kelly_live/sync/.")
def chords(corpora: Path, cache: Path, notes: bool, units: int, epochs: int, seed: int, out: Path | None) -> None:
    """Train the net that hears the chords of a player, on songs of POP909 (MIT): rendered, or as notes.

    `kelly-live lab follow --chords` measures it on songs that are held out.
    """
    from kelly_live.lab.corpora.chord_songs import (
        compute_features,
        compute_note_features,
        read_chord_songs,
        read_note_songs,
    )
    from kelly_live.lab.training.chords import save_chord_weights, train_chords
    from kelly_live.sync.chord_net import MODEL_FILE, NOTE_MODEL_FILE

    out = out or (NOTE_MODEL_FILE if notes else MODEL_FILE)
    songs = (read_note_songs if notes else read_chord_songs)(corpora, cache, held_out=False)
    features = [(compute_note_features if notes else compute_features)(song) for song in songs]
    examples = [(rows, song.label(len(rows))) for song, rows in zip(songs, features, strict=True)]
    save_chord_weights(train_chords(examples, units=units, epochs=epochs, seed=seed, log=click.echo), out)
    click.echo(f"wrote {out}")


@command.command("drumming", cls=CheckedCommand)
@click.option("--corpora", type=FOLDER, required=True, help="Folder of groove-gmd-latin-afro.tar.xz.")
@debug_option
@out_option("models/open/drumming.json")
def drumming(corpora: Path, out: Path) -> None:
    """Learn how people strike a drum kit, as tables for the drummer: velocity, timing, ghost notes, fills.

    Prints what each group of styles does, and how well the tables tell the strokes of a drummer who was left out.
    """
    from kelly_live.lab.training.drumming_card import train_drumming

    result = train_drumming(
        corpora, out, log=click.echo, command="kelly-live lab train drumming --corpora data/cultures"
    )
    click.echo(result.format_table())
    click.echo(f"wrote {out} and {out.with_suffix('.md')}")


@command.command("melody", cls=CheckedCommand)
@click.option("--corpora", type=FOLDER, required=True, help="Folder of pop909-index.tar.xz.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Encoded songs, training state.")
@click.option("--minutes", type=click.FloatRange(0.01), default=42.0, show_default=True, help="At most.")
@click.option("--resume", is_flag=True, help="Continue an interrupted run.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads for torch.")
@debug_option
@out_option("models/open/melody.safetensors")
def melody(corpora: Path, cache: Path, minutes: float, resume: bool, seed: int, threads: int, out: Path) -> None:
    """Train the melody transformer on POP909; print how likely it finds held-out melodies."""
    import torch

    from kelly_live.lab.training.melody import Settings, train_melody, write_melody
    from kelly_live.lab.training.melody_data import load_songs

    torch.set_num_threads(threads)
    songs, settings = load_songs(corpora, cache / "melody"), Settings(minutes=minutes, seed=seed)
    net = train_melody(songs, cache / "melody" / "state.pt", settings, resume=resume, log=click.echo)
    result = write_melody(net, songs, settings, out, "kelly-live lab train melody --corpora data/cultures")
    click.echo(result.format_table())
    click.echo(f"wrote {out} and {out.with_suffix('.md')}")


@command.command("gems", cls=CheckedCommand)
@click.option("--data", type=FOLDER, required=True, help="Folder of an audio manifest.jsonl with Emotify in it.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Features.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads for torch.")
@debug_option
@out_option("models/research/gems.safetensors")
def gems(data: Path, cache: Path, threads: int, out: Path) -> None:
    """Train the head that reads what music induces (GEMS-9), for the set `research`: from Emotify.

    Prints how well each scale is heard in a genre that was left out, beside valence and arousal alone. Only scales
    that beat them clearly are written.
    """
    import torch

    from kelly_live.core.resources import OPEN_MODELS, find_model_set
    from kelly_live.emotion.reader import load_emotion_net
    from kelly_live.lab.training.gems import train_gems

    torch.set_num_threads(threads)
    net = load_emotion_net(find_model_set(OPEN_MODELS) / "emotion.safetensors")
    train_gems(data, net, cache, out, click.echo)


@command.command("words", cls=CheckedCommand)
@set_option
@click.option("--corpora", type=FOLDER, help="research: folder of emo-trompa-mer.tar.xz.")
@debug_option
@set_out_option("words.json")
def words(model_set: str, corpora: Path | None, out: Path | None) -> None:
    """Write the emotion words that --words names a feeling by, and check their places."""
    from kelly_live.core.resources import RESEARCH_MODELS
    from kelly_live.lab.training.words import train_words

    if model_set == RESEARCH_MODELS:
        require_folders(corpora=corpora)
    path = choose_out(out, model_set, "words.json")
    click.echo(train_words(model_set, corpora, path).format_table())
    click.echo(f"wrote {path} and {path.with_suffix('.md')}")


@command.command("system", cls=CheckedCommand)
@click.option("--models", type=FOLDER, help="Folder of the parts; default: the shipped ones.")
@debug_option
@out_option("kelly.safetensors")
def system(models: Path | None, out: Path) -> None:
    """Write one file of all four nets with their cards; play with it by --models FILE."""
    from kelly_live.core.resources import find_resources
    from kelly_live.lab.nets.system import load_part_cards, load_system, save_system

    folder = models or find_resources("models")
    save_system(out, load_system(folder), load_part_cards(folder))
    click.echo(f"wrote {out}")
