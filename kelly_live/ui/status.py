"""What a live session shows of itself: a few short rows, and the words for what has changed.

No terminal is known here: a row is a list of pieces that fit a width, in columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from rich.cells import cell_len, set_cell_size

from kelly_live.core.values import EmotionState
from kelly_live.core.wording import escape

SILENT_DBFS = -60.0  # the left end of the meter; full scale is its right one
_METER_CELLS = 10
_TEMPO_CHANGE = 0.1  # of the tempo: less is the give and take of a band that follows


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """One moment of a live session.

    `tempo_bpm` in BPM; `level_dbfs`: the input's RMS; `inputs`: which of several carry sound; the counters are since
    the start; `bar` counts from 1. `is_by_hand`: the emotion was set, so its confidence means nothing.
    `word`: the emotion word of the state, or empty.
    `hand`: what the performer holds, a few words each, with details after a colon ("by hand: V+0.50"). `playing`: how
    the band plays with the player. `troubles`: each part that fails, and why. `standby`: what comes next. `remarks`:
    all else, the most important first.
    """

    state: EmotionState
    tempo_bpm: float
    mode: str
    level_dbfs: float
    late_notes: int = 0
    dropped_windows: int = 0
    overflows: int = 0
    inputs: str = ""
    tonic: str | None = None
    chord: str | None = None
    bar: int | None = None
    is_by_hand: bool = False
    hand: tuple[str, ...] = ()
    playing: tuple[str, ...] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)
    standby: str = ""
    remarks: tuple[str, ...] = ()
    word: str = ""

    @property
    def remark(self) -> str:
        """All that is said in words, in one line."""
        return ", ".join([*self.playing, *self.remarks, *self.hand, *self.troubles.values()])


class Style(Enum):
    """How a piece stands out."""

    PLAIN = "plain"
    HELD = "held"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a row; the lower its `rank`, the more important it is. `short` with its own rank stands in for it."""

    text: str
    rank: int
    style: Style = Style.PLAIN
    short: str | None = None
    short_rank: int = 0


@dataclass(frozen=True, slots=True)
class Symbols:
    """What stands between pieces, for the cells of the meter, and for what is cut off."""

    separator: str
    full: str
    empty: str
    cut: str

    @property
    def all(self) -> str:
        """Every character, to see whether a stream can encode them."""
        return self.separator + self.full + self.empty + self.cut


UNICODE = Symbols(" · ", "▮", "▯", "…")
ASCII = Symbols(" | ", "#", "-", "..")


def format_rows(status: LiveStatus, width: int, symbols: Symbols = UNICODE) -> list[list[Piece]]:
    """Return three rows of at most `width` columns: hand and feeling; the music; trouble, what is next, input."""
    rows = (_list_feeling(status), _list_music(status), _list_health(status, symbols))
    return [fit_row(list(row), width, symbols) for row in rows]


def format_row(row: Sequence[Piece], symbols: Symbols = UNICODE) -> str:
    """Return a row as text."""
    return symbols.separator.join(piece.text for piece in row)


def fit_row(pieces: Sequence[Piece], width: int, symbols: Symbols = UNICODE) -> list[Piece]:
    """Return the pieces, or their short forms, that fit `width` columns, the most important first."""
    forms: list[tuple[int, bool, int, Piece]] = []  # rank, whether it is the long one, place
    for place, piece in enumerate(pieces):
        forms.append((piece.rank, True, place, piece))
        if piece.short is not None:
            forms.append((piece.short_rank, False, place, replace(piece, text=piece.short)))
    forms.sort(key=lambda form: form[:3])
    chosen: dict[int, Piece] = {}
    for *_, place, piece in forms:
        trial = chosen | {place: piece}
        row = [trial[place] for place in sorted(trial)]
        if cell_len(format_row(row, symbols)) <= width:
            chosen = trial
    if not chosen:
        first = forms[0][3]
        return [replace(first, text=_cut(first.text, width, symbols.cut))]
    return [chosen[place] for place in sorted(chosen)]


