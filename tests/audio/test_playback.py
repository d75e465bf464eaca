"""The built-in synth as it is heard: when each note begins, where it stands, how loud and at which pitch."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_live.audio.note_synth import NoteSynth
from kelly_live.audio.playback import BLOCK_FRAMES, STALLED_CHECKS, BlockRenderer, StallWatch
from kelly_live.audio.synth import SAMPLE_RATE, Audio
from kelly_live.core.midi_messages import (
    EXPRESSION,
    RPN_BEND_RANGE,
    bend_to,
    control_change,
    note_off,
    note_on,
    registered_parameter,
)
from kelly_live.core.playback_messages import TimedMessage

BLOCK_SECONDS = BLOCK_FRAMES / SAMPLE_RATE


def play(*messages: bytes, blocks: int = 40) -> Audio:
    """Return what messages at the start sound like, stereo `[2, n]`."""
    synth = NoteSynth()
    for message in messages:
        synth.play(message, 0)
    return np.concatenate([synth.render_stereo(BLOCK_FRAMES) for _ in range(blocks)], axis=1)


def find_hz(sound: Audio) -> float:
    """Return the frequency of the strongest partial, to a fifth of a hertz."""
    spectrum = np.abs(np.fft.rfft(sound[0] * np.hanning(sound.shape[1]), 5 * SAMPLE_RATE))
    return float(np.argmax(spectrum)) / 5.0


def rms(sound: Audio) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


@pytest.mark.parametrize("send_seconds", [0.0, 0.003, 0.0113])
def test_a_note_begins_one_block_after_it_was_sent(send_seconds: float) -> None:
    """Whenever the message is found, so that a block's length is no jitter."""
    renderer = BlockRenderer(0.0)
    blocks = [renderer.render((i + 1) * BLOCK_SECONDS, []) for i in range(2)]
    message = TimedMessage(2 * BLOCK_SECONDS + send_seconds, note_on(1, 69, 127))
    blocks.append(renderer.render(3 * BLOCK_SECONDS, [message]))
    blocks.append(renderer.render(4 * BLOCK_SECONDS, []))
    sound = np.abs(np.concatenate(blocks, axis=1)).max(axis=0)
    first = float(np.argmax(sound > 1e-5)) / SAMPLE_RATE
    assert first == pytest.approx(2 * BLOCK_SECONDS + send_seconds, abs=0.002)


def test_after_a_stall_notes_are_placed_anew() -> None:
    renderer = BlockRenderer(0.0)
    renderer.render(BLOCK_SECONDS, [])
    message = TimedMessage(9.995, note_on(1, 69, 127))
    assert np.abs(renderer.render(10.0, [message])).max() > 0.01


def test_the_bass_is_in_the_middle_and_the_chords_are_on_the_left() -> None:
    left, right = play(note_on(2, 40, 100))
    assert rms(left) == pytest.approx(rms(right), rel=1e-3)
    left, right = play(note_on(1, 60, 100), blocks=2)  # before the reverb
    assert rms(left) > 1.2 * rms(right)


def test_expression_and_volume_are_heard() -> None:
    full = rms(play(note_on(1, 60, 100)))
    assert rms(play(control_change(1, EXPRESSION, 64), note_on(1, 60, 100))) < 0.5 * full
    assert rms(play(control_change(1, 7, 50), note_on(1, 60, 100))) < 0.5 * full


@pytest.mark.parametrize(
    ("before", "cents"),
    [([], 0), ([bend_to(1, 8192 + 2048)], 50), ([*registered_parameter(1, RPN_BEND_RANGE, 48), bend_to(1, 8363)], 100)],
)
def test_a_bend_before_a_note_bends_it_within_its_range(before: list[bytes], cents: int) -> None:
    hz = find_hz(play(*before, note_on(1, 69, 100)))
    assert hz == pytest.approx(440.0 * 2.0 ** (cents / 1200.0), abs=0.5)


def test_the_whole_band_at_full_velocity_stays_under_full_scale() -> None:
    loud = [note_on(channel, pitch, 127) for channel in range(1, 17) for pitch in (36, 48, 60)]
    assert np.abs(play(*loud)).max() <= 1.0


def test_a_released_note_dies_away() -> None:
    synth = NoteSynth()
    synth.play(note_on(1, 60, 100), 0)
    synth.render_stereo(BLOCK_FRAMES)
    synth.play(note_off(1, 60), 0)
    for _ in range(round(2.5 / BLOCK_SECONDS)):
        block = synth.render_stereo(BLOCK_FRAMES)
    assert np.abs(block).max() < 1e-4


def test_an_output_that_takes_no_more_is_told_and_a_slow_one_is_not() -> None:
    """As JACK's when its server dies: a write never returns."""
    watch = StallWatch()
    for _ in range(3):
        watch.count_block()
        assert not any(watch.has_stalled() for _ in range(STALLED_CHECKS))
    assert watch.has_stalled()
