"""The melody transformer: what it is given, that it learns and resumes, and that numpy plays what it learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kelly_live.core.checkpoint import load_checkpoint
from kelly_live.lab.nets.melody import MelodyNet
from kelly_live.lab.training import melody as training
from kelly_live.lab.training.melody_data import Song, build_run_filter, encode_piece
from kelly_live.music import melody_net
from tests.lab.training.test_vocabulary import make_song

SETTINGS = training.Settings(minutes=1.0, patience=2, window=32, batch=4, steps=2, warm_up=2)


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    encoded = [encode_piece(make_song(number, held_out=number >= 12)) for number in range(14)]
    return [song for song in encoded if song is not None]


def test_a_song_is_in_steps_of_its_scale_around_its_middle(songs: list[Song]) -> None:
    song = songs[0]
    assert song.places[:5].tolist() == [0, 4, 6, 8, 12]
    assert abs(float(np.median(song.steps)) - melody_net.MIDDLE) <= 3.5
    assert song.chords[:2, 0].tolist() == [0, 0]
    assert song.conditions[:, 0] == pytest.approx(20 / 32)


def test_a_phrase_refers_to_an_earlier_one_that_it_repeats() -> None:
    piece = make_song(1)
    piece.melody[20:40, 2] = piece.melody[:20, 2]
    song = encode_piece(piece)
    assert song is not None
    assert (song.references[1], song.likeness[1]) == (0, 3)


def test_the_filter_knows_every_run_of_over_a_bar_and_hardly_any_other(songs: list[Song]) -> None:
    runs = np.unpackbits(build_run_filter(songs[:1]), bitorder="little")

    def is_known(run: list[tuple[int, int]]) -> bool:
        return all(runs[bit] for bit in melody_net.hash_run(run, len(runs)))

    line = [(int(interval), int(gap)) for interval, gap in songs[0].line]
    assert is_known(line[:6])  # 20 sixteenths
    assert not is_known([(interval + 1, gap) for interval, gap in line[:6]])


def test_training_learns_and_goes_on_where_it_stopped(songs: list[Song], tmp_path: Path) -> None:
    torch.set_num_threads(1)
    lines: list[str] = []
    path = tmp_path / "state.pt"
    net = training.train_melody(songs, path, SETTINGS, resume=False, log=lines.append)
    untrained = training.score_songs(MelodyNet(), songs, 32, has_conditions=True, has_references=True)
    trained = training.score_songs(net, songs, 32, has_conditions=True, has_references=True)
    assert sum(trained) < sum(untrained)
    rounds = len(lines) - 1
    training.train_melody(songs, path, SETTINGS, resume=True, log=lines.append)
    assert not any(line.startswith("round 1 ") for line in lines[rounds + 1 :])


def test_numpy_plays_what_torch_learned(songs: list[Song], tmp_path: Path) -> None:
    torch.manual_seed(1)
    net, out = MelodyNet(width=32, layers=2, heads=2).eval(), tmp_path / "melody.safetensors"
    result = training.write_melody(net, songs, SETTINGS, out, "make it")
    assert "make it" in out.with_suffix(".md").read_text()
    assert result.songs == (10, 2, 2)
    played = melody_net.MelodyNet.from_checkpoint(load_checkpoint(out, melody_net.NAME))
    window = training.build_window(songs[0], 8, 24)
    inputs = [torch.from_numpy(part)[None] for part in window[:5]]
    with torch.inference_mode():
        gaps, rests, steps = (part[0].numpy() for part in net(*inputs))
    for index in range(24):
        played.add_note(window.notes[index], window.features[index], int(window.places[index]))
        assert played.score_gaps() == pytest.approx(gaps[index], abs=0.02)  # half precision
        assert played.score_rests(int(window.following[index, 0])) == pytest.approx(rests[index], abs=0.02)
        answer = played.score_steps(window.following[index], window.next_features[index])
        assert answer == pytest.approx(steps[index], abs=0.02)
