"""The melodic-evolution workbook (.xlsx): Japanese and English songs as pitch letters.

It has neither rhythm nor octaves.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from kelly_live.core.errors import ConfigError
from kelly_live.lab.cultures.corpora.archive import read_file
from kelly_live.lab.cultures.tune import Tune

_SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LETTERS = {letter: step for step, letter in enumerate("CdDeEFgGaAbB")}
_LANGUAGE, _PLACE, _NOTES = "D", "E", "N"  # columns
# Koizumi (1958), Nihon dentō ongaku no kenkyū: a fourth between two nuclear tones holds one tone; where it lies names
# the tetrachord, and a scale is two of them on the tonic and its fifth. Semitones above the nuclear tone.
TETRACHORDS = {1: "miyako-bushi", 2: "ritsu", 3: "minyo", 4: "ryukyu"}
_KOIZUMI_SHARE = 0.9  # of a tune's notes must lie on the two tetrachords to be called by them; ours


def read_songs(corpora: Path, language: str) -> list[Tune]:
    """Read all songs in `language` ("Japanese", "English").

    Octaves are not in the corpus: each step is unfolded the shorter way (a tritone downwards), so steps over a fourth
    are folded and the range means nothing.
    """
    data = read_file(corpora, "japan-english-folk", "data/MelodicEvoSeqFullSongs.xlsx")
    tunes = []
    for row in _read_rows(data):
        classes = [_LETTERS[letter] for letter in row.get(_NOTES, "") if letter in _LETTERS]
        if row.get(_LANGUAGE) != language or len(classes) < 12:
            continue
        steps = (np.diff(classes) + 6) % 12 - 6
        semitones = np.concatenate([[classes[0]], classes[0] + np.cumsum(steps)]).astype(np.float64)
        cents = 100.0 * semitones
        if language == "Japanese":
            # The common tonic here is that of the collection; a Japanese song is heard from where it ends.
            final = float(cents[-1])
            mode = name_tetrachords([int(one) for one in semitones - final / 100.0])
            tunes.append(Tune(cents=cents - final, mode=mode, group=row.get(_PLACE, "")))
        else:
            tunes.append(Tune(cents=cents, group=row.get(_PLACE, "")))
    return tunes


def name_tetrachords(semitones: list[int]) -> str | None:
    """Name the tetrachords on the last note (0) and its fifth that hold nearly all notes, or None."""
    classes = [one % 12 for one in semitones]
    lower = max(TETRACHORDS, key=classes.count)
    upper = max(TETRACHORDS, key=lambda step: classes.count(7 + step))
    members = {0, lower, 5, 7, 7 + upper}
    if sum(one in members for one in classes) < _KOIZUMI_SHARE * len(classes):
        return None
    one, other = TETRACHORDS[lower], TETRACHORDS[upper]
    return one if one == other else f"{one}-{other}"


def _read_rows(data: bytes) -> Iterator[dict[str, str]]:
    """Yield the first sheet's rows, as text by column letter."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            strings = [
                "".join(text.text or "" for text in item.iter(f"{_SPACE}t"))
                for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
            ]
            with book.open("xl/worksheets/sheet1.xml") as sheet:
                for _, element in ElementTree.iterparse(sheet):
                    if element.tag != f"{_SPACE}row":
                        continue
                    yield dict(_read_cells(element, strings))
                    element.clear()
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError) as error:
        raise ConfigError(f"the workbook of japan-english-folk is damaged ({error}); take the corpus again") from error


def _read_cells(row: ElementTree.Element, strings: list[str]) -> Iterator[tuple[str, str]]:
    for cell in row:
        value = cell.find(f"{_SPACE}v")
        if value is not None and value.text is not None:
            column = cell.get("r", "").rstrip("0123456789")
            yield column, strings[int(value.text)] if cell.get("t") == "s" else value.text
