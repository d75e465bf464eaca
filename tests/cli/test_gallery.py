"""Eight pieces as files, and one picture of them."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest

from kelly_live.cli import main
from kelly_live.engine import gallery
from kelly_live.ui.rolls import Roll, draw_rolls


def test_eight_pieces_to_hear_and_to_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gallery, "SECONDS", 4.0)
    monkeypatch.setattr(gallery, "QUADRANTS", {"happy": (0.5, 0.5), "sad": (-0.5, -0.5)})
    with pytest.raises(SystemExit) as exit_info:
        main(["gallery", str(tmp_path / "out"), "--sheet", str(tmp_path / "all.png")])
    assert exit_info.value.code in (0, None)
    file_names = sorted(path.name for path in (tmp_path / "out").iterdir())
    names = ("happy-band", "happy-solo-piano", "sad-band", "sad-solo-piano")
    assert file_names == sorted(f"{name}.{kind}" for name in names for kind in ("mid", "wav", "png"))
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")
    solo = mido.MidiFile(tmp_path / "out" / "happy-solo-piano.mid")
    assert not any(m.type == "note_on" and m.channel == 9 for track in solo.tracks for m in track)
    assert "BPM" in capsys.readouterr().out


def test_the_same_pieces_make_the_same_picture_and_others_another() -> None:
    roll = Roll("happy", "120 BPM", ((0.0, 1.0, 60, 90, "melody"), (0.5, 2.0, 48, 70, "harp")), 4.0)
    other = Roll("happy", "120 BPM", ((0.0, 1.0, 61, 90, "melody"),), 4.0)
    assert draw_rolls([roll, roll, roll], "x") == draw_rolls([roll, roll, roll], "x")
    assert draw_rolls([roll], "x") != draw_rolls([other], "x")
