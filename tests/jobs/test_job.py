"""Whole jobs with stub workers: parts, errors, resume, deaths, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

import medspan
from medspan.errors import DataError, FormatError, MedspanError, UsageError
from medspan.jobs import job
from medspan.jobs.parts import Limits
from medspan.jobs.stop import Stop

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [f"note {number} names DRUG {'AB' * (number % 3)}" for number in range(10)]
THREE = Limits(documents=3)


def contents(folder: Path) -> dict[str, bytes]:
    """Files of a job; the manifest's rows sorted, as parts end in any order."""
    return {
        path.name: path.read_bytes()
        if path.name != "manifest.jsonl"
        else b"".join(sorted(path.read_bytes().splitlines(keepends=True)))
        for path in folder.iterdir()
    }


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def ids(folder: Path) -> list[str]:
    return [
        document.id for path in sorted(folder.glob("part-?????.jsonl")) for document in medspan.read(path)
    ]


def test_parts_hold_every_document_once_and_the_manifest_says_so(run: Any, write_notes: Any, tmp_path: Path):
    outcome, heard = run(write_notes(*TEXTS), tmp_path / "out", limits=THREE)
    assert not outcome.is_stopped
    assert (outcome.totals.parts, outcome.totals.documents, outcome.totals.errors) == (4, 10, 0)
    assert heard.new == [0, 1, 2, 3]
    assert ids(tmp_path / "out") == [f"n{number}" for number in range(10)]
    first, *parts, last = rows(tmp_path / "out", "manifest.jsonl")
    assert first["job"]["inputs"] == [str(tmp_path / "notes.jsonl")]
    assert [row["documents"] for row in parts] == [3, 3, 3, 1]
    assert [row["bytes"] for row in parts] == [
        (tmp_path / "out" / f"part-{number:05}.jsonl").stat().st_size for number in range(4)
    ]
    assert last["totals"]["entities"] == outcome.totals.entities == sum(row["entities"] for row in parts) > 10


def test_bytes_do_not_depend_on_workers(run: Any, write_notes: Any, tmp_path: Path):
    source = write_notes(*TEXTS, b"{not json", "BOOM", "KILL", "LATER")
    for workers in (1, 3):
        run(source, tmp_path / f"out{workers}", limits=THREE, workers=workers)
    assert contents(tmp_path / "out1") == contents(tmp_path / "out3")


def test_bad_documents_become_rows_and_the_rest_goes_on(run: Any, write_notes: Any, tmp_path: Path):
    texts = ("fine DRUG", b"{no", "BOOM secret", "x" * 50, "KILL secret", b"\xff\xfe", "also FINE")
    limits = Limits(documents=100, document_characters=40)
    outcome, _ = run(write_notes(*texts), tmp_path / "out", limits=limits)
    assert (outcome.totals.documents, outcome.totals.errors) == (2, 5)
    assert ids(tmp_path / "out") == ["n0", "n6"]
    found = rows(tmp_path / "out", "part-00000.errors.jsonl")
    assert [row["place"] for row in found] == [1, 2, 3, 4, 5]
    assert [row.get("line") for row in found] == [2, None, 4, None, 6]
    assert [row.get("id") for row in found] == [None, "n2", None, "n4", None]
    said = [row["reason"] for row in found]
    for words, reason in zip(("JSON", "ValueError", "40 characters", "signal 9", "UTF-8"), said, strict=True):
        assert words in reason
    assert all("secret" not in path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir())


def test_input_of_errors_only_and_no_input(run: Any, write_notes: Any, tmp_path: Path):
    outcome, _ = run(write_notes(b"{", b"[", b"3"), tmp_path / "out", limits=Limits(documents=2))
    assert (outcome.totals.parts, outcome.totals.documents, outcome.totals.errors) == (2, 0, 3)
    assert (tmp_path / "out" / "part-00000.jsonl").read_bytes() == b""
    outcome, _ = run(write_notes(), tmp_path / "none")
    assert outcome.totals.parts == 0
    assert [path.name for path in (tmp_path / "none").iterdir()] == ["manifest.jsonl"]


