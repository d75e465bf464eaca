"""What Python takes for a number and a person does not is refused, wherever a number is typed or read."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from kelly_live.control.emotion_controllers import parse_controllers
from kelly_live.control.osc_address import resolve_address
from kelly_live.core.actions import Action, parse_action
from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import parse_number, parse_whole_number
from kelly_live.core.safe_yaml import parse_nodes
from kelly_live.engine.options.commands import ComposeOptions, LiveOptions
from kelly_live.engine.options.external_io import parse_latencies
from kelly_live.engine.options.override import OverrideOptions, parse_target
from kelly_live.engine.profile_actions import apply_setting
from kelly_live.generators.parameter import Parameter
from kelly_live.profiles.profile import from_yaml, to_yaml
from tests.field.command_line import run_command
from tests.fuzz.targets import TARGETS

NO_NUMBERS = ["nan", "NaN", "inf", "-inf", "infinity", "1e999", "-1e999", "0x10", "0b1", "1_0", "true", "True", "none"]
NO_NUMBERS += ["９", "٣", "1" * 400, "1" * 5000, "1,5,2", "1e", "e5", ".", "+", "--1", "1 2", "½", "1/2", "1j", "0.5.5"]
OPTIONS = ["--bars", "--seed", "--valence", "--culture-strength", "--cc-channel", "--morph-bars"]
WHOLE = Parameter("octave", 1, "How high.", low=0, high=20)
SHARE = Parameter("share", 0.5, "How much.")


def _read_yaml(text: str) -> float:
    return parse_nodes(f"a: {text}\n".encode(), "file.yaml").as_map()["a"].as_number(-20.0, 20.0)


def _read_reaction(text: str) -> object:
    data = list(TARGETS["profile"].seeds())[1].decode()
    assert "tempo=60" in data
    return from_yaml(
        data.replace("tempo=60.0", f"tempo={text}").replace("tempo=60 ", f"tempo={text} ").encode(), "p.yaml"
    )


READERS: dict[str, Callable[[str], object]] = {
    "an action": lambda text: parse_action("valence", text),
    "an axis of a morph": lambda text: parse_target(f"{text},0.5"),
    "a latency": lambda text: parse_latencies((f"back={text}",)),
    "a controller": lambda text: parse_controllers(f"valence={text}"),
    "a port of OSC": lambda text: resolve_address(f"127.0.0.1:{text}"),
    "a player's number": WHOLE.parse,
    "a player's share": SHARE.parse,
    "a number of YAML": _read_yaml,
    "a strength": lambda text: apply_setting(from_yaml(next(TARGETS["profile"].seeds()), "p"), "strength", text),
    "a reaction of a profile": _read_reaction,
}


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize("reader", READERS)
def test_it_is_refused_in_a_line(reader: str, text: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        READERS[reader](text)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize(
    "option", ["--bars", "--seed", "--valence", "--culture-strength", "--cc-channel", "--morph-bars"]
)
def test_an_option_refuses_it_with_exit_code_2(tmp_path: Path, option: str, text: str) -> None:
    result = run_command("compose", "--midi", tmp_path / "a.mid", f"{option}={text}")
    assert result.code == 2
    assert option in result.errors
    assert len(result.errors) < 1000
    assert not (tmp_path / "a.mid").exists()


def test_plain_numbers_are_read_and_minus_zero_is_zero() -> None:
    assert [parse_number(text) for text in ("1", "-0.5", " .5 ", "5.", "1e-3", "+2E1")] == [1, -0.5, 0.5, 5, 0.001, 20]
    assert math.copysign(1.0, parse_number("-0.0")) == 1.0
    assert math.copysign(1.0, _read_yaml("-0")) == 1.0
    assert [parse_whole_number(text) for text in ("8", " -3 ", "+1", "8.0", "")] == [8, -3, 1, None, None]


@pytest.mark.parametrize(
    "create",
    [
        lambda: ComposeOptions(OverrideOptions(emotion="sad"), bars=10**5000),
        lambda: ComposeOptions(OverrideOptions(emotion="sad"), bars=8.5),  # type: ignore[arg-type]
        lambda: ComposeOptions(OverrideOptions(emotion="sad"), bars=True),
        lambda: LiveOptions(seed=10**5000),
        lambda: OverrideOptions(valence=True),
        lambda: OverrideOptions(valence=float("inf")),
        lambda: Action("valence", 10**5000),
        lambda: Action("valence", float("nan")),
        lambda: WHOLE.parse(10**5000),
    ],
)
def test_a_program_is_refused_likewise(create: Callable[[], object]) -> None:
    with pytest.raises(ConfigError) as refusal:
        create()
    assert len(str(refusal.value)) < 200


def test_a_profile_is_read_as_it_was_written() -> None:
    for seed in TARGETS["profile"].seeds():
        profile = from_yaml(seed, "p.yaml")
        assert from_yaml(to_yaml(profile), "p.yaml") == profile
