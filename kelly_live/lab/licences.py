"""The packages that an installation brings: their licences as a table, and a bill of materials.

    python -m kelly_live.lab.licences docs/licences.md            # write the table of what is installed
    python -m kelly_live.lab.licences docs/licences.md --check    # or hold it against what is installed (in CI)
    python -m kelly_live.lab.licences --sbom sbom.json            # CycloneDX of the plain installation

Both follow the requirements of `kelly-live` through the metadata of what is installed here.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "kelly-live"
PLAIN = "plain"
# A package is listed with the first that brings it.
EXTRAS = (PLAIN, "lab", "isobar", "batch", "lsl", "test", "lint", "docs")
PERMISSIVE = re.compile(r"\b(MIT|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|HPND|Unlicense)\b", re.IGNORECASE)
COPYLEFT = re.compile(r"GPL|General Public", re.IGNORECASE)
# Used as it is, from its own shared library, which can be exchanged.
WEAK_COPYLEFT = {"soxr": "LGPL-2.1-or-later"}
# What PyTorch's CUDA build brings, under NVIDIA's terms; the CPU build has none of it.
NOT_LISTED = ("cuda-", "nvidia-", "triton")
_CLASSIFIER = "License :: OSI Approved :: "
_UNLICENSE = "This is free and unencumbered software"
_LONGEST = 80  # characters: some packages put the whole text there

HEAD = """# Licences of the dependencies

Made by `make licences`; CI holds it against what is installed. *plain* is what `pip install kelly-live` brings, the
others are extras. `make sbom` writes the plain installation, with versions, as CycloneDX. The licences are what each
package says of itself: the wheels of soundfile and soxr hold libsndfile and libsoxr (LGPL), which can be exchanged. The
CUDA build of PyTorch, which Linux takes from PyPI, brings NVIDIA's libraries under NVIDIA's terms; the CPU build none.

| package | licence | comes with |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package; `extra` is the first of EXTRAS that brings it, `needs` are canonical names."""

    name: str
    version: str
    licence: str
    extra: str
    needs: tuple[str, ...]

    def format_row(self) -> str:
        """Format the package's row of the table."""
        return f"| {self.name} | {self.licence} | {self.extra} |"


def list_packages(project: str = PROJECT) -> list[Package]:
    """List what is installed of the project's requirements, and of theirs, by name."""
    packages: dict[str, Package] = {}
    for extra in EXTRAS:
        pending = [(project, frozenset({"" if extra == PLAIN else extra}))]
        visited = set()
        while pending:
            name, extras = pending.pop()
            if (name, extras) in visited or name.startswith(NOT_LISTED):
                continue
            visited.add((name, extras))
            try:
                installed = distribution(name)
            except PackageNotFoundError:
                continue  # of an extra, or of a platform, that is not installed here
            required = _list_required(installed, extras)
            pending += required
            if name not in (*packages, project):
                needs = tuple(sorted({needed for needed, _ in required}))
                packages[name] = Package(name, installed.version, read_licence(installed), extra, needs)
    return sorted(packages.values(), key=lambda package: package.name)


def _list_required(installed: Distribution, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    return [
        (canonicalize_name(requirement.name), frozenset(requirement.extras) | {""})
        for requirement in map(Requirement, installed.requires or ())
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def read_licence(installed: Distribution) -> str:
    """Read the licence that a package states: its expression, its classifiers or its own words."""
    fields = installed.metadata.json
    classifiers = [line for line in fields.get("classifier", []) if line.startswith(_CLASSIFIER)]
    classified = "; ".join(sorted(line.removeprefix(_CLASSIFIER) for line in classifiers))
    licence = " ".join(str(fields.get("license_expression") or classified or fields.get("license") or "").split())
    return "Unlicense" if licence.startswith(_UNLICENSE) else licence[:_LONGEST].strip() or "not stated"


def find_faults(table: str, packages: Sequence[Package]) -> list[str]:
    """Find packages not in the table, licensed otherwise, or not permissive in the plain installation."""
    rows = dict(re.findall(r"^\| (\S+) \| (.+) \| \S+ \|$", table, re.MULTILINE))
    faults = []
    for package in packages:
        name, licence, was = package.name, package.licence, rows.get(package.name)
        if was is None:
            faults.append(f"{name} ({licence}) is a new dependency; read its licence, then run: make licences")
        elif was != licence:
            faults.append(f"{name} was {was}, now it is {licence}; read its licence, then run: make licences")
        if package.extra == PLAIN and not _is_allowed(package):
            faults.append(f"{name} is {licence}; the plain installation takes only permissive licences")
    return faults


def _is_allowed(package: Package) -> bool:
    is_permissive = PERMISSIVE.search(package.licence) and not COPYLEFT.search(package.licence)
    return bool(is_permissive) or WEAK_COPYLEFT.get(package.name) == package.licence


def create_bill(packages: Sequence[Package], version: str) -> dict[str, object]:
    """Create a CycloneDX 1.6 bill of materials of the plain installation."""
    plain = {package.name: package for package in packages if package.extra == PLAIN}
    references = {name: f"pkg:pypi/{name}@{package.version}" for name, package in plain.items()}
    needed_names = {name for package in plain.values() for name in package.needs}
    components = [
        {
            "type": "library",
            "bom-ref": references[package.name],
            "name": package.name,
            "version": package.version,
            "licenses": [{"license": {"name": package.licence}}],
            "purl": references[package.name],
        }
        for package in plain.values()
    ]
    tree = [
        {"ref": references[package.name], "dependsOn": [references[name] for name in package.needs if name in plain]}
        for package in plain.values()
    ]
    own_purl = f"pkg:pypi/{PROJECT}@{version}"
    roots = [references[name] for name in plain if name not in needed_names]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own_purl,
                "name": PROJECT,
                "version": version,
                "purl": own_purl,
            }
        },
        "components": components,
        "dependencies": [{"ref": own_purl, "dependsOn": roots}, *tree],
    }


def main(arguments: Sequence[str]) -> int:
    """Write or check the table, or write the bill; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kelly_live.lab.licences")
    parser.add_argument("table", nargs="?", type=Path, help="the Markdown file")
    parser.add_argument("--check", action="store_true", help="hold the table against what is installed")
    parser.add_argument("--sbom", type=Path, help="write CycloneDX JSON of the plain installation")
    options = parser.parse_args(arguments)
    packages = list_packages()
    if options.sbom:
        bill = create_bill(packages, distribution(PROJECT).version)
        options.sbom.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    if options.table and options.check:
        faults = find_faults(options.table.read_text(encoding="utf-8"), packages)
        print(*(f"{options.table}: {fault}" for fault in faults), sep="\n", end="\n" if faults else "", file=sys.stderr)
        return 1 if faults else 0
    if options.table:
        rows = "".join(package.format_row() + "\n" for package in packages)
        options.table.write_text(HEAD + rows, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
