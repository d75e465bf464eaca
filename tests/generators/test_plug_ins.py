"""Generators from elsewhere: the installed example package. Those that need others' libraries: tests/examples."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.generators import registry
from kelly_live.generators.host_preset import HostPreset, PresetPlayer, Setting, load_preset, read_preset
from kelly_live.generators.preset_band import PresetBand
from kelly_live.music.conductor import Conductor
from tests.music.band import RecordingSink, make_parameters

EXAMPLE = Path(__file__).parents[2] / "examples" / "kelly-live-ostinato"


def piece(host: PresetBand, *, seed: int = 3, bars: int = 8, density: float = 1.5) -> RecordingSink:
    sink = RecordingSink()
    Conductor(sink, host, seed=seed, tonic=0, length_bars=bars).play_through(make_parameters(density=density))
    host.close()
    assert host.muted == ()
    return sink


def alone(generator: str, *settings: str) -> PresetBand:
    preset = HostPreset("alone", "alone", (PresetPlayer(generator),))
    return PresetBand([preset], settings=[Setting.parse(f"{generator}.{one}") for one in settings])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install the example by pip into a folder that is then on the path, without the network."""
    pytest.importorskip("hatchling", reason="the example is built with hatchling: pip install -e '.[test]'")
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(folder), str(EXAMPLE)], check=True, timeout=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        importlib.invalidate_caches()
        yield folder
    sys.modules.pop("kelly_live_ostinato", None)


def test_the_example_is_found_by_its_entry_point_and_plays(installed: Path) -> None:
    assert "ostinato" in registry.list_names()
    (info,) = registry.describe_generators(["ostinato"])
    assert info.descriptor is not None
    assert (info.source.package, info.source.version) == ("kelly-live-ostinato", "0.1.0")
    assert info.source.plugin is None
    assert [one.name for one in info.descriptor.parameters] == ["pattern", "accent"]
    host = PresetBand([load_preset("band")], extra=["ostinato"])
    notes = piece(host).part("ostinato")
    assert len(notes) == 7 * 8 + 1  # eighths, and the closing bar's one note
    assert {n.channel for n in notes} == {7}
    assert {n.pitch % 12 for n in notes[-1:]} == {0}


def test_its_parameters_are_heard(installed: Path) -> None:
    plain, ascending, flat = (
        piece(alone("ostinato", *settings)).notes for settings in ((), ("pattern=rising",), ("accent=0",))
    )
    assert [n.pitch for n in plain] != [n.pitch for n in ascending]
    assert [round(2.0 * n.onset_beats) for n in plain] == [round(2.0 * n.onset_beats) for n in ascending]
    assert max(n.velocity for n in plain) > max(n.velocity for n in flat)
    with pytest.raises(ConfigError, match="pattern is 'falling'; it must be one of rocking, rising, tolling"):
        alone("ostinato", "pattern=falling")


def test_its_preset_contains_it_twice(installed: Path) -> None:
    sink = piece(PresetBand([read_preset(EXAMPLE / "my-band.yaml")]))
    assert {n.channel for n in sink.part("plucked")} == {7}
    assert {n.channel for n in sink.part("bells")} == {8}
    assert [n.pitch for n in sink.part("plucked")] != [n.pitch for n in sink.part("bells")]
