"""A piece with an end slows down into its last chord, as its style does; music without an end keeps its tempo."""

from __future__ import annotations

import io
import itertools

import mido
import pytest

import kelly_live
from kelly_live.core.values import GROOVES
from kelly_live.midi.files import encode_midi
from kelly_live.music.conductor import Conductor
from kelly_live.music.ritardando import compute_tempo_share
from tests.music.band import RecordingSink, band, make_parameters


def shares(groove: str, *, closing_beat: float = 64.0, section_end: float | None = None) -> dict[float, float]:
    beats = [0.5 * number for number in range(int(2 * closing_beat) + 8)]
    played = make_parameters(groove=groove)
    return {
        beat: compute_tempo_share(played, beat, closing_beat=closing_beat, section_end=section_end) for beat in beats
    }


def test_a_lament_comes_to_half_its_tempo_ever_faster_and_stays_there() -> None:
    at = shares("lament")
    assert at[56.0] == 1.0
    assert at[64.0] == at[67.0] == pytest.approx(0.5)
    falls = [at[beat] - at[beat + 1.0] for beat in range(56, 64)]
    assert all(later > earlier > 0.0 for earlier, later in itertools.pairwise(falls))


@pytest.mark.parametrize(
    "groove", ["march", "dance", "rock", "stop-time", "jig", "reel", "polska", "bulgar", "son", "tala"]
)
def test_what_is_danced_or_marched_to_keeps_its_tempo(groove: str) -> None:
    assert set(shares(groove, section_end=32.0).values()) == {1.0}


@pytest.mark.parametrize("groove", ["", *GROOVES])
def test_a_section_ends_less_slowly_than_the_piece_and_the_next_one_is_in_tempo(groove: str) -> None:
    at = shares(groove, section_end=32.0)
    assert at[30.0] == at[32.0] == 1.0
    assert at[64.0] <= at[31.5] <= 1.0


def test_a_piece_of_two_bars_slows_down_over_less_than_half_of_it() -> None:
    assert compute_tempo_share(make_parameters(groove="lament"), 2.0, closing_beat=4.0) == 1.0
    assert compute_tempo_share(make_parameters(groove="lament"), 0.0, closing_beat=0.0) == pytest.approx(0.5)


def test_a_composed_ballad_slows_down_at_its_end_and_music_without_an_end_does_not() -> None:
    sink = RecordingSink()
    calm = make_parameters(bpm=80.0, groove="ballad", density=0.6)
    conductor = Conductor(sink, band(), seed=1, length_bars=9, form="arc")
    assert conductor.play_through(calm) == 36.0
    tempi = {point.beat: point.bpm for point in conductor.tempo_map.points()}
    assert min(tempi) == 0.0
    assert all(beat > 26.0 for beat in tempi if beat)
    assert tempi[32.0] == 48.0

    live = Conductor(RecordingSink(), band(), seed=1)
    live.start(0.0, calm)
    for step in range(240):
        live.advance(0.1 * step, calm)
    live.finish(24.0)
    assert {point.bpm for point in live.tempo_map.points()} == {80.0}


def test_a_tempo_that_is_fixed_stays() -> None:
    fixed, free = (kelly_live.compose("sad", bars=9, seed=3, tempo=tempo) for tempo in (80.0, None))
    assert [point.bpm for point in fixed.tempo_map.points()] == [80.0]
    assert len(free.tempo_map.points()) > 8


def test_the_notes_of_the_file_fall_when_they_were_played() -> None:
    performance = kelly_live.compose("sad", bars=9, seed=3)
    file = mido.MidiFile(file=io.BytesIO(encode_midi(performance.messages, performance.tempo_map, programs={})))
    now, in_file = 0.0, []
    for message in file:  # mido turns ticks into seconds by the file's tempo map
        now += message.time
        if message.type == "note_on" and message.velocity:
            in_file.append(now)
    played = sorted(
        message.seconds for message in performance.messages if message.data[0] >> 4 == 9 and message.data[2]
    )
    assert len(in_file) == len(played)
    assert in_file == pytest.approx(played, abs=0.002)
    assert performance.end_seconds > 36.0 * 60.0 / performance.tempo_map.points()[0].bpm
