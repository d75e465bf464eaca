"""Tuning, read as scores: which channel a note takes, what is sent before it, and what sounds."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.commands import BEND_SEMITONES, TUNINGS, Notes, PartProgram, Start, Stop, Tuning
from kelly_live.core.errors import ConfigError, MidiError
from kelly_live.core.midi_messages import (
    bend_to,
    get_channel,
    get_kind,
    key_tunings,
    registered_parameter,
    tuned_program,
)
from kelly_live.core.values import NoteEvent
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.midi.ports import RecordedMessage
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.midi.tuning import MPE_MEMBERS, RING_SECONDS, build_silencing_messages, create_tuner
from tests.midi.receiver import Receiver

PARTS = tuple(PartProgram(*pair) for pair in ((1, 0), (2, 33), (3, 11), (10, 0)))  # chords, bass, melody, percussion
WAYS = [Tuning("bend", 2, PARTS), Tuning("bend", 48, PARTS), Tuning("mpe", 48, PARTS), Tuning("mts", None, PARTS)]
FINE_CENTS = {2: 0.5 * 200 / 8192, 48: 0.5 * 4800 / 8192}  # half a step of the bend wheel
way = pytest.mark.parametrize("tuning", WAYS, ids=lambda t: f"{t.mode}-{t.bend_range}")


def note(
    onset: float, duration: float = 0.5, pitch: int = 60, cents: float = 0.0, channel: int = 3, velocity: int = 80
) -> NoteEvent:
    return NoteEvent(onset, duration, pitch, velocity, channel, "test", cents)


def perform(notes: list[NoteEvent], tuning: Tuning, until: float = 1000.0, stop: bool = False) -> list[RecordedMessage]:
    """What is sent, at 60 BPM."""
    scheduler = OfflineScheduler(tuning=tuning)
    scheduler.send(Start(0.0, 60.0))
    scheduler.send(Notes(tuple(notes)))
    scheduler.advance(until)
    if stop:
        scheduler.send(Stop())
    return scheduler.messages


def describe(messages: list[RecordedMessage]) -> list[str]:
    """Notes and bends as a player would write them down: "60 on 4"; "4 bends 9000"."""
    lines = []
    for m in messages:
        kind, channel = get_kind(m.data), get_channel(m.data)
        if kind == "note_on":
            lines.append(f"{m.data[1]} on {channel}")
        elif kind == "note_off":
            lines.append(f"{m.data[1]} off {channel}")
        elif kind == "pitch_bend":
            lines.append(f"{channel} bends {m.data[1] + 128 * m.data[2]}")
    return lines


def test_a_bend_stands_right_before_its_note_at_the_same_instant() -> None:
    messages = perform([note(1.0, 1.0, 60, 50.0)], Tuning(programs=PARTS))
    assert [(m.seconds, m.data.hex(" ")) for m in messages] == [
        (1.0, "c2 0b"),  # the melody's own channel and the one it borrows are one sound
        (1.0, "c3 0b"),
        *((1.0, f"b3 {rest}") for rest in ("65 00", "64 00", "06 02", "26 00", "65 7f", "64 7f")),  # ±2 semitones
        (1.0, "e3 00 50"),  # 8192 + 8192 / 4
        (1.0, "93 3c 50"),
        (2.0, "83 3c 00"),
    ]


def test_nothing_is_said_twice() -> None:
    messages = perform([note(float(beat), 0.5, 60 + beat, 50.0) for beat in range(4)], Tuning(programs=PARTS))
    assert describe(messages) == ["4 bends 10240"] + [
        line for b in range(4) for line in (f"{60 + b} on 4", f"{60 + b} off 4")
    ]
    assert len(messages) == 2 + 6 + 1 + 8


def test_a_part_keeps_its_own_channel_for_12_tet_and_never_bends_it() -> None:
    notes = [note(0.0, 4.0, 60), note(1.0, 1.0, 64, -14.0), note(2.0, 1.0, 67, 2.0), note(3.0, 1.0, 72)]
    messages = perform(notes, Tuning(programs=PARTS))
    assert [line for line in describe(messages) if "on" in line] == ["60 on 3", "64 on 4", "67 on 5", "72 on 3"]
    assert not any("3 bends" in line for line in describe(messages))


def test_notes_of_one_bend_share_a_channel() -> None:
    chord = [note(0.0, 2.0, pitch, -50.0, channel=1) for pitch in (52, 59, 64)]
    assert [line for line in describe(perform(chord, Tuning(programs=PARTS))) if "off" not in line] == [
        "4 bends 6144", "52 on 4", "59 on 4", "64 on 4",
    ]  # fmt: skip


def test_the_longest_released_goes_first_once_all_are_lent() -> None:
    extras = [4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16]
    scale = [note(float(i), 0.5, 60, float(i + 1)) for i in range(14)]
    onsets = [line for line in describe(perform(scale, Tuning(programs=PARTS))) if " on " in line]
    assert onsets == [f"60 on {channel}" for channel in [*extras, 4, 5]]


def test_drums_stay_on_10_unbent() -> None:
    for tuning in WAYS:
        messages = perform([note(0.0, 0.5, 38, 50.0, channel=10)], tuning)
        assert describe(messages) == ["38 on 10", "38 off 10"]


def test_a_part_in_need_gets_a_rested_channel_of_the_one_that_holds_most() -> None:
    greedy = [note(i * 0.5, 0.4, 60, float(i + 1)) for i in range(12)]
    messages = perform([*greedy, note(10.0, 1.0, 40, 25.0, channel=2)], Tuning(programs=PARTS))
    receiver = Receiver().hear(messages)
    last = receiver.voices[-1]
    assert (last.channel, last.key, last.program) == (4, 40, 33)  # and it now sounds like a bass
    assert last.pitches[0] == pytest.approx(40.25, abs=1e-3)


def test_when_nothing_is_rested_the_nearest_bend_is_taken_12_tet_included() -> None:
    long_notes = [note(0.0, 9.0, 60 + i, 8.0 * (i + 1)) for i in range(12)]
    late = [note(1.0, 1.0, 50, 41.0), note(2.0, 1.0, 51, 3.0)]
    receiver = Receiver().hear(perform(long_notes + late, Tuning(programs=PARTS)))
    assert [round(100 * (v.pitches[0] - v.key)) for v in receiver.voices[-2:]] == [40, 0]
    assert all(len(voice.pitches) == 1 for voice in receiver.voices)


def test_a_ringing_tail_is_left_alone_until_it_has_rung() -> None:
    long_notes = [note(0.0, 9.0, 60 + i, 8.0 * (i + 1)) for i in range(11)]
    first = note(0.0, 1.0, 80, -90.0)
    for gap, lands in ((RING_SECONDS * 0.9, 0), (RING_SECONDS * 1.1, -30)):
        after = note(1.0 + gap, 1.0, 85, -30.0)
        receiver = Receiver().hear(perform([*long_notes, first, after], Tuning(programs=PARTS)))
        assert round(100 * (receiver.voices[-1].pitches[0] - 85)) == lands


def test_mpe_says_its_zone_first_and_gives_every_note_a_member() -> None:
    messages = perform([note(0.0, 2.0, 60 + i, 0.0, channel=1 + i) for i in range(3)], Tuning("mpe", None, PARTS))
    assert [m.data.hex(" ") for m in messages[:7]] == [
        "b0 65 00", "b0 64 06", "b0 06 08", "b0 26 00", "b0 65 7f", "b0 64 7f", "c0 00",
    ]  # fmt: skip
    receiver = Receiver().hear(messages)
    assert receiver.zone_members == len(MPE_MEMBERS)
    assert [voice.channel for voice in receiver.voices] == [2, 3, 4]
    assert {receiver.channels[member].bend_range for member in MPE_MEMBERS} == {48.0}


def test_mpe_takes_the_longest_released_member_first() -> None:
    scale = [note(float(i), 0.5, 60, float(i + 1)) for i in range(10)]
    onsets = [line for line in describe(perform(scale, Tuning("mpe", 48, PARTS))) if " on " in line]
    assert onsets == [f"60 on {member}" for member in [*MPE_MEMBERS, 2, 3]]


def test_an_mpe_zone_is_silenced_by_its_master_too() -> None:
    notes = [note(0.0, 9.0, 60, 50.0)]
    for after in (
        [m.data for m in perform(notes, Tuning("mpe"), until=1.0, stop=True)],
        build_silencing_messages(Tuning("mpe"), {3}, has_cents=True),
    ):
        assert {bytes([0xB0, 123, 0]), bytes([0xB1, 123, 0]), bytes([0xB1, 120, 0]), bytes([0xE1, 0, 64])} <= set(after)


def test_mts_moves_a_key_before_its_note_and_another_while_that_one_sounds() -> None:
    notes = [note(0.0, 4.0, 60, -33.0), note(1.0, 1.0, 60, 20.0), note(2.0, 1.0, 60, 20.0)]
    messages = perform(notes, Tuning("mts"))
    assert [m.data for m in messages[:8]] == [
        *registered_parameter(3, 3, 2),
        key_tunings(2, {60: round(59.67 * 16384)}),
        bytes([0x92, 60, 80]),
    ]
    receiver = Receiver().hear(messages)
    assert [(v.channel, v.key) for v in receiver.voices] == [(3, 60), (3, 59), (3, 59)]
    assert [v.pitches for v in receiver.voices] == [[pytest.approx(pitch, abs=1e-4)] for pitch in (59.67, 60.20, 60.20)]
    assert sum(tuned_program(m.data) is not None for m in messages) == 2


@way
def test_silence_brings_everything_back_to_12_tet(tuning: Tuning) -> None:
    notes = [note(0.0, 9.0, 60 + i, 10.0 * i - 50.0, channel=1 + i % 3) for i in range(9)]
    messages = perform(notes, tuning, until=1.0, stop=True)
    receiver = Receiver().hear(messages)
    assert receiver.list_sounding_notes() == []
    note_channels = {get_channel(m.data) for m in messages if get_kind(m.data) == "note_on"}
    for channel in note_channels:
        ends = [m.data[1] for m in messages if get_kind(m.data) == "control_change" and get_channel(m.data) == channel]
        assert {120, 123} <= set(ends)
    for channel in range(1, 17):
        assert [receiver.pitch(channel, key) for key in range(128)] == list(range(128))
        if tuning.mode != "mpe":
            assert receiver.channels[channel].bend_range == 2.0
    order = [get_kind(m.data) for m in messages]
    last_off = len(order) - 1 - order[::-1].index("note_off")
    assert "note_on" not in order[last_off:]


@way
def test_a_receiver_left_behind_is_silenced_and_straightened_by_what_little_is_known(tuning: Tuning) -> None:
    notes = [note(0.0, 9.0, 60 + i, 10.0 * i - 50.0, channel=1 + i % 3) for i in range(9)]
    receiver = Receiver().hear(perform(notes, tuning, until=1.0))
    assert len(receiver.list_sounding_notes()) == 9
    receiver.hear(
        [RecordedMessage(2.0, data) for data in build_silencing_messages(tuning, {1, 2, 3, 10}, has_cents=True)]
    )
    assert receiver.list_sounding_notes() == []
    assert all(receiver.pitch(channel, key) == key for channel in range(1, 17) for key in range(128))


def test_plain_music_is_left_behind_as_it_always_was() -> None:
    quiet = [bytes([0xB0, 123, 0]), bytes([0xB0, 120, 0]), bytes([0xB9, 123, 0]), bytes([0xB9, 120, 0])]
    for mode in ("off", "bend", "mts"):
        assert build_silencing_messages(Tuning(mode), {1, 10}, has_cents=False) == quiet


def test_the_tuning_reaches_the_process_that_sends() -> None:
    counts_by_mode = {}
    for mode in ("off", "bend", "mts"):
        with SchedulerClient(null=True, late_limit_seconds=60.0) as scheduler:
            scheduler.send(Tuning(mode, None, PARTS))
            scheduler.send(Start(time.monotonic() + 0.1, 300.0))
            scheduler.send(Notes((note(0.0, 0.2, 60, 50.0),)))
            deadline = time.monotonic() + 20.0
            health = scheduler.health()
            while (health.sounding_notes or not health.sent_messages) and time.monotonic() < deadline:
                time.sleep(0.01)
                health = scheduler.health()
        counts_by_mode[mode] = scheduler.health().sent_messages
    silence = 2
    assert counts_by_mode["off"] == 2 + silence
    assert counts_by_mode["bend"] == 2 + (2 + 6 + 1) + silence + 1  # programs, range, bend; and the bend back
    assert counts_by_mode["mts"] == 2 + (6 + 1) + silence + 1


def test_a_tuning_is_chosen_before_the_start() -> None:
    scheduler = OfflineScheduler()
    scheduler.send(Tuning("off"))
    scheduler.send(Start(0.0, 60.0))
    with pytest.raises(MidiError, match="before the scheduler starts"):
        scheduler.send(Tuning("mts"))


@pytest.mark.parametrize(
    ("kind", "wrong", "complaint"),
    [
        (Tuning, ("just",), "must be one of off, bend, mpe, mts"),
        (Tuning, ("bend", 12), "must be 2 or 48"),
        (PartProgram, (17, 0), "channel in 1..16"),
        (PartProgram, (1, 128), "must be 0..127"),
    ],
)
def test_a_wrong_tuning_is_refused(kind: Callable[..., object], wrong: tuple[object, ...], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        kind(*wrong)


def test_a_second_start_begins_unbent() -> None:
    scheduler = OfflineScheduler(tuning=Tuning(programs=PARTS))
    for _ in range(2):
        scheduler.send(Start(scheduler.messages[-1].seconds if scheduler.messages else 0.0, 60.0))
        scheduler.send(Notes((note(0.0, 1.0, 60, 50.0),)))
        scheduler.advance(5.0 * (1 + len(scheduler.messages)))
    assert [line for line in describe(scheduler.messages) if "bends" in line] == [
        "4 bends 10240", "4 bends 8192", "4 bends 10240",
    ]  # fmt: skip


# -- what must hold for any music ------------------------------------------------------------------------------------

plain_note = st.builds(
    note,
    onset=st.floats(0.0, 12.0),
    duration=st.floats(0.05, 4.0),
    pitch=st.integers(0, 127),
    channel=st.sampled_from([1, 2, 3, 5, 10]),
)
tuned_note = st.builds(
    note,
    onset=st.floats(0.0, 12.0),
    duration=st.floats(0.05, 4.0),
    pitch=st.sampled_from([0, 40, 60, 61, 62, 127]),
    cents=st.sampled_from([0.0, -100.0, 100.0, 50.0]) | st.floats(-100.0, 100.0, width=32),
    channel=st.sampled_from([1, 2, 3, 5, 10, 16]),  # 5 and 16 were not announced
)


@given(st.lists(plain_note, max_size=30))
@settings(max_examples=100)
def test_12_tet_music_is_sent_byte_for_byte_as_without_a_tuning(notes: list[NoteEvent]) -> None:
    reference = perform(notes, Tuning("off"), until=6.0, stop=True)
    for tuning in (Tuning(), Tuning("bend", 2, PARTS), Tuning("bend", 48, PARTS), Tuning("mts", None, PARTS)):
        assert perform(notes, tuning, until=6.0, stop=True) == reference


@way
@given(st.lists(tuned_note, max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_note_that_sounds_or_rings_is_ever_moved(tuning: Tuning, notes: list[NoteEvent]) -> None:
    receiver = Receiver().hear(perform(notes, tuning))
    assert receiver.list_sounding_notes() == []
    for voice in receiver.voices:
        assert len(voice.pitches) == 1, voice
        assert voice.channel != 10 or voice.pitches == [voice.key]


@way
@given(st.lists(tuned_note, max_size=60), st.floats(0.0, 12.0))
@settings(max_examples=60, deadline=None)
def test_every_note_on_has_its_off_whenever_silence_falls(
    tuning: Tuning, notes: list[NoteEvent], stop_at: float
) -> None:
    open_notes: set[tuple[int, int]] = set()
    for message in perform(notes, tuning, until=stop_at, stop=True):
        key = (get_channel(message.data), message.data[1])
        if get_kind(message.data) == "note_on":
            assert key not in open_notes
            open_notes.add(key)
        elif get_kind(message.data) == "note_off":
            open_notes.remove(key)
    assert not open_notes


@way
@given(st.lists(tuned_note, max_size=60))
@settings(max_examples=60, deadline=None)
def test_one_note_at_a_time_is_in_tune_to_half_a_step_of_the_wheel(tuning: Tuning, notes: list[NoteEvent]) -> None:
    spaced = [note(5.0 * i, 1.0, n.pitch, n.cents, n.channel) for i, n in enumerate(notes)]
    voices = Receiver().hear(perform(spaced, tuning)).voices
    for spaced_note, voice in zip(spaced, voices, strict=True):
        cents = 0.0 if spaced_note.channel == 10 else spaced_note.cents
        target_pitch = min(max(spaced_note.pitch + cents / 100.0, 0.0), 127.9999) if tuning.mode == "mts" else None
        off = 100.0 * (voice.pitches[0] - (spaced_note.pitch + cents / 100.0 if target_pitch is None else target_pitch))
        assert abs(off) <= (0.02 if tuning.mode == "mts" else FINE_CENTS[tuning.bend_range]) + 1e-6


@given(st.lists(tuned_note, max_size=40), st.sampled_from(TUNINGS), st.sampled_from([None, *BEND_SEMITONES]))
@settings(max_examples=60, deadline=None)
def test_a_tuner_forgets_everything_at_a_reset(notes: list[NoteEvent], mode: str, semitones: int | None) -> None:
    tuner = create_tuner(Tuning(mode, semitones, PARTS))
    first = [tuner.place(n, float(i)) for i, n in enumerate(notes)]
    tuner.reset()
    assert [tuner.place(n, float(i)) for i, n in enumerate(notes)] == first
    assert tuner.reset() == tuner_reset_after(notes, Tuning(mode, semitones, PARTS))
    assert tuner.reset() == tuner_reset_after([], Tuning(mode, semitones, PARTS))


def tuner_reset_after(notes: list[NoteEvent], tuning: Tuning) -> list[bytes]:
    tuner = create_tuner(tuning)
    for i, n in enumerate(notes):
        tuner.place(n, float(i))
    return tuner.reset()


def test_bends_are_numbers_of_14_bits() -> None:
    assert bend_to(1, 0) == bytes([0xE0, 0, 0])
    assert bend_to(16, 16383) == bytes([0xEF, 127, 127])
