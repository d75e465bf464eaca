"""AMICOR: sung and played sentences of mawwal improvisation, as scale degrees and duration classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kelly_live.lab.cultures.corpora.archive import read_file


def read_degree_shares(corpora: Path) -> tuple[tuple[float, ...], int, int]:
    """Read the shares of sung notes on degrees 1-7 over all eight maqams, and the notes and sentences."""
    text = read_file(corpora, "amicor", "clean/Clean corpus/vocal.txt").decode("utf-8", errors="replace")
    counts = np.array([text.count(letter) for letter in "abcdefg"], dtype=np.float64)
    sentences = sum(bool(line.strip()) for line in text.splitlines())
    return tuple(float(share) for share in counts / counts.sum()), int(counts.sum()), sentences
