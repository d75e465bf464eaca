"""Training targets from labels: one rule for each kind of label, and weight 0 where there is no label.

- Categories: cross-entropy, weight 1; their V, A, D after Russell & Mehrabian (1977), `EMOTION_VAD`, weight 0.3.
- Categories that listeners judged too (CREMA-D): half the actor's instruction, half the listeners' votes,
  divided by how often they chose each emotion at all.
- "calm" and "boredom" (no category of their own): neutral or none, and the signs of V and A of their quadrant in
  Russell's (1980) circumplex, weight 0.3.
- Ratings of valence, arousal, dominance in a manifest's columns: regression, weight 1.
- Ratings of bars (VGMIDI): the same, after they were put on the plane of the quadrants. Listeners' means lie close
  together (SD about .25, off centre) and quadrants far apart (centres at ±.5); mixed as they are, they would teach
  answers near 0. A rating r becomes tanh((r - centre) * gain), `RATING_PLANES`. Centre and gain give the argument an
  RMS of .5 over the clips to fit, as in `kelly_live/lab/training/mapper.py`. 0 is then VGMIDI's average.
- (V, A) of the cues' teacher (`open_music.py`): the same without a plane, for it is on the plane already; and the
  quadrants' categories, blended, weight 0.2.
- Quadrants (EMOPIA): the signs of V and A, weight 1; and the categories that EMOTION_VAD puts into that quadrant in
  equal shares, weight 0.2 (Q4 holds none of the eight: neutral, the nearest). "Excited" has no other source.
- GEMS fractions (Emotify): regression of the nine, weight 1; V and A as their mean position, weight 0.2. The
  positions' signs are the second-order factors of Zentner, Grandjean & Scherer (2008): vitality high arousal, unease
  low valence, sublimity calm and pleasant; the magnitudes are ours. Soft categories by GEMS_CATEGORIES, weight 0.2.
- Background sounds without emotion: neutral and V = A = D = 0, weight 0.5; presence 0.
- Whether it is music (quadrants, GEMS, bar ratings) or a voice (acted emotions); it chooses the calibration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kelly_live.core.values import EMOTION_VAD, EMOTIONS, GEMS
from kelly_live.emotion.nets.emotion import LABELS
from kelly_live.lab.corpora.manifest import QUADRANTS, Clip

TEACHER_LABELLED = ("openscore", "pop909")  # (V, A) from cues, in place of bar ratings (`open_music.py`)
# How often CREMA-D's listeners to the voice alone chose each emotion (6211 train clips; actors were asked for each of
# the six about as often). Votes are divided by it, or nearly every answer would be "neutral".
VOTE_SHARES = np.array([0.068, 0.100, 0.143, 0.123, 1.0, 0.128, 0.437, 1.0], np.float32)
QUADRANT_SLOPE = 6.0  # of the probability that V or A is over 0; ours
CIRCUMPLEX_SIGNS = {"calm": (1.0, -1.0), "boredom": (-1.0, -1.0)}
GEMS_AFFECT = {
    "amazement": (0.5, 0.3), "solemnity": (0.2, -0.3), "tenderness": (0.6, -0.4), "nostalgia": (0.1, -0.3),
    "calmness": (0.5, -0.7), "power": (0.3, 0.7), "joyful_activation": (0.8, 0.6), "tension": (-0.5, 0.6),
    "sadness": (-0.6, -0.4),
}  # fmt: skip
GEMS_CATEGORIES: dict[str, dict[str, float]] = {
    "amazement": {"surprised": 1.0}, "solemnity": {"neutral": 1.0}, "tenderness": {"happy": 0.5, "neutral": 0.5},
    "nostalgia": {"sad": 0.5, "neutral": 0.5}, "calmness": {"neutral": 1.0}, "power": {"excited": 1.0},
    "joyful_activation": {"happy": 0.5, "excited": 0.5}, "tension": {"fearful": 0.5, "angry": 0.5},
    "sadness": {"sad": 1.0},
}  # fmt: skip
_VAD = np.array([EMOTION_VAD[name] for name in EMOTIONS], np.float32)
_LABEL_ALIASES = {"calm": "calm", "boredom": "boredom", "bored": "boredom"}


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets as rows `[N, …]`, each with a weight, 0 where there is no label.

    `signs` are ±1 or 0; `label` is an index of LABELS or -1.
    """

    emotions: np.ndarray
    emotions_weight: np.ndarray
    label: np.ndarray
    affect: np.ndarray
    affect_weight: np.ndarray
    signs: np.ndarray
    signs_weight: np.ndarray
    gems: np.ndarray
    gems_weight: np.ndarray
    presence: np.ndarray
    music: np.ndarray
    music_weight: np.ndarray


@dataclass(frozen=True, slots=True)
class RatingPlane:
    """A mapping from a bar's rated (V, A) to the plane on which quadrant centres lie at ±.5."""

    centre: tuple[float, float]
    gain: tuple[float, float]

    def project(self, rating: np.ndarray) -> np.ndarray:
        """Map ratings `[…, 2]` to the plane."""
        on_plane: np.ndarray = np.tanh((rating - np.array(self.centre)) * np.array(self.gain))
        return on_plane


# Measured on the 6199 rated bars of VGMIDI's pieces to fit (not the fold, not `val`).
RATING_PLANES = {"vgmidi": RatingPlane((0.180, 0.084), (2.04, 1.84))}


def is_music(clip: Clip) -> bool | None:
    """Return whether a clip is music (True) or a voice (False), or None where the manifest does not say."""
    if clip.kind == "music" or clip.quadrant is not None or clip.gems is not None or clip.bar_ratings is not None:
        return True
    return False if clip.emotions is not None or find_label(clip) >= 0 else None


