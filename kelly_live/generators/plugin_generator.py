"""A generator of another package as a player of the band: asked for whole bars ahead, cut into slices, started again.

Thread: the conductor's. Live, no call waits for the generator, whose process is somebody else's business
(`plugin_process.py`). A bar is asked for when the last beat of the bar before begins, by `prepare`, and otherwise at
its first slice. Where the harmony has changed since, the rest of the bar is asked for again; where the values of its
parameters have, the whole bar, from the state before it, so that its state is that of whole bars. Notes that come after
their beat are left out. Offline a bar's answer is waited for, and all else is the same, so that it plays the same.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import msgspec

from kelly_live.core.plugins import LOAD_SECONDS
from kelly_live.core.timebase import Clock, MonotonicClock
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.core.wording import plural
from kelly_live.generators.base import FIRST_CALL_SECONDS, MAX_OVERRUNS, OVERRUN_DECAY, Descriptor
from kelly_live.generators.parameter import Value, adapt_values
from kelly_live.generators.plugin_process import BarAnswer, GeneratorRun, PlayerFault
from kelly_live.generators.silent_copies import SilentGenerator
from kelly_live.generators.wire import Generate, Process, build_generate
from kelly_live.music.band import PlayerState
from kelly_live.music.context import MusicContext
from kelly_live.music.harmony import Phrase

OFFLINE_SECONDS = 30.0  # without a band that waits, only a generator that hangs is given up
MAX_FAILURES = 3  # in a row
HANG_SECONDS = 0.4  # without an answer that was due; a busy machine holds one up for less
# Notes are made 50 ms before their beat, so that what comes a little after its slice is still in time.
LATE_SECONDS = 0.045
CLOSING_SECONDS = 0.02  # the last bar of all is made at once, and its answer is waited for so long

Begin = Callable[[Any], GeneratorRun]


Values: TypeAlias = Mapping[str, Value]


class Basis(NamedTuple):
    """What a bar's answer must have been made for; the parameters may have moved a little since."""

    phrase: Phrase
    rhythm: str
    closing: bool

    @classmethod
    def of(cls, context: MusicContext) -> Basis:
        """Return what a moment asks for."""
        return cls(context.phrase, context.rhythm, context.closing)


@dataclass(slots=True)
class _Bar:
    """A bar that was asked for: the answer's number, and the answer once it came.

    `former`: the answer that was made with values that have changed since; it plays until the new one comes.
    `is_outdated`: the bar before was asked for again. `follows`: this one was, too, right after it; the state before it
    is known when it begins.
    """

    basis: Basis
    request: Generate | Process
    number: int
    state_before: Any
    former: BarAnswer | None = None
    answer: BarAnswer | None = None
    is_outdated: bool = False
    follows: bool = False


@dataclass(slots=True)
class _Successor:
    """A run that takes over at a bar line; None: that is not chosen yet."""

    run: GeneratorRun
    descriptor: Descriptor
    begin: Begin
    keeps_state: bool
    first_bar: int | None = None


