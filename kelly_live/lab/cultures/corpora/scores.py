"""The three corpora in MusicXML: jingju arias, nubas of al-Āla and Korean jeongak.

Each has its own tonic and modes.
"""

from __future__ import annotations

import csv
import io
import tarfile
import unicodedata
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kelly_live.lab.cultures.corpora.archive import read_file, read_files
from kelly_live.lab.cultures.corpora.musicxml import Part, Section, read_parts
from kelly_live.lab.cultures.tune import Tune, compute_beat_quarters

MIN_NOTES = 12
JEONGGAN = 1.5  # quarters: the encoders write one square of the notation as three eighths


def _create_tune(stretch: Section, tonic: float, mode: str | None, beat: float | None = None, group: str = "") -> Tune:
    return Tune(
        cents=100.0 * (np.array(stretch.pitches, dtype=np.float64) - tonic),
        onsets=np.array(stretch.onsets),
        durations=np.array(stretch.lengths),
        tonic=tonic,
        metre=stretch.metre,
        beat=compute_beat_quarters(stretch.metre) if beat is None else beat,
        ornaments=dict(stretch.ornaments),
        mode=mode,
        group=group,
    )


def _read_sections(part: Part) -> list[Section]:
    return [stretch for stretch in part.stretches if len(stretch.pitches) >= MIN_NOTES]


def _place_near(pitch_class: int, stretches: Iterable[Section]) -> float:
    middle = float(np.median(np.concatenate([stretch.pitches for stretch in stretches])))
    return float(pitch_class + 12 * round((middle - pitch_class) / 12.0))


def read_jingju(corpora: Path) -> list[Tune]:
    """Read the sung parts of 92 arias.

    0 is do, the tonic of the scores' key signature; modes are shengqiang by role.
    """
    scores: dict[str, bytes] = {}
    table: list[list[str]] = []
    for path, data in read_files(corpora, "jingju", lambda inside: inside.startswith("scores/")):
        if path.endswith(".xml"):
            scores[Path(path).stem] = data
        elif path == "scores/corpus.csv":
            table = list(csv.reader(io.StringIO(data.decode("utf-8"))))
    tunes = []
    for row in table:
        if len(row) < 5 or row[0] not in scores:
            continue
        role, melody, banshi = row[2].split(";")[0].strip(), row[3].split(";")[0].strip(), row[4].strip()
        melody = {"erhuan": "erhuang"}.get(melody, melody)
        part = max(read_parts(scores[row[0]], row[0]), key=lambda one: one.sung_notes)
        stretches = _read_sections(part)
        if part.fifths is None or not stretches:
            continue
        tonic = _place_near(7 * part.fifths % 12, stretches)
        mode = f"{melody}-{role}" if melody and role in ("dan", "laosheng") else None
        tunes += [_create_tune(stretch, tonic, mode, group=banshi) for stretch in stretches]
    return tunes


# Nubas by the letters of their transliterated names, the longer first, as "māyah" is in "raml al-māyah".
NUBAS = {
    "ramlalmayah": ("raml-al-maya", "Raml al-Māya"), "mayah": ("al-maya", "al-Māya"),
    "hijazalkabir": ("al-hijaz-al-kabir", "al-Ḥijāz al-Kabīr"),
    "hijazalmshriqi": ("al-hijaz-al-mashriqi", "al-Ḥijāz al-Mashriqī"),
    "ghribatalhusayn": ("gharibat-al-husayn", "Gharībat al-Ḥusayn"),
    "rasdalthayl": ("rasd-al-dhayl", "Raṣd al-Dhayl"), "rasd": ("al-rasd", "al-Raṣd"),
    "istihlal": ("al-istihlal", "al-Istihlāl"), "isbahan": ("al-isbahan", "al-Iṣbahān"),
    "iraqajam": ("iraq-al-ajam", "ʿIrāq al-ʿAjam"), "iraqalajam": ("iraq-al-ajam", "ʿIrāq al-ʿAjam"),
    "ushshaq": ("al-ushshaq", "al-ʿUshshāq"), "oshaq": ("al-ushshaq", "al-ʿUshshāq"),
}  # fmt: skip


def find_nuba(title: str) -> str | None:
    """Find the nuba that a title names, or None."""
    letters = "".join(one for one in unicodedata.normalize("NFKD", title.lower()) if one.isascii() and one.isalpha())
    return next((name for key, (name, _) in NUBAS.items() if key in letters), None)


def read_al_ala(corpora: Path) -> list[Tune]:
    """Read the scores of 157 performances by nuba.

    The tonic of a nuba is the note on which most of its sections end.
    """
    titles = {
        row["RECORDING_MBID"]: row["RECORDING_TITLE_TRANSLITERATED"]
        for row in csv.DictReader(
            io.StringIO(read_file(corpora, "arab-andalusian", "metadata-all-nawbas.csv").decode("utf-8-sig"))
        )
    }
    scores: list[tuple[str | None, list[Section]]] = []
    archive = read_file(corpora, "arab-andalusian", "scores-musicxml.tar.xz")
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:xz") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            name = Path(member.name).stem
            data = file.read()
            title = titles.get(name, "") or _read_title(data)
            parts = read_parts(data, member.name)
            stretches = _read_sections(parts[0]) if parts else []
            if stretches:
                scores.append((find_nuba(title), stretches))
    finals = _find_finals(scores)
    return [
        _create_tune(stretch, _place_near(finals[nuba], stretches), nuba)
        for nuba, stretches in scores
        if nuba in finals
        for stretch in stretches
    ]


def _read_title(data: bytes) -> str:
    start = data.find(b"<movement-title>")
    return data[start + 16 : data.find(b"<", start + 16)].decode("utf-8", errors="replace") if start >= 0 else ""


def _find_finals(scores: list[tuple[str | None, list[Section]]]) -> dict[str | None, int]:
    """Find the pitch class on which most sections of each name end."""
    ends: dict[str | None, Counter[int]] = defaultdict(Counter)
    for name, stretches in scores:
        if name is not None:
            ends[name].update(int(stretch.pitches[-1]) % 12 for stretch in stretches)
    return {name: counts.most_common(1)[0][0] for name, counts in ends.items()}


def _decode_name(name: str) -> str:
    """Decode a file name of a zip archive.

    The standard library reads UTF-8 that the writer did not declare as CP437.
    """
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


_HWANGJONG = 3  # pitch class
_JO = {"계면": "gyemyeonjo", "우조": "ujo", "평조": "pyeongjo"}


def read_jeongak(corpora: Path) -> list[Tune]:
    """Read 91 scores: the piri's part, or the first.

    0 is hwangjong, written E flat (Garland Encyclopedia 7, "Korea"): wind parts end on other tones of the mode, so the
    last note cannot serve. A jeonggan is the beat.
    """
    archive = read_file(corpora, "korean-jeongganbo", "music_score/Jeongganbo_dataset.zip")
    tunes = []
    with zipfile.ZipFile(io.BytesIO(archive)) as book:
        for name in sorted(book.namelist()):
            if not name.endswith(".musicxml"):
                continue
            title, _, instruments = unicodedata.normalize("NFC", _decode_name(Path(name).stem)).partition("_")
            parts = read_parts(book.read(name), name)
            names = instruments.split("_")
            lead = names.index("piri") if "piri" in names and len(names) == len(parts) else 0
            stretches = _read_sections(parts[lead])
            mode = next((mode for word, mode in _JO.items() if word in title), None)
            tunes += [
                _create_tune(stretch, _place_near(_HWANGJONG, stretches), mode, beat=JEONGGAN) for stretch in stretches
            ]
    return tunes
