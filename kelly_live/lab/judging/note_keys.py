"""Evaluation of the key that is heard in a player's own notes: how soon, and how often it is right."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from kelly_live.audio.note_source import NoteFileSource
from kelly_live.core.values import MAJOR_MODES
from kelly_live.engine.audio_input import read_note_file
from kelly_live.lab.judging.tempo_changes import BLOCKS_PER_MOMENT, NOTE_SECONDS, find_first_note
from kelly_live.lab.judging.tracking import classify_key, find_stable_start, format_times, read_keys
from kelly_live.sync.player_tracker import PlayerTracker


def read_first_key(song: Path, seconds: float = NOTE_SECONDS) -> tuple[int, bool] | None:
    """Read the key of a song of POP909 (tonic, whether it is major); None if it changes in the first seconds."""
    inside = [(tonic, is_major) for begin, _, tonic, is_major in read_keys(song) if begin < seconds]
    return inside[0] if len(inside) == 1 else None


def follow_key(song: Path, true: tuple[int, bool]) -> tuple[float | None, str]:
    """Hear a song's notes; return when its key is heard and stays, in seconds from the first note, and the late class.

    The late class is the most frequent one over the second half.
    """
    messages = read_note_file(song / f"{song.name}.mid")
    first = find_first_note(messages)
    source = NoteFileSource([one for one in messages if one.seconds < first + NOTE_SECONDS], song.name)
    tracker, seconds, classes = PlayerTracker(("key",)), list[float](), list[str]()
    source.start()
    for number in itertools.count(1):
        block = source.read(0.0)
        if block is None or block.end_time >= first + NOTE_SECONDS:
            break
        tracker.push(block)
        key = tracker.estimate(block.end_time).key
        if number % BLOCKS_PER_MOMENT == 0 and block.end_time > first:
            seconds.append(block.end_time - first)
            classes.append("none" if key is None else classify_key((key.tonic, key.mode in MAJOR_MODES), true))
    source.close()
    late = Counter(classes[len(classes) // 2 :]).most_common(1)[0][0]
    return find_stable_start([one == "right" for one in classes], seconds), late


def format_first_keys(songs: Sequence[Path]) -> str:
    """Format after how many seconds the key of songs' notes is heard, and how often it is right."""
    results = [follow_key(song, true) for song in songs if (true := read_first_key(song)) is not None]
    right = sum(late == "right" for _, late in results) / len(results)
    return f"the key of the notes of {len(results)} songs: right {right:.2f}; {format_times([at for at, _ in results])}"
