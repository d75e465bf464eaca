"""From the parameters that are asked for to those that are played: locked, smoothed, synchronized and limited.

Pure and clock-free: targets and estimates come in, the parameters and the tempo of the next slice go out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import MusicParameters
from kelly_live.music.dynamics_following import DynamicsFollower
from kelly_live.music.feel import compute_earliest_offset
from kelly_live.music.parameter_locks import LockChange, ParameterLocks
from kelly_live.music.smoothing import HalfFinder, ParameterSmoother
from kelly_live.music.synchronization import LevelChange, SynchronizedTempo, fit_tempo
from kelly_live.music.tempo_limit import TempoLimit


class ParametersInForce:
    """What is played with. `begin` comes first; then `step` from slice to slice. Thread: the conductor's.

    `tempo_rise`: the tempo rises by so many BPM a minute at most. `is_planned`: an arc says every tempo.
    """

    def __init__(self, *, tempo_rise: float | None, is_planned: bool) -> None:
        self.locks = ParameterLocks()
        self.dynamics = DynamicsFollower()
        self.parameters: MusicParameters | None = None  # of the last step
        self._limit = TempoLimit(tempo_rise)
        self._is_planned = is_planned
        self._smoother: ParameterSmoother | None = None
        self._tempo = SynchronizedTempo(0.0, 0.0, 0.0)

    @property
    def average(self) -> MusicParameters:
        """The smoothed feeling, without what comes at bar lines alone."""
        return self._require_smoother().average

    @property
    def is_synchronized(self) -> bool:
        """Whether a beat is followed now."""
        return self._tempo.is_synchronized

    @property
    def level_change(self) -> LevelChange | None:
        """The last time that the followed beat was counted anew."""
        return self._tempo.level_change

    def limit_tempo(self, seconds: float, bpm: float) -> float:
        """Return the tempo that may be played from a time on."""
        return self._limit.limit(seconds, bpm)

    def begin(self, beat: float, target: MusicParameters, bpm: float, beats_per_bar: int) -> None:
        """Begin at a beat, as if nothing had been before it."""
        self._tempo = SynchronizedTempo(beat, bpm, bpm)
        self.dynamics.reset()
        self.turn(beat, target, beats_per_bar)

    def turn(self, beat: float, target: MusicParameters, beats_per_bar: int) -> None:
        """Take parameters at once, without a way to them."""
        self._smoother = ParameterSmoother.begin(beat, target, beats_per_bar)

    def step(
        self,
        beat: float,
        seconds: float,
        target: MusicParameters,
        sync: SyncState,
        *,
        beats_per_bar: int,
        find_half: HalfFinder,
        choose_tempo: Callable[[float, MusicParameters], float],
    ) -> tuple[MusicParameters, float]:
        """Return the parameters and the tempo (BPM) in force from a beat on, which falls at `seconds`.

        `choose_tempo` says the band's own tempo at a beat.
        """
        self._smoother = self._require_smoother().step(beat, target, find_half)
        current = self._smoother.current
        own_bpm = choose_tempo(beat, current)
        tempo = self._tempo.step(beat, seconds, own_bpm, sync.beat, beats_per_bar)
        bpm = self._limit.limit(seconds, tempo.bpm)
        self._tempo = tempo if bpm == tempo.bpm else replace(tempo, bpm=bpm)
        if tempo.is_engaged or self._is_planned or bpm < own_bpm:
            current = fit_tempo(current, bpm)
        self.parameters = self.dynamics.step(beat, sync.loudness).adapt(current)
        return self.parameters, bpm

    def lock(self, change: LockChange, beat: float, bpm: float) -> None:
        """Hold a musical parameter where it is, or let it follow the feeling again; `bpm` is the tempo at a beat."""
        smoother = self._require_smoother()
        held = self.locks.set(change, self.parameters or smoother.current, bpm)
        self._smoother = smoother.rest_at(held)
        if "tempo" in held:  # a clock that is followed takes it back at once
            self._tempo = SynchronizedTempo(beat, bpm, bpm)
        if "dynamics" in held:
            self.dynamics.reset()

    def feel_ahead(self, target: MusicParameters) -> float:
        """Return how many seconds early a note of the next slice may fall: it is played that much earlier."""
        smoother = self._require_smoother()
        timings = (target.timing, smoother.average.timing, smoother.current.timing)
        return max(compute_earliest_offset(timing) for timing in timings)

    def _require_smoother(self) -> ParameterSmoother:
        assert self._smoother is not None, "begin comes first"
        return self._smoother
