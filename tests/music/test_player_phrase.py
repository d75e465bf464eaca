"""What is remembered of a player: 60 BPM, so that beats are seconds."""

from __future__ import annotations

from kelly_live.core.sync_state import PlayerNote
from kelly_live.core.timebase import TempoMap
from kelly_live.music.player_phrase import PhraseMemory

TEMPO = TempoMap(0.0, 60.0)


def hear(*notes: tuple[float, int | None], memory: PhraseMemory | None = None) -> PhraseMemory:
    memory = memory or PhraseMemory()
    for beat, pitch in notes:
        memory.hear((PlayerNote(beat, pitch, 80),), TEMPO)
    return memory


def eighths(start: float, pitches: list[int]) -> list[tuple[float, int]]:
    return [(start + 0.5 * index, pitch) for index, pitch in enumerate(pitches)]


def line(memory: PhraseMemory) -> list[tuple[float, int | None]]:
    assert memory.latest is not None
    return [(note.beat, note.pitch) for note in memory.latest.notes]


def test_a_phrase_of_eighths_is_over_soon_after_its_last_note() -> None:
    memory = hear(*eighths(4.0, [60, 62, 64, 65, 67]))  # the last one at 6.0
    assert memory.is_playing(7.2)
    assert not memory.is_playing(7.3)


def test_a_slow_player_is_waited_for_longer() -> None:
    memory = hear((0.0, 60), (1.0, 62), (2.0, 64), (3.0, 65))
    assert memory.is_playing(4.5)
    assert not memory.is_playing(4.8)


def test_a_breath_in_a_phrase_does_not_cut_it() -> None:
    """A dotted quarter, after which the pause counts as over."""
    memory = hear((0.0, 60), (0.5, 62))
    assert not memory.is_playing(1.8)
    hear((2.0, 64), (2.5, 65), memory=memory)
    assert line(memory) == [(0.0, 60), (0.5, 62), (2.0, 64), (2.5, 65)]
    assert memory.expected_gap_beats is None


def test_the_gaps_between_his_phrases_are_expected_again() -> None:
    memory = hear()
    for start in (0.0, 8.0, 16.0):
        hear(*eighths(start, [60, 62, 64]), memory=memory)
    assert memory.expected_gap_beats == 7.0


def test_the_line_is_the_highest_note_of_chords_over_a_left_hand() -> None:
    memory = hear((0.0, 72), (0.0, 48), (0.02, 76), (0.5, 43), (1.0, 74), (1.0, 48), (1.5, 48), (1.51, 79))
    assert line(memory) == [(0.0, 76), (1.0, 74), (1.51, 79)]
    assert memory.measure_density(2.0) == 1.0  # four strokes in four beats


def test_a_player_who_goes_down_two_octaves_is_found_there() -> None:
    memory = hear(*eighths(0.0, [72, 74, 76]), *eighths(4.0, [45, 47, 48, 50, 52] * 8))
    assert memory.is_playing(24.0)


def test_drums_have_a_rhythm_and_no_pitch() -> None:
    assert line(hear((0.0, None), (0.5, None), (1.0, None))) == [(0.0, None), (0.5, None), (1.0, None)]


def test_a_note_that_is_told_twice_was_played_once() -> None:
    memory = PhraseMemory()
    notes = (PlayerNote(1.0, 60, 80), PlayerNote(1.5, 62, 80))
    assert [note.pitch for note in memory.hear(notes[:1], TEMPO)] == [60]
    assert [note.pitch for note in memory.hear(notes, TEMPO)] == [62]
    assert memory.hear(notes, TEMPO) == []


def test_a_long_phrase_takes_bounded_memory() -> None:
    memory = hear(*eighths(0.0, [60 + index % 5 for index in range(1000)]))
    assert len(line(memory)) < 100
    assert line(memory)[-1] == (499.5, 64)
