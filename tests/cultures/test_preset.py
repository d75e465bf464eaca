"""What a preset may say, and what is said to one that breaks a rule: file, line and field."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.errors import ConfigError, KellyError
from kelly_live.core.safe_yaml import MAX_BYTES, parse_nodes
from kelly_live.cultures.preset import PARAMETERS, CulturePreset, load_preset_file, parse_preset
from kelly_live.cultures.style import create_style
from kelly_live.lab.cultures.writing import format_yaml
from tests.cultures.example import PRESET, parse


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert "\n" not in str(error.value)
    return str(error.value)


def outcome(read: Callable[[], CulturePreset]) -> str:
    """Return the preset that was read, or the message of its refusal; only a KellyError is caught."""
    try:
        return f"{read().name}.yaml"
    except KellyError as error:
        return str(error)


def test_a_preset_says_what_is_known_and_where_from() -> None:
    preset = parse(PRESET)
    assert preset.tempo_bpm is not None
    assert preset.tempo_bpm.value == (90.0, 110.0, 140.0)
    assert (preset.tempo_bpm.source, preset.tempo_bpm.n, preset.tempo_bpm.of) == ("measured", 12, "tunes")
    assert preset.metres is not None
    assert dict(preset.metres.value) == {"3/4": 1.0}
    assert preset.has_triads is True
    assert preset.mode("glad") is preset.modes[0]
    assert preset.mode("sad") is None
    assert pickle.loads(pickle.dumps(preset)) == preset  # it crosses to other processes
    with pytest.raises(FrozenInstanceError):
        preset.name = "other"  # type: ignore[misc]


def test_instruments_are_programs_by_part() -> None:
    preset = parse(PRESET + 'programs: {value: {melody: 110, bass: 43}, source: cited, reference: "fiddle and bass"}\n')
    assert preset.programs is not None
    assert dict(preset.programs.value) == {"melody": 110, "bass": 43}
    assert "is for 'fiddle'" in refusal(PRESET + "programs: {value: {fiddle: 1}, source: cited, reference: x}\n")
    assert "from 0 to 127" in refusal(PRESET + "programs: {value: {melody: 128}, source: cited, reference: x}\n")


def test_a_mode_s_habits_are_named_by_scale_steps() -> None:
    known = "source: measured, n: 12, of: tunes, reference: x}"
    text = PRESET.replace(
        "credits:",
        f"    contour: {{value: [700, 500, 0], {known}\n"
        f"    rests: {{value: [0.5, 0.1, 0.1, 0.2, 0.1], {known}\n"
        f"    cells: {{value: {{4 3 1: 2.5}}, {known}\n"
        f"    cadences: {{value: {{1 -1 0: 1}}, {known}\n"
        "credits:",
    )
    mode = parse(text).modes[0]
    assert mode.contour is not None
    assert mode.cells is not None
    assert mode.cadences is not None
    assert mode.contour.value == (700.0, 500.0, 0.0)
    assert (dict(mode.cells.value), dict(mode.cadences.value)) == ({"4 3 1": 2.5}, {"1 -1 0": 1.0})
    style = create_style(parse(text), mode, (1.0,) * 7)
    assert style is not None
    assert style.habits.cadences == (((1, -1, 0), 1.0),)
    assert create_style(parse(text), mode, (1.0,) * 7, 0.3).habits.cadences == ()  # type: ignore[union-attr]
    assert "scale steps above the tonic" in refusal(text.replace("4 3 1", "so fa re"))
    assert "one weight for each" in refusal(text.replace("0.5, 0.1, 0.1, 0.2, 0.1", "0.5, 0.5"))
    assert "2 to 32" in refusal(text.replace("700, 500, 0", "700"))


def test_absent_means_none_with_the_reason() -> None:
    preset = parse(PRESET)
    assert preset.dynamics is None
    assert dict(preset.absent)["dynamics"] == "not written down"
    assert preset.register is None
    assert dict(preset.absent)["register"] == "not stated"


@pytest.mark.parametrize(
    ("old", "new", "where", "rule"),
    [
        ("[90, 110, 140]", "[140, 110, 90]", "line 7: tempo_bpm.value", "three rising numbers"),
        ("[90, 110, 140]", "[90, 110, fast]", "line 7: tempo_bpm.value.[3]", "'fast'"),
        ("[90, 110, 140]", "[90, 110, 1e9]", "line 7: tempo_bpm.value.[3]", "5 to 400"),
        ("[90, 110, 140]", "[90, 110, .nan]", "line 7: tempo_bpm.value.[3]", "a number from"),
        ("140], source: measured", "140], source: guessed", "line 7: tempo_bpm.source", "measured, cited, absent"),
        ("[90, 110, 140], source: measured, n: 12,", "[90, 110, 140], source: measured,", "line 7: tempo_bpm", "no n"),
        ('{"3/4": 1}', '{"3/4": 0.5}', "line 8: metres.value", "sums to 0.500"),
        ("dynamics: {source", "dynamics: {value: [0, 0, 1], source", "line 9: dynamics.value", "although"),
        ("dynamics:", "loudness:", "line 9: loudness", "is not a field of a preset"),
        ("value: chordal", "value: noisy", "line 10: texture.value", "heterophony"),
        ("  glad:", "  ../../glad:", "line 13: modes", "a-z, 0-9"),
        ("[0, 200, 400, 700, 900]", "[0, 400, 200, 700, 900]", "line 15: modes.glad.scale_cents", "rising cents"),
        ("[0, 200, 400, 700, 900]", "[0, 200, 400, 700]", "line 16: modes.glad.degree_weights", "one weight for each"),
        ("[0.4, 0.1,", "[0.4, -0.1,", "line 16: modes.glad.degree_weights.value.[2]", "0 to 1"),
        ("name: my-waltzes", "name: other", "line 2: name", "the file's own name"),
        ("format: 1", "format: 2", "line 1: format", "reads format 1"),
        ("licence: mine, ", "", "line 18: credits.[1]", "licence"),
        ("title: My waltzes", "title: My waltzes\ntitle: Mine", "line 4: title", "twice"),
        ("region: Europe", "region: &e Europe", "line 5: region", "anchor"),
        ("region: Europe", "region: !!python/name:os.system", "line 5: region", "tag"),
        ("region: Europe\n", "", "line 1: the file", "lacks 'region'"),
        ("summary: Waltzes that I play.", "summary: [a, b]", "line 4: summary", "text"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_with_file_line_and_field(old: str, new: str, where: str, rule: str) -> None:
    assert old in PRESET
    message = refusal(PRESET.replace(old, new, 1))
    assert f"my-waltzes.yaml {where}" in message
    assert rule in message


def test_a_feeling_must_be_cited() -> None:
    valence = "    valence: {value: 0.5, source: measured, n: 3, of: friends, reference: me}\ncredits:"
    assert "must be cited" in refusal(PRESET.replace("credits:", valence, 1))


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" * 100_000,
        b"{a: " * 50_000,
        b"- " * 100_000,
        b"a: " + b"9" * 100_000,
        b"x" * (MAX_BYTES + 1),
        b"a: [" + b"1," * 100_000 + b"]",
        b"a: &a [x]\nb: [*a,*a]",
        b"%YAML 1.1\n---\n!!python/object/apply:os.system ['true']",
        b"a: \xff\xfe",
        b"\x00",
        b"? [a, b]\n: c",
        b"a: 1\n---\nb: 2",
        b"",
    ],
)
def test_a_bomb_is_refused(bomb: bytes) -> None:
    with pytest.raises(ConfigError):
        parse_preset(parse_nodes(bomb, "bomb.yaml"), "bomb")


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert "any.yaml" in outcome(lambda: parse_preset(parse_nodes(data, "any.yaml"), "any"))


@given(st.text(max_size=60), st.integers(0, 20), st.integers(0, 120))
def test_any_text_anywhere_in_a_preset_is_read_or_refused(text: str, line: int, column: int) -> None:
    lines = PRESET.split("\n")
    row = min(line, len(lines) - 1)
    lines[row] = lines[row][:column] + text + lines[row][column + len(text) :]
    assert "my-waltzes.yaml" in outcome(lambda: parse("\n".join(lines)))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from([*PARAMETERS, "modes", "credits", "languages", "name"]), json_like)
def test_any_value_of_any_field_is_read_or_refused(field: str, value: object) -> None:
    preset = yaml.safe_load(PRESET)
    preset[field] = {"value": value, "source": "cited", "reference": "x"} if field in PARAMETERS else value
    assert "my-waltzes.yaml" in outcome(lambda: parse(yaml.safe_dump(preset)))


def test_what_is_written_is_read_back() -> None:
    preset = parse(PRESET)
    again = parse(format_yaml(preset, "a test"))
    assert again.tempo_bpm == preset.tempo_bpm
    assert again.modes == preset.modes
    assert again.credits == preset.credits
    assert dict(again.absent) == dict(preset.absent)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_or_a_folder_is_no_preset(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ConfigError, match="not a file"):
            load_preset_file(tmp_path / f"{name}.yaml")
    with pytest.raises(ConfigError, match=r"missing.yaml cannot be read \(No such file or directory\)"):
        load_preset_file(tmp_path / "missing.yaml")
