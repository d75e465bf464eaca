"""Chords of a player's own notes: the right ones, at once, whatever pedal and fingers do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from kelly_live.audio.note_source import NoteFileSource
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.core.sync_state import ChordChange
from kelly_live.core.values import AudioWindow
from kelly_live.sync.audio_tracker import AudioTracker
from kelly_live.sync.chord_features import FEATURES
from kelly_live.sync.note_chord_features import NoteChordFeatures, TimedMessage
from kelly_live.sync.onsets import SAMPLE_RATE

C, A_MINOR, F, G = (48, 60, 64, 67), (45, 60, 64, 69), (41, 60, 65, 69), (43, 59, 62, 67)
NAMES = {C: (0, "major"), A_MINOR: (9, "minor"), F: (5, "major"), G: (7, "major")}
CHORD_SECONDS = 2.0

Heard = list[tuple[float, tuple[int, str] | None]]


def message(seconds: float, *data: int) -> ReceivedMessage:
    return ReceivedMessage(seconds, bytes(data))


def press(seconds: float, pitches: Sequence[int], length: float, *, spread: float = 0.0) -> list[ReceivedMessage]:
    """Notes that begin together, or `spread` seconds after one another, and end together."""
    down = [message(seconds + spread * n, 0x90, pitch, 80) for n, pitch in enumerate(pitches)]
    return [*down, *(message(seconds + length, 0x80, pitch, 0) for pitch in pitches)]


def progression(chords: Sequence[tuple[int, ...]], *, spread: float = 0.0) -> list[ReceivedMessage]:
    played = [press(1.0 + CHORD_SECONDS * n, chord, 1.9, spread=spread) for n, chord in enumerate(chords)]
    return sorted(itertools.chain(*played), key=lambda one: one.seconds)


def hear(
    messages: Sequence[ReceivedMessage], extra: Sequence[ReceivedMessage] = (), *, certainty: float = 0.0
) -> Heard:
    """Play notes through the built-in synthesiser, as `--play-in` does; return what is heard after each block.

    A chord that is less certain counts as none.
    """
    source = NoteFileSource(sorted([*messages, *extra], key=lambda one: one.seconds), "test")
    source.start()
    tracker, heard = AudioTracker(("chords",)), Heard()
    while (block := source.read(0.0)) is not None:
        tracker.push(block)
        estimate = tracker.estimate(block.end_time).chord
        is_heard = estimate is not None and estimate.confidence >= certainty
        heard.append((block.end_time, name(estimate.chord) if estimate is not None and is_heard else None))
    return heard


def name(chord: ChordChange) -> tuple[int, str]:
    return chord.root, chord.quality


def share_right(heard: Heard, chords: Sequence[tuple[int, ...]], *, after: float = 0.15) -> float:
    """The share of the time in which the chord is right, from `after` seconds after each change on."""
    right = []
    for seconds, chord in heard:
        number, since = divmod(seconds - 1.0, CHORD_SECONDS)
        if 0 <= number < len(chords) and since >= after:
            right.append(chord == NAMES[chords[int(number)]])
    return float(np.mean(right))


def test_held_chords_are_heard_at_once() -> None:
    chords = [C, A_MINOR, F, G, C]
    assert share_right(hear(progression(chords)), chords) >= 0.95


def test_a_broken_chord_is_heard_before_it_is_complete() -> None:
    chords = [C, A_MINOR, F, G, C]
    assert share_right(hear(progression(chords, spread=0.25)), chords, after=0.6) >= 0.9


def test_a_pedal_that_never_lifts_does_not_hold_the_chord() -> None:
    chords = [C, F, G, C, A_MINOR]
    heard = hear(progression(chords), [message(0.5, 0xB0, 64, 127)])
    assert share_right(heard, chords, after=0.6) >= 0.75


def test_a_stuck_key_fades_out_of_the_chord() -> None:
    chords = [C, F, G, C, A_MINOR]
    heard = hear(progression(chords), [message(0.2, 0x90, 73, 100)])  # C#5, never released
    assert share_right(heard[len(heard) // 2 :], chords[:], after=0.3) >= 0.85


def test_a_flood_of_notes_is_not_believed() -> None:
    """Sixty notes a second of all pitches have no chord that is certain for long."""
    rng = np.random.default_rng(5)
    flood = [press(n / 60.0, [int(rng.integers(36, 96))], 0.05) for n in range(480)]
    heard = hear(sorted(itertools.chain(*flood), key=lambda one: one.seconds), certainty=0.8)
    assert np.mean([chord is not None for _, chord in heard]) < 0.1


def test_drums_have_no_chord() -> None:
    drums = [message(0.5 * n, 0x99, 36 + 2 * (n % 3), 100) for n in range(20)]
    features = NoteChordFeatures()
    rows = features.push([TimedMessage(round(one.seconds * SAMPLE_RATE), one.data) for one in drums], 10 * SAMPLE_RATE)
    assert len(rows) == 100
    assert not np.any(rows)


def test_features_do_not_depend_on_the_size_of_the_blocks() -> None:
    messages = [
        TimedMessage(round(one.seconds * SAMPLE_RATE), one.data) for one in progression([C, F, G], spread=0.033)
    ]
    whole = np.array(NoteChordFeatures().push(messages, 8 * SAMPLE_RATE))
    assert whole.shape == (80, FEATURES)
    features, rows = NoteChordFeatures(), []
    for start in range(0, 8 * SAMPLE_RATE, 441):
        size = min(441, 8 * SAMPLE_RATE - start)
        inside = [TimedMessage(one.offset - start, one.data) for one in messages if start <= one.offset < start + size]
        rows += features.push(inside, size)
    assert np.array_equal(whole, rows)


def test_notes_are_believed_before_sound_and_sound_again_after_they_end() -> None:
    """A keyboard says C; in the room somebody holds F sharp minor, which is heard once the keys have rested."""
    seconds = np.arange(24 * SAMPLE_RATE) / SAMPLE_RATE
    room = 0.1 * sum(np.sin(2 * np.pi * 440.0 * 2.0 ** ((pitch - 69) / 12.0) * seconds) for pitch in (54, 66, 69, 73))
    played = progression([C, C, C])
    tracker, heard, size = AudioTracker(("chords",)), Heard(), SAMPLE_RATE // 20
    for start in range(0, len(room), size):
        end = (start + size) / SAMPLE_RATE
        notes = tuple(one for one in played if end - 0.05 <= one.seconds < end)
        tracker.push(AudioWindow(room[start : start + size].astype(np.float32), SAMPLE_RATE, end, notes))
        estimate = tracker.estimate(end).chord
        heard.append((end, None if estimate is None else name(estimate.chord)))
    assert share_right(heard, [C, C, C]) >= 0.95
    assert {chord for at, chord in heard if at > 20.0} == {(6, "minor")}
