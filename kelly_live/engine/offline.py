"""The offline path: the parts of a live session in the caller's thread, faster than real time.

The same input, seed and version give the same notes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kelly_live.core.commands import Stop
from kelly_live.core.protocols import AudioSource, BeatTracker, EmotionReader, Reading
from kelly_live.core.values import MusicParameters
from kelly_live.engine.feeling_hold import FeelingHold
from kelly_live.engine.input_trackers import merge_sync_states
from kelly_live.engine.journal import Journal, NoJournal
from kelly_live.engine.override import OverrideStage
from kelly_live.engine.performance import Performance, group_parts
from kelly_live.engine.session import Expression
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.music.conductor import Conductor
from kelly_live.music.harmony import Phrase
from kelly_live.sync.activity import ActivityTracker
from kelly_live.sync.player_notes import PlayerNoteTracker


def accompany(
    source: AudioSource,
    reader: EmotionReader,
    stage: OverrideStage,
    conductor: Conductor,
    scheduler: OfflineScheduler,
    on_progress: Callable[[float], None] | None = None,
    journal: Journal | None = None,
    beat_tracker: BeatTracker | None = None,
    controls: Expression | None = None,
) -> Performance:
    """Play along with a finite source and bring it to a close; time is the position in the source, from 0.

    The band is synchronised to the `beat_tracker`, if there is one. `on_progress` takes the position in seconds. Raises
    AudioError.
    """
    journal = journal or NoJournal()
    first_reading = stage.map(None, 0.0, 0.0)
    readings, phrases = [first_reading], list[Phrase]()
    activity_tracker, note_tracker, feeling = ActivityTracker(), PlayerNoteTracker(), FeelingHold()
    trackers = () if beat_tracker is None else (beat_tracker,)
    position = 0.0
    try:
        source.start()
        conductor.start(0.0, first_reading.parameters)
        journal.record_start(0.0, 0.0, first_reading.parameters)
        while (block := source.read(timeout=0.0)) is not None:
            position = block.end_time
            activity_tracker.push(block)
            note_tracker.push(block)
            if beat_tracker is not None:
                beat_tracker.push(block)
            sync = merge_sync_states(position, [*trackers, activity_tracker, note_tracker])
            bar = conductor.status().bars
            for state in reader.push(block):
                readings.append(stage.map(feeling.apply(state, sync.player), bar, position))
                journal.record_reading(readings[-1])
            conductor.advance(position, readings[-1].parameters, sync)
            _collect_phrase(conductor, phrases)
            journal.record_step(position, readings[-1].parameters, sync, conductor)
            scheduler.advance(position)
            if controls is not None:
                controls(position, readings[-1].state)
            if on_progress is not None:
                on_progress(position)
    finally:
        source.close()
    end_beat = conductor.finish(position)
    journal.record_ending(position)
    journal.record_stop(conductor.seconds_at(end_beat))
    return _close(readings, conductor, scheduler, phrases, end_beat=end_beat)


def compose(
    reading: Reading,
    conductor: Conductor,
    scheduler: OfflineScheduler,
    reading_at: Callable[[float, float], Reading] | None = None,
    controls: Expression | None = None,
) -> Performance:
    """Play the conductor's `length_bars` without audio: one reading, or what `reading_at` returns.

    `reading_at` is called once a beat, with the bars and the seconds that have passed; each reading gets the time of
    its beat.
    """
    readings = [reading]
    phrases: list[Phrase] = []

    def at_beat(beat: float) -> MusicParameters:
        _collect_phrase(conductor, phrases)
        if reading_at is not None:
            seconds = conductor.seconds_at(beat)
            reading = reading_at(beat / conductor.status().beats_per_bar, seconds)
            readings.append(replace(reading, state=replace(reading.state, time=seconds)))
        return readings[-1].parameters

    end_beat = conductor.play_through(reading.parameters, at_beat)
    if controls is not None:
        for state in (one.state for one in readings):
            scheduler.advance(state.time)
            controls(state.time, state)
    return _close(readings, conductor, scheduler, phrases, end_beat=end_beat)


def _collect_phrase(conductor: Conductor, phrases: list[Phrase]) -> None:
    """Add the phrase in force; one that is planned anew, in another key, follows the one that it replaces."""
    phrase = conductor.phrase
    if phrase is not None and (not phrases or phrases[-1] is not phrase):
        phrases.append(phrase)


def _close(
    readings: list[Reading],
    conductor: Conductor,
    scheduler: OfflineScheduler,
    phrases: list[Phrase],
    *,
    end_beat: float,
) -> Performance:
    _collect_phrase(conductor, phrases)
    end_seconds = conductor.seconds_at(end_beat)
    scheduler.advance(end_seconds)
    scheduler.send(Stop())
    status = conductor.status()
    return Performance(
        readings=tuple(readings),
        messages=tuple(scheduler.messages),
        tempo_map=scheduler.tempo_map,
        end_seconds=end_seconds,
        notes=tuple(scheduler.notes),
        parts=group_parts(conductor),
        tonic=status.tonic,
        mode=status.mode,
        signatures=tuple(scheduler.signatures),
        phrases=tuple(phrases),
        limited_notes=scheduler.health().limited_notes,
    )
