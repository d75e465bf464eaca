"""Evaluation of chord recognition on POP909, rendered: causal, as the band hears it.

The measure is the weighted chord symbol recall of MIREX for major and minor chords: the share of the time in which the
estimate that exists at that moment names the annotated root and third. Sevenths, sixths and inversions count as their
triad; suspended, diminished and augmented chords are left out, as in mir_eval's "majmin".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.values import DRUM_CHANNEL, MusicParameters
from kelly_live.engine.build import build_band
from kelly_live.engine.options.host import HostOptions
from kelly_live.engine.tracking import track_sound
from kelly_live.lab.corpora.chord_songs import UNMEASURED, ChordSong, load_sound
from kelly_live.lab.corpora.pieces import TRIADS
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from kelly_live.sync import TRACKABLE
from kelly_live.sync.chord_features import HOP_SECONDS
from kelly_live.sync.chord_loop import LoopMemory
from kelly_live.sync.chord_net import NO_CHORD, ChordNet, ChordWeights

_TOGETHER_BEATS = 0.06
_SOUGHT_SECONDS = 10.0
_ROUND_AGREES = 0.9  # of a round that the annotation repeats


@dataclass(frozen=True, slots=True)
class ChordResult:
    """How a song's chords were heard, hop by hop; `net`, `memory` and `true` are indices `[hops]`.

    `memory` is the net with the memory of the loop. `expected` is what was expected for a hop a second before it
    (UNMEASURED: nothing). `repeated`: the annotation repeats itself here, since a round and for at least four seconds;
    in a loop, from the third round on.
    """

    soundfont: str
    true: np.ndarray
    net: np.ndarray
    memory: np.ndarray
    expected: np.ndarray
    repeated: np.ndarray


def evaluate_song(song: ChordSong, features: Floats, weights: ChordWeights | None = None) -> ChordResult:
    """Hear a song hop by hop, and compare it with its annotation."""
    net, memory, ahead = ChordNet(weights), LoopMemory(), round(1.0 / HOP_SECONDS)
    count = len(features)
    heard, remembered = np.zeros(count, int), np.zeros(count, int)
    expected = np.full(count + ahead, UNMEASURED)
    for hop, row in enumerate(features):
        probabilities = net.step(row)
        heard[hop] = probabilities.argmax()
        remembered[hop] = memory.step(probabilities).argmax()
        if (next_chord := memory.expect(ahead)) is not None:
            expected[hop + ahead] = next_chord.argmax()
    true = song.label(count)
    if song.loop is None:
        repeated = find_repetitions(true)
    else:  # from the third round on
        repeated = np.arange(count) * HOP_SECONDS > 2.0 * (song.loop[1] - song.loop[0])
    return ChordResult(song.soundfont, true, heard, remembered, expected[:count], repeated)


def find_repetitions(true: np.ndarray) -> np.ndarray:
    """Tell for each hop whether the annotation is in a second round or later: it agrees with a round ago."""
    count, repeated = len(true), np.zeros(len(true), bool)
    window = round(4.0 / HOP_SECONDS)
    for lag in range(round(3.0 / HOP_SECONDS), round(26.0 / HOP_SECONDS)):
        if lag + window >= count:
            break
        same = np.concatenate([np.zeros(lag), (true[lag:] == true[:-lag]) & (true[lag:] != UNMEASURED)])
        sums = np.concatenate([[0.0], np.cumsum(same)])
        span = max(window, min(lag, count - lag))
        share = np.zeros(count)
        share[span:] = (sums[span:-1] - sums[: -1 - span]) / span
        changes = np.abs(np.diff(true, prepend=true[0])) > 0
        changing = np.convolve(changes, np.ones(lag), "full")[:count] >= 2  # a chord that stays is no loop
        repeated |= (share >= _ROUND_AGREES) & changing & (np.arange(count) >= lag + span)
    return repeated


def measure_recall(results: Iterable[ChordResult], name: str, *, repeated: bool = False) -> tuple[float, int]:
    """Measure the recall of `net`, `memory` or `expected` over all songs, and how many hops it counts."""
    right = total = 0
    for result in results:
        counts = result.true != UNMEASURED
        if repeated:
            counts &= result.repeated
        right += int(np.count_nonzero((getattr(result, name) == result.true) & counts))
        total += int(np.count_nonzero(counts))
    return (right / total if total else float("nan")), total


def measure_changes(results: Iterable[ChordResult]) -> tuple[Floats, float]:
    """Measure how late each true change is heard, in seconds; and the share of changes that were expected.

    A change in a repetition counts as expected if a second before it the memory expected the new chord there, and the
    old one .3 s earlier.
    """
    delays, hits = [], []
    guard = round(0.3 / HOP_SECONDS)
    for result in results:
        true = result.true
        for hop in np.flatnonzero(np.diff(true)) + 1:
            new, old = true[hop], true[hop - 1]
            if UNMEASURED in (new, old) or hop < 2 * guard:
                continue
            until = np.flatnonzero(true[hop:] != new)
            end = hop + (until[0] if len(until) else len(true) - hop)
            heard = np.flatnonzero(result.memory[hop:end] == new)
            delays.append(heard[0] * HOP_SECONDS if len(heard) else (end - hop) * HOP_SECONDS)
            if result.repeated[hop]:
                around = result.expected[hop : hop + 2]
                hits.append(bool(np.any(around == new)) and result.expected[hop - guard] == old)
    return np.array(delays), float(np.mean(hits)) if hits else float("nan")


def count_band_tones(song: ChordSong, parameters: MusicParameters, seed: int) -> tuple[int, int]:
    """Let the band follow a song; count its notes on beats 1 and 3 that lie in the annotated triad, and all of those.

    Drums do not count, nor the first ten seconds, in which beat and key are sought.
    """
    sink = NoteList()
    conductor = Conductor(sink, build_band(HostOptions()), seed=seed, slice_beats=LIVE_SLICE_BEATS)
    conductor.start(0.0, parameters)
    track_sound(
        load_sound(song),
        on_estimate=lambda now, state: conductor.advance(now, parameters, state),
        targets=TRACKABLE,
    )
    inside = total = 0
    for note in sink.notes:
        seconds, nearest = conductor.seconds_at(note.onset_beats), round(note.onset_beats)
        is_strong = nearest % 2 == 0 and abs(note.onset_beats - nearest) < _TOGETHER_BEATS
        if note.channel == DRUM_CHANNEL or seconds < _SOUGHT_SECONDS or not is_strong:
            continue
        chord = next((chord for begin, end, chord in song.chords if begin <= seconds < end), UNMEASURED)
        if chord in (UNMEASURED, NO_CHORD):
            continue
        total += 1
        inside += bool(TRIADS[chord, note.pitch % 12])
    return inside, total


def format_chord_results(results: Sequence[ChordResult]) -> str:
    """Format the table of `kelly-live lab follow --chords`."""
    lines = []
    for name in [*dict.fromkeys(result.soundfont for result in results), "all"]:
        group = [result for result in results if name in (result.soundfont, "all")]
        net, hops = measure_recall(group, "net")
        memory, _ = measure_recall(group, "memory")
        second, second_hops = measure_recall(group, "memory", repeated=True)
        second_net, _ = measure_recall(group, "net", repeated=True)
        delays, share = measure_changes(group)
        lines += [
            f"chords, POP909 ({name}, n {len(group)}, {hops * HOP_SECONDS / 60.0:.0f} min)",
            f"  recall  {memory:.3f} (without memory {net:.3f}); "
            f"in repetitions {second:.3f} ({second_net:.3f}), {second_hops / max(hops, 1):.2f} of the time",
            f"  changes heard after {np.median(delays):.1f} s (median; 95 %: {np.quantile(delays, 0.95):.1f} s); "
            f"in repetitions {share:.2f} of them expected a second before",
        ]
    return "\n".join(lines)
