"""A chord sheet that leads the harmony: bars of chords, as musicians write them.

Three ways of writing are read: bars (`| Am | F | C G |`, also ChordPro's grids), ChordPro's chords in square brackets
between words, and lines of chords over lines of words; in the latter two a chord is a bar. `|: … :|` is played twice;
`x3` behind it, or at the end of a line, says how often. `|1. … :|2. … |` are its endings, the first time and the second
(`1.2.`: both times). `%` repeats the bar before, `.`, `/` or `-` the chord before.
`N.C.` is no chord: the key's tonic.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kelly_live.core.errors import ConfigError
from kelly_live.core.pitch_names import parse_pitch_class
from kelly_live.music.theory import MODE_SEMITONES, NOTE_NAMES

_MOST_BARS, _MOST_CHORDS = 512, 8
MAX_SHEET_CHARACTERS = 50_000
_CHORD = re.compile(r"([A-G])([#b♯♭]?)([^/\s]*)(?:/([A-G][#b♯♭]?))?")
_SIGNS = str.maketrans("♯♭", "#b")
# Semitones above the root, by what is written behind it; longer spellings of the same are brought to these first.
_QUALITIES = {
    "": (0, 4, 7), "m": (0, 3, 7), "5": (0, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "sus4": (0, 5, 7),
    "sus2": (0, 2, 7), "11": (0, 4, 7, 10), "13": (0, 4, 7, 10), "m11": (0, 3, 7, 10), "m13": (0, 3, 7, 10),
    "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "m7": (0, 3, 7, 10),
    "mmaj7": (0, 3, 7, 11), "m7b5": (0, 3, 6, 10), "dim7": (0, 3, 6, 9), "7sus4": (0, 5, 7, 10), "add9": (0, 4, 7, 2),
    "9": (0, 4, 7, 10), "m9": (0, 3, 7, 10), "maj9": (0, 4, 7, 11),
}  # fmt: skip
_SPELLINGS = (
    ("ø7", "m7b5"), ("ø", "m7b5"), ("°7", "dim7"), ("°", "dim"), ("o7", "dim7"), ("Δ7", "maj7"), ("Δ", "maj7"),
    ("minor", "m"), ("min", "m"), ("mi", "m"), ("-", "m"), ("major", "maj"), ("M", "maj"), ("+", "aug"),
    ("sus", "sus4"),
)  # fmt: skip
_NO_CHORD = ("N.C.", "N.C", "NC", "N")
_AGAIN = (".", "/", "-")
_BAR_LINE = re.compile(r"(:?\|[|:\]]*)")
_TIMES = re.compile(r"\(?(?:[x×](\d{1,2})|(\d{1,2})[x×])\)?", re.IGNORECASE)
_ENDING = re.compile(r"((?:[1-9][.,)-]*)+)([A-G].*|)")  # a number, and the chord that may stand right behind it
_TABLATURE = re.compile(r"\{(?:sot|start_of_tab)\b[^}]*\}.*?\{(?:eot|end_of_tab)\}", re.DOTALL)
_SECTION = re.compile(
    r"\*.*|(?:pre-?)?(?:intro|verse|chorus|refrain|bridge|solo|interlude|instrumental|break|hook|riff|coda|tag|outro|"
    r"ending)\b.*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ChordSymbol:
    """A chord as it is written: its root 0-11 (None: no chord), the semitones of its tones above it, and its text."""

    root: int | None
    tones: tuple[int, ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> ChordSymbol:
        """Read such as `Am`, `F#m7b5`, `Bbmaj7` or `C/E`, whose bass is left to the band. Raises ConfigError."""
        if text.upper() in _NO_CHORD:
            return cls(None, (), "N.C.")
        match = _CHORD.fullmatch(text.replace("6/9", "69"))
        quality = None if match is None else _read_quality(match.group(3))
        if match is None or quality is None:
            hint = "; H is written B" if text.startswith("H") else ""
            raise ConfigError(
                f"{text[:20]!r} is no chord that is known; write such as Am, F#m7, Bbmaj7, Gsus4 or C/E{hint}"
            )
        letter, sign = match.group(1), match.group(2).translate(_SIGNS)
        return cls(parse_pitch_class(letter + sign), _QUALITIES[quality], text)


@dataclass(frozen=True, slots=True)
class ChordSheet:
    """Bars of chords, played round after round. Each bar has one or more, of equal length."""

    bars: tuple[tuple[ChordSymbol, ...], ...]

    @classmethod
    def parse(cls, text: str) -> ChordSheet:
        """Read a sheet.

        Raises ConfigError that names what is no chord, or if there are none, or too many.
        """
        if len(text) > MAX_SHEET_CHARACTERS:
            raise ConfigError(f"the chord sheet has over {MAX_SHEET_CHARACTERS} characters; give one song")
        texts = _list_bars(text)
        if not 1 <= len(texts) <= _MOST_BARS:
            raise ConfigError(
                f"the chord sheet has {len(texts)} bars; it must have 1 to {_MOST_BARS}: write | Am | F | C G |"
            )
        bars = list[tuple[ChordSymbol, ...]]()
        for names in texts:
            if len(names) > _MOST_CHORDS:
                raise ConfigError(f"bar {len(bars) + 1} has {len(names)} chords; at most {_MOST_CHORDS} fit")
            if names == ["%"] and bars:
                bars.append(bars[-1])
                continue
            chords = list[ChordSymbol]()
            for name in names:
                if name in _AGAIN and (chords or bars):
                    chords.append(chords[-1] if chords else bars[-1][-1])
                else:
                    chords.append(ChordSymbol.parse(name))
            bars.append(tuple(chords))
        return cls(tuple(bars))

    def __str__(self) -> str:
        return f"| {' | '.join(' '.join(chord.text for chord in bar) for bar in self.bars)} |"

    def find_key(self) -> tuple[int, str]:
        """Find the tonic 0-11 and mode (ionian or aeolian) whose scale and tonic triad fit best."""

        def fit(tonic: int, mode: str) -> float:
            scale = {(tonic + semitone) % 12 for semitone in MODE_SEMITONES[mode]}
            third = 4 if mode == "ionian" else 3
            score = 0.0
            for bar in self.bars:
                for chord in bar:
                    if chord.root is None:
                        continue
                    classes = [(chord.root + tone) % 12 for tone in chord.tones]
                    score += sum(1.0 if pitch_class in scale else -1.5 for pitch_class in classes) / len(bar)
                    leads = chord.root == (tonic + 7) % 12 and 4 in chord.tones  # the dominant of minor is major
                    score += (1.5 if leads and mode == "aeolian" else 0.0) / len(bar)
                    score += (1.0 if chord.root == tonic and third in chord.tones else 0.0) / len(bar)
            for chord in (self.bars[0][0], self.bars[-1][-1]):
                score += 2.0 * (chord.root == tonic and third in chord.tones)
            return score

        return max(((tonic, mode) for mode in ("ionian", "aeolian") for tonic in range(12)), key=lambda key: fit(*key))


def spell_chord(root: int, quality: str) -> str:
    """Return a triad as a sheet has it."""
    return NOTE_NAMES[root] + ("m" if quality == "minor" else "")


def _read_quality(text: str) -> str | None:
    """Return the key of _QUALITIES that is meant; extensions beyond it are left out."""
    if text in _QUALITIES:
        return text
    for spelling, quality in _SPELLINGS:
        if text.startswith(spelling):
            text = quality + text[len(spelling) :]
            break
    text = text.replace("(", "").replace(")", "").replace(" ", "")
    if text in _QUALITIES:
        return text
    if text == "maj":
        return ""
    shortened = max((name for name in _QUALITIES if name and text.startswith(name)), key=len, default=None)
    rest = text[len(shortened) :] if shortened else text
    return shortened if shortened and re.fullmatch(r"(?:[#b]?\d+|add\d+|sus\d?|alt|omit\d+)*", rest) else None


def _list_bars(text: str) -> list[list[str]]:
    """Return the names in each bar. Raises ConfigError."""
    lines = [line for line in _TABLATURE.sub(" ", text).splitlines() if not line.lstrip().startswith("#")]
    lines = [re.sub(r"\{[^}]*\}", " ", line) for line in lines]  # ChordPro's directives
    if any("|" in line for line in lines):
        return _read_bars([line for line in lines if "|" in line])
    bracketed = [name.strip() for line in lines for name in re.findall(r"\[([^\]]*)\]", line)]
    chords = [name for name in bracketed if name and not _SECTION.fullmatch(name)]
    if chords:
        return [[name] for name in chords]
    return _read_chord_lines([re.sub(r"\[[^\]]*\]", " ", line) for line in lines])


def _read_bars(lines: Sequence[str]) -> list[list[str]]:
    """Read lines with bar lines; write out what is repeated."""
    bars, endings = list[list[str]](), _Endings()
    section, repeat = 0, 0  # where the bars begin that `:|` repeats, and those that a number after it does
    for line in lines:
        line_start = len(bars)
        label, *pieces = _BAR_LINE.split(re.sub(r"\|\s+:", "|:", re.sub(r":\s+\|", ":|", line)))
        if label.split() and all(map(_is_chord, label.split())):
            bars.append(label.split())  # a line may begin without its bar line; other words there name a section
        closes = False
        for mark, piece in zip(pieces[::2], pieces[1::2], strict=True):
            names = [name.strip("[]") for name in piece.split()]
            closes = mark.startswith(":") and not endings.is_open
            if closes:
                repeat = section
                bars += bars[section:]
            elif mark.startswith(":"):
                endings.close(bars)
            if names and (number := endings.read_number(names)):
                endings.begin(bars, section, number)
                names = [name for name in (_split_ending(names[0])[1], *names[1:]) if name]
            elif names or mark.endswith(":"):
                endings.leave(bars, mark)
            if closes or mark.endswith(":"):
                section = len(bars)
            times = _TIMES.fullmatch(names[0]) if len(names) == 1 else None
            if times is not None:
                count = max(1, int(times.group(1) or times.group(2)))
                start = repeat if closes else line_start
                once = bars[start : start + (len(bars) - start) // 2] if closes else bars[start:]
                bars[start:] = once * count
                section = len(bars)
            elif names and names != ["."]:  # `|.` ends a grid
                bars.append(names)
            _require_few(bars)
    return bars


class _Endings:
    """The endings of a repeated section, before each of which stands what they have in common."""

    def __init__(self) -> None:
        self.is_open = False  # the bars that come are one's
        self._common = list[list[str]]()
        self._start = self._passes = self._count = 0  # of the ending, and how many there have been

    def read_number(self, names: Sequence[str]) -> str:
        """Return the number with which a bar begins an ending, "" if it does not: the first one is 1."""
        number, _ = _split_ending(names[0])
        return number if number and (number[0] == "1") == (self._count == 0) else ""

    def begin(self, bars: list[list[str]], section: int, number: str) -> None:
        """Begin one: its number says how often it is played."""
        if self._count:
            bars += self._common
        else:
            self._common = bars[section:]
        digits = [int(digit) for digit in re.findall(r"\d", number)]
        self._passes = digits[-1] - digits[0] + 1 if "-" in number else len(digits)
        self._start, self._count, self.is_open = len(bars), self._count + 1, True

    def close(self, bars: list[list[str]]) -> None:
        """Write out what `:|` behind one repeats; the common part follows with the next one."""
        ending = bars[self._start :]
        for _ in range(self._passes - 1):
            bars += [*self._common, *ending]
        self.is_open = False

    def leave(self, bars: list[list[str]], mark: str) -> None:
        """Go on behind a bar line without a number. After a single ending the section comes again without it."""
        if self.is_open and mark == "|":
            return
        if self._count == 1 and not self.is_open:
            bars += self._common
        self._count, self.is_open = 0, False


def _split_ending(name: str) -> tuple[str, str]:
    """Split the number of an ending from the chord behind it; both are "" where there is none."""
    match = _ENDING.fullmatch(name)
    return ("", "") if match is None else (match.group(1), match.group(2))


def _read_chord_lines(lines: Sequence[str]) -> list[list[str]]:
    """Read lines of chords, a bar each. Between them may stand lines of words, in which few are chords by chance."""
    words = [line.split() for line in lines]
    if sum(map(bool, words)) > 1:
        words = [names for names in words if 2 * sum(map(_is_chord, names)) > len(names)]
    return [[name] for names in words for name in names]


def _require_few(bars: Sequence[object]) -> None:
    """Raise ConfigError if a sheet has too many bars."""
    if len(bars) > _MOST_BARS:
        raise ConfigError(f"the chord sheet has over {_MOST_BARS} bars with its repeats; give one song")


def _is_chord(name: str) -> bool:
    """Return whether a word can stand in a bar."""
    try:
        ChordSymbol.parse(name)
    except ConfigError:
        return name in (*_AGAIN, "%")
    return True
