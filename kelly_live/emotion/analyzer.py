"""The analyzer: emotion reader -> the performer's steering -> mapper, one reading a hop.

Thread: `push` belongs to the analysis thread; `steer` and `calibrate` may come from any, they swap one reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kelly_live.core.emotion_space import subtract_offset
from kelly_live.core.override import apply_override
from kelly_live.core.protocols import EmotionOverride, EmotionReader, Mapper, Reading
from kelly_live.core.values import NEUTRAL_PROBABILITIES, AudioWindow, EmotionState


class LiveAnalyzer:
    """Composes an EmotionReader and a Mapper. While frozen, the state is the one held when the freeze began
    (neutral if nothing was felt yet); overrides act on top, frozen or not, and a morph leads on from there.

    `spare` makes another reader, for when the first one fails because its GPU is gone.
    """

    def __init__(
        self,
        reader: EmotionReader,
        mapper: Mapper,
        steering: EmotionOverride | None = None,
        spare: Callable[[], EmotionReader] | None = None,
    ) -> None:
        self.hop_seconds = reader.hop_seconds
        self.reader = reader
        self._spare = spare
        self._failed: EmotionReader | None = (
            None  # kept: what a dead GPU does when it is let go of is not tried on stage
        )
        self.mapper = mapper
        self._steering = steering or EmotionOverride()
        self._offset = (0.0, 0.0, 0.0)
        self.heard: EmotionState | None = None
        self._felt = EmotionState(NEUTRAL_PROBABILITIES, 0.0, 0.0, 0.0, 1.0, 0.0)

    def push(self, block: AudioWindow, bar: float = 0.0) -> Sequence[Reading]:
        readings = []
        for state in self.reader.push(block):
            steering, self.heard = self._steering, state
            state = subtract_offset(state, self._offset)
            if not steering.freeze:
                self._felt = state
            shown = apply_override(replace(self._felt, time=state.time), steering, bar)
            readings.append(Reading(shown, self.mapper(shown)))
        return readings

    def steer(self, steering: EmotionOverride) -> None:
        self._steering = steering

    def calibrate(self, offset: tuple[float, float, float]) -> None:
        """From the next hop on, take this off the valence, arousal and dominance that are read."""
        self._offset = offset

    def restart(self) -> None:
        """The spare reader takes over if there is one; else this one forgets what it heard."""
        if self._spare is None:
            self.reader.reset()
            return
        spare = self._spare()
        self._failed, self.reader, self._spare = self.reader, spare, None

    @property
    def problem(self) -> str | None:
        """What is not as it began, in a line."""
        return None if self._failed is None else "the GPU failed; the CPU took over the analysis"
