"""Rests and endings as they are measured, and the table of them."""

from __future__ import annotations

from kelly_live.engine.options.silence import SilenceOptions
from kelly_live.lab.judging.stops import Stop, format_stops, measure_endings, measure_rests

EMOTIONS = ("happy", "sad")


def test_a_band_that_rests_is_silent_and_comes_back() -> None:
    silence = SilenceOptions(bars=2)
    rests = measure_rests([11], silence, EMOTIONS)
    assert len(rests) == 2
    assert all(stop.is_silent and stop.returns for stop in rests)
    assert all(stop.bars >= silence.bars for stop in rests)


def test_a_band_that_plays_on_is_not_counted_as_silent() -> None:
    assert not any(stop.is_silent for stop in measure_rests([11], SilenceOptions(when_silent="play"), EMOTIONS))


def test_endings_are_soon_over() -> None:
    assert all(0.0 < stop.bars < 3.0 for stop in measure_endings([11], EMOTIONS))


def test_the_table_counts_what_it_is_given() -> None:
    rests = [Stop("sad", 6.0, leads_home=True), Stop("happy", 5.5, leads_home=False, is_silent=False, returns=False)]
    endings = [Stop("sad", 1.5, leads_home=True), Stop("happy", 2.0, leads_home=False)]
    first, second = format_stops(rests, endings, SilenceOptions(bars=4)).splitlines()
    assert first == (
        "2 rests of a player (--silent-bars 4): cadence 1, silence 1, back with the player 1; silent at most 2.0 bars "
        "after that (asked: 2)"
    )
    assert second.startswith("2 ends of the input: the dominant, then the tonic 1, share 0.50 (asked: .90)")
