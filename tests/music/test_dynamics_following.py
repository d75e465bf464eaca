"""The band as loud as its player: given how loud he is, these dynamics and these velocities."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import NoteEvent
from kelly_live.engine.build import build_band, create_mapper
from kelly_live.engine.options.host import HostOptions
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from kelly_live.music.dynamics_following import DynamicsFollower

CONTENT = create_mapper()(create_state(valence=0.3, arousal=0.2))
SLICE = 1 / 16


def follow(*loudness: float | None, beats: float = 8.0) -> list[float]:
    """Follow each loudness for some beats; return the dynamics after each slice as shares of CONTENT's."""
    follower, shares, beat = DynamicsFollower(), list[float](), 0.0
    for one in loudness:
        for _ in range(round(beats / SLICE)):
            dynamics = follower.step(beat, one).adapt(CONTENT).dynamics
            shares.append((dynamics.floor + dynamics.ceiling) / (CONTENT.dynamics.floor + CONTENT.dynamics.ceiling))
            beat += SLICE
    return shares


def play(*loudness: float | None) -> list[NoteEvent]:
    """Let a band play eight bars with each loudness."""
    sink = NoteList()
    conductor = Conductor(sink, build_band(HostOptions()), seed=5, slice_beats=LIVE_SLICE_BEATS)
    conductor.start(0.0, CONTENT)
    bars = 0.0
    now = 0.0
    while bars < 8.0 * len(loudness):
        conductor.advance(now, CONTENT, SyncState(loudness=loudness[int(bars // 8.0)]))
        now += 0.02
        bars = conductor.status().bars
    return list(sink.notes)


def test_nobody_heard_changes_nothing() -> None:
    assert set(follow(None)) == {1.0}
    assert DynamicsFollower().adapt(CONTENT) is CONTENT


def test_it_follows_within_a_bar_in_small_steps() -> None:
    shares = follow(0.0, 1.0, -1.0)
    assert shares[round(8.0 / SLICE) + round(4.0 / SLICE)] > 1.25
    assert shares[-1] == pytest.approx(2.0**-0.5, abs=0.01)
    assert max(abs(b - a) for a, b in pairwise(shares)) < 0.06


def test_silence_does_not_make_it_louder() -> None:
    loud_then_silent, soft_then_silent = follow(1.0, None), follow(-1.0, None)
    silent = slice(round(8.0 / SLICE), None)
    assert loud_then_silent[-1] == pytest.approx(1.0, abs=0.01)
    assert all(b <= a for a, b in pairwise(loud_then_silent[silent]))
    assert max(soft_then_silent[silent]) <= soft_then_silent[round(8.0 / SLICE) - 1] + 1e-9


def test_it_stays_within_what_can_be_played() -> None:
    loudest = replace(CONTENT, dynamics=replace(CONTENT.dynamics, floor=0.9, ceiling=1.0))
    follower = DynamicsFollower()
    for number in range(200):
        dynamics = follower.step(number * SLICE, 1.0).adapt(loudest).dynamics
    assert dynamics.floor <= dynamics.ceiling == 1.0


def test_the_notes_are_the_same_and_their_velocities_follow() -> None:
    plain, led = play(None, None), play(0.9, -0.9)
    assert [(note.onset_beats, note.pitch) for note in plain] == [(note.onset_beats, note.pitch) for note in led]
    middle = 8 * 4 + 4
    ratios = [
        np.mean([b.velocity / a.velocity for a, b in zip(plain, led, strict=True) if first <= a.onset_beats < last])
        for first, last in ((4.0, 32.0), (middle, 60.0))
    ]
    assert ratios[0] > 1.15
    assert ratios[1] < 0.85


def test_the_status_says_whether_dynamics_are_followed() -> None:
    conductor = Conductor(NoteList(), build_band(HostOptions()), seed=5)
    conductor.start(0.0, CONTENT)
    conductor.advance(0.0, CONTENT, SyncState(loudness=0.2))
    assert "dynamics" in conductor.status().synchronized
    conductor.advance(2.0, CONTENT, SyncState())
    assert "dynamics" not in conductor.status().synchronized
