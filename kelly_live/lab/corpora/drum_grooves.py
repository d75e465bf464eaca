"""Drum grooves of the Groove MIDI Dataset (Gillick et al. 2019): strokes of people, placed on a metronome's grid."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import mido
import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError
from kelly_live.lab.cultures.corpora.archive import read_files
from kelly_live.music.drumming import INSTRUMENTS, find_instrument

CORPUS = "groove-gmd-latin-afro"
# Keys that the electronic kit (Roland TD-11) sends where General MIDI has others: edges of the hat, rims of the toms.
_KIT_KEYS = {22: "hat", 26: "open hat", 58: "tom"}
# Which style of the file names counts to which group. Of rock and pop the archive has no groove: what has a backbeat
# stands for them.
GROUP_BY_STYLE = {
    "country": "backbeat", "dance": "backbeat", "gospel": "backbeat", "reggae": "backbeat", "blues": "backbeat",
    "neworleans": "funk", "jazz-funk": "funk", "jazz-fusion": "funk", "jazz-linear": "funk",
    "jazz": "jazz",
    "latin": "latin",
    "afrobeat": "afro", "afrocuban": "afro", "highlife": "afro",
}  # fmt: skip
_OTHER_STYLES = ("jazz-klezmer", "jazz-march")  # a groove or three each: they count to all people alone


@dataclass(frozen=True, slots=True)
class DrumGroove:
    """A groove in 4/4: `strokes` are rows of onset (beats), instrument (an index of INSTRUMENTS) and velocity.

    `places` are the nearest places of the grid, in beats: `division` a beat, 4 (sixteenths) or 3 (triplets), the one
    that lies nearer to the whole groove. `beat_seconds` is the length of a beat.
    """

    drummer: str
    group: str | None
    strokes: Floats
    places: Floats
    division: int
    beat_seconds: float


def read_drum_grooves(corpora: Path) -> list[DrumGroove]:
    """Read the grooves in 4/4, in the order of their names.

    Raises:
        ConfigError: The archive is missing or damaged.
    """
    files = dict(read_files(corpora, CORPUS, lambda inside: inside.startswith("midi/") and inside.endswith(".mid")))
    grooves = [_read_groove(PurePosixPath(name).stem, data) for name, data in sorted(files.items())]
    found = [groove for groove in grooves if groove is not None]
    if not found:
        raise ConfigError(f"{corpora / CORPUS}.tar.xz holds no groove in 4/4; take the corpus that INDEX.tsv names")
    return found


def find_group(style: str) -> str | None:
    """Find the group of a style as file names write it ("latin-brazilian-samba"); None if it has none."""
    if style in _OTHER_STYLES:
        return None
    return GROUP_BY_STYLE.get("-".join(style.split("-")[:2])) or GROUP_BY_STYLE.get(style.split("-")[0])


def _read_groove(name: str, data: bytes) -> DrumGroove | None:
    """Read a file that is named DRUMMER_NUMBER_STYLE_BPM_KIND_METRE; None for other names and metres."""
    parts = name.split("_")
    if len(parts) != 6 or parts[4] != "beat" or parts[5] != "4-4":
        return None
    midi = mido.MidiFile(file=io.BytesIO(data), clip=True)
    strokes = np.array(list(_list_strokes(midi)), dtype=np.float64).reshape(-1, 3)
    if not len(strokes):
        return None
    strokes = strokes[np.argsort(strokes[:, 0], kind="stable")]
    by_division = {division: np.rint(strokes[:, 0] * division) / division for division in (4, 3)}
    # Sixteenths are nearer by chance: their grid has more places. Distances are told as shares of a step.
    misses = {division: division * np.abs(strokes[:, 0] - places).mean() for division, places in by_division.items()}
    division = min(misses, key=misses.__getitem__)
    return DrumGroove(parts[0], find_group(parts[2]), strokes, by_division[division], division, 60.0 / float(parts[3]))


def _list_strokes(midi: mido.MidiFile) -> Iterator[tuple[float, int, int]]:
    for track in midi.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "note_on" and message.velocity:
                instrument = _KIT_KEYS.get(message.note) or find_instrument(message.note)
                yield ticks / midi.ticks_per_beat, INSTRUMENTS.index(instrument), message.velocity
