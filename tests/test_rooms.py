"""The walls between the rooms, read off the import statements (see CONTRIBUTING.md)."""

import ast
from pathlib import Path

import pytest

import kelly_live

PACKAGE = Path(kelly_live.__file__).parent
GROUND = {
    "domain", "errors", "config", "timebase", "matching", "protocols", "steering", "atomic", "quiet", "level",
    "measures", "proportion", "safe_yaml", "shelf", "actions", "interpreter", "apart",
    "__version__",
}  # fmt: skip
ALLOWED = {
    "audio": GROUND,
    "analysis": GROUND | {"nets", "profiles"},
    "nets": GROUND,
    "music": GROUND,
    "generators": GROUND | {"music"},
    "midi": GROUND,
    "training": GROUND | {"analysis", "nets", "audio", "cultures", "profiles", "following"},
    "following": GROUND,
    "osc": GROUND,
    "ui": GROUND,
    "cultures": GROUND,
    "profiles": GROUND,
    "recording": GROUND | {"midi", "music", "session"},
}
TORCH_ROOMS = {"nets", "analysis", "training"}
# The conductor and its band ask generators through their contract, which lies with the generators.
DOORS = {("music/conductor.py", "generators"), ("music/band.py", "generators")}


def imported_modules(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "kelly_live":
                found |= {f"kelly_live.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return found


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_what_its_doors_allow(room: str) -> None:
    broken = []
    for file in sorted((PACKAGE / room).rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        for module in imported_modules(file):
            parts = module.split(".")
            if parts[0] != "kelly_live" or len(parts) < 2:
                continue
            if parts[1] not in ALLOWED[room] | {room} and (name, parts[1]) not in DOORS:
                broken.append(f"{name} imports {module}")
    assert not broken


def test_torch_stays_in_its_rooms() -> None:
    broken = []
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE)
        if name.parts[0] in TORCH_ROOMS:
            continue
        # cli/bench.py and friends import torch inside the function that needs it; a module-level import is a break.
        tree = ast.parse(file.read_text())
        for node in tree.body:
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            broken += [f"{name} imports {n}" for n in names if n.split(".")[0] == "torch"]
    assert not broken
