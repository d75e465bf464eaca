"""Kelly Live: listens to sound, reads the emotion in it and plays along over MIDI.

The public API, by name:

- `compose`: music for an emotion, without audio; returns a `Performance`.
- `render`: an accompaniment to a recording; returns a `Performance`.
- `analyze`: the emotion in a recording; returns a `RecordingAnalysis`.
- `LiveEngine`, with `LiveOptions` and `LiveParts`: a live session inside another program: `start`, `act`, `observe`,
  `snapshot`, `stop`, which returns a `LiveReport`. The values of its options are `HostOptions`, `CultureOptions`,
  `ExternalIOOptions`, `OverrideOptions`, `RecordingOptions` and `TuningOptions`.
- `Generator`, `Descriptor`, `Parameter` and `MusicContext`: the contract of a plug-in that plays a part (entry points
  `kelly_live.generators`).
- The values: `EmotionState`, `EmotionOverride`, `Morph`, `MusicParameters`, `NoteEvent`, `Action`, `Snapshot`.
- The errors: every one that is expected is a `KellyError` with a message of one line.

Importing the package loads nothing heavy; a name loads what it needs when it is used first. The library logs under
`kelly_live` by the standard library's `logging` and is quiet unless a program sets that up.
"""

from __future__ import annotations

import importlib

# What `typing` has, without its import: until the command line has its signal handlers, each millisecond counts.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kelly_live.core.actions import ACTIONS as ACTIONS
    from kelly_live.core.actions import Action as Action
    from kelly_live.core.errors import AudioError as AudioError
    from kelly_live.core.errors import ConfigError as ConfigError
    from kelly_live.core.errors import KellyError as KellyError
    from kelly_live.core.errors import MidiError as MidiError
    from kelly_live.core.errors import ModelError as ModelError
    from kelly_live.core.errors import OutputError as OutputError
    from kelly_live.core.protocols import EmotionOverride as EmotionOverride
    from kelly_live.core.protocols import Morph as Morph
    from kelly_live.core.values import EMOTIONS as EMOTIONS
    from kelly_live.core.values import EmotionState as EmotionState
    from kelly_live.core.values import MusicParameters as MusicParameters
    from kelly_live.core.values import NoteEvent as NoteEvent
    from kelly_live.engine.functions import analyze as analyze
    from kelly_live.engine.functions import compose as compose
    from kelly_live.engine.functions import render as render
    from kelly_live.engine.live import EngineError as EngineError
    from kelly_live.engine.live import LiveEngine as LiveEngine
    from kelly_live.engine.live import LiveReport as LiveReport
    from kelly_live.engine.live_parts import LiveParts as LiveParts
    from kelly_live.engine.options.commands import LiveOptions as LiveOptions
    from kelly_live.engine.options.culture import CultureOptions as CultureOptions
    from kelly_live.engine.options.external_io import ExternalIOOptions as ExternalIOOptions
    from kelly_live.engine.options.host import HostOptions as HostOptions
    from kelly_live.engine.options.override import OverrideOptions as OverrideOptions
    from kelly_live.engine.options.recording import RecordingOptions as RecordingOptions
    from kelly_live.engine.options.tuning import TuningOptions as TuningOptions
    from kelly_live.engine.performance import Performance as Performance
    from kelly_live.engine.recording_analysis import RecordingAnalysis as RecordingAnalysis
    from kelly_live.engine.session import Snapshot as Snapshot
    from kelly_live.generators.base import Descriptor as Descriptor
    from kelly_live.generators.base import Generator as Generator
    from kelly_live.generators.base import Parameter as Parameter
    from kelly_live.music.context import MusicContext as MusicContext

__version__ = "0.1.0"

# module -> the public names that it defines
_NAMES = {
    "core.actions": ("ACTIONS", "Action"),
    "core.errors": ("AudioError", "ConfigError", "KellyError", "MidiError", "ModelError", "OutputError"),
    "core.protocols": ("EmotionOverride", "Morph"),
    "core.values": ("EMOTIONS", "EmotionState", "MusicParameters", "NoteEvent"),
    "engine.functions": ("analyze", "compose", "render"),
    "engine.live": ("EngineError", "LiveEngine", "LiveReport"),
    "engine.live_parts": ("LiveParts",),
    "engine.options.commands": ("LiveOptions",),
    "engine.options.culture": ("CultureOptions",),
    "engine.options.external_io": ("ExternalIOOptions",),
    "engine.options.host": ("HostOptions",),
    "engine.options.override": ("OverrideOptions",),
    "engine.options.recording": ("RecordingOptions",),
    "engine.options.tuning": ("TuningOptions",),
    "engine.performance": ("Performance",),
    "engine.recording_analysis": ("RecordingAnalysis",),
    "engine.session": ("Snapshot",),
    "generators.base": ("Descriptor", "Generator", "Parameter"),
    "music.context": ("MusicContext",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
__all__ = ["__version__", *sorted(_MODULES)]


def __getattr__(name: str) -> Any:
    """Load a public name when it is used first."""
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'kelly_live' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"kelly_live.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
