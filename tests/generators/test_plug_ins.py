"""Generators from elsewhere: the installed example package, and the isobar adapter."""

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
from kelly_live.music.band import PlayerState
from kelly_live.music.conductor import Conductor
from kelly_live.music.theory import Key, build_mode_scale
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


@pytest.fixture
def isobar() -> None:
    pytest.importorskip("isobar", reason="the adapter needs isobar: pip install -e '.[isobar]'")


@pytest.mark.usefixtures("isobar")
@pytest.mark.parametrize("figure", ["walk", "arpeggio", "fractal"])
def test_isobar_plays_in_the_key_the_same_for_a_seed_and_otherwise_for_another(figure: str) -> None:
    notes = piece(alone("isobar", f"figure={figure}")).notes
    assert len(notes) > 20
    assert {n.pitch % 12 for n in notes} <= set(Key(0, build_mode_scale("ionian")).pitch_classes)
    assert notes == piece(alone("isobar", f"figure={figure}")).notes
    assert notes != piece(alone("isobar", f"figure={figure}"), seed=4).notes


@pytest.mark.usefixtures("isobar")
def test_isobar_follows_density_and_its_own_octave() -> None:
    sparse, dense = (piece(alone("isobar"), density=density).notes for density in (0.4, 2.5))
    assert 0 < len(sparse) < len(dense)
    low, high = (piece(alone("isobar", f"octave={octave}")).notes for octave in (-2, 0))
    assert {b.pitch - a.pitch for a, b in zip(low, high, strict=True)} == {24}


def test_without_isobar_its_player_is_a_named_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isobar", None)
    monkeypatch.delitem(sys.modules, "kelly_live.generators.builtin.isobar_patterns", raising=False)
    band = alone("isobar")
    assert band.states == (("isobar", PlayerState.NOT_LOADED),)
    assert "pip install 'kelly-live[isobar]'" in band.muted[0].reason
