from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from kelly_live.core.errors import AudioError, ConfigError, OutputError
from kelly_live.core.limits import Limits
from kelly_live.engine.batch.jobs import AnalyzeJob, ComposeJob, Job, RenderJob, identify_job
from kelly_live.engine.batch.outcome import Outcome
from kelly_live.engine.batch.pool import ProcessPool
from kelly_live.engine.batch.run import run_batch
from kelly_live.engine.batch.table import BatchSummary, ResultTable, find_written
from kelly_live.engine.batch.worker import BatchWorker
from kelly_live.engine.options.audio import SoundFileOptions
from kelly_live.engine.options.commands import RenderOptions
from kelly_live.engine.options.piece import FixedKey, PieceOptions
from kelly_live.profiles.profile import Profile
from kelly_live.profiles.store import ProfileStore
from kelly_live.workers.framing import decode_payload, encode_payload
from tests.engine.batch.composing import compose_job, compose_jobs


class HereExecutor:
    """Does jobs in this process; after `limit` of them it is as if somebody pulled the plug."""

    def __init__(self, limit: int | None = None) -> None:
        self.done: list[str] = []
        self._limit = limit

    def run(self, work: Iterable[tuple[str, Job]], table: ResultTable) -> Generator[Outcome, None, None]:
        worker = BatchWorker()
        for key, job in work:
            if len(self.done) == self._limit:
                raise KeyboardInterrupt
            worker.run_into(job, key, str(table.record_file(key)))
            self.done.append(str(job.path))
            yield Outcome(key, job, None)


def ignore(job: Job, error: str | None) -> None:
    """Report nothing."""


def rows_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_table_has_a_row_a_job_in_their_order(tmp_path: Path) -> None:
    table = tmp_path / "results.jsonl"
    summary = run_batch(compose_jobs(tmp_path, 3), table, HereExecutor(), ignore)
    assert summary == BatchSummary(done=3, skipped=0, failed=0)
    assert [row["path"] for row in rows_of(table)] == ["piece-01", "piece-02", "piece-03"]
    assert all((tmp_path / f"piece-0{number}.mid").is_file() for number in (1, 2, 3))
    assert not (tmp_path / "results.jsonl.partial").exists()


def test_a_batch_that_was_stopped_and_resumed_makes_the_same_bytes(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole.jsonl", tmp_path / "resumed.jsonl"
    jobs = compose_jobs(tmp_path / "pieces", 5)
    run_batch(jobs, whole, HereExecutor(), ignore)
    with pytest.raises(KeyboardInterrupt):
        run_batch(jobs, resumed, HereExecutor(limit=3), ignore)
    assert not resumed.exists()
    rest = HereExecutor()
    assert run_batch(jobs, resumed, rest, ignore) == BatchSummary(done=2, skipped=3, failed=0)
    assert rest.done == ["piece-04", "piece-05"]
    assert resumed.read_bytes() == whole.read_bytes()


def test_what_a_run_wrote_or_was_about_to_write_is_known(tmp_path: Path) -> None:
    table, jobs = tmp_path / "results.jsonl", compose_jobs(tmp_path, 3)
    targets = {(tmp_path / f"piece-0{number}.mid").resolve() for number in (1, 2, 3)}
    assert find_written(table) == frozenset()
    with pytest.raises(KeyboardInterrupt):
        run_batch(jobs, table, HereExecutor(limit=1), ignore)
    assert find_written(table) == targets
    run_batch(jobs, table, HereExecutor(), ignore)
    assert find_written(table) == targets


@pytest.mark.parametrize("damage", [b"", b"\0\0", b'{"id": "half', b"[3]", b"[" * 100_000])
def test_a_job_whose_record_is_damaged_is_done_again(tmp_path: Path, damage: bytes) -> None:
    table, jobs = tmp_path / "results.jsonl", compose_jobs(tmp_path, 2)
    with pytest.raises(KeyboardInterrupt):
        run_batch(jobs, table, HereExecutor(limit=1), ignore)
    (record,) = tmp_path.glob("results.jsonl.partial/*.json")
    record.write_bytes(damage)
    assert len(find_written(table)) == 2
    again = HereExecutor()
    run_batch(jobs, table, again, ignore)
    assert again.done == ["piece-01", "piece-02"]
    assert len(rows_of(table)) == 2


def test_where_no_result_can_be_kept_the_other_jobs_are_not_begun(tmp_path: Path) -> None:
    begun: list[str] = []

    class FullDisk(HereExecutor):
        def run(self, work: Iterable[tuple[str, Job]], table: ResultTable) -> Generator[Outcome, None, None]:
            for key, job in work:
                begun.append(str(job.path))
                shutil.rmtree(table.folder)
                yield Outcome(key, job, "the disk is full")

    with pytest.raises(OutputError, match="cannot write"):
        run_batch(compose_jobs(tmp_path, 3), tmp_path / "results.jsonl", FullDisk(), ignore)
    assert begun == ["piece-01"]


def test_no_piece_is_written_into_the_folder_that_is_deleted_at_the_end(tmp_path: Path) -> None:
    job = compose_job(tmp_path / "results.jsonl.partial", "lost")
    with pytest.raises(OutputError, match="lies in a folder that is deleted at the end"):
        run_batch([job], tmp_path / "results.jsonl", HereExecutor(), ignore)


def test_only_what_changed_is_done_again(tmp_path: Path) -> None:
    table = tmp_path / "results.jsonl"
    jobs = compose_jobs(tmp_path, 3)
    run_batch(jobs, table, HereExecutor(), ignore)
    before = rows_of(table)
    changed = [jobs[0], msgspec.structs.replace(jobs[1], options=replace(jobs[1].options, seed=9)), jobs[2]]
    again = HereExecutor()
    run_batch(changed, table, again, ignore)
    assert again.done == ["piece-02"]
    after = rows_of(table)
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1]["id"] != before[1]["id"]


