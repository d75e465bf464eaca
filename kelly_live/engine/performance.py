"""The result of an offline run: its readings and messages, and the files that they are written to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_live.core.commands import Signature
from kelly_live.core.numbers import format_time
from kelly_live.core.protocols import Reading
from kelly_live.core.timebase import TempoMap
from kelly_live.core.values import NoteEvent, SoundingNote
from kelly_live.midi.ports import RecordedMessage

if TYPE_CHECKING:
    from kelly_live.music.conductor import Conductor
    from kelly_live.music.harmony import Phrase


FRAME_SECONDS = 1.0 / 24.0  # of a film


@dataclass(frozen=True, slots=True)
class PerformancePart:
    """Who plays on a MIDI channel (1-16), with which General MIDI program (0-127)."""

    name: str
    channel: int
    program: int


@dataclass(frozen=True, slots=True)
class PerformedHit:
    """A hit point by name: the seconds that were asked for, and the seconds and the beat that are played."""

    name: str
    asked_seconds: float
    seconds: float
    beat: float
    beats_per_bar: int

    def describe(self) -> str:
        """Return a line: what is hit when, where that lies in the music, and how far off it is."""
        bar, beat = divmod(self.beat, self.beats_per_bar)
        frames = (self.seconds - self.asked_seconds) / FRAME_SECONDS
        off = "on the frame" if abs(frames) < 0.05 else f"{frames:+.1f} frames off"
        where = f"bar {int(bar) + 1}, beat {beat + 1:g}"
        return f"hit point {self.name!r} at {format_time(self.asked_seconds)}: {where}, {off}"


@dataclass(frozen=True, slots=True)
class Performance:
    """What an offline run played.

    `readings`: in the order of time. `messages`: all that was sent. `tempo_map`: the tempo curve.
    `end_seconds`: where the closing bar ends. `notes`: as the players asked for them. `parts`: who played.
    `tonic` and `mode`: the key at the end. `title`: what files are called inside.
    `signatures`: metre and key, from their beats on.
    `phrases`: as they were planned, in their order. `hits`: the hit points of an arc. `limited_notes`: how many the
    limits made softer, or left out.
    """

    readings: tuple[Reading, ...]
    messages: tuple[RecordedMessage, ...]
    tempo_map: TempoMap
    end_seconds: float
    notes: tuple[NoteEvent, ...] = ()
    parts: tuple[PerformancePart, ...] = ()
    tonic: str = "C"
    mode: str = "ionian"
    title: str = "Kelly Live"
    signatures: tuple[Signature, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    hits: tuple[PerformedHit, ...] = ()
    limited_notes: int = 0

    @property
    def bars(self) -> int:
        """The number of bars, the closing one included."""
        return 0 if not self.phrases else self.phrases[-1].start_bar + self.phrases[-1].bars

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys in their order, as "C ionian"; a tonic has the name of its first key, Bb or A#, throughout."""
        keys = [phrase.key for phrase in self.phrases]
        tonics = {key.tonic: key.tonic_name for key in reversed(keys)}
        names = (f"{tonics[key.tonic]} {key.scale.name}" for key in keys)
        return tuple(name for name, _ in groupby(names))

    def with_title(self, title: str) -> Performance:
        """Return the same performance under another title."""
        return replace(self, title=title)

    def write_midi(self, path: Path | str) -> None:
        """Write a standard MIDI file of type 1, a track a channel. Raises OutputError."""
        from kelly_live.midi.files import write_midi

        write_midi(
            Path(path),
            self.messages,
            self.tempo_map,
            track_names=self._names(),
            programs=self._programs(),
            title=self.title,
            owners=self._owners(),
            signatures=self.signatures,
        )

    def write_wav(self, path: Path | str) -> None:
        """Write a WAV file, played by the built-in synthesiser. Raises OutputError."""
        from kelly_live.audio.synth import SAMPLE_RATE, render, write_wav

        write_wav(Path(path), render(self.sounding_notes(), self._programs()), SAMPLE_RATE)

    def write_mix(self, path: Path | str, recording: Path) -> None:
        """Write a WAV file of the band and the recording that it was played to. Raises OutputError and AudioError."""
        import numpy as np

        from kelly_live.audio.decode import read_blocks
        from kelly_live.audio.mixdown import mix_down
        from kelly_live.audio.synth import SAMPLE_RATE, render, write_wav

        band = render(self.sounding_notes(), self._programs())
        write_wav(Path(path), mix_down(np.concatenate(list(read_blocks(recording, SAMPLE_RATE))), band), SAMPLE_RATE)

    def write_mp3(self, path: Path | str) -> None:
        """Write an MP3, played by the built-in synthesiser: a tenth of a WAV. Raises OutputError."""
        from kelly_live.audio.synth import SAMPLE_RATE, render, write_mp3

        write_mp3(Path(path), render(self.sounding_notes(), self._programs()), SAMPLE_RATE)

    def write_plot(self, path: Path | str) -> None:
        """Write a picture (PNG): the emotion over time above a piano roll. Raises OutputError."""
        from kelly_live.ui.plot import plot_session

        plot_session(
            Path(path),
            states=[reading.state for reading in self.readings],
            parameters=[reading.parameters for reading in self.readings],
            notes=self.sounding_notes(),
            duration_seconds=self.end_seconds,
            parts=self._names(),
            title=self.title,
            tempo_map=self.tempo_map,
            hits=[(hit.asked_seconds, hit.name) for hit in self.hits],
        )

    def write_files(self, *, midi: Path | None = None, wav: Path | None = None, plot: Path | None = None) -> None:
        """Write the files that are named. Raises OutputError."""
        if midi is not None:
            self.write_midi(midi)
        if wav is not None:
            self.write_wav(wav)
        if plot is not None:
            self.write_plot(plot)

    def sounding_notes(self) -> Sequence[SoundingNote]:
        """Return the notes as a receiver of the messages plays them, in seconds."""
        from kelly_live.midi.files import find_sounding_notes

        return find_sounding_notes(self.messages, self._programs(), self._owners())

    def _programs(self) -> dict[int, int]:
        return {part.channel: part.program for part in self.parts}

    def _names(self) -> dict[int, str]:
        names: dict[int, str] = {}
        for part in self.parts:  # parts of one sound may share a channel
            names[part.channel] = f"{names[part.channel]}, {part.name}" if part.channel in names else part.name
        return names

    def _owners(self) -> dict[int, int]:
        from kelly_live.midi.files import find_owners

        return dict(find_owners(self.messages, self.notes, self.tempo_map))


def group_parts(conductor: Conductor) -> tuple[PerformancePart, ...]:
    """List who plays in a conductor's band."""
    return tuple(PerformancePart(slot.part, slot.channel, slot.program) for slot in conductor.slots)
