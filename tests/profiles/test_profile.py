"""A profile as a value and as a file: nothing is lost, unbounded or unchecked."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.actions import REACTIONS
from kelly_live.core.errors import ConfigError
from kelly_live.core.safe_yaml import Node
from kelly_live.core.values import EMOTIONS
from kelly_live.mapping.net import OWN_RADIUS, SHARED_RADIUS, USER_DIM
from kelly_live.mapping.taste import ERRORS
from kelly_live.profiles import profile as module
from kelly_live.profiles.calibration import Calibration, Hints
from kelly_live.profiles.profile import (
    EMBEDDING,
    MAX_ROWS,
    NewerFormatError,
    Profile,
    check_name,
    from_yaml,
    new_profile,
    to_yaml,
)
from kelly_live.profiles.reaction import DISLIKE, KINDS, LIKE, MORE, MOST_COUNTED, PREFERENCE, RANGES, merge_reactions
from tests.profiles.sample import KEY_ACTIONS, NOW, PLAYED, crowded, make_preference, make_reaction, profiles, reactions


def test_every_preference_target_can_be_learned() -> None:
    assert ERRORS.keys() == RANGES.keys()
    assert EMBEDDING == USER_DIM
    farthest = math.hypot(SHARED_RADIUS, *(OWN_RADIUS for _ in EMOTIONS))
    assert pytest.approx(farthest, rel=1e-3) == module._FARTHEST
    assert farthest < module._FARTHEST


def test_every_reaction_can_be_learned() -> None:
    assert {PREFERENCE, *REACTIONS} == set(KINDS)


@settings(max_examples=60, deadline=None)
@given(profiles())
def test_a_profile_survives_its_file(profile: Profile) -> None:
    assert from_yaml(to_yaml(profile), "p.yaml") == profile


def test_three_thousand_reactions_are_bounded_and_all_counted() -> None:
    profile = crowded(3000)
    assert profile.count == 3000
    assert len(profile.reactions) == MAX_ROWS
    assert len(to_yaml(profile)) < 100_000
    assert from_yaml(to_yaml(profile), "p.yaml") == profile


def test_merging_keeps_the_mean_and_the_count() -> None:
    both = merge_reactions(make_preference("tempo", 50.0), make_preference("tempo", 200.0))
    assert (both.count, both.value) == (2, 100.0)  # half-way as ratios are heard
    thrice = merge_reactions(both, make_preference("tempo", 100.0))
    assert (thrice.count, thrice.value) == (3, 100.0)
    assert thrice.targets(PLAYED)[0].weight == 3.0
    assert replace(thrice, count=5000).targets(PLAYED)[0].weight == MOST_COUNTED


@settings(max_examples=60, deadline=None)
@given(reactions())
def test_every_reaction_asks_for_something_that_can_be(one) -> None:
    for target in one.targets(PLAYED):
        low, high = RANGES[target.parameter]
        assert low <= target.value <= high
        assert 0.0 < target.weight <= MOST_COUNTED


def test_words_target_at_least_a_step_the_other_way() -> None:
    (slower,) = make_reaction("too-fast").targets(PLAYED)
    assert slower.value == pytest.approx(80.0 / 2**0.2)
    assert (slower.parameter, slower.side, slower.weight) == ("tempo", -1, 1.0)
    higher, brighter = make_reaction("too-dark").targets(PLAYED)
    assert (higher.value, higher.side, higher.weight) == (74.0, 1, 0.5)
    assert brighter.value == pytest.approx(0.6)
    assert make_reaction("too-soft", values=(80.0, 70.0, 1.0, 0.7, 0.4)).targets(PLAYED) == []  # it cannot be louder


def test_a_like_targets_what_was_played_and_a_dislike_half_way_to_the_base() -> None:
    liked = make_reaction(LIKE).targets((120.0, 60.0, 0.3, 1.0, 0.8))
    assert tuple(target.value for target in liked) == PLAYED
    assert {target.weight for target in liked} == {0.3}
    assert {target.weight for target in make_reaction(MORE).targets(PLAYED)} == {0.6}
    targets = {
        target.parameter: target.value for target in make_reaction(DISLIKE).targets((125.0, 70.0, 0.3, 0.7, 0.8))
    }
    assert targets == pytest.approx({"tempo": 100.0, "level": 0.4, "major": 0.6})
    assert make_reaction(DISLIKE).targets(PLAYED) == []  # the base itself is disliked: nobody knows what else


@pytest.mark.parametrize(
    "name",
    ["", "A", "../x", "a/b", "a\\b", ".x", "a.b", "-a", "a-", "a--b", "none", "con", "com1", "a" * 49, "é", "a\n"],
)
def test_names_that_are_paths_or_devices_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no name for a profile") as error:
        check_name(name)
    assert "\n" not in str(error.value)


GOOD = to_yaml(new_profile("anna", NOW).with_reaction(make_reaction("too-fast")))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b"format: 2", b"format: one", "line 2: format is 'one'"),
        (b"name: anna", b"name: ../anna", "no name for a profile"),
        (b"created: 2026", b"created: last year 2026", "must be like"),
        (b"too-fast", b"too-hot", "line 7: a reaction does not fit"),
        (b" 80 ", b" nan ", "tempo is nan"),
        (b" 80 ", b" 5000 ", "tempo is 5000"),
        (b" 80 ", b" ", "columns"),
        (b"Z 1 ", b"Z 0 ", "counts 0"),
        (b"Z 1 ", b"Z -1 ", "no reaction"),
        (b"name:", b"shell: rm\nname:", "shell is not known"),
        (b"name: anna", b"name: !!python/object:os.system anna", "tag"),
        (b"name:", b"embedding: [1, 2]\nname:", "embedding and the mapper"),
        (b"name:", b"mapper: '0123456789abcdef'\nembedding: [" + b"1, " * 64 + b"]\nname:", "no longer than 7.23"),
        (b"name:", b"calibrate: perhaps\nname:", "yes or no"),
        (b"name:", b"keys:\n  xx: panic\nname:", "no key"),
        (b"name:", b"keys:\n  x: explode\nname:", "no action"),
        (b"name:", b"keys:\n  x: emotion\nname:", "takes one of"),
        (b"name:", b"hints:\n  counts: [1, 2]\n  means: [0, 0, 0]\nname:", "a count for each"),
        (b"name:", b"take:\n  time: 2026-11-23T00:40:00Z\nname:", "has no seconds"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(old: bytes, new: bytes, complaint: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as error:
        from_yaml(GOOD.replace(old, new), "p.yaml")
    assert str(error.value).startswith("p.yaml")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


FULL = to_yaml(
    replace(
        new_profile("anna", NOW), preset="strings", keys=tuple(zip("axq'", KEY_ACTIONS, strict=False)), calibrate=True,
        take=Calibration("2026-11-23T00:40:00Z", 30.0, -31.5, -62.25, (0.1, -0.2, 0.0), (0.1, 0.1, 0.2)),
        hints=Hints((1, 2, 0), (0.3, -0.2, 0.0)),
    )
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(FULL)), st.integers(0, 40))
def test_any_file_content_is_a_profile_or_a_config_error(noise: bytes, at: int, length: int) -> None:
    for data in (noise, GOOD[:at] + noise + GOOD[at + length :], FULL[:at] + noise + FULL[at + length :]):
        complaint = ""
        try:
            from_yaml(data, "p.yaml")
        except ConfigError as error:
            complaint = str(error)
        assert "\n" not in complaint


def test_an_old_format_is_migrated_and_a_newer_one_is_not_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_zero(fields: dict[str, Node]) -> dict[str, Node]:
        return {("culture" if key == "tradition" else key): node for key, node in fields.items()}

    old = b"format: 0\nname: anna\ncreated: 2026-11-23T00:40:00Z\ntradition: jingju\n"
    with pytest.raises(ConfigError, match="format 0"):
        from_yaml(old, "p.yaml")
    monkeypatch.setitem(module.MIGRATIONS, 0, from_zero)
    assert from_yaml(old, "p.yaml") == new_profile("anna", NOW, "jingju")
    with pytest.raises(NewerFormatError, match="update kelly-live"):
        from_yaml(GOOD.replace(b"format: 2", b"format: 3"), "p.yaml")


def test_a_profile_of_format_1_is_read_as_it_was() -> None:
    old = GOOD.replace(b"format: 2", b"format: 1")
    assert from_yaml(old, "p.yaml") == from_yaml(GOOD, "p.yaml")
