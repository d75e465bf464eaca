"""The band in the player's chords: given what is heard, these chords in the phrase."""

from __future__ import annotations

import pytest

from kelly_live.core.sync_state import ChordChange, ChordEstimate
from kelly_live.music.chord_following import ChordFollower
from kelly_live.music.harmony import Phrase, plan_phrase
from kelly_live.music.theory import Key, build_mode_scale, fit_chord

C_MAJOR = Key(0, build_mode_scale("ionian"))
BPM = 60.0  # a beat is a second, and beat 0 falls at second 0
SLICE = 0.25


def play(
    heard: list[tuple[float, ChordEstimate | None]], until: float = 16.0
) -> tuple[ChordFollower, Phrase, list[tuple[float, str]]]:
    """Follow what is heard from given beats on; return the follower, the phrase, and each change of chord.

    Common tones that are played while the chord is open are no change.
    """
    phrase = plan_phrase(1, 0, C_MAJOR, start_bar=0)
    follower, played, names = ChordFollower(), phrase, list[tuple[float, str]]()
    beat = 0.0
    while beat < until:
        estimate = next((one for at, one in reversed(heard) if at <= beat), None)
        played = follower.follow(phrase, beat, beat, BPM, estimate)
        name = played.span_at(beat).chord.name
        if not name.endswith("(open)") and (not names or names[-1][1] != name):
            names.append((beat, name))
        beat += SLICE
    return follower, played, names


def hear(root: int, quality: str, confidence: float = 0.9, *expected: ChordChange) -> ChordEstimate:
    return ChordEstimate(ChordChange(0.0, root, quality), confidence, tuple(expected))


def test_certain_chords_are_taken_at_once() -> None:
    follower, _, names = play([(0.0, hear(9, "minor")), (4.0, hear(5, "major")), (8.0, hear(2, "major"))])
    assert names == [(0.0, "Am"), (4.0, "F"), (8.0, "D")]
    assert follower.is_synchronized


def test_a_less_certain_chord_is_taken_after_half_a_beat() -> None:
    _, _, names = play([(0.0, hear(9, "minor")), (4.0, hear(5, "major", 0.6))])
    assert names == [(0.0, "Am"), (4.5, "F")]


def test_a_flicker_is_not_followed() -> None:
    flicker = [(0.0, hear(9, "minor")), (4.0, hear(4, "minor", 0.6)), (4.25, hear(9, "minor"))]
    assert play(flicker)[2] == [(0.0, "Am")]


def test_an_expected_change_is_taken_when_it_is_due() -> None:
    change = ChordChange(4.57, 5, "major")
    late = [(0.0, hear(9, "minor", 0.9, change)), (4.75, hear(5, "major"))]
    _, phrase, names = play(late)
    assert names == [(0.0, "Am"), (4.5, "F")]
    assert phrase.span_at(4.4).chord.name != "F"


def test_what_is_expected_is_in_the_plan_before() -> None:
    follower = ChordFollower()
    phrase = plan_phrase(1, 0, C_MAJOR, start_bar=0)
    played = follower.follow(phrase, 0.0, 0.0, BPM, hear(9, "minor", 0.9, ChordChange(4.0, 5, "major")))
    assert [(span.start_beat, span.chord.name) for span in played.spans] == [(0.0, "Am"), (4.0, "F")]
    assert follower.follow(phrase, 0.25, 0.25, BPM, hear(9, "minor", 0.9, ChordChange(4.0, 5, "major"))) is played


def test_doubt_leaves_the_third_out() -> None:
    _, phrase, _ = play([(0.0, hear(9, "minor")), (4.0, hear(9, "minor", 0.4))], until=8.0)
    assert phrase.span_at(3.75).chord.pitch_classes == (9, 0, 4)
    assert set(phrase.span_at(7.75).chord.pitch_classes) <= {9, 4}


def repeat(*chords: tuple[int, str], beats: float = 4.0, rounds: int = 4) -> list[tuple[float, ChordEstimate | None]]:
    """Return what is heard of a loop of chords, each a quarter of a beat after it has begun."""
    return [
        (beats * number + 0.25 * (number > 0), hear(*chords[number % len(chords)]))
        for number in range(rounds * len(chords))
    ]


def test_from_the_third_round_on_a_loop_is_played_with_the_player() -> None:
    loop = [(9, "minor"), (5, "major"), (0, "major"), (7, "major")]
    starts = [beat for beat, _ in play(repeat(*loop), until=64.0)[2]]
    assert {4.25, 8.25, 12.25} <= set(starts)  # the first round is chased,
    assert {36.0, 40.0, 44.0, 48.0, 52.0, 56.0, 60.0} <= set(starts)  # the third is known


def test_a_chord_misheard_once_does_not_break_a_loop() -> None:
    loop = [(9, "minor"), (5, "major"), (0, "major"), (7, "major")]
    heard = [(at, hear(4, "minor", 0.6) if at == 24.25 else one) for at, one in repeat(*loop, rounds=5)]
    names = play(heard, until=80.0)[2]
    assert [name for beat, name in names if beat >= 32.0 and name == "Em"] == []
    assert {(60.0, "G"), (64.0, "Am"), (68.0, "F"), (76.0, "G")} <= set(names)


def test_where_a_change_is_likely_and_unknown_the_tones_in_common_are_played() -> None:
    heard = [(2.0 * n + 0.25 * (n > 0), hear(root, "major")) for n, root in enumerate((0, 5, 7, 0, 7, 5, 0, 5))]
    follower, phrase = ChordFollower(), plan_phrase(1, 0, C_MAJOR, start_bar=0)
    for step in range(round(14.0 / SLICE) + 1):
        beat = step * SLICE
        estimate = next((one for at, one in reversed(heard) if at <= beat), None)
        chord = follower.follow(phrase, beat, beat, BPM, estimate).span_at(beat).chord
    assert chord.name.endswith("(open)")
    assert len(chord.degrees) < 3
    assert set(chord.pitch_classes) <= {0, 4, 7, 5, 9}


def test_without_chords_the_band_keeps_the_last_and_then_plays_its_own() -> None:
    follower, phrase, names = play([(0.0, hear(6, "major")), (2.0, None)])
    own = plan_phrase(1, 0, C_MAJOR, start_bar=0)
    assert names[0] == (0.0, "F#")
    assert phrase.span_at(9.0).chord.name == "F#"
    assert phrase.span_at(11.0).chord == own.span_at(11.0).chord
    assert not follower.is_synchronized


def test_nothing_heard_changes_nothing() -> None:
    phrase = plan_phrase(1, 0, C_MAJOR, start_bar=0)
    assert ChordFollower().follow(phrase, 0.0, 0.0, BPM, None) is phrase


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("mode", ["ionian", "aeolian", "dorian", "mixolydian", "phrygian", "lydian"])
def test_any_triad_that_fits_has_its_own_tones(tonic: int, mode: str) -> None:
    key = Key(tonic, build_mode_scale(mode))
    missing = []
    for root in range(12):
        for quality, third in (("major", 4), ("minor", 3)):
            chord = fit_chord(key, root, quality)
            if chord is None:
                missing.append((root, quality))
                continue
            assert chord.pitch_classes == (root, (root + third) % 12, (root + 7) % 12)
            assert chord.key.tonic == tonic
    assert len(missing) <= 4, missing  # those that would have to move the tonic itself


def test_a_chord_of_the_key_leaves_the_scale_alone() -> None:
    chord = fit_chord(C_MAJOR, 9, "minor")
    assert chord is not None
    assert chord.key == C_MAJOR
