"""A long bulk job: the most memory a worker and the parent take, and whether it grows.

    MEDSPAN_DATA=DIR python benchmarks/memory.py [--megabytes 100] [--workers 2] [--model default]

Documents are the paragraphs of the articles in pmc-trials, about 1,000 characters each: 100,000 in 100 MB.
Above 95 MB they come again, each time with other digits in their numbers, so that new word forms never cease.
The resident memory of each process is read every second. ``growth`` is the slope of a straight line through
the samples after the first quarter of the run, times the time they cover, as a share of their mean: under
0.02 for a job in flat memory. Writes memory.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import processes
from facts import facts, merge_json

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

ARTICLES = "unlabelled/pmc-trials.txt.xz"
WARM_UP = 0.25
MEGABYTE = 1_000_000
MOST_MEGABYTES = 400
MOST_GROWTH = 0.02

Samples = dict[int, list[tuple[float, int]]]


def paragraphs() -> Iterator[str]:
    """Paragraphs of the articles without end, each time round with other digits."""
    for turn in count():
        shifted = str.maketrans("0123456789", "".join(str((digit + turn) % 10) for digit in range(10)))
        with lzma.open(Path(os.environ["MEDSPAN_DATA"]) / ARTICLES, "rt", encoding="utf-8") as lines:
            yield from (line.strip("\n").translate(shifted) for line in lines if line.strip())


def write_input(path: Path, megabytes: int) -> int:
    """Documents of so much text as JSONL; how many."""
    left = megabytes * MEGABYTE
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(paragraphs()):
            file.write(json.dumps({"id": str(number), "text": text}, ensure_ascii=False) + "\n")
            left -= len(text.encode())
            if left <= 0:
                return number + 1
    return 0


def watch(process: subprocess.Popen[bytes]) -> tuple[Samples, dict[int, int]]:
    """Seconds and resident kB of the parent and its workers until it ends, and the most of each."""
    samples: Samples = defaultdict(list)
    most: dict[int, int] = {}
    began = time.monotonic()
    while process.poll() is None:
        for each in (process.pid, *processes.children(process.pid)):
            found = processes.memory(each)
            if "VmRSS" in found:
                samples[each].append((time.monotonic() - began, found["VmRSS"]))
                most[each] = found["VmHWM"]
        time.sleep(1)
    return samples, most


def growth(samples: list[tuple[float, int]]) -> float:
    """By what share of its mean the memory grows between the first quarter of the run and its end."""
    kept = samples[int(len(samples) * WARM_UP) :]
    if len(kept) < 3:  # noqa: PLR2004 - no line through fewer
        return 0.0
    times, sizes = [second for second, _ in kept], [size for _, size in kept]
    slope = statistics.linear_regression(times, sizes).slope
    return slope * (times[-1] - times[0]) / statistics.fmean(sizes)


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run the job and watch it."""
    documents = write_input(folder / "notes.jsonl", options.megabytes)
    words = [
        "annotate",
        str(folder / "notes.jsonl"),
        "-o",
        f"{folder}/out/",
        "--workers",
        str(options.workers),
    ]
    began = time.perf_counter()
    process = processes.start([*words, "--model", options.model, *options.more], folder / "log")
    samples, most = watch(process)
    seconds = time.perf_counter() - began
    if process.returncode:
        sys.exit((folder / "log").read_text(encoding="utf-8"))
    last = (folder / "out" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    totals = json.loads(last)["totals"]
    if totals["documents"] != documents:
        sys.exit(f"{documents} documents in, {totals['documents']} out")
    workers = sorted(each for each in samples if each != process.pid)
    return {
        "megabytes": options.megabytes,
        **totals,
        "seconds": round(seconds, 1),
        "characters_per_second": round(totals["characters"] / seconds),
        "workers": [figures(samples[each], most[each]) for each in workers],
        "parent": figures(samples[process.pid], most[process.pid]),
    }


def figures(samples: list[tuple[float, int]], most: int) -> dict[str, Any]:
    """Of a process: the most memory, its growth, and a curve of at most 60 points, in MB."""
    step = max(len(samples) // 60, 1)
    return {
        "peak_rss_mb": round(most * 1024 / MEGABYTE),
        "growth": round(growth(samples), 4),
        "curve_mb": [round(size * 1024 / MEGABYTE) for _, size in samples[::step]],
    }


def main() -> int:
    """Measure and write; exit code 1 where a worker takes too much or grows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="default", help="a model folder or a shipped name")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("more", nargs="*", help="more options of medspan annotate, after --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options)
    merge_json(options.output, f"{options.megabytes} MB", facts(None, **result))
    print(json.dumps(result))
    return int(
        any(row["peak_rss_mb"] >= MOST_MEGABYTES or row["growth"] >= MOST_GROWTH for row in result["workers"])
    )


if __name__ == "__main__":
    sys.exit(main())
