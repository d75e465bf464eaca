"""Humdrum **kern melodies (Essen, Beregovski): the first spine with key, metre, graces and trills."""

from __future__ import annotations

import re

import numpy as np

from kelly_live.lab.cultures.tune import Tune, compute_beat_quarters

_LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_DURATION = re.compile(r"(\d+)(\.*)")
_PITCH = re.compile(r"([a-gA-G])\1*([#\-n]*)")
_KEY = re.compile(r"\*([A-Ga-g])([#\-]?):")
_METRE = re.compile(r"\*M(\d+/\d+)")
ORNAMENTS = {"T": "trill", "t": "trill", "M": "mordent", "m": "mordent", "W": "mordent", "S": "turn", "$": "turn"}


def read_pitch(token: str) -> int | None:
    """Read the MIDI note of a kern token, or None for a rest."""
    match = _PITCH.search(token)
    if match is None or "r" in token:
        return None
    letters, signs = match.group(0).rstrip("#-n"), match.group(2)
    letter = letters[0]
    octave = 4 + len(letters) - 1 if letter.islower() else 4 - len(letters)
    return 12 * (octave + 1) + _LETTERS[letter.lower()] + signs.count("#") - signs.count("-")


def read_kern(text: str, *, is_transposed: bool = False, mode: str | None = None, group: str = "") -> Tune | None:
    """Read the melody of a kern file; None without a key or notes, or with an impossible number.

    A tune whose metre changes keeps its rhythm but names no metre. `is_transposed` says that the corpus moved its tunes
    to common keys, so that pitch height means nothing.
    """
    try:
        return _read_tune(text, is_transposed=is_transposed, mode=mode, group=group)
    except (ArithmeticError, ValueError):  # as a metre of 3/0, or a number of 5000 digits
        return None


def _read_tune(text: str, *, is_transposed: bool, mode: str | None, group: str) -> Tune | None:
    key: int | None = None
    metres: list[str] = []
    pitches: list[int] = []
    onsets: list[float] = []
    lengths: list[float] = []
    ornaments: dict[str, int] = {}
    now, first_bar, is_tied = 0.0, None, False
    for line in text.splitlines():
        token = line.split("\t")[0].split(" ")[0].strip()
        if not token or token.startswith("!") or token in (".", "*-"):
            continue
        if token.startswith("*"):
            if match := _KEY.match(token):
                key = key if key is not None else _read_tonic(match.group(1), match.group(2))
            elif match := _METRE.match(token):
                metres.append(match.group(1))
            continue
        if token.startswith("="):
            if first_bar is None:
                first_bar = now
            continue
        pitch = read_pitch(token)
        if "q" in token.lower():
            if pitch is not None:
                ornaments["grace"] = ornaments.get("grace", 0) + 1
            continue
        duration = _DURATION.search(token)
        if duration is None:
            continue
        number, dots = int(duration.group(1)), len(duration.group(2))
        base_length = 8.0 if duration.group(1).startswith("0") else 4.0 / number
        length = base_length * (2.0 - 0.5**dots)
        if pitch is not None:
            if is_tied and pitches and pitches[-1] == pitch:
                lengths[-1] += length
            else:
                pitches.append(pitch)
                onsets.append(now)
                lengths.append(length)
                for sign, kind in ORNAMENTS.items():
                    if sign in token:
                        ornaments[kind] = ornaments.get(kind, 0) + 1
            is_tied = "[" in token or "_" in token
        now += length
    if key is None or not pitches:
        return None
    tonic = place_tonic(key, pitches)
    metre = metres[0] if len(set(metres)) == 1 else None
    return Tune(
        cents=100.0 * (np.array(pitches, dtype=np.float64) - tonic),
        onsets=np.array(onsets) - (first_bar or 0.0),
        durations=np.array(lengths),
        tonic=None if is_transposed else float(tonic),
        metre=metre,
        beat=compute_beat_quarters(metre),
        ornaments=ornaments,
        mode=mode,
        group=group,
    )


def _read_tonic(letter: str, sign: str) -> int:
    return (_LETTERS[letter.lower()] + (sign == "#") - (sign == "-")) % 12


def place_tonic(pitch_class: int, pitches: list[int]) -> int:
    """Return the MIDI note of a tonic's pitch class that is nearest to the middle of the melody."""
    middle = float(np.median(pitches))
    return int(pitch_class + 12 * round((middle - pitch_class) / 12.0))
