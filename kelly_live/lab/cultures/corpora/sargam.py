"""Bandish of Bhatkhande's Kramik Pustak Malika in sargam (XML).

Read are svaras by matra, kan graces, the tala and its vibhags.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np

from kelly_live.lab.cultures.corpora.archive import read_files
from kelly_live.lab.cultures.tune import Tune

_SVARAS = {"s": 0, "S": 0, "R": 1, "r": 2, "G": 3, "g": 4, "m": 5, "M": 6, "p": 7, "P": 7, "D": 8, "d": 9, "N": 10,
           "n": 11}  # fmt: skip  # capitals are komal, M is tivra: the corpus' own convention
_SYMBOL = re.compile(r"(?P<svara>[sSrRgGmMpPdDnN])(?P<octave>[ul]?)|(?P<held>-)")
_GRACE = re.compile(r"<sup>(.*?)</sup>")


def read_sargam(corpora: Path) -> list[Tune]:
    """Read all bandish; the beat is the matra.

    `mode` is the raga, `group` "matras tala pattern-of-vibhags".
    """
    tunes = []
    for _, data in read_files(
        corpora, "hindustani-sangeet", lambda inside: inside.startswith("Bhatkhande") and inside.endswith(".xml")
    ):
        text = data.decode("utf-8", errors="replace")
        raga, tala, pattern = (_read_field(text, name) for name in ("RAAG_NAME", "TAAL_NAME", "BEAT_PATTERN"))
        matras = sum(int(part) for part in pattern.split("-") if part.isdigit())
        tune = _create_tune(
            re.findall(r"<CONTENT>(.*?)</CONTENT>", text, re.DOTALL), raga, f"{matras} {tala} {pattern}", matras
        )
        if tune is not None:
            tunes.append(tune)
    return tunes


def _read_field(text: str, name: str) -> str:
    match = re.search(f"<{name}>(.*?)</{name}>", text)
    return match.group(1).strip() if match else ""


def _create_tune(cells: list[str], raga: str, group: str, matras: int) -> Tune | None:
    cents: list[float] = []
    onsets: list[float] = []
    lengths: list[float] = []
    graces, beat = 0, 0
    for cell in cells:
        plain = html.unescape(cell)
        graces += len(_GRACE.findall(plain))
        for matra in _GRACE.sub("", plain).split():
            symbols = list(_SYMBOL.finditer(matra.replace("GA", "G").replace("ni", "n")))
            for place, symbol in enumerate(symbols):
                length = 1.0 / len(symbols)
                if symbol.group("held"):
                    if lengths:
                        lengths[-1] += length
                    continue
                octave = {"u": 1200.0, "l": -1200.0, "": 0.0}[symbol.group("octave")]
                cents.append(100.0 * _SVARAS[symbol.group("svara")] + octave)
                onsets.append(beat + place * length)
                lengths.append(length)
            beat += 1
    if len(cents) < 12:
        return None
    return Tune(
        cents=np.array(cents),
        onsets=np.array(onsets),
        durations=np.array(lengths),
        metre=f"{matras}/4" if matras else None,
        ornaments={"kan grace": graces},
        mode=raga.lower(),
        group=group,
    )
