"""The benchmarks of bulk jobs: what they compute, and that they see what is wrong."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import kills
import memory
import processes
import pytest

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.mark.parametrize("name", ["kills", "memory"])
def test_help(name: str):
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--help"]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    assert f"benchmarks/{name}.py" in done.stdout
    assert "--output" in done.stdout


@needs_proc
def test_processes_are_seen_while_they_live():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert process.pid in processes.children(os.getpid())
    assert processes.is_alive(process.pid)
    found = processes.memory(process.pid)
    assert 0 < found["VmRSS"] <= found["VmHWM"]
    process.kill()
    while processes.is_alive(process.pid):  # dead though nobody has asked how it ended
        pass
    assert process.pid not in processes.children(os.getpid())
    process.communicate()
    assert processes.memory(process.pid) == {}


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([100] * 40, 0.0),
        ([*range(10), *[100] * 30], 0.0),  # the first quarter does not count
        ([100 + 10 * second / 29 for second in range(-10, 30)], 10 / 105),
        ([100, 90], 0.0),
    ],
)
def test_growth(sizes: list[float], expected: float):
    samples = [(float(second), int(1000 * size)) for second, size in enumerate(sizes)]
    assert memory.growth(samples) == pytest.approx(expected, abs=1e-3)


def test_figures_keep_the_peak_and_a_short_curve():
    row = memory.figures([(float(second), 1000 * second) for second in range(600)], 700_000)
    assert row["peak_rss_mb"] == 717
    assert len(row["curve_mb"]) == 60


@pytest.mark.corpora
def test_paragraphs_come_again_with_other_digits(
    corpora_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("MEDSPAN_DATA", str(corpora_dir))
    assert all(islice(memory.paragraphs(), 50))
    count = memory.write_input(tmp_path / "notes.jsonl", 1)
    assert len((tmp_path / "notes.jsonl").read_text(encoding="utf-8").splitlines()) == count
    assert (tmp_path / "notes.jsonl").stat().st_size > memory.MEGABYTE


@pytest.fixture
def job(tmp_path: Path) -> kills.Job:
    """A job of one part that is complete."""
    found = kills.Job(tmp_path / "notes.jsonl", tmp_path / "job", 1)
    found.folder.mkdir()
    (found.folder / "part-00000.jsonl").write_text('{"id": "a", "text": ""}\n', encoding="utf-8")
    (found.folder / "manifest.jsonl").write_text('{"job":{}}\n{"part":0}\n', encoding="utf-8")
    return found


@pytest.fixture
def reference(job: kills.Job, monkeypatch: pytest.MonkeyPatch) -> kills.Reference:
    """The same job, not killed."""
    with monkeypatch.context() as patch:
        patch.setattr(job, "run", lambda: 1.0)
        return kills.Reference(job, ["a"])


def test_equal_jobs_have_no_faults(job: kills.Job, reference: kills.Reference):
    assert reference.faults_of_complete(job) == reference.faults_of_killed(job) == []
    assert job.share_left(reference.files) == 0
    with (job.folder / "manifest.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"par')
    assert reference.faults_of_killed(job) == []


@pytest.mark.parametrize(
    ("name", "content", "of_killed", "of_complete"),
    [
        ("part-00000.jsonl", '{"id": "a"', 1, None),
        ("part-00000.jsonl", '{"id": "b", "text": ""}\n', 1, 2),
        ("manifest.jsonl", '{"part":0}\n{"job":{}}\n', 0, 0),
        ("manifest.jsonl", '{"job":{}}\n', 0, 1),
        ("manifest.jsonl", '{"job":{}}\n{"part":1}\n', 1, 1),
        (".part-00001.jsonl.0.part", "", 0, 1),
    ],
)
def test_faults_are_seen(  # noqa: PLR0917 - fixtures and a table
    job: kills.Job,
    reference: kills.Reference,
    name: str,
    content: str,
    of_killed: int,
    of_complete: int | None,
):
    (job.folder / name).write_text(content, encoding="utf-8")
    assert len(reference.faults_of_killed(job)) == of_killed
    if of_complete is not None:
        assert len(reference.faults_of_complete(job)) == of_complete


@needs_proc
@pytest.mark.parametrize("kind", ["parent", "all"])
def test_a_worker_that_outlives_its_parent_is_seen(kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kills, "ORPHAN_SECONDS", 0.3)
    program = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid, flush=True); p.wait()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout
    worker = int(process.stdout.readline())
    faults = kills.kill(process, kind, random.Random(1))  # noqa: S311 - no secret
    process.stdout.close()
    assert faults == (["a worker outlived its parent"] if kind == "parent" else [])
    if kind == "parent":
        os.kill(worker, 9)
