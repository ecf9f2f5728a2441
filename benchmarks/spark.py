"""Spark beside the bulk job: throughput, executors, the same entities, memory of the driver.

    MEDSPAN_DATA=DIR python benchmarks/spark.py [--parts throughput executors same memory] [--megabytes 20]

``throughput``: `medspan.spark.annotate` on ``local[2]`` from Parquet to Parquet, against ``medspan annotate``
with two worker processes from the same Parquet to parts of JSONL; in turns, medians of ``--rounds``; the
start of the Java machine is not counted, the load of the model is. ``executors``: two executor processes with
a thread each against one, the same way. ``same``: every document of the unlabelled text, and every paragraph
as a document of its own, on Spark and by `medspan.load` (of ``--same-megabytes``). ``memory``: 300,000
documents; the most resident memory of the driver, Python and Java together, and its slope. Writes spark.json
beside this file, a part at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import processes
from facts import facts, merge_json
from invariance import compare
from memory import growth, paragraphs

import medspan
from medspan import formats
from medspan.formats.protocol import ReadOptions
from medspan.spark import annotate, session
from medspan.types import Document, Entity, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark.sql import Row, SparkSession

HERE = Path(__file__).resolve()
LEAST_SHARE, LEAST_SPEEDUP, MOST_DRIVER_MEGABYTES = 0.85, 1.6, 1500
MANY = 300_000
MEGABYTE = 1_000_000
MTSAMPLES = "unlabelled/mtsamples.jsonl.gz"


def texts(megabytes: int) -> Iterator[str]:
    """Paragraphs of articles, so much of them."""
    left = megabytes * MEGABYTE
    for text in paragraphs():
        yield text
        left -= len(text.encode())
        if left <= 0:
            return


def write_parquet(path: Path, rows: Iterator[str], *, parts: int = 8) -> int:
    """A folder of Parquet files with columns id and text; how many words."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    kept = list(rows)
    path.mkdir(parents=True)
    for part in range(parts):
        own = range(part, len(kept), parts)
        table = pa.table({"id": [str(i) for i in own], "text": [kept[i] for i in own]})
        pq.write_table(table, path / f"part-{part}.parquet")
    return sum(len(text.split()) for text in kept)


def local(master: str, **settings: str) -> SparkSession:
    """A Spark of this machine whose executors find this medspan."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    sources = str(HERE.parents[1] / "src")
    os.environ["PYTHONPATH"] = sources
    return session(master, spark__executorEnv__PYTHONPATH=sources, spark__log__level="ERROR", **settings)


def on_spark(spark: SparkSession, source: Path, target: Path) -> float:
    """Seconds from Parquet to Parquet."""
    shutil.rmtree(target, ignore_errors=True)
    began = time.perf_counter()
    annotate(spark.read.parquet(str(source)), keep=["id"]).write.parquet(str(target))
    return time.perf_counter() - began


def by_job(source: Path, target: Path) -> float:
    """Seconds of the bulk job of two worker processes."""
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "medspan", "annotate", str(source), "-o", f"{target}/", "--workers", "2"]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def throughput(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """``local[2]`` against the job."""
    words = write_parquet(folder / "in", texts(options.megabytes))
    spark = local("local[2]")
    on_spark(spark, folder / "in", folder / "warm")
    pairs = [
        (by_job(folder / "in", folder / "job"), on_spark(spark, folder / "in", folder / "spark"))
        for _ in range(options.rounds)
    ]
    spark.stop()
    shares = sorted(job / own for job, own in pairs)
    return {
        "words": words,
        "share_of_job": round(statistics.median(shares), 3),
        "shares": [round(share, 3) for share in shares],
        "spark_words_per_second": round(words / statistics.median(own for _, own in pairs)),
        "job_words_per_second": round(words / statistics.median(job for job, _ in pairs)),
        "asked": LEAST_SHARE,
    }


def executors(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Two executor processes against one."""
    words = write_parquet(folder / "in", texts(options.megabytes))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.rounds):
        for count, found in seconds.items():
            spark = local(f"local-cluster[{count},1,1024]")
            on_spark(spark, folder / "in", folder / "warm")
            found.append(on_spark(spark, folder / "in", folder / "out"))
            spark.stop()
    ratios = sorted(one / two for one, two in zip(*seconds.values(), strict=True))
    return {
        "words": words,
        "speedup": round(statistics.median(ratios), 2),
        "speedups": [round(ratio, 2) for ratio in ratios],
        "asked": LEAST_SPEEDUP,
    }


