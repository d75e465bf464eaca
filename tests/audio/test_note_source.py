"""A player's notes as an audio source: given these keys, this sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kelly_live.audio.note_source import BLOCK_SECONDS, MixedSource, NoteFileSource, NoteRenderer, NoteSource
from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.audio.sources import SilenceSource
from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import ReceivedMessage, all_notes_off, control_change, note_off, note_on
from kelly_live.core.pitch_names import format_key_range, parse_key_range
from kelly_live.core.timebase import ManualClock

BLOCK = round(BLOCK_SECONDS * ANALYSIS_RATE)


class Keys:
    """A NoteInput of keys that are pressed by hand."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.is_open = True
        self._pending: list[ReceivedMessage] = []

    def press(self, seconds: float, *messages: bytes, connection: int = 0) -> None:
        self._pending += [ReceivedMessage(seconds, message, connection) for message in messages]

    def poll(self) -> Sequence[ReceivedMessage]:
        pending, self._pending = self._pending, []
        return pending

    def close(self) -> None:
        self.is_open = False


def render(renderer: NoteRenderer, blocks: int, first: int = 0) -> np.ndarray:
    """Render some blocks from block `first` on."""
    parts = [renderer.render((first + number + 1) * BLOCK_SECONDS, BLOCK).samples for number in range(blocks)]
    return np.concatenate(parts)