def test_the_same_id_twice_is_two_documents(run: Any, write_notes: Any, tmp_path: Path):
    line = b'{"id": "same", "text": "DRUG"}'
    outcome, _ = run(write_notes(line, line, b'{"id": "same", "text": "BOOM"}'), tmp_path / "out")
    assert (outcome.totals.documents, outcome.totals.errors) == (2, 1)
    assert ids(tmp_path / "out") == ["same", "same"]


def test_a_resumed_job_does_what_is_missing_only(run: Any, write_notes: Any, tmp_path: Path):
    source, folder = write_notes(*TEXTS, "BOOM"), tmp_path / "out"
    run(source, folder, limits=THREE)
    whole = contents(folder)
    _, heard = run(source, folder, limits=THREE, is_resumed=True)
    assert (heard.old, heard.new) == ([0, 1, 2, 3], [])
    assert contents(folder) == whole

    (folder / "part-00001.jsonl").unlink()
    (folder / "part-00002.jsonl").write_bytes(b"x")
    (folder / "part-00003.errors.jsonl").unlink()
    (folder / ".part-00001.jsonl.0badf00d.part").write_bytes(b"half")
    _, heard = run(source, folder, limits=THREE, is_resumed=True)
    assert (heard.old, heard.new) == ([0], [1, 2, 3])
    assert contents(folder) == whole


@pytest.mark.parametrize("kept", [0, 1, 2, 5])
def test_a_manifest_cut_anywhere_resumes_to_the_same_bytes(
    run: Any, write_notes: Any, tmp_path: Path, kept: int
):
    source, folder = write_notes(*TEXTS, b"{", "KILL"), tmp_path / "out"
    run(source, folder, limits=THREE)
    whole = contents(folder)
    manifest = folder / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(
        b"".join(lines[: kept + 1]) + (lines[kept + 1][:9] if kept + 1 < len(lines) else b"")
    )
    run(source, folder, limits=THREE, is_resumed=True)
    assert contents(folder) == whole


def test_resume_without_a_job_starts_one(run: Any, write_notes: Any, tmp_path: Path):
    outcome, heard = run(write_notes(*TEXTS), tmp_path / "out", is_resumed=True)
    assert (outcome.totals.documents, heard.new) == (10, [0])


def test_changed_input_is_refused_by_its_part(run: Any, write_notes: Any, tmp_path: Path):
    source, folder = write_notes(*TEXTS), tmp_path / "out"
    run(source, folder, limits=THREE)
    before = contents(folder)
    write_notes(*TEXTS[:4], "other", *TEXTS[5:])
    with pytest.raises(DataError, match=r"part 1 of .*the input is not the one"):
        run(source, folder, limits=THREE, is_resumed=True)
    write_notes(*TEXTS[:6])
    with pytest.raises(DataError, match="the input ends before part 2"):
        run(source, folder, limits=THREE, is_resumed=True)
    assert contents(folder) == before


def test_what_is_refused_before_anything_is_done(run: Any, write_notes: Any, tmp_path: Path):
    source, folder = write_notes(*TEXTS), tmp_path / "out"
    with pytest.raises(UsageError, match="no such file"):
        run(tmp_path / "missing", folder)
    assert not folder.exists()
    with pytest.raises(UsageError, match="lies in the input"):
        run(source.parent, folder)
    run(source, folder)
    with pytest.raises(UsageError, match="holds a job already; go on with it by --resume"):
        run(source, folder)
    with pytest.raises(UsageError, match="limits was"):
        run(source, folder, limits=THREE, is_resumed=True)
    (folder / "manifest.jsonl").unlink()
    with pytest.raises(UsageError, match=r"part-00000\.jsonl: a part file without a manifest"):
        run(source, folder)


