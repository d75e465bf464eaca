"""Write the package of a new generator: a bass line that plays at once, its test, and how to install it."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from kelly_live.core.errors import ConfigError, OutputError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 40

_MODULE = '''"""$title: a generator for kelly-live."""

from collections.abc import Iterator

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, Parameter, compute_velocity

LOWEST = 36  # the C two octaves below middle C
FIFTH = 7  # semitones


class $class_name(BarPlayer):
    """The root of the chord on the first beat of a bar, and the fifth half-way through it."""

    descriptor = Descriptor(
        name="$name",
        part="$name",
        channel=8,
        program=33,  # a General MIDI program, from 0: fingered bass
        help="root and fifth",
        parameters=(Parameter("octave", 0, "play higher", low=0, high=2, unit="octaves"),),
    )

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes that start in a bar."""
        start = float(bar * context.beats_per_bar)
        half = context.beats_per_bar / 2
        yield self._note(parameters, context, start, half, above_root=0)
        if not context.closing:
            yield self._note(parameters, context, start + half, half, above_root=FIFTH)

    def _note(
        self, parameters: MusicParameters, context: MusicContext, beat: float, beats: float, *, above_root: int
    ) -> NoteEvent:
        chord = context.chord_at(beat)
        root = chord.key.note(chord.root)  # `cents` beside the pitch: a tradition's scale may have its own tuning
        return NoteEvent(
            onset_beats=beat,
            duration_beats=0.9 * beats,
            pitch=LOWEST + root.pitch % 12 + above_root + 12 * int(self.number("octave")),
            cents=root.cents,
            velocity=compute_velocity(parameters, context, "$name", beat),
            channel=self.descriptor.channel,
            part=self.descriptor.part,
        )
'''

_TEST = '''"""Given this chord, these notes."""

from $module import $class_name
from kelly_live.testing import assert_conforms, make_context, make_parameters, play


def test_it_keeps_the_contract() -> None:
    assert_conforms($class_name)


def test_a_bar_has_the_root_and_the_fifth() -> None:
    context = make_context(tonic=0)
    notes = play($class_name(), make_parameters(), context)
    start = context.phrase.start_beat
    root = context.chord_at(start).pitch_classes[0]
    assert [(note.onset_beats - start, note.pitch % 12) for note in notes[:2]] == [
        (0.0, root),
        (2.0, (context.chord_at(start + 2.0).pitch_classes[0] + 7) % 12),
    ]
'''

_PYPROJECT = """[build-system]
requires = ["hatchling>=1.24"]
build-backend = "hatchling.build"

[project]
name = "$package"
version = "0.1.0"
description = "A generator for kelly-live."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["kelly-live"]

[project.entry-points."kelly_live.generators"]
$name = "$module:$class_name"

[tool.hatch.build.targets.wheel]
only-include = ["$module.py"]

[tool.pytest.ini_options]
pythonpath = ["."]
"""

_README = """# $package

A generator for [kelly-live](https://pypi.org/project/kelly-live/).

```
pip install --editable .
kelly-live compose --emotion happy --with $name --midi out.mid
python -m pytest
```
"""


def write_package(name: str, folder: Path) -> tuple[Path, ...]:
    """Write the package `kelly-live-NAME` into a folder, and return its files: the module first.

    Raises ConfigError for a name that is none, or if the package's folder exists; OutputError if it cannot be written.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ConfigError(
            f"{name[:60]!r} is no name for a generator; it must be words of a-z and 0-9 with single hyphens, "
            f"{_LONGEST_NAME} characters at most"
        )
    package = f"kelly-live-{name}"
    module = package.replace("-", "_")
    target = folder / package
    if target.exists():
        raise ConfigError(f"{target} exists already; choose another name, or remove it")
    words = {
        "name": name,
        "title": name.replace("-", " ").capitalize(),
        "package": package,
        "module": module,
        "class_name": "".join(word.capitalize() for word in name.split("-")),
    }
    files = {
        f"{module}.py": _MODULE,
        f"tests/test_{module}.py": _TEST,
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
    }
    try:
        for path, text in files.items():
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(Template(text).substitute(words), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}; choose another folder with --into") from error
    return tuple(target / path for path in files)
