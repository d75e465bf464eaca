"""Does jobs, one after another; what it loaded for one it keeps for the next.

It is the service of a batch process, and each process of a Dask cluster has one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.engine.batch.jobs import AnalyzeJob, ComposeJob, Job, RenderJob, list_targets, name_job
from kelly_live.engine.build import load_emotion_reader

if TYPE_CHECKING:
    from kelly_live.core.protocols import EmotionReader
    from kelly_live.engine.performance import Performance


class BatchWorker:
    """Turns jobs into records. Thread: all calls come in turn."""

    def __init__(self) -> None:
        self._readers: dict[tuple[str, str], EmotionReader] = {}

    def run(self, job: Job) -> dict[str, Any]:
        """Do a job, write its files and return its record, of JSON values. Raises KellyError."""
        if isinstance(job, AnalyzeJob):
            return self._analyze(job)
        notes: list[str] = []
        if isinstance(job, RenderJob):
            performance = self._accompany(job, notes)
        else:
            from kelly_live.engine.composition import compose_piece

            performance = compose_piece(job.options, notes.append)
        return _write_files(job, performance) | {"notes": notes}

    def run_into(self, job: Job, key: str, file: str) -> None:
        """Do a job and write its record to a file of its own. Raises KellyError."""
        write_atomically(Path(file), encode_record(key, self.run(job)))

    def close(self) -> None:
        """Close the readers."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _analyze(self, job: AnalyzeJob) -> dict[str, Any]:
        from kelly_live.core.emotion_words import load_words
        from kelly_live.engine.recording_analysis import analyze_recording

        words = None if job.words is None else load_words(job.words)
        reader = self._load_reader(job.device, job.reader, [])
        analysis = analyze_recording(job.path, reader, sound=job.sound, words=words)
        return analysis.as_dict(name_job(job)) | {"damage": analysis.damage}

    def _accompany(self, job: RenderJob, notes: list[str]) -> Performance:
        from kelly_live.engine.accompaniment import accompany_recording

        options = job.options
        reader = self._load_reader(options.device, options.reader, notes)
        result = accompany_recording(job.path, options, notes.append, reader=reader)
        notes += result.notes
        return result.performance

    def _load_reader(self, device: str, name: str, notes: list[str]) -> EmotionReader:
        if (device, name) not in self._readers:
            self._readers[device, name] = load_emotion_reader(device, notes.append, reader_name=name)
        return self._readers[device, name]


def create_batch_worker() -> BatchWorker:
    """Create the service of a batch process."""
    return BatchWorker()


def encode_record(key: str, record: dict[str, Any]) -> bytes:
    """Encode a record and its job's key as one line of JSON, in ASCII."""
    return json.dumps({"id": key} | record).encode() + b"\n"


def _write_files(job: RenderJob | ComposeJob, performance: Performance) -> dict[str, Any]:
    targets = list_targets(job)
    for target in targets.values():
        create_folder(target.parent)
    performance.write_files(**targets)
    return {
        "path": name_job(job),
        "seconds": round(performance.end_seconds, 6),
        "keys": performance.keys,
        "files": {name: str(target) for name, target in targets.items()},
    }
