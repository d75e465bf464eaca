"""The person who is played for: their profile, reactions, keys, and what their input reads like at rest.

Reactions come as actions, by key, MIDI control or OSC. No call waits: what is learned, the learner's own thread learns.
Thread: one for all calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kelly_live.core.emotion_space import TRUSTED_CONFIDENCE
from kelly_live.mapping.learner import Learner
from kelly_live.mapping.mapper import LearnedMapper
from kelly_live.profiles.calibration import Nudges
from kelly_live.profiles.store import ProfileStore

if TYPE_CHECKING:
    from kelly_live.core.actions import Action
    from kelly_live.core.protocols import EmotionOverride
    from kelly_live.core.timebase import Clock
    from kelly_live.core.values import EmotionState
    from kelly_live.engine.options.culture import CultureOptions
    from kelly_live.engine.override import OverrideStage
    from kelly_live.engine.session import Snapshot
    from kelly_live.mapping.culture import CultureStage
    from kelly_live.profiles.profile import Profile

# While the band is synchronised to another's tempo, these say nothing of the mapping.
_TEMPO_REACTIONS = ("too-fast", "too-slow")


class Person:
    """Whom a session plays for, which may change while it plays.

    Args:
        profile: Whom to begin with; None plays for nobody until `turn`.
        stage: Its mapper, a LearnedMapper, plays for them; it subtracts what their input reads like at rest.
        culture: A culture that was asked for; it outlasts every profile's own.
        clock: Times nudges.
    """

    def __init__(
        self,
        profile: Profile | None,
        stage: OverrideStage,
        culture: CultureOptions | None,
        clock: Clock,
    ) -> None:
        assert isinstance(stage.mapper, LearnedMapper)
        self._stage, self._clock = stage, clock
        self._nudges = Nudges()
        if profile is not None:
            stage.set_offset(profile.offset)
        self.learner = Learner(
            ProfileStore(),
            stage.mapper,
            profile,
            culture_of=create_own_culture if culture is None else None,
            on_profile=self._take,
        )

    def _take(self, profile: Profile) -> None:
        self._stage.set_offset(profile.offset)

    @property
    def keys(self) -> Mapping[str, Action | None]:
        """What keys do for this person instead of what they do for everybody."""
        profile = self.learner.profile
        return {} if profile is None else dict(profile.keys)

    @property
    def remarks(self) -> list[str]:
        """What the status line should say of them."""
        remark = self.learner.remark
        return [] if remark is None else [remark]

    def react(self, word: str, snapshot: Snapshot) -> str:
        """Take a word of reaction to what is played; return what to print."""
        if word in _TEMPO_REACTIONS and "tempo" in snapshot.conductor.synchronized:
            return f"{word}: the tempo is not ours now, so nothing is learned of it"
        return self.learner.react(word, snapshot.reading.state)

    def turn(self, step: int) -> str:
        """Go on to the next profile (-1: the one before); return what to print."""
        return self.learner.turn(step)

    def observe_action(self, action: Action) -> None:
        """Take what the performer did."""
        self._nudges.observe_action(action.name, self._clock.now())

    def watch(self, override: EmotionOverride, read: EmotionState | None) -> list[str]:
        """Compare what the performer set with what is read, every status step; return what was learned meanwhile."""
        if read is not None and override.morph is None and override.emotion is None:
            held = (override.valence, override.arousal, override.dominance)
            places = (read.valence, read.arousal, read.dominance)
            is_trusted = read.confidence >= TRUSTED_CONFIDENCE
            for axis, difference in self._nudges.watch(self._clock.now(), held, places, is_trusted):
                self.learner.suggest_offset(axis, difference)
        return self.learner.take_lines()

    def close(self) -> None:
        """Learn what still waits, within a bounded time. Safe to call twice."""
        self.learner.close()


def create_own_culture(profile: Profile) -> CultureStage | None:
    """Create the culture that a profile is played in unless another is asked for. Raises ConfigError."""
    from kelly_live.engine.build import create_culture_stage
    from kelly_live.engine.options.culture import CultureOptions

    if profile.culture is None:
        return None
    return create_culture_stage(CultureOptions(profile.culture, profile.culture_strength))
