"""The note effects by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kelly_live.core.errors import ConfigError
from kelly_live.generators.effects.arpeggiator import Arpeggiator
from kelly_live.generators.effects.echo import Echo
from kelly_live.generators.effects.harmonizer import Harmonizer
from kelly_live.generators.effects.humanizer import Humanizer
from kelly_live.generators.note_effect import NoteEffect
from kelly_live.generators.parameter import Value

EFFECTS: Mapping[str, type[NoteEffect]] = MappingProxyType(
    {effect.descriptor.name: effect for effect in (Arpeggiator, Echo, Harmonizer, Humanizer)}
)


def create_effect(name: str, values: Mapping[str, Value]) -> NoteEffect:
    """Create an effect with these values of its parameters; raises ConfigError for a name or value it cannot take."""
    if name not in EFFECTS:
        raise ConfigError(f"there is no note effect {name[:60]!r}; there are {', '.join(EFFECTS)}")
    try:
        return EFFECTS[name](values)
    except ConfigError as error:
        raise ConfigError(f"effect {name}: {error}") from error
