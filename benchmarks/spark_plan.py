"""What a Spark job costs, measured on one slot, and how well that foretells two.

    MEDSPAN_DATA=DIR python benchmarks/spark_plan.py [--megabytes 6] [--rounds 3]

On ``local[1]``: seconds of an annotation of next to nothing (``fixed``), of a Python worker's start with the
load of the model (``worker``), of a task that does nothing (``task``), of copying a megabyte from Parquet
through Arrow to Python and back to Parquet (``copy_megabyte``); and of a document and a word, from
paragraphs and articles of the same text, where that copy is inside. ``busy`` is how many processors that
keeps busy, Java and Python together: above one, for Java reads and writes while Python computes.
``second_slot`` is what two processes of the bulk job annotate in the time of one, halved. Where there are as
many slots as processors a slot therefore has ``second_slot / busy`` of the speed it has alone, its ``share``.

The forecast is of texts that measured none of this, the clinical notes, in partitions of uneven size: tasks
are dealt to slots as Spark does, the next to whoever is free. It is compared with runs on ``local[1]`` and
``local[2]``. The plan multiplies the same figures out for more notes and slots. Writes the part ``plan`` of
spark.json.
"""

from __future__ import annotations

import argparse
import heapq
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clusters import (
    MEGABYTE,
    RESULT,
    by_job,
    joined,
    keep,
    local,
    notes,
    on_spark,
    texts,
    unchanged,
    write_parquet,
)
from processes import processor_seconds
from pyspark.sql.types import StringType, StructField, StructType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyspark.sql import SparkSession

PARTS = 24
TASKS = 400
SLOTS = (4, 16, 64, 256, 1000)
NOTES = (10_000_000, 1_000_000_000)
NOTES_A_TASK = 5_000


class Load(NamedTuple):
    """What a task has to annotate."""

    documents: int
    words: int


class Costs(NamedTuple):
    """Seconds of one slot; the docstring of the module says of what."""

    fixed: float
    worker: float
    task: float
    copy_megabyte: float
    document: float
    word: float
    busy: float

    def of(self, load: Load) -> float:
        """Seconds of a task."""
        return self.task + self.document * load.documents + self.word * load.words

    def job(self, loads: Sequence[Load], slots: int, share: float = 1.0) -> float:
        """Seconds of a job of these tasks; ``share`` is the speed of a slot beside the others."""
        seconds = [self.of(load) / share for load in loads]
        return self.fixed + self.worker / share + makespan(seconds, slots)


def makespan(tasks: Sequence[float], slots: int) -> float:
    """When the last of these tasks ends, each being given in turn to the slot that is free first."""
    free = [0.0] * min(slots, len(tasks))
    for seconds in tasks:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)


def loads(rows: Sequence[str], parts: int) -> list[Load]:
    """The tasks of a folder that `write_parquet` wrote, file by file."""
    shares = [[rows[i] for i in range(part, len(rows), parts)] for part in range(parts)]
    return [Load(len(share), sum(len(text.split()) for text in share)) for share in shares]


def median_of(rounds: int, run: Callable[[], float]) -> float:
    """The median of some runs."""
    return statistics.median(run() for _ in range(rounds))


