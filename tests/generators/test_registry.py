"""Generators come from entry points; one that fails is a named state, not a crash."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.plugins import Plugin
from kelly_live.generators import registry
from kelly_live.generators.descriptor import Descriptor

BUILT_IN = {"bass", "chords", "melody", "percussion"}


class NotAPlayer:
    pass


class Explodes:
    descriptor = Descriptor("explodes", "explodes", 5, 0)

    def __init__(self) -> None:
        raise RuntimeError("no")

    def generate(self) -> None:
        """Never asked."""

    def reset(self) -> None:
        """Never asked."""


def test_the_built_in_band_loads_by_the_same_entry_points() -> None:
    assert set(registry.list_names()) >= BUILT_IN
    loaded_generators = registry.load_generators(sorted(BUILT_IN))
    assert [f.name for f in loaded_generators] == sorted(BUILT_IN)
    assert all(f.problem is None and f.generator and f.generator.descriptor.name == f.name for f in loaded_generators)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no generator 'theremin'.*melody"):
        registry.load_generators(["theremin"])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("kelly_live.no_such_module:X", "ModuleNotFoundError"),
        ("kelly_live.generators.builtin.bass:NoSuchClass", "AttributeError"),
        (f"{__name__}:Explodes", "RuntimeError: no"),
        (f"{__name__}:NotAPlayer", "lacks `descriptor`"),
    ],
)
def test_one_that_does_not_load_says_why(monkeypatch: pytest.MonkeyPatch, value: str, problem: str) -> None:
    targets = {"bass": "kelly_live.generators.builtin.bass:BassGenerator", "broken": value}
    plugins = {
        name: Plugin(name, target, "a-package", "1.0", EntryPoint(name, target, registry.GROUP))
        for name, target in targets.items()
    }
    monkeypatch.setattr(registry, "find_plugins", lambda group: plugins)
    bass, broken = registry.load_generators()
    assert bass.generator is not None
    assert broken.generator is None
    assert broken.problem is not None
    assert problem in broken.problem
    assert "\n" not in broken.problem


def test_listing_names_loads_no_generator() -> None:
    program = (
        "import sys; from kelly_live.generators import registry; registry.list_names(); "
        "print([m for m in sys.modules if m in ('kelly_live.generators.builtin.chords', 'torch', 'numpy')])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
