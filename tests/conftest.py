"""Tests never touch the user's profiles and presets; without torch, those that need it are skipped."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Generator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from kelly_live.engine.model_choice import state_terms

REASON = "needs torch, which is not installed"


class MissingTorchFinder(MetaPathFinder):
    """Skips the test, or the module of tests, that imports torch: the others are run without it."""

    is_asked = False  # in this test

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torch":
            self.is_asked = True
            pytest.skip(REASON, allow_module_level=True)
        return None


# Machines are shared: how long an example takes says nothing about the code. CI tries the same examples each time, so
# that what is new to a change fails it, and nothing else; everybody else tries others each time.
settings.register_profile(
    "shared machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("KELLY_LIVE_REQUIRE_LIVE") == "1",
)
settings.load_profile("shared machine")

# A shell's background ignores Ctrl-C, and nohup a hang-up. What tests start would inherit that; a handler it does not.
for number in (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)

_finder = MissingTorchFinder()
if importlib.util.find_spec("torch") is None:
    sys.meta_path.append(_finder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Skip a test, too, that fails because the program has taken the skip for a plug-in's failure."""
    _finder.is_asked = False
    try:
        return (yield)
    except Exception:
        if _finder.is_asked:
            pytest.skip(REASON)
        raise


@pytest.fixture(autouse=True, scope="session")
def own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> object:
    """The platform's user data and config folders (on Linux) are empty ones, also for commands that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        state_terms(lambda line: None)  # the terms of the models are said once, and not in a test of other lines
        yield
