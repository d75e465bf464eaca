"""The parts of a live session: created, opened, and closed again in order.

`create_parts` opens nothing that must be closed but the analysis process; `open_parts` opens the ports, the cheap ones
first, and loads the nets. Whoever calls them closes the parts, whether `open_parts` succeeded or not.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kelly_live.core.commands import Stop
from kelly_live.core.emotion_words import WordHold, load_words
from kelly_live.core.limits import NO_SESSION_LIMITS
from kelly_live.core.resources import select_models
from kelly_live.core.timebase import Clock
from kelly_live.engine.build import (
    Notify,
    build_band,
    build_sink,
    create_conductor,
    create_override_stage,
    create_reloader,
    load_profile,
    log_notice,
    supervise_beat_tracker,
)
from kelly_live.engine.cue_setup import create_cue_player, load_cues
from kelly_live.engine.cue_source import CueSource
from kelly_live.engine.expression_conflicts import report_learned_too, report_sent_twice
from kelly_live.engine.external_io import ExternalIO, create_controller_output, open_external_io
from kelly_live.engine.follow_switch import FollowSwitch
from kelly_live.engine.limits_watch import LimitsWatch, choose_limits
from kelly_live.engine.live_parts import LiveParts
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.own_notes import OwnNotes
from kelly_live.engine.record import insert_tee, start_recorder
from kelly_live.engine.session import LiveSession
from kelly_live.engine.session_report import close_recorder

if TYPE_CHECKING:
    from kelly_live.core.limits import Limits
    from kelly_live.core.protocols import AudioSource, EmotionReader
    from kelly_live.engine.analysis_proxy import AnalysisProxy
    from kelly_live.engine.cue_player import CuePlayer
    from kelly_live.engine.iso_principle import IsoPrinciple
    from kelly_live.engine.page import Page
    from kelly_live.engine.person import Person
    from kelly_live.generators.preset_band import PresetBand
    from kelly_live.generators.reloader import GeneratorReloader
    from kelly_live.midi.reports import PortReady
    from kelly_live.midi.routing import RoutedSink
    from kelly_live.profiles.profile import Profile
    from kelly_live.recording.recorder import Recorder


@dataclass(slots=True)
class SessionParts:
    """What an open session holds, and the lines that say what is open."""

    clock: Clock
    seed: int
    profile: Profile | None
    source: AudioSource
    band: PresetBand
    sink: RoutedSink
    external_io: ExternalIO
    reader: EmotionReader
    own_notes: OwnNotes
    analysis_proxy: AnalysisProxy | None = None
    person: Person | None = None
    recorder: Recorder | None = None
    reloader: GeneratorReloader | None = None
    session: LiveSession | None = None
    page: Page | None = None
    cues: CuePlayer | None = None
    iso: IsoPrinciple | None = None
    follow: FollowSwitch | None = None
    words: WordHold | None = None
    lines: tuple[str, ...] = ()

    def close(self) -> list[str]:
        """Close all that is open, in order; returns what the recorder wrote, one line each."""
        paths: list[str] = []
        with ExitStack() as stack:  # the last one first; one that fails, a program's own part, keeps no other open
            if self.person is not None:
                stack.callback(self.person.close)
            stack.callback(self.reader.close)
            if (recorder := self.recorder) is not None:
                stack.callback(lambda: paths.extend(close_recorder(recorder)))
            stack.callback(self.band.close)
            if self.reloader is not None:
                stack.callback(self.reloader.close)
            stack.callback(self.external_io.close)
            stack.callback(self.sink.send, Stop())
            if self.page is not None:
                stack.callback(self.page.close)
            stack.callback(self.source.close)
        return paths


def create_parts(options: LiveOptions, parts: LiveParts, clock: Clock, notify: Notify = log_notice) -> SessionParts:
    """Create what a session needs, with a program's own `parts` in the place of ours. Raises KellyError."""
    from kelly_live.engine.analysis_proxy import AnalysisProxy
    from kelly_live.engine.audio_input import create_source
    from kelly_live.midi.ports import BUILT_IN_SYNTH

    select_models(options.models)  # before the analysis process starts, which inherits the choice
    words = None if options.words is None else WordHold(load_words(options.words))
    analysis_proxy = None
    if parts.reader is None:
        analysis_proxy = AnalysisProxy(clock)
        analysis_proxy.start()  # its process loads beside all that follows
    reader = parts.reader or analysis_proxy
    assert reader is not None
    try:
        profile = load_profile(options.profile, notify, is_optional=True)
        host = options.host.with_profile(profile)
        reloader = create_reloader(host)
        developed = None if reloader is None else reloader.generator
        band = build_band(host, options.culture, profile, live=True, developed=developed, notify=notify)
        external, own_notes = options.external_io, OwnNotes()
        return SessionParts(
            clock=clock,
            seed=secrets.randbelow(2**31) if options.seed is None else options.seed,
            profile=profile,
            source=parts.source or create_source(options, clock, own_notes),
            band=band,
            sink=parts.sink
            or build_sink(
                host,
                band,
                BUILT_IN_SYNTH if options.sound else options.midi_out,
                send_clock=external.sends_clock,
                latencies=external.latencies,
                frame_accurate=external.frame_accurate,
            ),
            external_io=open_external_io(external, clock),
            reader=reader,
            own_notes=own_notes,
            analysis_proxy=analysis_proxy,
            reloader=reloader,
            page=_create_page(options),
            words=words,
        )
    except BaseException:
        reader.close()
        raise


def _create_page(options: LiveOptions) -> Page | None:
    if not options.page.is_shown:
        return None
    from kelly_live.engine.page import Page

    return Page(options.page)


