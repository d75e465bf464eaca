"""`kelly-live analyze FILE...`: the emotion in audio files, as a short table or as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from kelly_live.core.errors import KellyError
from kelly_live.core.protocols import EmotionReader
from kelly_live.core.values import EMOTIONS, EmotionState
from kelly_live.engine.options.click_options import INPUT_FILE, debug_option, device_option, reader_option


@click.command(
    epilog="The means over a file are weighted by each window's confidence, so that silence and noise count little; so "
    "is `confidence` itself: it is that of the file's answer. `time` is the end of a window in seconds."
)
@click.argument("files", nargs=-1, required=True, type=INPUT_FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line and file, windows included.")
@device_option()
@reader_option()
@debug_option
def command(files: tuple[Path, ...], as_json: bool, device: str, reader: str) -> int:
    """The emotion in FILES (WAV, FLAC, OGG/Opus, MP3)."""
    from kelly_live.emotion.registry import require_reader

    emotion_reader = require_reader(reader, device=device)
    failed = 0
    for path in files:
        try:
            duration, states = read_emotions(path, emotion_reader)
        except KellyError as error:
            click.echo(f"kelly-live: {error}", err=True)
            failed += 1
            continue
        report = summarize(str(path), duration, states)
        click.echo(json.dumps(report) if as_json else as_text(report))
    return 1 if failed else 0


def read_emotions(path: Path, reader: EmotionReader) -> tuple[float, list[EmotionState]]:
    """Duration (s) and one state a hop; `time` counts from the start of the file. Raises AudioError."""
    import numpy as np

    from kelly_live.audio.sources import FileSource
    from kelly_live.core.timebase import ManualClock
    from kelly_live.core.values import AudioWindow
    from kelly_live.ui.terminal import progress

    source = FileSource(path, ManualClock(), realtime=False, sample_rate=reader.sample_rate)
    reader.reset()
    states: list[EmotionState] = []
    position = 0.0
    try:
        source.start()
        with progress(source.duration_seconds or 0.0, path.name) as bar:
            while (block := source.read(timeout=0.0)) is not None:
                position = block.end_time
                states.extend(reader.push(block))
                bar.update(position)
    finally:
        source.close()
    # The last hop is heard in full: silence fills what the file leaves of it (all of it, if the file is that short).
    missing = (len(states) + 1) * reader.hop_seconds - position
    if not states or missing < reader.hop_seconds:
        silence = np.zeros(round(missing * reader.sample_rate), dtype=np.float32)
        states.extend(reader.push(AudioWindow(silence, reader.sample_rate, position + missing)))
    if source.damage:
        click.echo(f"kelly-live: note: {path}: {source.damage}; what could be read was used", err=True)
    return position, states


def summarize(path: str, duration: float, states: list[EmotionState]) -> dict[str, Any]:
    """The JSON object of a file: means weighted by confidence (plain means where all confidence is 0), and windows."""
    weights = [state.confidence for state in states]
    if sum(weights) <= 0.0:
        weights = [1.0] * len(states)
    total = sum(weights)

    def mean(values: list[float]) -> float:
        return round(sum(w * v for w, v in zip(weights, values, strict=True)) / total, 6)

    return {
        "path": path,
        "duration": round(duration, 6),
        "emotions": {name: mean([state.probabilities[i] for state in states]) for i, name in enumerate(EMOTIONS)},
        "valence": mean([state.valence for state in states]),
        "arousal": mean([state.arousal for state in states]),
        "dominance": mean([state.dominance for state in states]),
        "confidence": mean([state.confidence for state in states]),
        "windows": [
            {
                "time": round(state.time, 6),
                "emotions": {name: round(p, 6) for name, p in zip(EMOTIONS, state.probabilities, strict=True)},
                "valence": round(state.valence, 6),
                "arousal": round(state.arousal, 6),
                "dominance": round(state.dominance, 6),
                "confidence": round(state.confidence, 6),
            }
            for state in states
        ],
    }


def as_text(report: dict[str, Any]) -> str:
    """One readable line a file: the three likeliest emotions and the dimensions."""
    likeliest = sorted(report["emotions"].items(), key=lambda item: -item[1])[:3]
    named = ", ".join(f"{name} {share:.0%}" for name, share in likeliest)
    return (
        f"{report['path']}  {report['duration']:.1f} s  {named}  V {report['valence']:+.2f} "
        f"A {report['arousal']:+.2f} D {report['dominance']:+.2f}  confidence {report['confidence']:.0%}"
    )
