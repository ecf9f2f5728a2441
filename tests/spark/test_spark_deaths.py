"""Executors, queries and training processes that are killed: every document once, and the same model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pyspark")

from drug_notes import LONG, annotated_notes, estimator

from medspan.spark import annotate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes as Linux has them")

QUERY = """
import sys
from medspan.spark import annotate, session
source, target = sys.argv[1:]
spark = session("local[1]", spark__sql__shuffle__partitions="1")
notes = spark.readStream.schema("id string, text string").option("maxFilesPerTrigger", 1).json(source)
query = (
    annotate(notes.dropDuplicates(["id"]), keep=["id"])
    .writeStream.format("parquet")
    .option("path", target)
    .option("checkpointLocation", target + ".checkpoint")
    .trigger(availableNow=True)
    .start()
)
query.awaitTermination()
spark.stop()
"""


def test_a_killed_executor_costs_no_document(spark: SparkSession, tmp_path: Path):
    marker = tmp_path / "killed"
    rows = [(f"n{number}", "Take aspirin.") for number in range(40)]
    rows[7] = ("n7", f"KILL {marker}")
    df = spark.createDataFrame(rows, "id string, text string").repartition(8)
    found = annotate(df, pipeline="notes_pipeline:deadly", keep=["id"]).collect()
    assert marker.exists()
    assert sorted(row["id"] for row in found) == sorted(key for key, _ in rows)
    assert all(row["error"] is None for row in found)


def start(source: Path, target: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", QUERY, str(source), str(target)]
    return subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def test_a_killed_stream_goes_on(spark: SparkSession, tmp_path: Path):
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for file in range(5):
        # The last of a file comes again as the first of the next.
        rows = [{"id": f"n{file * 10 + number}", "text": "Take aspirin."} for number in range(11)]
        (source / f"{file}.json").write_text(
            "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
        )
    first = start(source, target)
    deadline = time.monotonic() + 240
    while not (target / "_spark_metadata" / "1").exists() and time.monotonic() < deadline:
        assert first.poll() is None, "the query ended before it was killed"
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    done = len(list((target / "_spark_metadata").glob("[0-9]*")))
    assert 2 <= done < 5
    assert start(source, target).wait(timeout=300) == 0
    found = spark.read.parquet(str(target)).collect()
    assert sorted(row["id"] for row in found) == sorted(f"n{number}" for number in range(51))
    assert all(row["error"] is None and row["entities"] for row in found)


def test_training_goes_on_without_the_process_that_was_killed(spark: SparkSession, tmp_path: Path):
    pytest.importorskip("torch")
    models = {}
    for name, is_killed in (("whole", False), ("killed", True)):
        folder = tmp_path / name
        folder.mkdir()
        killer = Thread(target=kill_a_process_of, args=(folder / "drugs.run",), daemon=True)
        if is_killed:
            killer.start()
        estimator(folder, LONG, processes=2).fit(annotated_notes(spark, folder))
        if is_killed:
            killer.join(timeout=1)
            assert (folder / "drugs.run" / "killed").exists()
        models[name] = (folder / "drugs" / "model.onnx").read_bytes()
    assert models["whole"] == models["killed"]


def kill_a_process_of(run: Path) -> None:
    """Kill the second of two training processes once there is a checkpoint."""
    while not (run / "checkpoint.safetensors").exists():
        time.sleep(0.02)
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = (place / "environ").read_bytes().split(b"\0")
            is_one = b"RANK=1" in environment and b"train.py" in (place / "cmdline").read_bytes()
            if is_one and os.getpid() in ancestors(int(place.name)):
                os.kill(int(place.name), signal.SIGKILL)
                (run / "killed").touch()


def ancestors(process: int) -> Iterator[int]:
    """The parent of a process, its parent, and so on."""
    while process > 1:
        stat = (Path("/proc") / str(process) / "stat").read_text(encoding="ascii", errors="replace")
        process = int(stat.rpartition(")")[2].split()[1])
        yield process
