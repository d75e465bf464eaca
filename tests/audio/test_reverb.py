"""Reverb block by block is the reverb of the whole."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.audio.reverb import StreamingReverb


@given(st.integers(1, 40), st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_it_is_the_convolution_of_each_side(response_frames: int, block_frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    response = rng.normal(size=(2, response_frames)).astype(np.float32)
    signal = rng.normal(size=(2, 7 * block_frames)).astype(np.float32)
    reverb = StreamingReverb(response, block_frames)
    blocks = [reverb.process(signal[:, i * block_frames : (i + 1) * block_frames]) for i in range(7)]
    expected = np.stack([np.convolve(signal[side], response[side])[: signal.shape[1]] for side in (0, 1)])
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), expected, atol=1e-4)
