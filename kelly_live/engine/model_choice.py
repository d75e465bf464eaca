"""Choose the set of models of a session, and say its terms the first time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.errors import KellyError
from kelly_live.core.model_licences import ModelTerms, read_terms_in_use
from kelly_live.core.resources import OPEN_MODELS, RESEARCH_MODELS, find_model_set, models_in_use, name_models

Notify = Callable[[str], None]


@contextmanager
def play_with_models(choice: str | None, notify: Notify) -> Iterator[None]:
    """Use a set of models inside the block; after its first use its terms go to `notify`. Raises ConfigError."""
    with models_in_use(choice):
        yield
        state_terms(notify)


def choose_recorded_models(recorded: str | None) -> str:
    """Return the models to replay a recording with: those of its log; before there were sets, that was `research`."""
    if recorded is not None:
        return recorded
    is_installed = (find_model_set(OPEN_MODELS).parent / RESEARCH_MODELS).is_dir()
    return RESEARCH_MODELS if is_installed else name_models()


def state_terms(notify: Notify) -> None:
    """Tell `notify` the terms of the models in use, unless they allow any use or were told before."""
    terms = read_terms_in_use()
    if terms is not None and not terms.is_commercial and not _was_stated(terms):
        notify(f"the models {terms.name!r} are for {terms.use}; `kelly-live models` lists others (this is said once)")


def _was_stated(terms: ModelTerms) -> bool:
    """Return whether the terms were stated before, and remember that they are now."""
    path = _stated_file()
    try:
        stated = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        line = f"{terms.name}: {terms.use}"
        if line in stated:
            return True
        create_folder(path.parent, private=True)
        write_atomically(path, "\n".join([*stated, line, ""]).encode(), private=True)
    except (KellyError, OSError, UnicodeDecodeError):
        pass  # then they are stated again at the next start
    return False


def _stated_file() -> Path:
    import platformdirs

    return platformdirs.user_data_path("kelly-live", appauthor=False) / "stated-terms.txt"
