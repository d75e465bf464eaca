"""What the player began: from keys exactly, from sound by its onsets and their pitch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kelly_live.audio.note_synth import NoteSynth
from kelly_live.audio.synth import SAMPLE_RATE as SYNTH_RATE
from kelly_live.core.midi_messages import ReceivedMessage, note_off, note_on
from kelly_live.core.sync_state import MAX_PLAYER_NOTES, PlayerNote
from kelly_live.core.values import AudioWindow
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.player_notes import KEEP_SECONDS, PlayerNoteTracker, estimate_pitch

BLOCK_SECONDS = 0.05
START = 1000.0  # a monotonic clock does not begin at 0


def render(melody: Sequence[tuple[float, int]], seconds: float) -> np.ndarray:
    """Play a melody on the built-in piano, each note for as long as to the next one."""
    soxr = pytest.importorskip("soxr")
    synth, count = NoteSynth(), round(seconds * SYNTH_RATE)
    ends = [onset for onset, _ in melody[1:]] + [seconds]
    for (onset, pitch), end in zip(melody, ends, strict=True):
        synth.play(note_on(1, pitch, 90), round(onset * SYNTH_RATE))
        synth.play(note_off(1, pitch), round((end - 0.03) * SYNTH_RATE))
    return np.asarray(soxr.resample(synth.render(count), SYNTH_RATE, SAMPLE_RATE), np.float32)


def listen(sound: np.ndarray, keys: Sequence[ReceivedMessage] = ()) -> list[PlayerNote]:
    """Return every note that was told, in order, each once."""
    tracker, notes = PlayerNoteTracker(), list[PlayerNote]()
    size = round(BLOCK_SECONDS * SAMPLE_RATE)
    for number in range(len(sound) // size):
        start, end = START + number * BLOCK_SECONDS, START + (number + 1) * BLOCK_SECONDS
        heard = tuple(key for key in keys if start <= key.seconds < end)
        tracker.push(AudioWindow(sound[number * size : (number + 1) * size], SAMPLE_RATE, end, heard))
        notes += [note for note in tracker.estimate(end).notes if note not in notes]
    return notes


def test_a_melody_on_a_piano_is_heard_note_by_note() -> None:
    melody = [(0.5 + 0.3 * index, pitch) for index, pitch in enumerate([60, 62, 64, 67, 72, 71, 67, 64, 55, 60])]
    notes = listen(render(melody, 4.5))
    assert len(notes) == len(melody)
    right = sum(note.pitch == pitch for note, (_, pitch) in zip(notes, melody, strict=True))
    assert right >= len(melody) - 1  # the last note still sounds as the next one begins
    for note, (onset, _) in zip(notes, melody, strict=True):
        assert note.seconds - START == pytest.approx(onset, abs=0.02)


def test_a_chord_has_a_rhythm_and_no_pitch() -> None:
    chords = [(onset, pitch) for onset in (0.5, 1.0, 1.5) for pitch in (48, 52, 55, 59, 64)]
    notes = listen(render(chords, 2.5))
    assert [round(note.seconds - START, 1) for note in notes] == [0.5, 1.0, 1.5]
    assert {note.pitch for note in notes} == {None}


def test_silence_and_steady_noise_have_no_notes() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.05, 5 * SAMPLE_RATE).astype(np.float32)
    assert listen(np.zeros(3 * SAMPLE_RATE, np.float32)) == []
    assert all(note.pitch is None for note in listen(noise))


def test_keys_are_known_exactly_and_the_sound_is_not_asked() -> None:
    keys = [
        ReceivedMessage(START + 0.123, note_on(1, 60, 70)),
        ReceivedMessage(START + 0.4, note_off(1, 60)),
        ReceivedMessage(START + 0.61, note_on(1, 64, 101)),
        ReceivedMessage(START + 0.7, note_on(10, 38, 99)),
    ]
    notes = listen(render([(0.3, 72), (0.8, 74)], 1.5), keys)
    assert [(round(note.seconds - START, 3), note.pitch, note.velocity) for note in notes] == [
        (0.123, 60, 70),
        (0.61, 64, 101),
        (0.7, None, 99),  # of a pad only the rhythm is known
    ]


def test_a_note_is_told_for_half_a_second() -> None:
    tracker = PlayerNoteTracker()
    silence = np.zeros(round(BLOCK_SECONDS * SAMPLE_RATE), np.float32)
    tracker.push(AudioWindow(silence, SAMPLE_RATE, START, (ReceivedMessage(START - 0.01, note_on(1, 60, 70)),)))
    assert len(tracker.estimate(START + KEEP_SECONDS - 0.02).notes) == 1
    assert tracker.estimate(START + KEEP_SECONDS + 0.02).notes == ()


def test_a_flood_of_keys_is_bounded() -> None:
    keys = [ReceivedMessage(START + 0.001 * number, note_on(1, 30 + number % 60, 70)) for number in range(500)]
    tracker = PlayerNoteTracker()
    tracker.push(AudioWindow(np.zeros(8000, np.float32), SAMPLE_RATE, START + 0.5, tuple(keys)))
    assert len(tracker.estimate(START + 0.5).notes) == MAX_PLAYER_NOTES


@pytest.mark.parametrize("pitch", range(40, 85, 4))
def test_the_pitch_of_a_tone_with_overtones(pitch: int) -> None:
    time = np.arange(2000) / SAMPLE_RATE
    hertz = 440.0 * 2.0 ** ((pitch - 69) / 12.0)
    sound = sum(np.sin(2.0 * np.pi * hertz * number * time + number) / number for number in range(1, 7))
    assert estimate_pitch(np.asarray(sound)) == pitch