def describe_changes(before: LiveStatus | None, now: LiveStatus) -> list[str]:
    """Say what has changed, a few words each; all that matters where there is no `before`.

    Not said: the chord, which changes with each bar, the input's level, and troubles, which are lines of their own.
    """
    changes: list[str] = []
    if before is None or now.hand != before.hand:
        new = [text for text in now.hand if before is None or text not in before.hand]
        changes += new or now.hand or ("listening" if before is None else "released",)
    if before is None or now.state.emotion != before.state.emotion or now.is_by_hand != before.is_by_hand:
        changes.append(_format_feeling(now))
    if _is_other_word(now) and (before is None or now.word != before.word):
        changes.append(now.word)
    if before is None or abs(now.tempo_bpm - before.tempo_bpm) > _TEMPO_CHANGE * before.tempo_bpm:
        changes.append(_format_tempo(now))
    if _format_key(now) and (before is None or _format_key(now) != _format_key(before)):
        changes.append(_format_key(now))
    old_words = () if before is None else (*before.playing, *before.remarks)
    changes += [text for text in (*now.playing, *now.remarks) if text not in old_words]
    if now.standby and (before is None or now.standby != before.standby):
        changes.append(now.standby)
    old_counts = {} if before is None else dict(_list_counts(before))
    changes += [f"{name} {count}" for name, count in _list_counts(now) if count != old_counts.get(name)]
    return [escape(text) for text in changes]


def format_level(level_dbfs: float) -> str:
    """Return the input's level in a few words."""
    return f"in {level_dbfs:.0f} dB" if level_dbfs > SILENT_DBFS else "in: silent"


def _list_feeling(status: LiveStatus) -> Iterator[Piece]:
    if not status.hand:
        yield Piece("listening", 1)
    for number, text in enumerate(status.hand):
        name, colon, details = escape(text).partition(":")
        yield Piece(name.upper() + colon + details, 2, Style.HELD, name.upper(), min(number, 1))
    yield Piece(_format_feeling(status), 0)
    if _is_other_word(status):
        yield Piece(escape(status.word), 2)
    state = status.state
    plane = f"V{state.valence:+.2f} A{state.arousal:+.2f}"
    yield Piece(f"{plane} D{state.dominance:+.2f}", 3, short=plane, short_rank=3)


def _list_music(status: LiveStatus) -> Iterator[Piece]:
    yield Piece(_format_tempo(status), 0)
    if key := _format_key(status):
        yield Piece(escape(key), 0)
    if status.chord:
        yield Piece(escape(status.chord), 1)
    if status.bar is not None:
        yield Piece(f"bar {status.bar}", 2)


def _list_health(status: LiveStatus, symbols: Symbols) -> Iterator[Piece]:
    for number, (part, trouble) in enumerate(status.troubles.items()):
        yield Piece(f"! {escape(trouble)}", 4, Style.TROUBLE, f"! {escape(part)}", min(number, 1))
    if status.standby:
        yield Piece(escape(status.standby), 1)
    yield from (Piece(f"{name} {count}", 2, Style.TROUBLE) for name, count in _list_counts(status))
    level = format_level(status.level_dbfs)
    inputs = status.inputs and f" ({escape(status.inputs)})"
    meter = _format_meter(status.level_dbfs, symbols)
    yield Piece(f"{meter} {level}{inputs}", 3, short=level, short_rank=3)
    for text in map(escape, (*status.playing, *status.remarks)):
        yield Piece(text, 5, short=text.partition(":")[0], short_rank=5)


def _list_counts(status: LiveStatus) -> list[tuple[str, int]]:
    """Return what was lost so far, each with its name; nothing that is still 0."""
    counts = (("late", status.late_notes), ("dropped", status.dropped_windows), ("overflows", status.overflows))
    return [(name, count) for name, count in counts if count]


def _is_other_word(status: LiveStatus) -> bool:
    """Return whether there is a word that says more than the name of the emotion."""
    return status.word not in ("", status.state.emotion)


def _format_feeling(status: LiveStatus) -> str:
    state = status.state
    return state.emotion if status.is_by_hand else f"{state.emotion} {state.confidence:.0%}"


def _format_tempo(status: LiveStatus) -> str:
    return f"{status.tempo_bpm:.0f} BPM"


def _format_key(status: LiveStatus) -> str:
    return " ".join(filter(None, (status.tonic, status.mode)))


def _format_meter(level_dbfs: float, symbols: Symbols) -> str:
    """Return the level as a bar from SILENT_DBFS to full scale."""
    share = min(1.0, max(0.0, 1.0 - level_dbfs / SILENT_DBFS))
    full = round(share * _METER_CELLS)
    return symbols.full * full + symbols.empty * (_METER_CELLS - full)


def _cut(text: str, width: int, mark: str) -> str:
    room = width - cell_len(mark)
    return set_cell_size(text, room) + mark if room > 0 else set_cell_size(text, width)
