"""A foreign checkpoint is refused in one line, before memory is allocated for it."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.checkpoint import CORPUS_PREFIX, Checkpoint
from kelly_live.core.errors import ModelError
from kelly_live.core.resources import find_resources
from kelly_live.emotion.nets.checkpoint import load_checkpoint, rebuild_net, save_checkpoint
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper, load_net

SMALL = {"emotion_dim": 8, "hidden_dim": 4, "num_modes": 7, "num_users": 2}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("checkpoint") / "mapper.safetensors"
    net = DynamicEmotionToMusicMapper(**SMALL)
    save_checkpoint(path, Checkpoint("mapper", SMALL, {"scores": {}}, net.state_dict()))
    return path.read_bytes()


def rewrite_header(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the file with a changed header: 8 bytes of length, JSON, then the weights."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def load_refused(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        load_net(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def with_config(data: bytes, **changes: object) -> bytes:
    def change(header: dict[str, Any]) -> None:
        header["__metadata__"]["config"] = json.dumps(SMALL | changes)

    return rewrite_header(data, change)


def test_a_saved_checkpoint_loads(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "mapper.safetensors"
    path.write_bytes(good)
    assert load_net(path).config == SMALL


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_dim": 10**12},
        {"hidden_dim": -1},
        {"hidden_dim": 5},
        {"hidden_dim": "many"},
        {"hidden_dim": [4] * 5000},
        {"num_users": 4097},
        {"num_users": 1e400},
        {"import": "os"},
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_refused(
    tmp_path: Path, good: bytes, changes: dict[str, object]
) -> None:
    load_refused(tmp_path, with_config(good, **changes))


def test_a_config_cannot_allocate_more_than_the_file_holds(tmp_path: Path, good: bytes) -> None:
    tracemalloc.start()
    layers: list[torch.nn.Linear] = []

    def greedy(hidden_dim: int, **others: int) -> torch.nn.Module:
        layers.append(torch.nn.Linear(hidden_dim * 256, hidden_dim * 256))  # 4 TB at 4096
        return layers[-1]

    path = tmp_path / "greedy.safetensors"
    path.write_bytes(with_config(good, hidden_dim=4096))
    with pytest.raises(ModelError, match="does not fit"):
        rebuild_net(greedy, load_checkpoint(path, "mapper"), path)
    assert [layer.weight.device.type for layer in layers] == ["meta"]
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("key", ["config", "card", "kind", "format"])
@pytest.mark.parametrize("value", ["", "[]", "{", "[" * 100_000, "null", '{"a": 1}'])
def test_invalid_metadata_is_refused(tmp_path: Path, good: bytes, key: str, value: str) -> None:
    if key == "card" and value == '{"a": 1}':
        return  # a card may say what it likes

    def change(header: dict[str, Any]) -> None:
        header["__metadata__"][key] = value

    load_refused(tmp_path, rewrite_header(good, change))


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    net = DynamicEmotionToMusicMapper(**SMALL)
    weights = dict(net.state_dict())
    name = next(name for name, weight in weights.items() if weight.is_floating_point())
    weights[name] = torch.full_like(weights[name], float("nan"))
    path = tmp_path / "nan.safetensors"
    save_checkpoint(path, Checkpoint("mapper", SMALL, {}, weights))
    assert "values that are not finite" in load_refused(tmp_path, path.read_bytes())


def test_only_weights_for_training_may_be_left_over(tmp_path: Path) -> None:
    net = DynamicEmotionToMusicMapper(**SMALL)
    for name, welcome in ((f"{CORPUS_PREFIX}emopia", True), ("payload", False)):
        weights = {**net.state_dict(), name: torch.zeros(3)}
        path = tmp_path / "more.safetensors"
        save_checkpoint(path, Checkpoint("mapper", SMALL, {}, weights))
        if welcome:
            load_net(path)
        else:
            load_refused(tmp_path, path.read_bytes())


def test_a_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save({"weights": torch.zeros(2)}, path)
    load_refused(tmp_path, path.read_bytes())


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, good: bytes, data: st.DataObject
) -> None:
    """Bytes overwritten, cut or doubled anywhere: a ModelError, or a net of the same shapes."""
    at = data.draw(st.integers(0, len(good) - 1))
    damaged_bytes = data.draw(
        st.one_of(
            st.binary(min_size=1, max_size=12).map(lambda new: good[:at] + new + good[at + len(new) :]),
            st.just(good[:at]),
            st.just(good[:at] + good),
        )
    )
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(damaged_bytes)
    try:
        net = load_net(path)
    except ModelError:
        return
    assert net.config == SMALL


def test_the_shipped_checkpoint_has_its_config() -> None:
    assert load_net(find_resources("models") / "mapper.safetensors").config["emotion_dim"] == 8
