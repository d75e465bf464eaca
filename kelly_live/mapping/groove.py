"""Which groove a feeling asks for: how the whole rhythm section plays, beside how fast and how loud.

The cues are those that listeners name and players use (Juslin & Laukka 2003, tables 10 and 11; Gabrielsson & Lindström
2010; Eerola, Friberg & Bresin 2013); which pattern stands for them is ours:

happy      a light, even beat                                            pop
sad        legato, falling lines, hardly an accent                       lament
angry      hard accents, low and doubled, clashes left standing          rock
fearful    sudden silence, ostinato, dissonance that is held             suspense
surprised  stops, leaps, cadences that are not what was due              stop-time
disgusted  heavy and detached, accents that grind against each other     march
excited    driving, off the beat, every place filled                     dance
neutral    none of these                                                 the plain band; calm and pleasant: ballad
"""

from __future__ import annotations

from collections.abc import Mapping

from kelly_live.core.values import EMOTIONS, EmotionState

GROOVE_BY_EMOTION: Mapping[str, str] = {
    "happy": "pop",
    "sad": "lament",
    "angry": "rock",
    "fearful": "suspense",
    "surprised": "stop-time",
    "disgusted": "march",
    "excited": "dance",
    "neutral": "",
}
_CALM_AROUSAL = -0.15  # below it, what is not sad is calm
# Surprise is an event, and no place of valence and arousal: a stirred state that is nearest to it is played as joy or
# excitement where it is glad, and by the plain band where it is not, unless surprise has this share.
_SURPRISED_SHARE = 0.5
_GLAD_VALENCE = 0.2
_LEAST_SHARE = 0.3  # of the probabilities: an emotion below it does not choose how the band plays


def choose_groove(state: EmotionState) -> str:
    """Choose the groove for an emotion: the likeliest one's, or the ballad where it is calm and not unpleasant."""
    shares = dict(zip(EMOTIONS, state.probabilities, strict=True))
    emotion = max(shares, key=shares.__getitem__)
    if emotion == "surprised" and shares[emotion] < _SURPRISED_SHARE:
        emotion = max(("happy", "excited"), key=shares.__getitem__) if state.valence >= _GLAD_VALENCE else "neutral"
    elif shares[emotion] < _LEAST_SHARE:
        emotion = "neutral"
    if state.arousal < _CALM_AROUSAL and state.valence >= 0.0:
        return "ballad"
    return GROOVE_BY_EMOTION[emotion]
