"""SymbTr scores of Turkish makam music: commas of 53 to the octave, usul, metre, tempo, ornaments."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from kelly_live.lab.cultures.corpora.archive import read_files
from kelly_live.lab.cultures.tune import Tune

COMMA = 1200.0 / 53.0
_NOTE, _USUL = 9, 51
# code_explanations.xlsx of the corpus; 10 only marks a note that gives time to the grace after it.
_ORNAMENTS = {1: "small note", 4: "glissando", 7: "tremolo", 8: "grace", 11: "grace", 12: "trill", 23: "mordent",
              24: "mordent", 28: "turn", 29: "turn", 32: "tremolo", 43: "mordent", 44: "mordent"}  # fmt: skip
_SOUNDING = {1, 4, 7, 9, 10, 11, 12, 23, 24, 28, 29, 32, 43, 44}
_C4_COMMAS = 265  # Do4 = 5 octaves of 53 commas: MIDI 60
_BELOW = {2, 4, 8, 16, 32}


def read_symbtr(corpora: Path) -> list[Tune]:
    """Read all scores; `group` is the usul, named with its metre.

    The tonic (karar) of a makam is the commonest last note of its scores, because notation is at fixed pitch.
    """
    raw = []
    for path, data in read_files(
        corpora, "symbtr", lambda inside: inside.startswith("txt/") and inside.endswith(".txt")
    ):
        makam = path.removeprefix("txt/").split("--")[0]
        score = _read_score(data.decode("utf-8", errors="replace"))
        if score is not None:
            raw.append((makam, *score))
    finals: dict[str, Counter[int]] = {}
    for makam, commas, *_ in raw:
        finals.setdefault(makam, Counter())[int(commas[-1])] += 1
    tunes = []
    for makam, commas, onsets, lengths, ornaments, metre, usul, tempo in raw:
        tonic = finals[makam].most_common(1)[0][0]
        # Sets of pieces end elsewhere in rare scores; what is an octave off still counts as the same tonic.
        tunes.append(
            Tune(
                cents=(commas - tonic) * COMMA,
                onsets=onsets,
                durations=lengths,
                tonic=60.0 + (tonic - _C4_COMMAS) * 12.0 / 53.0,
                metre=metre,
                beat=1.0 if metre is None or int(metre.split("/")[1]) >= 4 else 2.0,
                tempo=tempo,
                ornaments=ornaments,
                mode=makam.replace("_", "-"),
                group=f"{usul} {metre}" if usul and metre else "",
            )
        )
    return tunes


def _read_score(
    text: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, int], str | None, str | None, float | None] | None:
    commas: list[int] = []
    onsets: list[float] = []
    lengths: list[float] = []
    ornaments: Counter[str] = Counter()
    metres: list[tuple[str, str]] = []
    quarter_ms: list[float] = []
    now = 0.0
    for line in text.splitlines()[1:]:
        cells = line.split("\t")
        if len(cells) < 12 or not cells[1].isdigit():
            continue
        code, comma = int(cells[1]), int(cells[4] or 0)
        above, below, milliseconds = (int(cell or 0) for cell in cells[6:9])
        if code == _USUL and above > 0 and below in _BELOW:
            metres.append((f"{above}/{below}", cells[11].split(" (")[0]))
        if code in _ORNAMENTS and comma > 0:
            ornaments[_ORNAMENTS[code]] += 1
        if below <= 0 or above <= 0 or code == _USUL:
            continue
        length = 4.0 * above / below
        if code in _SOUNDING and comma > 0:
            commas.append(comma)
            onsets.append(now)
            lengths.append(length)
            if code == _NOTE and milliseconds > 0:
                quarter_ms.append(milliseconds / length)
        if code in _SOUNDING:
            now += length
    if len(commas) < 12:
        return None
    metre, usul = metres[0] if len(set(metres)) == 1 else (None, None)
    quarter = 60_000.0 / float(np.median(quarter_ms)) if quarter_ms else None
    tempo = None if quarter is None or not 15.0 <= quarter <= 400.0 else quarter
    return np.array(commas, float), np.array(onsets), np.array(lengths), dict(ornaments), metre, usul, tempo
