"""Judges of emotion in music, fitted on EMOPIA's labels and independent of our music.

Only EMOPIA's `train` part is used. There are several judges, as music that convinces only one is not convincing. The
audio judges use the frozen musicnn's penultimate layer and the fixed statistics of `emotion/nets/tonality.py`; the
notes judge uses the features of `corpora/symbolic_features.py` and a few plain ones. Each is a linear model: L2
logistic regression over the four quadrants, and a ridge for valence and one for arousal. Their strengths are chosen by
cross-validation that keeps songs whole. No fitted weight is shared with the emotion net, the temporal model or the
mapper. Published figures for such a head on frozen features, on EMOPIA's test part: 4 quadrants .616, arousal .884,
valence .686.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError
from kelly_live.emotion.features import log_mels
from kelly_live.emotion.nets.musicnn import PENULTIMATE, MusicnnTrunk
from kelly_live.emotion.nets.scales import TONAL_FRAMES, TRUNK_FRAMES, TRUNK_PAST
from kelly_live.emotion.nets.tonality import Tonality, compute_tonal_frames
from kelly_live.lab.corpora.manifest import QUADRANTS
from kelly_live.lab.corpora.symbolic_features import CHORD_SECONDS, Score, extract_features, read_score

VERSION = 1  # of the features: part of the name under which they are cached
JUDGED_SECONDS = 30.0  # about the length of EMOPIA's clips
FOLDS = 5
LOGISTIC_STRENGTHS = tuple(10.0 ** (-k / 2.0) for k in range(2, 9))  # scikit-learn's C: 0.1 ... 0.0001
RIDGE_STRENGTHS = tuple(10.0 ** (k / 2.0) for k in range(2, 10))  # its alpha: 10 ... 30 000
HARMONY = slice(2 * PENULTIMATE, None)  # of the audio features: key, chords, register, rhythm, force; no timbre
_TRUNK_HOP, _TONAL_HOP = TRUNK_FRAMES // 2, TONAL_FRAMES // 2

NOTE_FEATURES = (
    "log2 tempo", "ionian", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian", "melody 10 %",
    "melody 50 %", "melody 90 %", "velocity 10 %", "velocity 50 %", "velocity 90 %", "velocity stray",
    "log2 melody onsets a second", "straight", "dotted", "syncopated", "triplet", "sustained", "log2 onsets a second",
    "notes an onset", "log2 note seconds", "notes sounding", "pitch 10 %", "pitch 50 %", "pitch 90 %",
)  # fmt: skip


# ---------------------------------------------------------------- features


class AudioFeatureExtractor:
    """Frozen audio features: the musicnn trunk and the tonal statistics, one row for each clip."""

    def __init__(self, trunk: MusicnnTrunk) -> None:
        self._trunk = trunk.eval()
        self._tonality = Tonality()
        weights = b"".join(p.detach().cpu().numpy().tobytes() for p in trunk.state_dict().values())
        self.name = hashlib.sha256(weights + bytes([VERSION])).hexdigest()[:8]

    @torch.inference_mode()
    def extract(self, samples: np.ndarray) -> Floats:
        """Extract the features of mono 16 kHz samples.

        The mean and deviation over 3 s windows of the penultimate layer, then the mean of the tonal statistics over 12
        s windows.

        Raises:
            ConfigError: There are no samples.
        """
        if len(samples) == 0:
            raise ConfigError("there is no sound to judge; a clip must have at least one sample")
        mels = log_mels(samples)
        mel = mels["mel_512"]
        missing = max(0, TRUNK_FRAMES - mel.shape[1])
        frames = self._trunk(functional.pad(mel, (TRUNK_PAST + missing, 3)).unsqueeze(0))
        features = self._trunk.embed(frames.unfold(2, TRUNK_FRAMES, _TRUNK_HOP)[0].transpose(0, 1))
        tonal = mels["mel_4096"]
        missing = max(0, TONAL_FRAMES - tonal.shape[1])
        rows = compute_tonal_frames(functional.pad(tonal, (1 + missing, 0)).unsqueeze(0))
        statistics = self._tonality(rows.unfold(2, TONAL_FRAMES, _TONAL_HOP)[0].transpose(0, 1))
        row: Floats = torch.cat((features.mean(0), features.std(0, correction=0), statistics.mean(0))).double().numpy()
        return row


def _select_first(score: Score, seconds: float) -> Score:
    """Select the notes that begin in the first seconds."""
    keep = score.onsets < seconds
    return Score(
        score.onsets[keep],
        score.offsets[keep],
        score.beats[keep],
        score.pitches[keep],
        score.velocities[keep],
        score.end_beat,
    )


def extract_note_features(path: Path) -> Floats:
    """Extract NOTE_FEATURES of a MIDI file's first JUDGED_SECONDS, without percussion; NaN where unknown.

    The tempo is always tracked from the notes; the file's own is ignored.

    Raises:
        ConfigError: The file cannot be read or has too few notes.
    """
    return compute_note_features(_select_first(read_score(path), JUDGED_SECONDS))


def compute_note_features(score: Score) -> Floats:
    """Compute NOTE_FEATURES of notes. Raises ConfigError where they are too few."""
    features = extract_features(score, is_notated=False)
    groups = 1 + np.count_nonzero(np.diff(score.onsets) > CHORD_SECONDS)
    seconds = float(np.ptp(score.onsets))
    lengths = np.clip(score.offsets - score.onsets, 0.03, 10.0)
    dynamics = (features.floor, features.level, features.ceiling, features.variation)
    return np.array(
        [
            np.log2(features.tempo),
            *features.modes,
            features.low,
            features.centre,
            features.high,
            *(np.nan if value is None else value for value in dynamics),
            np.log2(features.onsets_per_beat * features.tempo / 60.0),
            *features.rhythms,
            np.log2(groups / seconds),
            len(score) / groups,
            float(np.mean(np.log2(lengths))),
            float(lengths.sum() / seconds),
            *np.percentile(score.pitches, [10, 50, 90]),
        ]
    )


# ---------------------------------------------------------------- judgements


@dataclass(frozen=True, slots=True)
class Judgements:
    """Judgements of n clips: `quadrant` 0-3 for Q1-Q4, `valence` and `arousal` about -1 to 1, each `[n]`."""

    quadrant: npt.NDArray[np.int64]
    valence: Floats
    arousal: Floats


@dataclass(frozen=True, slots=True)
class Judge:
    """A fitted judge.

    `validated_accuracy` is its share of right quadrants on held-out songs of the cross-validation, `strengths` the
    chosen ones of quadrants, valence and arousal.
    """

    centre: Floats
    deviation: Floats
    quadrants: Any
    axes: tuple[Any, Any]
    strengths: tuple[float, float, float]
    validated_accuracy: float

    def predict(self, rows: Floats) -> Judgements:
        """Judge rows `[n, width]`."""
        x = _standardise(rows, self.centre, self.deviation)
        valence, arousal = (axis.predict(x) for axis in self.axes)
        return Judgements(np.asarray(self.quadrants.predict(x), np.int64), valence, arousal)


def _standardise(rows: Floats, centre: Floats, deviation: Floats) -> Floats:
    """Standardise within ±5 deviations; what was not measured is average."""
    return np.clip(np.nan_to_num((rows - centre) / deviation), -5.0, 5.0)


def fit_judge(rows: Floats, quadrants: Sequence[str], songs: Sequence[str]) -> Judge:
    """Fit a judge to rows `[n, width]` with their quadrants ("Q1" to "Q4"); folds keep songs whole.

    Raises:
        ConfigError: There are fewer songs than FOLDS.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import GroupKFold

    if len(set(songs)) < FOLDS:
        raise ConfigError(f"{len(set(songs))} songs to learn judging from; {FOLDS} or more are needed")
    names = list(QUADRANTS)
    kind = np.array([names.index(name) for name in quadrants])
    signs = np.array([QUADRANTS[name] for name in quadrants])
    centre, deviation = np.nanmean(rows, axis=0), np.maximum(np.nanstd(rows, axis=0), 1e-6)
    x = _standardise(rows, centre, deviation)
    folds = list(GroupKFold(FOLDS).split(x, kind, songs))

    def logistic(strength: float) -> Any:
        return LogisticRegression(C=strength, max_iter=2000, class_weight="balanced")

    def choose(make: Any, strengths: Sequence[float], target: np.ndarray, right: Any) -> tuple[float, float]:
        """Choose the best strength; return it with its score on held-out songs."""
        scores = []
        for strength in strengths:
            guess = np.empty(len(target))
            for learn, held_out in folds:
                guess[held_out] = make(strength).fit(x[learn], target[learn]).predict(x[held_out])
            scores.append(float(right(target, guess)))
        best = int(np.argmax(scores))
        return strengths[best], scores[best]

    c, validated_accuracy = choose(logistic, LOGISTIC_STRENGTHS, kind, lambda y, guess: np.mean(y == guess))
    alphas = [
        choose(Ridge, RIDGE_STRENGTHS, signs[:, axis], lambda y, guess: np.corrcoef(y, guess)[0, 1])[0]
        for axis in range(2)
    ]
    axes = tuple(Ridge(alpha).fit(x, signs[:, axis]) for axis, alpha in enumerate(alphas))
    return Judge(
        centre, deviation, logistic(c).fit(x, kind), (axes[0], axes[1]), (c, alphas[0], alphas[1]), validated_accuracy
    )
