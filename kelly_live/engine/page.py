"""The session's end of the page: what browsers see, and what they ask for.

Threads: `send` of the tee is the conductor's, `show` an observer's, all else the console's. None waits for the page.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kelly_live.core.actions import Action
from kelly_live.core.commands import Notes, SinkCommand
from kelly_live.core.control_surface import ControlView
from kelly_live.core.errors import ConfigError, KellyError, WorkerError
from kelly_live.core.page_messages import (
    Broadcast,
    FromPage,
    PageAction,
    PageFailed,
    PageOpened,
    PageViewers,
    ServePage,
)
from kelly_live.core.protocols import EmotionOverride, NoteSink, SchedulerHealth
from kelly_live.core.queues import drain
from kelly_live.engine.page_state import SetupReader, build_coming, build_notes, build_state
from kelly_live.ui.page import api
from kelly_live.ui.status import LiveStatus
from kelly_live.workers.process import WorkerProcess, module_command

if TYPE_CHECKING:
    from kelly_live.core.values import NoteEvent
    from kelly_live.engine.coming_bars import ComingBars
    from kelly_live.engine.console import Display
    from kelly_live.engine.follow_switch import FollowSwitch
    from kelly_live.engine.options.page import PageOptions
    from kelly_live.engine.person import Person
    from kelly_live.engine.session import Snapshot
    from kelly_live.generators.preset_band import PresetBand
    from kelly_live.recording.recorder import Recorder

OPEN_SECONDS = 15.0
_WAITING_ACTIONS, _WAITING_NOTES = 256, 2048
_OUTBOX_MESSAGES = 128
_CLOSE_SECONDS = 2.0
_RETRY_STATES = 60  # about two seconds between two tries to start a page that was lost
_SETUP_STATES = 6  # five times a second

_log = logging.getLogger(__name__)


class PageError(KellyError):
    """The page can't be served."""


