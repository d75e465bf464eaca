"""`kelly-live models`: the sets of models, what they are made of and may be used for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kelly_live.core.errors import ConfigError
from kelly_live.core.wording import join_words
from kelly_live.engine.options.click_options import (
    CheckedCommand,
    debug_option,
    models_option,
    print_json,
    print_line,
)

if TYPE_CHECKING:
    from kelly_live.core.model_licences import ModelPart, ModelTerms


@click.command("models", cls=CheckedCommand)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@models_option
@debug_option
def command(name: str | None, as_json: bool) -> None:
    """List the sets of models that --models takes, or show one with every source, its licence and its credit line.

    The set in use is that of --models, else of the environment's KELLY_LIVE_MODELS, else the default.
    """
    from kelly_live.core.model_licences import list_model_terms
    from kelly_live.core.resources import name_models

    in_use, sets = name_models(), list_model_terms()
    chosen = [one for one in sets if name in (None, one.name)]
    if not chosen:
        raise ConfigError(
            f"there are no models {str(name)[:60]!r}; there are {join_words([one.name for one in sets], 'and')}"
        )
    if as_json:
        print_json({"in_use": in_use, "sets": [_as_dict(one) for one in chosen]})
        return
    for one in chosen:
        print_line(f"{one.name}{' (in use)' if one.name == in_use else ''}: for {one.use}")
        for part in one.parts:
            print_line(_format_part(part))
        for part in _find_parts_elsewhere(one, sets):
            print_line(f"  no {part.name}: {part.what}; other models have it")
        if one.missing:
            print_line(f"  not whole yet: {join_words(list(one.missing), 'and')} missing")
        if name is not None:
            _print_sources(one)
    if name is None:
        print_line("`kelly-live models NAME` lists what a set was made from, with the credit lines")


def _find_parts_elsewhere(one: ModelTerms, sets: list[ModelTerms]) -> list[ModelPart]:
    """Return the parts that another set has and this one has not.

    None for a set that does not say what it has.
    """
    names = {part.name for part in one.parts}
    elsewhere = {part.name: part for other in sets for part in other.parts if part.name not in names}
    return list(elsewhere.values()) if names else []


def _format_part(part: ModelPart) -> str:
    size = part.size_bytes
    text = "missing" if size is None else f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
    note = "" if part.is_commercial else "  (not commercial)"
    return f"  {part.name:11} {text:>8}  {part.what}; {part.licence}{note}"


def _print_sources(one: ModelTerms) -> None:
    print_line("made from")
    for key, source in one.sources.items():
        parts = join_words([part.name for part in one.parts if key in part.sources], "and")
        print_line(f"  {source.name} ({parts}): {source.licence}{f' ({source.terms})' if source.terms else ''}")
        print_line(f"      {source.credit}{f' {source.address}' if source.address else ''}")


def _as_dict(one: ModelTerms) -> dict[str, Any]:
    return {
        "name": one.name,
        "use": one.use,
        "commercial_use": one.is_commercial,
        "missing": list(one.missing),
        "parts": [
            {
                "part": part.name,
                "what": part.what,
                "path": str(part.path),
                "bytes": part.size_bytes,
                "licence": part.licence,
                "commercial_use": part.is_commercial,
                "sources": list(part.sources),
            }
            for part in one.parts
        ],
        "sources": {
            key: {"name": s.name, "licence": s.licence, "terms": s.terms, "credit": s.credit, "address": s.address}
            for key, s in one.sources.items()
        },
    }
