"""Carries out the performer's actions: on the manual override, or by passing them on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from kelly_live.core.actions import REACTIONS, Action, apply_action
from kelly_live.music.mixer import MIXER_CONTROLS

if TYPE_CHECKING:
    from kelly_live.core.protocols import EmotionOverride, Reading
    from kelly_live.core.values import EmotionState
    from kelly_live.engine.session import Snapshot

# Actions whose value is handed on as text, with the name of their target.
_TEXT_TARGETS = {
    "preset": "named_preset", "set": "setting", "lock": "lock", "follow": "follow", "culture": "culture",
    "save-preset": "save_preset",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ActionTargets:
    """What actions are dispatched to. A callback may return a line to print; None: this session lacks it.

    `preset` and `profile` how many to go on (1 or -1), `named_preset` a name;
    `role` the band's role (None: the next one); `cue` the actions go, back and standby; `setting` a parameter's new
    value, PLAYER.PARAMETER=VALUE; `mix` one of MIXER_CONTROLS and what the action takes, `lock` what `lock` takes;
    `follow` and `culture` what these take, `culture_strength` a number from 0 to 1; `save_preset` a name; `record`
    whether to record (None: the other way); `log` every action, with its source.
    """

    panic: Callable[[], str | None] | None = None
    preset: Callable[[int], str | None] | None = None
    named_preset: Callable[[str], str | None] | None = None
    profile: Callable[[int], str | None] | None = None
    role: Callable[[str | None], str | None] | None = None
    cue: Callable[[Action, Snapshot], str | None] | None = None
    setting: Callable[[str], str | None] | None = None
    mix: Callable[[str, str], str | None] | None = None
    lock: Callable[[str], str | None] | None = None
    parameters: Callable[[], str | None] | None = None
    save_preset: Callable[[str], str | None] | None = None
    follow: Callable[[str], str | None] | None = None
    culture: Callable[[str], str | None] | None = None
    culture_strength: Callable[[float], str | None] | None = None
    record: Callable[[bool | None, Snapshot], str | None] | None = None
    keep: Callable[[], str | None] | None = None
    reaction: Callable[[str, Snapshot], str | None] | None = None
    undo_reaction: Callable[[], str | None] | None = None
    help: Callable[[], str | None] | None = None
    quit: Callable[[], str | None] | None = None
    log: Callable[[Action, str, Snapshot], None] | None = None


class OverrideHolder(Protocol):
    """What holds the override that actions change, and others may: a cue."""

    @property
    def override(self) -> EmotionOverride:
        """The override in force."""

    def set_override(self, override: EmotionOverride) -> None:
        """Take another override."""


class ActionDispatcher:
    """Applies actions to the override of its holder, and passes others on. Thread: one for all calls."""

    def __init__(self, holder: OverrideHolder, targets: ActionTargets) -> None:
        self._holder, self._targets = holder, targets
        self._reacted: dict[str, Reading] = {}  # by reaction, the reading that it was about

    @property
    def override(self) -> EmotionOverride:
        """The override in force."""
        return self._holder.override

    def apply(self, action: Action, snapshot: Snapshot, source: str) -> str | None:
        """Apply an action from a source ("key", "midi"); return a line to print, if any.

        `snapshot` is what is shown when the action comes.
        """
        targets, name = self._targets, action.name
        if name in REACTIONS:
            before, self._reacted[name] = self._reacted.get(name), snapshot.reading
            if before is snapshot.reading:  # a key that is held down repeats it, about the same reading
                return None
        if targets.log is not None:
            targets.log(action, source, snapshot)
        do: Callable[[], str | None] | None
        if name in REACTIONS:
            do = targets.reaction and partial(targets.reaction, name, snapshot)
        elif name in ("next-preset", "previous-preset"):
            do = targets.preset and partial(targets.preset, 1 if name == "next-preset" else -1)
        elif name == "next-profile":
            do = targets.profile and partial(targets.profile, 1)
        elif name == "role":
            do = targets.role and partial(targets.role, None if action.value is None else str(action.value))
        elif name in ("go", "back", "standby"):
            do = targets.cue and partial(targets.cue, action, snapshot)
        elif name in MIXER_CONTROLS:
            do = targets.mix and partial(targets.mix, name, str(action.value))
        elif name in _TEXT_TARGETS:
            target: Callable[[str], str | None] | None = getattr(targets, _TEXT_TARGETS[name])
            do = target and partial(target, str(action.value))
        elif name == "culture-strength":
            do = targets.culture_strength and partial(targets.culture_strength, float(action.value or 0.0))
        elif name == "undo-reaction":
            self._reacted.clear()
            do = targets.undo_reaction
        elif name == "record":
            do = targets.record and partial(
                targets.record, None if action.value is None else bool(action.value), snapshot
            )
        elif name in ("panic", "keep", "parameters", "help", "quit"):
            do = getattr(targets, name)
        else:
            current = self.override
            override = apply_action(action, current, snapshot.reading.state, snapshot.conductor.bars)
            if override != current:
                self._holder.set_override(override)
            return None
        return f"{name}: not in this session" if do is None else do()

    def place(self, axis: str, state: EmotionState) -> float:
        """Return the value of an axis: as it is overridden, else as it is shown."""
        override = self.override
        number = getattr(override, axis)
        free = number is None or override.morph is not None
        return float(getattr(state, axis) if free else number)
