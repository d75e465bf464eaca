"""The drummer's tables as they ship, and strokes that are drawn from them."""

from __future__ import annotations

import statistics

import pytest

from kelly_live.core.values import GROOVES, Dynamics
from kelly_live.music.drumming import (
    DRUMMERS,
    PLACES,
    TOUCHES,
    Stroke,
    compute_stroke_offset,
    compute_stroke_velocity,
    find_instrument,
    find_place,
    load_drumming,
)
from kelly_live.music.feel import LARGEST_JITTER_SECONDS, compute_onset_offset
from kelly_live.music.groove import CLOSED_HAT, KICK, PATTERNS, SHAKER, SNARE
from tests.music.band import make_parameters, play_piece
from tests.music.test_feel import ON

DYNAMICS = Dynamics(0.3, 0.8, 0.35)


def offsets(key: int, *, seed: int = 1, group: str = "backbeat", step: float = 0.5, count: int = 400) -> list[float]:
    drumming = load_drumming()[group]
    beats = [step * number for number in range(count)]
    return [compute_stroke_offset(drumming, seed=seed, beat=b, beats_per_bar=4, key=key) for b in beats]


def velocity(mark: str, position: float, key: int, group: str = "backbeat", deviation: float = 0.0) -> int:
    stroke = Stroke(position, key, TOUCHES[mark], 0.0)
    return compute_stroke_velocity(load_drumming()[group], DYNAMICS, stroke, lift=0.0, deviation=deviation)


def test_places_are_sixteenths_and_thirds_of_each_beat() -> None:
    assert [find_place(p) for p in (0.0, 0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1.0)] == list(range(7))
    assert find_place(3.75) == PLACES - 1
    assert find_place(3.97) == find_place(0.0) == find_place(4.0)


def test_every_groove_is_played_like_drummers_that_were_measured() -> None:
    assert {groove.drummers for groove in PATTERNS.values()} <= set(DRUMMERS) == set(load_drumming())
    assert {find_instrument(key) for key in (KICK, SNARE, CLOSED_HAT)} == {"kick", "snare", "hat"}


def test_a_backbeat_is_firm_and_a_ghost_note_hardly_heard() -> None:
    ghost, soft, usual, firm = (velocity(mark, 1.75 if mark == "o" else 1.0, SNARE) for mark in "o-xX")
    assert ghost < 40 < soft <= usual <= firm
    assert firm > 90


def test_people_strike_the_hat_more_firmly_on_the_beat_than_after_it() -> None:
    on, after = (statistics.mean(velocity("x", beat + off, CLOSED_HAT) for beat in range(4)) for off in (0.0, 0.25))
    assert on > after + 5


def test_strokes_of_one_mark_spread_and_variance_widens_them() -> None:
    def spread(variance: float) -> float:
        stroke = Stroke(0.5, CLOSED_HAT, TOUCHES["x"], 0.0)
        loud = Dynamics(0.3, 0.8, variance)
        return statistics.stdev(
            compute_stroke_velocity(load_drumming()["funk"], loud, stroke, lift=0.0, deviation=k / 10)
            for k in range(-10, 11)
        )

    assert spread(0.1) < spread(0.35) < spread(0.8)
    assert spread(0.35) > 8


@pytest.mark.parametrize("group", DRUMMERS)
def test_a_drummer_lies_8_to_20_ms_from_the_grid(group: str) -> None:
    for key in (KICK, SNARE, CLOSED_HAT):
        found = offsets(key, seed=4, group=group, step=0.25, count=2000)
        assert 0.008 < statistics.stdev(found) < 0.020
        assert abs(statistics.mean(found)) < 0.008
        assert max(map(abs, found)) <= LARGEST_JITTER_SECONDS


def test_what_is_struck_together_lies_together() -> None:
    assert statistics.correlation(offsets(KICK), offsets(CLOSED_HAT)) > 0.5


def test_the_bass_lies_where_the_kick_lies() -> None:
    """More than where another seed's kick would."""
    bass = [compute_onset_offset(ON, seed=1, part="bass", beat=beat / 2) for beat in range(400)]
    assert statistics.correlation(offsets(KICK), bass) > 0.4
    assert abs(statistics.correlation(offsets(KICK, seed=2), bass)) < 0.2


def test_the_drummer_of_a_slow_song_drifts_no_more_than_that_of_a_quick_one() -> None:
    def offsets_of(bpm: float) -> list[float]:
        notes = play_piece(make_parameters(density=1.1, groove="pop", bpm=bpm), bars=33).part("percussion")
        return [60.0 / bpm * (n.onset_beats - round(4.0 * n.onset_beats) / 4.0) for n in notes]

    slow, quick = (statistics.stdev(offsets_of(bpm)) for bpm in (70.0, 140.0))
    assert 0.008 < slow < 0.020
    assert slow == pytest.approx(quick, abs=0.003)


@pytest.mark.parametrize("name", GROOVES)
def test_no_shaker_plays_alone(name: str) -> None:
    metre = next(iter(PATTERNS[name].drums), 4)
    for density in (0.5, 0.8, 1.3):
        drums = play_piece(make_parameters(density=density, groove=name), bars=17, beats_per_bar=metre)
        by_bar: dict[int, set[int]] = {}
        for note in drums.part("percussion"):
            by_bar.setdefault(int((note.onset_beats + 0.1) // metre), set()).add(note.pitch)
        assert {SHAKER} not in by_bar.values()
