"""The parameters of players and effects while they play: found by name, set, and moved to their new values.

A number moves at a bounded speed: through its whole range in GLIDE_BEATS. Switches, choices and whole numbers change at
once. A player takes new values every GRAIN_BEATS at most, the first at once. Nothing here reads a clock, so that the
same changes at the same beats give the same notes.

Thread: the conductor's for `set`, `step` and `reset`; any may call `resolve` and read `values`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

from kelly_live.core.errors import ConfigError
from kelly_live.generators.note_effect import EffectDescriptor
from kelly_live.generators.parameter import (
    Parameter,
    ParameterValues,
    Value,
    adapt_values,
    format_value,
    resolve_values,
)
from kelly_live.music.band import ParameterChange

GRAIN_BEATS = 0.25  # a player plans its bar anew with each change
GLIDE_BEATS = 2.0  # a fader that is thrown from end to end is heard as a movement, not as a jump
_SAME_TIME_BEATS = 1e-9
_LONGEST_SHOWN = 60

Values: TypeAlias = Mapping[str, Value]


class _DeclaresParameters(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def parameters(self) -> tuple[Parameter, ...]: ...


class HasParameters(Protocol):
    """A player or an effect: its descriptor declares parameters."""

    @property
    def descriptor(self) -> _DeclaresParameters:
        """What it says about itself."""


class AutomatedEffect(Protocol):
    """A note effect behind a player."""

    @property
    def descriptor(self) -> EffectDescriptor:
        """What it says about itself."""

    @property
    def values(self) -> ParameterValues:
        """The values of its parameters that it begins with."""


class AutomatedSlot(Protocol):
    """A player's place in the band, with the values that its parameters begin with."""

    @property
    def part(self) -> str:
        """The player's name in the band."""

    @property
    def generator(self) -> HasParameters:
        """The player."""

    @property
    def values(self) -> Values:
        """The values of its parameters; those that are missing have their defaults."""

    @property
    def effects(self) -> Sequence[AutomatedEffect]:
        """The effects behind it."""


@dataclass(frozen=True, slots=True)
class ParameterState:
    """A parameter in the band: its address (`melody.echo.delay`), its value now, and the one that it moves to.

    `player`: the part of the player that it belongs to, or that its effect stands behind.
    """

    player: str
    address: str
    parameter: Parameter
    value: Value
    target: Value

    def __str__(self) -> str:
        return f"{self.address}={format_value(self.target)}  {self.parameter.help}: {self.parameter.range}"


class _Place(NamedTuple):
    player: str
    effect: str | None

    @property
    def name(self) -> str:
        return self.player if self.effect is None else f"{self.player}.{self.effect}"


class _Owner:
    """A player or an effect, with the values of its parameters; `take` hands it new ones."""

    def __init__(
        self, player: HasParameters, names: Iterable[str], values: Values, take: Callable[[Values], None]
    ) -> None:
        self.names = frozenset(name.casefold() for name in names)
        self._player, self._take = player, take
        self._known = self.parameters
        self.values: Values = resolve_values(self._known, values)
        self.targets = self.values
        self._changed_beat = -math.inf

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self._player.descriptor.parameters

    def set(self, name: str, value: Value) -> None:
        self._adopt()
        parameter = next((one for one in self._known if one.name == name), None)
        if parameter is not None:
            self.targets = {**self.targets, name: parameter.parse(value)}

    def step(self, beat: float) -> None:
        """Move on to a beat; cheap while nothing moves."""
        self._adopt()
        passed = beat - self._changed_beat
        if self.values == self.targets or 0.0 <= passed < GRAIN_BEATS - _SAME_TIME_BEATS:
            return
        self._changed_beat = beat
        share = (passed if GRAIN_BEATS < passed <= GLIDE_BEATS else GRAIN_BEATS) / GLIDE_BEATS
        self.values = {one.name: self._move(one, share) for one in self._known}
        self.hand_over()

    def finish(self) -> None:
        """Arrive at once."""
        self._adopt()
        self._changed_beat = -math.inf
        if self.values != self.targets:
            self.values = self.targets
            self.hand_over()

    def hand_over(self) -> None:
        """Hand the present values to the player."""
        if self.values:
            self._take(self.values)

    def _move(self, parameter: Parameter, share: float) -> Value:
        value, target = self.values[parameter.name], self.targets[parameter.name]
        if parameter.kind != "number" or isinstance(value, str) or isinstance(target, str):
            return target
        most = share * (parameter.high - parameter.low)
        return target if abs(target - value) <= most else value + math.copysign(most, target - value)

    def _adopt(self) -> None:
        """Take the parameters of a player that was loaded again; a value that fits no more becomes the default."""
        if self._known != self.parameters:
            self._known = self.parameters
            self.targets = adapt_values(self._known, self.targets)
            self.values = self.targets
            self.hand_over()


