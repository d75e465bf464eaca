"""The JSON schema of the messages between the host and a generator, made from their types.

`python -m kelly_live.generators.protocol_schema` writes it to docs/generator-protocol.schema.json.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from kelly_live.generators.wire import PROTOCOL, Request, Response

FILE = Path(__file__).parents[2] / "docs" / "generator-protocol.schema.json"


def build_schema() -> dict[str, Any]:
    """Build the schema: `$defs` holds every message, `Request` and `Response` are what may come each way."""
    (request, response), definitions = msgspec.json.schema_components(
        (Request, Response), ref_template="#/$defs/{name}"
    )
    for definition in definitions.values():  # Python 3.13 strips the indent of a docstring, older ones keep it
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"The messages between kelly-live and a generator, version {PROTOCOL}",
        "anyOf": [{"$ref": "#/$defs/Request"}, {"$ref": "#/$defs/Response"}],
        "$defs": {"Request": request, "Response": response, **dict(sorted(definitions.items()))},
    }


def format_schema() -> str:
    """Return the schema as the file has it."""
    return json.dumps(build_schema(), indent=1, sort_keys=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(format_schema(), encoding="utf-8")
