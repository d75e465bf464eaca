"""Compose: music for an emotion that is named, or an arc of them, without audio, faster than real time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from kelly_live.core.commands import DEFAULT_TUNING, Tuning
from kelly_live.core.limits import NO_SESSION_LIMITS, Limits
from kelly_live.engine.build import (
    Notify,
    build_band,
    create_conductor,
    create_mapper,
    load_profile,
    log_notice,
    report_faults,
)
from kelly_live.engine.options.external_io import ControllerOptions

if TYPE_CHECKING:
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.options.commands import ComposeOptions
    from kelly_live.engine.options.piece import PieceOptions
    from kelly_live.engine.performance import Performance
    from kelly_live.generators.preset_band import PresetBand
    from kelly_live.music.arc_plan import ArcPlan
    from kelly_live.profiles.profile import Profile


def compose_piece(options: ComposeOptions, notify: Notify = log_notice) -> Performance:
    """Compose what the options ask for.

    The same options and version give the same notes. Raises KellyError.
    """
    from kelly_live.engine.model_choice import play_with_models

    with play_with_models(options.models, notify):
        return _compose_piece(options, notify)


def _compose_piece(options: ComposeOptions, notify: Notify) -> Performance:
    from kelly_live.core.emotion_space import create_state
    from kelly_live.core.protocols import EmotionOverride
    from kelly_live.engine.limits_watch import choose_file_limits
    from kelly_live.engine.override import OverrideStage

    profile = load_profile(options.profile, notify)
    if options.arc is not None or options.length is not None:
        return _compose_arc(options, profile, notify)
    band = build_band(options.host.with_profile(profile), options.culture, profile, notify=notify)
    override = options.override.build_override()
    if override.morph is not None and override.morph.bars > options.bars:
        notify(f"the morph takes {override.morph.bars:g} bars and the piece {options.bars}: it ends on the way")
    state = create_state(override.valence, override.arousal, override.dominance, override.emotion)
    mapper = create_mapper(options.culture, profile, notify, constraints=options.piece.build_constraints())
    limits = choose_file_limits(options.limits, profile)
    stage = OverrideStage(
        mapper, create_state(), EmotionOverride(morph=override.morph), arousal_rise=limits.arousal_rise
    )
    moves = override.morph is not None or limits.arousal_rise is not None
    performance = play_readings(
        stage.map(state, 0.0, 0.0),
        partial(stage.map, state) if moves else None,
        band=band,
        seed=options.seed,
        bars=options.bars,
        piece=options.piece,
        tuning=options.tuning.build_tuning(),
        controllers=options.controllers,
        expression=options.expression,
        limits=limits,
        notify=notify,
    )
    return _give_title(performance)


def _give_title(performance: Performance) -> Performance:
    """Give a performance the names of its first and last emotion as a title: one name if it stays the same."""
    first, last = performance.readings[0].state.emotion, performance.readings[-1].state.emotion
    return performance.with_title(f"Kelly Live: {' to '.join(dict.fromkeys((first, last)))}")


def _compose_arc(options: ComposeOptions, profile: Profile | None, notify: Notify) -> Performance:
    from kelly_live.core.emotion_space import create_state
    from kelly_live.engine.arc_composition import plan_composition
    from kelly_live.engine.limits_watch import choose_file_limits
    from kelly_live.engine.performance import FRAME_SECONDS

    override = options.override
    state = create_state(override.valence, override.arousal, override.dominance, override.emotion)
    limits = choose_file_limits(options.limits, profile)
    planned = plan_composition(options, profile, state, notify, limits)
    performance = play_readings(
        planned.reading_at(0.0, 0.0),
        planned.reading_at,
        band=build_band(options.host.with_profile(profile), planned.culture, profile, notify=notify),
        seed=options.seed,
        bars=planned.plan.bars,
        piece=options.piece,
        tuning=options.tuning.build_tuning(),
        controllers=options.controllers,
        expression=options.expression,
        plan=planned.plan,
        limits=limits,
        notify=notify,
    )
    played = performance.tempo_map
    performance = replace(performance, hits=planned.list_hits(played), end_seconds=planned.find_end(played))
    latest = max((hit.seconds - hit.asked_seconds for hit in performance.hits), default=0.0)
    latest = max(latest, performance.end_seconds - planned.plan.end_seconds)
    if latest > FRAME_SECONDS:
        notify(
            f"hit points or the end come up to {latest:.1f} s late, as the tempo may rise by {limits.tempo_rise:g} BPM "
            "a minute at most; let it rise faster, or move them"
        )
    return _give_title(performance)


def play_readings(
    first_reading: Reading,
    reading_at: Callable[[float, float], Reading] | None = None,
    *,
    band: PresetBand | None = None,
    seed: int = 1,
    bars: int,
    piece: PieceOptions | None = None,
    tuning: Tuning = DEFAULT_TUNING,
    controllers: ControllerOptions | None = None,
    expression: bool = True,
    plan: ArcPlan | None = None,
    limits: Limits = NO_SESSION_LIMITS,
    notify: Notify = log_notice,
) -> Performance:
    """Play one reading, or what `reading_at` returns, through a number of bars, or by a plan of as many.

    `reading_at` is given the bars and the seconds that have passed, once a beat; it keeps to the limit of the arousal,
    all other `limits` are kept here. Raises ConfigError.
    """
    from kelly_live.engine.expression_conflicts import report_sent_twice
    from kelly_live.engine.external_io import create_controller_output
    from kelly_live.engine.limits_watch import report_limited
    from kelly_live.engine.offline import compose
    from kelly_live.midi.offline import OfflineScheduler

    band = band or build_band()
    silent_before = band.muted
    scheduler = OfflineScheduler()
    conductor = create_conductor(
        scheduler,
        seed=seed,
        length_bars=bars,
        piece=piece,
        host=band,
        expression=expression,
        plan=plan,
        tempo_rise=limits.tempo_rise,
        notify=notify,
    )
    scheduler.send(tuning.with_programs(conductor.slots))
    scheduler.send(limits.build_loudness_limits(0))
    controllers = controllers or ControllerOptions()
    if expression:
        report_sent_twice(controllers, conductor.slots, notify)
    controls = create_controller_output(controllers, scheduler)
    try:
        performance = compose(first_reading, conductor, scheduler, reading_at, controls)
    finally:
        report_faults(band, notify, silent_before)
        band.close()
    report_limited(performance, notify)
    return performance
