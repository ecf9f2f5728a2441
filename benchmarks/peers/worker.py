"""One process of benchmarks/speed.py: load a system, say ready, wait for go, annotate a file.

    python -m peers.worker SYSTEM --warm-up A.jsonl --input B.jsonl --output C.jsonl

The clock runs from opening the input file to closing the output file. ``medspan`` reads and writes by its own
formats (its output also repeats the text); peers get native JSON and write id, start, end, label.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from peers import systems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def medspan_job(model: str, threads: int) -> Callable[[Path, Path], None]:
    """Medspan's full path: its reader, its annotator, its writer."""
    import medspan  # noqa: PLC0415 - only in medspan's own environment
    from medspan import formats  # noqa: PLC0415 - as above

    recognizer = medspan.load(model, device="cpu", threads=threads)

    def job(source: Path, target: Path) -> None:
        formats.write(recognizer.annotate(formats.read(source, "jsonl")), target, "jsonl")

    return job


def peer_job(name: str, model: str, threads: int) -> Callable[[Path, Path], None]:
    """A peer between native JSON in and out."""
    import msgspec  # noqa: PLC0415 - medspan's own job begins without

    peer = systems.load(name, model, threads)
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode

    def texts(source: Path) -> Iterator[tuple[str, str]]:
        with source.open("rb") as lines:
            for line in lines:
                value = decode(line)
                yield value["id"], value["text"]

    def job(source: Path, target: Path) -> None:
        with target.open("wb") as out:
            for identity, entities in peer(texts(source)):
                rows = [{"start": start, "end": end, "label": label} for start, end, label in entities]
                out.write(encode({"id": identity, "entities": rows}) + b"\n")

    return job


def peak_rss_mb() -> int:
    """The most memory this process held, in MB; on Linux without that of its parent at the fork."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8")) if status.exists() else None
    used = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / 1024)


def options_of() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("system", help="medspan, or a name of systems.SYSTEMS")
    parser.add_argument("--model", default="", help="folder of a trained model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm-up", type=Path, required=True, help="JSONL annotated before saying ready")
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def main() -> int:
    """Load, wait, work, report."""
    options = options_of()
    if options.system == systems.MEDSPAN:
        job = medspan_job(options.model, options.threads)
    else:
        job = peer_job(options.system, options.model, options.threads)
    job(options.warm_up, options.output)
    print("ready", flush=True)
    if sys.stdin.readline().strip() != "go":
        return 1
    began = time.perf_counter()
    job(options.input, options.output)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_rss_mb": peak_rss_mb()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
