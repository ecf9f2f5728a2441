"""Worker processes of the speed benchmark: started, made ready, let go together, and checked."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from peers import texts

if TYPE_CHECKING:
    from collections.abc import Sequence

BENCHMARKS = Path(__file__).resolve().parents[1]
WORKER = "peers.worker"
WARM_UP = (4, 800)  # documents, characters of each
THREAD_SETTINGS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "RAYON")


class Contender(NamedTuple):
    """A system as it runs here: its name in the results, what the worker is told, and its interpreter."""

    name: str
    system: str
    model: str
    python: str
    words: int


class Run(NamedTuple):
    """One run of one system."""

    seconds: float
    peak_rss_mb: int


def environment(threads: int) -> dict[str, str]:
    """The environment of workers: thread limits, no network, the project's source."""
    limits = {f"{name}_NUM_THREADS": str(threads) for name in THREAD_SETTINGS}
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    source = os.pathsep.join([str(BENCHMARKS.parent / "src"), str(BENCHMARKS)])
    return {**os.environ, **limits, **quiet, "PYTHONPATH": source, "PYTHONWARNINGS": "ignore"}


def start(contender: Contender, share: Path, warm_up: Path, threads: int) -> subprocess.Popen[str]:
    """Start a worker on a share; it will say ready."""
    files = ["--input", str(share), "--output", str(share.with_suffix(".found.jsonl"))]
    settings = ["--model", contender.model, "--threads", str(threads), "--warm-up", str(warm_up)]
    command = [contender.python, "-m", WORKER, contender.system, *files, *settings]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment(threads), stdin=pipe, stdout=pipe, text=True)


def say(worker: subprocess.Popen[str], word: str) -> None:
    """Write a line to a worker."""
    if worker.stdin is None:
        raise ValueError("the worker has no stdin")
    worker.stdin.write(f"{word}\n")
    worker.stdin.flush()


def hear(worker: subprocess.Popen[str]) -> str:
    """Read a line from a worker."""
    if worker.stdout is None:
        raise ValueError("the worker has no stdout")
    return worker.stdout.readline().strip()


def run_once(contender: Contender, documents: Sequence[texts.Text], processes: int, threads: int) -> Run:
    """One run in files of its own; every document must come back.

    Raises:
        SystemExit: if a worker fails or loses documents.
    """
    with tempfile.TemporaryDirectory() as folder:
        shares = [Path(folder) / f"share-{number}.jsonl" for number in range(processes)]
        for share, dealt in zip(shares, texts.deal(documents, processes), strict=True):
            texts.write(dealt, share)
        warm_up = Path(folder) / "warm-up.jsonl"
        count, length = WARM_UP
        texts.write([d._replace(text=d.text[:length]) for d in documents[:count]], warm_up)
        run = _time(contender, shares, warm_up, threads)
        found = sum(_lines(share.with_suffix(".found.jsonl")) for share in shares)
    if found != len(documents):
        raise SystemExit(f"{contender.name}: {found} of {len(documents)} documents came back")
    return run


def _time(contender: Contender, shares: Sequence[Path], warm_up: Path, threads: int) -> Run:
    """From go to the last worker's end; all are ready before the first begins."""
    with ExitStack() as stack:
        workers = [stack.enter_context(start(contender, share, warm_up, threads)) for share in shares]
        if not all(hear(worker) == "ready" for worker in workers):
            raise SystemExit(f"{contender.name}: a worker did not get ready; its message stands above")
        began = time.perf_counter()
        for worker in workers:
            say(worker, "go")
        said = [hear(worker) for worker in workers]
        seconds = time.perf_counter() - began
    if not all(said):
        raise SystemExit(f"{contender.name}: a worker failed; its message stands above")
    return Run(seconds, max(json.loads(line)["peak_rss_mb"] for line in said))


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)
