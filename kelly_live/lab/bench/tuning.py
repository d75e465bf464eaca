"""Pitch errors of a real synthesiser: tuned notes through fluidsynth, measured by Fourier transform.

`python -m kelly_live.lab.bench.tuning [SOUNDFONT [PROGRAM]]` prints the numbers, where fluidsynth is installed.
"""

from __future__ import annotations

import sys
import wave
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_live.core.commands import Notes, PartProgram, Start, Stop, Tuning
from kelly_live.core.errors import MidiError
from kelly_live.core.termination import run_command, temporary_folder
from kelly_live.core.values import NoteEvent
from kelly_live.midi.files import encode_midi
from kelly_live.midi.offline import OfflineScheduler

SAMPLE_RATE = 48_000
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
PROGRAM = 16  # Drawbar Organ: no vibrato, no stretched partials, and the best in tune by itself in that soundfont
CHANNEL = 3
_SECONDS = 1.25  # a note and the rest after it, at 60 BPM
_STEADY = (0.15, 0.95)  # the steady part of a note
_REACH_CENTS = 250.0  # a note that sounds further off than this is not found at all
_SILENCE = 1e-4
_COMMA_CENTS = 1200.0 / 53.0


def create_score() -> list[NoteEvent]:
    """Create 24 notes from G1 to E7, one by one: 12 quarter-tones and 12 steps of 53-TET.

    Each step of 53-TET is on another degree.
    """
    notes = []
    for i in range(24):
        cents = 100.0 * (31 + 3 * i) + (50.0 if i % 2 else 0.0)
        if i % 2 == 0:
            cents = round(cents / _COMMA_CENTS + (i * 5) % 7 - 3) * _COMMA_CENTS
        pitch = round(cents / 100.0)
        notes.append(NoteEvent(_SECONDS * i, 1.0, pitch, 90, CHANNEL, "check", cents - 100.0 * pitch))
    return notes


def round_to_keys(notes: Sequence[NoteEvent]) -> list[NoteEvent]:
    """Take the notes' cents away: the errors of these are the soundfont's own."""
    return [replace(note, cents=0.0) for note in notes]


def measure_tuning(
    notes: Sequence[NoteEvent], tuning: Tuning, *, sound_font: Path = SOUND_FONT, program: int = PROGRAM
) -> NDArray[np.float64]:
    """Play `notes` (on CHANNEL, one at a time) through fluidsynth, and measure the pitch of each.

    Returns:
        Cents above the planned pitch `[len(notes)]`; NaN where there was no sound.

    Raises:
        MidiError: fluidsynth or the soundfont is missing.
    """
    sound = render_with_fluidsynth(notes, tuning, sound_font, program)
    edges = [[round((note.onset_beats + edge) * SAMPLE_RATE) for edge in _STEADY] for note in notes]
    return measure_cents([sound[first:last] for first, last in edges], notes)


def render_with_fluidsynth(
    notes: Sequence[NoteEvent], tuning: Tuning, sound_font: Path, program: int
) -> NDArray[np.float64]:
    """Render the notes at 60 BPM: mono `[n]` at SAMPLE_RATE.

    Raises:
        MidiError: fluidsynth or the soundfont is missing.
    """
    scheduler = OfflineScheduler(tuning=tuning.with_programs((PartProgram(CHANNEL, program),)))
    scheduler.send(Start(0.0, 60.0))
    scheduler.send(Notes(tuple(notes)))
    scheduler.advance(max(note.onset_beats + note.duration_beats for note in notes))
    scheduler.send(Stop())
    return render_messages(scheduler, {CHANNEL: program}, sound_font)


