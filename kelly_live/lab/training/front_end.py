"""Conversion of the frozen encoders' weights from the wheels that contain them.

musicnn's TensorFlow 1 checkpoint and Smart Turn's quantised ONNX graph (in the `pipecat-ai` wheel) are converted and
compared with the originals.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kelly_live.core.checkpoint import Checkpoint
from kelly_live.core.errors import ConfigError, ModelError
from kelly_live.core.termination import temporary_folder
from kelly_live.emotion.nets.checkpoint import load_checkpoint, load_weights, save_checkpoint
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.emotion.nets.musicnn import FRAME_CHANNELS, Affine, MusicnnTrunk
from kelly_live.emotion.nets.speech import BLOCKS, WIDTH, SpeechEncoder

TOLERANCE = 1e-4
SPEECH_TOLERANCE = 2e-3
_PARTS = (".index", ".data-00000-of-00001")


def _require_wheel(wheel: Path, package: str) -> None:
    if not wheel.is_file():
        raise ConfigError(f"{wheel} is missing; `pip download --no-deps {package}` fetches it")


def read_wheel(wheel: Path) -> dict[str, np.ndarray]:
    """Read the MSD_musicnn variables by name (without the `model/` scope).

    Raises:
        ConfigError: The wheel or tensorflow is missing.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ConfigError(
            "tensorflow reads this checkpoint and is not installed; `pip install kelly-live[convert]`"
        ) from error
    _require_wheel(wheel, "musicnn")
    with temporary_folder() as folder, zipfile.ZipFile(wheel) as archive:
        for part in _PARTS:  # TensorFlow accepts no bare folder as prefix, so the parts get a name
            (Path(folder) / f"msd{part}").write_bytes(archive.read(f"musicnn/MSD_musicnn/{part}"))
        reader = tf.train.load_checkpoint(str(Path(folder) / "msd"))
        names = [name for name in reader.get_variable_to_shape_map() if "Adam" not in name]
        return {name.removeprefix("model/"): np.asarray(reader.get_tensor(name)) for name in names}


def _name_layer(kind: str, index: int) -> str:
    return kind if index == 0 else f"{kind}_{index}"


def convert_trunk(variables: dict[str, np.ndarray]) -> MusicnnTrunk:
    """Convert the variables to a PyTorch trunk in eval mode.

    Raises:
        ModelError: A variable is missing.
    """
    trunk = MusicnnTrunk()

    def tensor(name: str) -> torch.Tensor:
        if name not in variables:
            raise ModelError(f"the checkpoint has no {name!r}; is it the MSD_musicnn of musicnn 0.1.0?")
        return torch.from_numpy(variables[name].astype(np.float32))

    def fold(norm: torch.nn.Module, index: int, order: np.ndarray | None = None) -> None:
        assert isinstance(norm, Affine)
        name = _name_layer("batch_normalization", index)
        parts = [tensor(f"{name}/{part}") for part in ("gamma", "beta", "moving_mean", "moving_variance")]
        norm.fold(*[part if order is None else part[order] for part in parts])

    def conv(layer: torch.nn.Module, index: int) -> None:
        name = _name_layer("conv2d", index)
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


