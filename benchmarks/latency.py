"""How soon something is found: import, cold start to the first entity, one note on a warm model.

    python benchmarks/latency.py [--rounds 11] [--model default]

Import and cold start are whole fresh processes, the interpreter's own start taken off (it stands beside);
their files are in the system's cache, as after any first use. The note has about 200 words and is measured by
``medspan bench``; ``new_thread`` is the first call from a thread that never called before. One thread of
computing. Writes latency.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

from facts import facts, merge_json

import medspan
from medspan.bench import latency

TEXT = "No sign of lithium toxicity."
START = "pass"
IMPORT = "import medspan"
FIRST = "import medspan; assert medspan.load({model!r}, threads=1)({text!r}).entities"


def seconds_of(code: str) -> float:
    """Seconds of a fresh interpreter that runs some code."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def in_new_thread(nlp: medspan.EntityRecognizer, text: str) -> float:
    """Milliseconds of the first call from a new thread."""
    took: list[float] = []

    def call() -> None:
        began = time.perf_counter()
        nlp(text)
        took.append(1000 * (time.perf_counter() - began))

    thread = Thread(target=call)
    thread.start()
    thread.join()
    return took[0]


def summary(values: list[float], digits: int) -> dict[str, float]:
    """The median, the lowest and the highest."""
    shown = {"median": statistics.median(values), "low": min(values), "high": max(values)}
    return {name: round(value, digits) for name, value in shown.items()}


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--model", default="default", help="a model folder or a shipped name")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    codes = {"interpreter": START, "import": IMPORT, "cold": FIRST.format(model=options.model, text=TEXT)}
    for code in codes.values():
        seconds_of(code)  # byte code and file cache
    runs: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(options.rounds):
        for name, code in codes.items():
            runs[name].append(seconds_of(code))
    start = statistics.median(runs["interpreter"])
    nlp = medspan.load(options.model, threads=1)
    note = " ".join([TEXT, "The patient was started on metformin for type 2 diabetes mellitus."] * 12)
    nlp(note)
    warm = latency(options.model, threads=1)
    more: dict[str, Any] = {
        "interpreter_seconds": summary(runs["interpreter"], 3),
        "import_seconds": summary([value - start for value in runs["import"]], 3),
        "cold_start_to_first_entity_seconds": summary([value - start for value in runs["cold"]], 3),
        "note_of_200_words_ms": {"median": round(warm.median, 2), "p95": round(warm.p95, 2)},
        "new_thread_ms": summary([in_new_thread(nlp, note) for _ in range(options.rounds)], 2),
    }
    print(json.dumps(more, indent=1))
    merge_json(options.output, Path(options.model).name, facts(None, **more))
    return 0


if __name__ == "__main__":
    sys.exit(main())
