"""A guard around the training of the set `open`: it may read no file of research data, and no model of `research`."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import OPEN_MODELS, RESEARCH_MODELS, models_in_use

# A folder or file whose name begins so holds research data; "symbolic" is the folder of EMOPIA and VGMIDI, and the
# cache of what was measured in them.
RESEARCH_DATA = ("ravdess", "nemo", "ased", "emotify", "emopia", "vgmidi")
RESEARCH_FOLDERS = ("symbolic",)

_is_guarded = False
_has_hook = False


@contextmanager
def forbid_research_reads() -> Iterator[None]:
    """Refuse, inside the block, to open any file of research data; the models in use are `open`.

    Files opened by Python, by safetensors and by soundfile are seen. Raises ConfigError in the place of the read.
    """
    global _is_guarded, _has_hook
    if not _has_hook:  # for good: Python cannot remove one
        sys.addaudithook(_refuse_opening)
        _has_hook = True
    before, _is_guarded = _is_guarded, True
    try:
        with models_in_use(OPEN_MODELS), ExitStack() as stack:
            for module, name in (("safetensors", "safe_open"), ("soundfile", "SoundFile")):
                stack.enter_context(_guard_opener(module, name))
            yield
    finally:
        _is_guarded = before


def is_research_data(path: Path) -> bool:
    """Return whether a path leads to research data, or to a model of `research`, by the names in it."""
    names = [part.lower() for part in path.parts]
    return (
        any(name.startswith(RESEARCH_DATA) or name in RESEARCH_FOLDERS for name in names)
        or ("models", RESEARCH_MODELS) in itertools.pairwise(names)
    ) and not any(Path(root).parts == path.parts[: len(Path(root).parts)] for root in (sys.prefix, sys.base_prefix))


def _refuse_opening(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_guarded and event == "open":
        _refuse(arguments[0])


def _guard_opener(module: str, name: str) -> Any:
    """Return a patch of a library's opener, as it opens files without Python."""
    opener: Callable[..., Any] = getattr(__import__(module), name)

    def guarded(path: object, *arguments: Any, **keywords: Any) -> Any:
        _refuse(path)
        return opener(path, *arguments, **keywords)

    return patch(f"{module}.{name}", guarded)


def _refuse(path: object) -> None:
    if isinstance(path, str | bytes | os.PathLike) and is_research_data(Path(os.fsdecode(path)).absolute()):
        raise ConfigError(
            f"training the set {OPEN_MODELS!r} would read {os.fsdecode(path)}, which is research data; give it open "
            "data alone"
        )
