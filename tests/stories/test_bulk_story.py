"""Many documents into a folder with the shipped model: killed, stopped, resumed, and no process left behind."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import medspan
from medspan.shipped import shipped_models

pytestmark = [
    pytest.mark.skipif(not shipped_models(), reason="the model that ships with medspan is not there"),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals"),
]
COMMAND = [sys.executable, "-m", "medspan", "annotate"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(medspan.__file__).parents[1])}
TEXT = "No sign of lithium toxicity in patient {}. Metformin was given for diabetes mellitus, {} mg daily. "


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty notes of 6,000 characters, one line that is no document, and some of odd texts."""
    path = tmp_path_factory.mktemp("bulk") / "notes.jsonl"
    rows = [json.dumps({"id": f"n{n}", "text": TEXT.format(n, n * 10) * 60}) for n in range(40)]
    odd = ["", " \r\n", "\0\0", "患者\U0001f9ec lithium", "x" * 20_000]
    rows += ["{no document", *(json.dumps({"id": "odd", "text": text}) for text in odd)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def words(notes: Path, folder: Path, *more: str) -> list[str]:
    return [*COMMAND, str(notes), "-o", f"{folder}/", "--part-documents", "4", "--device", "cpu", *more]


def run(notes: Path, folder: Path, *more: str, code: int = 1) -> str:
    done = subprocess.run(
        words(notes, folder, *more), env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def contents(folder: Path) -> dict[str, str]:
    """Digests of the part files, and the rows of the manifest in any order."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("part-*")}
    found["manifest"] = "\n".join(
        sorted((folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines())
    )
    return found


def parts(folder: Path) -> int:
    return len(list(folder.glob("part-?????.jsonl")))


def start(notes: Path, folder: Path, *more: str, until: int) -> subprocess.Popen[str]:
    """Start a job and wait until it has so many parts."""
    process = subprocess.Popen(
        words(notes, folder, *more),
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while parts(folder) < until and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    return process


@pytest.fixture(scope="module")
def whole(notes: Path) -> dict[str, str]:
    """What a job leaves that nobody stopped."""
    folder = notes.parent / "whole"
    assert "45 documents" in run(notes, folder, "--workers", "1")
    documents = [
        document for path in sorted(folder.glob("part-?????.jsonl")) for document in medspan.read(path)
    ]
    assert [document.id for document in documents] == [*(f"n{n}" for n in range(40)), *["odd"] * 5]
    assert all(len(document.entities) >= 60 for document in documents[:40])
    (error,) = map(json.loads, (folder / "part-00010.errors.jsonl").read_text(encoding="utf-8").splitlines())
    assert (error["line"], error["place"]) == (41, 40)
    return contents(folder)


def test_two_workers_give_the_bytes_of_one(notes: Path, whole: dict[str, str]):
    run(notes, notes.parent / "two", "--workers", "2")
    assert contents(notes.parent / "two") == whole


def test_killed_and_resumed_gives_the_same_bytes(notes: Path, whole: dict[str, str]):
    folder = notes.parent / "killed"
    for until in (1, 4, 7):
        process = start(notes, folder, "--workers", "2", "--resume", until=until)
        children = children_of(process.pid)
        process.kill()
        process.communicate()
        for _ in range(500):
            if not any(map(is_alive, children)):
                break
            time.sleep(0.01)
        assert not any(map(is_alive, children)), "a worker outlived its parent"
    assert parts(folder) < 12
    run(notes, folder, "--workers", "1", "--resume")
    assert contents(folder) == whole
    assert not list(folder.glob(".*"))


def test_stopped_jobs_say_how_to_go_on(notes: Path, whole: dict[str, str]):
    folder = notes.parent / "stopped"
    process = start(notes, folder, "--workers", "1", until=2)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"go on with: medspan annotate {notes} -o {folder}/ --device cpu --workers 1" in said
    rows = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) - 1 == parts(folder) < 12
    run(notes, folder, "--workers", "1", "--resume")
    assert contents(folder) == whole


def children_of(process: int) -> list[int]:
    if not Path("/proc/self/stat").exists():
        return []
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            found.append(int(entry.parent.name))
    return found


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"
