"""Analyze a recording: its emotion over time, and over the whole file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kelly_live.core.emotion_words import EmotionWords, WordHold
from kelly_live.core.protocols import EmotionReader
from kelly_live.core.values import EMOTIONS, NEUTRAL_PROBABILITIES, EmotionState
from kelly_live.engine.accompaniment import ProgressView, hide_progress
from kelly_live.engine.options.audio import SoundFileOptions


@dataclass(frozen=True, slots=True)
class RecordingAnalysis:
    """The emotion in a recording.

    `states`: one a hop; `time` is the end of its window, seconds from the start. `seconds`: the recording's length.
    `damage`: what could not be read, or None. The means are weighted by confidence, so that silence and noise count
    little (plain means where all confidence is 0). `words`: the language that names the feeling, if one was asked for.
    """

    states: tuple[EmotionState, ...]
    seconds: float
    damage: str | None = None
    words: EmotionWords | None = None

    @property
    def probabilities(self) -> dict[str, float]:
        """The mean probability of each emotion, by name."""
        return {name: self._mean([state.probabilities[i] for state in self.states]) for i, name in enumerate(EMOTIONS)}

    @property
    def valence(self) -> float:
        """The mean valence, -1 to 1."""
        return self._mean([state.valence for state in self.states])

    @property
    def arousal(self) -> float:
        """The mean arousal, -1 to 1."""
        return self._mean([state.arousal for state in self.states])

    @property
    def dominance(self) -> float:
        """The mean dominance, -1 to 1."""
        return self._mean([state.dominance for state in self.states])

    @property
    def confidence(self) -> float:
        """The confidence in these means, 0 to 1."""
        return self._mean([state.confidence for state in self.states])

    @property
    def gems(self) -> dict[str, float]:
        """What the music induces: scales of GEMS with a share each; {} if they are not read.

        A share is that of the listeners who would choose the scale. The mean over the windows in which they are read.
        """
        read = [dict(state.gems) for state in self.states if state.gems]
        return {name: round(sum(one[name] for one in read) / len(read), 6) for name in read[0]} if read else {}

    @property
    def word(self) -> str | None:
        """The emotion word of the means, "" near the middle; None without words."""
        if self.words is None:
            return None
        place = (self.valence, self.arousal, self.dominance)
        return self.words.find_nearest(EmotionState(NEUTRAL_PROBABILITIES, *place, self.confidence, 0.0))

    @property
    def window_words(self) -> tuple[str, ...]:
        """The emotion word of each state, held as a live session holds it; () without words."""
        if self.words is None:
            return ()
        hold = WordHold(self.words)
        return tuple(hold.update(state, state.time) for state in self.states)

    def as_dict(self, path: str) -> dict[str, Any]:
        """Return all of it as JSON values, rounded to six digits."""
        word, words = self.word, self.window_words
        return {
            "path": path,
            "duration": round(self.seconds, 6),
            "emotions": self.probabilities,
            "valence": self.valence,
            "arousal": self.arousal,
            "dominance": self.dominance,
            "confidence": self.confidence,
            **({} if word is None else {"word": word}),
            **_name_columns(self.gems),
            "windows": [
                {
                    "time": round(state.time, 6),
                    "emotions": {name: round(p, 6) for name, p in zip(EMOTIONS, state.probabilities, strict=True)},
                    "valence": round(state.valence, 6),
                    "arousal": round(state.arousal, 6),
                    "dominance": round(state.dominance, 6),
                    "confidence": round(state.confidence, 6),
                    **({"word": words[i]} if words else {}),
                    **_name_columns(dict(state.gems)),
                }
                for i, state in enumerate(self.states)
            ],
        }

    def _mean(self, values: list[float]) -> float:
        weights = [state.confidence for state in self.states]
        if sum(weights) <= 0.0:
            weights = [1.0] * len(self.states)
        return round(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights), 6)


def _name_columns(gems: Mapping[str, float]) -> dict[str, float]:
    return {f"gems_{name}": round(share, 6) for name, share in gems.items()}


def analyze_recording(
    path: Path,
    reader: EmotionReader,
    progress: Callable[[float], AbstractContextManager[ProgressView]] = hide_progress,
    sound: SoundFileOptions | None = None,
    words: EmotionWords | None = None,
) -> RecordingAnalysis:
    """Read the emotion in a file (WAV, FLAC, OGG/Opus, MP3), one state a hop. Raises AudioError.

    `progress` is given the duration in seconds and returns a context manager. `sound`: what is heard of the file.
    `words` name the feeling.
    """
    import numpy as np

    from kelly_live.audio.sources import FileSource
    from kelly_live.core.timebase import ManualClock
    from kelly_live.core.values import AudioWindow

    sound = sound or SoundFileOptions()
    source = FileSource(
        path,
        ManualClock(),
        realtime=False,
        sample_rate=reader.sample_rate,
        mix=sound.audio.build_mix(),
        max_minutes=sound.max_minutes,
    )
    reader.reset()
    states: list[EmotionState] = []
    position = 0.0
    try:
        source.start()
        with progress(source.duration_seconds or 0.0) as bar:
            while (block := source.read(timeout=0.0)) is not None:
                position = block.end_time
                states.extend(reader.push(block))
                bar.update(position)
    finally:
        source.close()
    # The last hop is read in full: silence fills the part that the file lacks (all of it, if the file is that short).
    missing = (len(states) + 1) * reader.hop_seconds - position
    if not states or missing < reader.hop_seconds:
        silence = np.zeros(round(missing * reader.sample_rate), dtype=np.float32)
        states.extend(reader.push(AudioWindow(silence, reader.sample_rate, position + missing)))
    return RecordingAnalysis(tuple(states), position, source.damage, words)