def documents(megabytes: int) -> list[Document]:
    """Whole notes, articles joined from twenty paragraphs, and the paragraphs of both by themselves."""
    source = Path(os.environ["MEDSPAN_DATA"]) / MTSAMPLES
    notes = [document.text for document in formats.read(source, "jsonl", ReadOptions())]
    some = list(texts(megabytes))
    articles = ["\n".join(some[i : i + 20]) for i in range(0, len(some), 20)]
    parts = [line for text in notes for line in text.splitlines() if line.strip()]
    return [Document(str(i), text) for i, text in enumerate([*notes, *articles, *parts, *some])]


def same(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The same entities as `medspan.load`, and scores to 1e-4."""
    wanted = documents(options.same_megabytes)
    words = write_parquet(folder / "in", (document.text for document in wanted))
    spark = local("local[2]")
    on_spark(spark, folder / "in", folder / "out")
    rows = spark.read.parquet(str(folder / "out")).select("id", "entities", "error").collect()
    spark.stop()
    found = [
        Document(row["id"], wanted[int(row["id"])].text, tuple(map(entity_of, row["entities"])))
        for row in rows
        if row["error"] is None
    ]
    nlp = medspan.load(device="cpu", threads=1)
    differences = compare(list(nlp.annotate(wanted)), found)
    return {"documents": len(wanted), "annotated": len(found), "words": words, **differences}


def entity_of(row: Row) -> Entity:
    """An entity of a row."""
    return Entity(row["id"], row["label"], (Span(row["start"], row["end"]),), row["score"])


def memory(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The driver while it has many documents annotated."""

    def many() -> Iterator[str]:
        for number, text in enumerate(paragraphs()):
            if number == options.documents:
                return
            yield text[:400]

    write_parquet(folder / "in", many(), parts=64)
    spark = local("local-cluster[2,1,1024]", spark__driver__memory="1g")
    samples: list[tuple[float, int]] = []
    stop = threading.Event()
    java = [each for each in processes.children(os.getpid()) if is_java(each)]

    def watch() -> None:
        began = time.monotonic()
        while not stop.wait(1):
            held = sum(processes.memory(each).get("VmRSS", 0) for each in (os.getpid(), *java))
            samples.append((time.monotonic() - began, held))

    watcher = threading.Thread(target=watch)
    watcher.start()
    seconds = on_spark(spark, folder / "in", folder / "out")
    stop.set()
    watcher.join()
    count = spark.read.parquet(str(folder / "out")).where("error is null").count()
    spark.stop()
    return {
        "documents": count,
        "seconds": round(seconds),
        "driver_processes": 1 + len(java),
        "most_megabytes": round(max(held for _, held in samples) / 1000),
        "growth": round(growth(samples), 4),
        "asked": MOST_DRIVER_MEGABYTES,
    }


def is_java(process: int) -> bool:
    """Whether a process is the driver's Java."""
    return b"SparkSubmit" in (processes.PROC / str(process) / "cmdline").read_bytes()


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
    parser.add_argument("--output", type=Path, default=HERE.with_suffix(".json"))
    options = parser.parse_args()
    for name in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            found = PARTS[name](options, Path(folder))
        merge_json(options.output, name, facts(None, **found))
        print(name, json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
