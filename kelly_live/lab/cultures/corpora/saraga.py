"""Saraga: annotations of Carnatic and Hindustani concerts.

They give tempo and cycle by section, tala, raga and tonic by recording, and phrases.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kelly_live.lab.cultures.corpora.archive import read_files

_LETTERS = {"S": 0, "s": 0, "r": 1, "R": 2, "g": 3, "G": 4, "m": 5, "M": 6, "P": 7, "p": 7, "d": 8, "D": 9, "n": 10,
            "N": 11}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Concerts:
    """What the annotations of a tradition say.

    Attributes:
        recordings: The number of recordings.
        tempi: Beats a minute of each timed section.
        cycles: The number of sections by the beats of their cycle.
        talas: The number of recordings by tala.
        ragas: The number of recordings by raga.
        tonics: The tonics, in Hz.
        phrases: By raga, the number of phrases, and of svaras by semitone. Hindustani only: there the letter's case
            tells the svara.
    """

    recordings: int
    tempi: list[float]
    cycles: Counter[int]
    talas: Counter[str]
    ragas: Counter[str]
    tonics: list[float]
    phrases: dict[str, tuple[int, Counter[int]]]


def read_saraga(corpora: Path, tradition: str) -> Concerts:
    """Read the annotations of a tradition, "carnatic" or "hindustani"."""
    tempi: list[float] = []
    cycles: Counter[int] = Counter()
    talas: Counter[str] = Counter()
    ragas: Counter[str] = Counter()
    tonics: list[float] = []
    raga_of: dict[str, str] = {}
    phrases_by_recording: dict[str, list[str]] = {}
    recordings = 0
    for path, data in read_files(corpora, "saraga-annotations", lambda inside: f"dataset/{tradition}/" in inside):
        text = data.decode("utf-8", errors="replace")
        if path.endswith(".json"):
            recordings += 1
            info = json.loads(text)
            talas.update(_read_names(info, "taala", "taals"))
            names = _read_names(info, "raaga", "raags")
            ragas.update(names)
            if len(names) == 1:
                raga_of[path.removesuffix(".json")] = names[0]
        elif path.endswith(".ctonic.txt"):
            tonics.append(float(text.split()[0]))
        elif path.endswith(".tempo-manual.txt"):
            for line in text.splitlines():
                cells = [float(cell) for cell in line.split(",") if cell.strip()]
                if tradition == "carnatic" and len(cells) == 5 and cells[1] > 0 and cells[3] > 0 and cells[4] > 0:
                    # aksharas a minute, beats a minute, cycle (s), aksharas a cycle, aksharas a beat
                    tempi.append(cells[1])
                    cycles[round(cells[3] / cells[4])] += 1
                elif tradition == "hindustani" and len(cells) == 6 and cells[0] > 0 and cells[3] > 0:
                    # matras a minute, matra (s), cycle (s), matras a cycle, start, end
                    tempi.append(cells[0])
                    cycles[round(cells[3])] += 1
        elif path.endswith(".mphrases-manual.txt") and tradition == "hindustani":
            phrases = [line.split("\t")[3] for line in text.splitlines() if line.count("\t") >= 3]
            phrases_by_recording[path.removesuffix(".mphrases-manual.txt")] = phrases
    by_raga: dict[str, tuple[int, Counter[int]]] = {}
    for name, phrases in phrases_by_recording.items():
        raga = raga_of.get(name)
        if raga is not None:
            count, letters = by_raga.get(raga, (0, Counter()))
            letters.update(_LETTERS[one] for phrase in phrases for one in phrase if one in _LETTERS)
            by_raga[raga] = (count + len(phrases), letters)
    return Concerts(recordings, tempi, cycles, talas, ragas, tonics, by_raga)


def _read_names(info: dict[str, object], *keys: str) -> list[str]:
    entries = next((info[key] for key in keys if key in info), [])
    return (
        [str(one.get("common_name") or one["name"]) for one in entries if isinstance(one, dict)]
        if isinstance(entries, list)
        else []
    )
