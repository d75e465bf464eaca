"""Compose along an arc: what each moment asks for, the plan that meets its hit points, and what was played of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.core.limits import NO_SESSION_LIMITS
from kelly_live.engine.arc_limit import limit_arc
from kelly_live.engine.arousal_limit import ArousalLimit, hold_arousal
from kelly_live.engine.build import Notify, create_mapper
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.music.arc import Arc, ArcPoint
from kelly_live.music.arc_plan import ArcPlan, plan_arc
from kelly_live.music.style.metre import choose_metre
from kelly_live.music.tempo_plan import STEP_LIMIT

if TYPE_CHECKING:
    from kelly_live.core.limits import Limits
    from kelly_live.core.protocols import Reading
    from kelly_live.core.timebase import TempoMap
    from kelly_live.core.values import EmotionState, MusicParameters
    from kelly_live.engine.options.commands import ComposeOptions
    from kelly_live.engine.performance import PerformedHit
    from kelly_live.mapping.mapper import LearnedMapper
    from kelly_live.profiles.profile import Profile

_ROUNDING_SECONDS = 1e-6  # what a way from seconds to beats and back may add


@dataclass(frozen=True, slots=True)
class PlannedComposition:
    """An arc's plan, and what is read of it at each bar of the piece."""

    plan: ArcPlan
    reading_at: Callable[[float, float], Reading]
    culture: CultureOptions | None

    def list_hits(self, tempo_map: TempoMap) -> tuple[PerformedHit, ...]:
        """List the hit points with the beats and seconds that they fell on.

        The seconds are those of `tempo_map`, the tempos that were played.
        """
        from kelly_live.engine.performance import PerformedHit

        per_bar = self.plan.tempo.beats_per_bar
        return tuple(
            PerformedHit(hit.name, hit.place, tempo_map.seconds_at(beat), beat, per_bar)
            for hit, beat in zip(self.plan.arc.hits, self.plan.hit_beats, strict=True)
        )

    def find_end(self, tempo_map: TempoMap) -> float:
        """Find when the sound stops: as it was planned, or later where a limit held the tempo back."""
        planned = self.plan.end_seconds
        played = tempo_map.seconds_at(self.plan.tempo.tempo_map.beat_at(planned))
        return planned if abs(played - planned) < _ROUNDING_SECONDS else played


def plan_composition(
    options: ComposeOptions,
    profile: Profile | None,
    state: EmotionState | None,
    notify: Notify,
    limits: Limits = NO_SESSION_LIMITS,
) -> PlannedComposition:
    """Plan what the options' arc asks for, or one feeling (`state`) of a length, within the limits.

    Raises ConfigError.
    """
    from kelly_live.core.protocols import Reading

    arc = options.arc
    if arc is None:
        assert state is not None
        arc = Arc((ArcPoint(0.0, state),))
    if options.length is not None:
        arc = arc.with_end(options.length)
    if arc.end is None:
        raise ConfigError("the arc has one place and no end; give it an `end` or a last row, or say --length 1:23.5")
    mappers = _Mappers(options, profile, notify)
    culture = mappers.choose_culture(arc.change_at(0.0).culture)
    metre = choose_metre(mappers.ask(arc, 0.0).style, options.seed)
    own_metre = 4 if metre is None else metre.bar_beats
    beats_per_bar = own_metre if options.piece.metre is None else options.piece.metre
    has_form = options.arc is None or options.piece.form is not None
    plan_within = partial(
        plan_arc, ask=mappers.ask, beats_per_bar=beats_per_bar, has_form=has_form, tempo_rise=limits.tempo_rise
    )
    plan, limit = plan_within(arc), ArousalLimit(limits.arousal_rise)
    if limits.arousal_rise is not None:
        seconds_at = plan.tempo.tempo_map.seconds_at
        limited = limit_arc(
            arc, limits.arousal_rise, lambda place: seconds_at(place * beats_per_bar) if arc.in_bars else place
        )
        plan = plan if limited == arc else plan_within(limited)
    if plan.tempo.largest_step > STEP_LIMIT:
        notify(
            f"the hit points are met by tempo steps of up to {100.0 * plan.tempo.largest_step:.0f} % a beat; they lie "
            "too close for a smooth tempo: move one, or leave one out"
        )

    def reading_at(bar: float, seconds: float) -> Reading:
        beat = round(bar * beats_per_bar, 6)
        place, ahead = plan.find_place(beat), plan.find_place(beat, ahead=True)
        state, most = plan.arc.state_at(place), limit.find_most(seconds)
        limit.add(seconds, state.arousal)
        return Reading(hold_arousal(state, most), mappers.ask(plan.arc, ahead, most))

    return PlannedComposition(plan, reading_at, culture)


class _Mappers:
    """What an arc asks for at a place: by the mapper of the tradition in force there, in the style in force."""

    def __init__(self, options: ComposeOptions, profile: Profile | None, notify: Notify) -> None:
        self._options, self._profile, self._notify = options, profile, notify
        self._mappers: dict[str | None, LearnedMapper] = {}
        self._map = lru_cache(maxsize=4096)(self._map_state)

    def ask(self, arc: Arc, place: float, most_arousal: float = 1.0) -> MusicParameters:
        """Return the music that is asked for at a place of an arc, with so much arousal at most.

        Raises ConfigError.
        """
        change = arc.change_at(place)
        self._load(change.culture, change.origin)
        parameters = self._map(hold_arousal(arc.state_at(place), most_arousal), change.culture)
        return parameters if change.style is None else replace(parameters, groove=change.style)

    def choose_culture(self, culture: str | None) -> CultureOptions | None:
        """Return the tradition that an arc names, else that of the options."""
        own = self._options.culture
        if culture is None:
            return own
        return CultureOptions(culture, 1.0 if own is None else own.strength)

    def _load(self, culture: str | None, origin: str) -> None:
        if culture in self._mappers:
            return
        constraints = self._options.piece.build_constraints()
        try:
            mapper = create_mapper(self.choose_culture(culture), self._profile, self._notify, constraints=constraints)
        except ConfigError as error:
            raise ConfigError(f"{origin}: {error}" if origin else str(error)) from error
        self._mappers[culture] = mapper

    def _map_state(self, state: EmotionState, culture: str | None) -> MusicParameters:
        return self._mappers[culture](state)
