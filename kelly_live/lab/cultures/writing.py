"""A preset as readable YAML: one line for each parameter, with as many digits as its n supports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from kelly_live.cultures.preset import FORMAT, MODE_PARAMETERS, PARAMETERS, CulturePreset, Known

_TABLES = {
    "metres",
    "intervals",
    "ornaments",
    "swing_by_tempo",
    "microtiming_ms",
    "groupings",
    "onset_profiles",
    "programs",
    "cells",
    "cadences",
}


def format_yaml(preset: CulturePreset, command: str) -> str:
    """Format a preset as YAML; `command` is the command that made it."""
    return "\n".join(_format_lines(preset, command)) + "\n"


def _format_lines(preset: CulturePreset, command: str) -> Iterator[str]:
    yield f"# Made by `{command}`; aggregates only, no melody."
    yield "# Do not edit: measure again, or copy it into your own folder of presets (`kelly-live cultures` names it)."
    yield f"format: {FORMAT}"
    for name in ("name", "title", "summary", "region"):
        yield f"{name}: {_quote(getattr(preset, name))}"
    yield f"languages: [{', '.join(_quote(one) for one in preset.languages)}]"
    yield ""
    reasons = dict(preset.absent)
    for name in PARAMETERS:
        parameter = getattr(preset, name)
        if parameter is None:
            yield f"{name}: {{source: absent, reference: {_quote(reasons[name])}}}"
        else:
            yield f"{name}: {_format_parameter(parameter, name)}"
    if preset.modes:
        yield ""
        yield "modes:"
    for mode in preset.modes:
        yield f"  {mode.name}:"
        yield f"    title: {_quote(mode.title)}"
        for name in MODE_PARAMETERS:
            parameter = getattr(mode, name)
            if parameter is not None:
                yield f"    {name}: {_format_parameter(parameter, name)}"
    yield ""
    yield "credits:" if preset.credits else "credits: []"
    for credit in preset.credits:
        yield f"  - {{{', '.join(f'{key}: {_quote(value)}' for key, value in asdict(credit).items())}}}"


def _format_parameter(parameter: Known[Any], name: str) -> str:
    count = f", n: {parameter.n}" if parameter.n is not None else ""
    of = f", of: {_quote(parameter.of)}" if parameter.of else ""
    ground = f"source: {parameter.source}{count}{of}, reference: {_quote(parameter.reference)}"
    return f"{{value: {_format_value(parameter.value, name)}, {ground}}}"


def _format_value(value: Any, name: str) -> str:
    if name in _TABLES:
        return "{" + ", ".join(f"{_quote(key)}: {_format_value(one, '')}" for key, one in value) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_format_value(one, name) for one in value) + "]"
    return _quote(value) if isinstance(value, str) else _format_number(value)


def _format_number(value: float) -> str:
    """Format a number with four decimals, or two over 10: finer than any corpus here."""
    return f"{round(float(value), 2 if abs(value) >= 10.0 else 4):g}" if abs(value) < 1e5 else str(int(value))


def _quote(text: str) -> str:
    """Quote a text as JSON does, which is YAML; plain words stay bare."""
    plain = text.replace("-", "").replace("_", "")
    return (
        text
        if plain.isascii() and plain.isalpha() and text not in ("no", "yes", "on", "off", "null")
        else json.dumps(text, ensure_ascii=False)
    )
