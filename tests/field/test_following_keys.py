"""Keyboards that misbehave, and players who do what nobody expects: given these keys, this is followed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from kelly_live.audio.note_source import NoteFileSource
from kelly_live.core.midi_messages import ReceivedMessage, control_change, note_off, note_on
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import AudioWindow
from kelly_live.music.synchronization import JOIN_CONFIDENCE
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.player_tracker import PlayerTracker

Message = tuple[float, bytes]
Heard = list[tuple[float, SyncState]]
VOICINGS = {"C": (48, 60, 64, 67), "F": (41, 60, 65, 69), "G": (43, 59, 62, 67), "Am": (45, 60, 64, 69)}
NAMES = {"C": (0, "major"), "F": (5, "major"), "G": (7, "major"), "Am": (9, "minor")}
LOOP = ("C", "Am", "F", "G")
CHORD_SECONDS = 2.0


def strike(seconds: float, keys: Sequence[int], length: float = 0.45, channel: int = 1) -> list[Message]:
    """Strike keys together, and let go of them."""
    downs = [(seconds, note_on(channel, key, 80)) for key in keys]
    return downs + [(seconds + length, note_off(channel, key)) for key in keys]


def play_loop(rounds: int, semitones: int = 0) -> list[Message]:
    """Strike each chord of LOOP four times, at 120 BPM."""
    messages = []
    for number in range(4 * rounds * len(LOOP)):
        keys = VOICINGS[LOOP[number // 4 % len(LOOP)]]
        messages += strike(0.5 * number, [key + semitones for key in keys])
    return messages


def hear(messages: list[Message], tracker: PlayerTracker | None = None) -> Heard:
    """Follow a player; return the state after each block."""
    received = [ReceivedMessage(*message) for message in sorted(messages, key=lambda message: message[0])]
    source = NoteFileSource(received, "keys")
    source.start()
    tracker, heard = tracker or PlayerTracker(), []
    while (block := source.read(0.0)) is not None:
        tracker.push(block)
        heard.append((block.end_time, tracker.estimate(block.end_time)))
    return heard


def measure_right(heard: Heard, chord_seconds: float = CHORD_SECONDS, semitones: int = 0) -> float:
    """Measure the share of the time, but for the first two seconds and the last one, in which the chord is right."""
    right = []
    for seconds, state in heard:
        if 2.0 < seconds < heard[-1][0] - 1.0:
            root, quality = NAMES[LOOP[int(seconds / chord_seconds) % len(LOOP)]]
            name = None if state.chord is None else (state.chord.chord.root, state.chord.chord.quality)
            right.append(name == ((root + semitones) % 12, quality))
    return float(np.mean(right))


def test_a_pedal_that_never_lifts_blurs_no_chord_for_long() -> None:
    assert measure_right(hear([(0.0, control_change(1, 64, 127)), *play_loop(2)])) > 0.75


def test_a_stuck_key_is_no_part_of_every_chord() -> None:
    assert measure_right(hear([(0.0, note_on(1, 78, 80)), *play_loop(2)])) > 0.8


def test_sixty_notes_a_second_are_a_chord_like_any_other() -> None:
    messages = []
    for number in range(round(60 * 2 * CHORD_SECONDS * len(LOOP))):
        keys = VOICINGS[LOOP[number // round(60 * CHORD_SECONDS) % len(LOOP)]]
        messages += strike(number / 60.0, [keys[number % 4] + 12 * (number // 4 % 2)], length=0.015)
    heard = hear(messages)
    assert measure_right(heard) > 0.7
    beat = heard[-30][1].beat
    assert beat is None or beat.confidence < JOIN_CONFIDENCE or 40.0 <= beat.bpm <= 240.0


def test_two_keys_at_once_are_not_chased() -> None:
    heard = hear([*play_loop(1), *play_loop(1, semitones=18)])
    chords = [state.chord for _, state in heard if state.chord is not None]
    certain = [
        (one.chord.root, one.chord.quality) for one in chords if one.confidence >= JOIN_CONFIDENCE
    ]  # of none, or of the lower key: those change four times
    assert sum(before != after for before, after in pairwise(certain)) <= 6


def test_a_capo_d_loop_in_seven_eight_is_heard_and_expected() -> None:
    eighth, messages = 0.25, []
    for number in range(16):  # four rounds
        keys = [key + 1 for key in VOICINGS[LOOP[number % len(LOOP)]]]
        for place in (0, 2, 4, 5):
            messages += strike(eighth * (7 * number + place), keys, length=0.2)
    heard = hear(messages)
    assert measure_right(heard, 7 * eighth, semitones=1) > 0.8
    third_round = [state.chord for seconds, state in heard if 15.0 < seconds < 26.0]
    assert np.mean([chord is not None and bool(chord.expected) for chord in third_round]) > 0.8


def test_drum_pads_lead_the_tempo_and_have_no_chord() -> None:
    pads = (36, 42, 38, 42)
    heard = hear([message for n in range(40) for message in strike(0.3 * n, [pads[n % 4]], 0.05, channel=10)])
    beat = heard[-30][1].beat
    assert beat is not None
    assert beat.confidence >= JOIN_CONFIDENCE
    assert min(abs(beat.bpm / level - 1.0) for level in (100.0, 200.0)) < 0.02
    assert all(state.chord is None or state.chord.confidence < JOIN_CONFIDENCE for _, state in heard)


def test_a_player_who_stops_for_five_minutes_is_followed_again_at_once() -> None:
    tracker, rest = PlayerTracker(("key", "chords", "dynamics")), 300.0
    first = hear(play_loop(1), tracker)
    end = first[-1][0]
    for second in range(round(rest)):
        silence = np.zeros(SAMPLE_RATE, np.float32)
        tracker.push(AudioWindow(silence, SAMPLE_RATE, end + second + 1.0))
    silent = tracker.estimate(end + rest)
    assert (silent.key, silent.chord, silent.loudness) == (None, None, None)
    source = NoteFileSource([ReceivedMessage(*one) for one in sorted(play_loop(1), key=lambda one: one[0])], "keys")
    source.start()
    right = []
    while (block := source.read(0.0)) is not None and block.end_time < 7.5:
        now = end + rest + block.end_time
        notes = tuple(ReceivedMessage(end + rest + note.seconds, note.data) for note in block.notes)
        tracker.push(AudioWindow(block.samples, SAMPLE_RATE, now, notes))
        chord = tracker.estimate(now).chord
        name = NAMES[LOOP[int(block.end_time / CHORD_SECONDS)]]
        right.append(chord is not None and (chord.chord.root, chord.chord.quality) == name)
    assert np.mean(right[20:]) > 0.7
