"""Pieces read from a synthetic archive of POP909 and a synthetic folder of labelled MIDI."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import mido
import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.pieces import read_labelled, read_pop909

BEAT = 0.5  # seconds; the first downbeat is the second beat


def make_song_midi(bars: int = 8) -> bytes:
    """Create a melody note a beat and a chord of C major a bar, at 60 BPM for four beats, then 120."""
    tracks = [mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000), mido.MetaMessage("set_tempo",
              tempo=500_000, time=4 * 480)])]  # fmt: skip
    for name, notes in (("MELODY", [(b, (72, 74, 76, 77)[b % 4], 90) for b in range(4 * bars)]),
                        ("PIANO", [(4 * b, p, 60) for b in range(bars) for p in (48, 52, 55)])):  # fmt: skip
        events = sorted([(480 * b, 1, p, v) for b, p, v in notes] + [(480 * b + 400, 0, p, 0) for b, p, _ in notes])
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        now = 0
        for tick, on, pitch, velocity in events:
            kind = "note_on" if on else "note_off"
            track.append(mido.Message(kind, note=pitch, velocity=velocity, time=tick - now))
            now = tick
        tracks.append(track)
    data = io.BytesIO()
    mido.MidiFile(tracks=tracks, ticks_per_beat=480).save(file=data)
    return data.getvalue()


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    seconds = [float(b) if b <= 4 else 4.0 + BEAT * (b - 4) for b in range(32)]
    files = {
        "beat_midi.txt": "".join(f"{s} {float(b % 2 == 0)} {float(b % 4 == 0)}\n" for b, s in enumerate(seconds)),
        "beat_audio.txt": "".join(f"{s}\t{b % 4 + 1}.0\n" for b, s in enumerate(seconds)),
        "key_audio.txt": "0.0\t99.0\tC:maj\n",
        "chord_midi.txt": "0.0\t4.0\tC:maj\n4.0\t6.0\tA:min7\n6.0\t8.0\tN\n8.0\t10.0\tBb:sus2\n",
    }
    with tarfile.open(tmp_path / "pop909-index.tar.xz", "w:xz") as tar:
        for song in ("001", "002"):
            for name, content in {**files, f"{song}.mid": make_song_midi()}.items():
                data = content.encode() if isinstance(content, str) else content
                info = tarfile.TarInfo(f"pop909-index/POP909/{song}/{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return tmp_path


def test_a_song_is_read_in_beats_across_tempo_changes(corpora: Path) -> None:
    first, second = read_pop909(corpora)
    assert first.melody[:, 0].tolist() == pytest.approx(list(range(32)), abs=0.01)
    assert first.accompaniment[:3, 2].tolist() == [48, 52, 55]
    assert (first.tonic, first.mode, first.bars, first.is_performed) == (0, "ionian", True, False)
    assert [(c.start, c.end, c.root, c.major) for c in first.chords] == [
        (0.0, 4.0, 0, True), (4.0, 8.0, 9, False), (12.0, 16.0, 10, True),
    ]  # fmt: skip
    assert (first.held_out, second.held_out) == (True, False)


def test_one_clip_of_each_song_and_quadrant_is_read_and_its_beats_are_cached(tmp_path: Path) -> None:
    for name in ("1.mid", "2.mid", "3.mid"):
        (tmp_path / name).write_bytes(make_song_midi())
    rows = [
        {"dataset": "emopia", "midi_path": "1.mid", "song": "a", "quadrant": "Q2", "split": "val"},
        {"dataset": "emopia", "midi_path": "2.mid", "song": "a", "quadrant": "Q2", "split": "val"},
        {"dataset": "vgmidi", "midi_path": "3.mid", "series": "s", "split": "train", "valence": [0.5, 0.1],
         "arousal": [-0.5, -0.1]},
    ]  # fmt: skip
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pieces = list(read_labelled(tmp_path, tmp_path / "beats"))
    assert [(p.group, p.quadrant, p.held_out, p.is_performed) for p in pieces] == [
        ("emopia:a", "Q2", True, True), ("vgmidi:s", "Q4", False, False),
    ]  # fmt: skip
    assert [file.name for file in (tmp_path / "beats").iterdir()] == ["1.npy"]
    again = list(read_labelled(tmp_path, tmp_path / "beats"))
    assert all(np.array_equal(a.melody, b.melody) for a, b in zip(pieces, again, strict=True))


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pop909-index"):
        list(read_pop909(tmp_path))
    with pytest.raises(ConfigError, match=r"manifest\.jsonl"):
        list(read_labelled(tmp_path))
