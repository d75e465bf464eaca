"""What a session is connected to beside audio in and MIDI out: MIDI in, clock, Link, OSC and LSL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.core.wording import plural

if TYPE_CHECKING:
    from kelly_live.control.lsl_surface import LslSurface
    from kelly_live.control.midi_map import MidiSurface
    from kelly_live.control.osc_surface import OscSurface
    from kelly_live.core.control_surface import ControlSurface
    from kelly_live.core.protocols import NoteSink, SyncSource
    from kelly_live.core.timebase import Clock
    from kelly_live.engine.options.external_io import ControllerOptions, ExternalIOOptions
    from kelly_live.engine.session import Expression
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
        self.osc: OscSurface | None = None
        self.lsl: LslSurface | None = None
        self.controls: MidiSurface | None = None

    @property
    def problem(self) -> str | None:
        """Why the MIDI input is lost, for as long as it is."""
        return self.midi_in.problem if self.midi_in is not None else None

    @property
    def osc_problem(self) -> str | None:
        """Why no OSC arrives where it is sent, for as long as that lasts."""
        return self.osc.problem if self.osc is not None else None

    @property
    def lsl_problem(self) -> str | None:
        """Why a stream of others steers nothing, for as long as that lasts."""
        return self.lsl.problem if self.lsl is not None else None

    @property
    def losses(self) -> dict[str, tuple[int, str]]:
        """How many messages each input has left out so far, and a line that says so."""
        losses = {}
        if self.midi_in is not None:
            count = self.midi_in.overflows
            line = f"MIDI input: left out {plural(count, 'message')}, too many at once or not valid MIDI"
            losses["midi"] = count, line
        if self.controls is not None:
            count = self.controls.refused_presses
            losses["controls"] = (
                count,
                f"MIDI controls: left out {plural(count, 'press', 'presses')}, too many a second",
            )
        if self.osc is not None:
            count = self.osc.refused_messages
            losses["osc"] = count, f"OSC input: refused {plural(count, 'message')}, at last {self.osc.refusal}"
        return losses

    @property
    def sync_sources(self) -> tuple[SyncSource, ...]:
        """What the band can synchronise to, the MIDI clock before Link."""
        return tuple(source for source in (self.midi_clock, self.link) if source is not None)

    @property
    def beat_name(self) -> str | None:
        """What the beat is taken from now, in a word: "clock", "Link" or None (the input's sound)."""
        if self.midi_clock is not None and self.midi_clock.has_beat:
            return "clock"
        return "Link" if self.link is not None and self.link.peers else None

    def create_surfaces(self, notify: Callable[[str], None]) -> tuple[ControlSurface, ...]:
        """Return the control surfaces of what is open.

        Where the file of learned MIDI controls is wrong, `notify` is told, and the default ones apply.
        """
        surfaces: list[ControlSurface] = []
        surfaces += [one for one in (self.osc, self.lsl) if one is not None]
        if self.input is not None:
            from kelly_live.control.midi_map import MidiMap, MidiSurface, add_defaults, load_bindings

            try:
                bindings = load_bindings()
            except ConfigError as error:
                notify(f"{error}; until then the default MIDI controls apply")
                bindings = ()
            self.controls = MidiSurface(self.input.branch(), MidiMap(add_defaults(bindings)))
            surfaces.append(self.controls)
        return tuple(surfaces)

    def describe(self) -> list[str]:
        """Say what is open, one line each."""
        lines = []
        if self.midi_in is not None:
            virtual = " (a virtual port: connect to it)" * self.midi_in.is_virtual
            lines.append(f"MIDI input: {self.midi_in.name!r}{virtual}")
        return [*lines, *(line for one in (self.osc, self.lsl) if one is not None for line in one.describe())]

    def remarks(self) -> list[str]:
        """Say what the status line should show of all this, except for `problem`."""
        remarks = []
        if self.midi_clock is not None and self.problem is None and (state := self.midi_clock.state):
            remarks.append(state)
        if self.link is not None:
            peers = self.link.peers
            remarks.append(f"Link: {peers} other{'s' * (peers != 1)}" if peers else "Link: nobody else")
        if self.osc is not None and self.osc.refused_messages:
            remarks.append(f"OSC refused {self.osc.refused_messages}, at last {self.osc.refusal}")
        return remarks

    def close(self) -> None:
        """Close everything. Safe to call twice."""
        for one in (self.osc, self.lsl, self.link, self.midi_in):
            if one is not None:
                one.close()


def open_external_io(options: ExternalIOOptions, clock: Clock) -> ExternalIO:
    """Open what is asked for; nothing stays open if any of it cannot be opened. Raises KellyError."""
    external_io = ExternalIO()
    try:
        _open(external_io, options, clock)
    except BaseException:
        external_io.close()
        raise
    return external_io


def _open(external_io: ExternalIO, options: ExternalIOOptions, clock: Clock) -> None:
    if options.osc is not None or options.osc_in is not None:
        from kelly_live.control.osc_surface import open_osc

        external_io.osc = open_osc(options.osc, options.osc_in, clock)
    if options.lsl is not None or options.lsl_in:
        from kelly_live.control.lsl_surface import open_lsl

        external_io.lsl = open_lsl(options.lsl, options.lsl_in, clock)
    if options.midi_in is not None or options.clock == "follow":
        from kelly_live.midi.inputs import SharedInput
        from kelly_live.midi.supervised_input import SupervisedInput

        external_io.midi_in = SupervisedInput(options.midi_in, clock).start()
        external_io.input = SharedInput(external_io.midi_in)
    if options.clock == "follow" and external_io.input is not None:
        from kelly_live.sync.midi_clock import MidiClockSource

        external_io.midi_clock = MidiClockSource(external_io.input.branch())
    if options.clock == "link":
        from kelly_live.sync.link import open_link

        external_io.link = open_link(clock)


def create_controller_output(options: ControllerOptions, sink: NoteSink) -> Expression | None:
    """Return what turns emotion states into controllers and hands them to `sink`; None if none are set."""
    if options.numbers is None:
        return None
    from kelly_live.control.emotion_controllers import EmotionControls

    return EmotionControls(dict(options.numbers), options.channel).send_to(sink)
