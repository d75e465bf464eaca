"""Pictures of playing together: what a player plays, and what the band plays to it, on one piano roll each.

`python -m kelly_live.lab.plots.together docs/together.png` (or `make pictures`). Every player is written here, note by
note; the band hears him as `kelly-live render` does: his notes as a MIDI file, or his sound from the built-in
synthesiser.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import mido

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.termination import temporary_folder
from kelly_live.core.values import SoundingNote
from kelly_live.engine.options.click_options import print_line
from kelly_live.engine.options.commands import RenderOptions
from kelly_live.engine.options.role import BandRoleOptions
from kelly_live.engine.options.silence import SilenceOptions
from kelly_live.ui.rolls import PLAYER, Roll, draw_rolls

if TYPE_CHECKING:
    from kelly_live.engine.performance import Performance

SEED = 5
_TICKS_PER_BEAT, _MIDI_BPM = 480, 120.0  # of the player's file: its ticks are seconds
_LOOP = ("A2 A3 C4 E4", "F2 A3 C4 F4", "C3 G3 C4 E4", "G2 G3 B3 D4")  # Am F C G, four beats each
_GUITAR = ("G2 D3 G3 B3 D4 G4", "E2 B2 G3 B3 E4 G4", "C3 G3 C4 E4 G4 E4", "D3 A3 D4 F#4 A4 F#4")  # G Em C D
_PICKING = (0, 3, 1, 4, 2, 5, 1, 4)  # strings, an eighth each
# A verse for a voice in D minor, as pitch and beats; `r` is a breath.
_VERSE = (
    "D4:1 F4:1 A4:1.5 G4:.5 F4:1 E4:1 D4:2 r:2 A4:1 A4:.5 G4:.5 F4:1 G4:1 A4:3 r:1 "
    "D5:1.5 C5:.5 Bb4:1 A4:1 G4:1 A4:.5 G4:.5 F4:2 r:2 E4:1 F4:1 G4:1 E4:1 D4:4 r:4"
)
# Two turns of a soloist over the loop, four bars each.
_SOLOS = (
    "A4:1 C5:.5 D5:.5 E5:1 D5:.5 C5:.5 A4:1.5 C5:.5 F4:2 G4:1 E5:.5 D5:.5 C5:1 D5:.5 E5:.5 D5:2 B4:1 r:1",
    "E5:.5 E5:.5 r:1 E5:.5 D5:.5 C5:1 A4:.5 A4:.5 r:1 C5:.5 A4:.5 F4:1 G4:.5 C5:.5 E5:1 G5:1.5 E5:.5 D5:3 r:1",
)
_TURNS = ("the player's turn", "the band's", "the player's", "the band's")
_PICKUP_SECONDS = 0.5  # before the first beat


@dataclass(frozen=True, slots=True)
class Scene:
    """A player and the band beside him.

    `notes`: what he plays. `program`: his General MIDI sound; None if his notes are heard instead of his sound.
    `marks`: seconds and what happens there.
    """

    title: str
    caption: str
    notes: tuple[SoundingNote, ...]
    options: RenderOptions
    program: int | None = None
    marks: tuple[tuple[float, str], ...] = ()


def place_beats(count: int, find_bpm: Callable[[int], float]) -> list[float]:
    """Return when `count` beats fall, in seconds; `find_bpm` tells the tempo after each."""
    times = [_PICKUP_SECONDS]
    for beat in range(count - 1):
        times.append(times[-1] + 60.0 / find_bpm(beat))
    return times


def comp(beats: Sequence[float], chords: Sequence[str], *, velocity: int = 84) -> list[SoundingNote]:
    """Play chords on every beat, the bass on the first and third; a chord lasts four beats."""
    notes = []
    for i, (start, end) in enumerate(pairwise(beats)):
        bass, *tones = _list_pitches(chords[i // 4 % len(chords)])
        for pitch in (bass, *tones) if i % 2 == 0 else tones:
            accent = 8 if i % 4 == 0 else 0
            notes.append(SoundingNote(start, start + 0.85 * (end - start), pitch, velocity + accent, 1))
    return notes


def pick(beats: Sequence[float], chords: Sequence[str]) -> list[SoundingNote]:
    """Pick chords on a guitar in eighths; the strings ring until the chord changes."""
    notes = []
    for bar in range(len(beats) // 4):
        strings, next_bar = _list_pitches(chords[bar % len(chords)]), min(4 * bar + 4, len(beats) - 1)
        for i, string in enumerate(_PICKING):
            beat = 4 * bar + i // 2
            if beat + 1 < len(beats):
                time = beats[beat] + (i % 2) * 0.5 * (beats[beat + 1] - beats[beat])
                notes.append(SoundingNote(time, beats[next_bar], strings[string], 92 if i % 4 == 0 else 74, 1))
    return notes


def sing(beats: Sequence[float], line: str) -> list[SoundingNote]:
    """Sing a line of `pitch:beats`."""
    notes, position = [], 0.0
    for token in line.split():
        name, length = token.split(":")
        start, position = position, position + float(length)
        if name != "r" and position < len(beats) - 1:
            notes.append(SoundingNote(_at(beats, start), _at(beats, position) - 0.04, _list_pitches(name)[0], 92, 1))
    return notes


def trade(beats: Sequence[float]) -> list[SoundingNote]:
    """Play a solo over chords in every other four bars, nothing between, and a chord at the end."""
    notes: list[SoundingNote] = []
    for turn, solo in enumerate(_SOLOS):
        turn_beats = beats[32 * turn : 32 * turn + 18]
        notes += sing(turn_beats, solo)
        notes += [replace(note, velocity=note.velocity - 26) for note in comp(turn_beats[:17], _LOOP)]
    end = beats[32 * len(_SOLOS)]
    return [*notes, *(SoundingNote(end, end + 2.0, pitch, 80, 1) for pitch in _list_pitches(_LOOP[0]))]


def list_scenes() -> list[Scene]:
    """List the scenes in the order of the page."""
    steady = place_beats(65, lambda _: 100.0)
    slow = place_beats(65, lambda _: 84.0)
    faster = place_beats(81, lambda beat: 84.0 + 36.0 * min(1.0, max(0.0, (beat - 32) / 16.0)))
    follow_all = RenderOptions(follow=("tempo", "key", "chords"), seed=SEED)
    long = place_beats(97, lambda _: 100.0)
    stop = [*comp(long[:33], _LOOP), *comp(long[64:], _LOOP)]
    return [
        Scene("keyboard loop", "Am F C G at 100 BPM, its notes heard", tuple(comp(steady, _LOOP)), follow_all),
        Scene("guitar", "picked, G Em C D at 100 BPM, its sound heard", tuple(pick(steady, _GUITAR)), follow_all, 25),
        Scene(
            "singer",
            "D minor at 84 BPM, the voice alone heard",
            tuple(sing(slow, f"{_VERSE} {_VERSE}")),
            RenderOptions(follow=("tempo", "key"), seed=SEED),
            52,
        ),
        Scene(
            "accelerando",
            "84 to 120 BPM in 16 beats, the notes heard",
            tuple(comp(faster, _LOOP)),
            follow_all,
            marks=((faster[32], "faster"), (faster[48], "120 BPM")),
        ),
        Scene(
            "stop",
            "rests for eight bars (--silent-bars 2), the notes heard",
            tuple(stop),
            replace(follow_all, silence=SilenceOptions(bars=2)),
            marks=((long[32], "rest"), (long[64], "again")),
        ),
        Scene(
            "trade fours",
            "a solo of four bars, then the band's (--role trade), the notes heard",
            tuple(trade(long)),
            replace(follow_all, band_role=BandRoleOptions(role="trade")),
            marks=tuple((long[beat], whose) for beat, whose in zip(range(0, 64, 16), _TURNS, strict=True)),
        ),
    ]


def play_scene(scene: Scene) -> Performance:
    """Let the band play to a scene."""
    from kelly_live.audio.synth import SAMPLE_RATE, render, write_wav
    from kelly_live.engine.accompaniment import accompany_recording

    with temporary_folder() as name:
        folder = Path(name)
        if scene.program is None:
            path = folder / "player.mid"
            build_file(scene.notes).save(path)
        else:
            path = folder / "player.wav"
            write_wav(path, render(scene.notes, {1: scene.program}), SAMPLE_RATE)
        return accompany_recording(path, scene.options).performance


def build_file(notes: Sequence[SoundingNote]) -> mido.MidiFile:
    """Build a MIDI file of a player's notes."""
    events = sorted(
        event
        for note in notes
        for event in (
            (note.start_seconds, 1, note.pitch, note.velocity),
            (note.end_seconds, 0, note.pitch, 0),
        )
    )
    track, tick = mido.MidiTrack(), 0
    for seconds, _, pitch, velocity in events:
        position = round(seconds * _TICKS_PER_BEAT * _MIDI_BPM / 60.0)
        track.append(mido.Message("note_on", note=pitch, velocity=velocity, time=position - tick))
        tick = position
    return mido.MidiFile(ticks_per_beat=_TICKS_PER_BEAT, tracks=[track])


