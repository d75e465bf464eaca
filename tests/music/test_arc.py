"""An arc as a value, and as it is written: a table, or YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.music.arc import SMOOTH, STEP, Arc, ArcPoint, HitPoint
from kelly_live.music.arc_file import parse_arc, read_length

SAD, HAPPY = create_state(emotion="sad"), create_state(emotion="happy")

TABLE = b"""\
# one scene
time,emotion,valence,arousal,dominance,interpolation,style,culture,hit
0:00,sad,,,,smooth,,klezmer,
0:12.5,,,,,,,,the letter
0:41.2,happy,,,,,dance,,they embrace
1:00,,,,,,,,
"""
SCENE = b"""\
format: 1
end: 1:00
culture: klezmer
points:
  - {time: 0, emotion: sad, interpolation: smooth}
  - {time: 0:41.2, emotion: happy, style: dance, hit: they embrace}
hits:
  - {time: 12.5, name: the letter}
"""


def test_a_table_and_yaml_say_the_same() -> None:
    arc, same = parse_arc(TABLE, "scene.csv"), parse_arc(SCENE, "scene.yaml")
    assert arc.points == same.points == (ArcPoint(0.0, SAD, SMOOTH), ArcPoint(41.2, HAPPY))
    assert arc.hits == same.hits == (HitPoint(12.5, "the letter"), HitPoint(41.2, "they embrace"))
    assert arc.end == same.end == 60.0
    assert [(c.place, c.style, c.culture) for c in arc.changes] == [(0.0, None, "klezmer"), (41.2, "dance", None)]
    assert [arc.change_at(second).style for second in (0.0, 41.2)] == [None, "dance"]


def test_the_examples_say_the_same() -> None:
    examples = Path(__file__).parents[2] / "examples"
    table, scene = (parse_arc((examples / name).read_bytes(), name) for name in ("scene.csv", "scene.yaml"))
    assert table == scene
    assert len(scene.hits) == 3


def test_spreadsheets_may_use_semicolons_tabs_and_a_byte_order_mark() -> None:
    for mark in (b";", b"\t"):
        assert parse_arc(b"\xef\xbb\xbf" + TABLE.replace(b",", mark), "a.CSV") == parse_arc(TABLE, "a.CSV")


def test_in_bars_the_last_row_is_the_last_bar() -> None:
    arc = parse_arc(b"bar,emotion,hit\n1,sad,\n9,happy,here\n16,happy,\n", "a.csv")
    assert arc.in_bars
    assert (arc.points[1].place, arc.hits[0].place, arc.end) == (8.0, 8.0, 16.0)


@pytest.mark.parametrize(
    ("interpolation", "valences"),
    [("step", (-0.5, -0.5, -0.5, 0.5)), ("linear", (-0.5, -0.25, 0.0, 0.5)), ("smooth", (-0.5, -0.34375, 0.0, 0.5))],
)
def test_a_row_says_how_it_goes_on(interpolation: str, valences: tuple[float, ...]) -> None:
    low, high = create_state(-0.5, 0.0), create_state(0.5, 0.0)
    arc = Arc((ArcPoint(10.0, low, interpolation), ArcPoint(20.0, high)), end=30.0)
    assert [arc.state_at(second).valence for second in (10.0, 12.5, 15.0, 20.0)] == pytest.approx(valences)
    assert arc.state_at(0.0) == low
    assert arc.state_at(29.0) == high
    assert arc.list_steps() == ([20.0] if interpolation == STEP else [])


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("time,emotion\n0,sadd", "line 2: emotion is 'sadd'; it must be one of happy"),
        ("time,valence,arousal\n0,0,1.5", "line 2: arousal is '1.5'; it must be a number from -1 to 1"),
        ("time,valence\n0,0", "line 2: the row has valence alone; give valence and arousal together"),
        (
            "time,emotion\n0,sad\n5:61,sad",
            "line 3: time is '5:61'; it must be a time up to 15 minutes: 83.5, or 1:23.5",
        ),
        ("time,emotion\n0,sad\n0,happy\n9,", "line 3: the row has a feeling at '0', as a row before it has; keep one"),
        ("time,emotion,hit\n0,sad,\n5,,a\n5.2,,b\n9,,", "line 4: hit is less than 0.5 s after 'a'"),
        ("time,bar,emotion\n0,,sad\n,3,", "line 3: the row has a bar, and the rows before it a time"),
        ("time,emotion,interpolation\n0,sad,jump\n9,,", "line 2: interpolation is 'jump'; it must be one of step"),
        ("time,emotion,interpolation\n0,sad,\n9,,step", "line 3: interpolation stands in a row without a feeling"),
        ("time,emotion,style\n0,sad,polkka\n9,,", "line 2: style is 'polkka'; it must be one of plain"),
        ("time,feeling\n0,sad", "line 1: the header has 'feeling', which is no field; there may be time"),
        ("time,emotion,time\n0,sad,0", "line 1: the header has time twice; keep one"),
        ("time,emotion\n0,sad,5", "line 2: has 3 cells and the header 2"),
        ("time,hit\n0,a\n9,", "and all other rows have no feeling; give one row an emotion"),
        ("time,emotion\n0,sad\n2,happy", "line 3: time is '2', where the piece ends; it must last 4 s or more"),
        ("bar,emotion\n1,sad\n4.5,happy", "line 3: bar is '4.5', where the piece ends; it must be a whole bar"),
        ("time,emotion", "has no row under its header"),
        ('time,emotion\n0,"sad', "is no table"),
        ("time,emotion\n0,s\udcffad", "line 2: is not UTF-8"),
    ],
)
def test_an_error_names_line_field_and_rule(rows: str, error: str) -> None:
    with pytest.raises(ConfigError, match=r"^a\.csv ") as caught:
        parse_arc(rows.encode("utf-8", "surrogateescape"), "a.csv")
    assert error in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("format: 1\npoints: []\n", "points is empty"),
        ("format: 1\npoints:\n- {time: 0, emotion: sad}\nhits:\n- {time: 3}\n", "lacks `name`"),
        ("format: 1\nend: 0:10\npoints:\n- {time: 0, emotion: sad}\n- {time: 12, emotion: sad}\n", "after the end"),
        ("format: 1\npoints:\n- {emotion: sad}\n", "has no place; it must have a time or a bar"),
    ],
)
def test_yaml_is_checked_alike(text: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        parse_arc(text.encode(), "a.yaml")


def test_a_length_is_written_as_a_clock_shows_it() -> None:
    assert read_length("1:23.5") == read_length("83.5") == read_length("0:01:23.5") == 83.5
    for text in ("1:60", "2", "1h", "nan", "16:00", ""):
        with pytest.raises(ConfigError, match=r"such as 83\.5 or 1:23\.5"):
            read_length(text)


def test_a_hit_point_after_the_end_is_refused() -> None:
    arc = Arc((ArcPoint(0.0, SAD),), (HitPoint(20.0, "late"),), 30.0)
    with pytest.raises(ConfigError, match="'late' comes after the end"):
        arc.with_end(15.0)
