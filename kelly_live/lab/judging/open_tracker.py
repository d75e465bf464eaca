"""What `--follow` hears beats and keys with, learned from data that may be used for anything.

POP909 (MIT), rendered with the soundfonts under MIT and as notes, has exact beats and keys. EmoDB's speech (CC0) and
generated noise have none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.pop909 import choose_songs, extract_pop909, list_songs, read_note_song
from kelly_live.lab.corpora.rendering import SOUNDFONTS
from kelly_live.lab.judging.note_beats import fit_note_beats
from kelly_live.lab.judging.tracking import AnnotatedRecording, fit_model, format_model, read_pop909

SPEECH = "emodb"
SPEECH_CLIPS = 40  # of some seconds each
EVERY = 15  # songs of POP909; with those of `lab follow`, which measures on the other half of the same


def train_open_tracker(corpora: Path, speech: Path, cache: Path, out: Path, log: Callable[[str], None]) -> None:
    """Fit the tracker's model and write it to `out`. Raises KellyError if a corpus cannot be read."""
    songs = read_pop909(corpora, cache, EVERY, soundfonts=(SOUNDFONTS[0], SOUNDFONTS[1]))
    examples = [song for i, song in enumerate(songs) if i % 4 < 2] + read_speech(speech)
    log(f"{len(examples)} recordings are there")
    model = fit_model(examples, log)
    note_songs = choose_songs(list_songs(extract_pop909(corpora, cache)), held_out=False)
    model = fit_note_beats([read_note_song(song) for song in note_songs], model)
    sets = ", ".join(dict.fromkeys(example.set_name for example in examples))
    how = f"kelly-live lab train follow, of {len(examples)} recordings: {sets}; notes of {len(note_songs)} songs"
    write_atomically(out, format_model(model, how).encode())


def read_speech(folder: Path) -> list[AnnotatedRecording]:
    """Read clips of EmoDB's training speakers, which have no beat and no key. Raises ConfigError."""
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        raise ConfigError(f"{manifest} is missing; --speech names the folder of an audio manifest with EmoDB")
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    paths = [folder / row["audio_path"] for row in rows if row["dataset"] == SPEECH and row["split"] == "train"]
    step = max(len(paths) // SPEECH_CLIPS, 1)
    return [AnnotatedRecording(path, "EmoDB, speech (no beat, no key)") for path in paths[::step]]
