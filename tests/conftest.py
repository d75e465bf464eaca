"""Tests never touch the user's profiles and presets; without torch, those that need it are skipped."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest


class MissingTorchFinder(MetaPathFinder):
    """Skips the test, or the module of tests, that imports torch: the others are run without it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torch":
            pytest.skip("needs torch, which is not installed", allow_module_level=True)
        return None


if importlib.util.find_spec("torch") is None:
    sys.meta_path.append(MissingTorchFinder())


@pytest.fixture(autouse=True, scope="session")
def own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> object:
    """The platform's user data folder (on Linux) is an empty one, also for commands that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield
