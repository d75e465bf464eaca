"""What a musician fixes by hand: the mapper's parameters are held there, whatever the emotion."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kelly_live.core.values import MODES, MusicParameters, TempoRange


@dataclass(frozen=True, slots=True)
class Constraints:
    """Values that stay: one of MODES, a tempo in BPM, one of GROOVES ("" is the plain band). None: the mapper's."""

    mode: str | None = None
    tempo_bpm: float | None = None
    groove: str | None = None

    def apply(self, parameters: MusicParameters) -> MusicParameters:
        """Return the parameters with what is fixed in place."""
        if self == _NOTHING:
            return parameters
        modes = parameters.modes if self.mode is None else tuple(float(mode == self.mode) for mode in MODES)
        tempo = parameters.tempo
        if self.tempo_bpm is not None:
            tempo = TempoRange(self.tempo_bpm, self.tempo_bpm, self.tempo_bpm)
        groove = parameters.groove if self.groove is None else self.groove
        return replace(parameters, modes=modes, tempo=tempo, groove=groove)


_NOTHING = Constraints()
