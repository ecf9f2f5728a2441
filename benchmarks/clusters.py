"""What benchmarks of Spark share: texts as Parquet, sessions, timed runs, memory of the driver."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import processes
from facts import facts, read_json, write_json
from memory import growth, paragraphs

from medspan import formats
from medspan.formats.protocol import ReadOptions
from medspan.spark import annotate, session
from medspan.types import Entity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa
    from pyspark.sql import Row, SparkSession

RESULT = Path(__file__).resolve().with_name("spark.json")
SOURCES = Path(__file__).resolve().parents[1] / "src"
MEGABYTE = 1_000_000
MTSAMPLES = "unlabelled/mtsamples.jsonl.gz"


def keep(path: Path, part: str, found: dict[str, Any], seed: int | None = None) -> None:
    """Put the figures of a part into the result file, and print them."""
    runs = read_json(path).get("runs", {})
    write_json(path, {"runs": {**runs, part: facts(seed, **found)}})
    print(part, json.dumps(found), flush=True)


def notes() -> list[str]:
    """The clinical notes of the unlabelled text."""
    source = Path(os.environ["MEDSPAN_DATA"]) / MTSAMPLES
    return [document.text for document in formats.read(source, "jsonl", ReadOptions())]


def texts(megabytes: float) -> Iterator[str]:
    """Paragraphs of articles, so much of them."""
    left = megabytes * MEGABYTE
    for text in paragraphs():
        yield text
        left -= len(text.encode())
        if left <= 0:
            return


def joined(paragraphs: Iterable[str], each: int) -> list[str]:
    """Articles: so many paragraphs a text."""
    some = list(paragraphs)
    return ["\n".join(some[i : i + each]) for i in range(0, len(some), each)]


def write_parquet(path: Path, rows: Iterable[str], *, parts: int = 8) -> int:
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


@contextmanager
def local(master: str, **settings: str) -> Iterator[SparkSession]:
    """A Spark of this machine whose executors find this medspan and its benchmarks."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(SOURCES), str(Path(__file__).resolve().parent)])
    spark = session(
        master,
        spark__executorEnv__PYTHONPATH=os.environ["PYTHONPATH"],
        spark__log__level="ERROR",
        # One file a task, however small, so that there are as many tasks as files.
        spark__sql__files__openCostInBytes=str(1 << 30),
        **settings,
    )
    try:
        yield spark
    finally:
        spark.stop()


def on_spark(spark: SparkSession, source: Path, target: Path, **options: Any) -> float:  # noqa: ANN401 - as annotate
    """Seconds of annotating from Parquet to Parquet."""
    shutil.rmtree(target, ignore_errors=True)
    began = time.perf_counter()
    annotate(spark.read.parquet(str(source)), keep=["id"], **options).write.parquet(str(target))
    return time.perf_counter() - began


def unchanged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Through Arrow to Python and back."""
    yield from batches


def warm_up(spark: SparkSession, folder: Path) -> None:
    """Start the Java machine and the Python workers; a run with other options loads its model anew."""
    if not (folder / "few").exists():
        write_parquet(folder / "few", texts(0.2))
    on_spark(spark, folder / "few", folder / "few-out", min_score=0.99)


def by_job(source: Path, target: Path, *, workers: int = 2) -> float:
    """Seconds of the bulk job, its start included."""
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "medspan", "annotate", str(source), "-o", f"{target}/"]
    began = time.perf_counter()
    subprocess.run([*command, "--workers", str(workers)], check=True, capture_output=True)
    return time.perf_counter() - began


def entity_of(row: Row) -> Entity:
    """An entity of a row."""
    return Entity(row["id"], row["label"], (Span(row["start"], row["end"]),), row["score"])


@contextmanager
def driver_memory() -> Iterator[dict[str, Any]]:
    """The most resident memory of this process and its Java together, and its growth; filled at the end."""
    found: dict[str, Any] = {}
    java = [each for each in processes.children(os.getpid()) if _is_java(each)]
    samples: list[tuple[float, int]] = []
    stop = threading.Event()
    began = time.monotonic()

    def watch() -> None:
        while not stop.wait(1):
            held = sum(processes.memory(each).get("VmRSS", 0) for each in (os.getpid(), *java))
            samples.append((time.monotonic() - began, held))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        stop.set()
        watcher.join()
        step = max(len(samples) // 60, 1)
        found["driver_processes"] = 1 + len(java)
        found["most_megabytes"] = round(max((held for _, held in samples), default=0) * 1024 / MEGABYTE)
        found["growth"] = round(growth(samples), 4)
        found["curve_mb"] = [round(held * 1024 / MEGABYTE) for _, held in samples[::step]]


def _is_java(process: int) -> bool:
    return b"SparkSubmit" in (processes.PROC / str(process) / "cmdline").read_bytes()