def open_parts(created: SessionParts, options: LiveOptions, parts: LiveParts, notify: Notify = log_notice) -> None:
    """Open every port of the parts created, load the nets and make the session. Raises KellyError."""
    from kelly_live.engine.audio_input import find_capture
    from kelly_live.engine.model_choice import state_terms
    from kelly_live.engine.person import Person
    from kelly_live.mapping.mapper import LearnedMapper

    sheet = load_cues(options.cues)  # first of all: what is wrong in it is said at once
    external = options.external_io
    wrapped_sink = created.sink if parts.wrap_sink is None else parts.wrap_sink(created.sink)
    heard_sink = wrapped_sink if options.play_in is None else created.own_notes.wrap(wrapped_sink)
    shown_sink = heard_sink if created.page is None else created.page.wrap(heard_sink)
    sink = shown_sink if parts.journal is not None else insert_tee(options.recording, shown_sink, live=True)
    ports = created.sink.open()  # the cheap parts first: a wrong name is reported before the nets are loaded
    if created.page is not None:
        created.page.open()
    if (audio := find_capture(created.source)) is not None:
        audio.open()
    limits = choose_limits(options.limits, created.profile)
    limits_watch = LimitsWatch(limits, sink)
    override, tuning = options.override.build_override(), options.tuning.build_tuning()
    stage = create_override_stage(
        override,
        options.culture,
        created.profile,
        notify,
        constraints=options.piece.build_constraints(),
        arousal_rise=limits.arousal_rise,
        goal=options.iso.build_goal(),
    )
    created.iso = stage.iso
    created.person = Person(created.profile, stage, options.culture, created.clock)
    mapper = stage.mapper
    if parts.wrap_mapper is not None:
        stage.mapper = parts.wrap_mapper(stage.mapper)
    if (analysis_proxy := created.analysis_proxy) is not None:
        analysis_proxy.open(options.device, reader_name=options.reader)
        if analysis_proxy.note is not None:
            notify(analysis_proxy.note)
    conductor = create_conductor(
        sink,
        seed=created.seed,
        piece=options.piece,
        silence=options.silence,
        role=options.band_role,
        host=created.band,
        live=True,
        expression=options.expression,
        tempo_rise=limits.tempo_rise,
        early_seconds=created.sink.early_seconds,
        notify=notify,
    )
    created.sink.send(tuning.with_programs(conductor.slots))
    created.sink.send(limits_watch.latest)
    if options.expression:
        report_sent_twice(external.controllers, conductor.slots, notify)
        if created.external_io.midi_in is not None:
            report_learned_too(notify)
    state_terms(notify)
    recorder = created.recorder = start_recorder(
        options,
        sink,
        conductor,
        created.clock,
        seed=created.seed,
        band=created.band,
        tuning=tuning,
        profile=created.profile,
        limits=limits_watch.latest,
        tempo_rise=limits.tempo_rise,
    )
    cue_source = (
        None
        if sheet is None
        else CueSource(conductor, stage.set_override, restarts=not created.external_io.sync_sources)
    )
    tracker = supervise_beat_tracker(options.follow, conductor, count_in=options.count_in)
    session = created.session = LiveSession(
        source=created.source,
        reader=created.reader,
        stage=stage,
        conductor=conductor,
        sink=created.sink,
        clock=created.clock,
        journal=recorder or parts.journal,
        beat_tracker=tracker,
        sync_sources=(*created.external_io.sync_sources, *(() if cue_source is None else (cue_source,))),
        controls=create_controller_output(external.controllers, sink),
        early_seconds=created.sink.early_seconds,
        panic_stops_transport=external.panic_stops_transport,
        set_parameter=created.band.set_parameter,
        limits_watch=limits_watch,
        words=created.words,
    )
    created.follow = FollowSwitch(
        options.follow,
        options.piece,
        lambda names: supervise_beat_tracker(
            names, conductor, count_in=options.count_in, before=None if tracker is None else tracker.tracker
        ),
        session.follow_by,
    )
    if sheet is not None and cue_source is not None:
        assert isinstance(mapper, LearnedMapper)
        created.cues = create_cue_player(
            sheet, cue_source, created.session, created.band, created.external_io, mapper.set_culture,
            stage.iso.set_goal, notify, first=options.cues.first,
        )  # fmt: skip
    if created.reloader is not None:
        created.reloader.start()
    created.lines = _describe_parts(created, ports, limits)


def _describe_parts(created: SessionParts, ports: Mapping[str, PortReady], limits: Limits) -> tuple[str, ...]:
    """Say what a session listens to and plays into, and what holds for it, one line each."""
    virtual = " (a virtual port: connect your synth or DAW to it)"
    outputs = " and ".join(f"{port.name!r}{virtual if port.is_virtual else ''}" for port in ports.values())
    name = getattr(created.source, "name", type(created.source).__name__)  # a program's own source may have none
    inputs = getattr(created.source, "inputs", "")
    measured = [
        f"{port.name!r} gets everything {round(abs(port.measured_latency) * 1e3, 1):g} ms "
        f"{'earlier' if port.measured_latency >= 0.0 else 'later'}, as measured; --latency-ms changes that"
        for port in ports.values()
        if port.measured_latency is not None
    ]
    written = [] if created.reloader is None else [created.reloader.describe()]
    limited = [f"limits: {', '.join(limits.describe())}"] if limits != NO_SESSION_LIMITS else []
    take = None if created.recorder is None else created.recorder.take
    recording = [] if take is None else [f"recording: {take.paths.midi or take.paths.log}"]
    if take is not None and take.paths.report is not None:
        recording.append(f"report, at the end: {take.paths.report}")
    return (
        f"listening to {name!r}{inputs and f' ({inputs})'}, playing into {outputs}, seed {created.seed}",
        *measured,
        *created.external_io.describe(),
        *written,
        *limited,
        *recording,
    )
