"""An index of a million names: how long it takes to build and to open, its memory, and look-ups a second.

    MEDSPAN_DATA=DIR python benchmarks/resolution_index.py [--names 1000000] [--epochs 1]

The names are those of the free terminologies (MeSH with its chemicals, Mondo, HPO, DOID, the stand-in for
MEDIC), each concept under its own id, as one table; where they are fewer than asked for, variants are made
up (a name with *variant N* behind it) and counted. ``build`` and ``learn`` are the commands of the package,
each in a process of its own with its highest memory. Look-ups are measured in a fresh process with one
thread: the mentions of the test documents of NCBI-disease and BC5CDR in their order with `Resolver` (short
forms, all labels), and names of the index with a letter left out, each once, of which none can be
remembered; both as they come and with ``deep``. A busy machine slows the clock, so rates are given by CPU
second too. Memory is what the process holds after all look-ups, mapped pages included. Writes the key
``million`` of resolution.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facts import facts, merge_json

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20
SOURCES = ("mesh", "mondo", "diseases", "hp", "doid", "chemicals")
DAMAGED = 3000


def rows() -> Iterator[tuple[str, str]]:
    """Id and name of every name of the free terminologies."""
    from resolution import terminology  # noqa: PLC0415 - it needs torch, which is not to be in the memory measured

    for source in SOURCES:
        with gzip.open(terminology(source), "rt", encoding="utf-8") as file:
            next(file)
            for line in file:
                identity, name, synonyms, *_ = line.rstrip("\n").split("\t")
                yield from ((identity, each) for each in (name, *synonyms.split("|")) if each.strip())


def write_table(path: Path, wanted: int) -> dict[str, int]:
    """A table of as many different names; how many are real and how many made up."""
    seen: set[tuple[str, str]] = set()
    with path.open("w", encoding="utf-8") as file:
        file.write("id\tname\n")
        for identity, name in rows():
            key = (identity, name.casefold())
            if len(seen) < wanted and key not in seen:
                seen.add(key)
                file.write(f"{identity}\t{name}\n")
        real, number = len(seen), 0
        for identity, name in sorted(seen):
            if real + number >= wanted:
                break
            number += 1
            file.write(f"{identity}\t{name} variant {number}\n")
    return {"real": real, "made_up": number}


def timed(command: list[str]) -> dict[str, float]:
    """Run a command of medspan; its seconds and the highest memory of any child so far."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "medspan", *command], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"seconds": round(time.perf_counter() - began, 1), "highest_mb": round(peak / 1024)}


def resident_mb(field: str = "VmRSS") -> float:
    """What this process holds in memory, mapped pages included; ``VmHWM`` is the most it held."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def child(folder: Path, *, deep: bool) -> dict[str, Any]:
    """Open an index and look up; measured in a process of its own."""
    from medspan.corpora import load  # noqa: PLC0415 - what the clock is not to see
    from medspan.tasks.resolution.index import Index  # noqa: PLC0415
    from medspan.tasks.resolution.lookup import Lookup  # noqa: PLC0415
    from medspan.tasks.resolution.resolver import Resolver  # noqa: PLC0415

    documents = [d for corpus in ("standoff/ncbi-disease", "standoff/bc5cdr") for d in load(corpus, "test")]
    before, began = resident_mb(), time.perf_counter()
    index = Index(folder)
    opened = time.perf_counter() - began
    Lookup(index)("breast cancer")
    first = time.perf_counter() - began
    began, began_cpu = time.perf_counter(), time.process_time()
    found = list(Resolver(index, deep=deep).annotate(documents))
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    mentions = sum(len(document.entities) for document in found)
    draw = random.Random(SEED)  # noqa: S311 - a sample, no secret
    damaged = [_damaged(index.names[draw.randrange(len(index))], draw) for _ in range(DAMAGED)]
    lookup = Lookup(index, deep=deep)
    again, again_cpu = time.perf_counter(), time.process_time()
    for name in damaged:
        lookup(name)
    again, again_cpu = time.perf_counter() - again, time.process_time() - again_cpu
    return {
        "deep": deep,
        "open_seconds": round(opened, 4),
        "open_and_first_look_up_seconds": round(first, 4),
        "mentions": mentions,
        "mentions_per_second": round(mentions / seconds),
        "mentions_per_cpu_second": round(mentions / cpu),
        "damaged_names": len(damaged),
        "damaged_names_per_second": round(len(damaged) / again),
        "damaged_names_per_cpu_second": round(len(damaged) / again_cpu),
        "resident_before_mb": before,
        "resident_after_mb": resident_mb(),
        "resident_most_mb": resident_mb("VmHWM"),
    }


def _damaged(name: str, draw: random.Random) -> str:
    place = draw.randrange(len(name))
    return name[:place] + name[place + 1 :]


def run_child(folder: Path, *, deep: bool) -> dict[str, Any]:
    """`child` in a fresh process with one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--child", str(folder), *(["--deep"] if deep else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def main() -> int:
    """Build, learn, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, default=1, help="of the encoder")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--index", type=Path, help="measure look-ups again, in this index of an earlier run")
    parser.add_argument("--deep", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("resolution.json"))
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child, deep=options.deep)))
        return 0
    if options.index:
        row = json.loads(options.output.read_text(encoding="utf-8"))["million"]
        row["with_embeddings"] = [run_child(options.index, deep=deep) for deep in (False, True)]
        merge_json(options.output, "million", row)
        return 0
    with tempfile.TemporaryDirectory() as place:
        table, folder = Path(place) / "names.tsv", Path(place) / "index"
        names = write_table(table, options.names)
        build = timed(["terminology", "build", str(table), "-o", str(folder)])
        plain = [run_child(folder, deep=deep) for deep in (False, True)]
        learn = timed(["terminology", "learn", str(folder), "--epochs", str(options.epochs)])
        learnt = [run_child(folder, deep=deep) for deep in (False, True)]
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        more = {
            "names": names,
            "names_in_index": config["names"],
            "concepts": config["concepts"],
            "folder_mb": round(sum(path.stat().st_size for path in folder.iterdir()) / 2**20),
            "build": build,
            "learn": {"epochs": options.epochs, **learn},
            "without_embeddings": plain,
            "with_embeddings": learnt,
        }
        merge_json(options.output, "million", facts(SEED, **more))
    print(json.dumps(more))
    return 0


if __name__ == "__main__":
    sys.exit(main())
