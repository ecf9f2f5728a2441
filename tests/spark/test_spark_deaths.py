"""Executors and queries that are killed: every document once, none lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pyspark")

from medspan.spark import annotate

if TYPE_CHECKING:
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
