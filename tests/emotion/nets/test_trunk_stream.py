"""The trunk over a stream gives the trunk's features of a window, for any batch norm and any blocks."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.resources import find_resources
from kelly_live.emotion.nets.members import WIDTHS, Members
from kelly_live.emotion.nets.musicnn import BANDS, MusicnnTrunk
from kelly_live.emotion.nets.packed import PackedLinear
from kelly_live.emotion.nets.scales import TRUNK_AHEAD, TRUNK_FRAMES, TRUNK_PAST
from kelly_live.emotion.nets.trunk_stream import TrunkStream
from kelly_live.emotion.reader import load_emotion_net

WINDOW = TRUNK_PAST + TRUNK_FRAMES + TRUNK_AHEAD


def make_trunk() -> MusicnnTrunk:
    """Random weights, and batch norms with some negative scales, as in MSD_musicnn."""
    torch.manual_seed(3)
    trunk = MusicnnTrunk().eval().requires_grad_(False)
    for name, buffer in trunk.named_buffers():
        if name.endswith(("scale", "shift")) and "input" not in name:
            buffer.copy_(torch.randn_like(buffer))
    return trunk


TRUNK = make_trunk()


@torch.inference_mode()
def window_after(trunk: MusicnnTrunk, mel: torch.Tensor) -> torch.Tensor:
    return trunk(torch.nn.functional.pad(mel, (WINDOW, 0))[:, -WINDOW:].unsqueeze(0))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 7, 15, 16, 17, 60, 130, 300]), min_size=1, max_size=7))
def test_frames_in_any_blocks_give_the_window_s_features(sizes: list[int]) -> None:
    stream, frames = TrunkStream(TRUNK), torch.rand(BANDS, sum(sizes) + 1)
    position = 0
    for size in sizes:
        with torch.inference_mode():
            stream.push(frames[:, position : position + size])
        position += size
        streamed = stream.frames()
        reference = window_after(TRUNK, frames[:, :position])
        torch.testing.assert_close(streamed, reference, atol=1e-4 * float(reference.abs().max()), rtol=0.0)


def test_reset_is_silence_again() -> None:
    stream = TrunkStream(TRUNK)
    before = stream.frames()
    with torch.inference_mode():
        stream.push(torch.rand(BANDS, 40))
    assert (stream.frames() - before).abs().max() > 0.1
    stream.reset()
    torch.testing.assert_close(stream.frames(), before, atol=0.0, rtol=0.0)


def test_the_shipped_trunk_has_negative_scales_and_streams_alike() -> None:
    trunk = load_emotion_net(find_resources("models") / "emotion.safetensors").trunk
    assert any(bool((norm.scale < 0).any()) for norm in trunk.timbral_norm)
    stream, mel = TrunkStream(trunk), 2.0 * torch.rand(BANDS, 100)
    with torch.inference_mode():
        for part in mel.split(16, dim=1):
            stream.push(part)
    reference = window_after(trunk, mel)
    torch.testing.assert_close(stream.frames(), reference, atol=1e-4, rtol=1e-4)


def test_a_packed_layer_follows_its_weights() -> None:
    layer, x = PackedLinear(24, 10), torch.randn(2, 5, 24)
    for _ in range(2):
        plain = torch.nn.functional.linear(x, layer.weight, layer.bias)
        with torch.inference_mode():
            torch.testing.assert_close(layer(x), plain, atol=1e-5, rtol=1e-5)
        with torch.no_grad():
            layer.weight.mul_(-2.0)
    twin = copy.deepcopy(layer)
    with torch.inference_mode():
        torch.testing.assert_close(twin(x), layer(x))


@pytest.mark.parametrize("views", [(("tonality",), ("speech", "voice"), tuple(WIDTHS)), (("trunk",),)])
def test_joined_members_give_each_member_s_answer(views: tuple[tuple[str, ...], ...]) -> None:
    torch.manual_seed(0)
    members = Members(views, 12, 7, 0.2, 0.3).eval()
    for member in members.each:
        torch.nn.init.normal_(member.skip.weight)
    parts = {name: torch.randn(2, width) for name, width in WIDTHS.items()}
    for _ in range(2):
        with torch.no_grad():
            hidden, raw = members(parts)
        with torch.inference_mode():
            h, r = members({name: part[:1] for name, part in parts.items()})
        torch.testing.assert_close(h, hidden[:, :1], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(r, raw[:, :1], atol=1e-4, rtol=1e-4)
        with torch.no_grad():
            members.each[0].head.weight.mul_(2.0)  # the joined weights are joined anew
