"""The speech encoder: its passes, and that it does not depend on the level."""

from __future__ import annotations

import torch

from kelly_live.emotion.nets.scales import SPEECH_CONTEXT, SPEECH_HOP, SPEECH_KEPT, SPEECH_PASSES
from kelly_live.emotion.nets.speech import (
    BLOCKS,
    SPEECH_STATISTICS,
    WIDTH,
    SpeechEncoder,
    SpeechTokens,
    compute_speech_statistics,
    to_whisper_mel,
)


def make_encoder() -> SpeechEncoder:
    torch.manual_seed(0)
    encoder = SpeechEncoder()
    torch.nn.init.normal_(encoder.positions, std=0.1)
    return encoder.eval()


def mel(frames: int, batch: int = 1, seed: int = 1) -> torch.Tensor:
    return torch.rand(batch, 80, frames, generator=torch.Generator().manual_seed(seed)) * 2.0


@torch.inference_mode()
def test_a_token_a_20_ms() -> None:
    assert make_encoder()(mel(60, batch=2)).shape == (2, 30, BLOCKS * WIDTH)


@torch.inference_mode()
def test_the_newest_tokens_alone_are_the_tail_of_all() -> None:
    encoder, x = make_encoder(), mel(100)
    torch.testing.assert_close(encoder(x, 25), encoder(x)[:, -25:], atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_window_is_its_passes_side_by_side() -> None:
    encoder, x = make_encoder(), mel(SPEECH_CONTEXT + (SPEECH_PASSES - 1) * SPEECH_HOP, batch=2)
    window = encoder.encode_window(x)
    assert window.tokens.shape == (2, SPEECH_PASSES * SPEECH_KEPT, BLOCKS * WIDTH)
    assert window.loudness.shape == (2, SPEECH_PASSES * SPEECH_KEPT)
    start = 3 * SPEECH_HOP
    fourth = encoder.encode(x[1:, :, start : start + SPEECH_CONTEXT])
    new_tokens = slice(3 * SPEECH_KEPT, 4 * SPEECH_KEPT)
    torch.testing.assert_close(window.tokens[1:, new_tokens], fourth.tokens, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(window.loudness[1:, new_tokens], fourth.loudness)


def test_the_level_does_not_change_the_input() -> None:
    power = 10.0 ** (mel(50) - 3.0)
    loud, soft = torch.log10(1.0 + 1e4 * power), torch.log10(1.0 + 1e3 * power)
    torch.testing.assert_close(to_whisper_mel(loud), to_whisper_mel(soft), atol=1e-4, rtol=0.0)


def test_silence_is_finite() -> None:
    encoder = make_encoder()
    with torch.inference_mode():
        speech = encoder.encode(torch.zeros(1, 80, SPEECH_CONTEXT))
        assert torch.isfinite(compute_speech_statistics(speech)).all()


def test_silent_tokens_do_not_count() -> None:
    loud_tokens, silent_tokens = torch.full((1, 10, BLOCKS * WIDTH), 1.0), torch.full((1, 30, BLOCKS * WIDTH), -5.0)
    loudness = torch.cat((torch.full((1, 10), 2.0), torch.zeros(1, 30)), dim=1)
    statistics = compute_speech_statistics(SpeechTokens(torch.cat((loud_tokens, silent_tokens), dim=1), loudness))
    assert statistics.shape == (1, SPEECH_STATISTICS)
    assert (statistics[:, : BLOCKS * WIDTH] > 0.95).all()
