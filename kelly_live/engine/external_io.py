"""What a session is connected to beside audio in and MIDI out: MIDI in, clock, Ableton Link, OSC in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError

if TYPE_CHECKING:
    from kelly_live.control.osc_address import Place
    from kelly_live.control.osc_input import OscIn
    from kelly_live.control.osc_output import OscOut
    from kelly_live.core.actions import Action
    from kelly_live.core.protocols import NoteSink, SyncSource
    from kelly_live.core.timebase import Clock
    from kelly_live.engine.options.external_io import ControllerOptions, ExternalIOOptions
    from kelly_live.engine.session import Expression, Snapshot
    from kelly_live.midi.inputs import SharedInput
    from kelly_live.midi.supervised_input import SupervisedInput
    from kelly_live.sync.link import LinkSyncSource
    from kelly_live.sync.midi_clock import MidiClockSource


class ExternalIO:
    """What is open. Thread: the main one; the conductor's asks the `sync_sources`."""

    def __init__(self) -> None:
        self.midi_in: SupervisedInput | None = None
        self.input: SharedInput | None = None  # the same MIDI input, for everything that reads from it
        self.midi_clock: MidiClockSource | None = None
        self.link: LinkSyncSource | None = None
        self.osc_in: OscIn | None = None
        self.osc_to: Place | None = None
        self._osc_out: OscOut | None = None

    @property
    def problem(self) -> str | None:
        """Why the MIDI input is lost, for as long as it is."""
        return self.midi_in.problem if self.midi_in is not None else None

    @property
    def sync_sources(self) -> tuple[SyncSource, ...]:
        """What the band can synchronise to, the MIDI clock before Link."""
        return tuple(source for source in (self.midi_clock, self.link) if source is not None)

    def describe(self) -> list[str]:
        """Say what is open, one line each."""
        lines = []
        if self.midi_in is not None:
            virtual = " (a virtual port: connect to it)" * self.midi_in.is_virtual
            lines.append(f"MIDI input: {self.midi_in.name!r}{virtual}")
        if self.osc_to is not None:
            lines.append(f"OSC output: {self.osc_to}")
        if self.osc_in is not None:
            open_to = "" if self.osc_in.place.is_loopback else ", open to the network"
            lines.append(f"OSC input: {self.osc_in.place}{open_to}")
        return lines

    def start_osc_output(self, snapshot: Callable[[], Snapshot]) -> None:
        """Begin to send OSC, if an address is set; a thread of its own calls `snapshot`."""
        if self.osc_to is None:
            return
        from kelly_live.control.osc_output import OscOut, Scene

        def scene() -> Scene:
            now = snapshot()
            music = now.conductor
            return Scene(now.reading.state, music.bpm, music.bar + 1, music.tonic, music.mode, music.chord)

        self._osc_out = OscOut(self.osc_to, scene).start()

    def poll_osc(self) -> list[Action]:
        """Return the actions that came in as OSC since the last call; what is no action is counted as refused."""
        from kelly_live.core.actions import ACTIONS, Action, Takes

        actions = []
        for name, value in self.osc_in.poll() if self.osc_in is not None else ():
            switch = name in ACTIONS and ACTIONS[name].takes is Takes.SWITCH and isinstance(value, float)
            try:
                actions.append(Action(name, bool(value) if switch else value))
            except ConfigError:
                assert self.osc_in is not None
                self.osc_in.refused += 1
        return actions

    def remarks(self) -> list[str]:
        """Say what the status line should show of all this, except for `problem`."""
        said = []
        if self.midi_clock is not None and self.problem is None and (state := self.midi_clock.state):
            said.append(state)
        if self.link is not None:
            peers = self.link.peers
            said.append(f"Link: {peers} other{'s' * (peers != 1)}" if peers else "Link: nobody else")
        if self.osc_in is not None and self.osc_in.refused:
            said.append(f"OSC refused {self.osc_in.refused}")
        return said

    def close(self) -> None:
        """Close everything. Safe to call twice."""
        for one in (self._osc_out, self.osc_in, self.link, self.midi_in):
            if one is not None:
                one.close()


def open_external_io(options: ExternalIOOptions, clock: Clock) -> ExternalIO:
    """Open what is asked for; nothing stays open if any of it cannot be opened. Raises KellyError."""
    opened = ExternalIO()
    try:
        _open(opened, options, clock)
    except BaseException:
        opened.close()
        raise
    return opened


def _open(opened: ExternalIO, options: ExternalIOOptions, clock: Clock) -> None:
    if options.osc is not None:
        from kelly_live.control.osc_address import resolve_place

        opened.osc_to = resolve_place(options.osc)
    if options.osc_in is not None:
        from kelly_live.control.osc_address import resolve_place
        from kelly_live.control.osc_input import OscIn

        opened.osc_in = OscIn(resolve_place(options.osc_in))
    if options.midi_in is not None or options.clock == "follow":
        from kelly_live.midi.inputs import SharedInput
        from kelly_live.midi.supervised_input import SupervisedInput

        opened.midi_in = SupervisedInput(options.midi_in, clock).start()
        opened.input = SharedInput(opened.midi_in)
    if options.clock == "follow" and opened.input is not None:
        from kelly_live.sync.midi_clock import MidiClockSource

        opened.midi_clock = MidiClockSource(opened.input.branch())
    if options.clock == "link":
        from kelly_live.sync.link import open_link

        opened.link = open_link(clock)


def create_controller_output(options: ControllerOptions, sink: NoteSink) -> Expression | None:
    """Return what turns emotion states into controllers and hands them to `sink`; None if none are set."""
    if options.numbers is None:
        return None
    from kelly_live.control.emotion_controllers import EmotionControls

    return EmotionControls(dict(options.numbers), options.channel).send_to(sink)
