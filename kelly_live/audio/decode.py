"""Sound files of any common kind as a stream of mono blocks.

A two-hour file is never in memory whole.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile

from kelly_live.audio.resample import ANALYSIS_RATE, MonoResampler
from kelly_live.core.errors import AudioError
from kelly_live.core.input_mix import ALL_CHANNELS, MAX_CHANNELS, MAX_MINUTES, InputMix
from kelly_live.core.stderr_guard import guard_stderr

RULE = "kelly-live reads WAV, FLAC, OGG Vorbis, Opus and MP3"
CONVERT = "convert it first, e.g. `ffmpeg -i IN OUT.wav`"

# Small, because the block in which a damaged file breaks off is lost: at most 0.1 s at 44.1 kHz.
_READ_FRAMES = 4096
_UNKNOWN_FRAMES = 2**63 - 1  # SF_COUNT_MAX of sndfile.h: an encoder that wrote into a pipe did not know the length
_UNKNOWN_BYTES = 0x7FFF0000  # recorders that write into a pipe put this or more into a header
_SHORT_CHUNK = re.compile(r"^ ?(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
_OGG_DAMAGE = ("Corrupted bitstream", "reports a hole", "lacks an end-of-stream bit")
_HEAD_BYTES = 65536  # in which the sound of a WAV file begins
_RIFF_SIZE_AT = 4  # where a WAV file tells its own size …
_UNCLOSED_SIZE = (8).to_bytes(4, "little")  # … and the one by which libsndfile knows that it was never closed


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that says that it cannot seek.

    soundfile seeks after each read of a seekable file, and each seek makes libsndfile's MP3 decoder lose its bit
    reservoir: the sound then comes out some 15 dB too quiet. This program only reads forward.
    """

    def seekable(self) -> bool:
        return False


class _UnclosedWave(io.FileIO):
    """A WAV file of a recorder that ended before it wrote the sizes: its sound goes on to the end of the file.

    libsndfile repairs such a file, but only if its size is given as _UNCLOSED_SIZE.
    """

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        start = self.tell()
        count = super().readinto(buffer) or 0
        for index, byte in enumerate(_UNCLOSED_SIZE, _RIFF_SIZE_AT - start):
            if 0 <= index < count:
                buffer[index : index + 1] = bytes((byte,))
        return count


class AudioFile:
    """An open sound file. Thread: one consumer. A context manager; `blocks` may be called once.

    `native_rate` (Hz), `channels` and `duration_seconds` come from the header, which may promise too much: when the
    sound breaks off early, `damage` says so after the last block. A header that does not know the length gives 0 s.
    `replaced_samples` counts NaN and infinite samples, now 0.

    Args:
        path: The file.
        mix: Which channels are heard, and their gain.
        max_minutes: A longer one is refused, by its header or, if that is wrong, when it is read so far.

    Raises:
        AudioError: It cannot be read, is too long, or lacks a channel.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, mix: InputMix = ALL_CHANNELS, max_minutes: float = MAX_MINUTES
    ) -> None:
        self.path = Path(path)
        self.damage: str | None = None
        self._mix = mix
        self._max_minutes = max_minutes
        self._file = _open(self.path)
        self._log: str = self._file.extra_info  # of libsndfile, from reading the header
        self.native_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.duration_seconds: float = _promised_frames(self._file) / self.native_rate
        self._resampler: MonoResampler | None = None
        try:
            self._check_length(self.duration_seconds)
            if self.channels > MAX_CHANNELS and mix.channels is None:
                raise AudioError(
                    f"{self.path} has {self.channels} channels; up to {MAX_CHANNELS} are mixed: name those to hear, "
                    "e.g. --audio-channels 1,2"
                )
            self._columns = [channel - 1 for channel in mix.choose(self.channels, str(self.path))]
        except AudioError:
            self._file.close()
            raise

    def _check_length(self, seconds: float) -> None:
        if seconds > 60.0 * self._max_minutes:
            raise AudioError(
                f"{self.path} is {seconds / 60.0:.0f} minutes long; the limit is {self._max_minutes:g}: "
                "cut it, or allow it with --max-minutes"
            )

    @property
    def replaced_samples(self) -> int:
        """NaN and infinite samples so far, now 0."""
        return self._resampler.replaced_samples if self._resampler else 0

    def blocks(self, sample_rate: int = ANALYSIS_RATE, block_seconds: float = 0.5) -> Iterator[np.ndarray]:
        """Yield mono float32 `[block_seconds * sample_rate]` in [-1, 1]; the last block is shorter.

        Raises:
            AudioError: There is no sound in the file at all.
        """
        resampler = self._resampler = self._create_resampler(sample_rate)
        size = max(1, round(block_seconds * sample_rate))
        pending = np.empty(0, np.float32)
        delivered = False
        for piece in self._pieces(resampler):
            pending = np.concatenate((pending, piece))
            while len(pending) >= size:
                delivered = True
                yield pending[:size]
                pending = pending[size:]
        if len(pending):
            yield pending
        elif not delivered:
            cause = self.damage or "holds no sound (0 samples)"
            raise AudioError(f"{self.path} {cause}; kelly-live needs at least one sample: record or export it again")

    def _pieces(self, resampler: MonoResampler) -> Iterator[np.ndarray]:
        buffer = np.empty((_READ_FRAMES, self.channels), np.float32)
        frames_read = 0
        while True:
            try:
                with self._guard():
                    # `out=`, because without it soundfile stops at the header's count, which a cut-off file gets wrong.
                    frames = self._file.read(out=buffer)
            except soundfile.LibsndfileError:
                self.damage = f"is damaged after {frames_read / self.native_rate:.2f} s"
                break
            if len(frames) == 0:
                break
            frames_read += len(frames)
            self._check_length(frames_read / self.native_rate)
            yield resampler.push(frames)
        missing_seconds = self.duration_seconds - frames_read / self.native_rate
        if self.damage is None and missing_seconds > 0.1:  # MP3 headers are honest only to a frame or two
            self.damage = f"breaks off {missing_seconds:.2f} s before the end that its header promises"
        if self.damage is None and self._file.format == "OGG" and any(part in self._log for part in _OGG_DAMAGE):
            self.damage = "is damaged or cut off"
        yield resampler.flush()

    def _create_resampler(self, sample_rate: int) -> MonoResampler:
        columns = None if len(self._columns) == self.channels else self._columns
        try:
            return MonoResampler(self.native_rate, sample_rate, columns=columns, gain_db=self._mix.gain_db)
        except AudioError as error:
            raise AudioError(f"{self.path}: {error}") from error

    def _guard(self) -> AbstractContextManager[None]:
        """Keep the MP3 decoder's lines from stderr; fd 2 is the whole process's, so only that decoder's."""
        return guard_stderr() if self._file.format == "MP3" else nullcontext()

    def close(self) -> None:
        """Safe to call twice."""
        self._file.close()

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_audio(path: str | os.PathLike[str]) -> AudioFile:
    """Open a sound file.

    Raises:
        AudioError: What is wrong with it, what can be read, what to do.
    """
    return AudioFile(path)