def compute_reference_taggram(variables: dict[str, np.ndarray], mel: np.ndarray) -> np.ndarray:
    """Compute musicnn's `models.py` in TensorFlow, line by line: `[B, frames, 96]` to `[B, 50]`."""
    import tensorflow as tf

    def norm(x: Any, index: int) -> Any:
        name = _name_layer("batch_normalization", index)
        g, b, m, v = (variables[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance"))
        return tf.nn.batch_normalization(x, m, v, b, g, 1e-3)

    def conv(x: Any, index: int, padding: str) -> Any:
        name = _name_layer("conv2d", index)
        y = tf.nn.conv2d(x, variables[f"{name}/kernel"], 1, padding) + variables[f"{name}/bias"]
        return tf.nn.relu(y)

    pad = [[0, 0], [3, 3], [0, 0], [0, 0]]
    x = norm(mel[..., None], 0)
    padded_input = tf.pad(x, pad)
    blocks = [norm(conv(padded_input, i, "VALID"), i + 1) for i in (0, 1)]
    blocks += [norm(conv(x, i, "SAME"), i + 1) for i in (2, 3, 4)]
    front = tf.concat([tf.reduce_max(block, axis=2) for block in blocks], 2)[..., None]
    h = tf.transpose(norm(conv(tf.pad(front, pad), 5, "VALID"), 6), [0, 1, 3, 2])
    layers = [front, h]
    for index in (6, 7):
        h = tf.transpose(norm(conv(tf.pad(h, pad), index, "VALID"), index + 1), [0, 1, 3, 2]) + h
        layers.append(h)
    frames = tf.concat(layers, 2)
    statistics = tf.concat([tf.reduce_max(frames, axis=1), tf.reduce_mean(frames, axis=1)], 2)
    flat = norm(tf.reshape(statistics, [len(mel), -1]), 9)
    dense = norm(tf.nn.relu(flat @ variables["dense/kernel"] + variables["dense/bias"]), 10)
    return np.asarray(tf.sigmoid(dense @ variables["dense_1/kernel"] + variables["dense_1/bias"]))


def convert_and_check_trunk(wheel: Path) -> tuple[MusicnnTrunk, float]:
    """Convert the trunk, and compare its taggrams with TensorFlow's on random spectrograms.

    Returns:
        The trunk and the largest difference.

    Raises:
        ModelError: The difference is over TOLERANCE.
    """
    variables = read_wheel(wheel)
    trunk = convert_trunk(variables)
    mel = np.random.default_rng(0).gamma(1.0, 1.2, (4, 187, 96)).astype(np.float32)
    mel[1] *= np.linspace(2.0, 0.0, 96, dtype=np.float32)
    mel[2, 90:] = 0.0
    with torch.inference_mode():
        taggram = trunk.predict_tags(torch.from_numpy(mel).transpose(1, 2)).numpy()
    worst = float(np.abs(taggram - compute_reference_taggram(variables, mel)).max())
    if worst > TOLERANCE:
        raise ModelError(
            f"the converted trunk differs from TensorFlow's by {worst:.2g}; it must be under {TOLERANCE:g}"
        )
    return trunk, worst


SPEECH_FILE = "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"
_ENCODER = "inner.encoder."
_PARTS_OF_BLOCK = {"mix": "self_attn.out_proj", "widen": "fc1", "narrow": "fc2"}
_NORMS_OF_BLOCK = {"attention_norm": "self_attn_layer_norm", "feed_norm": "final_layer_norm"}


class SpeechGraph:
    """The weights of Smart Turn's ONNX graph by name, as floats."""

    def __init__(self, wheel: Path) -> None:
        try:
            import onnx
            import onnxruntime  # noqa: F401 - `run_reference` needs it: say so before the work
            from onnx import numpy_helper
        except ImportError as error:
            raise ConfigError(
                "onnx and onnxruntime read this graph and are not installed; `pip install kelly-live[convert]`"
            ) from error
        _require_wheel(wheel, "pipecat-ai")
        try:
            with zipfile.ZipFile(wheel) as archive:
                self.model = onnx.load_model_from_string(archive.read(SPEECH_FILE))
        except (KeyError, zipfile.BadZipFile) as error:
            raise ConfigError(f"{wheel} holds no {SPEECH_FILE}; pipecat-ai 1.14.0 does") from error
        graph = self.model.graph
        self._weights = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self._makers = {name: node for node in graph.node for name in node.output}
        # Rounding of activations to 8 bits is left out: name after rounding → name before.
        self._source_names: dict[str, str] = {}
        for node in graph.node:
            if node.op_type == "DequantizeLinear" and node.input[0] in self._makers:
                self._source_names[node.output[0]] = self._makers[node.input[0]].input[0]

    def find_source(self, name: str) -> str:
        """Find the name of a value before its activations were rounded."""
        return self._source_names.get(name, name)

    def read_weight(self, name: str) -> torch.Tensor:
        """Read a weight by the name under which it is used."""
        if name in self._weights:
            return self._weights[name].float()
        node = self._makers[name]
        integers, scale, zero = (self._weights[part].double() for part in node.input)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        shape = [-1 if i == axis else 1 for i in range(integers.dim())] if scale.dim() else [1] * integers.dim()
        return ((integers - zero.view(shape)) * scale.view(shape)).float()

    def read_convolution(self, bias: str) -> torch.Tensor:
        """Read the weight of the convolution with this bias."""
        return next(
            self.read_weight(n.input[1]) for n in self.model.graph.node if n.op_type == "Conv" and n.input[2] == bias
        )

    def _list_products(self) -> list[Any]:
        """List the matrix products with a weight."""
        return [n for n in self.model.graph.node if n.op_type == "MatMul" and self._is_weight(n.input[1])]

    def _is_weight(self, name: str) -> bool:
        return name in self._weights or (name in self._makers and self._makers[name].input[0] in self._weights)

    def read_linear(self, bias: str) -> torch.Tensor:
        """Read the weight `[out, in]` of the layer to which `bias` is added."""
        for node in self.model.graph.node:
            if node.op_type == "Add" and bias in node.input:
                other = next(self.find_source(i) for i in node.input if i != bias)
                return self.read_weight(self._makers[other].input[1]).T
        raise ModelError(f"the graph adds no {bias!r}; is it Smart Turn 3.2?")

    def read_keys(self, layer: str) -> torch.Tensor:
        """Read the weight of the key projection, which has no bias: the third product of the queries' input."""
        query = self.read_linear(f"{layer}self_attn.q_proj.bias")
        value = self.read_linear(f"{layer}self_attn.v_proj.bias")
        source = next(n.input[0] for n in self._list_products() if torch.equal(self.read_weight(n.input[1]).T, query))
        for node in self._list_products():
            weight = self.read_weight(node.input[1]).T
            if node.input[0] == source and not torch.equal(weight, query) and not torch.equal(weight, value):
                return weight
        raise ModelError(f"the graph has no keys for {layer!r}; is it Smart Turn 3.2?")

    def run_reference(self, mel: np.ndarray) -> np.ndarray:
        """Compute the blocks' outputs for `[1, 80, 800]` by ONNX Runtime, without rounding: `[400, 2 * 384]`."""
        from onnx import ModelProto, TensorProto, helper
        from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

        norms = [n.input[0] for n in self.model.graph.node if n.op_type == "LayerNormalization"]
        taps = [self.find_source(norms[2 * (block + 1)]) for block in range(BLOCKS)]
        model = ModelProto()
        model.CopyFrom(self.model)
        for node in model.graph.node:
            for index, name in enumerate(node.input):
                node.input[index] = self.find_source(name)
        names, pending_names = set(), list(taps)
        makers = {name: node for node in model.graph.node for name in node.output}
        while pending_names:
            name = pending_names.pop()
            if name in makers and name not in names:
                names.add(name)
                pending_names += list(makers[name].input)
        nodes = [node for node in model.graph.node if any(name in names for name in node.output)]
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        del model.graph.output[:]
        model.graph.output.extend(helper.make_tensor_value_info(tap, TensorProto.FLOAT, None) for tap in taps)
        options = SessionOptions()
        options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL  # it would round again
        options.log_severity_level = 3
        outputs = InferenceSession(model.SerializeToString(), options).run(None, {"input_features": mel})
        return np.concatenate([out[0] for out in outputs], axis=1)


def convert_speech(graph: SpeechGraph) -> SpeechEncoder:
    """Convert the graph's first blocks to a PyTorch encoder in eval mode."""
    weights = {"positions": graph.read_weight(f"{_ENCODER}embed_positions.weight")}
    for conv in ("conv1", "conv2"):
        bias = f"{_ENCODER}{conv}.bias"
        weights |= {f"{conv}.weight": graph.read_convolution(bias), f"{conv}.bias": graph.read_weight(bias)}
    for block in range(BLOCKS):
        layer, prefix = f"{_ENCODER}layers.{block}.", f"blocks.{block}."
        q, v = (f"{layer}self_attn.{part}_proj.bias" for part in "qv")
        weights[prefix + "project.weight"] = torch.cat(
            (graph.read_linear(q), graph.read_keys(layer), graph.read_linear(v))
        )
        weights[prefix + "project.bias"] = torch.cat((graph.read_weight(q), torch.zeros(WIDTH), graph.read_weight(v)))
        for target, source in _PARTS_OF_BLOCK.items():
            bias = f"{layer}{source}.bias"
            weights |= {
                f"{prefix}{target}.weight": graph.read_linear(bias),
                f"{prefix}{target}.bias": graph.read_weight(bias),
            }
        for target, source in _NORMS_OF_BLOCK.items():
            for part in ("weight", "bias"):
                weights[f"{prefix}{target}.{part}"] = graph.read_weight(f"{layer}{source}.{part}")
    encoder = SpeechEncoder()
    # Half the bytes in the checkpoint; the weights came from 8 bits.
    encoder.load_state_dict({name: weight.half().float() for name, weight in weights.items()})
    return encoder.eval()


def convert_and_check_speech(wheel: Path) -> tuple[SpeechEncoder, float]:
    """Convert the encoder, and compare it with the graph on a random spectrogram.

    Returns:
        The encoder and the mean difference in standard deviations.

    Raises:
        ModelError: The difference is over SPEECH_TOLERANCE.
    """
    graph = SpeechGraph(wheel)
    encoder = convert_speech(graph)
    mel = np.random.default_rng(0).normal(0.0, 0.7, (1, 80, 800)).astype(np.float32)
    reference = graph.run_reference(mel)
    with torch.inference_mode():
        outputs = encoder(torch.from_numpy(mel))[0].numpy()
    difference = float(np.abs(outputs - reference).mean() / reference.std())
    if difference > SPEECH_TOLERANCE:
        raise ModelError(
            f"the converted encoder differs from its graph by {difference:.2g} standard deviations; "
            f"it must be under {SPEECH_TOLERANCE:g}"
        )
    return encoder, difference


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """The two frozen encoders, and their differences from the originals."""

    trunk: MusicnnTrunk
    speech: SpeechEncoder
    trunk_difference: float = 0.0
    speech_difference: float = 0.0

    def copy_into(self, net: MultiScaleEmotionNet) -> None:
        """Copy the weights into a net."""
        net.trunk.load_state_dict(self.trunk.state_dict())
        net.speech.load_state_dict(self.speech.state_dict())


def save_front_end(front_end: FrontEnd, path: Path) -> None:
    """Save the encoders as a checkpoint of kind `front-end`."""
    card = {
        "trunk": "MSD_musicnn of the PyPI package musicnn 0.1.0 (Pons & Serra 2019), ISC",
        "speech": "Smart Turn 3.2 of the PyPI package pipecat-ai (Daily, BSD 2-clause), on Whisper tiny (OpenAI, MIT)",
        "trunk_worst_difference": front_end.trunk_difference,
        "speech_mean_difference": front_end.speech_difference,
    }
    both = torch.nn.ModuleDict({"trunk": front_end.trunk, "speech": front_end.speech})
    save_checkpoint(path, Checkpoint("front-end", {}, card, both.state_dict()))


def load_front_end(path: Path) -> FrontEnd:
    """Load a checkpoint of `save_front_end`.

    Raises:
        ModelError: The checkpoint cannot be read or does not fit.
    """
    checkpoint = load_checkpoint(path, "front-end")
    both = torch.nn.ModuleDict({"trunk": MusicnnTrunk(), "speech": SpeechEncoder()})
    load_weights(both, checkpoint, path)
    both.eval()
    card, trunk, speech = checkpoint.card, both["trunk"], both["speech"]
    assert isinstance(trunk, MusicnnTrunk)
    assert isinstance(speech, SpeechEncoder)
    return FrontEnd(trunk, speech, card["trunk_worst_difference"], card["speech_mean_difference"])
