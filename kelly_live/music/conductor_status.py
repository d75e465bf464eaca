"""What the conductor tells of itself."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.band_roles import ACCOMPANY
from kelly_live.core.values import MusicParameters
from kelly_live.music.band import MutedPlayer
from kelly_live.music.mixer import MixerStrip
from kelly_live.music.synchronization import LevelChange


@dataclass(frozen=True, slots=True)
class ConductorStatus:
    """Where the music is, as of the last `advance`: `beat`, in `bar` (from 0), and what sounds there.

    `plan` is where it goes: the beat and name of each chord from the bar being made to the end of the next, as things
    stand. `synchronized` names what of "tempo", "key", "chords" and "dynamics" the band takes from a player or
    a recording, `rest_answer` what it does while the player rests, `level_change` when it last counted a player's beat
    anew. `is_stopped`: the transport that it obeys, or a count-in that it waits for, has not started it. `role` is its
    role while he plays, and `role_answer` what it does in that role now. `parameters` are those in force (None: before
    the first slice), of which the `locks` hold some. `strips` are the players in the mixer.
    """

    beat: float
    bar: int
    bpm: float
    mode: str
    chord: str
    tonic: str
    muted: tuple[MutedPlayer, ...]
    skipped_beats: float
    beats_per_bar: int = 4
    synchronized: tuple[str, ...] = ()
    plan: tuple[tuple[float, str], ...] = ()
    rest_answer: str = ""
    level_change: LevelChange | None = None
    is_stopped: bool = False
    role: str = ACCOMPANY
    role_answer: str = ""
    parameters: MusicParameters | None = None
    locks: tuple[str, ...] = ()
    strips: tuple[MixerStrip, ...] = ()

    @property
    def bars(self) -> float:
        """The number of bars that have gone by, with the part of the present one."""
        return self.beat / self.beats_per_bar
