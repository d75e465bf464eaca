"""How far from its pitch a note really sounds: tuned notes through fluidsynth, measured by Fourier transform.

`python -m kelly_live.lab.bench.tuning [SOUNDFONT [PROGRAM]]` prints the numbers, where fluidsynth is installed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly_live.core.commands import Notes, PartProgram, Start, Stop, Tuning
from kelly_live.core.errors import MidiError
from kelly_live.core.values import NoteEvent
from kelly_live.midi.files import midi_bytes
from kelly_live.midi.offline import OfflineScheduler

SAMPLE_RATE = 48_000
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
PROGRAM = 16  # Drawbar Organ: no vibrato, no stretched partials, and the best in tune by itself in that soundfont
CHANNEL = 3
_SECONDS = 1.25  # a note and the rest after it, at 60 BPM
_HEARD = (0.15, 0.95)  # the steady part of a note
_REACH_CENTS = 250.0  # a note that sounds further off than this is not found at all
_SILENCE = 1e-4
_COMMA_CENTS = 1200.0 / 53.0


def score() -> list[NoteEvent]:
    """24 notes from G1 to E7, one by one: 12 quarter-tones and 12 steps of 53-TET, each on another degree."""
    notes = []
    for i in range(24):
        cents = 100.0 * (31 + 3 * i) + (50.0 if i % 2 else 0.0)
        if i % 2 == 0:
            cents = round(cents / _COMMA_CENTS + (i * 5) % 7 - 3) * _COMMA_CENTS
        pitch = round(cents / 100.0)
        notes.append(NoteEvent(_SECONDS * i, 1.0, pitch, 90, CHANNEL, "check", cents - 100.0 * pitch))
    return notes


def plain(notes: Sequence[NoteEvent]) -> list[NoteEvent]:
    """The same keys in 12-TET: how far these are off is the soundfont's own doing."""
    return [replace(note, cents=0.0) for note in notes]


def measure_tuning(
    notes: Sequence[NoteEvent], tuning: Tuning, *, sound_font: Path = SOUND_FONT, program: int = PROGRAM
) -> NDArray[np.float64]:
    """Write `notes` (on CHANNEL, one at a time) to a MIDI file, have fluidsynth play it, and listen: cents above the
    pitch asked for `[len(notes)]`, NaN where nothing was heard. Raises MidiError if there is no fluidsynth or
    soundfont.
    """
    sound = render(notes, tuning, sound_font, program)
    edges = [[round((note.onset_beats + edge) * SAMPLE_RATE) for edge in _HEARD] for note in notes]
    return cents_off([sound[first:last] for first, last in edges], notes)


def render(notes: Sequence[NoteEvent], tuning: Tuning, sound_font: Path, program: int) -> NDArray[np.float64]:
    """What fluidsynth makes of the MIDI file: mono `[n]` at SAMPLE_RATE, 60 BPM. Raises MidiError."""
    programs = {CHANNEL: program}
    scheduler = OfflineScheduler(tuning=tuning.with_programs(PartProgram(*pair) for pair in programs.items()))
    scheduler.send(Start(0.0, 60.0))
    scheduler.send(Notes(tuple(notes)))
    scheduler.advance(max(note.onset_beats + note.duration_beats for note in notes))
    scheduler.send(Stop())
    with tempfile.TemporaryDirectory() as folder:
        song, sound = Path(folder, "song.mid"), Path(folder, "song.wav")
        song.write_bytes(midi_bytes(scheduler.messages, scheduler.tempo_map, programs=programs))
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
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise MidiError(f"fluidsynth cannot be run ({error}); apt install fluidsynth fluid-soundfont-gm") from error
        if done.returncode != 0 or not sound.exists():
            raise MidiError(f"fluidsynth did not play the file ({done.stderr.strip()[-200:]}); is the soundfont there?")
        with wave.open(str(sound)) as file:
            frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    mono: NDArray[np.float64] = frames.reshape(-1, 2).mean(axis=1) / 32768.0
    return mono


def cents_off(sounds: Iterable[NDArray[np.float64]], notes: Sequence[NoteEvent]) -> NDArray[np.float64]:
    """How many cents above the pitch asked for each note sounds `[len(notes)]`, by the steady part of its sound
    (SAMPLE_RATE); NaN where nothing was heard.
    """
    asked = [440.0 * 2.0 ** ((note.pitch - 69 + note.cents / 100.0) / 12.0) for note in notes]
    heard = [frequency_near(sound, hertz) for sound, hertz in zip(sounds, asked, strict=True)]
    cents: NDArray[np.float64] = 1200.0 * np.log2(np.array(heard) / np.array(asked))
    return cents


def frequency_near(samples: NDArray[np.float64], expected_hz: float) -> float:
    """The fundamental of a steady tone (Hz; NaN of silence), from the loudest of its first partials: under a Gaussian
    window a spectral peak is a parabola in decibels, so three points give its top to a small part of a cent.
    """
    length = len(samples)
    if np.max(np.abs(samples), initial=0.0) < _SILENCE:
        return float("nan")
    window = np.exp(-0.5 * ((np.arange(length) - (length - 1) / 2.0) / (length / 8.0)) ** 2)
    size = 4 << (length - 1).bit_length()
    level = np.log(np.abs(np.fft.rfft(samples * window, size)) + 1e-12)
    reach = 2.0 ** (_REACH_CENTS / 1200.0)
    best, found = -np.inf, expected_hz
    for partial in range(1, 5):
        low, high = (int(expected_hz * partial * edge * size / SAMPLE_RATE) for edge in (1.0 / reach, reach))
        if high + 2 >= len(level):
            break
        top = low + int(np.argmax(level[low : high + 1]))
        if level[top] > best:
            left, middle, right = level[top - 1 : top + 2]
            shift = 0.5 * (left - right) / (left - 2.0 * middle + right)
            best, found = middle, (top + shift) * SAMPLE_RATE / size / partial
    return float(found)


def main(font: str = str(SOUND_FONT), program: str = str(PROGRAM)) -> None:
    """A line a way of tuning: all that is off, and what is left of it without what 12-TET is off by itself."""
    notes = score()
    own = measure_tuning(plain(notes), Tuning("off"), sound_font=Path(font), program=int(program))
    print(f"{len(notes)} notes, {font}, program {program}: cents off as |median|, |worst|; beside the soundfont's own")
    print(f"{'12-TET':16} {_told(own)}")
    for tuning in (Tuning("bend", 2), Tuning("bend", 48), Tuning("mpe", 48), Tuning("mpe", 2), Tuning("mts")):
        errors = measure_tuning(notes, tuning, sound_font=Path(font), program=int(program))
        name = tuning.mode if tuning.mode == "mts" else f"{tuning.mode}, range {tuning.bend_range}"
        print(f"{name:16} {_told(errors)}   {_told(errors - own)}")


def _told(errors: NDArray[np.float64]) -> str:
    heard = np.abs(errors[~np.isnan(errors)])
    return f"{np.median(heard):6.2f} {heard.max():6.2f}" + f" ({len(errors) - len(heard)} unheard)" * (
        len(heard) < len(errors)
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