class Page:
    """A ControlSurface, and what shows a session to browsers. `open` first. Raises PageError."""

    name = "page"
    states_per_second = 30.0

    def __init__(self, options: PageOptions) -> None:
        self._options = options
        self._token, self._watch_token = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self._actions: deque[Action] = deque(maxlen=_WAITING_ACTIONS)
        self._notes: deque[NoteEvent] = deque(maxlen=_WAITING_NOTES)
        self._override, self._remarks, self._standby = EmotionOverride(), "", ""
        self._process: WorkerProcess[FromPage] | None = None
        self._opened = threading.Event()
        self._port: int | None = None
        self._problem: str | None = None
        self._loss: str | None = None  # from the process's end until the next one serves
        self._states_lost = 0
        self._is_closed = False
        self._viewers = 0
        self._coming: ComingBars | None = None  # as it was sent last
        self._setup_reader: SetupReader | None = None
        self._recoveries: Callable[[], Mapping[str, int]] = dict
        self._wake: Callable[[], object] = lambda: None
        self._setup: api.Setup | None = None  # as it was sent last
        self._states = 0

    # ------------------------------------------------------------ the console's thread

    def open(self) -> None:
        """Start to serve. Raises PageError."""
        self._start(self._options.port)
        self._opened.wait(OPEN_SECONDS)
        if self._port is None:
            problem = self._problem or (self._process and self._process.error) or "the page did not start; try again"
            self.close()
            raise PageError(problem)

    def describe(self) -> list[str]:
        """Say where the page is, one line each."""
        address = f"http://{self._options.shown_host}:{self._port}"
        steering = f"{address}/?token={self._token}"
        lines = [f"page: {steering}", f"to look only: {address}/show?token={self._watch_token}"]
        if self._options.is_for_others:
            from kelly_live.ui.page.qr_code import draw_qr_code

            lines += draw_qr_code(steering)
        return lines

    @property
    def problem(self) -> str | None:
        """Why the page is lost, in a line, for as long as it is."""
        return self._loss

    @property
    def has_viewers(self) -> bool:
        """Whether a browser or a program is connected."""
        return self._viewers > 0

    def attach(
        self, band: PresetBand, person: Person, *,
        recorder: Recorder | None, follow: FollowSwitch | None, recoveries: Callable[[], Mapping[str, int]],
        wake: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        """Show who plays what and for whom, too; `recoveries` says how often each part was lost and came back.

        `wake` is called when an action has come, which `poll` returns.
        """
        self._setup_reader = SetupReader(band, person, recorder, follow)
        self._recoveries, self._wake = recoveries, wake

    def wrap(self, sink: NoteSink) -> NoteSink:
        """Return a sink that shows the page every note that it hands on."""
        return _PageTee(sink, self)

    def wrap_display(self, display: Display) -> Display:
        """Return a display that shows the page, too, the lines and remarks that it is given."""
        return _PageDisplay(display, self)

    def publish(self, view: ControlView) -> None:
        """Keep the override, which a snapshot does not hold."""
        self._override = view.override

    def poll(self) -> Sequence[Action]:
        """Return the actions since the last call, in order."""
        return drain(self._actions)

    def say(self, text: str) -> None:
        """Show a line that the terminal prints."""
        self._send(Broadcast(api.encode(api.Line(text))))

    def close(self) -> None:
        """Serve no longer. Safe to call twice."""
        self._is_closed = True
        if self._process is not None:
            self._process.close(_CLOSE_SECONDS)

    # ------------------------------------------------------------ other threads

    def keep_notes(self, notes: Sequence[NoteEvent]) -> None:
        """Show notes that were sent to the port. Thread: the conductor's."""
        self._notes.extend(notes)

    def show(self, snapshot: Snapshot) -> None:
        """Show the session as it is now. Thread: an observer's."""
        if self._process is not None and self._process.is_lost and not self._is_closed:
            self._loss = f"{self._problem or self._process.error or 'the page ended'}; it is started again"
            self._states_lost += 1
            if self._states_lost % _RETRY_STATES == 0 and self._port is not None:
                self._start(self._port)
            return
        self._states_lost = 0
        if self._notes:
            notes = drain(self._notes)
            self._send(Broadcast(api.encode(api.Notes(build_notes(notes)))))
        if snapshot.coming is not self._coming:
            self._coming = snapshot.coming
            self._send(Broadcast(api.encode(build_coming(snapshot.coming)), key="coming"))
        state = build_state(snapshot, self._override, self._remarks, self._recoveries(), self._standby)
        reader = self._setup_reader
        self._send(Broadcast(api.encode(state), key="state"))
        if reader is not None and self._states % _SETUP_STATES == 0 and (setup := reader.read()) != self._setup:
            self._setup = setup
            self._send(Broadcast(api.encode(setup), key="setup"))
        self._states += 1

    def keep_remarks(self, remarks: str | None, standby: str = "") -> None:
        """Keep what the status line says beside its numbers, and the next cue."""
        self._remarks, self._standby = remarks or "", standby

    # ------------------------------------------------------------ inside

    def _start(self, port: int) -> None:
        self._problem = self._coming = self._setup = None
        self._viewers = 0
        self._process = WorkerProcess(
            module_command("kelly_live.ui.page.process"),
            name="the page",
            receives=FromPage,
            on_message=self._take,
            on_end=self._opened.set,
            outbox_messages=_OUTBOX_MESSAGES,
        )
        try:
            self._process.start()
        except WorkerError as error:
            self._problem = str(error)
            return
        self._send(ServePage(self._options.host, port, self._token, self._watch_token))

    def _send(self, message: ServePage | Broadcast) -> None:
        if self._process is not None:
            self._process.send(message)  # what finds no room is left out: the next state replaces it

    def _take(self, message: FromPage) -> None:
        """Thread: worker-read."""
        match message:
            case PageOpened(port):
                self._port, self._loss = port, None
                self._opened.set()
            case PageViewers(count):
                self._viewers = count
                self._setup = None  # who has just come has none
            case PageFailed(text):
                self._problem = text
                self._opened.set()
            case PageAction(name, value):
                try:
                    self._actions.append(Action(name, value))
                    self._wake()
                except ConfigError as error:  # the page checks it too
                    _log.warning("the page asked for no action: %s", error)


class _PageTee:
    """A NoteSink that shows the page every note that it hands on."""

    def __init__(self, sink: NoteSink, page: Page) -> None:
        self._sink, self._page = sink, page

    def send(self, command: SinkCommand) -> None:
        """Hand a command on."""
        self._sink.send(command)
        if isinstance(command, Notes):
            self._page.keep_notes(command.notes)

    def health(self) -> SchedulerHealth:
        """Return the sink's counters."""
        return self._sink.health()


class _PageDisplay:
    """A Display that shows the page the lines and remarks that another display shows."""

    def __init__(self, display: Display, page: Page) -> None:
        self._display, self._page = display, page

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._display.say(text)
        self._page.say(text)

    def show(self, status: LiveStatus) -> None:
        """Show the present status."""
        self._display.show(status)
        self._page.keep_remarks(status.remark, status.standby)
