"""A preset as YAML that a reader can follow: one line a parameter, numbers to the digits that their n supports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from kelly_live.cultures.preset import FORMAT, MODE_PARAMETERS, PARAMETERS, CulturePreset, Known

_TABLES = {"metres", "intervals", "ornaments", "swing_by_tempo", "microtiming_ms", "groupings", "onset_profiles"}


def to_yaml(preset: CulturePreset, command: str) -> str:
    """The file's text; `command` is what made it."""
    return "\n".join(_lines(preset, command)) + "\n"


def _lines(preset: CulturePreset, command: str) -> Iterator[str]:
    yield f"# Made by `{command}`; aggregates only, no melody."
    yield "# Do not edit: measure again, or copy it into your own folder of presets (`kelly-live cultures` names it)."
    yield f"format: {FORMAT}"
    for name in ("name", "title", "summary", "region"):
        yield f"{name}: {_text(getattr(preset, name))}"
    yield f"languages: [{', '.join(_text(one) for one in preset.languages)}]"
    yield ""
    reasons = dict(preset.absent)
    for name in PARAMETERS:
        known = getattr(preset, name)
        if known is None:
            yield f"{name}: {{source: absent, reference: {_text(reasons[name])}}}"
        else:
            yield f"{name}: {_known(known, name)}"
    if preset.modes:
        yield ""
        yield "modes:"
    for mode in preset.modes:
        yield f"  {mode.name}:"
        yield f"    title: {_text(mode.title)}"
        for name in MODE_PARAMETERS:
            known = getattr(mode, name)
            if known is not None:
                yield f"    {name}: {_known(known, name)}"
    yield ""
    yield "credits:" if preset.credits else "credits: []"
    for credit in preset.credits:
        yield f"  - {{{', '.join(f'{key}: {_text(value)}' for key, value in asdict(credit).items())}}}"


def _known(known: Known[Any], name: str) -> str:
    count = f", n: {known.n}" if known.n is not None else ""
    of = f", of: {_text(known.of)}" if known.of else ""
    ground = f"source: {known.source}{count}{of}, reference: {_text(known.reference)}"
    return f"{{value: {_value(known.value, name)}, {ground}}}"


def _value(value: Any, name: str) -> str:
    if name in _TABLES:
        return "{" + ", ".join(f"{_text(key)}: {_value(one, '')}" for key, one in value) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(one, name) for one in value) + "]"
    return _text(value) if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    """Four digits behind the point for shares, two for what is over 10: finer than any corpus here."""
    return f"{round(float(value), 2 if abs(value) >= 10.0 else 4):g}" if abs(value) < 1e5 else str(int(value))


def _text(text: str) -> str:
    """JSON's quoting is YAML's; bare where that is plain."""
    plain = text.replace("-", "").replace("_", "")
    return (
        text
        if plain.isascii() and plain.isalpha() and text not in ("no", "yes", "on", "off", "null")
        else json.dumps(text, ensure_ascii=False)
    )