def measure_level(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def find_strongest(sound: np.ndarray, count: int) -> set[int]:
    """Find the MIDI note numbers of the strongest partials."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    tops = sorted(
        (bin_ for bin_ in range(1, len(spectrum) - 1) if spectrum[bin_] >= max(spectrum[bin_ - 1], spectrum[bin_ + 1])),
        key=lambda bin_: -spectrum[bin_],
    )[:count]
    return {round(69 + 12 * np.log2(bin_ * ANALYSIS_RATE / len(sound) / 440.0)) for bin_ in tops}


def test_a_triad_sounds_in_tune_from_the_block_it_is_played_in() -> None:
    keys = Keys()
    renderer = NoteRenderer(keys)
    assert measure_level(render(renderer, 2)) == 0.0
    keys.press(0.125, note_on(1, 60, 90), note_on(1, 64, 90), note_on(1, 67, 90))
    sound = render(renderer, 20, first=2)
    assert find_strongest(sound[2 * BLOCK :], 3) == {60, 64, 67}
    onset = int(np.flatnonzero(np.abs(sound) > 1e-3)[0]) / ANALYSIS_RATE
    assert 0.02 <= onset <= 0.06  # pressed 25 ms into the block; the resampler adds some


def test_a_block_carries_the_messages_that_are_heard_in_it() -> None:
    keys = Keys()
    renderer = NoteRenderer(keys, keys=(60, 72))
    keys.press(0.02, note_on(1, 60, 90), note_on(1, 40, 90), control_change(1, 64, 127))
    keys.press(0.07, note_off(1, 60))
    first, second = (renderer.render((number + 1) * BLOCK_SECONDS, BLOCK).notes for number in range(2))
    assert [message.data for message in first] == [note_on(1, 60, 90), control_change(1, 64, 127)]
    assert [(message.seconds, message.data) for message in second] == [(0.07, note_off(1, 60))]


def test_a_file_s_notes_and_a_mix_s_notes_come_with_their_block() -> None:
    source = NoteFileSource([ReceivedMessage(0.06, note_on(1, 60, 90))], "one.mid")
    source.start()
    assert [len(block.notes) for _ in range(3) if (block := source.read(0.0))] == [0, 1, 0]
    keys = Keys()
    keys.press(0.0, note_on(1, 60, 90))
    mixed = MixedSource(SilenceSource(ManualClock(), realtime=False, seconds=1.0), NoteRenderer(keys))
    mixed.start()
    block = mixed.read(0.0)
    assert block is not None
    assert [message.data for message in block.notes] == [note_on(1, 60, 90)]


def test_a_key_that_goes_up_is_silent_soon_and_with_the_pedal_it_is_not() -> None:
    levels = []
    for pedal in (False, True):
        keys = Keys()
        renderer = NoteRenderer(keys)
        keys.press(0.0, *([control_change(1, 64, 127)] if pedal else []), note_on(1, 60, 90))
        render(renderer, 4)
        keys.press(0.2, note_off(1, 60))
        render(renderer, 8, first=4)
        levels.append(measure_level(render(renderer, 2, first=12)))
        keys.press(0.7, control_change(1, 64, 0))
        assert measure_level(render(renderer, 10, first=14)[-BLOCK:]) < 1e-4
    assert levels[0] < 1e-4 < 1e-3 < levels[1]


def test_a_key_that_is_stuck_dies_away_and_so_does_what_a_lost_cable_held() -> None:
    keys = Keys()
    renderer = NoteRenderer(keys)
    keys.press(0.0, note_on(1, 60, 127))
    assert measure_level(render(renderer, 20)) > 1e-3
    keys.problem = "MIDI input lost"
    render(renderer, 10, first=20)
    assert measure_level(render(renderer, 2, first=30)) < 1e-4
    keys.problem = None
    keys.press(1.6, note_on(1, 72, 127))
    keys.press(1.7, note_on(1, 48, 127), connection=1)  # the off of 72 was lost between
    assert find_strongest(render(renderer, 20, first=32)[8 * BLOCK :], 1) == {48}


def test_all_notes_off_ends_what_sounds() -> None:
    keys = Keys()
    renderer = NoteRenderer(keys)
    keys.press(0.0, control_change(1, 64, 127), note_on(1, 60, 90))
    keys.press(0.3, all_notes_off(1))
    assert measure_level(render(renderer, 16)[-BLOCK:]) < 1e-4


def test_only_keys_in_range_are_heard_and_the_pads_of_channel_10() -> None:
    keys = Keys()
    renderer = NoteRenderer(keys, (60, 72))
    keys.press(0.0, note_on(1, 59, 90), note_on(1, 73, 90))
    assert measure_level(render(renderer, 4)) == 0.0
    keys.press(0.2, note_on(10, 38, 90))
    assert measure_level(render(renderer, 4, first=4)) > 1e-3


def test_a_flood_is_bounded_and_counted() -> None:
    keys = Keys()
    renderer = NoteRenderer(keys)
    keys.press(0.0, *(note_on(1, 30 + number % 60, 100) for number in range(5_000)))
    sound = render(renderer, 2)
    assert renderer.dropped_messages == 5_000 - 512
    assert np.all(np.isfinite(sound))
    assert np.max(np.abs(sound)) < 4.0


def test_blocks_come_in_time_and_a_stall_is_said() -> None:
    clock, keys = ManualClock(), Keys()
    source = NoteSource(NoteRenderer(keys), clock, "keys")
    source.start()
    block = source.read(0.2)
    assert block is not None
    assert (block.end_time, len(block.samples), block.sample_rate) == (BLOCK_SECONDS, BLOCK, ANALYSIS_RATE)
    assert source.read(0.01) is None
    clock.sleep_until(10.0)
    late = source.read(0.1)
    assert late is not None
    assert late.end_time == 10.0
    assert source.health().dropped_seconds == pytest.approx(9.9, abs=0.1)
    keys.problem = "lost"
    assert source.health().problem == "lost"
    source.close()
    assert not keys.is_open


def test_notes_are_added_to_the_sound_of_an_input() -> None:
    keys = Keys()
    silence = SilenceSource(ManualClock(), seconds=1.0, realtime=False)
    mixed = MixedSource(silence, NoteRenderer(keys))
    mixed.start()
    keys.press(0.0, note_on(1, 69, 100))
    sound = np.concatenate([block.samples for _ in range(20) if (block := mixed.read(0.0)) is not None])
    assert find_strongest(sound[BLOCK:], 1) == {69}
    assert mixed.is_finished


def test_a_note_file_sounds_as_it_is_written() -> None:
    messages = [ReceivedMessage(0.5, note_on(1, 57, 90)), ReceivedMessage(1.5, note_off(1, 57))]
    source = NoteFileSource(messages, "a.mid")
    source.start()
    sound = np.concatenate([block.samples for block in iter(lambda: source.read(0.0), None)])
    assert len(sound) / ANALYSIS_RATE == pytest.approx(2.5, abs=BLOCK_SECONDS)
    assert measure_level(sound[: int(0.45 * ANALYSIS_RATE)]) < 1e-4
    assert find_strongest(sound[ANALYSIS_RATE // 2 : ANALYSIS_RATE * 3 // 2], 1) == {57}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("C2-B3", (36, 59)),
        ("36-59", (36, 59)),
        ("eb4 - C-1", None),
        ("F#3-Gb5", (54, 78)),
        ("C4", None),
        ("0-128", None),
        ("H1-C2", None),
        ("", None),
    ],
)
def test_a_range_of_keys_is_read_or_refused_in_a_line(text: str, keys: tuple[int, int] | None) -> None:
    if keys is None:
        with pytest.raises(ConfigError) as error:
            parse_key_range(text)
        assert "\n" not in str(error.value)
    else:
        assert parse_key_range(text) == keys
        assert parse_key_range(format_key_range(keys)) == keys


def test_a_transposed_keyboard_is_heard_where_it_sounds_and_its_range_is_that_of_the_keys() -> None:
    keys = Keys()
    renderer = NoteRenderer(keys, (48, 127), transpose=-2)
    keys.press(0.0, note_on(1, 62, 90), note_on(1, 47, 90), note_on(10, 38, 90), control_change(1, 64, 0))
    keys.press(0.01, note_off(1, 62))
    heard = [message.data for message in renderer.render(BLOCK_SECONDS, BLOCK).notes]
    assert heard == [note_on(1, 60, 90), note_on(10, 38, 90), control_change(1, 64, 0), note_off(1, 60)]


def test_what_is_transposed_off_the_keyboard_is_not_heard() -> None:
    keys = Keys()
    renderer = NoteRenderer(keys, transpose=24)
    keys.press(0.0, note_on(1, 110, 90), note_off(1, 110))
    assert renderer.render(BLOCK_SECONDS, BLOCK).notes == ()
