"""What the conductor tells a player about the moment, and what a player tells about itself."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.errors import ConfigError
from kelly_live.music.harmony import ChordSpan, Phrase
from kelly_live.music.parameter import Parameter
from kelly_live.music.theory import Chord, Key


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A player, before there is one: its name, the part that it plays, the MIDI channel 1-16 and the General MIDI
    program 0-127 (0 = Acoustic Grand Piano; of no meaning on channel 10) that it is made for, its own `parameters`
    and, in one line, what it does. A host may seat it elsewhere. Raises ConfigError.
    """

    name: str
    part: str
    channel: int
    program: int
    parameters: tuple[Parameter, ...] = ()
    help: str = ""

    def __post_init__(self) -> None:
        for word in (self.name, self.part):
            if not (0 < len(word) <= 64 and word.isprintable()):
                raise ConfigError(f"a player is called {word[:64]!r}; a name must be 1 to 64 printable characters")
        if not (1 <= self.channel <= 16 and 0 <= self.program <= 127):
            raise ConfigError(
                f"{self.name} plays program {self.program} on channel {self.channel}; it must be 0..127 on 1..16"
            )
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) < len(names):
            raise ConfigError(f"{self.name} declares a parameter twice ({', '.join(names)}); name them apart")


@dataclass(frozen=True, slots=True)
class MusicContext:
    """The moment that a slice lies in. Beats count from the session's start; `bpm` is the tempo in force.

    `rhythm` is the one of RHYTHMS that the whole band plays in this bar; `closing` marks the last bar of all; `trend`
    says whether the feeling builds (up to 1) or calms down (to -1) in these bars.
    """

    seed: int
    phrase: Phrase
    rhythm: str
    bpm: float
    closing: bool = False
    trend: float = 0.0

    @property
    def key(self) -> Key:
        """The tonic and the scale in force, a mode or a tuning of its own."""
        return self.phrase.key

    @property
    def beats_per_bar(self) -> int:
        return self.phrase.beats_per_bar

    def span_at(self, beat: float) -> ChordSpan:
        return self.phrase.span_at(beat)

    def chord_at(self, beat: float) -> Chord:
        return self.phrase.span_at(beat).chord

    def bar_at(self, beat: float) -> int:
        """The bar of the session, from 0."""
        return int(beat // self.beats_per_bar)

    def bar_in_phrase(self, bar: int) -> int:
        return bar - self.phrase.start_bar

    def is_last_bar(self, bar: int) -> bool:
        """Whether the bar ends the phrase."""
        return self.bar_in_phrase(bar) == self.phrase.bars - 1

    def phrase_fraction(self, beat: float) -> float:
        """How far through the phrase a beat is, 0-1."""
        return (beat - self.phrase.start_beat) / (self.phrase.end_beat - self.phrase.start_beat)