def read_blocks(
    path: str | os.PathLike[str], sample_rate: int = ANALYSIS_RATE, block_seconds: float = 0.5
) -> Iterator[np.ndarray]:
    """Yield the whole file as mono float32 blocks; the last one is shorter than `block_seconds`.

    Raises:
        AudioError: As of `open_audio`.
    """
    with open_audio(path) as file:
        yield from file.blocks(sample_rate, block_seconds)


def check_sound_file(path: Path, *, mix: InputMix = ALL_CHANNELS, max_minutes: float = MAX_MINUTES) -> None:
    """Refuse before the work begins a file that cannot be read. Raises AudioError."""
    AudioFile(path, mix=mix, max_minutes=max_minutes).close()


def _open(path: Path) -> _ForwardFile:
    # What the file system knows is asked first: libsndfile says only "System error", and would wait on a FIFO forever.
    try:
        if path.is_dir():
            raise AudioError(f"{path} is a folder; {RULE} files: name one of the files in it")
        if not path.exists():
            raise AudioError(f"{path} does not exist; {RULE} files: check the name")
        if not path.is_file():
            raise AudioError(f"{path} is not a regular file; {RULE} files: name a file on disk")
        if path.stat().st_size == 0:
            raise AudioError(f"{path} is empty (0 bytes); {RULE} files: record or export it again")
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{path} cannot be read ({reason}); {RULE} files: make it readable") from error
    try:
        with guard_stderr():
            # The bytes of a name that is not UTF-8 (PEP 383); soundfile itself encodes strictly.
            file = _ForwardFile(os.fsencode(path) if os.name == "posix" else str(path))
            if file.format == "WAV" and file.frames == 0 and b"data\0\0\0\0" in _read_head(path):
                file.close()
                file = _ForwardFile(_UnclosedWave(path))
            return file
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: a name that ends in .raw
        raise AudioError(f"{path} is not a sound file that can be decoded; {RULE}: {CONVERT}") from error


def _read_head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_HEAD_BYTES)


def _promised_frames(file: soundfile.SoundFile) -> float:
    """Return how many frames the header promises; 0 if it does not know."""
    frames: int = file.frames
    if frames == _UNKNOWN_FRAMES:
        return 0.0
    # libsndfile corrects a size that is over the file's, and tells only its log.
    short = _SHORT_CHUNK.search(file.extra_info)
    if short is None or not 0 < int(short[2]) < int(short[1]) < _UNKNOWN_BYTES:
        return max(0, frames)
    return frames * int(short[1]) / int(short[2])
