"""Record a session: put a tee before the sink, and start the recorder behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kelly_live.core.commands import NO_LIMITS

if TYPE_CHECKING:
    from kelly_live.core.commands import LoudnessLimits, Tuning
    from kelly_live.core.protocols import NoteSink
    from kelly_live.core.timebase import Clock
    from kelly_live.engine.options.commands import LiveOptions, RenderOptions
    from kelly_live.engine.options.recording import RecordingOptions
    from kelly_live.generators.preset_band import PresetBand
    from kelly_live.music.conductor import Conductor
    from kelly_live.profiles.profile import Profile
    from kelly_live.recording.paths import Paths
    from kelly_live.recording.recorder import Recorder


def insert_tee(options: RecordingOptions, sink: NoteSink, *, live: bool = False) -> NoteSink:
    """Return the sink itself, or a Tee before it if the session is recorded.

    `live`: it may be recorded later. Raises OutputError.
    """
    if not options.is_recording and not live:
        return sink
    from kelly_live.engine.build import check_outputs
    from kelly_live.recording.tee import Tee

    check_outputs([options.midi, options.log, options.report])
    return Tee(sink)


def start_recorder(
    options: LiveOptions | RenderOptions,
    sink: NoteSink,
    conductor: Conductor,
    clock: Clock,
    *,
    seed: int,
    band: PresetBand,
    tuning: Tuning,
    profile: Profile | None = None,
    limits: LoudnessLimits = NO_LIMITS,
    tempo_rise: float | None = None,
    live: bool = True,
    title: str = "Kelly Live",
) -> Recorder | None:
    """Start the recorder behind the Tee that `insert_tee` made; `live`, a take may begin later.

    None if nothing is recorded. Raises OutputError.
    """
    from kelly_live.recording.paths import choose_dated_paths, choose_folder, choose_paths
    from kelly_live.recording.recorder import Recorder, list_parts
    from kelly_live.recording.tee import Tee

    if not isinstance(sink, Tee):
        return None
    from datetime import UTC, datetime

    from kelly_live import __version__
    from kelly_live.core.resources import name_models
    from kelly_live.engine.options.metadata import list_settings
    from kelly_live.music.theory import NOTE_NAMES
    from kelly_live.recording.records import Header

    culture = options.culture
    header = Header(
        version=__version__,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        seed=seed,
        tonic=NOTE_NAMES.index(conductor.status().tonic),
        preset=band.preset_name,
        parts=list_parts(conductor),
        extra=options.host.extra,
        effects=options.host.effects,
        settings=options.host.settings,
        tuning=tuning.with_programs(()),
        live=live,
        look_ahead_seconds=conductor.look_ahead_seconds,
        slice_beats=conductor.slice_beats,
        beats_per_bar=options.piece.metre,
        form=options.piece.form,
        chords=None if options.piece.chords is None else str(options.piece.chords),
        when_silent=options.silence.when_silent,
        silent_bars=options.silence.bars,
        expression=options.expression,
        role=options.band_role.role,
        trade_bars=options.band_role.trade_bars,
        limits=limits,
        tempo_rise=tempo_rise,
        title=title,
        culture=None if culture is None else culture.name,
        culture_strength=None if culture is None else culture.strength,
        profile=None if profile is None else profile.name,
        models=name_models(),
        options=list_settings(options),
    )
    where = options.recording
    paths = choose_paths(where.midi, where.log, where.report) if where.is_recording else None

    def choose_next() -> Paths:
        if where.midi is not None and where.folder is None:
            return choose_paths(where.midi, None)
        return choose_dated_paths(where.folder or choose_folder(), datetime.now().astimezone())

    return Recorder(paths, header, sink, clock, lambda: band.preset_name, choose_next if live else None)
