"""Compose along an arc: what each moment asks for, the plan that meets its hit points, and what was played of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from kelly_live.core.errors import ConfigError
from kelly_live.engine.build import Notify, create_mapper
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.music.arc import Arc, ArcPoint
from kelly_live.music.arc_plan import ArcPlan, plan_arc
from kelly_live.music.style.metre import choose_metre
from kelly_live.music.tempo_plan import STEP_LIMIT

if TYPE_CHECKING:
    from kelly_live.core.protocols import Reading
    from kelly_live.core.values import EmotionState, MusicParameters
    from kelly_live.engine.options.commands import ComposeOptions
    from kelly_live.engine.performance import PerformedHit
    from kelly_live.mapping.mapper import LearnedMapper
    from kelly_live.profiles.profile import Profile


@dataclass(frozen=True, slots=True)
class PlannedComposition:
    """An arc's plan, and what is read of it at each bar of the piece."""

    plan: ArcPlan
    reading_at: Callable[[float], Reading]
    culture: CultureOptions | None

    def list_hits(self) -> tuple[PerformedHit, ...]:
        """List the hit points with the beats and seconds that they are played at."""
        from kelly_live.engine.performance import PerformedHit

        per_bar = self.plan.tempo.beats_per_bar
        return tuple(
            PerformedHit(hit.name, hit.place, self.plan.tempo.tempo_map.seconds_at(beat), beat, per_bar)
            for hit, beat in zip(self.plan.arc.hits, self.plan.hit_beats, strict=True)
        )


def plan_composition(
    options: ComposeOptions, profile: Profile | None, state: EmotionState | None, notify: Notify
) -> PlannedComposition:
    """Plan what the options' arc asks for, or one feeling (`state`) of a length. Raises ConfigError."""
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
    plan = plan_arc(arc, mappers.ask, beats_per_bar=beats_per_bar, has_form=has_form)
    if plan.tempo.largest_step > STEP_LIMIT:
        notify(
            f"the hit points are met by tempo steps of up to {100.0 * plan.tempo.largest_step:.0f} % a beat; they lie "
            "too close for a smooth tempo: move one, or leave one out"
        )

    def reading_at(bar: float) -> Reading:
        beat = round(bar * beats_per_bar, 6)
        place, ahead = plan.find_place(beat), plan.find_place(beat, ahead=True)
        return Reading(plan.arc.state_at(place), mappers.ask(plan.arc, ahead))

    return PlannedComposition(plan, reading_at, culture)


class _Mappers:
    """What an arc asks for at a place: by the mapper of the tradition in force there, in the style in force."""

    def __init__(self, options: ComposeOptions, profile: Profile | None, notify: Notify) -> None:
        self._options, self._profile, self._notify = options, profile, notify
        self._mappers: dict[str | None, LearnedMapper] = {}
        self._map = lru_cache(maxsize=4096)(self._map_state)

    def ask(self, arc: Arc, place: float) -> MusicParameters:
        """Return the music that is asked for at a place of an arc. Raises ConfigError."""
        change = arc.change_at(place)
        self._load(change.culture, change.origin)
        parameters = self._map(arc.state_at(place), change.culture)
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
