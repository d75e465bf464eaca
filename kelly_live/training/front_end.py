"""The frozen trunk's weights: read from the TensorFlow 1 checkpoint in the `musicnn` wheel, and checked against it."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kelly_live.errors import ConfigError, ModelError
from kelly_live.nets.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from kelly_live.nets.musicnn import FRAME_CHANNELS, Affine, MusicnnTrunk

TOLERANCE = 1e-4
_PARTS = (".index", ".data-00000-of-00001")


def read_wheel(wheel: Path) -> dict[str, np.ndarray]:
    """The MSD_musicnn variables by name (without the `model/` scope). Raises ConfigError or ModelError."""
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ConfigError(
            "tensorflow reads this checkpoint and is not installed; `pip install kelly-live[convert]`"
        ) from error
    if not wheel.is_file():
        raise ConfigError(f"{wheel} is missing; `pip download --no-deps musicnn` fetches it")
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        for part in _PARTS:  # TensorFlow takes no prefix that is a bare folder, so the parts get a name
            (Path(folder) / f"msd{part}").write_bytes(archive.read(f"musicnn/MSD_musicnn/{part}"))
        reader = tf.train.load_checkpoint(str(Path(folder) / "msd"))
        names = [name for name in reader.get_variable_to_shape_map() if "Adam" not in name]
        return {name.removeprefix("model/"): np.asarray(reader.get_tensor(name)) for name in names}


def _layer(kind: str, index: int) -> str:
    return kind if index == 0 else f"{kind}_{index}"


def convert(variables: dict[str, np.ndarray]) -> MusicnnTrunk:
    """The variables as a PyTorch trunk in eval mode."""
    trunk = MusicnnTrunk()

    def tensor(name: str) -> torch.Tensor:
        if name not in variables:
            raise ModelError(f"the checkpoint has no {name!r}; is it the MSD_musicnn of musicnn 0.1.0?")
        return torch.from_numpy(variables[name].astype(np.float32))

    def fold(norm: torch.nn.Module, index: int, order: np.ndarray | None = None) -> None:
        assert isinstance(norm, Affine)
        name = _layer("batch_normalization", index)
        parts = [tensor(f"{name}/{part}") for part in ("gamma", "beta", "moving_mean", "moving_variance")]
        norm.fold(*[part if order is None else part[order] for part in parts])

    def conv(layer: torch.nn.Module, index: int) -> None:
        name = _layer("conv2d", index)
        kernel = tensor(f"{name}/kernel")  # [time, band, in, out]
        layer.bias.copy_(tensor(f"{name}/bias"))  # type: ignore[operator]
        if isinstance(layer, torch.nn.Conv1d):
            layer.weight.copy_(kernel[:, :, 0, :].permute(2, 1, 0))
        else:
            layer.weight.copy_(kernel.permute(3, 2, 1, 0))  # type: ignore[operator]

    # TensorFlow flattens [channel, (max, mean)]: max and mean alternate. Ours are two blocks.
    order = np.concatenate((np.arange(0, 2 * FRAME_CHANNELS, 2), np.arange(1, 2 * FRAME_CHANNELS, 2)))
    with torch.no_grad():
        fold(trunk.input_norm, 0)
        front = [
            *zip(trunk.timbral, trunk.timbral_norm, strict=True),
            *zip(trunk.temporal, trunk.temporal_norm, strict=True),
        ]
        for index, (layer, norm) in enumerate([*front, *zip(trunk.mid, trunk.mid_norm, strict=True)]):
            conv(layer, index)
            fold(norm, index + 1)
        fold(trunk.pool_norm, 9, order)
        trunk.dense.weight.copy_(tensor("dense/kernel")[order].T)
        trunk.dense.bias.copy_(tensor("dense/bias"))
        fold(trunk.dense_norm, 10)
        trunk.tags.weight.copy_(tensor("dense_1/kernel").T)
        trunk.tags.bias.copy_(tensor("dense_1/bias"))
    return trunk.eval()


def reference_taggram(variables: dict[str, np.ndarray], mel: np.ndarray) -> np.ndarray:
    """musicnn's `models.py`, followed line by line in TensorFlow: `[B, frames, 96]` to `[B, 50]`."""
    import tensorflow as tf

    def norm(x: Any, index: int) -> Any:
        name = _layer("batch_normalization", index)
        g, b, m, v = (variables[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance"))
        return tf.nn.batch_normalization(x, m, v, b, g, 1e-3)

    def conv(x: Any, index: int, padding: str) -> Any:
        name = _layer("conv2d", index)
        y = tf.nn.conv2d(x, variables[f"{name}/kernel"], 1, padding) + variables[f"{name}/bias"]
        return tf.nn.relu(y)

    pad = [[0, 0], [3, 3], [0, 0], [0, 0]]
    x = norm(mel[..., None], 0)
    padded = tf.pad(x, pad)
    blocks = [norm(conv(padded, i, "VALID"), i + 1) for i in (0, 1)]
    blocks += [norm(conv(x, i, "SAME"), i + 1) for i in (2, 3, 4)]
    front = tf.concat([tf.reduce_max(block, axis=2) for block in blocks], 2)[..., None]
    h = tf.transpose(norm(conv(tf.pad(front, pad), 5, "VALID"), 6), [0, 1, 3, 2])
    layers = [front, h]
    for index in (6, 7):
        h = tf.transpose(norm(conv(tf.pad(h, pad), index, "VALID"), index + 1), [0, 1, 3, 2]) + h
        layers.append(h)
    frames = tf.concat(layers, 2)
    pooled = tf.concat([tf.reduce_max(frames, axis=1), tf.reduce_mean(frames, axis=1)], 2)
    flat = norm(tf.reshape(pooled, [len(mel), -1]), 9)
    dense = norm(tf.nn.relu(flat @ variables["dense/kernel"] + variables["dense/bias"]), 10)
    return np.asarray(tf.sigmoid(dense @ variables["dense_1/kernel"] + variables["dense_1/bias"]))


def convert_checked(wheel: Path) -> tuple[MusicnnTrunk, float]:
    """Convert, and compare taggrams with TensorFlow's on random spectrograms; returns the trunk and the worst
    difference. Raises ModelError over TOLERANCE."""
    variables = read_wheel(wheel)
    trunk = convert(variables)
    mel = np.random.default_rng(0).gamma(1.0, 1.2, (4, 187, 96)).astype(np.float32)
    mel[1] *= np.linspace(2.0, 0.0, 96, dtype=np.float32)
    mel[2, 90:] = 0.0
    with torch.inference_mode():
        ours = trunk.taggram(torch.from_numpy(mel).transpose(1, 2)).numpy()
    worst = float(np.abs(ours - reference_taggram(variables, mel)).max())
    if worst > TOLERANCE:
        raise ModelError(
            f"the converted trunk differs from TensorFlow's by {worst:.2g}; it must be under {TOLERANCE:g}"
        )
    return trunk, worst


def save_front_end(trunk: MusicnnTrunk, worst: float, path: Path) -> None:
    """As a checkpoint of kind `musicnn`."""
    card = {
        "source": "MSD_musicnn of the PyPI package musicnn 0.1.0 (Pons & Serra 2019)",
        "licence": "ISC",
        "worst_difference_from_tensorflow": worst,
    }
    save_checkpoint(path, Checkpoint("musicnn", {}, card, trunk.state_dict()))


def load_front_end(path: Path) -> MusicnnTrunk:
    """What `save_front_end` wrote. Raises ModelError."""
    checkpoint = load_checkpoint(path, "musicnn")
    trunk = MusicnnTrunk()
    load_weights(trunk, checkpoint, path)
    return trunk.eval()
