"""Ceol Rince na hÉireann as MIDI: one voice, its key signature and its metre.

Velocities and tempo are the editor's.
"""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from kelly_live.core.key_profiles import modal_distributions
from kelly_live.lab.cultures.corpora.archive import read_files
from kelly_live.lab.cultures.corpora.kern import place_tonic
from kelly_live.lab.cultures.statistics import compute_degree_histogram, find_diatonic_mode
from kelly_live.lab.cultures.tune import Tune, compute_beat_quarters

_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
# Modes in which Irish dance tunes end, as rows of MODES and steps above the collection's ionian tonic.
_FINALS = {0: 0, 1: 2, 4: 7, 5: 9}
_FINAL_BONUS = math.log(4.0)  # a tune tends to end on its tonic, but circular reels need not; ours


def read_irish(corpora: Path) -> list[Tune]:
    """Read all 1,195 tunes; the tonic is inferred within the key signature.

    The corpus' own list of tonics is not in the archive.
    """
    import mido

    tunes = []
    for path, data in read_files(corpora, "irish-ceol-rince", lambda inside: inside.endswith(".mid")):
        midi = mido.MidiFile(file=io.BytesIO(data), clip=True)
        now, fifths, metre = 0, 0, None
        pitches: list[int] = []
        onsets: list[float] = []
        ends: list[float] = []
        for message in mido.merge_tracks(midi.tracks):
            now += message.time
            beat = round(now / midi.ticks_per_beat * 48) / 48  # the converter starts each note a tick late
            if message.type == "key_signature" and not pitches:
                fifths = _count_fifths(message.key)
            elif message.type == "time_signature" and metre is None:
                metre = f"{message.numerator}/{message.denominator}"
            elif message.type == "note_on" and message.velocity > 0:
                if onsets and onsets[-1] == beat:  # a double stop: the melody is on top
                    pitches[-1] = max(pitches[-1], message.note)
                    continue
                pitches.append(message.note)
                onsets.append(beat)
                ends.append(beat)
            elif message.type in ("note_on", "note_off") and pitches:
                ends[-1] = beat
        if len(pitches) < 12:
            continue
        lengths = np.maximum(np.array(ends) - np.array(onsets), 1 / 48)
        cents = 100.0 * np.array(pitches, dtype=np.float64)
        tonic = place_tonic(_infer_tonic_class(cents, lengths, fifths), pitches)
        # A converter's file begins with the pick-up; its bars are found where the note weights repeat best.
        tune = Tune(
            cents=cents - 100.0 * tonic,
            onsets=np.array(onsets) - _find_pick_up(np.array(onsets), lengths, metre),
            durations=lengths,
            tonic=float(tonic),
            metre=metre,
            beat=compute_beat_quarters(metre),
            group=path,
        )
        tunes.append(tune)
    return [_add_mode(tune) for tune in tunes]


def _count_fifths(key: str) -> int:
    sharps = _FIFTHS[key[0]] + 7 * (key.count("#") - key.count("b"))
    return sharps - 3 if key.endswith("m") else sharps


def _infer_tonic_class(cents: np.ndarray, lengths: np.ndarray, fifths: int) -> int:
    ionian = (7 * fifths) % 12
    profiles = modal_distributions()
    candidates = []
    for row, step in _FINALS.items():
        tonic = (ionian + step) % 12
        time, _ = compute_degree_histogram([Tune(cents - 100.0 * tonic, durations=lengths)], 12)
        last = int(cents[-1] / 100.0 - tonic) % 12
        likelihood = 60.0 * float(np.log(profiles[row]) @ time)
        candidates.append((likelihood + (_FINAL_BONUS * 4 if last == 0 else 0.0), tonic))
    return max(candidates)[1]


def _find_pick_up(onsets: np.ndarray, lengths: np.ndarray, metre: str | None) -> float:
    """Find the quarters before the first whole bar: the shift under which the longest notes start bars."""
    if metre is None:
        return 0.0
    above, below = (int(part) for part in metre.split("/"))
    bar = 4.0 * above / below
    shifts = [shift for shift in np.arange(0.0, bar, 0.5) if shift <= bar / 2]
    starts = [
        float(lengths[np.abs((onsets - shift) % bar) < 0.02].sum()) + (0.02 if shift == 0 else 0.0) for shift in shifts
    ]
    return float(shifts[int(np.argmax(starts))])


def _add_mode(tune: Tune) -> Tune:
    return replace(tune, mode=find_diatonic_mode(tune))
