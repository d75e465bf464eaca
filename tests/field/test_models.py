"""Nets and vocabularies from anywhere: what is none of ours is refused in a line, before it is used."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from kelly_live.core.checkpoint import load_checkpoint
from kelly_live.core.errors import ConfigError, KellyError, ModelError
from kelly_live.core.resources import find_model_file, find_resources
from kelly_live.engine.build import create_mapper
from kelly_live.mapping.net import load_mapper_net
from kelly_live.music.drumming import read_drumming
from kelly_live.music.vocabulary import MAX_BYTES, read_vocabulary

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "I32": 32, "U32": 32, "I64": 64, "U64": 64, "BF16": 16,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "C64": 64, "X1": 8,
}  # fmt: skip
CONFIGS = [
    "[" * 900 + "]" * 900,
    '{"a": ' + "[" * 400 + "]" * 400 + "}",
    "1" * 5000,
    "1" * 400,
    '{"a": ' + "1" * 400 + "}",
    '{"a": 1e999}',
    '{"a": NaN}',
    "true",
    '{"emotion_dim": true, "hidden_dim": 4, "num_modes": 7, "num_users": 2}',
]
FLOATS = {"F16": 16, "F32": 32, "F64": 64}


def _write(path: Path, tensors: dict[str, dict[str, object]], data: bytes, **metadata: str) -> Path:
    """Write a checkpoint by hand: 8 bytes of length, a header, the numbers."""
    defaults = {"format": "kelly-live/1", "kind": "mapper", "config": "{}", "card": "{}"}
    header = json.dumps({"__metadata__": defaults | metadata, **tensors}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def _refuse(action: Callable[[], object]) -> str:
    with pytest.raises(KellyError) as refusal:
        action()
    message = str(refusal.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


@pytest.mark.parametrize("framework", ["np", "pt"])
@pytest.mark.parametrize("dtype", [*BITS, *FLOATS])
def test_weights_are_of_a_plain_floating_type(tmp_path: Path, dtype: str, framework: Any) -> None:
    size = 8 * (BITS | FLOATS)[dtype] // 8
    path = _write(
        tmp_path / "net.safetensors", {"w": {"dtype": dtype, "shape": [8], "data_offsets": [0, size]}}, bytes(size)
    )
    if dtype in FLOATS:
        assert load_checkpoint(path, "mapper", framework).weights["w"].shape == (8,)
    else:
        assert "damaged" in _refuse(lambda: load_checkpoint(path, "mapper", framework))


@pytest.mark.parametrize("framework", ["np", "pt"])
@pytest.mark.parametrize("value", [3e38, -3e38, 1001.0, float("inf"), float("-inf"), float("nan")])
def test_weights_are_of_a_size_that_a_net_has(tmp_path: Path, value: float, framework: Any) -> None:
    path = _write(
        tmp_path / "net.safetensors",
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
        struct.pack("<f", value),
    )
    assert "holds values" in _refuse(lambda: load_checkpoint(path, "mapper", framework))


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_is_small(tmp_path: Path, config: str) -> None:
    tensor = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    _write(tmp_path / "mapper.safetensors", tensor, bytes(4), config=config)
    _refuse(lambda: load_mapper_net(tmp_path))


@pytest.mark.parametrize(
    ("weight", "value"), [("scalar_sd", 0.0), ("basis", 999.0), ("shape", -999.0), ("home", 999.0)]
)
def test_a_net_with_odd_weights_plays_or_is_refused_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], weight: str, value: float
) -> None:
    source = find_resources("models") / "mapper.safetensors"
    checkpoint = load_checkpoint(source, "mapper")
    weights = {**checkpoint.weights, weight: np.full_like(checkpoint.weights[weight], value)}
    metadata = {"format": "kelly-live/1", "kind": "mapper", "config": json.dumps(checkpoint.config), "card": "{}"}
    (tmp_path / "mapper.safetensors").write_bytes(save(weights, metadata))
    assert load((tmp_path / "mapper.safetensors").read_bytes()).keys() == weights.keys()
    with contextlib.suppress(ModelError):
        load_mapper_net(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_what_is_shipped_is_accepted() -> None:
    create_mapper()
    read_vocabulary(find_model_file("vocabulary.json"))
    read_drumming(find_model_file("drumming.json"))


def _damage(change: Callable[[dict[str, Any]], object]) -> bytes:
    content = json.loads((find_model_file("vocabulary.json")).read_text())
    change(content)
    return json.dumps(content).encode()


HUGE = 10**400
VOCABULARIES: dict[str, Callable[[], bytes]] = {
    "share of 400 digits": lambda: _damage(lambda v: v["leaning"].update(share=HUGE)),
    "key of 5000 digits": lambda: _damage(lambda v: v["voices"].update({"1" * 5000: 0.5})),
    "huge voices": lambda: _damage(lambda v: v["voices"].update({"9" * 300: 0.5})),
    "infinite share": lambda: _damage(lambda v: v["leaning"].update(share=float("inf"))),
    "share that is no number": lambda: _damage(lambda v: v["leaning"].update(share=float("nan"))),
    "negative share": lambda: _damage(lambda v: v["spans"].update({"3": -0.5})),
    "share that is text": lambda: _damage(lambda v: v["leaning"].update(share="0.5")),
    "truth for a number": lambda: _damage(lambda v: v["timing"].update(lag1=True)),
    "touch of 400 digits": lambda: _damage(lambda v: v["touch"].update(melody=HUGE)),
    "three places of touch": lambda: _damage(lambda v: v["touch"].update(metre=[1, 2, 3])),
    "unknown touch": lambda: _damage(lambda v: v["touch"].update(extra=1.0)),
    "far place in a bar": lambda: _damage(lambda v: v["cells"]["melody"].update({"1": [[[1e300], 0.5]]})),
    "version of 400 digits": lambda: _damage(lambda v: v.update(version=HUGE)),
    "long version": lambda: _damage(lambda v: v.update(version="x" * 100_000)),
    "no map": lambda: b"[]",
    "deep": lambda: b"[" * 100_000,
    "number of 5000 digits": lambda: b'{"version": ' + b"1" * 5000 + b"}",
    "not UTF-8": lambda: b'{"version": "\xff"}',
    "empty": lambda: b"",
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_vocabulary_is_bounded_numbers(tmp_path: Path, name: str) -> None:
    path = tmp_path / "vocabulary.json"
    path.write_bytes(VOCABULARIES[name]())
    assert str(path) in _refuse(lambda: read_vocabulary(path))


DRUMMINGS: dict[str, Callable[[dict[str, Any]], object]] = {
    "place that is missing": lambda group: group["ghosts"].pop(),
    "places of another length": lambda group: group["instruments"]["snare"]["velocities"].pop(),
    "quantile that is text": lambda group: group["instruments"]["snare"]["velocities"][0].__setitem__(0, "0.5"),
    "huge deviation": lambda group: group["instruments"]["hat"].update(own_sd_ms=HUGE),
    "negative chance": lambda group: group["fills"].update(a_bar=-0.5),
    "instrument that is missing": lambda group: group["instruments"].pop("kick"),
    "truth for a number": lambda group: group.update(drift_sd_ms=True),
}


@pytest.mark.parametrize("name", DRUMMINGS)
def test_a_drummers_table_is_bounded_numbers(tmp_path: Path, name: str) -> None:
    content = json.loads((find_model_file("drumming.json")).read_text())
    DRUMMINGS[name](content["drummers"]["funk"])
    path = tmp_path / "drumming.json"
    path.write_text(json.dumps(content))
    assert str(path) in _refuse(lambda: read_drumming(path))


def test_a_vocabulary_of_300_mb_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    with path.open("wb") as file:
        file.truncate(300 << 20)
    with pytest.raises(ConfigError, match=f"over {MAX_BYTES >> 20} MB"):
        read_vocabulary(path)
