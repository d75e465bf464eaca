"""The recording that `kelly-live demo` analyses: presets/demo/score.yaml, rendered by fluidsynth.

`python -m kelly_live.lab.corpora.demo_recording` (or `make demo-recording`); needs fluidsynth and a soundfont.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path
from typing import Any

import mido
import soundfile
import yaml

from kelly_live.core.pitch_names import NATURALS
from kelly_live.core.resources import find_resources
from kelly_live.core.termination import temporary_folder

TICKS_PER_BEAT = 480
SAMPLE_RATE = 22050


def parse_pitch(name: str) -> int:
    """Parse a pitch such as `Eb4` to its MIDI number; C4 is 60."""
    match = re.fullmatch(r"([A-G])([#b]?)(-?\d)", name)
    if match is None:
        raise ValueError(f"{name!r} is not a pitch; write a letter, # or b, and an octave, as in Eb4")
    letter, accidental, octave = match.groups()
    return 12 * (int(octave) + 1) + NATURALS[letter] + {"#": 1, "b": -1, "": 0}[accidental]


def build_midi(score: dict[str, Any]) -> mido.MidiFile:
    """Build a MIDI file from a score; each section lasts as long as its longest voice."""
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    timed_messages: list[tuple[int, int, mido.Message | mido.MetaMessage]] = []  # (tick, offs first, message)
    section_start = 0
    for section in score["sections"]:
        timed_messages.append((section_start, 0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(section["bpm"]))))
        end = section_start
        for voice in section["voices"]:
            tick = section_start
            for token in voice["line"].split():
                pitches, beats = token.split(":")
                length = round(float(beats) * TICKS_PER_BEAT)
                for pitch in [] if pitches == "r" else [parse_pitch(name) for name in pitches.split("+")]:
                    timed_messages.append((tick, 2, mido.Message("note_on", note=pitch, velocity=voice["velocity"])))
                    timed_messages.append((tick + length - 10, 1, mido.Message("note_off", note=pitch)))
                tick += length
            end = max(end, tick)
        section_start = end
    track = mido.MidiTrack([mido.Message("program_change", program=score["program"])])
    previous = 0
    for tick, _, message in sorted(timed_messages, key=lambda item: item[:2]):
        track.append(message.copy(time=tick - previous))
        previous = tick
    file.tracks.append(track)
    return file


def main() -> None:
    """Render the score and write the recording."""
    folder = find_resources("presets") / "demo"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soundfont", type=Path, default=Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"))
    parser.add_argument("--out", type=Path, default=folder / "recording.ogg")
    options = parser.parse_args()
    score = yaml.safe_load((folder / "score.yaml").read_text())
    with temporary_folder() as scratch:
        midi, wav = Path(scratch) / "score.mid", Path(scratch) / "score.wav"
        build_midi(score).save(midi)
        subprocess.run(
            ["fluidsynth", "-q", "-ni", "-g", "0.7", "-r", str(SAMPLE_RATE), "-F", wav, options.soundfont, midi],
            check=True,
        )
        samples, rate = soundfile.read(wav, dtype="float32")
    mono = samples.mean(axis=1)
    mono *= 0.9 / abs(mono).max()
    soundfile.write(options.out, mono, rate, format="OGG", subtype="VORBIS")
    print(f"wrote {options.out}: {len(mono) / rate:.1f} s")


if __name__ == "__main__":
    main()
