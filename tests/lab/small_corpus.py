"""A tiny data set of tones: "angry" high, fast and loud, "sad" low, slow and soft, "neutral" between."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

VOICES = {"angry": (420.0, 7.0, 0.4, 2), "sad": (130.0, 1.5, 0.08, 1), "neutral": (220.0, 3.0, 0.2, 6)}
RATE = 16_000


def voice(emotion: str, speaker: int, take: int, seconds: float = 2.0) -> np.ndarray:
    """A buzz with vibrato and syllables; each speaker has a register."""
    pitch, rate, level, _ = VOICES[emotion]
    rng = np.random.default_rng(1000 * speaker + take)
    t = np.arange(int(seconds * RATE)) / RATE
    pitch *= 2.0 ** ((speaker - 3) / 24.0 + rng.normal(0, 0.02))
    phase = 2 * np.pi * pitch * t + 0.5 * np.sin(2 * np.pi * 5 * t)
    buzz = sum(np.sin(k * phase) / k for k in range(1, 8))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * rate * t + rng.uniform(0, 6))
    return (level * 0.3 * buzz * syllables + 0.001 * rng.standard_normal(len(t))).astype(np.float32)


def make_corpus(folder: Path, speakers: int = 6, takes: int = 2) -> Path:
    """Audio and `manifest.jsonl` in `folder`; the last speaker is `val`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for speaker in range(speakers):
        for emotion, (_, _, _, index) in VOICES.items():
            for take in range(takes):
                name = f"s{speaker}_{emotion}_{take}.wav"
                soundfile.write(folder / name, voice(emotion, speaker, take), RATE)
                lines.append(
                    {
                        "audio_path": name,
                        "emotions": [float(i == index) for i in range(8)],
                        "emotion_original": emotion,
                        "dataset": "tiny",
                        "speaker": f"tiny:{speaker}",
                        "culture": "North" if speaker % 2 else "South",
                        "language": "xx",
                        "is_genuine": speaker == 0,
                        "duration": 2.0,
                        "split": "val" if speaker == speakers - 1 else "train",
                        "licence": "ours",
                    }
                )
    manifest = folder / "manifest.jsonl"
    manifest.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return manifest
