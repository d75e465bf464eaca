"""The live engine: from options to a session that plays, for any program.

    with LiveEngine(LiveOptions(midi_out="IAC")) as engine:
        engine.observe(lambda snapshot: print(snapshot.reading.state.emotion))
        engine.act("emotion", "sad")

Threads: `start` plays in a thread of its own, `run` in the caller's. `act`, `snapshot`, `observe`, `stop`, `wait` and
`request_stop` may be called from any thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING

from kelly_live.control.keyboard import SHORT_HELP
from kelly_live.core.actions import Action, Value
from kelly_live.core.errors import ConfigError, KellyError
from kelly_live.core.memory import check_memory
from kelly_live.core.timebase import MonotonicClock
from kelly_live.core.wording import plural
from kelly_live.engine.build import Notify, log_notice
from kelly_live.engine.console import Console, Display
from kelly_live.engine.live_parts import ActionQueue, LiveParts, LogDisplay
from kelly_live.engine.observers import DEFAULT_MAX_HERTZ, Observation, Observers
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.session import Snapshot, describe_input_loss
from kelly_live.engine.session_parts import SessionParts, create_parts, open_parts
from kelly_live.workers.realtime import enable_realtime, end_session, freeze_gc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kelly_live.core.control_surface import ControlSurface
    from kelly_live.generators.automation import ParameterState

_log = logging.getLogger(__name__)


class EngineError(KellyError):
    """The engine was used in the wrong order: before its start, after its end, or a second time."""


@dataclass(frozen=True, slots=True)
class LiveReport:
    """How a session ended: its last snapshot, and what was written, one line each."""

    snapshot: Snapshot
    file_lines: tuple[str, ...]

    def describe(self) -> list[str]:
        """Say what was written, and what was sent, late and lost, one line each."""
        last = self.snapshot
        return [
            *self.file_lines,
            f"stopped: {plural(last.scheduler.sent_messages, 'event')} sent, {last.scheduler.late_messages} late, "
            f"{plural(last.scheduler.dropped_notes, 'note')} dropped{_describe_limited(last)}; "
            f"{describe_input_loss(last)}",
        ]


def _describe_limited(last: Snapshot) -> str:
    count = last.scheduler.limited_notes
    return f", {plural(count, 'note')} held to the limits" if count else ""


class _Phase(Enum):
    NEW = "not started"
    OPEN = "open"
    RUNNING = "running"
    ENDED = "ended"


class LiveEngine:
    """One live session: start it once, stop it once.

    A context manager starts it on entry and stops it on exit. `notify` is called with lines that the user should read
    while the parts are built; they go to the log by default.
    """

    def __init__(
        self, options: LiveOptions | None = None, parts: LiveParts | None = None, *, notify: Notify = log_notice
    ) -> None:
        """Open nothing yet. Raises ConfigError if parts and options exclude each other."""
        self.options = options or LiveOptions()
        self._parts = parts or LiveParts()
        if self._parts.journal is not None and self.options.recording.is_recording:
            raise ConfigError("a session that is recorded takes no other journal; leave out one of the two")
        self._notify = notify
        self._phase = _Phase.NEW
        self._changing = threading.Lock()
        self._stop_requested = threading.Event()
        self._started, self._ended = threading.Event(), threading.Event()
        self._actions = ActionQueue()
        self._shows_coming = False
        self._clock = self._parts.clock or MonotonicClock()
        self._observers: Observers[Snapshot] = Observers(self._clock)
        self._session_parts: SessionParts | None = None
        self._thread: threading.Thread | None = None
        self._last: Snapshot | None = None
        self._report: LiveReport | None = None
        self._failure: BaseException | None = None

    # ------------------------------------------------------------ for a program

    def start(self) -> None:
        """Open everything and play in a thread of its own; returns once the music runs. Raises KellyError."""
        with self._changing:
            if self._phase is not _Phase.NEW or self._thread is not None:
                raise EngineError(f"the engine is {self._phase.value}; make a new one for a new session")
            self._thread = threading.Thread(target=self._run_in_thread, name="engine", daemon=True)
            self._thread.start()
        self._started.wait()
        if self._failure is not None and self._report is None and self._last is None:
            failure, self._failure = self._failure, None
            raise failure

    def stop(self) -> LiveReport:
        """End the session, wait until every part has stopped, and report. Safe to call twice.

        Raises EngineError before a start, and the KellyError of a part that failed.
        """
        self.request_stop()
        if self._thread is None and self._phase is _Phase.NEW:
            raise EngineError("the engine was not started; call start first")
        if self._thread is not None:
            self._thread.join()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if self._report is None:
            raise EngineError("the engine failed to start, or it is still running in another thread")
        return self._report

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the session has ended by itself, or for this long; returns whether it has ended."""
        return self._ended.wait(timeout_seconds)

    def act(self, action: Action | str, value: Value = None) -> bool:
        """Do something a performer can do (`kelly_live.core.actions.ACTIONS`), within 5 ms.

        Returns False if too many actions wait; the action is dropped then. Raises ConfigError for an action that does
        not exist or does not take the value, EngineError when nothing runs.
        """
        parsed_action = Action(action, value) if isinstance(action, str) else action
        if self._phase is not _Phase.RUNNING:
            raise EngineError(f"the engine is {self._phase.value}; start it before it can act")
        is_put, session_parts = self._actions.put(parsed_action), self._session_parts
        if session_parts is not None and session_parts.session is not None:
            session_parts.session.wake()
        return is_put

    def set_parameter(self, address: str, value: Value) -> bool:
        """Set a parameter of a player or effect while it plays: `set_parameter("melody.octave", 1)`.

        `address`: PLAYER.PARAMETER or PLAYER.EFFECT.PARAMETER. `value`: of the parameter's own type, or text as --set
        takes it, "50%" for the middle of its range. A number moves there within two beats. Returns as `act`. Raises
        ConfigError, with the names that there are, and EngineError when nothing runs.
        """
        session_parts = self._session_parts
        if session_parts is not None:
            session_parts.band.resolve_setting(address, "" if value is None else value)
        text = ("on" if value else "off") if isinstance(value, bool) else value
        return self.act("set", f"{address}={text}")

    @property
    def parameters(self) -> tuple[ParameterState, ...]:
        """The parameters of the players and effects, with their addresses and values; () when nothing is open."""
        session_parts = self._session_parts
        return () if session_parts is None else session_parts.band.parameters

    def snapshot(self) -> Snapshot:
        """Return what the session does now, or did last. Raises EngineError before the start."""
        session_parts = self._session_parts  # once: another thread may end the session meanwhile
        session = None if session_parts is None else session_parts.session
        if self._last is not None:
            return self._last
        if session is None:
            raise EngineError("the engine is not started; there is nothing to show yet")
        return session.snapshot()

    def observe(
        self, callback: Callable[[Snapshot], object], *, max_hertz: float = DEFAULT_MAX_HERTZ
    ) -> Observation[Snapshot]:
        """Call `callback` with snapshots, at most `max_hertz` a second, from a thread of its own.

        A slow observer misses snapshots; one that takes over a second, or raises, is dropped. Raises ConfigError.
        """
        return self._observers.observe(callback, max_hertz=max_hertz)

    def show_coming(self, is_shown: bool = True) -> None:
        """Put the coming bars into the snapshots (`Snapshot.coming`), or no longer; they cost some processor time."""
        self._shows_coming = is_shown

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The ids of the session's processes: audio capture, analysis and a sender for each MIDI port."""
        from kelly_live.engine.audio_input import find_capture

        session_parts = self._session_parts
        if session_parts is None:
            return ()
        audio = find_capture(session_parts.source)
        capture = None if audio is None else audio.process_id
        analysis = None if session_parts.analysis_proxy is None else session_parts.analysis_proxy.process_id
        return tuple(number for number in (capture, analysis, *session_parts.sink.process_ids) if number is not None)

    @property
    def is_running(self) -> bool:
        """Whether the session plays."""
        return self._phase is _Phase.RUNNING

    def __enter__(self) -> LiveEngine:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()
            return
        self.request_stop()
        if self._thread is not None:
            self._thread.join()

    # ------------------------------------------------------------ for the caller's own thread

    def open(self) -> None:
        """Open every port and load the nets, the cheap parts first.

        Raises KellyError, and then nothing stays open.
        """
        with self._changing:
            if self._phase is not _Phase.NEW:
                raise EngineError(f"the engine is {self._phase.value}; make a new one for a new session")
            self._phase = _Phase.OPEN
        try:
            enable_realtime()  # first, as the close of a start that fails ends it
            check_memory()  # a worker has the same limit, and a native library in it would end it without a word
            self._open()
        except BaseException:
            self._close()
            raise

    def describe(self) -> list[str]:
        """Say what is open, one line each."""
        session_parts = self._session_parts
        if session_parts is None:
            return []
        page = session_parts.page
        return [*session_parts.lines, *(() if page is None else page.describe())]

    def own_keys(self) -> Mapping[str, Action | None]:
        """Return the actions that the profile gives to single keys."""
        person = None if self._session_parts is None else self._session_parts.person
        return {} if person is None else person.keys

    def run(self, display: Display | None = None, surfaces: Sequence[ControlSurface] = ()) -> LiveReport:
        """Play in the calling thread until the end, after `open`. Raises KellyError.

        `display` shows the session, `surfaces` control it, beside those that the options name.
        """
        session_parts = self._session_parts
        if (
            self._phase is not _Phase.OPEN
            or session_parts is None
            or session_parts.session is None
            or session_parts.person is None
        ):
            raise EngineError(f"the engine is {self._phase.value}; open it before it can run")
        try:
            page, shown = session_parts.page, display or LogDisplay()
            pages = () if page is None else (page,)
            console = Console(
                session_parts.session,
                shown if page is None else page.wrap_display(shown),
                (*surfaces, *session_parts.external_io.create_surfaces(self._notify), *pages, self._actions),
                person=session_parts.person,
                reader=session_parts.analysis_proxy,
                band=session_parts.band,
                sink=session_parts.sink,
                external_io=session_parts.external_io,
                recorder=session_parts.recorder,
                clock=self._clock,
                follow=session_parts.follow,
                count_in=self.options.count_in,
                reloader=session_parts.reloader,
                page_problem=lambda: None if page is None else page.problem,
                cues=session_parts.cues,
                iso=session_parts.iso,
            )
            if page is not None:
                page.attach(
                    session_parts.band, session_parts.person, recorder=session_parts.recorder,
                    follow=session_parts.follow, recoveries=lambda: console.recoveries,
                    wake=session_parts.session.wake,
                )  # fmt: skip
            if display is not None and any(surface.name == "key" for surface in surfaces):
                display.say(SHORT_HELP)
            freeze_gc()
            session = session_parts.session

            def on_status(snapshot: Snapshot) -> None:
                if self._stop_requested.is_set():
                    session.stop()
                console.update(snapshot)
                session.show_coming(self._shows_coming or (page is not None and page.has_viewers))
                self._observers.publish(snapshot)

            if page is not None:
                self.observe(page.show, max_hertz=page.states_per_second)
            for line in session_parts.lines:
                _log.info("%s", line)
            self._phase = _Phase.RUNNING
            self._started.set()
            last = self._last = session.run(on_status)
        except BaseException:
            for line in self._close():  # what was recorded until then
                self._notify(line)
            raise
        report = self._report = LiveReport(last, tuple(self._close()))
        _log.info("%s", report.describe()[-1])
        return report

    def request_stop(self) -> None:
        """Ask the session to end, and return at once; safe from a signal handler."""
        self._stop_requested.set()
        session_parts = self._session_parts  # once: another thread may end the session meanwhile
        session = None if session_parts is None else session_parts.session
        if session is not None:
            session.stop()

    # ------------------------------------------------------------ inside

    def _run_in_thread(self) -> None:
        try:
            self.open()
            self.run()
        except BaseException as error:  # raised by `start` or `stop`, in the caller's thread
            self._failure = error
        finally:
            self._started.set()

    def _open(self) -> None:
        parts = self._session_parts = create_parts(self.options, self._parts, self._clock, self._notify)
        open_parts(parts, self.options, self._parts, self._notify)

    def _close(self) -> list[str]:
        """Close all that is open, in order; returns what the recorder wrote, one line each."""
        try:
            return [] if self._session_parts is None else self._session_parts.close()
        finally:
            self._end()

    def _end(self) -> None:
        self._session_parts = None
        self._observers.close()
        end_session()
        self._phase = _Phase.ENDED
        self._ended.set()