class Automation:
    """The parameters of the players in these slots, and of the effects behind them.

    `take` hands new values to the player of a part (None), or to its effect of that number.
    """

    def __init__(self, slots: Iterable[AutomatedSlot], take: Callable[[str, int | None, Values], None]) -> None:
        self._owners: dict[_Place, _Owner] = {}
        for slot in slots:
            names = (slot.part, slot.generator.descriptor.name)
            if callable(getattr(slot.generator, "configure", None)):
                owner = _Owner(slot.generator, names, slot.values, partial(take, slot.part, None))
                self._owners[_Place(slot.part, None)] = owner
            for number, effect in enumerate(slot.effects):
                name = effect.descriptor.name
                effect_names = [f"{one}.{name}" for one in names]
                owner = _Owner(effect, effect_names, effect.values.as_dict(), partial(take, slot.part, number))
                self._owners[_Place(slot.part, name)] = owner

    @property
    def values(self) -> tuple[ParameterState, ...]:
        """Every parameter, in the order of the players."""
        return tuple(
            ParameterState(
                place.player, f"{place.name}.{one.name}", one, owner.values[one.name], owner.targets[one.name]
            )
            for place, owner in self._owners.items()
            for one in owner.parameters
            if one.name in owner.values
        )

    def resolve(self, address: str, value: Value) -> tuple[ParameterChange, ...]:
        """Return the changes that PLAYER.PARAMETER and a value mean, the player by its part or its generator.

        Text is taken as `--set` takes it, and 50% as the middle of the range. Raises ConfigError, with the names that
        there are.
        """
        place, _, name = address.strip().rpartition(".")
        wanted = place.casefold()
        owners = [(one, owner) for one, owner in self._owners.items() if one.name.casefold() == wanted]
        owners = owners or [(one, owner) for one, owner in self._owners.items() if wanted in owner.names]
        if not owners:
            names = ", ".join(one.name for one, owner in self._owners.items() if owner.parameters)
            raise ConfigError(
                f"no player {place[:_LONGEST_SHOWN]!r} has parameters; there are {names or 'none'}, as PLAYER.PARAMETER"
            )
        changes = []
        for (player, effect), owner in owners:
            parameter = next((one for one in owner.parameters if one.name == name.casefold()), None)
            if parameter is None:
                names = ", ".join(one.name for one in owner.parameters) or "none"
                raise ConfigError(f"{place} has no parameter {name[:_LONGEST_SHOWN]!r}; it has {names}")
            try:
                changes.append(ParameterChange(player, effect, parameter.name, parameter.parse(value)))
            except ConfigError as error:
                raise ConfigError(f"{place}: {error}") from error
        return tuple(changes)

    def set(self, change: ParameterChange) -> None:
        """Let a parameter move to a value; one that is not there is left alone. Raises ConfigError out of its range."""
        owner = self._owners.get(_Place(change.player, change.effect))
        if owner is not None:
            owner.set(change.parameter, change.value)

    def step(self, beat: float) -> None:
        """Move the parameters on to a beat."""
        for owner in self._owners.values():
            owner.step(beat)

    def reset(self) -> None:
        """Let every parameter arrive at once: a new session begins."""
        for owner in self._owners.values():
            owner.finish()

    def hand_over(self) -> None:
        """Hand every player its values."""
        for owner in self._owners.values():
            owner.hand_over()
