"""What `kelly-live generators --check` tries: every rule of the contract, and four bars with a band."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kelly_live.generators.conformance import RuleResult
    from kelly_live.generators.effect_registry import EffectInfo
    from kelly_live.generators.registry import GeneratorInfo

OK, FAILED, NOT_TRIED = "ok", "FAILED", "not tried"


def check_generator(info: GeneratorInfo) -> tuple[str, str | None, list[dict[str, Any]]]:
    """Return the state after four bars, what went wrong in them, and every rule with its faults."""
    from kelly_live.generators.conformance import check_rules
    from kelly_live.generators.external_generator import ExternalGenerator

    source = info.source
    if source.command is not None:
        with closing(ExternalGenerator(source.command)) as external:
            results = check_rules(external)
    else:
        assert source.plugin is not None
        results = check_rules(source.plugin.load())
    state, problem = _play(source.name)
    return state, problem, list_rules(results)


def check_effect(effect: EffectInfo) -> list[dict[str, Any]]:
    """Return every rule with its faults."""
    from kelly_live.generators.conformance import check_rules
    from kelly_live.generators.effects.registry import EFFECTS
    from kelly_live.generators.external_generator import ExternalGenerator

    if effect.source is None:
        return list_rules(check_rules(EFFECTS[effect.name]))
    with closing(ExternalGenerator(effect.source.command)) as external:
        return list_rules(check_rules(external))


def list_rules(results: list[RuleResult]) -> list[dict[str, Any]]:
    """List the rules with their faults, as they are printed."""
    return [
        {"rule": one.rule, "result": FAILED if one.faults else OK if one.is_tried else NOT_TRIED, "faults": one.faults}
        for one in results
    ]


def _play(name: str) -> tuple[str, str | None]:
    """Return the state after four bars in which nothing changes, timed by the clock, and what went wrong."""
    from kelly_live.core.timebase import read_clock
    from kelly_live.generators import registry
    from kelly_live.generators.band import GeneratorBand
    from kelly_live.generators.base import FIRST_CALL_SECONDS
    from kelly_live.generators.conformance import make_parameters
    from kelly_live.generators.lineup import PlayerSlot
    from kelly_live.midi.offline import NoteList
    from kelly_live.music.band import PlayerState
    from kelly_live.music.conductor import Conductor

    loaded_generator = registry.create_generator(name, {}, offline_seconds=FIRST_CALL_SECONDS)
    if loaded_generator.generator is None:
        return PlayerState.NOT_LOADED, loaded_generator.problem
    descriptor = loaded_generator.generator.descriptor
    band = GeneratorBand(
        [PlayerSlot(loaded_generator.generator, name, descriptor.channel, descriptor.program)], stopwatch=read_clock
    )
    Conductor(NoteList(), band, seed=1, tonic=0, length_bars=4).play_through(make_parameters())
    band.close()
    ((_, state),) = band.states
    return state, band.muted[0].reason if band.muted else None
