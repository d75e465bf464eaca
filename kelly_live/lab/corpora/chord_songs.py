"""Songs of POP909, rendered, with their annotated chords."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.pitch_names import parse_pitch_class
from kelly_live.engine.audio_input import read_note_file
from kelly_live.engine.tracking import load_excerpt
from kelly_live.lab.corpora.pieces import HELD_OUT
from kelly_live.lab.corpora.pop909 import extract_pop909, list_songs
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS, render_midi
from kelly_live.sync.chord_features import HOP_SECONDS, AudioChordFeatures
from kelly_live.sync.chord_net import NO_CHORD
from kelly_live.sync.note_chord_features import NoteChordFeatures, TimedMessage
from kelly_live.sync.onsets import SAMPLE_RATE

UNMEASURED = -1  # a chord that is neither major nor minor
SECONDS = 60.0
LOOP_SECONDS, LOOP_ROUNDS = 8.0, 5
TRAINING_PLACES = (3,)  # of ten songs these are for training; those at 0 are held out
NOTE_TRAINING_PLACES = (1, 2, 3, 4, 5, 6, 8, 9)  # notes need no rendering; changes are tried on those at 7
_MAJOR = {"maj", "maj7", "7", "maj6", "9", "maj9", "6"}
_MINOR = {"min", "min7", "min6", "minmaj7", "min9"}


def parse_chord(name: str) -> int:
    """Parse an annotation such as `Eb:min7/b3` to the net's index, NO_CHORD or UNMEASURED."""
    if name == "N":
        return NO_CHORD
    root, _, kind = name.partition(":")
    kind = kind.split("/")[0].split("(")[0]
    if kind in _MAJOR or kind in _MINOR:
        return parse_pitch_class(root) + 12 * (kind in _MINOR)
    return UNMEASURED


@dataclass(frozen=True, slots=True)
class ChordSong:
    """A rendered song with its chords: start and end in seconds, and the net's index.

    `loop`: where it starts and ends in the recording, if only a loop of it is played.
    """

    path: Path
    soundfont: str
    chords: tuple[tuple[float, float, int], ...]
    loop: tuple[float, float] | None = None

    def label(self, count: int) -> np.ndarray:
        """Return the true index `[count]` at the end of each hop."""
        seconds = (np.arange(count) + 1) * HOP_SECONDS
        labels = np.full(count, UNMEASURED)
        for start, end, chord in self.chords:
            labels[(seconds > start) & (seconds <= end)] = chord
        return labels


def read_chord_songs(corpora: Path, cache: Path, *, held_out: bool, most: int = 1000) -> list[ChordSong]:
    """Render songs of POP909 with its annotated chords: those held out, or those to train on.

    Soundfonts alternate; one of those for held-out songs is never trained on. Raises ConfigError, KellyError.
    """
    paths = _find_songs(corpora, cache)
    places = (0,) if held_out else TRAINING_PLACES
    soundfonts = (HELD_OUT_SOUNDFONT, SOUNDFONTS[0]) if held_out else SOUNDFONTS
    chosen = [path for number, path in enumerate(paths) if number % HELD_OUT in places]
    if held_out:
        chosen = chosen[::2]
    songs = []
    for number, path in enumerate(chosen[:most]):
        soundfont = soundfonts[number % len(soundfonts)]
        sound = render_midi(path / f"{path.name}.mid", cache / "follow", soundfont, seconds=SECONDS)
        songs.append(ChordSong(sound, soundfont.stem, _read_chords(path)))
    return songs


def _find_songs(corpora: Path, cache: Path) -> list[Path]:
    return list_songs(extract_pop909(corpora, cache), "chord_midi.txt")


def _read_chords(song: Path) -> tuple[tuple[float, float, int], ...]:
    rows = [line.split() for line in (song / "chord_midi.txt").read_text().splitlines()]
    return tuple((float(row[0]), float(row[1]), parse_chord(row[2])) for row in rows if len(row) == 3)


def read_note_songs(corpora: Path, cache: Path, *, held_out: bool) -> list[ChordSong]:
    """List songs of POP909 as the MIDI files that they are: the same that are held out, or those to train on.

    Raises ConfigError.
    """
    places = (0,) if held_out else NOTE_TRAINING_PLACES
    chosen = [path for number, path in enumerate(_find_songs(corpora, cache)) if number % HELD_OUT in places]
    return [
        ChordSong(path / f"{path.name}.mid", "notes in", _read_chords(path)) for path in chosen[:: 2 if held_out else 1]
    ]


def compute_note_features(song: ChordSong) -> Floats:
    """Compute the features `[hops, 72]` of the first SECONDS of a song's notes."""
    messages = [
        TimedMessage(round(message.seconds * SAMPLE_RATE), message.data) for message in read_note_file(song.path)
    ]
    return np.array(NoteChordFeatures().push(messages, round(SECONDS * SAMPLE_RATE)))


def compute_features(song: ChordSong) -> Floats:
    """Compute the features `[hops, 72]` of a song."""
    return np.array(AudioChordFeatures().push(load_sound(song)))


def load_sound(song: ChordSong) -> Floats:
    """Load a song's sound at SAMPLE_RATE; a loop's rounds one after the other."""
    sound = load_excerpt(song.path)
    if song.loop is None:
        return sound
    first, last = (round(seconds * SAMPLE_RATE) for seconds in song.loop)
    return np.tile(sound[first:last], LOOP_ROUNDS)


def make_loop(song: ChordSong) -> ChordSong | None:
    """Make a player's loop of about LOOP_SECONDS, whole chords of a song, played LOOP_ROUNDS times; None: too few."""
    starts = [start for start, _, chord in song.chords if start > 8.0 and chord not in (UNMEASURED, NO_CHORD)]
    if len(starts) < 10:
        return None
    first = starts[0]
    last = min(starts, key=lambda start: abs(start - first - LOOP_SECONDS))
    inside = [(max(start, first), min(end, last), chord) for start, end, chord in song.chords]
    rounds = [
        (start + turn * (last - first) - first, end + turn * (last - first) - first, chord)
        for turn in range(LOOP_ROUNDS)
        for start, end, chord in inside
        if start < end
    ]
    return replace(song, soundfont=f"loops, {song.soundfont}", chords=tuple(rounds), loop=(first, last))
