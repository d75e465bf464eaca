"""`kelly-live cultures`: the traditions that can be played, each number with its source."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kelly_live.core.wording import plural
from kelly_live.engine.options.click_options import (
    OUTPUT_FILE,
    OUTPUT_FOLDER,
    CheckedCommand,
    debug_option,
    models_option,
    print_json,
    print_line,
    print_notice,
)

if TYPE_CHECKING:
    from kelly_live.cultures.preset import CulturePreset, Known


@click.command("cultures", cls=CheckedCommand)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.option(
    "--listen",
    type=OUTPUT_FOLDER,
    metavar="FOLDER",
    help="Play NAME (or every preset): happy, then sad, as NAME.mid, .wav and .png in FOLDER (created if need be).",
)
@click.option(
    "--sheet",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Draw eight bars of NAME (or of every shipped preset), and its degrees as measured and as played, as a PNG.",
)
@models_option
@debug_option
def command(name: str | None, as_json: bool, listen: Path | None, sheet: Path | None) -> int:
    """List the culture presets, or show one: NAME, or NAME:MODE for one of its modes."""
    from kelly_live.cultures.library import CULTURES, choose_culture, list_cultures

    if sheet is not None:
        _draw([name] if name is not None else list(CULTURES), sheet)
        return 0
    if listen is not None:
        from kelly_live.core.atomic_write import create_folder

        names = [one.name for one in list_cultures() if one.preset is not None] if name is None else [name]
        for each in names:
            choose_culture(each, notify=print_notice)
        create_folder(listen)
        for each in names:
            _write_piece(each, listen)
        return 0
    if name is None:
        return _list(as_json)
    choice = choose_culture(name, notify=print_notice)
    if as_json:
        fields = asdict(choice.preset) if choice.mode is None else asdict(choice.mode)
        print_json(fields)
    elif choice.mode is None:
        _show(choice.preset)
    else:
        from kelly_live.cultures.preset import MODE_PARAMETERS

        print_line(f"{choice.preset.name}:{choice.mode.name}  {choice.mode.title}")
        for field in MODE_PARAMETERS:
            _line(field, getattr(choice.mode, field), "not stated")
    return 0


def _write_piece(name: str, folder: Path) -> None:
    from kelly_live.engine.culture_pieces import write_culture_piece

    piece = write_culture_piece(name, folder)
    metre = "" if piece.metre is None else f", {piece.metre}"
    paths = ", ".join(map(str, piece.paths))
    print_line(f"{name}: {' then '.join(piece.styles)}{metre}, {piece.seconds:.0f} s -> {paths}")


def _draw(names: list[str], path: Path) -> None:
    from kelly_live.engine.culture_pieces import draw_cultures

    size = draw_cultures(names, path)
    print_line(f"{plural(len(names), 'tradition')}, {size / 1000:.0f} kB -> {path}")


def _list(as_json: bool) -> int:
    from kelly_live.cultures.library import describe_cultures, list_cultures, list_left_out, user_folder
    from kelly_live.cultures.preset import PARAMETERS

    if as_json:
        print_json(describe_cultures())
        return 0
    for one in list_cultures():
        if one.preset is None:
            print_line(f"{one.name:24} cannot be used: {one.problem}")
            continue
        sources = Counter(value.source for name in PARAMETERS if (value := getattr(one.preset, name)) is not None)
        modes = plural(len(one.preset.modes), "mode") if one.preset.modes else ""
        title = one.preset.title + ("  (your own)" if one.is_own else "")
        print_line(f"{one.name:24} {sources['measured']:2} measured, {sources['cited']} cited  {modes:9} {title}")
    for path, reason in list_left_out():
        print_line(f"left out: {path} {reason}")
    print_line(f"your own presets: {user_folder()}")
    return 0


def _show(preset: CulturePreset) -> None:
    from kelly_live.cultures.preset import PARAMETERS

    print_line(f"{preset.name}  {preset.title}")
    print_line(f"  {preset.summary}")
    print_line(f"  {preset.region}; languages: {', '.join(preset.languages) or 'none'}")
    reasons = dict(preset.absent)
    for field in PARAMETERS:
        _line(field, getattr(preset, field), reasons.get(field, "not stated"))
    for mode in preset.modes:
        scale = " ".join(f"{cents:g}" for cents in mode.scale_cents.value) if mode.scale_cents else "scale absent"
        share = f"{mode.share.value:6.1%}" if mode.share else "      "
        print_line(f"  :{mode.name:22} {share}  {scale}  {mode.title}")
    for credit in preset.credits:
        print_line(f"  from {credit.corpus} ({credit.origin}; {credit.licence}): {credit.credit}")


def _line(field: str, parameter: Known[Any] | None, reason: str) -> None:
    if parameter is None:
        print_line(f"  {field:18} absent: {reason}")
        return
    count = f"n {parameter.n} {parameter.of}, " if parameter.n is not None else ""
    print_line(f"  {field:18} {_format_value(parameter.value)}  [{parameter.source}, {count}{parameter.reference}]")


def _format_value(value: Any) -> str:
    if isinstance(value, tuple):
        if value and isinstance(value[0], tuple):
            pairs = [f"{key} {_format_value(one)}" for key, one in value[:8]]
            return "  ".join(pairs) + ("  …" if len(value) > 8 else "")
        return " ".join(map(_format_value, value))
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else f"{value}"
