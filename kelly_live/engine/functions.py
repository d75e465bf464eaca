"""The functions of the public API: compose, render, analyze. Importing it loads no heavy library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import quote_value
from kelly_live.engine.options.arc import read_arc
from kelly_live.engine.options.commands import DEFAULT_BARS, NO_PROFILE, ComposeOptions, RenderOptions
from kelly_live.engine.options.culture import CultureOptions
from kelly_live.engine.options.host import HostOptions
from kelly_live.engine.options.override import OverrideOptions
from kelly_live.engine.options.piece import FixedKey, PieceOptions, parse_metre, parse_sheet
from kelly_live.music.arc import Arc
from kelly_live.music.arc_file import read_length

if TYPE_CHECKING:
    from kelly_live.core.protocols import EmotionOverride
    from kelly_live.engine.performance import Performance
    from kelly_live.engine.recording_analysis import RecordingAnalysis


def compose(
    emotion: str | None = None,
    *,
    valence: float | None = None,
    arousal: float | None = None,
    dominance: float | None = None,
    morph_to: EmotionOverride | None = None,
    morph_bars: int = 8,
    bars: int = DEFAULT_BARS,
    length: str | float | None = None,
    arc: Arc | Path | str | None = None,
    seed: int = 1,
    key: str | None = None,
    tempo: float | None = None,
    metre: str | None = None,
    style: str | None = None,
    form: str | None = None,
    chords: str | None = None,
    preset: str | None = None,
    culture: str | None = None,
    culture_strength: float = 1.0,
    profile: str = NO_PROFILE,
    models: str | None = None,
) -> Performance:
    """Compose for an emotion by name, or for valence and arousal (-1 to 1).

    The same arguments give the same notes. `length`: its end instead of `bars`, in seconds or as "1:23.5". `arc`: the
    course of feeling and the hit points, as a value or a file (docs/arcs.md), instead of a feeling. `morph_to` is
    reached after `morph_bars`. `preset`: who plays, by default the band. `culture`: NAME or NAME:MODE, followed by
    `culture_strength` (0 to 1). `profile`: whose taste is played. `models`: the set of models ("open", "research" or a
    folder), in the whole process until it is done.
    `key` ("Ebm", "D dorian"), `tempo` (BPM), `metre` ("3/4"), `style` (one of GROOVES, or "plain") and `form` ("song",
    "aaba", "aabb", "blues", "theme", "montuno", "arc") and `chords` (a sheet such as "| Am | F | C G |", or a file):
    fixed by hand, where they are given. Raises KellyError.
    """
    from kelly_live.core.protocols import EmotionOverride
    from kelly_live.engine.composition import compose_piece

    if not isinstance(morph_to, EmotionOverride | None):
        raise ConfigError(f"morph_to is {quote_value(morph_to)}; it must be an EmotionOverride")
    options = ComposeOptions(
        override=OverrideOptions(valence, arousal, dominance, emotion, morph_to, morph_bars),
        piece=PieceOptions(
            None if key is None else FixedKey.parse(key),
            tempo,
            None if metre is None else parse_metre(metre),
            style,
            form,
            None if chords is None else parse_sheet(chords),
        ),
        bars=bars,
        length=read_length(length) if isinstance(length, str) else length,
        arc=read_arc(str(arc)) if isinstance(arc, Path | str) else arc,
        seed=seed,
        **_build_common_options(preset, culture, culture_strength, profile, models),
    )
    return compose_piece(options)


def render(
    recording: Path | str,
    *,
    emotion: str | None = None,
    valence: float | None = None,
    arousal: float | None = None,
    dominance: float | None = None,
    freeze: bool = False,
    follow: tuple[str, ...] = (),
    seed: int = 1,
    preset: str | None = None,
    culture: str | None = None,
    culture_strength: float = 1.0,
    profile: str = NO_PROFILE,
    models: str | None = None,
    device: str = "auto",
) -> Performance:
    """Accompany a recording (WAV, FLAC, OGG/Opus, MP3), faster than real time.

    What is given of emotion, valence, arousal and dominance replaces what is heard; `freeze` follows nothing of it.
    `follow`: join the recording's "tempo", "key" or both. The rest is as in `compose`; `device`: where the nets run.
    Raises KellyError.
    """
    from kelly_live.engine.accompaniment import accompany_recording

    path = _as_path(recording)
    options = RenderOptions(
        override=OverrideOptions(valence, arousal, dominance, emotion, freeze=freeze),
        follow=follow,
        seed=seed,
        device=device,
        **_build_common_options(preset, culture, culture_strength, profile, models),
    )
    return accompany_recording(path, options).performance


def analyze(
    recording: Path | str,
    *,
    device: str = "auto",
    reader: str | None = None,
    models: str | None = None,
    words: str | None = None,
) -> RecordingAnalysis:
    """Read the emotion in a recording, over time and over the whole. Raises KellyError.

    `reader`: the name of an emotion reader, by default the shipped one; it is loaded at each call. `models`: the set of
    models that it loads, as in `compose`. `words`: the language, such as "en", whose emotion words name the feeling.
    """
    from kelly_live.core.emotion_words import load_words
    from kelly_live.emotion.registry import DEFAULT_READER, require_reader
    from kelly_live.engine.build import log_notice
    from kelly_live.engine.model_choice import play_with_models
    from kelly_live.engine.recording_analysis import analyze_recording

    path = _as_path(recording)
    with play_with_models(models, log_notice):
        named = None if words is None else load_words(words)
        return analyze_recording(path, require_reader(reader or DEFAULT_READER, device=device), words=named)


def _as_path(recording: Path | str) -> Path:
    if not isinstance(recording, Path | str):
        raise ConfigError(f"the recording is {quote_value(recording)}; it must be a file's name or a Path")
    return Path(recording)


def _build_common_options(
    preset: str | None, culture: str | None, culture_strength: float, profile: str, models: str | None
) -> dict[str, Any]:
    return {
        "host": HostOptions() if preset is None else HostOptions((preset,)),
        "culture": None if culture is None else CultureOptions(culture, culture_strength),
        "profile": profile,
        "models": models,
    }
