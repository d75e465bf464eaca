"""How well the band leaves space and answers: beside the melodies of POP909, played to it as a soloist would.

The soloist's phrases are known from the file. A *gap* begins a beat after the onset of a note that none follows for two
beats, and lasts until the next onset; gaps over four bars are rests, and do not count. Everything else between the
first and the last note is *playing*. The songs are those of which no other part of the program has seen one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np

from kelly_live.audio.decode import open_audio
from kelly_live.core.band_roles import ACCOMPANY, ANSWER, LEAD
from kelly_live.core.midi_messages import ReceivedMessage, note_off, note_on
from kelly_live.core.pitch_names import parse_pitch_class
from kelly_live.core.sync_state import BeatEstimate, KeyEstimate, SyncState
from kelly_live.core.values import AudioWindow, MusicParameters, NoteEvent
from kelly_live.engine.build import build_band
from kelly_live.engine.options.host import HostOptions
from kelly_live.lab.corpora.pop909 import choose_songs, extract_pop909, list_songs
from kelly_live.lab.corpora.rendering import SOUNDFONTS, render_midi
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from kelly_live.music.role_options import RoleOptions
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.player_notes import PlayerNoteTracker

SECONDS = 75.0
_BLOCK_SECONDS = 0.05
_LEAD_SECONDS = 4.0  # of the band alone, before the soloist's first note
_GAP_AFTER_BEATS, _GAP_IOI_BEATS, _REST_BEATS = 1.0, 2.0, 16.0
_RANDOM_CALLS = 200
_MATCHED = 0.95  # of random calls that the true one must be more similar than
_FEWEST_NOTES = 3
_SAME_TIME = 1 / 12  # beats
_BAR_BEATS, _LONGEST_CALL_BEATS = 4, 12


@dataclass(frozen=True, slots=True)
class SoloSong:
    """A melody: `beats` are the seconds of the song's beats, and `first_downbeat` the index of the first of a bar.

    `notes` are onset and end in seconds, and pitch. `key`: its tonic and whether it is major.
    """

    path: Path
    notes: tuple[tuple[float, float, int], ...]
    beats: tuple[float, ...]
    first_downbeat: int
    key: tuple[int, bool]


@dataclass(frozen=True, slots=True)
class Duet:
    """What both played, in beats of the band: the soloist's onsets and pitches, and the band's notes."""

    solo: tuple[tuple[float, int], ...]
    band: tuple[NoteEvent, ...]
    seconds_per_beat: float

    @property
    def melody(self) -> list[NoteEvent]:
        """The notes of the band's melody player."""
        return [note for note in self.band if note.part == "melody"]

    def list_gaps(self) -> list[tuple[float, float]]:
        """List the soloist's gaps, in beats."""
        return [
            (before + _GAP_AFTER_BEATS, after)
            for (before, _), (after, _) in pairwise(self.solo)
            if _GAP_IOI_BEATS <= after - before <= _REST_BEATS
        ]

    def list_phrases(self) -> list[list[tuple[float, int]]]:
        """List the soloist's phrases: what lies between gaps."""
        phrases = [[self.solo[0]]]
        for before, note in pairwise(self.solo):
            if note[0] - before[0] >= _GAP_IOI_BEATS:
                phrases.append([])
            phrases[-1].append(note)
        return phrases

    def measure_space(self) -> tuple[int, float, int, float]:
        """Count the melody's notes in gaps and those under playing, each with the beats that these last."""
        gaps = self.list_gaps()
        first, last = self.solo[0][0], self.solo[-1][0]
        rests = sum(b[0] - a[0] for a, b in pairwise(self.solo) if b[0] - a[0] > _REST_BEATS)
        onsets = np.array([note.onset_beats for note in self.melody])
        inside = np.zeros(len(onsets), bool)
        for start, end in gaps:
            inside |= (onsets >= start) & (onsets < end)
        counts = (onsets >= first) & (onsets <= last) & ~inside
        for (before, _), (after, _) in pairwise(self.solo):
            if after - before > _REST_BEATS:
                counts &= ~((onsets > before) & (onsets < after))
        in_gaps = sum(end - start for start, end in gaps)
        return int(inside.sum()), in_gaps, int(counts.sum()), last - first - in_gaps - rests

    def list_answers(self) -> list[tuple[list[tuple[float, int]], list[tuple[float, int]]]]:
        """List each phrase with what the melody player played in the gap after it, where that is an answer."""
        pairs = []
        for phrase, following in pairwise([*self.list_phrases(), [(self.solo[-1][0] + _REST_BEATS, 0)]]):
            start, end = phrase[-1][0] + 0.25, following[0][0]
            answer = [(note.onset_beats, note.pitch) for note in self.melody if start <= note.onset_beats < end]
            if len(answer) >= _FEWEST_NOTES and len(phrase) >= _FEWEST_NOTES:
                pairs.append((phrase, answer))
        return pairs


