"""The verb ``annotate`` into a folder: what it says, how it ends, and how it is gone on with."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from medspan.cli import annotate as verb
from medspan.cli import progress as progress_module
from medspan.cli.bulk import is_folder, resume_command
from medspan.cli.main import main
from medspan.cli.progress import Progress, duration
from medspan.jobs import job, pool
from medspan.jobs.manifest import Settings
from medspan.jobs.parts import Limits
from medspan.jobs.request import Request
from medspan.jobs.wire import PartRow

STUB = (sys.executable, str(Path(__file__).parents[1] / "jobs" / "stub_worker.py"))


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten notes; workers are stubs, and no model is opened."""
    monkeypatch.setattr(pool, "COMMAND", STUB)
    monkeypatch.setattr(job, "find_model", lambda _: Path("stub"))
    monkeypatch.setattr(
        job,
        "settings_of",
        lambda request: Settings(medspan="0", model="stub", model_digest="0", inputs=request.inputs),
    )
    path = tmp_path / "notes.jsonl"
    path.write_text("".join(json.dumps({"text": f"DRUG {n}"}) + "\n" for n in range(10)), encoding="utf-8")
    return path


def add(path: Path, *texts: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)


def annotate(*words: object) -> int:
    return main(["annotate", *map(str, words)])


def test_a_folder_gets_parts_and_a_summary(notes: Path, tmp_path: Path, capfd: Any):
    assert annotate(notes, "-o", f"{tmp_path}/out/", "--part-documents", "4", "--workers", "2") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.jsonl",
        *(f"part-{number:05}.jsonl" for number in range(3)),
    ]
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"10 documents, 10 entities, 0 errors in {tmp_path}/out/, ")
    assert "characters/s" in said.err


