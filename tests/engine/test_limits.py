"""Limits by option, config file and profile, and what they hold: the tempo, the arousal, and the hours of the night."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from kelly_live.core.commands import LoudnessLimits
from kelly_live.core.errors import ConfigError
from kelly_live.core.limits import Limits, QuietHours, parse_quiet_hours
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.sync_state import BeatEstimate, SyncState
from kelly_live.engine.limits_watch import LimitsWatch
from kelly_live.engine.options.config_file import load_config
from kelly_live.engine.options.limits import LimitsOptions
from kelly_live.engine.override import OverrideStage
from kelly_live.engine.profile_actions import apply_setting, describe_settings
from kelly_live.generators.band import GeneratorBand
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import Conductor
from kelly_live.music.tempo_limit import TempoLimit
from kelly_live.profiles.profile import Profile, from_yaml, to_yaml
from tests.engine.test_override import CountingMapper
from tests.fakes import parameters, state

NIGHT = QuietHours(22 * 60, 7 * 60, 40)


def test_of_two_limits_the_stricter_holds() -> None:
    carer = Limits(velocity=80, tempo_rise=10.0, quiet_hours=(NIGHT,))
    typed = Limits(velocity=100, tempo_rise=5.0, accent=12)
    both = Limits(velocity=80, tempo_rise=5.0, accent=12, quiet_hours=(NIGHT,))
    assert carer.combine(typed) == typed.combine(carer) == both


@pytest.mark.parametrize(
    ("clock", "is_quiet"), [("21:59", False), ("22:00", True), ("00:00", True), ("06:59", True), ("07:00", False)]
)
def test_a_night_goes_past_midnight(clock: str, is_quiet: bool) -> None:
    hours, minutes = map(int, clock.split(":"))
    assert parse_quiet_hours("22:00 - 7:00").contains(60 * hours + minutes) is is_quiet


@pytest.mark.parametrize("text", ["22-7", "25:00-07:00", "22:00-22:00", "22:00", "", "٢٢:00-07:00"])
def test_other_hours_are_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ConfigError, match="22:00-07:00"):
        parse_quiet_hours(text)


def test_quiet_hours_begin_and_end_by_the_wall_clock_that_is_given() -> None:
    sent: list[object] = []

    class Sink(NoteList):
        def send(self, command: object) -> None:  # type: ignore[override]
            sent.append(command)

    minute = 21 * 60 + 59
    watch = LimitsWatch(Limits(velocity=90, quiet_hours=(NIGHT,)), Sink(), lambda: minute)
    assert watch.latest == LoudnessLimits(velocity=90)
    assert watch.update(0.0) is None
    minute = 22 * 60
    assert watch.update(0.5) is None, "the clock is asked once a second"
    assert watch.update(1.0) == LoudnessLimits(velocity=40)
    assert watch.update(2.0) is None
    minute = 7 * 60
    assert watch.update(3.0) == LoudnessLimits(velocity=90)
    assert sent == [LoudnessLimits(velocity=40), LoudnessLimits(velocity=90)]


def test_the_options_say_the_same_as_the_limits() -> None:
    options = LimitsOptions(velocity=90, accent=12, quiet_hours=parse_quiet_hours("22:00-07:00"), quiet_velocity=40)
    assert options.build_limits() == Limits(velocity=90, accent=12, quiet_hours=(NIGHT,))
    with pytest.raises(ConfigError, match="--limit-quiet-velocity has no effect without --limit-quiet-hours"):
        LimitsOptions(quiet_velocity=40)


def test_the_table_of_the_config_file_leaves_the_prefix_out(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[live]\nclock = "send"\n[limits]\nvelocity = 90\nquiet-hours = "22:00-07:00"\n')
    settings = [(one.name, one.value, one.table, one.line) for one in load_config(file)]
    assert settings == [
        ("clock", "send", "live", 2), ("limit-velocity", 90, None, 4), ("limit-quiet-hours", "22:00-07:00", None, 5),
    ]  # fmt: skip


def test_a_profile_keeps_its_limits() -> None:
    limits = Limits(velocity=80, loudness_rise=12.5, notes=20, arousal_rise=0.4, quiet_hours=(NIGHT,))
    profile = Profile("ann", "2026-11-29T12:00:00Z", limits=limits)
    assert from_yaml(to_yaml(profile), "ann.yaml") == profile


def test_a_limit_of_a_profile_is_set_and_removed_by_its_name() -> None:
    profile = Profile("ann", "2026-11-29T12:00:00Z")
    profile = apply_setting(profile, "limits.velocity", "80")
    profile = apply_setting(profile, "limits.quiet-hours", "22:00-07:00")
    profile = apply_setting(profile, "limits.quiet-velocity", "40")
    assert profile.limits == Limits(velocity=80, quiet_hours=(NIGHT,))
    assert "limits: velocity 80, velocity 40 from 22:00-07:00" in describe_settings(profile)
    profile = apply_setting(profile, "limits.velocity", "70")
    assert apply_setting(profile, "limits.velocity", "none").limits == Limits(quiet_hours=(NIGHT,))
    for key, value, message in (
        ("limits.velocity", "loud", "the limit velocity is 'loud'; it must be a number, or none"),
        ("limits.velocity", "200", "the limit velocity is 200; it must be a whole number from 1 to 127"),
        ("limits.notes", "2.5", "the limit notes is 2.5; it must be a whole number"),
        ("limits.volume", "3", "there is no limit 'volume'; there are velocity, loudness_rise"),
        ("limits.quiet-hours", "late", "write it as 22:00-07:00"),
    ):
        with pytest.raises(ConfigError, match=message):
            apply_setting(profile, key, value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("velocity: 200", "ann.yaml line 5: limits.velocity is 200; it must be a number from 1 to 127"),
        ("loud: 3", "ann.yaml line 5: limits.loud is not known here"),
        ("quiet_velocity: 3", "ann.yaml line 5: limits.quiet_velocity has no effect without quiet_hours"),
        ("quiet_hours: late", "ann.yaml line 5: limits.quiet_hours does not fit .*22:00-07:00"),
    ],
)
def test_a_wrong_limit_of_a_profile_is_named_with_its_line(line: str, message: str) -> None:
    text = f"format: 2\nname: ann\ncreated: 2026-11-29T12:00:00Z\nlimits:\n  {line}\n"
    with pytest.raises(ConfigError, match=message):
        from_yaml(text.encode(), "ann.yaml")


def test_the_tempo_rises_by_so_much_a_minute_whoever_leads() -> None:
    """A mapper that leaps to 160 BPM, then a player at 220: 12 BPM a minute, and down at once."""
    sink = NoteList()
    conductor = Conductor(sink, GeneratorBand([]), seed=1, tempo_rise=12.0)
    conductor.start(0.0, parameters(100.0))
    bpm_at = {}
    for step in range(1, 9001):
        now = 0.02 * step
        fast, slow = parameters(160.0), parameters(60.0)
        sync = SyncState(BeatEstimate(now, 220.0, 0.9)) if 60.0 < now < 120.0 else SyncState()
        conductor.advance(now, slow if now > 120.0 else fast, sync)
        bpm_at[round(now)] = conductor.status().bpm
    assert bpm_at[60] == pytest.approx(112.0, abs=0.5)
    assert bpm_at[119] == pytest.approx(123.8, abs=0.6)
    assert bpm_at[170] < 70.0
    assert bpm_at[0] == 100.0


def test_the_arousal_rises_by_so_much_a_minute_whoever_sets_it() -> None:
    stage = OverrideStage(CountingMapper(), state(), arousal_rise=0.6)
    stage.map(None, 0.0, 0.0)
    stage.set_override(EmotionOverride(emotion="excited"))
    arousals = [stage.map(None, 0.0, 0.05 * step).state.arousal for step in range(1, 1201)]
    assert arousals[599] == pytest.approx(0.3, abs=0.011)
    assert arousals[-1] == pytest.approx(0.6, abs=0.011)
    assert max(b - a for a, b in itertools.pairwise(arousals)) <= 0.0101
    stage.set_override(EmotionOverride(arousal=-1.0))
    assert stage.map(None, 0.0, 60.1).state.arousal == -1.0, "it may fall at once"


def test_a_limit_that_holds_nothing_back_maps_nothing_anew() -> None:
    mapper = CountingMapper()
    stage, read = OverrideStage(mapper, state(), arousal_rise=0.6), state(1.0, arousal=0.0)
    first = stage.map(read, 0.0, 0.0)
    assert all(stage.map(read, 0.0, 0.01 * step) is first for step in range(2000))


def test_a_tempo_that_was_planned_and_never_played_allows_nothing() -> None:
    """A session opens at 104 BPM; before its first beat a clock starts it at 30.

    Then something asks for 84.
    """
    limit = TempoLimit(10.0)
    assert [limit.limit(0.2, 104.0), limit.limit(0.0, 30.0)] == [104.0, 30.0]
    assert limit.limit(0.5, 84.0) == 30.0
    assert limit.limit(60.0, 84.0) == pytest.approx(40.0, abs=0.26)


def test_a_plan_that_was_dropped_hides_no_tempo_before_it() -> None:
    """A short fall is forgiven, also where a rise was planned meanwhile, and a clock began before it."""
    limit = TempoLimit(60.0)
    assert [limit.limit(0.0, 100.0), limit.limit(1.0, 60.0)] == [100.0, 60.0]
    assert limit.limit(5.0, 200.0) == 105.0
    assert [limit.limit(2.0, 60.0), limit.limit(3.0, 100.0)] == [60.0, 100.0]
