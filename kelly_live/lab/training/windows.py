"""Windows of clips for training, computed once by the live stream and cached.

The cache lies outside the repository, in shards of clips, so that an interrupted run continues where it stopped.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import AudioError
from kelly_live.emotion.features import FeatureStream
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.emotion.nets.emotion_stream import EmotionStream
from kelly_live.emotion.nets.members import Description
from kelly_live.emotion.nets.scales import SAMPLE_RATE
from kelly_live.lab.corpora.augmentation import augment
from kelly_live.lab.corpora.manifest import Clip

VERSION = 3  # of what is done to a clip before the net hears it: part of the cached files' names
SHARD_CLIPS = 64
TAIL_SECONDS = 0.3  # of silence after a clip, so that its last frames are complete


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How clips become windows.

    The hop between windows, the seconds of music that are used, and the share of clips that are augmented.
    """

    augmented_share: float
    music_hop_seconds: float
    music_seconds: dict[str, float]
    voice_hop_seconds: float = 1.0
    voice_first_seconds: float = 1.5
    music_first_seconds: float = 3.0

    def find_timing(self, dataset: str) -> tuple[float | None, float, float]:
        """Find a data set's seconds used (None: all), its hop and the end of its first window."""
        if dataset in self.music_seconds:
            return self.music_seconds[dataset], self.music_hop_seconds, self.music_first_seconds
        return None, self.voice_hop_seconds, self.voice_first_seconds


FIT_OPTIONS = WindowOptions(0.5, 3.0, {"emotify": 24.0, "emopia": 24.0, "vgmidi": 60.0})
# One early window and the last of most clips: more speakers in the same time.
OPEN_FIT_OPTIONS = WindowOptions(0.5, 4.0, {"openscore": 16.0, "pop909": 16.0}, voice_hop_seconds=2.0)
OPEN_TEST_OPTIONS = WindowOptions(0.0, 4.0, {"openscore": 16.0, "pop909": 16.0}, voice_hop_seconds=2.0)
TEST_OPTIONS = WindowOptions(0.0, 2.0, {"emotify": 24.0, "emopia": 24.0, "vgmidi": 60.0})


@dataclass(frozen=True, slots=True)
class Windows:
    """The fusion's input for each window.

    Rows `[N, …]`, the index of each row's clip, and its end in seconds.
    """

    trunk: np.ndarray
    voice: np.ndarray
    speech: np.ndarray
    tonality: np.ndarray
    clip: np.ndarray
    end_seconds: np.ndarray

    def __len__(self) -> int:
        return len(self.clip)

    def take(self, rows: np.ndarray) -> Windows:
        """Select rows by index."""
        return Windows(*(getattr(self, name)[rows] for name in _ARRAYS))

    def shift_clips(self, by: int) -> Windows:
        """Return the same windows with `by` added to the index of each clip."""
        return dataclasses.replace(self, clip=self.clip + by)


_ARRAYS = (*Description._fields, "clip", "end_seconds")


def concatenate_windows(parts: Sequence[Windows]) -> Windows:
    """Concatenate windows."""
    return Windows(*(np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS))


def read_audio(path: Path, seconds: float | None = None) -> np.ndarray:
    """Read mono float32 at 16 kHz, at most the first `seconds`.

    Raises:
        AudioError: The file cannot be read.
    """
    import soundfile
    import soxr

    try:
        with soundfile.SoundFile(path) as file:
            frames = -1 if seconds is None else int(seconds * file.samplerate)
            samples, rate = file.read(frames, dtype="float32", always_2d=True), file.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError(f"cannot read {path} ({error}); the manifest must name readable audio files") from error
    mono = samples.mean(axis=1)
    result: np.ndarray = mono if rate == SAMPLE_RATE else soxr.resample(mono, rate, SAMPLE_RATE)
    return result