def test_a_piece_whose_file_was_deleted_is_made_again(tmp_path: Path) -> None:
    table = tmp_path / "results.jsonl"
    jobs = compose_jobs(tmp_path, 2)
    run_batch(jobs, table, HereExecutor(), ignore)
    (tmp_path / "piece-01.mid").unlink()
    again = HereExecutor()
    run_batch(jobs, table, again, ignore)
    assert again.done == ["piece-01"]


def test_rows_of_other_runs_stay(tmp_path: Path) -> None:
    table = tmp_path / "results.jsonl"
    run_batch([compose_job(tmp_path, "first")], table, HereExecutor(), ignore)
    run_batch([compose_job(tmp_path, "second")], table, HereExecutor(), ignore)
    assert [row["path"] for row in rows_of(table)] == ["first", "second"]


def test_a_file_that_cannot_be_read_is_a_row_and_is_tried_again(tmp_path: Path) -> None:
    table = tmp_path / "results.jsonl"
    missing = AnalyzeJob(tmp_path / "none.wav", SoundFileOptions(), "cpu", "kelly")
    reports: list[str | None] = []
    summary = run_batch([missing], table, HereExecutor(), lambda job, error: reports.append(error))
    assert summary == BatchSummary(done=0, skipped=0, failed=1)
    (row,) = rows_of(table)
    assert row["path"] == str(tmp_path / "none.wav")
    assert "cannot read" in str(row["error"])
    assert reports == [row["error"]]
    assert run_batch([missing], table, HereExecutor(), ignore).failed == 1
    assert len(rows_of(table)) == 1


def test_a_file_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    notes = tmp_path / "diary.jsonl"
    notes.write_text("dear diary\n")
    with pytest.raises(OutputError, match="holds no results"):
        run_batch(compose_jobs(tmp_path, 1), notes, HereExecutor(), ignore)
    assert notes.read_text() == "dear diary\n"
    assert list(tmp_path.iterdir()) == [notes]


def test_two_runs_do_not_write_one_table(tmp_path: Path) -> None:
    table = tmp_path / "results.jsonl"
    with ResultTable(table), pytest.raises(OutputError, match="another run"), ResultTable(table):
        pass


def test_an_id_changes_with_the_profile_that_is_played_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    store, job = ProfileStore(), compose_job(tmp_path, "piece")
    store.create(Profile("ann", "2026-11-30T00:00:00Z"))
    nobody = identify_job(job)
    store.use("ann")
    ann = identify_job(job)
    store.update("ann", lambda profile: replace(profile, limits=Limits(velocity=50)))
    assert len({nobody, ann, identify_job(job)}) == 3
    gone = msgspec.structs.replace(job, options=replace(job.options, profile="bob"))
    with pytest.raises(ConfigError, match="no profile is called 'bob'"):
        identify_job(gone)


def test_an_id_changes_with_the_content_and_the_settings(tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"one")
    job = AnalyzeJob(sound, SoundFileOptions(), "cpu", "kelly")
    first = identify_job(job)
    assert identify_job(job) == first
    assert identify_job(msgspec.structs.replace(job, sound=SoundFileOptions(max_minutes=5.0))) != first
    sound.write_bytes(b"two")
    assert identify_job(job) != first
    sound.unlink()
    with pytest.raises(AudioError, match="cannot read"):
        identify_job(job)


def test_jobs_survive_the_way_to_another_process(tmp_path: Path) -> None:
    piece = PieceOptions(key=FixedKey(2, "dorian"), tempo=96.0, metre=3)
    strange = tmp_path / b"caf\xe9.wav".decode(errors="surrogateescape")
    render = RenderJob(strange, RenderOptions(piece=piece, seed=7), tmp_path / "out", ("midi", "plot"))
    jobs: list[Job] = [render, compose_job(tmp_path, "a"), AnalyzeJob(strange, SoundFileOptions(), "cpu", "kelly")]
    assert [decode_payload(encode_payload(job), Job) for job in jobs] == jobs


SCRIPTED = "tests.engine.batch.scripted_worker:create"


@pytest.fixture
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers of the tests, in processes that do not look into the present folder."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


def scripted_jobs(tmp_path: Path, *names: str) -> list[ComposeJob]:
    return [ComposeJob(tmp_path / name, compose_job(tmp_path, name).options, tmp_path / name, ()) for name in names]


@pytest.mark.usefixtures("_importable")
def test_processes_share_the_jobs_and_none_is_lost_with_a_process(tmp_path: Path) -> None:
    table = tmp_path / "results.jsonl"
    names = ["a", "crash once", "b", "c", "d", "e"]
    summary = run_batch(scripted_jobs(tmp_path, *names), table, ProcessPool(2, factory=SCRIPTED), ignore)
    assert summary == BatchSummary(done=6, skipped=0, failed=0)
    assert [Path(str(row["path"])).name for row in rows_of(table)] == names


@pytest.mark.usefixtures("_importable")
def test_what_ends_every_process_fails_and_the_others_are_done(tmp_path: Path) -> None:
    table = tmp_path / "results.jsonl"
    jobs = scripted_jobs(tmp_path, "a", "crash", "refuse", "b")
    summary = run_batch(jobs, table, ProcessPool(1, factory=SCRIPTED), ignore)
    assert summary == BatchSummary(done=2, skipped=0, failed=2)
    errors = [row.get("error") for row in rows_of(table)]
    assert errors[0] is errors[3] is None
    assert "ended by itself (exit code 1)" in str(errors[1])
    assert errors[2] == "the models are odd"
