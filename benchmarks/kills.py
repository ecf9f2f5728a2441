"""Bulk jobs killed with SIGKILL at random moments and resumed: is the output that of a job nobody killed?

    MEDSPAN_DATA=DIR python benchmarks/kills.py [--kills 50] [--documents 600] [--workers 2] [--seed 13]

The first notes of mtsamples are annotated once without interruption. Then jobs on the same notes are killed
at random moments and resumed until they are complete, one job after another, until there were so many kills.
Of ten kills six hit the parent alone, as ``kill -9`` does; two the parent and its workers at once, as a power
cut does; two a worker, after which the job goes on by itself. After each kill of a parent its workers must be
gone within three seconds, every part file there must be whole, and every row of the manifest one of the
reference. Each complete job must have the reference's part files byte for byte, its manifest's rows but for
their order, and every document once. Writes kills.json beside this file.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import processes
from facts import facts, write_json

from medspan import formats

if TYPE_CHECKING:
    import subprocess

NOTES = "unlabelled/mtsamples.jsonl.gz"
KINDS = ("parent", "parent", "parent", "all", "worker", "parent", "parent", "all", "worker", "parent")
PART_DOCUMENTS = 25
ORPHAN_SECONDS = 3.0


class Job:
    """A job on the notes, into a folder of its own."""

    def __init__(self, notes: Path, folder: Path, workers: int) -> None:
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self._words = ["annotate", str(notes), "-o", f"{folder}/", "--workers", str(workers)]
        self._words += ["--part-documents", str(PART_DOCUMENTS)]

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, or go on with it."""
        return processes.start([*self._words, "--resume"], self.log)

    def run(self) -> float:
        """Run it to its end; its seconds."""
        began = time.perf_counter()
        self.check(self.start().wait())
        return time.perf_counter() - began

    def check(self, code: int) -> None:
        """End this script where the job ended badly by itself."""
        if code:
            sys.exit(f"medspan ended with {code}: {self.log.read_text(encoding='utf-8')}")

    def files(self) -> dict[str, str]:
        """Digests of the part files."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.folder.glob("part-*")
        }

    def rows(self) -> list[str]:
        """Whole rows of the manifest, sorted."""
        manifest = self.folder / "manifest.jsonl"
        lines = manifest.read_bytes().splitlines(keepends=True) if manifest.exists() else []
        return sorted(line.decode() for line in lines if line.endswith(b"\n"))

    def share_left(self, files: dict[str, str]) -> float:
        """The share of all files that is not there yet, so that a job is killed while it works."""
        return 1 - len(self.files()) / len(files)

    def ids(self) -> list[str]:
        """Ids of all documents, in order."""
        return [document.id for path in sorted(self.folder.glob("part-*")) for document in formats.read(path)]


class Reference:
    """What a job that nobody killed leaves."""

    def __init__(self, job: Job, ids: list[str]) -> None:
        self.seconds = job.run()
        self.files, self.rows, self.ids = job.files(), job.rows(), ids
        if job.ids() != ids:
            sys.exit("the job that nobody killed does not hold every document once, in order")

    def faults_of_killed(self, job: Job) -> list[str]:
        """What is wrong with what a killed job left."""
        faults = [
            f"{name} is not whole" for name, digest in job.files().items() if self.files.get(name) != digest
        ]
        return faults + ["a row of the manifest is not one of the reference"] * (
            not set(job.rows()) <= set(self.rows)
        )

    def faults_of_complete(self, job: Job) -> list[str]:
        """What is wrong with what a job left that was killed, resumed and completed."""
        checks = {
            "part files differ": job.files() == self.files,
            "rows of the manifest differ": job.rows() == self.rows,
            "documents are missing or stand twice": job.ids() == self.ids,
            "something else was left": not list(job.folder.glob(".*")),
        }
        return [fault for fault, is_good in checks.items() if not is_good]


def kill(process: subprocess.Popen[bytes], kind: str, draw: random.Random) -> list[str]:
    """Kill what is to be killed; what is wrong afterwards."""
    workers = processes.children(process.pid)
    if kind == "worker":
        if workers:
            os.kill(draw.choice(workers), signal.SIGKILL)
        return []
    process.kill()
    for worker in workers if kind == "all" else []:
        if processes.is_alive(worker):
            os.kill(worker, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + ORPHAN_SECONDS
    while any(map(processes.is_alive, workers)):
        if time.monotonic() > deadline:
            return ["a worker outlived its parent"]
        time.sleep(0.02)
    return []


def run_and_kill(job: Job, kind: str, reference: Reference, draw: random.Random) -> dict[str, Any] | None:
    """Start a job, or go on with it, and kill it on the way; None where it was complete before."""
    process = job.start()
    wait = draw.uniform(0, reference.seconds * job.share_left(reference.files))
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < wait:
        time.sleep(0.01)
    if process.poll() is not None:
        job.check(process.returncode)
        return None
    faults = kill(process, kind, draw)
    row = {"kind": kind, "after_seconds": round(wait, 2)}
    if kind == "worker":
        job.check(process.wait())
        return {**row, "faults": faults, "finished_parts_without_row": 0}
    unrecorded = len(job.files()) - sum('"part"' in line for line in job.rows())
    faults += reference.faults_of_killed(job)
    return {**row, "faults": faults, "finished_parts_without_row": unrecorded}


def complete(job: Job, kinds: deque[str], reference: Reference, draw: random.Random) -> list[dict[str, Any]]:
    """Bring a job to its end, with kills on the way while there are some to come; a row for each."""
    rows = []
    while kinds:
        row = run_and_kill(job, kinds[0], reference, draw)
        if row is None:
            return rows
        rows.append(row)
        if kinds.popleft() == "worker":
            return rows
    job.run()
    return rows


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The reference, then jobs with kills until there were enough."""
    notes = folder / "notes.jsonl"
    source = Path(os.environ["MEDSPAN_DATA"]) / NOTES
    chosen = list(itertools.islice(formats.read(source), options.documents))
    formats.write(chosen, notes)
    reference = Reference(Job(notes, folder / "reference", options.workers), [d.id for d in chosen])
    draw = random.Random(options.seed)  # noqa: S311 - moments, no secret
    kinds = deque(itertools.islice(itertools.cycle(KINDS), options.kills))
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    jobs = 0
    while kinds:
        jobs += 1
        job = Job(notes, folder / f"job-{jobs}", options.workers)
        rows += complete(job, kinds, reference, draw)
        faults += [f"job {jobs}: {fault}" for fault in reference.faults_of_complete(job)]
    return summary(rows, faults, reference, jobs)


def summary(rows: list[dict[str, Any]], faults: list[str], reference: Reference, jobs: int) -> dict[str, Any]:
    """The figures of the result file."""
    return {
        "kills": len(rows),
        "by_kind": dict(Counter(row["kind"] for row in rows)),
        "jobs": jobs,
        "documents": len(reference.ids),
        "parts": len(reference.files),
        "uninterrupted_seconds": round(reference.seconds, 1),
        "most_finished_parts_without_row": max(row["finished_parts_without_row"] for row in rows),
        "faults": faults + [fault for row in rows for fault in row["faults"]],
        "moments": [[row["kind"], row["after_seconds"]] for row in rows],
    }


def main() -> int:
    """Measure and write; exit code 1 where anything was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--documents", type=int, default=600)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options)
    write_json(options.output, facts(options.seed, workers=options.workers, **result))
    print(json.dumps({name: value for name, value in result.items() if name != "moments"}, indent=1))
    return int(bool(result["faults"]))


if __name__ == "__main__":
    sys.exit(main())
