"""What is sent for a pitch sounds as that pitch, by the tests' receiver and by ours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.audio.synth import SAMPLE_RATE, render
from kelly_live.core.commands import TUNINGS, Notes, Start, Tuning
from kelly_live.core.values import NoteEvent, SoundingNote
from kelly_live.midi.files import find_sounding_notes
from kelly_live.midi.offline import OfflineScheduler
from tests.midi.receiver import Receiver

TUNED = [mode for mode in TUNINGS if mode != "off"]
NOTES = st.lists(st.tuples(st.integers(0, 12), st.integers(40, 80), st.integers(-50, 50)), min_size=1, max_size=12)


def perform(notes: list[tuple[int, int, int]], mode: str) -> OfflineScheduler:
    scheduler = OfflineScheduler(tuning=Tuning(mode))
    scheduler.send(Start(0.0, 120.0))
    events = [NoteEvent(onset / 2, 0.4, pitch, 90, 3, "melody", float(cents)) for onset, pitch, cents in notes]
    scheduler.send(Notes(tuple(sorted(events, key=lambda note: note.onset_beats))))
    scheduler.advance(20.0)
    return scheduler


@settings(max_examples=60, deadline=None)
@given(NOTES, st.sampled_from(TUNED))
def test_ours_hears_what_a_receiver_hears(notes: list[tuple[int, int, int]], mode: str) -> None:
    messages = perform(notes, mode).messages
    received_notes = sorted(
        (voice.start_seconds, round(voice.pitches[0], 3)) for voice in Receiver().hear(messages).voices
    )
    found_notes = sorted((n.start_seconds, round(n.pitch + n.cents / 100.0, 3)) for n in find_sounding_notes(messages))
    assert [pitch for _, pitch in found_notes] == pytest.approx([pitch for _, pitch in received_notes], abs=0.002)


@pytest.mark.parametrize("mode", TUNED)
def test_a_quarter_tone_is_kept_to_the_cent(mode: str) -> None:
    (note,) = find_sounding_notes(perform([(0, 69, 50)], mode).messages)
    assert note.pitch + note.cents / 100.0 == pytest.approx(69.5, abs=0.01)


def test_twelve_tones_have_no_cents() -> None:
    assert [n.cents for n in find_sounding_notes(perform([(0, 60, 0), (1, 64, 0)], "bend").messages)] == [0.0, 0.0]


def test_the_synthesiser_sounds_the_cents() -> None:
    note = SoundingNote(0.0, 2.0, 69, 100, 2, cents=50.0)
    sound = render([note], {2: 0}).mean(axis=0)
    part = sound[: 2 * SAMPLE_RATE] * np.hanning(2 * SAMPLE_RATE)
    spectrum = np.abs(np.fft.rfft(part, n=8 * len(part)))
    low, high = (int(f * 8 * len(part) / SAMPLE_RATE) for f in (400.0, 500.0))
    peak = (low + int(spectrum[low:high].argmax())) * SAMPLE_RATE / (8 * len(part))
    assert 1200.0 * np.log2(peak / 440.0) == pytest.approx(50.0, abs=3.0)