def timed(run: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def measure_costs(folder: Path, megabytes: float, rounds: int) -> Costs:
    """All costs of a slot."""
    short, one = list(texts(megabytes)), folder / "one"
    long = joined(short, 20)
    sets = {name: (folder / name, Load(len(rows), write_parquet(folder / name, rows)))
            for name, rows in (("short", short), ("long", long))}  # fmt: skip
    write_parquet(one, short[:1], parts=1)
    out = folder / "out"
    with local("local[1]") as spark:
        copy_of(spark, one, out)
        new = timed(lambda: on_spark(spark, one, out))
        fixed = median_of(rounds, lambda: on_spark(spark, one, out))
        task = (timed_tasks(spark, out, TASKS) - timed_tasks(spark, out, 1)) / (TASKS - 1)
        copied = median_of(rounds, lambda: timed(lambda: copy_of(spark, sets["short"][0], out)))
        bare = median_of(rounds, lambda: timed(lambda: copy_of(spark, one, out)))
        used, began = processor_seconds(os.getpid()), time.perf_counter()
        seconds = {
            name: median_of(rounds, lambda path=path: on_spark(spark, path, out)) - fixed - task * 8
            for name, (path, _) in sets.items()
        }
        busy = (processor_seconds(os.getpid()) - used) / (time.perf_counter() - began)
    document, word = solve([(load, seconds[name]) for name, (_, load) in sets.items()])
    copy = max(copied - bare, 0.0) / megabytes
    return Costs(fixed, new - fixed, task, copy, document, word, max(busy, 1.0))


def timed_tasks(spark: SparkSession, out: Path, tasks: int) -> float:
    """Seconds of so many tasks of a row."""
    rows = spark.range(0, tasks, 1, tasks).selectExpr("cast(id as string) as text")
    schema = StructType([StructField("text", StringType())])
    return timed(lambda: rows.mapInArrow(unchanged, schema).write.mode("overwrite").parquet(str(out)))


def copy_of(spark: SparkSession, source: Path, out: Path) -> None:
    """Copy a folder through Python."""
    rows = spark.read.parquet(str(source))
    rows.mapInArrow(unchanged, rows.schema).write.mode("overwrite").parquet(str(out))


def solve(runs: Sequence[tuple[Load, float]]) -> tuple[float, float]:
    """Seconds of a document and of a word from two runs."""
    (a, first), (b, second) = runs
    determinant = a.documents * b.words - b.documents * a.words
    document = (first * b.words - second * a.words) / determinant
    return document, (second * a.documents - first * b.documents) / determinant


def second_slot(folder: Path, rounds: int) -> float:
    """What a worker of the bulk job does beside another, as a share of what it does alone."""
    source = folder / "short"
    empty = median_of(rounds, lambda: by_job(folder / "one", folder / "job", workers=1))
    alone = median_of(rounds, lambda: by_job(source, folder / "job", workers=1)) - empty
    both = median_of(rounds, lambda: by_job(source, folder / "job", workers=2)) - empty
    return alone / both / 2


def forecast(costs: Costs, share: float, folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds that were foretold and that it took, on one slot and on two."""
    rows = uneven(notes())
    source = folder / "notes"
    write_parquet(source, rows, parts=PARTS)
    found: dict[str, Any] = {}
    for slots, speed in ((1, 1.0), (2, share)):
        foretold = costs.job(loads(rows, PARTS), slots, speed)
        took = []
        for _ in range(rounds):
            with local(f"local[{slots}]") as spark:
                copy_of(spark, folder / "one", folder / "out")
                took.append(on_spark(spark, source, folder / "out"))
        median = statistics.median(took)
        found[str(slots)] = {
            "foretold": round(foretold, 1),
            "took": round(median, 1),
            "rounds": [round(each, 1) for each in sorted(took)],
            "error": round(foretold / median - 1, 3),
        }
    return found


def uneven(rows: Sequence[str]) -> list[str]:
    """Texts in an order that gives every third partition the long ones."""
    ordered = sorted(rows, key=len)
    third = len(ordered) // 3
    short, long = ordered[: 2 * third], ordered[2 * third : 3 * third]
    return [text for i in range(third) for text in (short[2 * i], short[2 * i + 1], long[i])]


def plan(costs: Costs, share: float, words: float) -> list[dict[str, Any]]:
    """Hours for so many notes of so many words on so many slots, with processors to spare and without."""
    rows = []
    for slots in SLOTS:
        for count in NOTES:
            tasks = [Load(NOTES_A_TASK, round(NOTES_A_TASK * words))] * (count // NOTES_A_TASK)
            whole, full = (costs.job(tasks, slots, each) / 3600 for each in (1.0, share))
            rows.append(
                {"slots": slots, "notes": count, "hours": round(whole, 3), "hours_full": round(full, 3)}
            )
    return rows


def main() -> int:
    """Measure, foretell, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        costs = measure_costs(folder, options.megabytes, options.rounds)
        print(costs, flush=True)
        second = second_slot(folder, options.rounds)
        share = second / costs.busy
        compared = forecast(costs, share, folder, options.rounds)
    some = notes()
    words = statistics.fmean(len(text.split()) for text in some)
    found = {
        "costs": {key: float(f"{value:.3g}") for key, value in costs._asdict().items()},
        "second_slot": round(second, 3),
        "share": round(share, 3),
        "words_per_note": round(words),
        "characters_per_note": round(statistics.fmean(map(len, some))),
        "megabytes": options.megabytes,
        "bytes_per_megabyte": MEGABYTE,
        "notes_per_task": NOTES_A_TASK,
        "forecast": compared,
        "plan": plan(costs, share, words),
    }
    keep(options.output, "plan", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
