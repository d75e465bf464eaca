"""What is heard: an audio input, a player's notes, or both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kelly_live.core.errors import AudioError, MidiError

if TYPE_CHECKING:
    from kelly_live.audio.note_source import NoteFileSource
    from kelly_live.audio.sources import FileSource
    from kelly_live.audio.supervised_source import SupervisedSource
    from kelly_live.core.midi_messages import ReceivedMessage
    from kelly_live.core.protocols import AudioSource
    from kelly_live.core.timebase import Clock
    from kelly_live.engine.options.audio import SoundFileOptions
    from kelly_live.engine.options.commands import LiveOptions
    from kelly_live.engine.own_notes import OwnNotes

NOTE_FILES = (".mid", ".midi")
_MOST_BYTES, _MOST_NOTES = 4_000_000, 200_000  # of a MIDI file: an evening of dense playing is less


def create_source(options: LiveOptions, clock: Clock, own_notes: OwnNotes) -> AudioSource:
    """Create the source that the options describe; a MIDI input is open then. Raises KellyError.

    `own_notes`: those of the band, which are not the player's where they come back.
    """
    from kelly_live.audio.supervised_source import SupervisedSource

    def create_audio() -> SupervisedSource:
        return SupervisedSource(options.audio_in, clock, mix=options.audio.build_mix(), corrects_delay=True)

    if options.play_in is None:
        return create_audio()
    from kelly_live.audio.note_source import ALL_KEYS, MixedSource, NoteRenderer, NoteSource
    from kelly_live.midi.supervised_input import SupervisedInput

    midi_in = SupervisedInput(options.play_in, clock).start()
    renderer = NoteRenderer(
        midi_in,
        options.play_in_range or ALL_KEYS,
        transpose=options.play_in_transpose,
        is_own=own_notes.contains,
    )
    if options.audio_in is None:
        return NoteSource(renderer, clock, f"the notes of {midi_in.name}")
    return MixedSource(create_audio(), renderer)


def find_capture(source: AudioSource) -> SupervisedSource | None:
    """Return the audio input of a source that has one."""
    from kelly_live.audio.supervised_source import SupervisedSource

    if isinstance(source, SupervisedSource):
        return source
    from kelly_live.audio.note_source import MixedSource

    return source.audio if isinstance(source, MixedSource) and isinstance(source.audio, SupervisedSource) else None


def open_recording(path: Path, options: SoundFileOptions) -> FileSource | NoteFileSource:
    """Open a sound file, or a MIDI file whose notes are heard. Raises AudioError."""
    from kelly_live.audio.note_source import NoteFileSource
    from kelly_live.audio.sources import FileSource
    from kelly_live.core.timebase import ManualClock

    if path.suffix.lower() in NOTE_FILES:
        messages = read_note_file(path)
        if messages[-1].seconds > 60.0 * options.max_minutes:
            raise AudioError(
                f"{path} lasts {messages[-1].seconds / 60.0:.0f} minutes, at most {options.max_minutes:g} are taken; "
                "cut it, or raise --max-minutes"
            )
        return NoteFileSource(messages, path.name)
    return FileSource(
        path, ManualClock(), realtime=False, mix=options.audio.build_mix(), max_minutes=options.max_minutes
    )


def read_note_file(path: Path) -> list[ReceivedMessage]:
    """Read the notes, pedals and programs of a standard MIDI file, with their times in seconds.

    Raises AudioError if it cannot be read, or holds no notes.
    """
    from kelly_live.core.midi_messages import ReceivedMessage
    from kelly_live.midi.file_reader import READ_ERRORS, create_read_error, read_midi_file

    messages, seconds = list[ReceivedMessage](), 0.0
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise AudioError(f"{path} is over {_MOST_BYTES // 1_000_000} MB; a MIDI file of notes is smaller")
        for message in read_midi_file(path):
            seconds += message.time
            if message.type in ("note_on", "note_off", "control_change", "program_change"):
                messages.append(ReceivedMessage(seconds, bytes(message.bytes())))
    except MidiError as error:
        raise AudioError(str(error)) from error
    except READ_ERRORS as error:
        raise AudioError(str(create_read_error(path, error))) from error
    if not any(message.data[0] & 0xF0 == 0x90 for message in messages):
        raise AudioError(f"{path} holds no notes; it must be a standard MIDI file with some")
    if len(messages) > _MOST_NOTES:
        raise AudioError(f"{path} holds {len(messages)} messages; at most {_MOST_NOTES} are taken")
    return messages