def render_messages(
    scheduler: OfflineScheduler, programs: Mapping[int, int], sound_font: Path = SOUND_FONT
) -> NDArray[np.float64]:
    """Render what a scheduler sent, through fluidsynth: mono `[n]` at SAMPLE_RATE.

    Raises:
        MidiError: fluidsynth or the soundfont is missing.
    """
    with temporary_folder() as folder:
        song, sound = Path(folder, "song.mid"), Path(folder, "song.wav")
        song.write_bytes(encode_midi(scheduler.messages, scheduler.tempo_map, programs=programs))
        command = [
            "fluidsynth",
            "-ni",
            "-R0",
            "-C0",
            "-g1",
            f"-r{SAMPLE_RATE}",
            f"-F{sound}",
            str(sound_font),
            str(song),
        ]
        try:
            result = run_command(command)
        except OSError as error:
            raise MidiError(f"fluidsynth cannot be run ({error}); apt install fluidsynth fluid-soundfont-gm") from error
        if result.returncode != 0 or not sound.exists():
            raise MidiError(
                f"fluidsynth did not play the file ({result.stderr.strip()[-200:]}); is the soundfont there?"
            )
        with wave.open(str(sound)) as file:
            frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    mono: NDArray[np.float64] = frames.reshape(-1, 2).mean(axis=1) / 32768.0
    return mono


def measure_cents(sounds: Iterable[NDArray[np.float64]], notes: Sequence[NoteEvent]) -> NDArray[np.float64]:
    """Measure how many cents each note sounds above its planned pitch `[len(notes)]`.

    `sounds` holds the steady part of each note, at SAMPLE_RATE. NaN where there is no sound.
    """
    planned_hz = [440.0 * 2.0 ** ((note.pitch - 69 + note.cents / 100.0) / 12.0) for note in notes]
    measured_hz = [estimate_frequency(sound, hertz) for sound, hertz in zip(sounds, planned_hz, strict=True)]
    cents: NDArray[np.float64] = 1200.0 * np.log2(np.array(measured_hz) / np.array(planned_hz))
    return cents


def estimate_frequency(samples: NDArray[np.float64], expected_hz: float) -> float:
    """Estimate the fundamental of a steady tone in Hz; NaN of silence.

    It is taken from the loudest of the first partials. Under a Gaussian window a spectral peak is a parabola in
    decibels, so three points give its top to a small part of a cent.
    """
    length = len(samples)
    if np.max(np.abs(samples), initial=0.0) < _SILENCE:
        return float("nan")
    window = np.exp(-0.5 * ((np.arange(length) - (length - 1) / 2.0) / (length / 8.0)) ** 2)
    size = 4 << (length - 1).bit_length()
    level = np.log(np.abs(np.fft.rfft(samples * window, size)) + 1e-12)
    reach = 2.0 ** (_REACH_CENTS / 1200.0)
    best, frequency = -np.inf, expected_hz
    for partial in range(1, 5):
        low, high = (int(expected_hz * partial * edge * size / SAMPLE_RATE) for edge in (1.0 / reach, reach))
        if high + 2 >= len(level):
            break
        top = low + int(np.argmax(level[low : high + 1]))
        if level[top] > best:
            left, middle, right = level[top - 1 : top + 2]
            shift = 0.5 * (left - right) / (left - 2.0 * middle + right)
            best, frequency = middle, (top + shift) * SAMPLE_RATE / size / partial
    return float(frequency)


def main(font: str = str(SOUND_FONT), program: str = str(PROGRAM)) -> None:
    """Print a line for each way of tuning: its errors, and its errors less those of 12-TET."""
    notes = create_score()
    reference = measure_tuning(round_to_keys(notes), Tuning("off"), sound_font=Path(font), program=int(program))
    print(f"{len(notes)} notes, {font}, program {program}:")
    print("errors in cents, |median| and |worst|; then less the soundfont's own")
    print(f"{'12-TET':16} {_format_errors(reference)}")
    for tuning in (Tuning("bend", 2), Tuning("bend", 48), Tuning("mpe", 48), Tuning("mpe", 2), Tuning("mts")):
        errors = measure_tuning(notes, tuning, sound_font=Path(font), program=int(program))
        name = tuning.mode if tuning.mode == "mts" else f"{tuning.mode}, range {tuning.bend_range}"
        print(f"{name:16} {_format_errors(errors)}   {_format_errors(errors - reference)}")


def _format_errors(errors: NDArray[np.float64]) -> str:
    magnitudes = np.abs(errors[~np.isnan(errors)])
    silent = len(errors) - len(magnitudes)
    return f"{np.median(magnitudes):6.2f} {magnitudes.max():6.2f}" + (f" (without sound: {silent})" if silent else "")


if __name__ == "__main__":
    main(*sys.argv[1:])
