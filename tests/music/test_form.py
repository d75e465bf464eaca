"""The form rests, rises, builds and lets go, and two minutes never repeat the same bars."""

import itertools
import statistics
from collections.abc import Callable
from dataclasses import replace

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.builtin.percussion import PercussionGenerator
from kelly_live.music.conductor import Conductor
from kelly_live.music.form import average_intensity, compute_intensity, compute_trend
from tests.generators.test_generators import moment
from tests.music.band import RecordingSink, band, built_in, make_parameters, play_piece


def beats_of(notes: list[NoteEvent]) -> set[int]:
    return {int(note.onset_beats + 0.1) for note in notes}


def test_the_trend_follows_the_intensity_and_decays() -> None:
    calm, lively = (
        compute_intensity(make_parameters(floor=0.2, ceiling=0.5, density=0.6)),
        compute_intensity(make_parameters(density=1.4)),
    )
    assert compute_trend(calm, calm) == compute_trend(calm, calm + 0.001) == 0.0
    assert compute_trend(calm, lively) == 1.0
    assert compute_trend(lively, calm) == -1.0
    level, trends = calm, []
    for _ in range(10):
        trends.append(compute_trend(level, lively))
        level = average_intensity(level, lively, 4.0)
    assert trends == sorted(trends, reverse=True)
    assert trends[-1] == 0.0


def play_ending(at_beat: Callable[[float], MusicParameters], first: MusicParameters) -> list[NoteEvent]:
    sink = RecordingSink()
    Conductor(sink, band(), seed=3, tonic=0, length_bars=9).play_through(first, at_beat)
    return [n for n in sink.part("percussion") if 11.9 < n.onset_beats < 15.9]


def test_drums_fill_longer_into_what_builds_and_not_at_all_into_what_calms_down() -> None:
    """The same density in the same bar, come to from below, at rest and from above."""
    low, middle, high = (
        make_parameters(density=d, floor=f, ceiling=f + 0.3) for d, f in ((0.9, 0.1), (1.6, 0.4), (2.4, 0.65))
    )

    def toms(first: MusicParameters) -> int:
        drums = play_ending(lambda beat: middle if beat >= 7.0 else first, first)
        return sum(n.pitch in (45, 47, 50) for n in drums)

    building, steady, calming = toms(low), toms(middle), toms(high)
    assert calming == 0 < steady
    assert building >= steady


def test_a_crescendo_goes_with_what_builds() -> None:
    def measure_gain(way: float) -> float:
        context = replace(moment(index=0), trend=way)
        notes = PercussionGenerator().generate(make_parameters(density=1.8), context, 0.0, 12.0)
        halves = [[n.velocity for n in notes if a <= n.onset_beats < a + 4.0] for a in (0.0, 8.0)]
        return statistics.mean(halves[1]) - statistics.mean(halves[0])

    assert measure_gain(-1.0) < measure_gain(0.0) < measure_gain(1.0)


def test_there_is_silence_where_it_is_calm() -> None:
    """A second form opens without the tune, and the drums break off before its peak; lively music has neither."""
    calm, middling, lively = (play_piece(make_parameters(density=d), bars=33) for d in (0.7, 1.2, 2.0))
    interlude, silence = set(range(65, 72)), set(range(88, 92))
    assert not beats_of(calm.part("melody")) & interlude
    assert not beats_of(middling.part("percussion")) & silence
    assert beats_of(middling.part("percussion")) & set(range(92, 96))
    assert beats_of(lively.part("melody")) & interlude
    assert beats_of(lively.part("percussion")) & silence


def test_two_minutes_are_never_the_same_bars_again() -> None:
    """No run of more than two bars comes twice, note for note, in the pitched parts together."""
    for seed, density in itertools.product(range(3), (0.7, 1.3)):
        sink = play_piece(make_parameters(density=density), seed=seed, bars=56)
        bars = [
            frozenset((n.part, round(12 * n.onset_beats) - 48 * bar, n.pitch) for n in sink.notes
                      if n.part != "percussion" and bar == int((n.onset_beats + 0.1) // 4))
            for bar in range(56)
        ]  # fmt: skip
        longest = 0
        for first, second in itertools.combinations(range(56), 2):
            same = itertools.takewhile(
                lambda pair: pair[0] == pair[1], zip(bars[first:second], bars[second:], strict=False)
            )
            longest = max(longest, sum(1 for _ in same))
        assert longest <= 2


def test_the_melody_plays_the_notes_that_density_asks_for() -> None:
    for density, seed in itertools.product((0.4, 1.0, 2.2), range(2)):
        sink = RecordingSink()
        players = [player for player in built_in() if player.descriptor.part == "melody"]
        Conductor(sink, GeneratorBand(players), seed=seed, tonic=0, length_bars=17).play_through(
            make_parameters(density=density)
        )
        assert abs(len(sink.notes) / 68.0 / density - 1.0) < 0.15
