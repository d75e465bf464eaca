"""Make the sounds of a study: pieces of ours, a baseline, and clips that the user supplies.

All are of one length and one loudness (RMS), with the same fades, so that neither tells what is what.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kelly_live.core.csv_rows import open_csv
from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTION_VAD, EMOTIONS
from kelly_live.core.wording import quote_error
from kelly_live.lab.study.design import CLIPS, OURS, Stimulus, digest_file, find_sound, name_stimulus

RMS = 0.06  # of full scale; what would be over the peak is played softer
PEAK = 0.9
FADE_SECONDS = 0.5
NEUTRAL = "neutral"
CLIP_COLUMNS = ("file", "emotion")
_RATE = 44100


def make_pieces(
    folder: Path, conditions: Sequence[str], emotions: Sequence[str], *, seed: int, count: int, seconds: float
) -> Iterator[Stimulus]:
    """Compose `count` pieces of each emotion in each condition, and write them. Raises KellyError.

    `tempo only` is the baseline: neutral music in the tempo of the emotion. Both use the same seeds, and so the same
    keys.
    """
    for condition in conditions:
        for emotion in emotions:
            for number in range(count):
                yield make_piece(folder, condition, emotion, seed=seed, number=number, seconds=seconds)


def make_piece(folder: Path, condition: str, emotion: str, *, seed: int, number: int, seconds: float) -> Stimulus:
    """Compose a piece and write it. Raises KellyError."""
    from kelly_live.audio.synth import render
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.build import create_mapper
    from kelly_live.engine.composition import play_readings
    from kelly_live.engine.options.piece import PieceOptions

    mapper = create_mapper()
    tempo = mapper(create_state(emotion=emotion)).tempo.suggested
    state = create_state(emotion=emotion if condition == OURS else NEUTRAL)
    piece = PieceOptions() if condition == OURS else PieceOptions(tempo=round(tempo, 1))
    mapper = create_mapper(constraints=piece.build_constraints())
    own_seed = seed + 1000 * (EMOTIONS.index(emotion) + 1) + number
    bars = math.ceil(seconds * tempo / 240.0) + 1
    performance = play_readings(Reading(state, mapper(state)), seed=own_seed, bars=bars, piece=piece)
    samples = render(performance.sounding_notes(), {part.channel: part.program for part in performance.parts})
    return _write(folder, samples, condition, emotion, str(own_seed), seconds=seconds, seed=seed)


def take_clips(file: Path, folder: Path, emotions: Sequence[str], *, seed: int, seconds: float) -> Iterator[Stimulus]:
    """Take the clips of a list as stimuli. Raises ConfigError, OutputError."""
    for place, name, emotion in read_clip_list(file, emotions):
        samples = _read_clip(file.parent / name, place)
        if samples.shape[1] < 0.5 * seconds * _RATE:
            raise ConfigError(f"{place}: {name} is shorter than half of the {seconds:g} s of a stimulus; take another")
        yield _write(folder, samples, CLIPS, emotion, name, seconds=seconds, seed=seed)


def _read_clip(path: Path, place: str) -> np.ndarray:
    import soundfile
    import soxr

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise ConfigError(f"{place}: {path} cannot be read as sound ({quote_error(error)}); check the file") from error
    return np.asarray(soxr.resample(samples, rate, _RATE)).T


def read_clip_list(file: Path, emotions: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Read (place, file, emotion) of each line of a list of clips. Raises ConfigError naming the line."""
    with open_csv(file, "clips") as rows:
        if tuple(rows.fieldnames or ()) != CLIP_COLUMNS:
            raise ConfigError(f"{file}, line 1: the columns must be {','.join(CLIP_COLUMNS)}; write them so")
        for row in rows:
            place = f"{file}, line {rows.line_num}"
            if row["emotion"] not in emotions:
                raise ConfigError(f"{place}: the emotion must be one of {', '.join(emotions)}; choose one")
            yield place, str(row["file"]), str(row["emotion"])


def level_sound(samples: np.ndarray, rate: int, seconds: float) -> np.ndarray:
    """Cut a sound `[channels, n]` to a length, fade its ends, and bring it to the loudness of all stimuli."""
    cut = np.array(samples[:, : round(seconds * rate)], dtype=np.float64)
    fade = min(round(FADE_SECONDS * rate), cut.shape[1] // 2)
    ramp = np.sin(np.linspace(0.0, np.pi / 2.0, fade)) ** 2
    cut[:, :fade] *= ramp
    cut[:, cut.shape[1] - fade :] *= ramp[::-1]
    loudness = float(np.sqrt(np.mean(cut**2)))
    gain = RMS / max(loudness, 1e-9)
    return np.asarray(cut * min(gain, PEAK / max(float(np.abs(cut).max()), 1e-9)), dtype=np.float32)


def _write(
    folder: Path, samples: np.ndarray, condition: str, emotion: str, source: str, *, seconds: float, seed: int
) -> Stimulus:
    from kelly_live.audio.synth import write_mp3

    name = name_stimulus(seed, condition, emotion, source)
    path = find_sound(folder, name)
    write_mp3(path, level_sound(samples, _RATE, seconds), _RATE)
    valence, arousal, _ = EMOTION_VAD[emotion]
    return Stimulus(name, condition, emotion, valence, arousal, source, digest_file(path))
