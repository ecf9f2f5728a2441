"""Workers that die: which are replaced, which documents are found guilty, and what a worker is started with."""

from __future__ import annotations

import os
import struct
import subprocess
import sysconfig
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from stub_worker import COMMAND as STUB

from medspan.errors import MedspanError, UsageError
from medspan.jobs import pool as module
from medspan.jobs.parts import cut
from medspan.jobs.pool import Pool, StoppedError, _environment, failure_of
from medspan.jobs.wire import Done, Failed, Found, Setup
from medspan.types import Document

if TYPE_CHECKING:
    from medspan.jobs.parts import Part


def part_of(*texts: str) -> Part:
    (part,) = cut([Document(f"n{number}", text) for number, text in enumerate(texts)])
    return part


def stub_pool(folder: Path | None = None, workers: int = 1) -> Pool:
    return Pool(Setup("stub", folder=None if folder is None else str(folder)), workers, STUB)


def test_a_death_from_outside_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STUB_MARK", str(tmp_path / "mark"))
    with closing(stub_pool()) as pool:
        found = pool.run(part_of("a DRUG", "ONCE only"), "lines")
    assert isinstance(found, Found)
    assert found.errors == []
    assert found.data.count(b"\n") == 2


def test_a_worker_killed_at_its_start_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STUB_MARK", str(tmp_path / "mark"))
    monkeypatch.setenv("STUB_DIES", "first start")
    with closing(stub_pool()) as pool:
        found = pool.run(part_of("a DRUG"), "lines")
    assert isinstance(found, Found)
    assert found.errors == []


def test_guilty_documents_are_found_among_others(tmp_path: Path):
    texts = ["a DRUG", "KILL", "b DRUG", "KILL", "BOOM", "c"]
    with closing(stub_pool(tmp_path)) as pool:
        done = pool.run(part_of(*texts), "part")
    assert isinstance(done, Done)
    assert (done.row.documents, done.row.entities, done.row.errors) == (3, 2, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00000.errors.jsonl", "part-00000.jsonl"]


def test_a_document_that_hangs_costs_itself_alone():
    with closing(Pool(Setup("stub"), 1, STUB, seconds=1.0)) as pool:
        found = pool.run(part_of("a DRUG", "HANG", "b DRUG"), "lines")
    assert isinstance(found, Found)
    assert [row.id for row in found.errors] == ["n1"]
    assert found.data.count(b"\n") == 2


def test_documents_that_kill_only_in_company_go_alone(monkeypatch: pytest.MonkeyPatch):
    asked: list[bool] = []
    with closing(stub_pool()) as pool:
        ask = pool._ask

        def dies_in_company(task: object) -> object:
            asked.append(task.is_alone)  # type: ignore[attr-defined]
            if len(task.documents) > 1 and not task.is_alone:  # type: ignore[attr-defined]
                raise module.WorkerDiedError("was ended by signal 9")
            return ask(task)  # type: ignore[arg-type]

        monkeypatch.setattr(pool, "_ask", dies_in_company)
        found = pool.run(part_of("a DRUG", "b DRUG"), "lines")
    assert isinstance(found, Found)
    assert found.data.count(b'"Drug"') == 2
    assert asked == [False, False, False, False, False, True]


def test_workers_are_started_as_they_are_needed_and_ended_with_the_pool():
    pool = stub_pool(workers=4)
    assert pool._alive == set()
    pool.run(part_of("a"), "lines")
    (worker,) = pool._alive
    assert worker.process.poll() is None
    pool.close()
    assert worker.process.poll() is not None


def test_after_kill_nothing_runs():
    pool = stub_pool()
    pool.kill()
    with pytest.raises(StoppedError):
        pool.run(part_of("a"), "lines")


def test_a_worker_ends_with_its_parent():
    process = subprocess.Popen(STUB, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(1))
    try:
        out, _ = process.communicate(timeout=60)  # closes its standard input
    finally:
        process.kill()
    assert (process.returncode, out) == (0, b"")


def test_a_worker_that_cannot_read_a_message_ends():
    process = subprocess.Popen(
        STUB, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(1)
    )
    try:
        _, said = process.communicate(struct.pack("<Q", 6) + b"secret", timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1
    assert said == b"medspan worker: cannot read a message: ValidationError\n"


def test_errors_of_workers_keep_their_kind():
    assert isinstance(failure_of(Failed("x", is_usage=True)), UsageError)
    error = failure_of(Failed("x"))
    assert isinstance(error, MedspanError)
    assert not isinstance(error, UsageError)


def test_workers_find_this_medspan_and_keep_to_their_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", "mine")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    environment = module._environment(2)
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["MKL_NUM_THREADS"] == "5"
    root = str(Path(module.__file__).parents[2])
    assert environment["PYTHONPATH"] == os.pathsep.join([root, "mine"])
    monkeypatch.setattr(sysconfig, "get_path", lambda _: root)
    assert module._environment(2)["PYTHONPATH"] == "mine"
