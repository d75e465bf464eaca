"""Draws the rooms of the package and the imports between them, as CONTRIBUTING.md shows them.

`python -m kelly_live.lab.architecture` reads the import statements (by grimp, as import-linter does) and writes the
picture between the two markers of CONTRIBUTING.md; with `--check` it only says whether the picture there is true.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PACKAGE = "kelly_live"
BEGIN = "<!-- picture: made by `python -m kelly_live.lab.architecture` -->"
END = "<!-- end of picture -->"
GROUND = ("core", "workers")  # nearly every room imports them: an arrow each would hide the rest


def list_rooms(package: Path) -> list[str]:
    """List the rooms: the folders of the package that hold Python code, by name."""
    return sorted(folder.name for folder in package.iterdir() if (folder / "__init__.py").is_file())


def find_imports(rooms: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count the imports between rooms: room -> imported room -> number of importing modules."""
    import grimp

    graph = grimp.build_graph(PACKAGE)
    counts: dict[str, dict[str, int]] = {room: {} for room in rooms}
    for module in sorted(graph.modules):
        room = _find_room(module)
        if room not in counts:
            continue
        imported = {_find_room(other) for other in graph.find_modules_directly_imported_by(module)}
        for other in rooms:
            if other in imported and other != room:
                counts[room][other] = counts[room].get(other, 0) + 1
    return counts


def rank_rooms(imports: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Sort the rooms into ranks: each imports only rooms of lower ranks. Raises ValueError on a circle."""
    ranks: list[list[str]] = []
    placed: set[str] = set()
    while len(placed) < len(imports):
        rank = [room for room in imports if room not in placed and set(imports[room]) <= placed]
        if not rank:
            raise ValueError(f"the rooms {', '.join(sorted(set(imports) - placed))} import each other in a circle")
        ranks.append(rank)
        placed.update(rank)
    return ranks


def describe_room(folder: Path) -> str:
    """Return the summary line of a room's docstring."""
    return (ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or "").partition("\n")[0]


def draw_picture(package: Path) -> str:
    """Draw the rooms as a Mermaid flowchart and a table, top rank first."""
    rooms = list_rooms(package)
    imports = find_imports(rooms)
    lines = ["```mermaid", "flowchart TD"]
    for rank in reversed(rank_rooms(imports)):
        lines += [f"    {room}[{room}/]" for room in rank]
    for room in rooms:
        lines += [f"    {room} --> {other}" for other in imports[room] if other not in GROUND]
    lines += ["```", "", "| room | what it holds | imports |", "|---|---|---|"]
    for rank in reversed(rank_rooms(imports)):
        for room in rank:
            used = ", ".join(imports[room]) or "nothing of ours"
            lines.append(f"| `{room}/` | {describe_room(package / room)} | {used} |")
    return "\n".join(lines)


def replace_picture(document: str, picture: str) -> str:
    """Put the picture between the markers. Raises ValueError where they are missing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no place for the picture; put {BEGIN!r} and {END!r} into it")
    return f"{before}{BEGIN}\n\n{picture}\n\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the picture; 1 if `--check` finds an old one."""
    parser = argparse.ArgumentParser(prog="kelly_live.lab.architecture", description=__doc__)
    parser.add_argument("document", nargs="?", type=Path, default=Path("CONTRIBUTING.md"), help="[CONTRIBUTING.md]")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the picture is old")
    options = parser.parse_args(arguments)
    document = options.document.read_text(encoding="utf-8")
    drawn = replace_picture(document, draw_picture(Path(__file__).resolve().parents[1]))
    if options.check:
        if drawn != document:
            print(f"the picture in {options.document} is old; run `python -m kelly_live.lab.architecture`")
        return int(drawn != document)
    options.document.write_text(drawn, encoding="utf-8")
    print(f"{options.document}: the picture is drawn")
    return 0


def _find_room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


if __name__ == "__main__":
    sys.exit(main())
