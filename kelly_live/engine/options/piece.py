"""What of the music is fixed by hand: its key, tempo, metre, groove and form. The emotion decides the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import quote_value
from kelly_live.core.pitch_names import parse_pitch_class
from kelly_live.core.sync_state import MAX_METRE_BEATS, MIN_METRE_BEATS
from kelly_live.core.values import GROOVES, MODES
from kelly_live.core.wording import quote_error
from kelly_live.engine.options.metadata import check_options, option
from kelly_live.mapping.constraints import Constraints
from kelly_live.music.chord_sheet import MAX_SHEET_CHARACTERS, ChordSheet
from kelly_live.music.forms import FORM_NAMES
from kelly_live.music.groove import PLAIN_STYLE
from kelly_live.music.theory import NOTE_NAMES

FILE_SUFFIXES = {"midi": ".mid", "wav": ".wav", "plot": ".png"}  # of the files that a piece is written as
_LONGEST_PATH = 4_096
MIN_TEMPO_BPM, MAX_TEMPO_BPM = 30.0, 240.0
_KEY_RULE = "write a tonic and, if it is to stay, a mode: C, F#, Ebm, A minor, D dorian"
_SIGNS = str.maketrans("♯♭", "#b")
_MODE_NAMES = {"major": "ionian", "maj": "ionian", "minor": "aeolian", "min": "aeolian", "m": "aeolian"}


@dataclass(frozen=True, slots=True)
class FixedKey:
    """A tonic (pitch class 0-11), and one of MODES or None: the emotion's."""

    tonic: int
    mode: str | None = None

    @classmethod
    def parse(cls, text: str) -> FixedKey:
        """Read such as `Eb`, `Ebm`, `C# minor` or `d dorian`. Raises ConfigError."""
        match = re.fullmatch(r"([A-Ga-g])([#♯b♭]?)\s*([A-Za-z]*)", text.strip())
        if match is None:
            raise ConfigError(f"{quote_value(text)} is no key; {_KEY_RULE}")
        letter, accidental, word = match.groups()
        mode = _MODE_NAMES.get(word.lower(), word.lower()) or None
        if mode not in (None, *MODES):
            raise ConfigError(f"{quote_value(word)} is no mode; it must be major, minor or one of {', '.join(MODES)}")
        return cls(parse_pitch_class(letter.upper() + accidental.translate(_SIGNS)), mode)

    def __str__(self) -> str:
        return NOTE_NAMES[self.tonic] + (f" {self.mode}" if self.mode else "")


def parse_metre(text: str) -> int:
    """Read a metre of quarter notes, such as `3/4`, as beats a bar. Raises ConfigError."""
    match = re.fullmatch(r"(\d{1,2})/4", text.strip(), re.ASCII)
    beats = int(match[1]) if match else 0
    if not MIN_METRE_BEATS <= beats <= MAX_METRE_BEATS:
        raise ConfigError(
            f"{quote_value(text)} is no metre that can be fixed; write N/4 with N from {MIN_METRE_BEATS} to "
            f"{MAX_METRE_BEATS} (a tradition's own metres come with --culture)"
        )
    return beats


def parse_sheet(text: str) -> ChordSheet:
    """Read a chord sheet: the text itself, or the file that it names. Raises ConfigError."""
    path = Path(text.strip())
    if "|" not in text and len(text) < _LONGEST_PATH and (path.suffix or path.exists()):
        try:
            with path.open(encoding="utf-8") as file:
                text = file.read(MAX_SHEET_CHARACTERS + 1)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"cannot read the chord sheet {quote_value(text)} ({quote_error(error)}); name a text file, "
                "or write | Am | F | C G |"
            ) from error
    return ChordSheet.parse(text)


@dataclass(frozen=True, slots=True)
class PieceOptions:
    """Key, tempo (BPM), beats a bar, groove (one of GROOVES, or "plain"), form (one of FORM_NAMES) and chords.

    None: as the emotion, the tradition and the seed say. Raises ConfigError.
    """

    key: FixedKey | None = option(
        "--key",
        metavar="KEY",
        parse=FixedKey.parse,
        default_note="the seed's tonic, the emotion's mode",
        help="Play in this key: a tonic, and a mode if that is to stay (C, Ebm, D dorian).",
    )
    tempo: float | None = option(
        "--tempo",
        kind=float,
        minimum=MIN_TEMPO_BPM,
        maximum=MAX_TEMPO_BPM,
        default_note="the emotion's",
        help="Play at this tempo, in BPM.",
    )
    metre: int | None = option(
        "--metre",
        metavar="N/4",
        parse=parse_metre,
        format=lambda beats: f"{beats}/4",
        default_note="4/4, or the tradition's",
        help="Play in bars of N quarter notes.",
    )
    style: str | None = option(
        "--style",
        choices=(PLAIN_STYLE, *GROOVES),
        default_note="the emotion's, or the tradition's",
        help="How the rhythm section plays.",
    )
    form: str | None = option(
        "--form",
        choices=FORM_NAMES,
        default_note="the style's, else the arc; live, open",
        help="Which sections follow each other (`open` has no end).",
    )

    chords: ChordSheet | None = option(
        "--chords",
        metavar="SHEET",
        parse=parse_sheet,
        default_note="the band's own",
        help="Play these chords, round after round: a text such as '| Am | F | C G |', or a file of it or in ChordPro.",
    )

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def fixed_key(self) -> FixedKey | None:
        """The key that was given, else that of the chords; None: the seed's and the emotion's."""
        if self.key is None and self.chords is not None:
            return FixedKey(*self.chords.find_key())
        return self.key

    @property
    def tonic(self) -> int | None:
        """The pitch class of the tonic, 0-11; None: the seed's."""
        return None if self.fixed_key is None else self.fixed_key.tonic

    def build_constraints(self) -> Constraints:
        """Build what holds the mapper's parameters."""
        groove = self.style if self.style != PLAIN_STYLE else ""
        return Constraints(None if self.fixed_key is None else self.fixed_key.mode, self.tempo, groove)
