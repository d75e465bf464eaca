"""Features of music whose tempo, mode and timing are known, because the tests wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.key_profiles import modal_profiles
from kelly_live.core.values import MODES, RHYTHMS
from kelly_live.lab.corpora import symbolic_features as symbolic
from kelly_live.lab.corpora.symbolic_features import (
    extract_corpus,
    extract_features,
    find_skyline,
    read_score,
)
from kelly_live.lab.rhythm_weights import rhythm_weights

Note = tuple[float, float, int, int]  # onset and duration in beats, pitch, velocity

STEPS = {
    "ionian": (0, 2, 4, 5, 7, 9, 11),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
TUNE = (0, 1, 2, 3, 4, 2, 1, 4, 5, 4, 3, 2, 1, 6, 1, 0)


def write_midi(path: Path, notes: list[Note], bpm: float = 120.0, channel: int = 0) -> Path:
    """Notes as a MIDI file of one track."""
    midi = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    events = [(round(o * 480), 1, p, v) for o, _, p, v in notes]
    events += [(round((o + d) * 480), 0, p, 0) for o, d, p, _ in notes]
    now = 0
    for tick, on, pitch, velocity in sorted(events):
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=velocity, channel=channel, time=tick - now))
        now = tick
    midi.tracks.append(track)
    midi.save(path)
    return path


def make_melody(mode: str, tonic: int = 60, velocity: int = 80, bars: int = 8, drone: bool = False) -> list[Note]:
    """A melody of quarters, ending on the tonic, over a bass of I IV V I or a drone of tonic and fifth."""
    steps, notes = STEPS[mode], []
    for beat in range(4 * bars):
        degree = TUNE[beat % len(TUNE)]
        notes.append((float(beat), 0.9, tonic + 12 * (degree // 7) + steps[degree % 7], velocity + beat % 7))
    for bar in range(bars):
        root = (0, 3, 4, 0)[bar % 4] if not drone else 0
        notes += [(4.0 * bar + half, 1.9, tonic - 24 + steps[root], velocity) for half in (0.0, 2.0)]
        notes += [(4.0 * bar, 3.9, tonic - 17, velocity)] if drone else []
    return notes


def test_a_c_major_tune_at_120_is_ionian_at_120(tmp_path: Path) -> None:
    score = read_score(write_midi(tmp_path / "c.mid", make_melody("ionian"), bpm=120))
    for is_notated in (True, False):  # by the file's tempo map, and by ear
        features = extract_features(score, is_notated=is_notated)
        assert features.tempo == pytest.approx(120.0, rel=0.03)
        assert MODES[int(np.argmax(features.modes))] == "ionian"
        assert max(features.modes) > 0.7
        assert features.onsets_per_beat == pytest.approx(1.0, abs=0.1)
        assert features.low <= features.centre <= features.high
        assert 60 <= features.centre <= 72


def test_a_slow_soft_a_minor_tune_is_aeolian_slow_and_soft(tmp_path: Path) -> None:
    score = read_score(write_midi(tmp_path / "a.mid", make_melody("aeolian", tonic=57, velocity=30), bpm=66))
    features = extract_features(score, is_notated=False)
    assert features.tempo == pytest.approx(66.0, rel=0.03)
    assert MODES[int(np.argmax(features.modes))] == "aeolian"
    assert features.ceiling is not None
    assert features.ceiling < 0.35


@pytest.mark.parametrize("mode", STEPS)
@pytest.mark.parametrize("tonic", [55, 60, 66])
def test_the_mode_of_a_melody_over_a_drone_is_estimated_in_any_key(tmp_path: Path, mode: str, tonic: int) -> None:
    features = extract_features(
        read_score(write_midi(tmp_path / "m.mid", make_melody(mode, tonic, drone=True))), is_notated=True
    )
    weights = dict(zip(MODES, features.modes, strict=True))
    assert weights[mode] == max(weights.values())


def test_a_modal_profile_gives_its_own_notes_the_seven_largest_weights() -> None:
    for name in ("ionian", "dorian", "phrygian", "lydian", "mixolydian"):
        profile = modal_profiles()[MODES.index(name)]
        steps = STEPS.get(name, (0, 2, 3, 5, 7, 9, 10))
        assert set(np.argsort(profile)[-7:]) == set(steps), name


@pytest.mark.parametrize(
    ("gaps", "pattern"),
    [
        ([0.5] * 24, "straight"),
        ([0.75, 0.25] * 12, "dotted"),
        ([0.5, *[1.0] * 16], "syncopated"),
        ([1 / 3] * 24, "triplet"),
        ([2.0] * 16, "sustained"),
    ],
)
def test_each_rhythm_has_the_largest_weight(gaps: list[float], pattern: str) -> None:
    weights = rhythm_weights(np.cumsum([0.0, *gaps]))
    assert RHYTHMS[int(np.argmax(weights))] == pattern
    assert sum(weights) == pytest.approx(1.0)


def test_the_skyline_is_the_melody_and_not_the_notes_below(tmp_path: Path) -> None:
    long_notes = [(0.0, 4.0, 79, 80), (4.0, 4.0, 77, 80)]
    below = [(float(beat), 0.9, 60 + beat % 3, 80) for beat in range(8)]
    score = read_score(write_midi(tmp_path / "s.mid", long_notes + below))
    assert score.pitches[find_skyline(score)].tolist() == [79, 77]


def test_late_playing_is_behind_and_early_is_ahead() -> None:
    steady = np.arange(40.0)
    late = np.where(np.arange(40) % 3 == 0, steady + 0.08, steady)
    shares = symbolic.compute_timing_shares(late, 0.5)
    assert shares is not None
    behind, on, ahead = shares
    assert behind == pytest.approx(14 / 40)
    assert ahead == 0.0
    assert on > behind
    mirrored = symbolic.compute_timing_shares(2 * steady - late, 0.5)
    assert mirrored == pytest.approx((ahead, on, behind))
    assert symbolic.compute_timing_shares(steady, 0.5) is None  # quantised: no feel to measure


def test_constant_velocities_give_no_dynamics(tmp_path: Path) -> None:
    flat = [(onset, length, pitch, 100) for onset, length, pitch, _ in make_melody("ionian")]
    features = extract_features(read_score(write_midi(tmp_path / "f.mid", flat)), is_notated=True)
    assert features.floor is features.level is features.ceiling is features.variation is None


def test_percussion_is_left_out_and_unended_notes_last_to_the_end(tmp_path: Path) -> None:
    assert len(read_score(write_midi(tmp_path / "drums.mid", make_melody("ionian"), channel=9))) == 0
    midi = mido.MidiFile()
    midi.tracks.append(
        mido.MidiTrack([mido.Message("note_on", note=60, velocity=64), mido.Message("note_on", note=64, time=480)])
    )
    midi.save(tmp_path / "open.mid")
    score = read_score(tmp_path / "open.mid")
    assert len(score) == 2
    assert (score.offsets > score.onsets).all()


def write_rows(folder: Path) -> list[dict[str, object]]:
    """Three pieces, one of them not MIDI at all, one with four notes."""
    write_midi(folder / "q1.mid", make_melody("ionian"))
    write_midi(folder / "game.mid", make_melody("aeolian", bars=16))
    write_midi(folder / "few.mid", make_melody("ionian")[:4])
    (folder / "text.mid").write_text("not music")
    emopia = {"dataset": "emopia", "quadrant": "Q1", "song": "s", "split": "train"}
    return [
        emopia | {"midi_path": "q1.mid"},
        emopia | {"midi_path": "few.mid"},
        emopia | {"midi_path": "text.mid"},
        {
            "dataset": "vgmidi", "midi_path": "game.mid", "series": "g", "split": "val",
            "valence": [-0.2] * 8 + [0.4] * 8, "arousal": [0.1] * 16,
        },
    ]  # fmt: skip


def test_a_corpus_is_extracted_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    rows = write_rows(tmp_path)
    (tmp_path / "manifest.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    corpus = extract_corpus(tmp_path, tmp_path / "cache")
    assert corpus.skipped_counts == {"unreadable file": 1, "too few notes in the file": 1}
    assert [row.piece for row in corpus.part("train")] == ["q1.mid"]
    windows = corpus.part("val")
    assert [round(row.valence, 2) for row in windows] == [-0.2, 0.1, 0.4]
    assert all(row.features.level is None and row.features.timing is None for row in windows)
    assert extract_corpus(tmp_path, tmp_path / "cache") == corpus  # from the cache, the same


def test_a_damaged_manifest_line_is_named_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"manifest\.jsonl is missing"):
        extract_corpus(tmp_path)
    (tmp_path / "manifest.jsonl").write_text('{"dataset": "emopia"}\n')
    with pytest.raises(ConfigError, match="line 1 is damaged"):
        extract_corpus(tmp_path)