def describe_samples(stream: EmotionStream, samples: np.ndarray, hop_seconds: float, first_seconds: float) -> Windows:
    """Compute windows that end every `hop_seconds`, from `first_seconds` on, and one at the end.

    The index of the clip is 0. The stream is reset first.
    """
    stream.reset()
    features = FeatureStream()
    stops = list(range(int(first_seconds * SAMPLE_RATE), len(samples), int(hop_seconds * SAMPLE_RATE)))
    if not stops or len(samples) - stops[-1] > SAMPLE_RATE // 4:
        stops.append(len(samples))
    rows: list[Description] = []
    start = 0
    for stop in stops:
        stream.push(features.push(samples[start:stop]).mels)
        rows.append(stream.describe())
        start = stop
    description = Description(*(torch.cat(column) for column in zip(*rows, strict=True)))
    description = description._replace(trunk=description.trunk.half(), speech=description.speech.half())
    times = np.array(stops, np.float32) / SAMPLE_RATE
    arrays = {name: part.numpy() for name, part in description._asdict().items()}
    return Windows(**arrays, clip=np.zeros(len(rows), np.int64), end_seconds=times)


def describe_clip(stream: EmotionStream, clip: Clip, options: WindowOptions) -> Windows:
    """Compute a clip's windows.

    A hash of the clip's key decides whether it is augmented, so that the choice is repeatable.
    """
    seconds, hop, first = options.find_timing(clip.dataset)
    samples = read_audio(clip.audio_path, seconds)
    name = f"{clip.key} {clip.region}"  # a score's two renderings have one key, and their soundfonts as regions
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    if rng.random() < options.augmented_share and len(samples) > 1:
        samples = augment(samples, rng)
    samples = np.concatenate((samples, np.zeros(int(TAIL_SECONDS * SAMPLE_RATE), np.float32)))
    return describe_samples(stream, samples, hop, first)


def hash_front_end(net: MultiScaleEmotionNet) -> str:
    """Hash the frozen encoders' weights and VERSION, which determine the input of the net's members."""
    frozen = (*net.trunk.parameters(), *net.speech.parameters())
    weights = b"".join(p.detach().cpu().numpy().tobytes() for p in frozen)
    return hashlib.sha256(weights + bytes([VERSION])).hexdigest()[:8]


def _shard_path(cache: Path, front_end: str, clips: Sequence[Clip], options: WindowOptions) -> Path:
    dataset = clips[0].dataset
    how = f"{front_end} {options.augmented_share} {options.find_timing(dataset)} {[(c.key, c.region) for c in clips]}"
    return cache / "windows" / f"{dataset}_{hashlib.sha256(how.encode()).hexdigest()[:16]}.npz"


def write_windows(path: Path, windows: Windows) -> None:
    """Write windows to an npz file, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez(buffer, **{name: getattr(windows, name) for name in _ARRAYS})
    write_atomically(path, buffer.getvalue())


def read_windows(path: Path) -> Windows:
    """Read windows from an npz file."""
    with np.load(path) as file:
        return Windows(*(file[name] for name in _ARRAYS))


def iterate_windows(
    net: MultiScaleEmotionNet, clips: Sequence[Clip], cache: Path, options: WindowOptions
) -> Iterator[tuple[int, Windows]]:
    """Yield shards of windows with the number of clips done; `clip` is an index of `clips`."""
    front_end = hash_front_end(net)
    stream: EmotionStream | None = None
    for start in range(0, len(clips), SHARD_CLIPS):
        shard = clips[start : start + SHARD_CLIPS]
        path = _shard_path(cache, front_end, shard, options)
        if path.is_file():
            windows = read_windows(path)
        else:
            stream = stream or EmotionStream(net)
            windows = concatenate_windows(
                [describe_clip(stream, clip, options).shift_clips(i) for i, clip in enumerate(shard)]
            )
            write_windows(path, windows)
        yield start + len(shard), windows.shift_clips(start)
