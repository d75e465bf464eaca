"""--tuning and --bend-range, from the command line to the file."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest
from click.testing import CliRunner, Result

from kelly_live.cli.compose import command
from kelly_live.core.commands import Tuning

TURKISH = ["--emotion", "sad", "--bars", "4", "--culture", "turkish-makam:hicaz"]


def compose(out: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--midi", str(out)])


def kinds(path: Path) -> set[str]:
    return {message.type for track in mido.MidiFile(path).tracks for message in track if not message.is_meta}


@pytest.mark.parametrize(
    ("arguments", "extra", "bend_ranges"),
    [
        ([], {"pitchwheel", "control_change"}, {2}),
        (["--tuning", "bend", "--bend-range", "48"], {"pitchwheel", "control_change"}, {48, 2}),  # 2 again at the end
        (["--tuning", "mpe"], {"pitchwheel", "control_change"}, {48}),
        (["--tuning", "mts"], {"sysex", "control_change"}, set()),
        (["--tuning", "off"], set(), set()),
    ],
)
def test_each_way_leaves_its_mark_in_the_file(
    tmp_path: Path, arguments: list[str], extra: set[str], bend_ranges: set[int]
) -> None:
    result = compose(tmp_path / "makam.mid", *TURKISH, *arguments, "--no-expression")
    assert result.exit_code == 0, result.output
    assert kinds(tmp_path / "makam.mid") == {"note_on", "note_off", "program_change"} | extra
    ranges = [m.value for t in mido.MidiFile(tmp_path / "makam.mid").tracks for m in t if m.is_cc(6)]
    if "pitchwheel" in extra:
        assert set(ranges) - {8} == bend_ranges  # 8: how many members an MPE zone has


def test_a_file_swells_unless_it_is_told_not_to(tmp_path: Path) -> None:
    happy = ("--emotion", "happy", "--bars", "2")
    for name, arguments in (("swells", ()), ("flat", ("--no-expression",))):
        assert compose(tmp_path / name, *happy, *arguments).exit_code == 0
    controllers = {
        name: {
            m.control for track in mido.MidiFile(tmp_path / name).tracks for m in track if m.type == "control_change"
        }
        for name in ("swells", "flat")
    }
    assert controllers == {"swells": {11, 74}, "flat": set()}
    swells, flat = (
        [m for t in mido.MidiFile(tmp_path / name).tracks for m in t if m.type in ("note_on", "note_off")]
        for name in ("swells", "flat")
    )
    assert [(m.note, m.velocity) for m in swells] == [(m.note, m.velocity) for m in flat]


def test_a_controller_that_is_sent_for_something_else_is_said(tmp_path: Path) -> None:
    result = compose(tmp_path / "x.mid", "--emotion", "happy", "--bars", "1", "--cc", "valence=11", "--cc-channel", "1")
    assert "controller 11 on channel 1 carries valence (--cc)" in result.output


def test_music_in_12_tet_is_the_same_file_however_it_would_be_tuned(tmp_path: Path) -> None:
    files = []
    for way in ("off", "bend", "mts"):
        assert compose(tmp_path / way, "--emotion", "happy", "--bars", "2", "--tuning", way).exit_code == 0
        files.append((tmp_path / way).read_bytes())
    assert files[0] == files[1] == files[2]


@pytest.mark.parametrize("way", ["off", "mts"])
def test_a_bend_range_without_a_bend_is_a_usage_error(tmp_path: Path, way: str) -> None:
    result = compose(tmp_path / "x.mid", *TURKISH, "--tuning", way, "--bend-range", "48")
    assert result.exit_code == 2
    assert f"no meaning with --tuning {way}" in result.output


def test_the_range_follows_the_way_unless_it_is_set() -> None:
    assert [Tuning("bend").bend_range, Tuning("mpe").bend_range, Tuning("mpe", 2).bend_range] == [2, 48, 2]