def test_malformed_input_stops_where_it_is_asked_to(run: Any, write_notes: Any, tmp_path: Path):
    source, folder = write_notes(*TEXTS[:4], b"{", *TEXTS), tmp_path / "out"
    with pytest.raises(FormatError, match=r"notes\.jsonl:5"):
        run(source, folder, limits=THREE, stop_at_errors=True)
    assert ids(folder) == ["n0", "n1", "n2"]
    outcome, _ = run(source, folder, limits=THREE, is_resumed=True)
    assert outcome.totals.errors == 1


def test_a_damaged_file_of_a_folder_costs_that_file(run: Any, write_notes: Any, tmp_path: Path):
    (tmp_path / "notes").mkdir()
    write_notes("A1", "DRUG", name="notes/a.jsonl")
    (tmp_path / "notes" / "b.jsonl.gz").write_bytes(b"\x1f\x8b no gzip at all")
    write_notes("more DRUG", name="notes/c.jsonl")
    outcome, _ = run(tmp_path / "notes", tmp_path / "out")
    assert (outcome.totals.documents, outcome.totals.errors) == (3, 1)
    (row,) = rows(tmp_path / "out", "part-00000.errors.jsonl")
    assert row["path"].endswith("b.jsonl.gz")
    assert "gzip" in row["reason"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("start", "could not start: it ended with exit code 7"),
        ("broken", "stub: is broken on purpose"),
        ("fails", r"fails on every text, also on a plain one \(ValueError"),
        ("always", "and another one did on a plain text"),
    ],
)
def test_workers_that_cannot_work_end_the_job(  # noqa: PLR0917 - fixtures
    run: Any, write_notes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, said: str
):
    monkeypatch.setattr(job, "find_model", lambda _: "stub")
    monkeypatch.setenv("STUB_DIES", how)
    with pytest.raises(MedspanError, match=said):
        run(write_notes(*TEXTS, *TEXTS, *TEXTS), tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.jsonl").exists()  # nothing was done: no need to resume
    monkeypatch.delenv("STUB_DIES")
    outcome, _ = run(write_notes(*TEXTS, *TEXTS, *TEXTS), tmp_path / "out")
    assert (outcome.totals.documents, outcome.totals.errors) == (30, 0)


def test_a_full_disk_ends_the_job_and_leaves_it_resumable(run: Any, write_notes: Any, tmp_path: Path):
    source, folder = write_notes(*TEXTS, "x" * 5000, *TEXTS), tmp_path / "out"
    run(source, tmp_path / "whole", limits=THREE)
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(MedspanError, match=r"part-00003\.jsonl: cannot be written: File too large"):
            run(source, folder, limits=THREE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ids(folder)[:9] == [f"n{number}" for number in range(9)]
    assert not (folder / "part-00003.jsonl").exists()
    assert not list(folder.glob(".*"))
    run(source, folder, limits=THREE, is_resumed=True)
    assert contents(folder) == {
        **contents(tmp_path / "whole"),
    }


def test_a_stop_finishes_the_current_parts(run: Any, write_notes: Any, tmp_path: Path):
    source, folder = write_notes(*TEXTS, *["LATER"] * 30), tmp_path / "out"
    stop = Stop()
    with stop.listening():
        outcome, heard = run(source, folder, stop, on_part=interrupt, limits=THREE, workers=2)
    assert outcome.is_stopped
    assert 0 < len(heard.new) < 6
    assert len(rows(folder, "manifest.jsonl")) == 1 + len(heard.new)
    outcome, _ = run(source, folder, limits=THREE, is_resumed=True)
    assert outcome.totals.documents == 40
    run(source, tmp_path / "whole", limits=THREE)
    assert contents(folder) == contents(tmp_path / "whole")


def test_a_second_stop_ends_at_once(run: Any, write_notes: Any, tmp_path: Path):
    source, folder = write_notes(*["LATER"] * 300), tmp_path / "out"
    stop = Stop()
    with stop.listening():
        for seconds in (0.8, 1.0):
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            run(source, folder, stop)
    assert list(folder.iterdir()) == []
