"""A generator in a process of its own as one whose calls wait for their answers: for tests, and for the kit.

Thread: one at a time. A process that failed is started again when the next generator is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from kelly_live.core.errors import ConfigError
from kelly_live.core.plugins import LOAD_SECONDS
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.added import find_targets
from kelly_live.generators.answer import InvalidAnswer
from kelly_live.generators.base import Descriptor, Generator, Value
from kelly_live.generators.conformance_subject import Budget, NotTold, Observation, Subject, describe_changes
from kelly_live.generators.effect_player import CHANNEL, describe_player, list_figure
from kelly_live.generators.note_effect import EffectDescriptor
from kelly_live.generators.plugin_process import MEMORY_MB, BarAnswer, PlayerFault, PluginCommand, PluginProcess
from kelly_live.generators.wire import Generate, Process, Surroundings, build_generate, build_process
from kelly_live.music.band import PlayerState
from kelly_live.music.context import MusicContext

ANSWER_SECONDS = 30.0
_END_SECONDS = 3.0
# It is asked for a bar a beat before that begins: a fifth of a second at 300 BPM.
_BUDGET = Budget(None, 0.2, "bars")


class ExternalGenerator(Subject):
    """Makes generators that run in one process: a file, a program, or a package, as `generators add` takes them.

    A note effect plays behind a figure (`effect_player.py`).
    Use it as a context manager, or `close` it. Calling it makes a generator. Only the latest one that was made can be
    played. Raises ConfigError for a place that has no generator, and PlayerFault where the process fails.
    """

    slice_beats = 0.5  # a bar is asked for whole, or from the beat on where the harmony changes
    budget = _BUDGET
    may_have_no_state = True

    def __init__(self, place: str | PluginCommand, *, python: str | None = None, memory_mb: int = MEMORY_MB) -> None:
        if isinstance(place, PluginCommand):
            self._command = place
        else:
            found = find_targets(str(place), python, memory_mb)
            if len(found) > 1:
                names = ", ".join(one.target for one in found)
                raise ConfigError(f"{place} has {len(found)} generators ({names}); name one")
            self._command = found[0].build_command()
        self.made_by = self
        self._process: PluginProcess | None = None
        self._descriptor: Descriptor | None = None
        self._is_effect = False

    def __enter__(self) -> ExternalGenerator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self) -> Generator:
        """Make a new generator."""
        return self.make()

    @property
    def process_id(self) -> int:
        """The process id of the launcher, or of the program itself where there is none."""
        return self._find_process().process_id or 0

    @property
    def descriptor(self) -> Descriptor:
        """What the generator says about itself."""
        self._find_process()
        assert self._descriptor is not None
        return self._descriptor

    def make(self) -> Generator:
        """Make a new generator."""
        process = self._find_process()
        return _ExternalInstance(process, self.descriptor, is_effect=self._is_effect)

    def stopwatch(self) -> float:
        """Return how many seconds its process has worked; raises NotTold."""
        surroundings = self._find_process().inspect(ANSWER_SECONDS)
        if surroundings is None:
            raise NotTold
        return surroundings.processor_seconds

    def observe(self, exercise: Callable[[], None]) -> Observation:
        """Let it play in a new process, and return what happened there, so far as that says so."""
        self.close()
        process = self._find_process()
        before = process.inspect(ANSWER_SECONDS)
        exercise()
        after = process.inspect(ANSWER_SECONDS)
        self.close()
        if before is None or after is None:
            return Observation(process.printed_line, None, None)
        changes = tuple(describe_changes(_compare(before, after)))
        return Observation(process.printed_line, after.threads > before.threads, changes)

    def close(self) -> None:
        """End the process, and wait for that."""
        if self._process is not None:
            self._process.close()
            self._process.join(_END_SECONDS)
            self._process = None

    def _find_process(self) -> PluginProcess:
        if self._process is not None and self._process.fault is not None:
            self.close()
        if self._process is None:
            self._process = PluginProcess(self._command)
            self._process.start()
            descriptor = self._process.describe(LOAD_SECONDS)
            self._is_effect = isinstance(descriptor, EffectDescriptor)
            self._descriptor = describe_player(descriptor) if isinstance(descriptor, EffectDescriptor) else descriptor
        return self._process


class _ExternalInstance:
    """One generator of a process."""

    def __init__(self, process: PluginProcess, descriptor: Descriptor, *, is_effect: bool) -> None:
        self.descriptor = descriptor
        self._is_effect = is_effect
        self._process = process
        self._values: dict[str, Value] = {}
        self._is_made = False
        self._state: Any = None

    def configure(self, values: Mapping[str, Value]) -> None:
        self._values = dict(values)

    def reset(self) -> None:
        self._go_on_from(None)

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        moment = build_generate(parameters, context, start_beat, end_beat, self._values)
        request: Generate | Process = moment
        if self._is_effect:
            request = build_process(moment, list_figure(parameters, context, start_beat, end_beat), CHANNEL)
        number = self._process.ask(request)
        reply = self._process.wait(number, ANSWER_SECONDS)
        if self._process.fault is not None:  # also of what was asked before
            raise PlayerFault(PlayerState.FAILED, self._process.fault)
        if isinstance(reply, PlayerFault):
            if reply.state is PlayerState.INVALID:
                raise InvalidAnswer(reply.reason)
            raise reply
        if not isinstance(reply, BarAnswer):
            reason = f"it did not answer within {ANSWER_SECONDS:g} s"
            self._process.give_up(reason)
            raise PlayerFault(PlayerState.FAILED, reason)
        if reply.refusal is not None:
            raise InvalidAnswer(reply.refusal)
        self._state = reply.state
        return reply.notes

    def save_state(self) -> Any:
        return self._state

    def load_state(self, state: Any) -> None:
        self._go_on_from(state)

    def _go_on_from(self, state: Any) -> None:
        if self._is_made:
            self._process.reset(state)
        else:
            self._process.configure(self._values, state)
            self._is_made = True
        self._state = state


def _compare(before: Surroundings, after: Surroundings) -> dict[str, bool]:
    """Tell what has changed; what is imported meanwhile is no change."""
    return {
        "the working directory": after.folder != before.folder,
        "the environment": after.environment != before.environment,
        "the clock": after.clock != before.clock,
        "random": bool(before.random) and after.random != before.random,
    }
