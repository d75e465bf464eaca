"""Manifests: the clips of a data set, their labels and their splits."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTIONS, GEMS

QUADRANTS = {"Q1": (1.0, 1.0), "Q2": (-1.0, 1.0), "Q3": (-1.0, -1.0), "Q4": (1.0, -1.0)}  # signs of (V, A)
VOTES = {
    "A": "angry",
    "D": "disgusted",
    "F": "fearful",
    "H": "happy",
    "N": "neutral",
    "S": "sad",
}  # the letters of CREMA-D's listeners


@dataclass(frozen=True, slots=True)
class Clip:
    """One line of a manifest.

    A label that the manifest lacks is None. `valence`, `arousal` and `dominance` lie in [-1, 1]. `bar_ratings` are
    (valence, arousal) for each bar, spread evenly over `duration` seconds. `gems` is the fraction of listeners that
    chose each of GEMS. `kind` is speech, vocalisation, … as the manifest says. `votes` is the share of listeners to the
    voice alone that chose each of the eight emotions.
    """

    audio_path: Path
    dataset: str = "unknown"
    split: str = "train"
    emotions: tuple[float, ...] | None = None
    emotion_original: str | None = None
    valence: float | None = None
    arousal: float | None = None
    dominance: float | None = None
    quadrant: str | None = None
    bar_ratings: tuple[tuple[float, float], ...] | None = None
    gems: tuple[float, ...] | None = None
    culture: str | None = None
    region: str | None = None
    language: str | None = None
    is_genuine: bool | None = None
    duration: float | None = None
    speaker: str | None = None
    licence: str | None = None
    kind: str | None = None
    votes: tuple[float, ...] | None = None

    @property
    def group(self) -> str:
        """The unit that a split keeps whole: the speaker, else the song or the file itself."""
        return self.speaker or f"{self.dataset}:{self.audio_path.stem}"

    @property
    def key(self) -> str:
        """A unique name of the clip."""
        return f"{self.dataset}/{self.audio_path.name}"


def _read_lines(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the manifest {path} ({error}); it must be a JSON Lines file") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, deep nesting
            reason = getattr(error, "msg", error)
            raise ConfigError(f"{path} line {number} is not JSON ({reason}); every line is one JSON object") from error
        if not isinstance(row, dict):
            raise ConfigError(f"{path} line {number} is not a JSON object; every line is one clip")
        yield number, row


def _number(row: Mapping[str, Any], name: str, low: float, high: float, where: str) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= float(value) <= high:
        raise ConfigError(f"{where}: {name} is {value!r}; it must be a number from {low:g} to {high:g}, or null")
    return float(value)


def _text(row: Mapping[str, Any], name: str, where: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{where}: {name} is {value!r}; it must be a text or null")
    return value


def _fractions(row: Mapping[str, Any], name: str, names: tuple[str, ...], where: str) -> tuple[float, ...] | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, dict):
        value = [value.get(key, 0.0) for key in names]
    rule = f"it must be {len(names)} numbers from 0 to 1, not all 0, or null"
    if not isinstance(value, list) or len(value) != len(names):
        raise ConfigError(f"{where}: {name} is {value!r}; {rule}")
    if not all(isinstance(x, (int, float)) and 0.0 <= x <= 1.0 for x in value) or not sum(value) > 0.0:
        raise ConfigError(f"{where}: {name} is {value!r}; {rule}")
    return tuple(float(x) for x in value)


def _votes(row: Mapping[str, Any], where: str) -> tuple[float, ...] | None:
    value = row.get("voice_votes")
    if value is None:
        return None
    if not isinstance(value, dict) or not set(value) <= set(VOTES):
        raise ConfigError(f"{where}: voice_votes is {value!r}; it must be counts by {', '.join(VOTES)}, or null")
    counts = {VOTES[letter]: count for letter, count in value.items()}
    total = sum(counts.values())
    return tuple(counts.get(name, 0) / total for name in EMOTIONS) if total else None


def read_manifest(path: Path, datasets: Collection[str] | None = None) -> list[Clip]:
    """Read all clips of an audio manifest, or those of some data sets; paths are relative to its folder.

    Raises:
        ConfigError: A line is wrong; the message gives its number.
    """
    clips = []
    for number, row in _read_lines(path):
        where = f"{path} line {number}"
        if datasets is not None and row.get("dataset") not in datasets:
            continue
        audio = _text(row, "audio_path", where)
        if not audio:
            raise ConfigError(f"{where} has no audio_path; every clip needs one")
        genuine = row.get("is_genuine")
        if genuine is not None and not isinstance(genuine, bool):
            raise ConfigError(f"{where}: is_genuine is {genuine!r}; it must be true, false or null")
        emotions = _fractions(row, "emotions", EMOTIONS, where)
        clips.append(
            Clip(
                audio_path=path.parent / audio,
                dataset=_text(row, "dataset", where) or "unknown",
                split=_text(row, "split", where) or "train",
                emotions=None if emotions is None else tuple(x / sum(emotions) for x in emotions),
                emotion_original=_text(row, "emotion_original", where),
                valence=_number(row, "valence", -1.0, 1.0, where),
                arousal=_number(row, "arousal", -1.0, 1.0, where),
                dominance=_number(row, "dominance", -1.0, 1.0, where),
                gems=_fractions(row, "gems", GEMS, where),
                culture=_text(row, "culture", where),
                region=_text(row, "region", where),
                language=_text(row, "language", where),
                is_genuine=genuine,
                duration=_number(row, "duration", 0.0, math.inf, where),
                speaker=_text(row, "speaker", where),
                licence=_text(row, "licence", where),
                kind=_text(row, "kind", where),
                votes=_votes(row, where),
            )
        )
    if not clips:
        raise ConfigError(f"the manifest {path} has no clips; it must have at least one line")
    return clips


def read_scores(path: Path) -> list[Clip]:
    """Read the MIDI files of a symbolic manifest, as clips whose `audio_path` is still the MIDI file.

    Splits other than `train` and `val` are left out, as the authors of the data sets intend.

    Raises:
        ConfigError: A line is wrong; the message gives its number.
    """
    clips = []
    for number, row in _read_lines(path):
        where = f"{path} line {number}"
        midi, split = _text(row, "midi_path", where), _text(row, "split", where)
        if not midi:
            raise ConfigError(f"{where} has no midi_path; every score needs one")
        if split not in ("train", "val"):
            continue
        quadrant = _text(row, "quadrant", where)
        if quadrant is not None and quadrant not in QUADRANTS:
            raise ConfigError(f"{where}: quadrant is {quadrant!r}; it must be one of {', '.join(QUADRANTS)}")
        bar_ratings = None
        if isinstance(row.get("valence"), list) and isinstance(row.get("arousal"), list):
            bar_ratings = tuple((float(v), float(a)) for v, a in zip(row["valence"], row["arousal"], strict=True))
        dataset = _text(row, "dataset", where) or "unknown"
        clips.append(
            Clip(
                audio_path=path.parent / midi,
                dataset=dataset,
                split=split,
                quadrant=quadrant,
                bar_ratings=bar_ratings,
                duration=_number(row, "duration", 0.0, math.inf, where),
                speaker=f"{dataset}:{row['song']}" if "song" in row else None,
                is_genuine=True,
                licence="CC BY-NC-SA 4.0" if dataset == "emopia" else "none stated; research use",
            )
        )
    return clips
