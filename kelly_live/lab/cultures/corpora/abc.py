"""ABC tunes of folkwiki.se, as written: the first voice, repeats not unfolded.

Read are key, metre, tempo, graces and decorations.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from kelly_live.core.pitch_names import NATURALS, parse_pitch_class
from kelly_live.lab.cultures.corpora.archive import read_file
from kelly_live.lab.cultures.corpora.kern import place_tonic
from kelly_live.lab.cultures.tune import Tune, compute_bar_quarters, compute_beat_quarters

_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
_MODE_FIFTHS = {"maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
_MODE_NAMES = {
    "maj": "ionian", "ion": "ionian", "mix": "mixolydian", "dor": "dorian", "m": "aeolian", "min": "aeolian",
    "aeo": "aeolian", "phr": "phrygian", "loc": "locrian", "lyd": "lydian",
}  # fmt: skip
_KEY = re.compile(r"^([A-G])([#b]?)\s*(maj|ion|mix|dor|min|aeo|phr|loc|lyd|m)?", re.IGNORECASE)
_NOTE = re.compile(r"(\^\^|__|\^|_|=)?([A-Ga-g])([,']*)(\d*)(/*)(\d*)")
_TOKEN = re.compile(
    r"(?P<grace>\{[^}]*\})|(?P<decoration>![^!]*!|\+[^+]*\+)|(?P<text>\"[^\"]*\")|(?P<field>\[[A-Za-z]:[^\]]*\])"
    r"|(?P<tuplet>\((\d)(:\d*)?(:\d*)?)|(?P<chord>\[[^\]|:\d][^\]]*\])(?P<chordlength>\d*/*\d*)"
    r"|(?P<note>(?:\^\^|__|\^|_|=)?[A-Ga-g][,']*\d*/*\d*)|(?P<rest>[zxZ]\d*/*\d*)|(?P<bar>:*\|+[\]:]*|::|\[\|)"
    r"|(?P<broken>>+|<+)|(?P<tie>-)|(?P<sign>[~TMPuvHJLR])"
)
_KINDS = {"~": "turn", "T": "trill", "M": "mordent", "P": "mordent"}
_WORDS = {"trill": "trill", "turn": "turn", "roll": "roll", "mordent": "mordent", "lowermordent": "mordent"}
_TUPLETS = {2: 3, 3: 2, 4: 3, 5: 2, 6: 2, 7: 2, 8: 3, 9: 2}
_COMMON = {"C": "4/4", "C|": "2/2"}


def read_folkwiki(corpora: Path) -> list[Tune]:
    """Read the tunes of the dump that state a key and can be parsed; `group` is the kind of dance (R:)."""
    text = read_file(corpora, "swedish-folkwiki", "folkwiki.abc").decode("utf-8", errors="replace")
    blocks = re.findall(r"\(:music:\)(.*?)\(:musicend:\)", text, re.DOTALL)
    return [tune for tune in map(read_abc, blocks) if tune is not None]


def read_abc(block: str) -> Tune | None:
    """Read one tune; None without a key or metre, with fewer than 12 notes, or with an impossible number."""
    try:
        return _read_tune(block)
    except (ArithmeticError, ValueError):  # as a unit of 1/0, or a number of 5000 digits
        return None


def _read_tune(block: str) -> Tune | None:
    fields: dict[str, str] = {}
    body: list[str] = []
    voice = first_voice = None
    for line in block.splitlines():
        line = line.split("%")[0].strip()
        if field := re.match(r"^([A-Za-z]):(.*)$", line):
            name, value = field.group(1), field.group(2).strip()
            if name == "V":
                voice = value.split(" ")[0]
                first_voice = first_voice or voice
            elif name == "K" and "K" in fields and body:
                return None  # a change of key: its later notes would be measured against the first tonic
            elif name in "KMLQR":
                fields.setdefault(name, value)
        elif line and "K" in fields and (voice is None or voice == first_voice):
            body.append(line.rstrip("\\"))
    key = _KEY.match(fields.get("K", ""))
    metre = _parse_metre(fields.get("M", ""))
    if key is None or metre is None or not body:
        return None
    kind = (key.group(3) or "maj").lower()
    fifths = _FIFTHS[key.group(1).upper()] + 7 * ((key.group(2) == "#") - (key.group(2) == "b")) + _MODE_FIFTHS[kind]
    unit = _parse_unit(fields.get("L", ""), metre)
    pitches, onsets, lengths, ornaments, first_bar = _read_notes(" ".join(body), _create_signature(fifths), unit)
    if len(pitches) < 12:
        return None
    tonic_class = parse_pitch_class(key.group(1).upper() + (key.group(2) or ""))
    tonic = place_tonic(tonic_class, pitches)
    pick_up = float(first_bar) if first_bar < compute_bar_quarters(metre) - 1e-6 else 0.0
    return Tune(
        cents=100.0 * (np.array(pitches, dtype=np.float64) - tonic),
        onsets=np.array([float(onset) for onset in onsets]) - pick_up,
        durations=np.array([float(length) for length in lengths]),
        tonic=float(tonic),
        metre=metre,
        beat=compute_beat_quarters(metre),
        tempo=_parse_tempo(fields.get("Q", ""), unit, compute_beat_quarters(metre)),
        ornaments=ornaments,
        mode=_MODE_NAMES[kind],
        group=fields.get("R", "").strip().lower(),
    )


def _parse_metre(text: str) -> str | None:
    text = _COMMON.get(text.strip(), text.strip())
    return text if re.fullmatch(r"[1-9]\d?/(1|2|4|8|16)", text) else None


def _parse_unit(text: str, metre: str) -> Fraction:
    """Parse the unit note length in quarters; by the standard an eighth, a sixteenth in metres under 3/4."""
    match = re.match(r"^(\d+)/(\d+)", text)
    if match:
        return Fraction(4 * int(match.group(1)), int(match.group(2)))
    above, below = (int(part) for part in metre.split("/"))
    return Fraction(1, 2) if above / below >= 0.75 else Fraction(1, 4)


def _parse_tempo(text: str, unit: Fraction, beat: float) -> float | None:
    """Parse the beats a minute of a Q: field.

    It is "1/4=100", or "100" of the unit length, by which most tunes here mean quarters.
    """
    text = re.sub(r"\"[^\"]*\"", "", text).strip()
    match = re.match(r"^(\d+)/(\d+)\s*=\s*(\d+)$", text)
    if match:
        quarters = 4.0 * int(match.group(1)) / int(match.group(2)) * int(match.group(3))
    elif re.fullmatch(r"\d+", text):
        quarters = float(text)
    else:
        return None
    tempo = quarters / beat
    return tempo if 20.0 <= tempo <= 300.0 else None


def _create_signature(fifths: int) -> dict[str, int]:
    sharps, flats = "FCGDAEB", "BEADGCF"
    return dict.fromkeys(sharps[:fifths], 1) if fifths > 0 else dict.fromkeys(flats[: max(-fifths, 0)], -1)


def _parse_length(digits: str, slashes: str, below: str) -> Fraction:
    return Fraction(int(digits or 1), int(below) if below else 2 ** len(slashes)) if int(below or 1) else Fraction(1)


def _read_notes(
    body: str, signature: dict[str, int], unit: Fraction
) -> tuple[list[int], list[Fraction], list[Fraction], dict[str, int], Fraction]:
    """Read MIDI pitches, onsets and lengths (quarters), ornaments, and the place of the first bar line."""
    pitches: list[int] = []
    onsets: list[Fraction] = []
    lengths: list[Fraction] = []
    ornaments: Counter[str] = Counter()
    now, first_bar = Fraction(0), None
    accidentals: dict[tuple[str, str], int] = {}
    tuplet, tuplet_notes_left = Fraction(1), 0
    broken = Fraction(1)
    is_tied = False
    for token in _split_tokens(body):
        kind, text = token
        if kind == "grace":
            ornaments["grace"] += len(re.findall(r"[A-Ga-g]", text))
        elif kind == "decoration":
            word = _WORDS.get(text.strip("!+"))
            if word:
                ornaments[word] += 1
        elif kind == "sign" and text in _KINDS:
            ornaments[_KINDS[text]] += 1
        elif kind == "tuplet":
            parts = text[1:].split(":")
            notes = int(parts[0])
            if notes in _TUPLETS:
                into = int(parts[1]) if len(parts) > 1 and parts[1] else _TUPLETS[notes]
                tuplet_notes_left = int(parts[2]) if len(parts) > 2 and parts[2] else notes
                tuplet = Fraction(into, notes)
        elif kind == "bar":
            accidentals.clear()
            if first_bar is None and now > 0:
                first_bar = now
        elif kind == "broken" and lengths:
            share = Fraction(1, 2 ** len(text))
            change = lengths[-1] * (1 - share) if text[0] == ">" else -lengths[-1] * (1 - share)
            now += change
            lengths[-1] += change
            broken = share if text[0] == ">" else 2 - share
        elif kind == "tie":
            is_tied = True
        elif kind in ("note", "chord", "rest"):
            match = _NOTE.search(text)
            if kind == "rest":
                digits = re.match(r"[zxZ](\d*)(/*)(\d*)", text)
                length = _parse_length(*digits.groups()) if digits else Fraction(1)
            elif match is None:
                continue
            else:
                length = _parse_length(match.group(4), match.group(5), match.group(6))
            if kind == "chord":
                after = re.search(r"\](\d*)(/*)(\d*)$", text)
                length *= _parse_length(*after.groups()) if after else Fraction(1)
            length *= unit * broken * (tuplet if tuplet_notes_left > 0 else 1)
            tuplet_notes_left, broken = max(tuplet_notes_left - 1, 0), Fraction(1)
            if kind != "rest" and length > 0:
                every = [_read_pitch(note, signature, accidentals) for note in _NOTE.finditer(text.split("]")[0])]
                pitch = max(every)  # of a double stop, the melody is on top
                if is_tied and pitches and pitches[-1] == pitch:
                    lengths[-1] += length
                else:
                    pitches.append(pitch)
                    onsets.append(now)
                    lengths.append(length)
            is_tied = False
            now += length
    return pitches, onsets, lengths, dict(ornaments), first_bar or Fraction(0)


def _split_tokens(body: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(body):
        kind = match.lastgroup or ""
        yield ("chord", match.group(0)) if match.group("chord") else (kind, match.group(0))


def _read_pitch(note: re.Match[str], signature: dict[str, int], accidentals: dict[tuple[str, str], int]) -> int:
    sign, letter, octave = note.group(1), note.group(2), note.group(3)
    place = (letter, octave)
    if sign is not None:
        accidentals[place] = {"^^": 2, "__": -2, "^": 1, "_": -1, "=": 0}[sign]
    shift = accidentals.get(place, signature.get(letter.upper(), 0))
    base = 60 if letter.isupper() else 72
    return base + NATURALS[letter.upper()] + shift + 12 * (octave.count("'") - octave.count(","))
