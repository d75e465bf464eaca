"""Evaluation of a band that follows a player's loop: does it change its chord with him, from the third round on.

A change is anticipated if the band takes the player's new chord for what it plays on that beat, which it chooses before
the beat sounds. It is answered when the band first takes that chord, counted in beats of the band.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.audio.note_source import BLOCK_SECONDS, NoteFileSource
from kelly_live.core.emotion_space import create_state
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.core.values import AudioWindow, MusicParameters, NoteEvent
from kelly_live.engine.audio_input import read_note_file
from kelly_live.engine.build import create_mapper
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.base import Descriptor
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.lab.corpora.chord_songs import LOOP_ROUNDS, UNMEASURED, ChordSong, load_sound
from kelly_live.lab.corpora.pieces import TRIADS
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from kelly_live.music.context import MusicContext
from kelly_live.sync.chord_net import NO_CHORD
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.player_tracker import PlayerTracker

_ON_BEAT_SECONDS = 0.07  # as for the band's beats


@dataclass(frozen=True, slots=True)
class LoopResult:
    """The changes of a loop from its third round on: which were anticipated, and after how many beats each was met."""

    anticipated: tuple[bool, ...]
    beats_late: tuple[float, ...]


class ChordProbe:
    """A silent player that notes the pitch classes of the chord that it is given for each slice."""

    descriptor = Descriptor("probe", "probe", channel=1, program=0, help="notes the chords that it is given")

    def __init__(self) -> None:
        self.chords: list[tuple[float, frozenset[int]]] = []

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Note the chord at the start of a slice, and play nothing."""
        self.chords.append((start_beat, frozenset(context.chord_at(start_beat).pitch_classes)))
        return ()

    def reset(self) -> None:
        """Forget nothing."""


def read_loop_blocks(loop: ChordSong, notes: Sequence[ReceivedMessage] | None = None) -> Iterator[AudioWindow]:
    """Read a loop's sound, or its `notes`, round after round, in blocks as the band hears them."""
    assert loop.loop is not None
    if notes is not None:
        yield from _read_blocks(repeat_notes(notes, *loop.loop))
        return
    sound, size = load_sound(loop), round(BLOCK_SECONDS * SAMPLE_RATE)
    for end in range(size, len(sound) + 1, size):
        yield AudioWindow(sound[end - size : end].astype(np.float32), SAMPLE_RATE, end / SAMPLE_RATE)


def repeat_notes(notes: Sequence[ReceivedMessage], first: float, last: float) -> list[ReceivedMessage]:
    """Return the messages of LOOP_ROUNDS rounds from `first` to `last` (s); what sounds at the end of each is ended."""
    inside = [message for message in notes if first - 1e-3 <= message.seconds < last - 1e-3]
    down = {(one.data[0] & 0xF, one.data[1]) for one in inside if one.data[0] & 0xF0 == 0x90}
    ends = [ReceivedMessage(last - 2e-3, bytes((0x80 | channel, pitch, 0))) for channel, pitch in sorted(down)]
    return [
        ReceivedMessage(max(0.0, message.seconds - first) + turn * (last - first), message.data)
        for turn in range(LOOP_ROUNDS)
        for message in [*inside, *ends]
    ]


def follow_loop(loop: ChordSong, *, by_notes: bool = False, seed: int = 1) -> LoopResult:
    """Let a band follow a loop by its sound or its notes (then `loop.path` is a MIDI file), and judge its chords."""
    parameters = create_mapper()(create_state(valence=0.3, arousal=0.2))
    probe, tracker = ChordProbe(), PlayerTracker()
    band = GeneratorBand([PlayerSlot.from_generator(probe)])
    conductor = Conductor(NoteList(), band, seed=seed, slice_beats=LIVE_SLICE_BEATS)
    conductor.start(0.0, parameters)
    for block in read_loop_blocks(loop, read_note_file(loop.path) if by_notes else None):
        tracker.push(block)
        conductor.advance(block.end_time, parameters, tracker.estimate(block.end_time))
    return judge_changes(loop, [(conductor.seconds_at(beat), beat, chord) for beat, chord in probe.chords])


def judge_changes(loop: ChordSong, played: Sequence[tuple[float, float, frozenset[int]]]) -> LoopResult:
    """Judge the chords that a band played: the second and beat of each slice, and its pitch classes."""
    assert loop.loop is not None
    third_round = 2.0 * (loop.loop[1] - loop.loop[0])
    seconds = np.array([second for second, _, _ in played])
    anticipated, late = [], []
    for (_, _, old), (begin, end, new) in zip(loop.chords, loop.chords[1:], strict=False):
        if old == new or {old, new} & {UNMEASURED, NO_CHORD} or begin < third_round - 1e-3:
            continue
        first = int(np.searchsorted(seconds, begin + _ON_BEAT_SECONDS, side="right")) - 1
        until = int(np.searchsorted(seconds, end))
        if first < 0 or first >= until:
            continue
        triad = frozenset(np.flatnonzero(TRIADS[new]).tolist())
        met = next((beat for _, beat, chord in played[first:until] if chord == triad), played[until - 1][1])
        anticipated.append(played[first][2] == triad)
        late.append(met - played[first][1])
    return LoopResult(tuple(anticipated), tuple(late))


def format_loops(results: Sequence[LoopResult], name: str) -> str:
    """Format a line on all changes of some loops."""
    hits = [hit for result in results for hit in result.anticipated]
    late = [beats for result in results for beats in result.beats_late]
    return (
        f"the band in {len(results)} loops {name}, from the third round on: {np.mean(hits):.2f} of {len(hits)} changes "
        f"with him; the new chord after {np.median(late):.1f} beats (median; 95 %: {np.quantile(late, 0.95):.1f})"
    )


def _read_blocks(messages: Sequence[ReceivedMessage]) -> Iterator[AudioWindow]:
    source = NoteFileSource(messages, "loop", tail_seconds=0.0)
    source.start()
    while (block := source.read(0.0)) is not None:
        yield block
    source.close()
