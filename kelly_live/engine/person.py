"""The person who is played for: their profile, reactions, keys and calibration.

Reactions come as actions, by key, MIDI control or OSC. No call waits: the learner has its own thread.
Thread: one for all calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kelly_live.core.emotion_space import TRUSTED_CONFIDENCE
from kelly_live.core.errors import KellyError
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

NO_CULTURE = "none"
# While the tempo comes from a sync source, these reactions say nothing about the mapping.
_TEMPO_REACTIONS = ("too-fast", "too-slow")


class Person:
    """The person a session plays for; it may change while it plays.

    Args:
        profile: The first profile; None: no profile until `turn`.
        stage: Its mapper is a LearnedMapper; it subtracts the profile's offset.
        culture: A culture that takes precedence over every profile's own.
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
        self._stage, self._clock, self._mapper = stage, clock, stage.mapper
        self._culture = self._wanted = culture  # in force, and asked for last; None: none
        self._holds_culture = culture is not None  # against the profiles' own
        self._nudges = Nudges()
        if profile is not None:
            stage.set_offset(profile.offset)
        self.learner = Learner(
            ProfileStore(),
            stage.mapper,
            profile,
            culture_of=self._find_culture,
            on_profile=self._take,
        )

    def _take(self, profile: Profile) -> None:
        self._stage.set_offset(profile.offset)

    def _find_culture(self, profile: Profile) -> CultureStage | None:
        """Return the culture that a profile is played in. Thread: learn. Raises ConfigError."""
        return self._mapper.audience.culture if self._holds_culture else create_own_culture(profile)

    @property
    def keys(self) -> Mapping[str, Action | None]:
        """The actions of keys that this profile binds for itself."""
        profile = self.learner.profile
        return {} if profile is None else dict(profile.keys)

    @property
    def profile(self) -> Profile | None:
        """Whom is played for now. Thread: any."""
        return self.learner.profile

    @property
    def culture(self) -> tuple[str | None, float]:
        """The tradition that is played as in, NAME or NAME:MODE, and its strength; None: none. Thread: any."""
        profile = self.learner.profile
        own = None if profile is None else profile.culture
        name = own if not self._holds_culture else None if self._culture is None else self._culture.name
        stage = self._mapper.audience.culture
        return (name, stage.strength) if name is not None and stage is not None else (None, 0.0)

    def change_culture(self, name: str) -> str | None:
        """Play as in another tradition, NAME, NAME:MODE or NO_CULTURE; return what to print, if anything.

        It is loaded beside the music; what comes of it is said by `watch`.
        """
        strength = 1.0 if self._wanted is None else self._wanted.strength
        return self._request_culture(None if name.strip().lower() == NO_CULTURE else (name, strength))

    def change_culture_strength(self, strength: float) -> str | None:
        """Follow the tradition that is played in as closely as that, 0 to 1; as `change_culture`."""
        name = self._wanted.name if self._wanted is not None else self.culture[0]
        if name is None:
            return "culture-strength: no tradition is played in; choose one first, as with the action culture"
        return self._request_culture((name, strength))

    def _request_culture(self, wanted: tuple[str, float] | None) -> str | None:
        from kelly_live.engine.options.culture import CultureOptions

        self._wanted = None if wanted is None else CultureOptions(*wanted)
        return None if self.learner.change_culture(self._load_culture) else "culture: too much at once, not changed"

    def _load_culture(self) -> tuple[CultureStage | None, str] | None:
        """Load what was asked for last, unless it is in force. Thread: learn. Raises KellyError."""
        from kelly_live.engine.build import create_culture_stage

        wanted, before = self._wanted, self._culture
        if self._holds_culture and wanted == before:
            return None
        try:
            stage = create_culture_stage(wanted)
        except KellyError:
            self._wanted = before
            raise
        self._culture, self._holds_culture = wanted, True
        text = "none" if wanted is None else f"{wanted.name} at {round(100.0 * wanted.strength)} %"
        return stage, f"culture: {text}, from the next phrase on"

    def describe_profile(self) -> list[str]:
        """Describe in words what was learned of whom is played for, one line each. Takes some milliseconds."""
        from kelly_live.engine.profile_actions import describe_profile
        from kelly_live.mapping.profile_taste import list_differences

        profile = self.learner.profile
        return [] if profile is None else describe_profile(profile, list_differences(self._mapper.net, profile))

    @property
    def remarks(self) -> list[str]:
        """What the status line shows about the profile."""
        remark = self.learner.remark
        return [] if remark is None else [remark]

    def react(self, word: str, snapshot: Snapshot) -> str:
        """Take a word of reaction to what is played; return what to print."""
        if word in _TEMPO_REACTIONS and "tempo" in snapshot.conductor.synchronized:
            return f"{word}: the tempo is not ours now, so nothing is learned of it"
        return self.learner.react(word, snapshot.reading.state)

    def undo_reaction(self) -> str:
        """Take the last reaction of this session back; return what to print."""
        return self.learner.undo()

    def turn(self, step: int) -> str:
        """Go on to the next profile (-1: the one before); return what to print."""
        return self.learner.turn(step)

    def observe_action(self, action: Action) -> None:
        """Note an action of the performer."""
        self._nudges.observe_action(action.name, self._clock.now())

    def watch(self, override: EmotionOverride, read: EmotionState | None) -> list[str]:
        """Compare the override with what is read, at every status step; return what was learned meanwhile."""
        if read is not None and override.morph is None and override.emotion is None:
            axis_values = (override.valence, override.arousal, override.dominance)
            places = (read.valence, read.arousal, read.dominance)
            is_trusted = read.confidence >= TRUSTED_CONFIDENCE
            for axis, difference in self._nudges.watch(self._clock.now(), axis_values, places, is_trusted):
                self.learner.suggest_offset(axis, difference)
        return self.learner.take_lines()

    def close(self) -> None:
        """Learn what is still queued, within a bounded time. Safe to call twice."""
        self.learner.close()


def create_own_culture(profile: Profile) -> CultureStage | None:
    """Create the culture that a profile is played in unless another is asked for. Raises ConfigError."""
    from kelly_live.engine.build import create_culture_stage
    from kelly_live.engine.options.culture import CultureOptions

    if profile.culture is None:
        return None
    return create_culture_stage(CultureOptions(profile.culture, profile.culture_strength))