def compute_quadrant_categories(quadrant: str) -> np.ndarray:
    """Compute equal shares `[8]` of the categories whose V and A lie inside `quadrant`.

    Neutral has all of it if there is none.
    """
    inside = np.all(np.sign(_VAD[:, :2]) == np.array(QUADRANTS[quadrant]), axis=1).astype(np.float32)
    if not inside.any():
        inside[EMOTIONS.index("neutral")] = 1.0
    share: np.ndarray = inside / inside.sum()
    return share


def blend_quadrant_categories(affect: np.ndarray) -> np.ndarray:
    """Blend the quadrants' categories for one (V, A), so that near an axis both sides count alike."""
    high = 1.0 / (1.0 + np.exp(-QUADRANT_SLOPE * affect))  # the probability of V > 0 and of A > 0
    share = np.zeros(len(EMOTIONS), np.float32)
    for name, signs in QUADRANTS.items():
        weight = np.prod([h if sign > 0 else 1.0 - h for h, sign in zip(high, signs, strict=True)])
        share += np.float32(weight) * compute_quadrant_categories(name)
    return share


def find_label(clip: Clip) -> int:
    """Find the index in LABELS of the emotion that the actor was asked to play, or -1."""
    original = _LABEL_ALIASES.get(clip.emotion_original or "")
    if original is not None:
        return LABELS.index(original)
    if clip.emotions is None or clip.gems is not None:
        return -1
    return int(np.argmax(clip.emotions))


def average_bar_ratings(clip: Clip, end_seconds: float, span_seconds: float = 3.0) -> np.ndarray:
    """Average the (V, A) ratings of the bars that sound in the window that ends at `end_seconds`."""
    assert clip.bar_ratings is not None
    values = np.array(clip.bar_ratings, np.float32)
    per_second = len(values) / (clip.duration or float(len(values)))
    first = int(np.clip((end_seconds - span_seconds) * per_second, 0, len(values) - 1))
    last = int(np.clip(end_seconds * per_second, first, len(values) - 1))
    mean: np.ndarray = values[first : last + 1].mean(axis=0)
    return mean


def create_empty_targets(rows: int) -> Targets:
    """Create targets of weight 0 for `rows` windows."""

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros((rows, *shape), np.float32)

    eight = len(EMOTIONS)
    return Targets(
        zeros(eight), zeros(), np.full(rows, -1, np.int64), zeros(3), zeros(3), zeros(2), zeros(), zeros(len(GEMS)),
        zeros(), np.ones(rows, np.float32), zeros(), zeros(),
    )  # fmt: skip


def create_neutral_targets(rows: int) -> Targets:
    """Create the targets of windows of background sounds, which carry no emotion."""
    t = create_empty_targets(rows)
    t.emotions[:, EMOTIONS.index("neutral")] = 1.0
    t.emotions_weight[:] = 0.5
    t.affect_weight[:] = 0.5
    t.presence[:] = 0.0
    return t


def create_clip_targets(clips: list[Clip], clip: np.ndarray, end_seconds: np.ndarray) -> Targets:
    """Create a row for each window: `clip` is its clip's index, `end_seconds` where in the clip it ends."""
    t = create_empty_targets(len(clip))
    for row, (index, end) in enumerate(zip(clip, end_seconds, strict=True)):
        _fill(t, row, clips[index], float(end))
    return t


def _fill(t: Targets, row: int, clip: Clip, end: float) -> None:
    label, music = find_label(clip), is_music(clip)
    if music is not None:
        t.music[row], t.music_weight[row] = float(music), 1.0
    t.label[row] = label
    if clip.emotions is not None:
        t.emotions[row] = clip.emotions
        if clip.votes is not None:
            votes = np.array(clip.votes, np.float32) / VOTE_SHARES
            t.emotions[row] = (t.emotions[row] + votes / votes.sum()) / 2.0
        t.emotions_weight[row] = 1.0
        t.affect[row] = t.emotions[row] @ _VAD
        t.affect_weight[row] = 0.3
    if label >= 0 and LABELS[label] in CIRCUMPLEX_SIGNS:
        t.affect_weight[row] = 0.0
        t.signs[row] = CIRCUMPLEX_SIGNS[LABELS[label]]
        t.signs_weight[row] = 0.3
    if clip.quadrant is not None:
        t.signs[row] = QUADRANTS[clip.quadrant]
        t.signs_weight[row] = 1.0
        t.emotions[row] = compute_quadrant_categories(clip.quadrant)
        t.emotions_weight[row] = 0.2
    if clip.gems is not None:
        gems = np.array(clip.gems, np.float32)
        share = gems / gems.sum()
        t.gems[row] = gems
        t.gems_weight[row] = 1.0
        t.affect[row, :2] = share @ np.array([GEMS_AFFECT[name] for name in GEMS], np.float32)
        t.affect_weight[row, :2] = 0.2
        for name, part in zip(GEMS, share, strict=True):
            for category, fraction in GEMS_CATEGORIES[name].items():
                t.emotions[row, EMOTIONS.index(category)] += part * fraction
        t.emotions_weight[row] = 0.2
    if clip.bar_ratings is not None:
        rating, plane = average_bar_ratings(clip, end), RATING_PLANES.get(clip.dataset)
        t.affect[row, :2] = rating if plane is None else plane.project(rating)
        t.affect_weight[row, :2] = 1.0
        if clip.dataset in TEACHER_LABELLED:
            t.emotions[row] = blend_quadrant_categories(t.affect[row, :2])
            t.emotions_weight[row] = 0.2
    for axis, value in enumerate((clip.valence, clip.arousal, clip.dominance)):
        if value is not None:
            t.affect[row, axis] = value
            t.affect_weight[row, axis] = 1.0