def read_solo_songs(corpora: Path, cache: Path, *, held_out: bool = True, most: int = 1000) -> list[SoloSong]:
    """Read melodies of POP909: those never used, or others to develop on. Raises ConfigError."""
    chosen = choose_songs(list_songs(extract_pop909(corpora, cache)), held_out=held_out)
    return [song for path in chosen[:most] if (song := _read_song(path)) is not None]


def leave_space(song: SoloSong) -> SoloSong:
    """Return the song as one plays it who calls: each phrase at its place in the bar, then as many bars free."""
    period = float(np.median(np.diff(song.beats)))
    beat_of = [
        (float(np.interp(onset, song.beats, np.arange(len(song.beats)))) - song.first_downbeat, end - onset, pitch)
        for onset, end, pitch in song.notes
    ]
    phrases = [[beat_of[0]]]
    for before, note in pairwise(beat_of):
        if note[0] - before[0] >= _GAP_IOI_BEATS:
            phrases.append([])
        phrases[-1].append(note)
    notes, bar = list[tuple[float, float, int]](), 2
    for phrase in phrases:
        first = phrase[0][0] // _BAR_BEATS * _BAR_BEATS
        call = [note for note in phrase if note[0] < first + _LONGEST_CALL_BEATS]
        bars = int((call[-1][0] - first) // _BAR_BEATS) + 1
        if len(call) >= _FEWEST_NOTES:
            for beat, length, pitch in call:
                onset = (bar * _BAR_BEATS + beat - first) * period
                notes.append((onset, onset + min(length, 2.0 * period), pitch))
            bar += 2 * bars
    beats = tuple(period * beat for beat in range((bar + 2) * _BAR_BEATS))
    return replace(song, notes=tuple(notes), beats=beats, first_downbeat=0)


def play_duet(
    song: SoloSong, parameters: MusicParameters, role: RoleOptions, *, seed: int, cache: Path | None = None
) -> Duet:
    """Let the band play beside a song's melody: it is heard as keys, or with a `cache` rendered as sound."""
    sink = NoteList()
    conductor = Conductor(sink, build_band(HostOptions()), seed=seed, slice_beats=LIVE_SLICE_BEATS, role=role)
    tracker = PlayerNoteTracker()
    first = song.notes[0][0]
    begin = max(0.0, first - _LEAD_SECONDS)
    end = min(song.notes[-1][1] + 2.0, begin + SECONDS)
    sound = None if cache is None else _render_solo(song, cache)
    key = KeyEstimate(song.key[0], "ionian" if song.key[1] else "aeolian", 1.0)
    conductor.start(begin, parameters)
    for block in range(1, round((end - begin) / _BLOCK_SECONDS)):
        before, now = begin + (block - 1) * _BLOCK_SECONDS, begin + block * _BLOCK_SECONDS
        tracker.push(_make_block(song, sound, before, now))
        beat = _estimate_beat(song, now)
        conductor.advance(now, parameters, SyncState(beat=beat, key=key, notes=tracker.estimate(now).notes))
    tempo = conductor.tempo_map
    solo = [(tempo.beat_at(onset), pitch) for onset, _, pitch in song.notes if onset < end]
    beats = tempo.beat_at(end) - tempo.beat_at(begin)
    return Duet(tuple(solo), tuple(sink.notes), (end - begin) / beats)


def measure_similarity(call: Sequence[tuple[float, int]], answer: Sequence[tuple[float, int]]) -> float:
    """Measure how similar an answer is to the most similar stretch of a call, 0 to 1.

    The mean of two shares: of the notes whose distance to the next one is the same, and of the moves that go the same
    way and equally far (a repeat, a step, a third or fourth, or more).
    """
    count = min(len(call), len(answer))
    best = 0.0
    for c in range(len(call) - count + 1):
        for a in range(len(answer) - count + 1):
            one, other = call[c : c + count], answer[a : a + count]
            rhythm = [abs((q[0] - p[0]) - (t[0] - s[0])) < _SAME_TIME for (p, q), (s, t) in _pair_moves(one, other)]
            contour = [_classify(q[1] - p[1]) == _classify(t[1] - s[1]) for (p, q), (s, t) in _pair_moves(one, other)]
            best = max(best, (sum(rhythm) + sum(contour)) / (2.0 * (count - 1)))
    return best


def count_matches(duets: Sequence[Duet], seed: int) -> tuple[int, int]:
    """Count the answers that are more similar to their call than to 95 % of the calls of other songs, and all."""
    rng = random.Random(seed)
    matched = total = 0
    for duet in duets:
        others = [p for other in duets if other is not duet for p in other.list_phrases() if len(p) >= _FEWEST_NOTES]
        for call, answer in duet.list_answers():
            true = measure_similarity(call, answer)
            calls = rng.sample(others, min(_RANDOM_CALLS, len(others)))
            less = sum(measure_similarity(other, answer) < true for other in calls)
            matched += bool(calls) and less >= _MATCHED * len(calls)
            total += 1
    return matched, total


def format_space(name: str, duets: Sequence[Duet]) -> str:
    """Format how many notes a second the melody player plays in gaps and under playing."""
    rows = np.array([duet.measure_space() for duet in duets])
    pace = np.array([duet.seconds_per_beat for duet in duets])
    in_gaps, under = rows[:, 0].sum() / (rows[:, 1] @ pace), rows[:, 2].sum() / (rows[:, 3] @ pace)
    return (
        f"{name}: melody notes a second in {rows[:, 1] @ pace:.0f} s of gaps {in_gaps:.2f}, "
        f"under {rows[:, 3] @ pace:.0f} s of playing {under:.2f}: {in_gaps / max(under, 1e-9):.1f} : 1"
    )


def measure_turn_taking(songs: Sequence[SoloSong], parameters: MusicParameters, cache: Path) -> Iterator[str]:
    """Measure the band beside all songs, and yield a line for each number."""
    for heard, folder in (("keys", None), ("sound", cache)):
        for name in (LEAD, ACCOMPANY):
            role = RoleOptions(name)
            duets = [play_duet(song, parameters, role, seed=seed, cache=folder) for seed, song in enumerate(songs)]
            yield format_space(f"{name}, heard as {heard}, n {len(duets)}", duets)
    calls = [leave_space(song) for song in songs]
    role = RoleOptions(ANSWER)
    duets = [play_duet(song, parameters, role, seed=seed) for seed, song in enumerate(calls)]
    matched, total = count_matches(duets, seed=1)
    yield format_space(f"{ANSWER}, the soloist leaves as many bars as he plays", duets)
    yield (
        f"{ANSWER}: {matched / total:.2f} of {total} answers are more similar to their call than to "
        f"{_MATCHED:.0%} of {_RANDOM_CALLS} other calls"
    )
    again = [play_duet(song, parameters, role, seed=seed) for seed, song in enumerate(calls[:3])]
    yield f"the same notes again: {'yes' if again == duets[:3] else 'NO'}"


def _pair_moves(
    one: Sequence[tuple[float, int]], other: Sequence[tuple[float, int]]
) -> list[tuple[tuple[tuple[float, int], tuple[float, int]], tuple[tuple[float, int], tuple[float, int]]]]:
    return list(zip(pairwise(one), pairwise(other), strict=True))


def _classify(semitones: int) -> int:
    size = abs(semitones)
    return (size > 0) * (1 + (size > 2) + (size > 5)) * (1 if semitones > 0 else -1)


def _read_song(path: Path) -> SoloSong | None:
    """Read a song; None if it has no melody or no key."""
    file = mido.MidiFile(path / f"{path.name}.mid")
    melody = next((track for track in file.tracks if track.name == "MELODY"), None)
    rows = [line.split() for line in (path / "beat_midi.txt").read_text().splitlines() if line.strip()]
    keys = [line.split() for line in (path / "key_audio.txt").read_text().splitlines() if line.strip()]
    if melody is None or not keys:
        return None
    notes, sounding, seconds = list[tuple[float, float, int]](), dict[int, float](), 0.0
    tempos = mido.MidiTrack(message for message in file.tracks[0] if message.type == "set_tempo" or message.is_meta)
    for message in mido.MidiFile(ticks_per_beat=file.ticks_per_beat, tracks=[tempos, melody]):
        seconds += message.time
        if message.type in ("note_on", "note_off"):
            if message.note in sounding:
                notes.append((sounding.pop(message.note), seconds, message.note))
            if message.type == "note_on" and message.velocity > 0:
                sounding[message.note] = seconds
    tonic, _, mode = keys[0][2].partition(":")
    downbeat = next((number for number, row in enumerate(rows) if float(row[2]) > 0.0), 0)
    beats = tuple(float(row[0]) for row in rows)
    return SoloSong(path, tuple(sorted(notes)), beats, downbeat, (parse_pitch_class(tonic), mode.startswith("maj")))


def _estimate_beat(song: SoloSong, now: float) -> BeatEstimate | None:
    """Return the song's own beat, counted so that bars begin on its downbeats."""
    number = int(np.searchsorted(song.beats, now)) - 1
    if not 0 <= number < len(song.beats) - 1:
        return None
    period = song.beats[number + 1] - song.beats[number]
    return BeatEstimate(song.beats[number], 60.0 / period, 1.0, 400 + number - song.first_downbeat)


def _make_block(song: SoloSong, sound: np.ndarray | None, start: float, now: float) -> AudioWindow:
    size = round(_BLOCK_SECONDS * SAMPLE_RATE)
    if sound is not None:
        first = round(start * SAMPLE_RATE)
        return AudioWindow(sound[first : first + size], SAMPLE_RATE, now)
    messages = [
        ReceivedMessage(seconds, data)
        for onset, end, pitch in song.notes
        for seconds, data in ((onset, note_on(1, pitch, 80)), (end, note_off(1, pitch)))
        if start <= seconds < now
    ]
    messages.sort(key=lambda message: message.seconds)
    return AudioWindow(np.zeros(size, np.float32), SAMPLE_RATE, now, tuple(messages))


def _render_solo(song: SoloSong, cache: Path) -> np.ndarray:
    """Render the melody alone, on a piano, unless it is in the cache."""
    folder = cache / "follow" / "solo" / song.path.name
    score = folder / f"solo_{song.path.name}.mid"
    if not score.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        file, track, before = mido.MidiFile(), mido.MidiTrack(), 0.0
        events = [(onset, pitch, 80) for onset, _, pitch in song.notes] + [
            (end, pitch, 0) for _, end, pitch in song.notes
        ]
        for seconds, pitch, velocity in sorted(events, key=lambda event: (event[0], event[2])):
            ticks = round(mido.second2tick(seconds - before, file.ticks_per_beat, 500_000))
            before += mido.tick2second(ticks, file.ticks_per_beat, 500_000)
            track.append(mido.Message("note_on", note=pitch, velocity=velocity, time=ticks))
        file.tracks.append(track)
        file.save(score)
    path = render_midi(score, cache / "follow", SOUNDFONTS[0], seconds=song.notes[0][0] + SECONDS)
    with open_audio(path) as opened:
        return np.concatenate([np.zeros(0, np.float32), *opened.blocks(SAMPLE_RATE, 1.0)])
