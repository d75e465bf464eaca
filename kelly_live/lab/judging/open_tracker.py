"""What `--follow` hears beats and keys with, learned from data that may be used for anything.

POP909 (MIT), rendered with the soundfonts under MIT and as notes, has exact beats and keys. EmoDB's speech (CC0) and
generated noise have none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.engine.tracking import load_excerpt
from kelly_live.lab.corpora.pop909 import choose_songs, extract_pop909, list_songs, read_note_song
from kelly_live.lab.corpora.rendering import SOUNDFONTS
from kelly_live.lab.judging.note_beats import fit_note_beats
from kelly_live.lab.judging.tracking import AnnotatedRecording, fit_model, format_model, read_pop909
from kelly_live.sync.onsets import SAMPLE_RATE

SPEECH = "emodb"
SPEECH_CLIPS, SPEECH_RECORDINGS = 120, 6  # clips of some seconds, joined: a tracker needs more to be misled by
EVERY = 15  # songs of POP909; `lab follow` measures on those of them whose number is 2 or 3 modulo 4
TRAINING_PAIRS = 8  # by number, 0 and 1 are trained on, then 8 and 9, and so on


def train_open_tracker(corpora: Path, speech: Path, cache: Path, out: Path, log: Callable[[str], None]) -> None:
    """Fit the tracker's model and write it to `out`. Raises KellyError if a corpus cannot be read."""
    songs = read_pop909(
        corpora, cache, EVERY, (SOUNDFONTS[0], SOUNDFONTS[1]), is_wanted=lambda number: number % TRAINING_PAIRS < 2
    )
    examples = songs + read_speech(speech, cache / "follow" / "speech")
    log(f"{len(examples)} recordings are there")
    model = fit_model(examples, log)
    note_songs = choose_songs(list_songs(extract_pop909(corpora, cache)), held_out=False)
    model = fit_note_beats([read_note_song(song) for song in note_songs], model)
    sets = ", ".join(dict.fromkeys(example.set_name for example in examples))
    how = f"kelly-live lab train follow, of {len(examples)} recordings: {sets}; notes of {len(note_songs)} songs"
    write_atomically(out, format_model(model, how).encode())


def read_speech(folder: Path, cache: Path) -> list[AnnotatedRecording]:
    """Join clips of EmoDB's training speakers to recordings, which have no beat and no key. Raises KellyError."""
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        raise ConfigError(f"{manifest} is missing; --speech names the folder of an audio manifest with EmoDB")
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    paths = [folder / row["audio_path"] for row in rows if row["dataset"] == SPEECH and row["split"] == "train"]
    step = max(len(paths) // SPEECH_CLIPS, 1)
    clips = paths[::step]
    create_folder(cache)
    recordings = []
    for number in range(min(SPEECH_RECORDINGS, len(clips))):
        joined = cache / f"{number}.flac"
        if not joined.is_file():
            sound = np.concatenate([load_excerpt(clip) for clip in clips[number::SPEECH_RECORDINGS]])
            soundfile.write(joined, sound, SAMPLE_RATE)
        recordings.append(AnnotatedRecording(joined, "EmoDB, speech (no beat, no key)"))
    return recordings
