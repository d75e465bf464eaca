"""Convolve a stereo signal with a long impulse response, block by block, without further delay.

Uniformly partitioned convolution in the frequency domain: Gardner, "Efficient convolution without input-output delay"
(JAES 43, 1995), with partitions of one block.
"""

from __future__ import annotations

import numpy as np

from kelly_live.audio.synth import Audio


class StreamingReverb:
    """A stereo convolution. Thread: one.

    Args:
        response: The impulse response of each side, `[2, n]`.
        block_frames: The length of every block.
    """

    def __init__(self, response: Audio, block_frames: int) -> None:
        self._frames = block_frames
        count = -(-response.shape[1] // block_frames)
        padded = np.zeros((2, count * block_frames), np.float32)
        padded[:, : response.shape[1]] = response
        partitions = padded.reshape(2, count, block_frames)
        transfer = np.fft.rfft(partitions, 2 * block_frames).astype(np.complex64)  # [2, count, bins]
        self._spectra = np.zeros_like(transfer)  # of the last blocks, in a ring
        self._transfer = np.concatenate([transfer, transfer], axis=1)  # twice, so that any rotation is a slice
        self._count, self._newest = count, 0
        self._last = np.zeros((2, block_frames), np.float32)

    def process(self, block: Audio) -> Audio:
        """Return the reverberation of the next block `[2, block_frames]`."""
        window = np.concatenate([self._last, block], axis=1)
        self._last = block
        self._newest = (self._newest - 1) % self._count
        self._spectra[:, self._newest] = np.fft.rfft(window)
        first = self._count - self._newest
        spectrum = np.einsum("scb,scb->sb", self._spectra, self._transfer[:, first : first + self._count])
        return np.asarray(np.fft.irfft(spectrum)[:, self._frames :], np.float32)
