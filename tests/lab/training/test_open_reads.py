"""While the set `open` is trained, no file of research data is read."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mido import Message, MetaMessage, MidiFile, MidiTrack
from safetensors.torch import save_file

from kelly_live.core.checkpoint import load_checkpoint
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import name_models
from kelly_live.lab.corpora.open_scores import extract_open_corpus
from kelly_live.lab.training import mapper as training
from kelly_live.lab.training.mapper import Recipe, train_open_mapper
from kelly_live.lab.training.open_reads import forbid_research_reads, is_research_data

RESEARCH_FILES = (
    "data/symbolic/manifest.jsonl", "symbolic/emopia/Q1_x.mid", "emotion/voice/ravdess_speech/Actor_01_x.opus",
    "emotion/voice/nemo_polish/a.opus", "voice/ased_amharic/a.opus", "music/emotify/1.opus", "vgmidi/a.mid",
    "cache/symbolic/measured-v10-1.jsonl", "models/research/mapper.safetensors", "emotify_listeners.csv",
)  # fmt: skip
HIGHEST = 90  # note of each tune, at its beginning
OPEN_FILES = ("open/openscore/midi/lc1.mid", "voice/emodb/03a01Fa.opus", "models/open/mapper.safetensors", "cues/a.csv")


@pytest.mark.parametrize("name", RESEARCH_FILES)
def test_a_read_of_research_data_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    with forbid_research_reads(), pytest.raises(ConfigError, match="research data; give it open data alone"):
        path.read_bytes()
    assert path.read_bytes() == b"x"  # afterwards it may be read again


@pytest.mark.parametrize("name", OPEN_FILES)
def test_open_data_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    with forbid_research_reads():
        assert path.read_bytes() == b"x"
        assert name_models() == "open"


def test_a_checkpoint_of_research_is_not_read_either(tmp_path: Path) -> None:
    path = tmp_path / "models" / "research" / "mapper.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"a": torch.zeros(1)}, path)
    with forbid_research_reads(), pytest.raises(ConfigError, match="research data"):
        load_checkpoint(path, "mapper")


def test_modules_of_ours_and_of_libraries_are_no_data() -> None:
    assert not is_research_data(Path(training.__file__))
    assert not is_research_data(Path(np.__file__))


def write_song(path: Path, *, beats_per_minute: float, velocity: int, tracks: tuple[str, ...], seed: int) -> None:
    """Write 12 bars of 4/4, quavers over chords, one track a name."""
    rng = np.random.default_rng(seed)
    song = MidiFile(ticks_per_beat=480)
    tempo = MidiTrack([MetaMessage("set_tempo", tempo=round(6e7 / beats_per_minute), time=0)])
    song.tracks.append(tempo)
    for number, name in enumerate(tracks):
        track = MidiTrack([MetaMessage("track_name", name=name, time=0)])
        for place in range(12 * 8 if number == 0 else 12 * 4):
            pitch = int(rng.choice([60, 62, 64, 65, 67, 69, 71])) + (7 if number == 0 else -12)
            if (number, place) == (0, 0):
                pitch = HIGHEST
            loud = velocity + int(rng.integers(-8, 9))
            length = 240 if number == 0 else 480
            track += [
                Message("note_on", note=pitch, velocity=loud, time=0),
                Message("note_off", note=pitch, velocity=0, time=length),
            ]
        song.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    song.save(path)


@pytest.fixture(scope="module")
def open_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny OpenScore and POP909, with research data beside them."""
    root = tmp_path_factory.mktemp("data")
    work = root / "work"
    rows = []
    for number in range(24):
        fast = number % 2 == 0
        name = f"lc{number}"
        write_song(
            work / "midi" / f"{name}.mid", beats_per_minute=140 if fast else 60, velocity=100 if fast else 50,
            tracks=("Voice", "Piano RH"), seed=number,
        )  # fmt: skip
        words = [[1, "arousal", "allegro" if fast else "langsam", 1.0 if fast else -1.0]]
        rows.append(
            {
                "id": name, "midi_path": f"midi/{name}.mid", "composer": f"composer {number // 2}",
                "time_signature": "4/4", "silent_parts": [], "tracks": 3, "metronome_agrees": True,
                "weak_words": words, "parts": ["Voice", "Piano RH"], "dynamics": [[1, "f" if fast else "p"]],
                 "weak_arousal_from": "heading", "weak_valence_from": None,
            }
        )  # fmt: skip
    folder = root / "open" / "openscore"
    folder.mkdir(parents=True)
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with tarfile.open(folder / "midi.tar.xz", "w:xz") as tar:
        tar.add(work / "midi", "midi")
    for number in range(12):
        song = work / "pop909-index" / "POP909" / f"{number:03}"
        write_song(song / f"{number:03}.mid", beats_per_minute=90, velocity=70, tracks=("MELODY", "PIANO"), seed=99)
        beats = [index * 60 / 90 for index in range(60)]
        (song / "beat_midi.txt").write_text("".join(f"{s:.3f} 0.0 {i % 4 == 0:.1f}\n" for i, s in enumerate(beats)))
        (song / "beat_audio.txt").write_text("".join(f"{s:.3f} {i % 4 + 1}.0\n" for i, s in enumerate(beats)))
        (song / "key_audio.txt").write_text("0.0 40.0 C:maj\n")
        (song / "chord_midi.txt").write_text("".join(f"{s:.3f} {s + 2.6:.3f} C:maj\n" for s in beats[::4]))
    (root / "cultures").mkdir()
    with tarfile.open(root / "cultures" / "pop909-index.tar.xz", "w:xz") as tar:
        tar.add(work / "pop909-index", "pop909-index")
    return root


@pytest.fixture(scope="module")
def trained(open_data: Path, tmp_path_factory: pytest.TempPathFactory) -> training.TrainingResult:
    """A mapper of the tiny corpora."""
    folder = tmp_path_factory.mktemp("trained")
    recipe = Recipe(hidden_dim=8, epochs=30, patience=30, learning_rate=0.02)
    with pytest.MonkeyPatch.context() as patch, forbid_research_reads():
        patch.setattr(training, "FOLDS", 2)
        return train_open_mapper(
            open_data / "open", open_data / "cultures", folder / "cache", folder / "mapper.safetensors", recipe
        )


def test_the_open_mapper_learns_from_open_data_alone(trained: training.TrainingResult) -> None:
    tempo = next(row for row in trained.evaluation.scores if row.parameter == "tempo")
    assert tempo.corpus > tempo.mapper  # allegro is faster than langsam, of composers held out too
    card = load_checkpoint(trained.path, "mapper").card
    assert card["corpora"] == ["pop909", "openscore"]
    assert set(card["rows"]["train"]) == {"pop909", "openscore"}
    assert card["rows"]["held out (manifest val)"] == {"openscore": 8}
    text = trained.card_path.read_text(encoding="utf-8")
    assert "OpenScore Lieder" in text
    assert "NC" not in text.partition("## Held-out scores")[0]


def test_a_window_has_the_register_of_its_whole_song(open_data: Path, tmp_path: Path) -> None:
    corpus = extract_open_corpus(open_data / "open", open_data / "cultures", tmp_path)
    assert {row.features.high for row in corpus.rows} == {HIGHEST}
    assert {row.dataset for row in corpus.rows} == {"openscore", "pop909"}


def test_training_that_would_read_research_data_stops(open_data: Path, tmp_path: Path) -> None:
    with forbid_research_reads(), pytest.raises(ConfigError, match="research data"):
        train_open_mapper(open_data / "open", open_data / "cultures", tmp_path / "symbolic", tmp_path / "mapper")
