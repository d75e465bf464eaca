"""Diversity of a data set: its report, sampling weights, and recommendations for collecting more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from kelly_live.core.values import EMOTIONS
from kelly_live.lab.corpora.manifest import Clip, read_manifest

UNKNOWN = "unknown"
GENUINE_FACTOR = 2.0
GENUINE_GOAL = 0.30


@dataclass(frozen=True, slots=True)
class DiversityReport:
    """Diversity figures of a data set.

    Entropies are in nats, and normalised by their maximum (0-1; 0 where there is one kind). `…_balance` is the least
    over the most frequent; `genuine_ratio` covers the clips that state it; `duration_diversity` is deviation over mean.
    """

    clips: int
    hours: float
    num_cultures: int
    cultural_entropy: float
    cultural_entropy_normalised: float
    cultural_balance: float
    num_languages: int
    language_entropy: float
    language_entropy_normalised: float
    emotion_entropy: float
    emotion_entropy_normalised: float
    emotion_balance: float
    genuine_ratio: float
    duration_diversity: float
    clips_without_culture: int
    clips_without_language: int
    clips_without_emotions: int
    clips_without_genuine: int
    clips_without_duration: int

    def as_dict(self) -> dict[str, float]:
        """Convert to a dictionary for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Advice to collect `needed_samples` more clips of `target`; `priority` is high or medium."""

    type: str
    target: str
    needed_samples: int
    priority: str


def compute_entropy(masses: Iterable[float]) -> float:
    """Compute the Shannon entropy in nats of the distribution that `masses` are proportional to."""
    values = [m for m in masses if m > 0.0]
    total = sum(values)
    return -sum(m / total * math.log(m / total) for m in values) if values else 0.0


def _normalised(value: float, kinds: int) -> float:
    return value / math.log(kinds) if kinds > 1 else 0.0


class DatasetDiversityManager:
    """Diversity of the clips of a manifest (its path), or of clips already read.

    Raises:
        ConfigError: A line of the manifest is wrong; the message gives its number.
    """

    def __init__(self, source: Path | Sequence[Clip]) -> None:
        self.clips = read_manifest(source) if isinstance(source, Path) else list(source)
        self._cultures = Counter(clip.culture or UNKNOWN for clip in self.clips)
        self._emotions = np.sum([clip.emotions or (0.0,) * len(EMOTIONS) for clip in self.clips], axis=0)

    def analyze_diversity(self) -> DiversityReport:
        """Compute the diversity figures."""
        languages = Counter(clip.language for clip in self.clips if clip.language is not None)
        cultures = {name: n for name, n in self._cultures.items() if name != UNKNOWN}
        genuine = [clip.is_genuine for clip in self.clips if clip.is_genuine is not None]
        durations = np.array([clip.duration for clip in self.clips if clip.duration is not None])
        culture_entropy, language_entropy, emotion_entropy = (
            compute_entropy(x) for x in (cultures.values(), languages.values(), self._emotions)
        )
        return DiversityReport(
            clips=len(self.clips),
            hours=float(durations.sum()) / 3600.0,
            num_cultures=len(cultures),
            cultural_entropy=culture_entropy,
            cultural_entropy_normalised=_normalised(culture_entropy, len(cultures)),
            cultural_balance=min(cultures.values()) / max(cultures.values()) if cultures else 0.0,
            num_languages=len(languages),
            language_entropy=language_entropy,
            language_entropy_normalised=_normalised(language_entropy, len(languages)),
            emotion_entropy=emotion_entropy,
            emotion_entropy_normalised=_normalised(emotion_entropy, len(EMOTIONS)),
            emotion_balance=float(self._emotions.min() / self._emotions.max()) if self._emotions.any() else 0.0,
            genuine_ratio=sum(genuine) / len(genuine) if genuine else 0.0,
            duration_diversity=float(durations.std() / durations.mean())
            if len(durations) and durations.mean()
            else 0.0,
            clips_without_culture=self._cultures.get(UNKNOWN, 0),
            clips_without_language=sum(clip.language is None for clip in self.clips),
            clips_without_emotions=sum(clip.emotions is None for clip in self.clips),
            clips_without_genuine=sum(clip.is_genuine is None for clip in self.clips),
            clips_without_duration=sum(clip.duration is None for clip in self.clips),
        )

    def get_sampling_weights(self) -> np.ndarray:
        """Compute a weight for each clip `[N]`, with mean 1.

        It is the inverse frequency of the culture x the rarity of the emotions x GENUINE_FACTOR if genuine. Clips of no
        stated culture count as one culture; clips of no stated emotion get the mean rarity, 1.
        """
        if not self.clips:
            return np.zeros(0)
        mean_emotion = self._emotions[self._emotions > 0].mean() if self._emotions.any() else 1.0
        rarity = np.where(self._emotions > 0, mean_emotion / np.maximum(self._emotions, 1e-9), 0.0)
        mean_culture = len(self.clips) / len(self._cultures)
        weights = np.array(
            [
                mean_culture / self._cultures[clip.culture or UNKNOWN]
                * (float(np.dot(clip.emotions, rarity)) if clip.emotions is not None else 1.0)
                * (GENUINE_FACTOR if clip.is_genuine else 1.0)
                for clip in self.clips
            ]
        )  # fmt: skip
        mean_one: np.ndarray = weights / weights.mean()
        return mean_one

    def recommend_data_collection(self) -> list[Recommendation]:
        """Recommend what to collect, the most urgent first.

        Cultures under half the median, emotions under half the mean, and genuine clips where their share is under 30 %.
        """
        advice = []
        cultures = {name: n for name, n in self._cultures.items() if name != UNKNOWN}
        if cultures:
            middle = median(cultures.values())
            for name, n in cultures.items():
                if n < 0.5 * middle:
                    missing_clips = math.ceil(0.5 * middle - n)
                    advice.append(
                        Recommendation("culture", name, missing_clips, "high" if n < 0.25 * middle else "medium")
                    )
        mean = float(self._emotions.mean())
        for name, mass in zip(EMOTIONS, self._emotions, strict=True):
            if mass < 0.5 * mean:
                missing_clips = math.ceil(0.5 * mean - mass)
                advice.append(
                    Recommendation("emotion", name, missing_clips, "high" if mass < 0.25 * mean else "medium")
                )
        genuine = [clip.is_genuine for clip in self.clips if clip.is_genuine is not None]
        share = sum(genuine) / len(genuine) if genuine else 1.0
        if share < GENUINE_GOAL:
            # New genuine clips count in both halves of the ratio: (g + x) / (n + x) = goal.
            missing_clips = math.ceil((GENUINE_GOAL * len(genuine) - sum(genuine)) / (1.0 - GENUINE_GOAL) - 1e-9)
            advice.append(
                Recommendation("genuine", "genuine emotion", missing_clips, "high" if share < 0.15 else "medium")
            )
        return sorted(advice, key=lambda r: (r.priority != "high", -r.needed_samples))

    def format_report(self) -> list[str]:
        """Format the report and the recommendations as lines of text."""
        lines = [
            f"{name.replace('_', ' '):28} {value:.3f}"
            if isinstance(value, float)
            else f"{name.replace('_', ' '):28} {value}"
            for name, value in self.analyze_diversity().as_dict().items()
        ]
        lines += [
            f"collect next: {r.needed_samples} clips of {r.type} {r.target!r} ({r.priority})"
            for r in self.recommend_data_collection()
        ]
        return lines
