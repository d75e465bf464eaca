"""`kelly-live cultures`: the traditions that can be played, each number with its source."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kelly_live.core.pitch import octave_distance_cents

if TYPE_CHECKING:
    from kelly_live.cultures.preset import CulturePreset, Known
    from kelly_live.ui.sheet import Panel


@click.command("cultures")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.option(
    "--listen",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Play NAME (or every preset): happy, then sad, as NAME.mid, .wav and .png in FOLDER.",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw eight bars of NAME (or of every shipped preset), and its degrees as measured and as played, as a PNG.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(name: str | None, as_json: bool, listen: Path | None, sheet: Path | None, debug: bool) -> int:
    """List the culture presets, or show one: NAME, or NAME:MODE for one of its modes."""
    from kelly_live.cultures.library import CULTURES, choose_culture, list_cultures

    if listen is not None and sheet is not None:
        raise click.UsageError("--listen and --sheet are two things; ask for one at a time")
    if sheet is not None:
        _draw([name] if name is not None else list(CULTURES), sheet)
        return 0
    if listen is not None:
        names = [one.name for one in list_cultures() if one.preset is not None] if name is None else [name]
        for each in names:
            _play(each, listen)
        return 0
    if name is None:
        return _list(as_json)
    choice = choose_culture(name)
    if as_json:
        shown = asdict(choice.preset) if choice.mode is None else asdict(choice.mode)
        click.echo(json.dumps(shown, ensure_ascii=False))
    elif choice.mode is None:
        _show(choice.preset)
    else:
        click.echo(f"{choice.preset.name}:{choice.mode.name}  {choice.mode.title}")
        for field in ("share", "scale_cents", "degree_weights", "intervals", "valence"):
            _line(field, getattr(choice.mode, field), "not stated")
    return 0


LISTEN_BEATS = 64  # and at least eight bars


def _play(name: str, folder: Path) -> None:
    """A piece in a culture, its first half happy and its second half sad, as MIDI, WAV and picture."""
    from kelly_live.cli.options import CultureOptions
    from kelly_live.core.override import state_from
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.parts import check_outputs, create_conductor, create_mapper, write_performance
    from kelly_live.engine.session import compose
    from kelly_live.midi.scheduler_client import OfflineScheduler
    from kelly_live.midi.tuning import Tuning
    from kelly_live.music.style import metre_of

    midi, wav, plot = paths = [folder / f"{name.replace(':', '-')}.{kind}" for kind in ("mid", "wav", "png")]
    check_outputs(paths)
    mapper, seed = create_mapper(CultureOptions(name, 1.0)), 1
    happy, sad = (Reading(state, mapper(state)) for state in (state_from(emotion=one) for one in ("happy", "sad")))
    metre = metre_of(happy.parameters.style, seed)
    bars = max(8, LISTEN_BEATS // (4 if metre is None else metre.bar_beats))
    scheduler = OfflineScheduler()
    conductor = create_conductor(scheduler, seed=seed, length_bars=bars)
    scheduler.tune(Tuning("bend").with_programs((d.channel, d.program) for d in conductor.programs()))
    performance = compose(happy, conductor, scheduler, lambda bar: happy if bar < bars // 2 else sad)
    write_performance(performance, conductor, title=f"Kelly Live: {name}", midi=midi, wav=wav, plot=plot)
    styles = [reading.parameters.style for reading in (happy, sad)]
    played = dict.fromkeys(name if style is None else style.name for style in styles)
    beats = "" if metre is None else f", {metre.name}"
    click.echo(
        f"{name}: {' then '.join(played)}{beats}, {performance.end_seconds:.0f} s -> {', '.join(map(str, paths))}"
    )


SHEET_BARS = 8
COUNTED_BARS = 64  # of each of four pieces, in which is counted how long each degree is played


def _draw(names: list[str], path: Path) -> None:
    """One picture of what the cultures play; the feeling is the same in all of them."""
    from kelly_live.core.atomic_write import write_atomically
    from kelly_live.engine.parts import check_outputs
    from kelly_live.ui.sheet import draw_sheet

    check_outputs([path])
    panels = [_panel(name) for name in names]
    picture = draw_sheet(panels, "What each tradition plays when the feeling is happy")
    write_atomically(path, picture)
    click.echo(f"{len(panels)} traditions, {len(picture) / 1000:.0f} kB -> {path}")


def _panel(name: str) -> Panel:
    from kelly_live.cli.options import CultureOptions
    from kelly_live.core.override import state_from
    from kelly_live.cultures.library import choose_culture
    from kelly_live.engine.parts import create_conductor, create_mapper
    from kelly_live.lab.cli.identify import melody_of
    from kelly_live.midi.scheduler_client import NoteList
    from kelly_live.ui.sheet import Panel

    parameters = create_mapper(CultureOptions(name, 1.0))(state_from(emotion="happy"))
    style, sink = parameters.style, NoteList()
    conductor = create_conductor(sink, seed=1, length_bars=SHEET_BARS + 1, tonic=0)
    conductor.play_through(parameters)
    bar_beats = conductor.status().beats_per_bar
    beats = float(SHEET_BARS * bar_beats)
    notes = tuple(
        (
            note.onset_beats,
            min(note.duration_beats, beats - note.onset_beats),
            100.0 * note.pitch + note.cents,
            note.part,
        )
        for note in sink.notes
        if note.onset_beats < beats
    )
    degrees: tuple[float, ...] = ()
    measured: tuple[float, ...] = ()
    played: list[float] = []
    if style is not None and style.scale is not None:
        degrees = style.scale.degrees_cents
        preset, _, mode = style.name.partition(":")
        known = choose_culture(preset).preset
        of = known.mode(mode) if mode else known
        weights = None if of is None else of.degree_weights
        measured = () if weights is None else tuple(weight / sum(weights.value) for weight in weights.value)
        played = [0.0] * len(degrees)
        for seed in range(4):
            for note in melody_of(parameters, seed=seed, tonic=0, bars=COUNTED_BARS):
                at = 100.0 * note.pitch + note.cents
                near = min(range(len(degrees)), key=lambda n: abs(octave_distance_cents(at, degrees[n])))
                played[near] += note.duration_beats
    caption = "" if style is None else style.name.partition(":")[2]
    return Panel(
        title=name, caption=caption, notes=notes, beats=beats, bar_beats=bar_beats, degrees=degrees,
        measured=measured, played=tuple(share / max(sum(played), 1e-9) for share in played),
    )  # fmt: skip


def _list(as_json: bool) -> int:
    from kelly_live.cultures.library import culture_id, list_cultures, user_folder
    from kelly_live.cultures.preset import PARAMETERS

    shelf = list_cultures()
    if as_json:
        rows = [
            {
                "name": one.name,
                "id": culture_id(one.name),
                "own": one.own,
                "path": str(one.path),
                "problem": one.problem,
                "preset": None if one.preset is None else asdict(one.preset),
            }
            for one in shelf
        ]
        click.echo(json.dumps({"cultures": rows, "user_folder": str(user_folder())}, ensure_ascii=False))
        return 0
    for one in shelf:
        if one.preset is None:
            click.echo(f"{one.name:24} cannot be used: {one.problem}")
            continue
        known = [getattr(one.preset, field) for field in PARAMETERS]
        measured = sum(value is not None and value.source == "measured" for value in known)
        cited = sum(value is not None and value.source == "cited" for value in known)
        modes = f"{len(one.preset.modes)} modes" if one.preset.modes else ""
        mark = "  (your own)" if one.own else ""
        click.echo(f"{one.name:24} {measured:2} measured, {cited} cited  {modes:9} {one.preset.title}{mark}")
    click.echo(f"your own presets: {user_folder()}")
    return 0


def _show(preset: CulturePreset) -> None:
    from kelly_live.cultures.preset import PARAMETERS

    click.echo(f"{preset.name}  {preset.title}")
    click.echo(f"  {preset.summary}")
    click.echo(f"  {preset.region}; languages: {', '.join(preset.languages) or 'none'}")
    reasons = dict(preset.absent)
    for field in PARAMETERS:
        _line(field, getattr(preset, field), reasons.get(field, "not stated"))
    for mode in preset.modes:
        scale = " ".join(f"{cents:g}" for cents in mode.scale_cents.value) if mode.scale_cents else "scale absent"
        share = f"{mode.share.value:6.1%}" if mode.share else "      "
        click.echo(f"  :{mode.name:22} {share}  {scale}  {mode.title}")
    for credit in preset.credits:
        click.echo(f"  from {credit.corpus} ({credit.origin}; {credit.licence}): {credit.credit}")


def _line(field: str, known: Known[Any] | None, reason: str) -> None:
    if known is None:
        click.echo(f"  {field:18} absent: {reason}")
        return
    ground = f"{known.source}, {f'n {known.n} {known.of}, ' if known.n is not None else ''}{known.reference}"
    click.echo(f"  {field:18} {_shown(known.value)}  [{ground}]")


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        if value and isinstance(value[0], tuple):
            return "  ".join(f"{key} {_shown(one)}" for key, one in value[:8]) + ("  …" if len(value) > 8 else "")
        return " ".join(map(_shown, value))
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else f"{value}"
