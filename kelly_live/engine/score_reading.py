"""A piece read as a score: its form, and each phrase's chords, cadence and melody, a bar a column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from kelly_live.music.analysis import name_cadence, name_chord
from kelly_live.music.forms import CONTINUATION, PERIOD, PRESENTATION
from kelly_live.music.theory import NOTE_NAMES, spell_key

if TYPE_CHECKING:
    from kelly_live.core.values import NoteEvent
    from kelly_live.engine.performance import Performance
    from kelly_live.music.harmony import Phrase

_COLUMN = 26


def format_score(performance: Performance) -> str:
    """Format a page: a line of form, then each phrase with its bars.

    A bar shows its chords as roman numerals, if the style has chords, and the melody as notes by their place (1, 1e,
    1&, 1a, 2, ...), a `~` after a note that sounds over the barline.
    """
    melody = sorted((note for note in performance.notes if note.part == "melody"), key=lambda note: note.onset_beats)
    phrases = performance.phrases
    groove = performance.readings[0].parameters.groove or "plain"
    bpm = performance.readings[0].parameters.tempo.suggested
    form = " ".join(_list_phrases(phrases))
    style = performance.readings[0].parameters.style
    has_chords = style is None or style.has_chords
    texture = "" if style is None or has_chords else f", {style.texture} without chords"
    lines = [
        f"{performance.title}: {performance.keys[0]}, {bpm:.0f} BPM, {groove}{texture}",
        f"form: {form}",
    ]
    for phrase in phrases:
        lines += ["", *_format_phrase(phrase, melody, has_chords=has_chords)]
    return "\n".join(lines)


def describe_sections(phrases: Sequence[Phrase]) -> str:
    """Describe a named form's sections and their bars, such as `verse 8, chorus 8`; empty where none has a name.

    The closing bar counts with the last section. A phrase that was planned anew, in another key, counts once.
    """
    sections: list[tuple[str, int]] = []
    for phrase in {phrase.start_bar: phrase for phrase in phrases}.values():
        if phrase.role.starts:
            sections.append((phrase.role.section, phrase.bars))
        elif sections:
            sections[-1] = sections[-1][0], sections[-1][1] + phrase.bars
    return ", ".join(f"{name} {bars}" for name, bars in sections)


def _list_phrases(phrases: Sequence[Phrase]) -> Iterator[str]:
    """List the names of the phrases, each section's name before its first."""
    for phrase in phrases:
        if phrase.role.starts:
            yield f"{phrase.role.section}:"
        yield _name_phrase(phrase)


def _format_phrase(phrase: Phrase, melody: Sequence[NoteEvent], *, has_chords: bool) -> Iterator[str]:
    first, last = phrase.start_bar + 1, phrase.start_bar + phrase.bars
    bars = f"bar {first}" if first == last else f"bars {first}-{last}"
    key = f"{phrase.key.tonic_name} {phrase.key.scale.name}"
    role = phrase.role
    name = f"{role.section} {_name_phrase(phrase)}" if role.section else _name_phrase(phrase)
    manner = {PERIOD: "", PRESENTATION: ", a sentence begins", CONTINUATION: ", the sentence goes on"}[role.build]
    without = f", without {' and '.join(role.silent)}" if role.silent else ""
    turned = {0: "", 1: ", arrives", -1: ", lets go"}[role.arrival]
    cadence = f"{name_cadence(phrase)} cadence" if has_chords else "an answer" if role.closed else "a question"
    yield f"{name}, {bars}, {key}, {cadence}{manner}{without}{turned}"
    chord_row, melody_row = [], []
    names = {pitch: NOTE_NAMES[pitch] for pitch in range(12)}
    spelled = spell_key(phrase.key)
    if (leading_tone := (phrase.key.pitch_classes[0] - 1) % 12) not in phrase.key.pitch_classes and len(spelled) == 7:
        names[leading_tone] = _sharpen(spelled[6])  # on a dominant in minor: D# in E minor, not Eb
    names |= dict(zip(phrase.key.pitch_classes, spelled, strict=True))
    for bar in range(phrase.start_bar, phrase.start_bar + phrase.bars):
        start, end = float(bar * phrase.beats_per_bar), float((bar + 1) * phrase.beats_per_bar)
        spans = [span for span in phrase.spans if start <= span.start_beat < end]
        chord_row.append(" ".join(name_chord(span.chord) for span in spans))
        inside = [note for note in melody if start <= _quantise(note.onset_beats) < end]
        melody_row.append(" ".join(_format_note(note, names, start, end) for note in inside))
    width = max(_COLUMN, *(len(text) + 1 for text in (*chord_row, *melody_row)))
    for name, row in ((("chords", chord_row),) if has_chords else ()) + (("melody", melody_row),):
        yield f"  {name:7}|" + "|".join(f" {text:{width}}" for text in row) + "|"


def _name_phrase(phrase: Phrase) -> str:
    """Name a phrase's role in the form: its letter and the number of its return; a single bar is the close."""
    return "close" if phrase.bars == 1 else phrase.role.letter + "'" * phrase.role.variation


def _quantise(beat: float) -> float:
    return min((round(beat * parts) / parts for parts in (4, 3)), key=lambda place: abs(place - beat))


def _format_note(note: NoteEvent, names: Mapping[int, str], start: float, end: float) -> str:
    place = _quantise(note.onset_beats) - start
    beat, part = divmod(place, 1.0)
    offset = {0.0: "", 0.25: "e", 0.5: "&", 0.75: "a"}.get(round(part, 2), f"{part:.2f}"[1:])
    tie = "~" if note.onset_beats + note.duration_beats > end + 0.15 else ""
    return f"{int(beat) + 1}{offset}:{names[note.pitch % 12]}{note.pitch // 12 - 1}{tie}"


def _sharpen(name: str) -> str:
    return name[:-1] if name.endswith("b") else f"{name}#"
