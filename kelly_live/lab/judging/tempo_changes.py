"""Evaluation of a band that follows a change of tempo: does it keep its beat's level, and fall on the player's beats.

The level is how many of its beats fall on one of the player's: a half, one or two. It is kept if it is the same at the
end as before the change. From the change on, a beat of the band is right within 70 ms of an annotated one; at the level
of two also of the middle between two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.midi_messages import ReceivedMessage, get_kind
from kelly_live.engine.tracking import load_excerpt, track_sound
from kelly_live.lab.corpora.pop909 import NoteSong
from kelly_live.lab.corpora.tempo_changes import STEADY_BEATS, ChangedSong
from kelly_live.lab.judging.following_band import FollowingBand
from kelly_live.lab.judging.note_beats import is_beat_right, play_unevenly, track_notes
from kelly_live.lab.judging.tracking import (
    BEAT_TOLERANCE_SECONDS,
    CONFIDENT,
    classify_tempo,
    find_stable_start,
    format_times,
)
from kelly_live.sync.note_tracker import NoteTracker

LEVELS = (0.5, 1.0, 2.0)
PLAYER_DEVIATION_SECONDS = 0.012  # of a good player's onsets; the songs' notes are quantized
NOTE_SECONDS = 40.0  # of a song, from its first note
BLOCKS_PER_MOMENT = 5  # of 50 ms: four moments a second
_LEVEL_TOLERANCE = 0.1
_JUDGED_BEATS = 8  # of the player, before the change and at the end, over which the level is measured


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """What became of one change: the level before and at the end (None: none of LEVELS), and its beats' errors (s)."""

    change: str
    level_before: float | None
    level_after: float | None
    errors: tuple[float, ...]

    @property
    def is_level_kept(self) -> bool:
        """Whether the band plays at the same level as before the change."""
        return self.level_before is not None and self.level_before == self.level_after


def evaluate_change(song: ChangedSong, band_beats: Sequence[float]) -> ChangeResult:
    """Evaluate the band's beats (s), those while it followed."""
    beats, band = np.array(song.beats), np.array(band_beats)
    before = _find_level(beats[STEADY_BEATS - _JUDGED_BEATS : STEADY_BEATS + 1], band)
    after = _find_level(beats[-_JUDGED_BEATS - 1 :], band)
    places = beats if before != 2.0 else np.sort(np.concatenate([beats, 0.5 * (beats[1:] + beats[:-1])]))
    judged = band[(band >= beats[STEADY_BEATS]) & (band <= beats[-1])]
    errors = [float(np.min(np.abs(places - beat))) for beat in judged]
    # A band that has let go has no beats to be wrong: what it should have played is counted as missed.
    due = (len(beats) - 1 - STEADY_BEATS) * (before or 1.0)
    missing = max(0, round(0.9 * due) - len(errors))
    return ChangeResult(song.change, before, after, (*errors, *[np.inf] * missing))


def follow_sound(song: ChangedSong) -> ChangeResult:
    """Let a band follow a song's sound, and evaluate its beats."""
    band = FollowingBand()
    track_sound(load_excerpt(song.sound, song.beats[-1]), on_estimate=band.follow, targets=("tempo",))
    return evaluate_change(song, band.beats)


def follow_notes(song: ChangedSong) -> ChangeResult:
    """Let a band follow a song's notes, unevenly played, and evaluate its beats."""
    band, tracker = FollowingBand(), NoteTracker()
    played = play_unevenly(NoteSong(song.name, song.beats, song.notes), PLAYER_DEVIATION_SECONDS, seed=1)
    for now in track_notes(played, tracker, song.beats[-1]):
        band.follow(now, tracker.estimate(now))
    return evaluate_change(song, band.beats)


def find_first_note(messages: Sequence[ReceivedMessage]) -> float:
    """Find when the first note begins, in seconds."""
    return next(message.seconds for message in messages if get_kind(message.data) == "note_on")


def format_first_beats(songs: Sequence[NoteSong]) -> str:
    """Format after how many seconds the beat of songs' notes is heard, octaves allowed, and how often it is right."""
    first_seconds, rights = [], []
    for number, song in enumerate(songs):
        played = play_unevenly(song, PLAYER_DEVIATION_SECONDS, number)
        first_note = find_first_note(played.messages)
        tracker, moments, is_heard = NoteTracker(), list[float](), list[bool]()
        for block, now in enumerate(track_notes(played, tracker, first_note + NOTE_SECONDS)):
            place = int(np.searchsorted(song.beats, now))
            if block % BLOCKS_PER_MOMENT or now < first_note or not 0 < place < len(song.beats):
                continue
            beat = tracker.estimate(now).beat
            true = 60.0 / (song.beats[place] - song.beats[place - 1])
            is_sure = beat is not None and beat.confidence >= CONFIDENT
            moments.append(now - first_note)
            is_heard.append(beat is not None and is_sure and classify_tempo(beat.bpm, true) != "other")
            if is_sure:
                rights.append(is_beat_right(song.beats, now, tracker.belief))
        first_seconds.append(find_stable_start(is_heard, moments))
    return (
        f"the beat of the notes of {len(songs)} songs: {format_times(first_seconds)}; "
        f"while sure, {np.mean(rights):.2f} within 70 ms of a beat or half beat"
    )


def _find_level(beats: np.ndarray, band: np.ndarray) -> float | None:
    inside = band[(band >= beats[0] - 0.5) & (band <= beats[-1] + 0.5)]
    if len(inside) < 3:
        return None
    level = float(np.median(np.diff(beats)) / np.median(np.diff(inside)))
    return next((known for known in LEVELS if abs(level / known - 1.0) <= _LEVEL_TOLERANCE), None)


def format_changes(results: Sequence[ChangeResult]) -> str:
    """Format a line for each kind of change, and one for all."""
    lines = []
    for name in [*dict.fromkeys(result.change for result in results), "all"]:
        group = [result for result in results if name in (result.change, "all")]
        followed = [result for result in group if result.level_before is not None]
        errors = np.array([error for result in followed for error in result.errors])
        kept = sum(result.is_level_kept for result in followed)
        within = (errors <= BEAT_TOLERANCE_SECONDS).mean() if len(errors) else 0.0
        lines.append(
            f"{name:<9} (n {len(group)}, followed before it {len(followed)}): level kept in "
            f"{kept / max(1, len(followed)):.2f}, of the band's beats from there on {within:.2f} within 70 ms"
        )
    return "\n".join(lines)
