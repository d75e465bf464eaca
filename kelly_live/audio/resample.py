"""Downmixing and resampling: any sound becomes mono at the one rate that the analysis takes.

Thread: one MonoResampler belongs to one consumer thread; it is never touched from an audio callback.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from kelly_live.audio.downmix import Downmixer
from kelly_live.core.errors import AudioError

ANALYSIS_RATE = 16_000
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000


class MonoResampler:
    """A streaming downmix and resample: blocks float32 [frames, columns] in, float32 [n] in [-1, 1] out.

    NaN and infinite samples become 0 and are counted in `replaced_samples`; what is over full scale is clipped. How the
    sound is cut into blocks doesn't change a single output sample.

    Args:
        native_rate: Of the blocks, in Hz.
        sample_rate: Of the output, in Hz.
        columns: Of a block, those that are heard (from 0 up); None: all.
        gain_db: Applied to the mix.
    """

    def __init__(
        self,
        native_rate: int,
        sample_rate: int = ANALYSIS_RATE,
        *,
        columns: Sequence[int] | None = None,
        gain_db: float = 0.0,
    ) -> None:
        if not LOWEST_RATE <= native_rate <= HIGHEST_RATE:
            raise AudioError(
                f"the sample rate is {native_rate} Hz; kelly-live hears {LOWEST_RATE} to {HIGHEST_RATE} Hz: "
                "convert the sound, e.g. `ffmpeg -i IN -ar 48000 OUT.wav`"
            )
        self.native_rate = native_rate
        self.sample_rate = sample_rate
        self.replaced_samples = 0
        self._columns = None if columns is None else list(columns)
        self._gain_db = gain_db
        self._downmixer: Downmixer | None = None  # made for the first block's number of columns
        self._stream = soxr.ResampleStream(native_rate, sample_rate, 1, dtype="float32", quality="HQ")
        self._frames_in = 0
        self._samples_out = 0
        self._last_value = np.float32(0.0)

    @property
    def active(self) -> tuple[int, ...]:
        """Which of the heard columns carry sound, from 0 up in their order."""
        return () if self._downmixer is None else self._downmixer.active

    @property
    def lag_seconds(self) -> float:
        """How far the output ends behind the input: what the filter still holds back."""
        return self._frames_in / self.native_rate - self._samples_out / self.sample_rate

    def push(self, block: np.ndarray) -> np.ndarray:
        """Return the samples that `block` completed; the filter holds back some tens of ms (`lag_seconds`)."""
        if len(block) == 0:
            return np.empty(0, np.float32)
        mono = self._to_mono(block)
        self._frames_in += len(mono)
        self._last_value = mono[-1]
        return self._count(self._stream.resample_chunk(mono))

    def flush(self) -> np.ndarray:
        """Return what was held back, at the end of the sound; any sound gives at least one sample."""
        tail = self._count(self._stream.resample_chunk(np.empty(0, np.float32), last=True))
        if self._samples_out == 0 and self._frames_in > 0:
            return self._count(np.array([self._last_value], np.float32))
        return tail

    def _to_mono(self, block: np.ndarray) -> np.ndarray:
        if self._columns is not None:
            block = block.take(self._columns, axis=1)
        clean = np.clip(block, -1.0, 1.0)  # infinities become +-1 here, but are replaced below; NaN passes through
        finite = np.isfinite(block)
        if not finite.all():
            self.replaced_samples += int(finite.size - np.count_nonzero(finite))
            clean[~finite] = 0.0
        if self._downmixer is None:
            self._downmixer = Downmixer(self.native_rate, clean.shape[1], self._gain_db)
        return self._downmixer.mix(clean)

    def _count(self, samples: np.ndarray) -> np.ndarray:
        self._samples_out += len(samples)
        clipped: np.ndarray = np.clip(samples, -1.0, 1.0)  # the filter rings a little over full scale
        return clipped
