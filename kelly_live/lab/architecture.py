"""Draws the subpackages of the package and the imports between them, as CONTRIBUTING.md shows them.

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
GROUND = ("core", "workers")  # nearly every subpackage imports them: an arrow each would hide the rest


def list_subpackages(package: Path) -> list[str]:
    """List the subpackages: the folders of the package that hold Python code, by name."""
    return sorted(folder.name for folder in package.iterdir() if (folder / "__init__.py").is_file())


def find_imports(subpackages: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count the modules that import from another subpackage: importing -> imported -> number of modules."""
    import grimp

    graph = grimp.build_graph(PACKAGE)
    counts: dict[str, dict[str, int]] = {subpackage: {} for subpackage in subpackages}
    for module in sorted(graph.modules):
        subpackage = _find_subpackage(module)
        if subpackage not in counts:
            continue
        imports = {_find_subpackage(other) for other in graph.find_modules_directly_imported_by(module)}
        for other in subpackages:
            if other in imports and other != subpackage:
                counts[subpackage][other] = counts[subpackage].get(other, 0) + 1
    return counts


def rank_subpackages(imports: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Sort the subpackages into ranks: each imports only lower ranks. Raises ValueError on a circle."""
    ranks: list[list[str]] = []
    ranked_names: set[str] = set()
    while len(ranked_names) < len(imports):
        rank = [name for name in imports if name not in ranked_names and set(imports[name]) <= ranked_names]
        if not rank:
            raise ValueError(
                f"the subpackages {', '.join(sorted(set(imports) - ranked_names))} import each other in a circle"
            )
        ranks.append(rank)
        ranked_names.update(rank)
    return ranks


def describe_subpackage(folder: Path) -> str:
    """Return the summary line of a subpackage's docstring."""
    return (ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or "").partition("\n")[0]


def draw_picture(package: Path) -> str:
    """Draw the subpackages as a Mermaid flowchart and a table, top rank first."""
    subpackages = list_subpackages(package)
    imports = find_imports(subpackages)
    lines = ["```mermaid", "flowchart TD"]
    for rank in reversed(rank_subpackages(imports)):
        lines += [f"    {subpackage}[{subpackage}/]" for subpackage in rank]
    for subpackage in subpackages:
        lines += [f"    {subpackage} --> {other}" for other in imports[subpackage] if other not in GROUND]
    lines += ["```", "", "| subpackage | what it holds | imports |", "|---|---|---|"]
    for rank in reversed(rank_subpackages(imports)):
        for subpackage in rank:
            imported_names = ", ".join(imports[subpackage]) or "nothing of ours"
            lines.append(f"| `{subpackage}/` | {describe_subpackage(package / subpackage)} | {imported_names} |")
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
    new_document = replace_picture(document, draw_picture(Path(__file__).resolve().parents[1]))
    if options.check:
        if new_document != document:
            print(f"the picture in {options.document} is old; run `python -m kelly_live.lab.architecture`")
        return int(new_document != document)
    options.document.write_text(new_document, encoding="utf-8")
    print(f"{options.document}: the picture is drawn")
    return 0


def _find_subpackage(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


if __name__ == "__main__":
    sys.exit(main())
