"""A host preset is written as it plays, and read as the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.generators.host_preset import (
    EffectRequest,
    HostPreset,
    PresetPlayer,
    PresetPort,
    list_presets,
    load_preset,
    read_preset,
)
from kelly_live.generators.preset_band import PresetBand
from kelly_live.generators.preset_writer import format_preset
from kelly_live.music.conductor import Conductor
from tests.music.band import RecordingSink, make_parameters

SHIPPED = [one.preset for one in list_presets() if one.preset is not None and not one.is_own]
ODD = HostPreset(
    "odd",
    'A "title": # with - everything, 50%',
    (
        PresetPlayer("melody", "The lead, 2: yes", 3, 0, "low-end", 0.5, (("octave", "-1"),)),
        PresetPlayer("percussion", channel=10),
    ),
    (PresetPort("low-end", "IAC 'Bus' 1", False, -0.0125),),
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one's own presets."""
    folder = tmp_path / "hosts"
    for module in ("host_preset", "preset_writer"):
        monkeypatch.setattr(f"kelly_live.generators.{module}.user_folder", lambda: folder)
    return folder


def plain(preset: HostPreset) -> HostPreset:
    """Without the places in its file."""
    players = [
        replace(player, where="", effects=tuple(replace(effect, where="") for effect in player.effects))
        for player in preset.players
    ]
    return replace(preset, name="", players=tuple(players))


@pytest.mark.parametrize("preset", [*SHIPPED, ODD], ids=lambda preset: preset.name)
def test_it_is_read_as_it_was_written(preset: HostPreset, tmp_path: Path) -> None:
    file = tmp_path / "again.yaml"
    file.write_text(format_preset(preset), encoding="utf-8")
    assert plain(read_preset(file)) == plain(preset)


def test_what_was_set_while_it_played_plays_again_from_the_preset(own_folder: Path) -> None:
    band = PresetBand([load_preset("band")], effects=[EffectRequest("melody", "echo")])
    for address, value in (("melody.octave", 1), ("melody.echo.delay", "12.5%"), ("percussion.fills", False)):
        for change in band.resolve_setting(address, value):
            band.set_parameter(change)
    assert band.save_preset("mine") == (
        f"saved the preset mine ({own_folder / 'mine.yaml'}); play it with --preset mine"
    )
    saved = load_preset("mine")
    values = {player.generator: dict(player.values) for player in saved.players}
    assert values == {"chords": {}, "bass": {}, "melody": {"octave": "1"}, "percussion": {"fills": "off"}}
    again = PresetBand([saved])
    assert [(one.address, one.target) for one in again.parameters] == [
        (one.address, one.target) for one in band.parameters
    ]

    def play(band: PresetBand) -> RecordingSink:
        sink = RecordingSink()
        Conductor(sink, band, seed=3, tonic=0, length_bars=8).play_through(make_parameters())
        return sink

    assert play(band).notes == play(again).notes


def test_the_levels_of_the_mixer_are_kept_as_volumes(own_folder: Path) -> None:
    band = PresetBand(
        [replace(load_preset("band"), players=(PresetPlayer("bass", volume=0.8), PresetPlayer("chords")))]
    )
    band.save_preset("mine", {"bass": 0.5, "chords": 1.0})
    assert {player.generator: player.volume for player in load_preset("mine").players} == {"bass": 0.4, "chords": 1.0}


def test_no_preset_is_written_over_and_a_name_must_be_one(own_folder: Path) -> None:
    band = PresetBand([load_preset("minimal")])
    assert band.save_preset("strings").startswith("not saved: there is a preset strings already")
    assert band.save_preset("mine").startswith("saved")
    assert band.save_preset("mine").startswith("not saved: there is a preset mine already")
    assert band.save_preset("-up-").startswith("not saved: '-up-' is no name of a preset")
    assert sorted(file.name for file in own_folder.iterdir()) == ["mine.yaml"]
    with pytest.raises(ConfigError):
        load_preset("-up-")
