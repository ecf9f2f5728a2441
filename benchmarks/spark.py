"""Spark beside the bulk job: throughput, executors, the same entities, memory of the driver.

    MEDSPAN_DATA=DIR python benchmarks/spark.py [--parts throughput executors same memory] [--megabytes 20]

``throughput``: `medspan.spark.annotate` on ``local[2]`` from Parquet to Parquet, against ``medspan annotate``
with two worker processes from the same Parquet to parts of JSONL; in turns, medians of ``--rounds``; the
start of the Java machine and of the Python workers is not counted, the load of the model is; the job's start
is counted whole. ``executors``: two executor processes with a thread each against one, the same way.
``same``: every document of the unlabelled text, and every paragraph as a document of its own, on Spark and by
`medspan.load` (of ``--same-megabytes``). ``memory``: 300,000 documents; the most resident memory of the
driver, Python and Java together, and its slope. Writes spark.json beside this file, a part at a time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusters import (
    RESULT,
    by_job,
    driver_memory,
    entity_of,
    joined,
    keep,
    local,
    notes,
    on_spark,
    texts,
    warm_up,
    write_parquet,
)
from invariance import compare
from memory import paragraphs

import medspan
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEAST_SHARE, LEAST_SPEEDUP, MOST_DRIVER_MEGABYTES = 0.85, 1.6, 1500
MANY = 300_000


def throughput(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """``local[2]`` against the job."""
    source = folder / "in"
    words = write_parquet(source, texts(options.megabytes))
    with local("local[2]") as spark:
        warm_up(spark, folder)
        pairs = [
            (by_job(source, folder / "job"), on_spark(spark, source, folder / "spark", max_chars=most))
            for most in several(options.rounds)
        ]
    shares = sorted(job / own for job, own in pairs)
    return {
        "words": words,
        "share_of_job": round(statistics.median(shares), 3),
        "shares": [round(share, 3) for share in shares],
        "spark_words_per_second": round(words / statistics.median(own for _, own in pairs)),
        "job_words_per_second": round(words / statistics.median(job for job, _ in pairs)),
        "asked": LEAST_SHARE,
    }


def several(rounds: int) -> range:
    """A limit no text reaches for each round, which makes its options others: workers load the model anew."""
    return range(10**9, 10**9 + rounds)


def executors(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Two executor processes against one."""
    words = write_parquet(folder / "in", texts(options.megabytes))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.rounds):
        for count, found in seconds.items():
            with local(f"local-cluster[{count},1,1024]") as spark:
                warm_up(spark, folder)
                found.append(on_spark(spark, folder / "in", folder / "out"))
    ratios = sorted(one / two for one, two in zip(*seconds.values(), strict=True))
    return {
        "words": words,
        "speedup": round(statistics.median(ratios), 2),
        "speedups": [round(ratio, 2) for ratio in ratios],
        "words_per_second": {
            str(count): round(words / statistics.median(found)) for count, found in seconds.items()
        },
        "asked": LEAST_SPEEDUP,
    }


def documents(megabytes: int) -> list[Document]:
    """Whole notes, articles joined from twenty paragraphs, and the paragraphs of both by themselves."""
    whole, some = notes(), list(texts(megabytes))
    parts = [line for text in whole for line in text.splitlines() if line.strip()]
    return [Document(str(i), text) for i, text in enumerate([*whole, *joined(some, 20), *parts, *some])]


def same(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The same entities as `medspan.load`, and scores to 1e-4."""
    wanted = documents(options.same_megabytes)
    words = write_parquet(folder / "in", (document.text for document in wanted))
    with local("local[2]") as spark:
        on_spark(spark, folder / "in", folder / "out")
        rows = spark.read.parquet(str(folder / "out")).select("id", "entities", "error").collect()
    found = [
        Document(row["id"], wanted[int(row["id"])].text, tuple(map(entity_of, row["entities"])))
        for row in rows
        if row["error"] is None
    ]
    nlp = medspan.load(device="cpu", threads=1)
    alone = list(nlp.annotate(wanted))
    return {
        "documents": len(wanted),
        "annotated": len(found),
        "words": words,
        "entities": sum(len(document.entities) for document in alone),
        **compare(alone, found),
    }


def memory(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The driver while it has many documents annotated."""

    def many() -> Iterator[str]:
        for number, text in enumerate(paragraphs()):
            if number == options.documents:
                return
            yield text[:400]

    write_parquet(folder / "in", many(), parts=64)
    with local("local-cluster[2,1,1024]", spark__driver__memory="1g") as spark:
        with driver_memory() as driver:
            seconds = on_spark(spark, folder / "in", folder / "out")
        count = spark.read.parquet(str(folder / "out")).where("error is null").count()
    return {"documents": count, "seconds": round(seconds), **driver, "asked": MOST_DRIVER_MEGABYTES}


PARTS: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
    "throughput": throughput,
    "executors": executors,
    "same": same,
    "memory": memory,
}


def main() -> int:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--same-megabytes", type=int, default=20)
    parser.add_argument("--documents", type=int, default=MANY)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    for name in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            found = PARTS[name](options, Path(folder))
        keep(options.output, name, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
