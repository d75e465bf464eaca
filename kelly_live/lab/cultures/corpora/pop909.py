"""POP909: Mandarin pop songs as MIDI, with sung melody, played velocities, beats, key and chords."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.core.pitch_names import parse_pitch_class
from kelly_live.lab.cultures.corpora.archive import read_files
from kelly_live.lab.cultures.corpora.kern import place_tonic
from kelly_live.lab.cultures.tune import Tune

_LABELS = {"maj": "major", "min": "minor"}


@dataclass(frozen=True, slots=True)
class Songs:
    """Melodies as tunes, the velocity of each melody note, and each song's share of time with a chord."""

    tunes: list[Tune]
    velocities: np.ndarray
    chord_shares: list[float]


def read_pop909(corpora: Path) -> Songs:
    """Read the melody of each song within its longest stretch of one key."""
    songs: dict[str, dict[str, bytes]] = defaultdict(dict)
    for path, data in read_files(corpora, "pop909-index", lambda inside: inside.count("/") == 2):
        _, song, name = path.split("/", 2)
        if name in (f"{song}.mid", "beat_midi.txt", "beat_audio.txt", "key_audio.txt", "chord_midi.txt"):
            songs[song][name.removeprefix(song)] = data
    tunes: list[Tune] = []
    velocities: list[np.ndarray] = []
    chord_shares: list[float] = []
    for _, files in sorted(songs.items()):
        if len(files) < 5:
            continue
        read = _read_song(files)
        if read is not None:
            tunes.append(read[0])
            velocities.append(read[1])
        spans = [line.split("\t") for line in files["chord_midi.txt"].decode().splitlines() if line.count("\t") == 2]
        total = sum(float(end) - float(start) for start, end, _ in spans)
        chord_seconds = sum(float(end) - float(start) for start, end, label in spans if label != "N")
        chord_shares.append(chord_seconds / max(total, 1e-9))
    return Songs(tunes, np.concatenate(velocities) if velocities else np.empty(0), chord_shares)


def _read_song(files: dict[str, bytes]) -> tuple[Tune, np.ndarray] | None:
    import mido

    beats = np.array([float(line.split()[0]) for line in files["beat_midi.txt"].decode().splitlines() if line.strip()])
    keys = [line.split() for line in files["key_audio.txt"].decode().splitlines() if len(line.split()) == 3]
    beat_numbers = [
        int(float(line.split()[1])) for line in files["beat_audio.txt"].decode().splitlines() if line.strip()
    ]
    if len(beats) < 8 or not keys:
        return None
    start, end, key = max(keys, key=lambda one: float(one[1]) - float(one[0]))
    notes = _read_melody(mido.MidiFile(file=io.BytesIO(files[".mid"]), clip=True))
    notes = notes[(notes[:, 0] >= float(start)) & (notes[:, 0] < float(end))]
    if len(notes) < 12:
        return None
    places = np.interp(notes[:, :2], beats, np.arange(len(beats), dtype=np.float64))
    letter, _, kind = key.partition(":")
    pitches = [int(pitch) for pitch in notes[:, 2]]
    tonic = place_tonic(parse_pitch_class(letter), pitches)
    per_bar = max(beat_numbers) if beat_numbers else 4
    tune = Tune(
        cents=100.0 * (notes[:, 2] - tonic),
        onsets=places[:, 0],
        durations=np.maximum(places[:, 1] - places[:, 0], 0.05),
        tonic=float(tonic),
        metre=f"{per_bar}/4" if per_bar in (2, 3, 4) else None,
        tempo=60.0 / float(np.median(np.diff(beats))),
        mode=_LABELS.get(kind),
    )
    return tune, notes[:, 3]


def _read_melody(midi: object) -> np.ndarray:
    """Read onset and end (s), pitch and velocity of the MELODY track, `[n, 4]`."""
    import mido

    assert isinstance(midi, mido.MidiFile)
    tempi = [message.tempo for track in midi.tracks for message in track if message.type == "set_tempo"]
    tempo = tempi[0] if tempi else 500_000
    notes: list[list[float]] = []
    for track in midi.tracks:
        if track.name != "MELODY":
            continue
        now = 0
        open_notes: dict[int, tuple[float, int]] = {}
        for message in track:
            now += message.time
            seconds = now / midi.ticks_per_beat * tempo / 1e6
            if message.type == "note_on" and message.velocity > 0:
                open_notes[message.note] = (seconds, message.velocity)
            elif message.type in ("note_on", "note_off") and message.note in open_notes:
                start, velocity = open_notes.pop(message.note)
                notes.append([start, seconds, message.note, velocity])
    return np.array(sorted(notes), dtype=np.float64).reshape(-1, 4)
