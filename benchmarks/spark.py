"""Spark beside the bulk job: throughput, executors, the same entities, memory of the driver.

    MEDSPAN_DATA=DIR python benchmarks/spark.py [--parts throughput executors same memory] [--megabytes 20]

``throughput``: `medspan.spark.annotate` on ``local[2]`` from Parquet to Parquet, against ``medspan annotate``
with two worker processes from the same Parquet to parts of JSONL; in turns, medians of ``--rounds``; the
start of the Java machine and of the Python workers is not counted, the load of the model is; the job's start
is counted whole. ``executors``: two executor processes with a thread each against one, the same way.
``same``: every document of the unlabelled text, and every paragraph as a document of its own, on Spark and by
`medspan.load`. ``memory``: 300,000 documents; the most resident memory of the
driver, Python and Java together, and its slope. Writes spark.json beside this file, a part at a time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusters import (
    RESULT,
    by_job,
    driver_memory,
    entity_of,
    keep,
    local,
    on_spark,
    texts,
    warm_up,
    write_parquet,
)
from invariance import compare
from memory import paragraphs

import medspan
from medspan import formats
from medspan.formats.protocol import ReadOptions
from medspan.types import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyspark.sql import SparkSession

LEAST_SHARE, LEAST_SPEEDUP, MOST_DRIVER_MEGABYTES = 0.85, 1.6, 1500
MANY = 300_000
SOURCES = ("e3c-cases-en.txt.xz", "mtsamples.txt.xz", "pmc-trials.txt.xz")
SAME_AT_ONCE = 20_000


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


def documents() -> Iterator[str]:
    """Every document of the unlabelled text, each followed by its paragraphs by themselves."""
    root = Path(os.environ["MEDSPAN_DATA"]) / "unlabelled"
    for name in SOURCES:
        for document in formats.read(root / name, "blocks", ReadOptions()):
            yield document.text
            yield from (line for line in document.text.splitlines() if line.strip())


def chunks(rows: Iterator[str]) -> Iterator[list[str]]:
    """So many at once as memory holds easily."""
    while some := list(islice(rows, SAME_AT_ONCE)):
        yield some


def same(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The same entities as `medspan.load`, and scores to 1e-4."""
    nlp = medspan.load(device="cpu", threads=1)
    total: Counter[str] = Counter()
    gap = 0.0
    with local("local[2]") as spark:
        for number, some in enumerate(chunks(islice(documents(), options.same_documents))):
            wanted = [Document(str(place), text) for place, text in enumerate(some)]
            source = folder / f"in-{number}"
            total["words"] += write_parquet(source, some)
            on_spark(spark, source, folder / "out")
            shutil.rmtree(source)
            alone, found = list(nlp.annotate(wanted)), annotated(spark, folder / "out", wanted)
            differences = compare(alone, found)
            gap = max(gap, differences["largest_score_difference"])
            total["differing_documents"] += differences["differing_documents"]
            total["documents"] += len(wanted)
            total["entities"] += sum(len(document.entities) for document in alone)
    return {**total, "differing_documents": total["differing_documents"], "largest_score_difference": gap}


def annotated(spark: SparkSession, folder: Path, wanted: Sequence[Document]) -> list[Document]:
    """What Spark found in these; one that it lacks, or gives twice, is an error."""
    rows = spark.read.parquet(str(folder)).select("id", "entities").collect()
    if sorted(int(row["id"]) for row in rows) != list(range(len(wanted))):
        sys.exit(f"{len(wanted)} documents went in, and others came out")
    return [wanted[int(row["id"])].replace(entities=tuple(map(entity_of, row["entities"]))) for row in rows]


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
    parser.add_argument("--same-documents", type=int, help="all where absent")
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
