"""What a profile brings to a live session: who is played for, what they say, their keys, their input at rest.

Reactions come as actions, by key, MIDI control or OSC; a page would send the same. Thread: one for all
calls, not the analyzer's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kelly_live.core.actions import Action
    from kelly_live.core.protocols import EmotionOverride
    from kelly_live.core.timebase import Clock
    from kelly_live.emotion.analyzer import LiveAnalyzer
    from kelly_live.engine.options.culture import CultureOptions
    from kelly_live.engine.session import Snapshot
    from kelly_live.mapping.culture import CultureStage
    from kelly_live.profiles.profile import Profile

# What is asked of the tempo while somebody else leads in it says nothing of the mapping.
_ABOUT_TEMPO = ("too-fast", "too-slow")


class Personal:
    """For `profile`, or nobody until one is turned to; a `culture` that was asked for outlasts every profile's own."""

    def __init__(
        self, profile: Profile | None, analyzer: LiveAnalyzer, culture: CultureOptions | None, clock: Clock
    ) -> None:
        from kelly_live.mapping.learner import Learner
        from kelly_live.mapping.mapper import LearnedMapper
        from kelly_live.profiles.calibration import Nudges
        from kelly_live.profiles.store import Store

        assert isinstance(analyzer.mapper, LearnedMapper)
        self._analyzer, self._clock = analyzer, clock
        self._nudges = Nudges()
        self.learner = Learner(
            Store(), analyzer.mapper, profile, culture_of=own_culture if culture is None else None, taken=self._taken
        )

    def _taken(self, profile: Profile) -> None:
        self._analyzer.calibrate(profile.offset)

    @property
    def keys(self) -> Mapping[str, Action | None]:
        """What keys do for whom is played for, instead of what they do for everybody."""
        profile = self.learner.profile
        return {} if profile is None else dict(profile.keys)

    @property
    def remarks(self) -> list[str]:
        remark = self.learner.remark
        return [] if remark is None else [remark]

    def react(self, word: str, snapshot: Snapshot) -> str:
        """They say a word of what is played; what to tell them."""
        if word in _ABOUT_TEMPO and "tempo" in snapshot.conductor.synchronized:
            return f"{word}: the tempo is not ours now, so nothing is learned of it"
        return self.learner.say(word, snapshot.reading.state)

    def acted(self, action: Action) -> None:
        """The performer did something."""
        self._nudges.acted(action.name, self._clock.now())

    def watch(self, steering: EmotionOverride) -> list[str]:
        """A look at the hand, every status step; what is to be told of what was learned meanwhile."""
        from kelly_live.core.emotion_space import TRUSTED_CONFIDENCE

        read = self._analyzer.heard
        if read is not None and steering.morph is None and steering.emotion is None:
            held = (steering.valence, steering.arousal, steering.dominance)
            places = (read.valence, read.arousal, read.dominance)
            for axis, difference in self._nudges.watch(
                self._clock.now(), held, places, read.confidence >= TRUSTED_CONFIDENCE
            ):
                self.learner.hint(axis, difference)
        return self.learner.told()

    def close(self) -> None:
        """Learn what still waits. Safe to call twice."""
        self.learner.close()


def own_culture(profile: Profile) -> CultureStage | None:
    """The culture that a profile is played in unless another is asked for. Raises ConfigError."""
    from kelly_live.engine.build import create_culture_stage
    from kelly_live.engine.options.culture import CultureOptions

    return (
        None
        if profile.culture is None
        else create_culture_stage(CultureOptions(profile.culture, profile.culture_strength))
    )
