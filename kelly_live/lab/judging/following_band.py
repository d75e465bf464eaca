"""A band without players that follows, to measure where its beats fall."""

from __future__ import annotations

from kelly_live.core.emotion_space import create_state
from kelly_live.core.sync_state import SyncState
from kelly_live.engine.build import create_mapper
from kelly_live.generators.band import GeneratorBand
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import Conductor


class FollowingBand:
    """A conductor that follows, from the tempo of a neutral emotion.

    Attributes:
        beats: When its beats fell while it followed, in seconds.
    """

    def __init__(self) -> None:
        self.beats: list[float] = []
        self._parameters = create_mapper()(create_state())
        self._conductor = Conductor(NoteList(), GeneratorBand([]), seed=1)
        self._conductor.start(0.0, self._parameters)
        self._beat = 0

    def follow(self, now: float, state: SyncState) -> None:
        """Play on to `now` (s), synchronized to `state`."""
        self._conductor.advance(now, self._parameters, state)
        while (beat_time := self._conductor.seconds_at(float(self._beat))) <= now:
            if "tempo" in self._conductor.status().synchronized:
                self.beats.append(beat_time)
            self._beat += 1