def create_scene_roll(scene: Scene) -> Roll:
    """Create the piano roll of player and band."""
    performance = play_scene(scene)
    parts = {part.channel: part.name for part in performance.parts}
    band = [
        (n.start_seconds, n.end_seconds, n.pitch, n.velocity, parts.get(n.channel, "other"))
        for n in performance.sounding_notes()
    ]
    player = [(n.start_seconds, n.end_seconds, n.pitch, n.velocity, PLAYER) for n in scene.notes]
    return Roll(scene.title, scene.caption, (*band, *player), performance.end_seconds, scene.marks)


def _at(beats: Sequence[float], position: float) -> float:
    beat = int(position)
    return beats[beat] + (position - beat) * (beats[beat + 1] - beats[beat])


def _list_pitches(names: str) -> list[int]:
    from kelly_live.core.pitch_names import parse_pitch

    return [parse_pitch(name) for name in names.split()]


def main() -> None:
    """Draw the scenes."""
    parser = argparse.ArgumentParser(prog="kelly_live.lab.plots.together", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.png")
    out = parser.parse_args().out
    rolls = []
    for scene in list_scenes():
        rolls.append(create_scene_roll(scene))
        print_line(f"{scene.title}: {len(rolls[-1].notes)} notes")
    write_atomically(out, draw_rolls(rolls))


if __name__ == "__main__":
    main()
