"""Statistics and the human band, on music whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.symbolic_features import Score, read_score
from kelly_live.lab.judging import comparison as likeness
from kelly_live.lab.judging.baseline_composers import compose_by_rules, compose_random
from kelly_live.lab.judging.comparison import HumanReference, PieceStatistics


def make_score(notes: list[tuple[float, float, int]], bpm: float = 120.0) -> Score:
    """(beat, length, pitch) at a steady tempo, velocities that rise and fall."""
    beats, lengths, pitches = (np.array(column, dtype=np.float64) for column in zip(*sorted(notes), strict=True))
    second = 60.0 / bpm
    velocities = 60.0 + 10.0 * np.sin(np.arange(len(beats)))
    return Score(beats * second, (beats + lengths) * second, beats, pitches, np.rint(velocities), float(beats.max()))


SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
TUNE = [(0.5 * i, 0.4, SCALE[(3 * i) % 8] + 12) for i in range(64)]


def test_a_scale_of_seven_tones_and_one_of_two() -> None:
    even = likeness.compute_statistics(make_score([(0.5 * i, 0.4, SCALE[i % 7]) for i in range(70)]), "a")
    drone = likeness.compute_statistics(make_score([(0.5 * i, 0.4, 60 + 7 * (i % 2)) for i in range(70)]), "b")
    assert even.numbers["pitch-class entropy"] == pytest.approx(np.log2(7), abs=0.01)
    assert drone.numbers["pitch-class entropy"] == pytest.approx(1.0, abs=0.01)


def test_polyphony_is_weighted_by_time() -> None:
    """A melody note over three sustained ones: four sound for as long as it lasts."""
    long_chords = [(4.0 * bar, 4.0, pitch) for bar in range(8) for pitch in (48, 52, 55)]
    notes = [*long_chords, *((2.0 * i, 1.0, 72 + i % 3) for i in range(16))]
    voices = likeness.compute_statistics(make_score(notes), "a").histograms["polyphony"]
    assert voices[4] == pytest.approx(0.5, abs=0.05)
    assert voices[3] == pytest.approx(0.5, abs=0.05)


def make_accompanied(melody: list[int]) -> Score:
    """A quarter note each over C major, played on each half bar."""
    chords = [(2.0 * i, 1.9, pitch) for i in range(len(melody) // 2) for pitch in (36, 48, 52, 55)]
    return make_score([*chords, *((float(i), 0.9, pitch) for i, pitch in enumerate(melody))])


def test_chord_tones_of_a_melody_with_and_without_nonchord_tones() -> None:
    plain = likeness.compute_statistics(make_accompanied([72, 71, 76, 74] * 16), "a").numbers[
        "chord tones on strong beats"
    ]
    leaning = likeness.compute_statistics(make_accompanied([74, 72, 77, 76] * 16), "b").numbers[
        "chord tones on strong beats"
    ]
    assert plain > 0.9
    assert leaning < 0.1


def test_the_longest_repeat_is_counted_in_beats_and_in_the_same_key() -> None:
    theme = [(0.0, 60), (1.0, 64), (2.0, 67), (2.5, 65), (3.5, 62)]
    other = [(4.0, 61), (5.5, 66), (6.0, 70), (7.0, 59)]

    def longest(*statements: tuple[float, int]) -> float:
        notes = [(start + b, 0.4, p + up) for start, up in statements for b, p in theme]
        return likeness.find_longest_repeat(likeness.list_cells(make_score([*notes, *((b, 0.4, p) for b, p in other)])))

    assert longest((0.0, 0), (8.0, 0)) == pytest.approx(3.75)  # from its first note to its last one's quarter of a beat
    assert longest((0.0, 0), (8.0, 1)) < 1.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sets(st.integers(60, 64), max_size=2), min_size=2, max_size=40))
def test_a_repeat_never_overlaps_itself(music: list[set[int]]) -> None:
    cells = [frozenset(cell) for cell in music]
    assert likeness.find_longest_repeat(cells) <= len(cells) / 8.0
    if any(cells):
        assert likeness.find_longest_repeat(cells + cells) >= 0.25


def test_shared_notes_have_the_same_place() -> None:
    one, other = (
        likeness.list_cells(make_score(TUNE)),
        likeness.list_cells(make_score([(b, d, p + 1) for b, d, p in TUNE])),
    )
    assert likeness.compute_shared_notes(one, one) == 1.0
    assert likeness.compute_shared_notes(one, other) < 0.2


def test_repeated_bars_are_similar() -> None:
    bar = [(0.0, 60), (1.0, 64), (2.0, 67), (3.0, 72)]
    same = make_score([(4.0 * i + b, 0.9, p) for i in range(33) for b, p in bar])
    new = make_score(
        [(4.0 * i + b, 0.9, 48 + (7 * i + 5 * i * i * int(b + 1)) % 36) for i in range(33) for b, _ in bar]
    )
    assert likeness.compute_form_statistics(same, 4.0)["self-similarity, 32 bars"] == pytest.approx(1.0)
    assert likeness.compute_form_statistics(new, 4.0)["self-similarity, 32 bars"] < 0.4
    assert likeness.compute_form_statistics(make_score(TUNE), 4.0) == {}  # too short to have such a form


def test_a_piece_is_not_compared_with_its_own_song() -> None:
    """Two clips of one song are alike; against the others alone they differ."""
    a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    crowd = HumanReference([PieceStatistics("x", {"interval": a}, {}), PieceStatistics("x", {"interval": a}, {}),
                   PieceStatistics("y", {"interval": b}, {})])  # fmt: skip
    assert crowd.values(PieceStatistics("x", {"interval": a}, {})) == {"interval": 0.0}
    assert crowd.values(PieceStatistics("z", {"interval": a}, {})) == {"interval": pytest.approx(2 / 3)}


def test_the_band_contains_most_human_pieces_and_no_random_notes() -> None:
    people = [likeness.compute_statistics(compose_by_rules(0.5, 0.02 * i, i, 14), f"song {i}") for i in range(6)]
    thrown = [
        likeness.compute_statistics(compose_random(compose_by_rules(0.5, 0.02 * i, i, 14), i), f"r {i}")
        for i in range(2)
    ]
    lines = HumanReference(people).compare({"random": thrown})
    lines_by_key = {(line.statistic, line.music): line for line in lines}
    assert lines_by_key["pitch-class entropy", "people"].holds
    assert lines_by_key["pitch-class entropy", "people"].inside >= 0.5
    assert not lines_by_key["pitch-class entropy", "random"].holds
    assert "OUT" in likeness.format_comparison(lines)


def test_random_notes_keep_number_and_range() -> None:
    tune = make_score(TUNE)
    thrown = compose_random(tune, 1)
    assert len(thrown) == len(tune)
    assert thrown.pitches.min() >= tune.pitches.min()
    assert thrown.pitches.max() <= tune.pitches.max()
    assert sorted(np.round(thrown.offsets - thrown.onsets, 6)) == sorted(np.round(tune.offsets - tune.onsets, 6))


def write(path: Path, notes: Score) -> None:
    track = mido.MidiTrack()
    events = sorted(
        [(round(480 * b), 0, p, v) for b, p, v in zip(notes.beats, notes.pitches, notes.velocities, strict=True)]
        + [(round(480 * b) + 400, 1, p, 0) for b, p in zip(notes.beats, notes.pitches, strict=True)]
    )
    now = 0
    for tick, off, pitch, velocity in events:
        track.append(mido.Message("note_off" if off else "note_on", note=int(pitch), velocity=int(velocity),
                                  time=tick - now))  # fmt: skip
        now = tick
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(path)


def test_human_pieces_are_read_once_for_each_song_and_cached(tmp_path: Path) -> None:
    rows = [
        {"dataset": "emopia", "song": "a", "midi_path": "1.mid"},
        {"dataset": "emopia", "song": "a", "midi_path": "2.mid"},
        {"dataset": "vgmidi", "midi_path": "3.mid", "duration": 20.0},
    ]
    for row in rows:
        write(tmp_path / str(row["midi_path"]), compose_by_rules(0.5, 0.0, 1, 12))
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    people = likeness.read_human_statistics(tmp_path, tmp_path / "cache")
    assert [one.group for one in people] == ["emopia:a", "vgmidi:3.mid"]
    assert "velocity" not in people[1].histograms  # typed in, not played
    again = likeness.read_human_statistics(tmp_path, tmp_path / "cache")
    assert HumanReference(people).values(people[0]) == HumanReference(again).values(again[0])
    assert len(read_score(tmp_path / "1.mid")) > 100
    with pytest.raises(ConfigError, match=r"manifest\.jsonl"):
        likeness.read_human_statistics(tmp_path / "nowhere")
