"""The drummer's tables are learned from strokes that are known here."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import mido
import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.drum_grooves import CORPUS, find_group, read_drum_grooves
from kelly_live.lab.training.drumming_card import train_drumming
from kelly_live.music.drumming import find_place, read_drumming

BARS, TICKS = 16, 480
BEHIND_MS = 12.0  # of the backbeat


def write_groove(drummer: int, bpm: float = 120.0) -> bytes:
    """A backbeat: firm on 2 and 4 and late, a ghost note in bar 2 of four, eighths on the hat, a fill in bar 4."""
    rng = np.random.default_rng(drummer)
    strokes: list[tuple[float, int, int]] = []
    late = BEHIND_MS / 1000.0 * bpm / 60.0
    for bar in range(BARS):
        start = 4.0 * bar
        strokes += [(start, 36, 90), (start + 2.0, 36, 90)]
        is_fill = bar % 4 == 3
        strokes += [(start + beat + late, 38, 120) for beat in (1.0, 3.0) if not (is_fill and beat == 3.0)]
        if bar % 4 == 1:
            strokes.append((start + 1.75, 38, 30))
        eighths = np.arange(0.0, 3.0 if is_fill else 4.0, 0.5)
        strokes += [(start + float(place), 42, int(rng.integers(60, 90))) for place in eighths]
        if is_fill:
            strokes += [(start + 3.0 + step / 4.0, 45, 100) for step in range(4)]
    track = mido.MidiTrack()
    now = 0
    for beat, key, velocity in sorted(strokes):
        tick = round(beat * TICKS)
        track.append(mido.Message("note_on", channel=9, note=key, velocity=velocity, time=tick - now))
        now = tick
    file = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=TICKS, tracks=[track]).save(file=file)
    return file.getvalue()


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    with tarfile.open(folder / f"{CORPUS}.tar.xz", "w:xz") as tar:
        for name, drummer in (
            ("1_1_dance-disco_120_beat_4-4", 1),
            ("2_1_country_120_beat_4-4", 2),
            ("1_2_jazz_120_beat_3-4", 3),
            ("1_3_jazz_120_fill_4-4", 4),
        ):
            data = write_groove(drummer)
            member = tarfile.TarInfo(f"{CORPUS}/midi/{name}.mid")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return folder


def test_grooves_in_four_four_are_read_and_fills_and_other_metres_left_out(corpora: Path) -> None:
    grooves = read_drum_grooves(corpora)
    assert [(groove.drummer, groove.group, groove.division) for groove in grooves] == [
        ("1", "backbeat", 4),
        ("2", "backbeat", 4),
    ]
    assert grooves[0].beat_seconds == 0.5


def test_an_archive_without_a_groove_says_which_one_to_take(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / f"{CORPUS}.tar.xz", "w:xz"):
        pass
    with pytest.raises(ConfigError, match=r"INDEX\.tsv"):
        read_drum_grooves(tmp_path)


@pytest.mark.parametrize(
    ("style", "group"),
    [("latin-brazilian-samba", "latin"), ("jazz-funk", "funk"), ("jazz-swing", "jazz"), ("jazz-march", None),
     ("afrocuban-bembe", "afro"), ("middleeastern", None)],
)  # fmt: skip
def test_a_style_belongs_to_a_group(style: str, group: str | None) -> None:
    assert find_group(style) == group


def test_the_tables_hold_what_was_played(corpora: Path, tmp_path: Path) -> None:
    out = tmp_path / "drumming.json"
    lines: list[str] = []
    result = train_drumming(corpora, out, command="a command", log=lines.append)
    tables = read_drumming(out)["backbeat"]
    backbeat, ghost = find_place(1.0), find_place(1.75)
    middle = len(tables.velocities["snare"][0]) // 2
    assert tables.velocities["snare"][backbeat][middle] == pytest.approx(1.0, abs=0.1)
    assert tables.velocities["snare"][ghost][middle] < 0.6
    assert 0.003 < tables.offsets["snare"][backbeat] <= BEHIND_MS / 1000.0
    assert tables.ghosts[ghost] > 0.1 > max(p for place, p in enumerate(tables.ghosts) if place != ghost)
    assert tables.fill_beats[1] > tables.fill_beats[2]
    assert tables.fill_rate > 0.05
    card = out.with_suffix(".md").read_text()
    assert "CC BY 4.0" in card
    assert "2 drummers" in card
    assert result.grooves["backbeat"] == 2
    assert any("drummer 2" in line for line in lines)


def test_one_drummer_is_too_few(corpora: Path, tmp_path: Path) -> None:
    from kelly_live.lab.training.drumming import MeasuredGroove
    from kelly_live.lab.training.drumming_card import train_from_grooves

    alone = [MeasuredGroove(groove) for groove in read_drum_grooves(corpora) if groove.drummer == "1"]
    with pytest.raises(ConfigError, match="two or more"):
        train_from_grooves(alone, tmp_path / "drumming.json", command="a command")
