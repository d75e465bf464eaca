"""What held notes can show: given notes and points of the expression, these controllers, at a bounded rate."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.commands import (
    ChannelRelease,
    Controls,
    Expression,
    Notes,
    PartProgram,
    Pause,
    Silence,
    Start,
    Stop,
    Tuning,
)
from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import channel_pressure, control_change, get_channel, get_kind
from kelly_live.core.values import ControlChange, NoteEvent
from kelly_live.midi.expression import (
    CONTROLLER_SPACING_SECONDS,
    MESSAGE_SPACING_SECONDS,
    ONSET_LEVEL,
    SOFTEST_LEVEL,
)
from kelly_live.midi.files import find_sounding_notes
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.midi.tuning import MPE_MASTER, MPE_MEMBERS

STRINGS, PIANO = 48, 0
CHORD = (48, 60, 64, 67)


def strike(beat: float, loudness: float, *, beats: float = 4.0, channel: int = 1, keys: Sequence[int] = CHORD) -> Notes:
    """A chord whose velocities show this loudness."""
    return Notes(tuple(NoteEvent(beat, beats, key, round(127 * loudness), channel, "pad") for key in keys), loudness)


class Port:
    """A scheduler at 60 BPM (a beat is a second), whose part on channel 1 plays `program`."""

    def __init__(self, *commands: Notes | Expression | Controls, program: int = PIANO, mode: str = "bend") -> None:
        self.scheduler = OfflineScheduler(tuning=Tuning(mode, programs=(PartProgram(1, program),)))
        self.scheduler.send(Start(0.0, 60.0))
        for command in commands:
            self.scheduler.send(command)

    def to(self, seconds: float) -> Port:
        self.scheduler.advance(seconds)
        return self

    def controllers(self, controller: int, *channels: int) -> list[tuple[float, int]]:
        """The values of a controller, each with when it was sent."""
        return [
            (round(message.seconds, 3), message.data[2])
            for message in self.scheduler.messages
            if get_kind(message.data) == "control_change"
            and message.data[1] == controller
            and (not channels or get_channel(message.data) in channels)
        ]

    def pressures(self, *channels: int) -> list[int]:
        return [
            message.data[1]
            for message in self.scheduler.messages
            if get_kind(message.data) == "channel_pressure" and (not channels or get_channel(message.data) in channels)
        ]

    def rests(self) -> list[bytes]:
        """What was sent last, of the controllers that an expression moves."""
        moved = {(m.data[0], m.data[1] if len(m.data) == 3 else None): m.data for m in self.scheduler.messages
                 if get_kind(m.data) in ("control_change", "channel_pressure")}  # fmt: skip
        return sorted(data for (_, number), data in moved.items() if number in (11, 74, None))


def test_a_held_chord_swells_by_steps_of_a_decibel_until_it_is_as_loud_as_a_new_one() -> None:
    port = Port(strike(0.0, 0.4), Expression(1.0, 0.48)).to(3.0)
    assert port.controllers(11, 1) == [(0.0, 100), (1.0, 106), (1.02, 112), (1.04, 118), (1.06, 120)]


def test_it_fades_as_it_swells_and_no_further_than_it_can() -> None:
    levels = [value for _, value in Port(strike(0.0, 0.8), Expression(1.0, 0.1)).to(3.0).controllers(11)]
    assert levels[:3] == [100, 94, 88]
    assert levels[-1] == SOFTEST_LEVEL


def test_a_new_note_carries_the_new_loudness_itself() -> None:
    """Velocity and controller do not count twice: right before the next chord the controller is back at 100."""
    port = Port(strike(0.0, 0.4), Expression(1.0, 0.48), strike(4.0, 0.48)).to(5.0)
    assert port.controllers(11)[-1] == (4.0, ONSET_LEVEL)
    kinds = [(m.seconds, get_kind(m.data)) for m in port.scheduler.messages if m.seconds >= 4.0]
    assert [kind for _, kind in kinds] == ["note_off"] * 4 + ["control_change"] + ["note_on"] * 4


def test_of_notes_that_began_at_several_loudnesses_all_together_are_as_loud_as_if_struck_now() -> None:
    notes = [strike(0.0, 0.3, beats=8.0, keys=(48,)), strike(2.0, 0.6, beats=8.0, keys=(60,))]
    port = Port(*notes, Expression(1.0, 0.3), Expression(2.0, 0.6)).to(4.0)
    level = port.controllers(11)[-1][1] / ONSET_LEVEL
    energy = sum((velocity / 127 * level) ** 4 for velocity in (round(127 * 0.3), round(127 * 0.6)))
    assert energy == pytest.approx(2 * 0.6**4, rel=0.06)


def test_a_note_that_is_struck_softer_than_the_music_is_by_now_is_lifted() -> None:
    """Velocities average longer than controllers: right after a turn, the controller adds what they lack."""
    port = Port(Expression(0.0, 0.6), strike(1.0, 0.5)).to(1.5)
    assert port.controllers(11) == [(1.0, 120)]


def test_brightness_goes_by_quarters_of_its_range() -> None:
    port = Port(strike(0.0, 0.5), Expression(1.0, 0.5, 1.0), Expression(2.0, 0.5, -1.0), Expression(3.0, 0.5)).to(4.0)
    assert [value for _, value in port.controllers(74, 1)] == [64, 96, 32, 64]


def test_only_what_swells_is_pressed() -> None:
    swell = (strike(0.0, 0.4), Expression(1.0, 0.45), Expression(2.0, 0.6))
    assert Port(*swell, program=PIANO).to(3.0).pressures() == []
    strings = Port(*swell, program=STRINGS).to(3.0).pressures()
    assert strings == sorted(strings)
    assert (strings[0], strings[-1]) == (0, 24)


def test_drums_keep_their_place_in_the_balance_and_get_nothing_else() -> None:
    port = Port(strike(0.0, 0.4), strike(0.0, 0.4, channel=10), Expression(1.0, 0.5, 1.0)).to(3.0)
    assert port.controllers(11, 10) == [(0.0, ONSET_LEVEL)]
    assert port.controllers(74, 10) == []
    assert port.pressures(10) == []


def test_a_silent_channel_is_left_alone() -> None:
    port = Port(strike(0.0, 0.4, beats=1.0), Expression(2.0, 0.6, 1.0)).to(5.0)
    assert [seconds for seconds, _ in port.controllers(11) + port.controllers(74)] == [0.0, 0.0]


def test_in_mpe_the_master_has_the_level_and_each_note_its_brightness_and_pressure() -> None:
    port = Port(strike(0.0, 0.4), Expression(1.0, 0.5, 1.0), program=STRINGS, mode="mpe").to(3.0)
    assert {channel for channel in range(1, 17) if port.controllers(11, channel)} == {MPE_MASTER}
    members = {channel for channel in range(1, 17) if port.controllers(74, channel)}
    assert members < set(MPE_MEMBERS)
    assert len(members) == len(CHORD)
    assert all(port.controllers(74, member)[-1][1] == 96 for member in members)
    assert all(port.pressures(member)[-1] > 80 for member in members)


def test_a_channel_that_a_tuning_lends_swells_with_its_part() -> None:
    quarter_tone = NoteEvent(0.0, 4.0, 62, 51, 1, "pad", cents=50.0)
    port = Port(strike(0.0, 0.4), Notes((quarter_tone,), 0.4), Expression(1.0, 0.48)).to(3.0)
    lent = next(get_channel(m.data) for m in port.scheduler.messages if get_kind(m.data) == "pitch_bend")
    assert lent != 1
    assert port.controllers(11, lent)[-1][1] == port.controllers(11, 1)[-1][1] == 120


@pytest.mark.parametrize("ending", [Stop(), Silence(), Pause()], ids=["stop", "panic", "pause"])
@pytest.mark.parametrize("mode", ["bend", "mpe"])
def test_the_end_leaves_every_controller_at_rest(ending: Stop | Silence | Pause, mode: str) -> None:
    port = Port(strike(0.0, 0.4), Expression(1.0, 0.5, 1.0), program=STRINGS, mode=mode).to(2.0)
    port.scheduler.send(ending)
    port.to(3.0)
    resting = {control_change(channel, 11, 127) for channel in range(1, 17)}
    resting |= {control_change(channel, 74, 64) for channel in range(1, 17)}
    resting |= {channel_pressure(channel, 0) for channel in range(1, 17)}
    assert len(port.rests()) >= 3
    assert set(port.rests()) <= resting


def test_after_a_panic_the_music_goes_on_as_loud_as_it_was() -> None:
    port = Port(strike(0.0, 0.4), Expression(1.0, 0.5)).to(2.0)
    port.scheduler.send(Silence())
    port.scheduler.send(strike(3.0, 0.4))
    assert port.to(4.0).controllers(11)[-2:] == [(2.0, 127), (3.0, 125)]


def test_what_a_crash_left_is_put_back_where_the_channels_are_released() -> None:
    port = Port()
    port.scheduler.send(ChannelRelease((1, 10), resets_expression=True))
    assert port.rests() == [control_change(1, 11, 127), control_change(1, 74, 64), control_change(10, 11, 127),
                            channel_pressure(1, 0)]  # fmt: skip


def test_a_controller_that_carries_something_else_is_left_to_it() -> None:
    port = Port(Controls((ControlChange(1, 11, 30),)), strike(0.0, 0.4), Expression(1.0, 0.6, 1.0)).to(3.0)
    assert port.controllers(11) == [(0.0, 30)]
    assert port.controllers(74)[-1][1] == 96


def test_without_a_loudness_nothing_is_sent_that_was_not_sent_before() -> None:
    notes = Notes(strike(0.0, 0.4).notes)
    assert {get_kind(m.data) for m in Port(notes, program=STRINGS).to(5.0).scheduler.messages} == {
        "note_on", "note_off",
    }  # fmt: skip


def count_in_a_second(times: Iterable[float]) -> int:
    """The most that fall within any one second."""
    ordered = sorted(times)
    return max((sum(first <= time < first + 1.0 for time in ordered) for first in ordered), default=0)


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 4.0), st.floats(0.02, 3.0), st.integers(1, 16), st.integers(40, 50), st.floats(0.1, 1.0)
        ),
        max_size=40,
    ),
    st.lists(st.tuples(st.floats(0.0, 4.0), st.floats(0.1, 1.0), st.floats(-1.0, 1.0)), max_size=120),
    st.sampled_from(["off", "bend", "mpe", "mts"]),
)
@settings(max_examples=60, deadline=None)
def test_never_more_messages_a_second_than_promised(
    notes: list[tuple[float, float, int, int, float]], points: list[tuple[float, float, float]], mode: str
) -> None:
    """50 of one controller of a channel; 250 in all, but for what goes right before a note-on."""
    commands: list[Notes | Expression] = [
        Notes((NoteEvent(beat, beats, key, max(1, round(127 * loudness)), channel, "x"),), loudness)
        for beat, beats, channel, key, loudness in notes
    ]
    commands += [Expression(beat, loudness, brightness) for beat, loudness, brightness in sorted(points)]
    messages = Port(*commands, program=STRINGS, mode=mode).to(8.0).scheduler.messages
    times: dict[tuple[int, int | None], list[float]] = {}
    between: list[float] = []
    ons = {m.seconds for m in messages if get_kind(m.data) == "note_on"}
    for message in messages:
        is_control = get_kind(message.data) == "control_change" and message.data[1] in (11, 74)
        if is_control or get_kind(message.data) == "channel_pressure":
            key = (message.data[0], message.data[1] if is_control else None)
            times.setdefault(key, []).append(message.seconds)
            if message.seconds not in ons:
                between.append(message.seconds)
    for key, sent in times.items():
        gaps = [b - a for a, b in itertools.pairwise(sent)]
        assert all(gap >= CONTROLLER_SPACING_SECONDS - 1e-9 for gap in gaps), (key, Counter(gaps))
    assert count_in_a_second(between) <= 1.0 / MESSAGE_SPACING_SECONDS + 1


@given(st.lists(st.tuples(st.floats(0.0, 3.9), st.floats(0.2, 1.0)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_note_never_waits_for_a_controller(points: list[tuple[float, float]]) -> None:
    onsets = [0.1 * k for k in range(40)]
    notes = [strike(beat, 0.5, beats=0.3, keys=(60,)) for beat in onsets]
    port = Port(*notes, *(Expression(beat, loudness) for beat, loudness in sorted(points))).to(8.0)
    assert [m.seconds for m in port.scheduler.messages if get_kind(m.data) == "note_on"] == pytest.approx(onsets)


@pytest.mark.parametrize("loudness", [0.0, 1.1, math.nan])
def test_a_loudness_that_none_has_is_refused(loudness: float) -> None:
    with pytest.raises(ConfigError, match="loudness"):
        Expression(0.0, loudness)
    with pytest.raises(ConfigError, match="loudness"):
        Notes((), loudness)


def test_what_a_receiver_hears_is_told_with_each_note() -> None:
    port = Port(strike(0.0, 0.4, keys=(60,)), Expression(1.0, 0.44, 0.5), strike(2.0, 0.4, channel=2)).to(6.0)
    first = find_sounding_notes(port.scheduler.messages)[0]
    assert [(round(p.seconds, 2), p.level, p.brightness) for p in first.expression] == [
        (0.0, 100, 64), (1.0, 106, 64), (1.0, 106, 80), (1.02, 110, 80),
    ]  # fmt: skip


def test_a_ramp_is_followed_without_a_step_where_chords_begin() -> None:
    """Four chords under a rising loudness: what sounds rises by little more than a decibel at once."""
    ramp = [0.3 + 0.4 * beat / 16.0 for beat in np.arange(0.05, 16.0, 0.05)]
    chords = [strike(4.0 * n, 0.3 + 0.1 * n, keys=(60,)) for n in range(4)]
    points = [Expression(0.05 * (k + 1), loudness) for k, loudness in enumerate(ramp)]
    port = Port(*chords, *points).to(16.0)
    level, velocity, loudness_by_time = 127, 0, dict[float, float]()
    for message in port.scheduler.messages:
        kind = get_kind(message.data)
        level = message.data[2] if kind == "control_change" and message.data[1] == 11 else level
        velocity = message.data[2] if kind == "note_on" else velocity
        if velocity and message.seconds < 16.0:
            loudness_by_time[message.seconds] = 40.0 * math.log10(level * velocity)
    steps = np.diff(list(loudness_by_time.values()))
    assert steps.max() < 1.2
    assert steps.min() > -0.4
