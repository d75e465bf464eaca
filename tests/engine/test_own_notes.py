"""A loop of MIDI ports: the band's own notes come back into the player's input."""

from __future__ import annotations

from kelly_live.audio.note_source import BLOCK_SECONDS, NoteRenderer
from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.core.commands import Notes, Start, TempoChange
from kelly_live.core.midi_messages import ReceivedMessage, note_off, note_on
from kelly_live.core.timebase import TempoPoint
from kelly_live.core.values import NoteEvent
from kelly_live.engine.own_notes import OwnNotes
from kelly_live.midi.offline import NoteList
from tests.audio.test_note_source import Keys

BLOCK = round(BLOCK_SECONDS * ANALYSIS_RATE)


def play(*notes: tuple[float, int, int], own_notes: OwnNotes | None = None) -> OwnNotes:
    """Send notes (beat, pitch, velocity) on channel 2; beat 0 falls at second 10, beat 4 at 12, then two a second."""
    own_notes, inner = own_notes or OwnNotes(), NoteList()
    sink = own_notes.wrap(inner)
    sink.send(Start(10.0, 120.0))
    sink.send(TempoChange(TempoPoint(4.0, 120.0)))
    sink.send(Notes(tuple(NoteEvent(beat, 1.0, pitch, velocity, 2, "chords") for beat, pitch, velocity in notes)))
    assert len(inner.notes) == len(notes)
    return own_notes


def receive(seconds: float, data: bytes) -> ReceivedMessage:
    return ReceivedMessage(seconds, data)


def test_a_note_that_comes_back_is_the_band_s_with_its_off() -> None:
    own_notes = play((4.0, 60, 80))
    assert own_notes.contains(receive(12.08, note_on(2, 60, 80)))
    assert own_notes.contains(receive(12.6, note_off(2, 60)))
    assert not own_notes.contains(receive(12.7, note_off(2, 60)))


def test_what_differs_is_the_player_s() -> None:
    own_notes = play((4.0, 60, 80))
    for seconds, data in (
        (12.0, note_on(2, 61, 80)),  # another key,
        (12.0, note_on(2, 60, 81)),  # touch,
        (12.0, note_on(1, 60, 80)),  # channel
        (12.5, note_on(2, 60, 80)),  # or time
        (12.0, note_off(2, 60)),
        (12.0, b"\xb1\x40\x7f"),
    ):
        assert not own_notes.contains(receive(seconds, data))


def test_a_player_s_key_is_released_though_the_band_played_the_same_before() -> None:
    own_notes = play((4.0, 60, 80))
    assert own_notes.contains(receive(12.0, note_on(2, 60, 80)))
    assert not own_notes.contains(receive(12.5, note_on(2, 60, 90)))
    assert not own_notes.contains(receive(13.0, note_off(2, 60)))


def test_the_memory_is_bounded() -> None:
    own_notes = play(*((4.0, 60, 80), *((4.0, 40 + number % 40, 70) for number in range(2_000))))
    assert not own_notes.contains(receive(12.0, note_on(2, 60, 80)))
    assert own_notes.contains(receive(12.0, note_on(2, 79, 70)))


def test_a_loop_is_not_heard_and_is_told_for_as_long_as_it_lasts() -> None:
    own_notes = play(*((0.5 * number, 50 + number, 80) for number in range(8)))
    keys = Keys()
    renderer = NoteRenderer(keys, is_own=own_notes.contains)
    for number in range(8):
        keys.press(10.02 + 0.25 * number, note_on(2, 50 + number, 80))
    keys.press(10.1, note_on(1, 72, 100))
    heard, problems = [], []
    for block in range(round(13.0 / BLOCK_SECONDS)):
        end = 10.0 + (block + 1) * BLOCK_SECONDS
        heard += renderer.render(end, BLOCK).notes
        problems.append(renderer.problem)
    assert [message.data for message in heard] == [note_on(1, 72, 100)]
    assert {problem is None for problem in problems} == {True, False}
    assert "own notes" in next(problem for problem in problems if problem is not None)
    assert problems[-1] is None
