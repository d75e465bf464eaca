"""What the band does when its player stops: a cadence and silence in his rest, and the ending once the input ends.

The band is the default one, for each of the eight emotions; the player stops at a random moment.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from kelly_live.core.emotion_space import create_state
from kelly_live.core.sync_state import PlayerActivity, SyncState
from kelly_live.core.values import EMOTIONS, MusicParameters, NoteEvent
from kelly_live.engine.build import create_conductor, create_mapper
from kelly_live.engine.options.silence import SilenceOptions
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import Conductor
from kelly_live.music.harmony import create_leading_chord
from kelly_live.music.theory import Key

HARMONY = ("bass", "chords")  # the parts that tell the chord
_STEP_SECONDS = 0.05
_EARLIEST, _LATEST = 12.0, 30.0  # seconds of music before the player stops
_LISTENED_BARS = 12  # after that
_RETURN_BARS = 4  # how long it is listened to once he is back
_FELT_EARLIER = 0.2  # beats by which a hurried note may come before the bar it belongs to


@dataclass(frozen=True, slots=True)
class Stop:
    """How one rest was answered, or one ending was played.

    `bars`: from the player's last moment to the last note (for a rest) or the end. `leads_home`: it ends on the tonic,
    after the chord that leads there. `returns`: it plays again with the player.
    """

    emotion: str
    bars: float
    leads_home: bool
    is_silent: bool = True
    returns: bool = True


def measure_rests(seeds: Sequence[int], silence: SilenceOptions, emotions: Sequence[str] = EMOTIONS) -> list[Stop]:
    """Let the player of each emotion and seed rest for longer than `silence` waits, and come back."""
    return [_rest(emotion, seed, silence) for emotion in emotions for seed in seeds]


def measure_endings(seeds: Sequence[int], emotions: Sequence[str] = EMOTIONS) -> list[Stop]:
    """End the input of each emotion and seed at a random moment."""
    return [_end(emotion, seed) for emotion in emotions for seed in seeds]


def format_stops(rests: Sequence[Stop], endings: Sequence[Stop], silence: SilenceOptions) -> str:
    """Format both as lines of a table."""
    cadences = sum(stop.leads_home for stop in rests)
    silences = sum(stop.is_silent for stop in rests)
    returns = sum(stop.returns for stop in rests)
    latest = max(stop.bars for stop in rests) - silence.bars
    led = sum(stop.leads_home for stop in endings)
    return "\n".join(
        (
            f"{len(rests)} rests of a player (--silent-bars {silence.bars}): cadence {cadences}, silence {silences}, "
            f"back with the player {returns}; silent at most {latest:.1f} bars after that (asked: 2)",
            f"{len(endings)} ends of the input: the dominant, then the tonic {led}, "
            f"share {led / len(endings):.2f} (asked: .90); over after {max(stop.bars for stop in endings):.1f} bars",
        )
    )


def _create_band(
    seed: int, silence: SilenceOptions | None, emotion: str
) -> tuple[Conductor, NoteList, MusicParameters]:
    sink = NoteList()
    return create_conductor(sink, seed=seed, silence=silence), sink, create_mapper()(create_state(emotion=emotion))


def _rest(emotion: str, seed: int, silence: SilenceOptions) -> Stop:
    conductor, sink, parameters = _create_band(seed, silence, emotion)
    stop = random.Random(f"{emotion} {seed} rest").uniform(_EARLIEST, _LATEST)
    conductor.start(0.0, parameters)
    activity, key = PlayerActivity(True, 0.0), None
    now, stop_beat, back_beat, end_beat = 0.0, None, None, None
    while end_beat is None or conductor.status().beat < end_beat:
        beat, bar_beats = conductor.status().beat, conductor.status().beats_per_bar
        if stop_beat is None and now >= stop:
            stop_beat, activity = beat, PlayerActivity(False, now)
        if stop_beat is not None and back_beat is None and beat >= stop_beat + _LISTENED_BARS * bar_beats:
            back_beat, activity = beat, PlayerActivity(True, now)
            end_beat = beat + _RETURN_BARS * bar_beats
        conductor.advance(now, parameters, SyncState(player=activity))
        if conductor.phrase is not None and back_beat is None:
            key = conductor.phrase.key
        now += _STEP_SECONDS
    assert stop_beat is not None
    assert back_beat is not None
    assert key is not None
    per_bar = conductor.status().beats_per_bar
    resting = [note for note in sink.notes if stop_beat <= note.onset_beats < back_beat - _FELT_EARLIER]
    last = max((note.onset_beats for note in resting), default=stop_beat)
    return Stop(
        emotion,
        (last - stop_beat) / per_bar,
        _leads_home(key, [note for note in sink.notes if note.onset_beats < back_beat - _FELT_EARLIER], per_bar),
        last < back_beat - 2.0 * per_bar,
        any(note.onset_beats >= back_beat - _FELT_EARLIER for note in sink.notes),
    )


def _end(emotion: str, seed: int) -> Stop:
    conductor, sink, parameters = _create_band(seed, None, emotion)
    stop = random.Random(f"{emotion} {seed} end").uniform(_EARLIEST, _LATEST)
    conductor.start(0.0, parameters)
    now = 0.0
    while now < stop:
        conductor.advance(now, parameters)
        now += _STEP_SECONDS
    status = conductor.status()
    end = conductor.finish(now)
    assert conductor.phrase is not None
    leads_home = _leads_home(conductor.phrase.key, sink.notes, status.beats_per_bar)
    return Stop(emotion, (end - status.beat) / status.beats_per_bar, leads_home)


def _leads_home(key: Key, notes: Sequence[NoteEvent], bar_beats: int) -> bool:
    """Whether the last bar stands on the tonic, and the harmony before it leads there.

    It does if the third of the chord that leads home is struck, or its root in the bass, in the bar before, or in the
    one before that, as a band that leaves one by one holds the tonic for two.
    """
    harmony = [note for note in notes if note.part in HARMONY]
    if not harmony:
        return False
    last = max(note.onset_beats for note in harmony) + _FELT_EARLIER
    closing_beat = last // bar_beats * bar_beats - _FELT_EARLIER
    closing = [note for note in harmony if note.onset_beats >= closing_beat]
    before = [note for note in harmony if closing_beat - 2 * bar_beats <= note.onset_beats < closing_beat]
    root, third = create_leading_chord(key).pitch_classes[:2]
    leads = any(note.pitch % 12 == third or (note.part == "bass" and note.pitch % 12 == root) for note in before)
    return leads and min(closing, key=lambda note: note.pitch).pitch % 12 == key.tonic
