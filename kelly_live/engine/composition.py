"""Compose: music for an emotion that is named, or an arc of them, without audio, faster than real time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from kelly_live.core.commands import DEFAULT_TUNING, Tuning
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
    from kelly_live.core.override import apply_override
    from kelly_live.core.protocols import EmotionOverride, Reading

    profile = load_profile(options.profile, notify)
    if options.arc is not None or options.length is not None:
        return _compose_arc(options, profile, notify)
    band = build_band(options.host.with_profile(profile), options.culture, profile, notify=notify)
    override = options.override.build_override()
    if override.morph is not None and override.morph.bars > options.bars:
        notify(f"the morph takes {override.morph.bars:g} bars and the piece {options.bars}: it ends on the way")
    state = create_state(override.valence, override.arousal, override.dominance, override.emotion)
    mapper = create_mapper(options.culture, profile, notify, constraints=options.piece.build_constraints())

    def reading_at(bar: float) -> Reading:
        morphed_state = apply_override(state, EmotionOverride(morph=override.morph), bar)
        return Reading(morphed_state, mapper(morphed_state))

    performance = play_readings(
        reading_at(0.0),
        reading_at if override.morph is not None else None,
        band=band,
        seed=options.seed,
        bars=options.bars,
        piece=options.piece,
        tuning=options.tuning.build_tuning(),
        controllers=options.controllers,
        expression=options.expression,
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

    override = options.override
    state = create_state(override.valence, override.arousal, override.dominance, override.emotion)
    planned = plan_composition(options, profile, state, notify)
    performance = play_readings(
        planned.reading_at(0.0),
        planned.reading_at,
        band=build_band(options.host.with_profile(profile), planned.culture, profile, notify=notify),
        seed=options.seed,
        bars=planned.plan.bars,
        piece=options.piece,
        tuning=options.tuning.build_tuning(),
        controllers=options.controllers,
        expression=options.expression,
        plan=planned.plan,
        notify=notify,
    )
    performance = replace(performance, hits=planned.list_hits(), end_seconds=planned.plan.end_seconds)
    return _give_title(performance)


def play_readings(
    first_reading: Reading,
    reading_at: Callable[[float], Reading] | None = None,
    *,
    band: PresetBand | None = None,
    seed: int = 1,
    bars: int,
    piece: PieceOptions | None = None,
    tuning: Tuning = DEFAULT_TUNING,
    controllers: ControllerOptions | None = None,
    expression: bool = True,
    plan: ArcPlan | None = None,
    notify: Notify = log_notice,
) -> Performance:
    """Play one reading, or what `reading_at` returns at each bar, through a number of bars, or by a plan of as many.

    Raises ConfigError.
    """
    from kelly_live.engine.expression_conflicts import report_sent_twice
    from kelly_live.engine.external_io import create_controller_output
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
        notify=notify,
    )
    scheduler.send(tuning.with_programs(conductor.slots))
    controllers = controllers or ControllerOptions()
    if expression:
        report_sent_twice(controllers, conductor.slots, notify)
    controls = create_controller_output(controllers, scheduler)
    try:
        performance = compose(first_reading, conductor, scheduler, reading_at, controls)
    finally:
        report_faults(band, notify, silent_before)
        band.close()
    return performance
