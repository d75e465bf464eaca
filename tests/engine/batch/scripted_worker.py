"""A BatchWorker that obeys a job's name: "crash" ends its process, "crash once" does so the first time."""

from __future__ import annotations

import os
from typing import Any

from kelly_live.core.errors import ModelError
from kelly_live.engine.batch.jobs import Job
from kelly_live.engine.batch.worker import BatchWorker


class ScriptedWorker(BatchWorker):
    def run(self, job: Job) -> dict[str, Any]:
        name = job.path.name
        if name == "refuse":
            raise ModelError("the models are odd")
        if name == "crash":
            os._exit(1)
        if name == "crash once" and not job.path.exists():
            job.path.touch()
            os._exit(1)
        return {"path": str(job.path), "process": os.getpid()}


def create() -> ScriptedWorker:
    return ScriptedWorker()
