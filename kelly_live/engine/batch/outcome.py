"""What became of a job."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.engine.batch.jobs import Job


@dataclass(frozen=True, slots=True)
class Outcome:
    """A job with its key, and why it failed, in one line; None if it is done and its record kept."""

    key: str
    job: Job
    error: str | None
