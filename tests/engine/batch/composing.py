"""Small pieces as jobs, for the tests of batches."""

from __future__ import annotations

from pathlib import Path

from kelly_live.engine.batch.jobs import ComposeJob
from kelly_live.engine.options.commands import ComposeOptions
from kelly_live.engine.options.override import OverrideOptions


def compose_job(folder: Path, name: str, *, seed: int = 1) -> ComposeJob:
    """A bar of sad music."""
    options = ComposeOptions(override=OverrideOptions(emotion="sad"), bars=1, seed=seed)
    return ComposeJob(Path(name), options, folder / name, ("midi",))


def compose_jobs(folder: Path, count: int) -> list[ComposeJob]:
    return [compose_job(folder, f"piece-{seed:02d}", seed=seed) for seed in range(1, count + 1)]
