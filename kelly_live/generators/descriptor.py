"""What a generator says about itself before there is an instance of it."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.checks import require_whole_number
from kelly_live.core.errors import ConfigError
from kelly_live.generators.parameter import Parameter


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A generator's name, part and sound; raises ConfigError where a rule is broken.

    `part` is the role that it plays; `style_parts.STYLE_PARTS` has those that a culture's style knows. `channel` is a
    MIDI channel 1-16 and `program` a General MIDI program 0-127 (0 is the acoustic grand piano; without meaning on
    channel 10): a host preset may choose others. `parameters` are its own settings, and `help` says in one line what it
    plays. `yields_to_style`: where the culture's style in force plays this part itself, the band plays the style's part
    in this slot instead of the generator.
    """

    name: str
    part: str
    channel: int
    program: int
    parameters: tuple[Parameter, ...] = ()
    help: str = ""
    yields_to_style: bool = False

    def __post_init__(self) -> None:
        for word in (self.name, self.part):
            if not (isinstance(word, str) and 0 < len(word) <= 64 and word.isprintable()):
                raise ConfigError(f"a player is called {str(word)[:64]!r}; a name must be 1 to 64 printable characters")
        if not (isinstance(self.help, str) and self.help.isprintable()):
            raise ConfigError(f"the help of {self.name} must be one line of text")
        for name in ("channel", "program"):  # a whole number of any type is taken as an int
            object.__setattr__(self, name, require_whole_number(f"{name} of {self.name}", getattr(self, name)))
        if not (1 <= self.channel <= 16 and 0 <= self.program <= 127):
            raise ConfigError(
                f"{self.name} plays program {self.program} on channel {self.channel}; it must be 0..127 on 1..16"
            )
        if not all(isinstance(parameter, Parameter) for parameter in self.parameters):
            raise ConfigError(f"{self.name} declares a parameter that is no Parameter")
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) < len(names):
            raise ConfigError(
                f"{self.name} declares a parameter twice ({', '.join(names)}); each must have its own name"
            )