def test_a_folder_that_is_there_needs_no_slash(notes: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    assert annotate(notes, "-o", tmp_path / "out", "--compress", "gz") == 0
    assert (tmp_path / "out" / "part-00000.jsonl.gz").exists()


def test_errors_are_counted_and_end_with_1(notes: Path, tmp_path: Path, capfd: Any):
    add(notes, "BOOM", "secret" * 20)
    assert annotate(notes, "-o", f"{tmp_path}/out/", "--max-document-chars", "100") == 1
    said = capfd.readouterr().err
    assert "10 documents, 10 entities, 2 errors" in said
    assert f"not annotated: 2, listed in {tmp_path}/out/part-*.errors.jsonl" in said
    assert "secret" not in said


def test_a_job_that_stands_there_is_gone_on_with_only_when_asked(notes: Path, tmp_path: Path, capfd: Any):
    words = (notes, "-o", f"{tmp_path}/out/")
    assert annotate(*words) == 0
    assert annotate(*words) == 2
    assert "--resume" in capfd.readouterr().err
    assert annotate(*words, "--resume") == 0


@pytest.mark.parametrize(
    "words", [["--resume"], ["--compress", "gz"], ["--part-documents", "5"], ["--max-document-chars", "9"]]
)
@pytest.mark.parametrize("output", [[], ["-o", "found.jsonl"], ["-o", "out/", "--format", "brat"]])
def test_options_of_folders_are_refused_elsewhere(
    notes: Path, words: list[str], output: list[str], capfd: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(notes.parent)
    assert annotate(notes, *output, *words) == 2
    assert f"{words[0]} is for JSONL in parts; name a folder for it: -o OUT/" in capfd.readouterr().err


def test_a_broken_model_is_said_once_with_the_way_on(
    notes: Path, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STUB_DIES", "broken")
    assert annotate(notes, "-o", f"{tmp_path}/out/") == 1
    said = capfd.readouterr().err
    assert said.count("is broken on purpose") == 1
    assert "go on with" not in said  # there is nothing to go on with
    monkeypatch.delenv("STUB_DIES")
    assert annotate(notes, "-o", f"{tmp_path}/out/", "--part-documents", "5") == 0
    (tmp_path / "out" / "part-00001.jsonl").unlink()
    monkeypatch.setenv("STUB_DIES", "broken")
    assert annotate(notes, "-o", f"{tmp_path}/out/", "--part-documents", "5", "--resume") == 1
    said = capfd.readouterr().err
    assert f"go on with: medspan annotate {notes} -o {tmp_path}/out/ --part-documents 5 --resume" in said


def test_ctrl_c_says_how_to_go_on(notes: Path, tmp_path: Path, capfd: Any):
    add(notes, *["LATER"] * 100)
    threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    words = (notes, "-o", f"{tmp_path}/out/", "--part-documents", "2", "--workers", "1")
    assert annotate(*words) == 130
    said = capfd.readouterr().err
    assert "stopping: the current parts are finished first" in said
    assert (
        f"go on with: medspan annotate {notes} -o {tmp_path}/out/ --workers 1 --part-documents 2 --resume"
        in said
    )


@pytest.mark.parametrize("name", ["found.jsonl", "found.csv"])
def test_workers_write_single_files_too(notes: Path, tmp_path: Path, name: str):
    for workers in (1, 2):
        assert annotate(notes, "-o", tmp_path / f"{workers}-{name}", "--workers", workers) == 0
    data = (tmp_path / f"1-{name}").read_bytes()
    assert data.count(b"DRUG") >= 10
    assert data == (tmp_path / f"2-{name}").read_bytes()


def test_workers_write_to_standard_output(notes: Path, capfdbinary: Any):
    assert annotate(notes, "--workers", 2) == 0
    rows = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [row["text"] for row in rows] == [f"DRUG {number}" for number in range(10)]


@pytest.mark.parametrize(
    ("output", "expected"),
    [(None, 0), ("new/", 1), ("new.jsonl", 0), ("there", 1), ("-", 0)],
)
def test_what_is_a_folder(output: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    assert is_folder(output) == bool(expected)


def test_the_command_to_resume_holds_what_was_given():
    assert resume_command(Request(inputs=("a", "my notes")), "out/") == (
        "medspan annotate a 'my notes' -o out/ --resume"
    )
    full = Request(
        inputs=("-",),
        read_as="notes",
        text_column="note",
        id_column="key",
        model="mine",
        types=("Drug", "Gene"),
        min_score=0.5,
        device="cpu",
        threads=2,
        workers=3,
        compress="gz",
        limits=Limits(documents=5, document_characters=7),
        stop_at_errors=True,
    )
    assert resume_command(full, "out") == (
        "medspan annotate - -o out --from notes --text-column note --id-column key --model mine --types Drug,Gene "
        "--min-score 0.5 --device cpu --threads 2 --workers 3 --compress gz --part-documents 5 "
        "--max-document-chars 7 --on-error stop --resume"
    )


def row(part: int) -> PartRow:
    return PartRow(
        part=part,
        file="f",
        sha256="",
        bytes=1,
        documents=1000,
        characters=5000,
        entities=1,
        input="",
        input_bytes=10_000,
        errors=1,
    )


def test_plain_progress_comes_every_half_minute(capfd: Any):
    now = [0.0]
    with Progress(100_000, clock=lambda: now[0]) as progress:
        assert progress.seconds_left() is None
        progress.on_part(row(0), is_new=False)
        for number in range(1, 5):
            now[0] += 20
            progress.on_part(row(number), is_new=True)
    said = capfd.readouterr().err.splitlines()
    assert said == [
        "3,000 documents, 3 errors, 250 characters/s, about 2 min left",
        "5,000 documents, 5 errors, 250 characters/s, about 2 min left",
    ]


def test_time_left_is_not_told_where_it_is_not_known(capfd: Any):
    del capfd
    progress = Progress(None)
    progress.on_part(row(0), is_new=True)
    assert progress.seconds_left() is None
    assert "left" not in progress.line()


def test_a_terminal_gets_a_live_line(monkeypatch: pytest.MonkeyPatch):
    file = SimpleNamespace(written=[], isatty=lambda: True, flush=lambda: None)
    file.write = file.written.append
    monkeypatch.setattr(
        progress_module, "Console", lambda **_: Console(file=file, force_terminal=True, width=100)
    )
    with Progress(1000) as progress:
        progress.on_part(row(0), is_new=True)
    assert any("1,000 documents" in text for text in file.written)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (99, "99 s"), (150, "2 min"), (5940, "99 min"), (11_100, "3 h 05 min")]
)
def test_durations(seconds: float, shown: str):
    assert duration(seconds) == shown


def test_packings_are_those_of_jobs():
    from medspan.jobs.output import SUFFIXES  # noqa: PLC0415 - compared only here

    assert [packing.value for packing in verb.Packing] == [name for name in SUFFIXES if name]
