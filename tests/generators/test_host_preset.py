"""Host presets: the file decides who plays where and with which values; a broken rule is one line."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.generators import registry
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.host_preset import (
    DEFAULT,
    HostPreset,
    PresetPlayer,
    Setting,
    list_presets,
    load_preset,
    read_preset,
)
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.generators.preset_band import PresetBand, assign_slots
from kelly_live.music.band import PlayerState
from kelly_live.music.conductor import Conductor
from tests.music.band import RecordingSink, make_parameters, step

HEAD = "format: 1\ntitle: A test\n"


def preset(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def places(slots: Sequence[PlayerSlot]) -> list[tuple[str, str, int, int]]:
    return [(one.part, one.port, one.channel, one.program) for one in slots]


def piece(host: PresetBand, bars: int = 8) -> RecordingSink:
    sink = RecordingSink()
    Conductor(sink, host, seed=3, tonic=0, length_bars=bars).play_through(make_parameters(density=2.0))
    return sink


def test_every_shipped_preset_can_be_played() -> None:
    preset_files = list_presets()
    assert preset_files[0].name == DEFAULT
    assert {one.name for one in preset_files} >= {"band", "solo-piano", "strings", "minimal", "two-synths"}
    for one in preset_files:
        assert one.problem is None
        assert one.preset is not None
        host = PresetBand([one.preset])
        assert host.muted == ()
        assert {note.part for note in piece(host).notes} == {slot.part for slot in host.slots}
        assert host.muted == ()


def test_the_default_is_note_for_note_what_four_bare_players_play() -> None:
    """And says nothing to a port that they would not say: no program, no port."""
    sink = RecordingSink()
    bare = [
        loaded_generator.generator
        for loaded_generator in registry.load_generators(["bass", "chords", "melody", "percussion"])
    ]
    assert None not in bare
    Conductor(sink, GeneratorBand([one for one in bare if one]), seed=3, tonic=0, length_bars=8).play_through(
        make_parameters(density=2.0)
    )
    assert (
        piece(PresetBand([load_preset(DEFAULT)])).notes
        == piece(PresetBand([load_preset(DEFAULT)], live=True)).notes
        == sink.notes
    )


def test_a_file_says_part_channel_program_port_and_volume(tmp_path: Path) -> None:
    text = HEAD + (
        "ports:\n  far:\n    output: IAC Bus 2\n    clock: no\n"
        "players:\n"
        "  - generator: melody\n    part: tune\n    channel: 4\n    program: 73\n    port: far\n    volume: 0.5\n"
        "  - generator: bass\n"
    )
    read = read_preset(preset(tmp_path, text))
    assert (read.name, read.title) == ("mine", "A test")
    assert [(port.name, port.output, port.clock) for port in read.ports] == [("far", "IAC Bus 2", False)]
    tune, bass = assign_slots(read).slots
    assert (tune.part, tune.channel, tune.program, tune.port, tune.volume) == ("tune", 4, 73, "far", 0.5)
    assert tune.sends_program
    assert not bass.sends_program


def test_a_tradition_s_instruments_are_sent_but_a_program_of_the_preset_wins(tmp_path: Path) -> None:
    text = HEAD + "players:\n  - {generator: melody, program: 73}\n  - generator: chords\n  - generator: percussion\n"
    read, sitar = read_preset(preset(tmp_path, text)), {"melody": 104, "chords": 104}
    tune, chords, drums = assign_slots(read, programs=sitar).slots
    assert (tune.program, chords.program, drums.program) == (73, 104, 0)
    assert (tune.sends_program, chords.sends_program, drums.sends_program) == (True, True, False)
    assert {n.program for n in piece(PresetBand([read], programs=sitar, live=True)).part("chords")} == {104}


@pytest.mark.parametrize(
    ("body", "line", "complaint"),
    [
        ("players:\n  - generator: bass\n    chanel: 3\n", 5, "not known here"),
        ("players:\n  - generator: bass\n    channel: 17\n", 5, "from 1 to 16"),
        ("players:\n  - generator: bass\n    program: -1\n", 5, "from 0 to 127"),
        ("players:\n  - generator: bass\n    port: far\n", 5, "`ports` must declare it"),
        ("players:\n  - generator: bass\n  - generator: bass\n", 5, "is a second 'bass' (the first: line 4)"),
        ("players:\n  - part: bass\n", 4, "lacks `generator`"),
        ("players: []\n", 3, "must list 1 to 32 players"),
        ("players:\n  - generator: bass\n    volume: loud\n", 5, "must be a number"),
        ("ports:\n  far:\nplayers:\n  - generator: bass\n", 4, "has no player"),
        ("ports:\n  Far Out:\nplayers:\n  - generator: bass\n", 4, "a-z, 0-9"),
        ("players:\n  - generator: !!python/object bass\n", 4, "tag"),
    ],
)
def test_what_breaks_a_rule_is_named_with_file_line_and_field(
    tmp_path: Path, body: str, line: int, complaint: str
) -> None:
    path = preset(tmp_path, HEAD + body)
    with pytest.raises(ConfigError) as error:
        read_preset(path)
    assert f"{path} line {line}: " in str(error.value)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_two_sounds_on_one_channel_are_an_error_and_one_sound_is_shared(tmp_path: Path) -> None:
    two = "players:\n  - {generator: bass, channel: 3, program: 1}\n  - {generator: melody, channel: 3, program: 2}\n"
    with pytest.raises(ConfigError, match=r"line 5: .*channel 3 plays program 1 already, and 2 here"):
        assign_slots(read_preset(preset(tmp_path, HEAD + two)))
    one = two.replace("program: 2", "program: 1")
    assert [s.channel for s in assign_slots(read_preset(preset(tmp_path, HEAD + one))).slots] == [3, 3]


def test_a_generator_without_a_preset_channel_gives_way_to_one_that_is_there() -> None:
    players = (PresetPlayer("melody", channel=2, program=0), PresetPlayer("bass"))
    assert places(assign_slots(HostPreset("x", "x", players)).slots) == [("melody", "", 2, 0), ("bass", "", 1, 32)]


def test_in_a_file_the_players_of_two_ports_share_sixteen_channels_without_meeting() -> None:
    two = load_preset("two-synths")
    live = assign_slots(two).slots
    assert len({(s.port, s.channel) for s in live}) == 4
    assert {s.port for s in live} == {"", "backing"}
    filed = assign_slots(two, one_port=True).slots
    assert {s.port for s in filed} == {""}
    assert len({s.channel for s in filed}) == 4
    assert next(s.channel for s in filed if s.part == "percussion") == 10


def test_the_same_generator_twice_on_two_channels(tmp_path: Path) -> None:
    text = HEAD + (
        "players:\n"
        "  - {generator: chords, part: pad, channel: 4, program: 89}\n"
        "  - {generator: chords, part: organ, channel: 5, program: 19}\n"
    )
    sink = piece(PresetBand([read_preset(preset(tmp_path, text))]))
    pad, organ = sink.part("pad"), sink.part("organ")
    assert len(pad) == len(organ) > 20
    assert {n.channel for n in pad} == {4}
    assert {n.channel for n in organ} == {5}


def test_a_player_keeps_its_feel_whatever_its_slot_is_called(tmp_path: Path) -> None:
    """Drums keep the grid, a tune lies back by all that the timing asks, as right hand too."""
    text = HEAD + "players:\n  - {generator: melody, part: flute}\n  - {generator: percussion, part: kit}\n"
    renamed = PresetBand([read_preset(preset(tmp_path, text))])
    minimal_band = PresetBand([load_preset("minimal")], extra=["percussion"])
    late = make_parameters(behind=1.0, density=2.0)
    other_sink, sink = RecordingSink(), RecordingSink()
    Conductor(other_sink, renamed, seed=3, tonic=0, length_bars=4).play_through(late)
    Conductor(sink, minimal_band, seed=3, tonic=0, length_bars=4).play_through(late)
    for part, slot_name in (("melody", "flute"), ("percussion", "kit")):
        assert [n.onset_beats for n in other_sink.part(slot_name)] == [n.onset_beats for n in sink.part(part)]


def test_a_generator_that_is_not_installed_is_a_named_state_and_the_others_play(tmp_path: Path) -> None:
    path = preset(tmp_path, HEAD + "players:\n  - generator: theremin\n  - generator: bass\n")
    host = PresetBand([read_preset(path)])
    assert dict(host.states) == {"bass": PlayerState.PLAYING, "theremin": PlayerState.NOT_LOADED}
    assert "no generator 'theremin'" in host.muted[0].reason
    assert piece(host).part("bass")


def test_a_set_list_goes_on_and_back_at_bar_lines_without_a_gap() -> None:
    """Asked for in bar 1: band until its end, from bar 2 on minimal; all on absolute beats of one session."""
    host = PresetBand([load_preset("band"), load_preset("minimal")], live=True)
    sink = RecordingSink()
    conductor = Conductor(sink, host, seed=3, tonic=0)
    parameters = make_parameters(bpm=120.0, density=2.0)
    conductor.start(0.0, parameters)
    step(conductor, 0.0, 3.0, parameters)
    assert host.change_preset() == "minimal"
    step(conductor, 3.1, 7.0, parameters)
    assert host.change_preset() == "band"
    step(conductor, 7.1, 11.0, parameters)
    chords = [note.onset_beats for note in sink.part("chords")]
    assert not [beat for beat in chords if 8.2 <= beat < 15.8]
    assert [beat for beat in chords if beat < 7.9]
    assert [beat for beat in chords if beat > 15.8]
    bass = sorted(note.onset_beats for note in sink.part("bass"))
    assert all(after - before <= 4.0 for before, after in itertools.pairwise(bass))
    assert set(range(5)) <= {int(beat + 0.2) // 4 for beat in bass}


def test_the_next_preset_sends_a_program_where_the_last_one_did() -> None:
    """Back in the band after strings, channel 1 is sent its program, which the band alone never sends."""
    strings = HostPreset("strings", "x", (PresetPlayer("chords", channel=1, program=48),))
    host = PresetBand([strings, load_preset("band")], live=True)
    conductor = Conductor(sink := RecordingSink(), host, seed=3)
    conductor.start(0.0, make_parameters())
    host.change_preset()
    step(conductor, 0.0, 5.0, make_parameters())
    assert {note.program for note in sink.part("chords")} == {0}
    assert {note.program for note in sink.part("bass")} == {None}


def test_a_preset_that_cannot_be_loaded_leaves_the_old_one_in_force(tmp_path: Path) -> None:
    broken = preset(tmp_path, HEAD + "players:\n  - {generator: bass, set: {depth: 11}}\n")
    host = PresetBand([load_preset("band"), read_preset(broken)])
    with pytest.raises(ConfigError, match=r"line 4: .*there is no parameter 'depth'"):
        host.change_preset()
    assert host.preset_name == "band"


def test_a_setting_is_written_as_player_parameter_value() -> None:
    assert Setting.parse("right-hand.octave= -1 ") == Setting("right-hand", "octave", "-1")
    for wrong in ("octave=1", "melody.octave", "melody.=1", ".octave=1", "melody.octave="):
        with pytest.raises(ConfigError, match="PLAYER"):
            Setting.parse(wrong)
    with pytest.raises(ConfigError, match=r"there is no player 'flute'; there are bass, melody"):
        PresetBand([load_preset("minimal")], settings=[Setting("flute", "octave", "1")])


def test_generators_beside_the_preset_are_added_once() -> None:
    host = PresetBand([load_preset("minimal")], extra=["percussion", "bass", "percussion"])
    assert sorted(slot.part for slot in host.slots) == ["bass", "melody", "percussion"]


def test_a_users_own_preset_comes_before_the_shipped_one_of_its_name(tmp_path: Path) -> None:
    user_folder, shipped_folder = tmp_path / "own", tmp_path / "shipped"
    for folder, title in ((user_folder, "Mine"), (shipped_folder, "Theirs")):
        folder.mkdir()
        preset(folder, f"format: 1\ntitle: {title}\nplayers:\n  - generator: bass\n", "duo")
    preset(shipped_folder, "format: 2\n", "broken")
    duo, broken = sorted(list_presets([user_folder, shipped_folder]), key=lambda one: one.name, reverse=True)
    assert (duo.is_own, duo.preset and duo.preset.title) == (True, "Mine")
    assert broken.problem is not None
    assert load_preset("duo", [user_folder, shipped_folder]).title == "Mine"
