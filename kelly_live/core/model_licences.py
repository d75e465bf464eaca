"""What a set of models is made of, and under what terms: its `licences.json`.

`kelly_live.lab.model_terms` writes the file; `kelly-live models` prints it. A part is a file of the set (or one that
all sets share) with its licence and the sources that it was made from, each with its own licence and credit line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import MODEL_SETS, find_model_set, find_resources, locate_model_file, name_models

FILE = "licences.json"
FORMAT = "kelly-live-models/1"
MAX_BYTES = 1 << 20
_PACKAGE = "kelly_live/"  # begins the path of a part that lies beside the code, in every installation


@dataclass(frozen=True, slots=True)
class ModelSource:
    """What a part was made from: its SPDX licence (or a LicenseRef with `terms`), credit line and address."""

    name: str
    licence: str
    credit: str
    address: str = ""
    terms: str = ""


@dataclass(frozen=True, slots=True)
class ModelPart:
    """A part of a set: `path` may lie in another set. `sources` are keys of the set's sources."""

    name: str
    what: str
    path: Path
    licence: str
    is_commercial: bool
    sources: tuple[str, ...]

    @property
    def size_bytes(self) -> int | None:
        """The size of the file; None where it is missing."""
        return self.path.stat().st_size if self.path.is_file() else None


@dataclass(frozen=True, slots=True)
class ModelTerms:
    """A set: what it may be used for in a line, its parts, and the sources of all of them."""

    name: str
    use: str
    is_commercial: bool
    parts: tuple[ModelPart, ...]
    sources: Mapping[str, ModelSource]

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts whose files are not there."""
        return tuple(part.name for part in self.parts if part.size_bytes is None)


def list_model_terms() -> list[ModelTerms]:
    """List the shipped sets that are installed, and the one in use where it is the user's own. Raises ConfigError."""
    sets = []
    for name in MODEL_SETS:
        try:
            folder = find_model_set(name)
        except ConfigError:
            continue
        sets.append(read_model_terms(folder, name))
    if name_models() not in MODEL_SETS:
        own = find_resources("models")
        terms = read_model_terms(own, name_models()) if (own / FILE).is_file() else None
        sets.append(terms or ModelTerms(str(own), f"not known: there is no {FILE} in it", False, (), {}))
    return sets


def read_terms_in_use() -> ModelTerms | None:
    """Read the terms of the set in use; None where it has no licences.json. Raises ConfigError."""
    folder = find_resources("models")
    return read_model_terms(folder, name_models()) if (folder / FILE).is_file() else None


def read_model_terms(folder: Path, name: str) -> ModelTerms:
    """Read the terms of the set in a folder. Raises ConfigError if the file is missing or damaged."""
    path = folder / FILE
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path} is over {MAX_BYTES >> 20} MB; it is not kelly-live's: reinstall")
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ConfigError(f"{path} is not of {FORMAT}, which this kelly-live reads; reinstall")
        return ModelTerms(
            name=name,
            use=str(content["use"]),
            is_commercial=content["commercial_use"] is True,
            parts=tuple(_read_part(folder, fields) for fields in content["parts"]),
            sources={
                str(key): ModelSource(**{field: str(value) for field, value in fields.items()})
                for key, fields in content["sources"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(repr(error).split())[:200]
        raise ConfigError(f"{path} is missing or damaged ({reason}); reinstall kelly-live") from error


def _read_part(folder: Path, fields: Mapping[str, Any]) -> ModelPart:
    file = str(fields["file"])
    if file.startswith(_PACKAGE):
        path = Path(__file__).resolve().parents[1] / file.removeprefix(_PACKAGE)
    else:
        path = locate_model_file(folder, file) if fields.get("shared") is True else folder / file
    return ModelPart(
        str(fields["part"]), str(fields["what"]), path, str(fields["licence"]), fields["commercial_use"] is True,
        tuple(map(str, fields["sources"])),
    )  # fmt: skip
