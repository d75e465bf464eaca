"""MusicXML scores, part by part, in sections of one metre.

Ties are joined, chords are taken by their top note, and ornaments are counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from xml.etree import ElementTree

from kelly_live.core.errors import ConfigError
from kelly_live.core.pitch_names import NATURALS

_SIGNS = {
    "trill-mark": "trill", "mordent": "mordent", "inverted-mordent": "mordent", "turn": "turn", "inverted-turn": "turn",
    "glissando": "glissando", "slide": "glissando", "tremolo": "tremolo", "wavy-line": "tremolo",
}  # fmt: skip


@dataclass(slots=True)
class Section:
    """A run of one metre: MIDI pitches, onsets from its first bar line and lengths in quarters."""

    metre: str | None
    start: float
    pitches: list[float] = field(default_factory=list)
    onsets: list[float] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)
    ornaments: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Part:
    """One part: its sections, its key signature (sharps +, flats -), and how many notes carry words."""

    stretches: list[Section]
    fifths: int | None
    sung_notes: int


def read_parts(data: bytes, name: str) -> list[Part]:
    """Read the first voice of each part of a score.

    Raises:
        ConfigError: The data is not MusicXML, or a number in it is impossible.
    """
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ConfigError(f"{name} is not MusicXML ({error}); take the corpus again") from error
    try:
        return [_read_part(part) for part in root.iter("part")]
    except (ArithmeticError, LookupError, ValueError) as error:
        raise ConfigError(f"{name} holds an impossible pitch or length; take the corpus again") from error


def _read_part(part: ElementTree.Element) -> Part:
    stretch = Section(None, 0.0)
    result = Part([stretch], None, 0)
    divisions, now, is_tied = 1.0, 0.0, False
    for measure in part.iter("measure"):
        bar_start = furthest = now
        for element in measure:
            if element.tag == "attributes":
                divisions = float(element.findtext("divisions") or divisions)
                if result.fifths is None and (fifths := element.findtext("key/fifths")):
                    result.fifths = int(fifths)
                above, below = element.findtext("time/beats"), element.findtext("time/beat-type")
                if above and below and above.isdigit() and f"{above}/{below}" != stretch.metre:
                    stretch = Section(f"{above}/{below}", bar_start)
                    result.stretches.append(stretch)
            elif element.tag in ("backup", "forward"):
                shift = float(element.findtext("duration") or 0.0) / divisions
                now += shift if element.tag == "forward" else -shift
            elif element.tag == "note":
                if element.findtext("voice") not in (None, "1"):
                    if element.find("chord") is None and element.find("grace") is None:
                        now += float(element.findtext("duration") or 0.0) / divisions
                    continue
                result.sung_notes += element.find("lyric") is not None
                if element.find("grace") is not None:
                    stretch.ornaments["grace"] += element.find("chord") is None
                    continue
                length = float(element.findtext("duration") or 0.0) / divisions
                pitch = _read_pitch(element)
                if element.find("chord") is not None:
                    if pitch is not None and stretch.pitches:
                        stretch.pitches[-1] = max(stretch.pitches[-1], pitch)
                    continue
                if pitch is not None and length > 0.0:
                    if is_tied and stretch.pitches and stretch.pitches[-1] == pitch:
                        stretch.lengths[-1] += length
                    else:
                        stretch.pitches.append(pitch)
                        stretch.onsets.append(now - stretch.start)
                        stretch.lengths.append(length)
                        stretch.ornaments.update(_list_ornaments(element))
                    is_tied = any(tie.get("type") == "start" for tie in element.findall("tie"))
                now += length
            furthest = max(furthest, now)
        now = furthest
    result.stretches = [one for one in result.stretches if one.pitches]
    return result


def _read_pitch(note: ElementTree.Element) -> float | None:
    step, octave = note.findtext("pitch/step"), note.findtext("pitch/octave")
    if step is None or octave is None:
        return None
    return 12.0 * (int(octave) + 1) + NATURALS[step] + float(note.findtext("pitch/alter") or 0.0)


def _list_ornaments(note: ElementTree.Element) -> list[str]:
    return [_SIGNS[sign.tag] for group in note.findall("notations") for sign in group.iter() if sign.tag in _SIGNS]