class PluginGenerator:
    """A player whose generator runs elsewhere.

    `generate` raises PlayerFault when that cannot play on; `is_back` says at a later bar line whether it plays again.
    After MAX_FAILURES in a row it is given up.

    Args:
        run: The generator, made and ready, or about to be.
        begin: Starts it anew, from a state, and returns at once.
        waits: Whether answers are waited for: offline.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        run: GeneratorRun,
        begin: Begin,
        *,
        waits: bool,
        clock: Clock | None = None,
        offline_seconds: float = OFFLINE_SECONDS,
    ) -> None:
        self.descriptor = descriptor
        self.refusal: str | None = None
        self._begin_run, self._waits = begin, waits
        self._runs = [run]  # those before the last one are ending
        weakref.finalize(self, _close_last, self._runs)  # a band that nobody closed leaves no process
        self._clock = clock or MonotonicClock()
        self._offline_seconds = offline_seconds
        self._failures = 0
        self._is_down = self._is_closed = False
        self._state: Any = None  # after the latest bar that was answered
        self._values: Values = MappingProxyType({})  # of the parameters; none: those that it was made with
        self._offered: deque[_Successor] = deque(maxlen=1)
        self._successor: _Successor | None = None
        self._last_request: Generate | Process | None = None
        self._forget()

    def __deepcopy__(self, memo: dict[int, object]) -> SilentGenerator:
        """Return what stands for it in a copy of the band: there is one process."""
        return SilentGenerator(self.descriptor)

    @property
    def is_given_up(self) -> bool:
        """Whether it will not play again in this session."""
        return self._failures >= MAX_FAILURES

    @property
    def state(self) -> Any:
        """The state after the latest bar that was answered. Thread: any."""
        return self._state

    @property
    def last_request(self) -> Generate | None:
        """What it was asked for last. Thread: any."""
        request = self._last_request
        return request if isinstance(request, Generate) else None

    @property
    def values(self) -> Values:
        """The values of its parameters that were set while it plays. Thread: any."""
        return self._values

    def configure(self, values: Values) -> None:
        """Play with these values of the parameters: the bar is asked for again, and its rest is played."""
        self._values = dict(values)

    def replace(self, run: GeneratorRun, descriptor: Descriptor, begin: Begin, *, keeps_state: bool = True) -> None:
        """Let another run, which is ready, take over at the next bar line, from the state there. Thread: any.

        `begin` starts it anew. Without `keeps_state` it begins from none.
        """
        self._offered.append(_Successor(run, descriptor, begin, keeps_state))

    @property
    def _run(self) -> GeneratorRun:
        return self._runs[-1]

    def _forget(self) -> None:
        self._bars: dict[int, _Bar] = {}
        self._expected_beat: float | None = None  # where the latest slice ended
        self._given_beat = 0.0  # the notes before it were given
        self._misses = 0.0
        self._missed_since: float | None = None
        self._asked_since: float | None = None  # the first bar of this run, until there is an answer

    def reset(self) -> None:
        """Let the generator begin a new session; one that was given up has another chance."""
        self._failures, self._state, self.refusal = 0, None, None
        self._forget()
        if self._successor is not None:
            self._successor.first_bar = None
        if self._is_down or self._run.fault is not None:
            self._is_down = False
            self._replace_run()
        else:
            self._run.reset(None)

    def prepare(self, parameters: MusicParameters, context: MusicContext, bar: int) -> None:
        """Ask for a bar that will probably be played so."""
        if not self._is_down and self._run.is_ready and bar not in self._bars:
            run = self._run if self._successor is None else self._successor.run
            self._ask(run, parameters, context, bar, float(bar * context.beats_per_bar))

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the notes of a slice that have come; raises PlayerFault."""
        if self._is_down:
            raise PlayerFault(PlayerState.FAILED, "it is not there")
        if not self._waits and self._run.fault is not None:
            self._fail(PlayerState.FAILED, self._run.fault)  # at once, even if this bar was answered
        bar = context.bar_at(start_beat)
        if self._offered or self._successor is not None:
            self._let_successor_enter(bar)
        for past in [one for one in self._bars if one < bar]:
            self._finish_bar(past)
        if start_beat != self._expected_beat:
            self._given_beat = start_beat
        self._expected_beat = end_beat
        asked = self._bars.get(bar)
        if asked is not None and asked.follows:
            asked.state_before, asked.follows = self._state, False
        is_new = asked is None or asked.basis != Basis.of(context)
        if asked is None or is_new:
            asked = self._ask(self._run, parameters, context, bar, start_beat)
            self._given_beat = start_beat
        elif asked.is_outdated or asked.request.values != self._values:
            former = self._take(asked, waits_at_end=False)
            if former is not None:  # else one request waits already
                asked = self._ask(self._run, parameters, context, bar, asked.request.start_beat)
                asked.former = former
                self._ask_later_bars(bar)
        answer = self._take(asked, waits_at_end=context.closing and is_new)
        if answer is None:
            self._count_miss(bar)
            answer = asked.former
            if answer is None:
                return ()
        else:
            self._misses, self._missed_since = max(0.0, self._misses - OVERRUN_DECAY), None
        self.refusal = self.refusal or answer.refusal
        return self._cut(answer, context.bpm, start_beat, end_beat)

    def peek(self, bar: int) -> Sequence[NoteEvent] | None:
        """Return a bar's notes, if it was asked for and they have come; raises PlayerFault."""
        asked = self._bars.get(bar)
        answer = None if asked is None or self._is_down else self._take(asked, waits_at_end=False)
        return None if answer is None else answer.notes

    def is_back(self) -> bool:
        """Tell whether it can play again, at a bar line; raises PlayerFault if it failed again."""
        self._take_offered()
        if self._successor is not None:
            self._state = self._state if self._successor.keeps_state else None
            self._hand_over(self._successor)
            self._run.reset(self._state)
        if self.is_given_up or self._is_closed:
            return False
        if self._waits:
            self._run.wait_until_ready(LOAD_SECONDS)
        if self._run.fault is not None:
            self._fail(PlayerState.FAILED, self._run.fault)
        if self._run.is_ready:
            self._is_down = False
            self._forget()
        return self._run.is_ready

    def close(self) -> None:
        """End the generator's process; returns at once."""
        self._is_down = self._is_closed = True
        for successor in (*self._offered, *filter(None, (self._successor,))):
            successor.run.close()
        self._run.close()

    def join(self, seconds: float) -> None:
        """Wait for the end of its processes, at most so long for each."""
        for run in self._runs:
            run.join(seconds)

    def _ask(
        self, run: GeneratorRun, parameters: MusicParameters, context: MusicContext, bar: int, start_beat: float
    ) -> _Bar:
        asked_before = self._bars.get(bar)
        state = self._state if asked_before is None or asked_before.is_outdated else asked_before.state_before
        values, successor = self._values, self._successor
        if successor is not None and run is successor.run:
            values, state = self._adapt_values(successor), state if successor.keeps_state else None
        if asked_before is not None:
            if state is not None:
                run.reset(state)  # as it was before the bar, which it has played otherwise
            for later in (one for number, one in self._bars.items() if number > bar):
                later.is_outdated = True
        end_beat = float((bar + 1) * context.beats_per_bar)
        request = self._build_request(parameters, context, start_beat, end_beat, values)
        self._last_request = request
        asked = self._bars[bar] = _Bar(Basis.of(context), request, run.ask(request), state)
        if self._asked_since is None:
            self._asked_since = self._clock.now()
        return asked

    def _ask_later_bars(self, bar: int) -> None:
        """Ask again, with the present values, for the bars after one that was asked for again."""
        if self._successor is not None:
            return  # which has been asked for them
        for number, later in [one for one in self._bars.items() if one[0] > bar]:
            reply = later.answer or self._run.take(later.number)
            former = reply if isinstance(reply, BarAnswer) else later.former
            request = msgspec.structs.replace(later.request, values=dict(self._values))
            again = _Bar(later.basis, request, self._run.ask(request), None, former, follows=True)
            self._bars[number] = again

    def _let_successor_enter(self, bar: int) -> None:
        """Ask the successor for the bars to come, and hand over to it at the bar line."""
        self._take_offered()
        successor = self._successor
        if successor is None:
            return
        if successor.run.fault is not None:
            self._dismiss(successor)
        elif successor.first_bar is None:
            successor.first_bar = bar + 1
            state = self._state if successor.keeps_state else None
            successor.run.reset(state)
            values = self._adapt_values(successor)
            for number, asked in self._bars.items():
                if number > bar:
                    request = msgspec.structs.replace(asked.request, values=values)
                    self._bars[number] = _Bar(asked.basis, request, successor.run.ask(request), state)
        elif bar >= successor.first_bar:
            self._hand_over(successor)

    def _take_offered(self) -> None:
        if not self._offered:
            return
        if self._successor is not None:  # a newer one came before its bar did
            self._dismiss(self._successor)
        self._successor = self._offered.popleft()

    def _adapt_values(self, successor: _Successor) -> dict[str, Value]:
        return adapt_values(successor.descriptor.parameters, self._values) if self._values else {}

    def _dismiss(self, successor: _Successor) -> None:
        """End a successor that does not take over."""
        successor.run.close()
        if successor.first_bar is not None:
            self._bars = {number: asked for number, asked in self._bars.items() if number < successor.first_bar}
        self._successor = None

    def _hand_over(self, successor: _Successor) -> None:
        """Let the successor play from here on; failures count anew."""
        self._run.close()
        del self._runs[:-MAX_FAILURES]
        self._runs.append(successor.run)
        self._values = self._adapt_values(successor)
        self.descriptor, self._begin_run = successor.descriptor, successor.begin
        self._successor, self._failures, self.refusal = None, 0, None

    def _build_request(
        self,
        parameters: MusicParameters,
        context: MusicContext,
        start_beat: float,
        end_beat: float,
        values: Mapping[str, Value],
    ) -> Generate | Process:
        return build_generate(parameters, context, start_beat, end_beat, values)

    def _take(self, asked: _Bar, *, waits_at_end: bool) -> BarAnswer | None:
        """Return a bar's answer if it is there; raises PlayerFault."""
        if asked.answer is not None:
            return asked.answer
        if self._waits or waits_at_end:
            reply = self._run.wait(asked.number, self._offline_seconds if self._waits else CLOSING_SECONDS)
        else:
            reply = self._run.take(asked.number)
        if isinstance(reply, PlayerFault):
            self._fail(reply.state, reply.reason)
        if reply is None and self._run.fault is not None:
            self._fail(PlayerState.FAILED, self._run.fault)
        if reply is None and self._waits:
            self._fail(PlayerState.TOO_SLOW, f"it did not answer within {self._offline_seconds:g} s")
        if isinstance(reply, BarAnswer):
            asked.answer = reply
            if not asked.is_outdated:
                self._state = reply.state
            self._asked_since = float("-inf")
        return asked.answer

    def _finish_bar(self, bar: int) -> None:
        """Forget a bar that is over; one that was answered ends a row of failures."""
        if self._bars.pop(bar).answer is not None:
            self._failures = 0

    def _cut(self, answer: BarAnswer, bpm: float, start_beat: float, end_beat: float) -> list[NoteEvent]:
        """Return the notes up to the end of a slice that were not given yet, but those whose beat is over."""
        first = max(self._given_beat, start_beat - LATE_SECONDS * bpm / 60.0)
        lost = sum(self._given_beat <= note.onset_beats < first for note in answer.notes)
        if lost and self.refusal is None:
            self.refusal = f"{plural(lost, 'note')} came after the beat; it must answer sooner"
        self._given_beat = end_beat
        return [note for note in answer.notes if first <= note.onset_beats < end_beat]

    def _count_miss(self, bar: int) -> None:
        """Count a slice without an answer; raises PlayerFault for one that hangs."""
        now = self._clock.now()
        if self._asked_since is not None and now - self._asked_since < FIRST_CALL_SECONDS:
            return  # it may still be loading
        self._missed_since = now if self._missed_since is None else self._missed_since
        self._misses += 1.0
        if self._misses >= MAX_OVERRUNS and now - self._missed_since >= HANG_SECONDS:
            self._fail(PlayerState.TOO_SLOW, f"it did not answer for bar {bar + 1} in time")

    def _fail(self, state: PlayerState, reason: str) -> None:
        """Replace the run, or give it up; raises PlayerFault."""
        self._failures += 1
        self._is_down = True
        self._run.give_up(reason)
        if self.is_given_up:
            raise PlayerFault(state, f"{reason}; given up after {MAX_FAILURES} failures in a row")
        self._replace_run()
        raise PlayerFault(state, f"{reason}; it is started again")

    def _replace_run(self) -> None:
        self._run.give_up("it is started again")
        self._forget()
        del self._runs[:-MAX_FAILURES]  # they have ended by now
        self._runs.append(self._begin_run(self._state))


def _close_last(runs: Sequence[GeneratorRun]) -> None:
    runs[-1].close()
