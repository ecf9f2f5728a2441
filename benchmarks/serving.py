"""The service under load, beside the bulk job on the same texts and the same machine in the same run.

    python benchmarks/serving.py [--seconds 60] [--rounds 3] [--soak 300000] [--workers 2]

Notes of 200 words are cut from the texts of NCBI-disease and BC5CDR (train); words are counted between
blanks. A round is the bulk job (its start taken off by a job of a note a worker), then 32 clients at once,
who ask again when they have their answer. Then 150 requests a second on an otherwise idle service; 320
clients at once, which must be turned away in part and harm nobody; 32 again. The clients run on the same
cores. With ``--soak``, so many requests of 50 words in a row, and the resident memory of the service and its
workers all along. Writes serving.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from facts import facts, fill_page, merge_json
from processes import ROOT, children, memory, start

from medspan.corpora import load

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUT = Path(__file__).with_suffix(".json")
WORDS = 200
CLIENTS, TENFOLD, RATE = 32, 320, 150
SOAK_WORDS = 50
_SAMPLE_SECONDS = 5
_WARM = 0.2
"""The part of a soak after which memory should no longer grow."""


def notes(data: Path, length: int = WORDS) -> list[str]:
    """Notes of so many words, no two the same."""
    found = []
    for name in ("ner/NCBI-disease", "ner/BC5CDR"):
        words = " ".join(document.text for document in load(data / name, "train")).split()
        found += [" ".join(words[at : at + length]) for at in range(0, len(words) - length, length)]
    return found


@contextmanager
def service(folder: Path, workers: int, *more: str) -> Iterator[tuple[int, int]]:
    """A service for as long as it is needed: its process and port."""
    log = folder / "service.log"
    log.unlink(missing_ok=True)  # that of an earlier one, which served at another port
    process = start(["serve", "--port", "0", "--workers", str(workers), *more], log)
    try:
        for _ in range(600):
            found = re.search(rb"serves http://127\.0\.0\.1:(\d+)", log.read_bytes())
            if found:
                break
            time.sleep(0.1)
        else:
            raise SystemExit(f"the service did not start:\n{log.read_text()}")
        yield process.pid, int(found[1])
    finally:
        process.terminate()
        process.wait(timeout=60)


def clients(port: int, requests: Path, **options: object) -> dict[str, Any]:
    """Run clients; what came of it."""
    words = [f"--{name}={value}" for name, value in options.items()]
    script = ROOT / "benchmarks" / "load_client.py"
    done = subprocess.run(
        [sys.executable, str(script), str(port), str(requests), *words], check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def bulk_seconds(source: Path, folder: Path, workers: int) -> float:
    """Seconds of a bulk job."""
    began = time.perf_counter()
    words = ["annotate", str(source), "-o", f"{folder}/", "--workers", str(workers)]
    process = start(words, folder.with_suffix(".log"))
    if process.wait():
        raise SystemExit(folder.with_suffix(".log").read_text())
    return time.perf_counter() - began


def bulk_rate(texts: list[str], folder: Path, workers: int, number: int) -> float:
    """Words a second of the bulk job, without its start."""
    seconds = []
    for name, chosen in (("one", texts[:workers]), ("all", texts)):
        source = folder / f"{name}.jsonl"
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in chosen), encoding="utf-8")
        seconds.append(bulk_seconds(source, folder / f"{name}-{number}", workers))
    return sum(len(text.split()) for text in texts) / (seconds[1] - seconds[0])


def under_load(texts: list[str], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Rounds of bulk job and service, then the other loads."""
    requests = folder / "requests.jsonl"
    requests.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    repeated = texts * options.repeat
    rounds = []
    for number in range(options.rounds):
        bulk = bulk_rate(repeated, folder, options.workers, number)
        with service(folder, options.workers) as (_, port):
            clients(port, requests, clients=CLIENTS, seconds=3)
            served = clients(port, requests, clients=CLIENTS, seconds=options.seconds)
        rounds.append({"bulk_words_per_second": round(bulk), "served": served})
        print(json.dumps(rounds[-1]), file=sys.stderr)
    shares = [each["served"]["words_per_second"] / each["bulk_words_per_second"] for each in rounds]
    with service(folder, options.workers) as (_, port):
        clients(port, requests, clients=CLIENTS, seconds=3)
        steady = clients(port, requests, rate=RATE, seconds=min(options.seconds, 30))
        tenfold = clients(port, requests, clients=TENFOLD, seconds=min(options.seconds, 30))
        after = clients(port, requests, clients=CLIENTS, seconds=10)
    return {
        "share_of_bulk": {
            "median": round(statistics.median(shares), 3),
            "all": [round(x, 3) for x in shares],
        },
        "rounds": rounds,
        f"{RATE}_requests_per_second": steady,
        f"{TENFOLD}_clients": tenfold,
        "after_them": after,
    }


def resident(process: int) -> int:
    """Kilobytes in memory of a process and its children."""
    return sum(memory(each).get("VmRSS", 0) for each in (process, *children(process)))


def soak(texts: list[str], folder: Path, count: int, workers: int) -> dict[str, Any]:
    """Many requests in a row, and memory all along."""
    requests = folder / "requests.jsonl"
    requests.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    script = ROOT / "benchmarks" / "load_client.py"
    with service(folder, workers) as (process, port):
        words = [str(port), str(requests), "--seconds", "36000", "--count", str(count)]
        running = subprocess.Popen([sys.executable, str(script), *words], stdout=subprocess.PIPE)
        began, samples = time.perf_counter(), []
        while running.poll() is None:
            samples.append((round(time.perf_counter() - began), resident(process)))
            time.sleep(_SAMPLE_SECONDS)
        found: dict[str, Any] = json.loads(running.communicate()[0])
    warm = samples[int(_WARM * len(samples)) :]
    tenth = max(1, len(warm) // 10)
    first, last = (statistics.mean(kb for _, kb in part) for part in (warm[:tenth], warm[-tenth:]))
    return {
        **found,
        "memory_mb": {
            "after_warm_up": round(first / 1024, 1),
            "at_the_end": round(last / 1024, 1),
            "growth": round(last / first - 1, 4),
        },
        "samples": samples[:: max(1, len(samples) // 100)],
    }


def page_text(result: dict[str, Any]) -> str:
    """The figures for docs/serve.md."""
    found = result["load"]
    served = [each["served"] for each in found["rounds"]]
    bulk = statistics.median(each["bulk_words_per_second"] for each in found["rounds"])
    middle = sorted(served, key=lambda each: each["words_per_second"])[len(served) // 2]
    steady, many, after = (
        found[key] for key in (f"{RATE}_requests_per_second", f"{TENFOLD}_clients", "after_them")
    )
    shares = found["share_of_bulk"]
    share = f"{shares['median']:.2f} of it ({min(shares['all']):.2f} to {max(shares['all']):.2f})"
    shed = many["statuses"].get("429", 0)
    lines = [
        f"Notes of {WORDS} words, {found['workers']} workers, clients on the same cores ({_where(found)}):",
        "",
        "| load | requests/s | words/s | median, 95th percentile | errors |",
        "|---|---|---|---|---|",
        _row(f"{CLIENTS} clients, {len(served)} times {middle['seconds']:.0f} s (the middle one)", middle),
        _row(f"{RATE} requests a second", steady),
        _row(f"{TENFOLD} clients: {shed:,} requests were turned away (429)", many),
        _row(f"{CLIENTS} clients after them", after),
        "",
        f"A bulk job on the same texts in the same runs: {bulk:,.0f} words/s; the service does {share}.",
    ]
    if soaked := result.get("soak"):
        lines += ["", _soaked(soaked)]
    return "\n".join(lines) + "\n"


def _where(found: dict[str, Any]) -> str:
    return f"{found['hardware']['cpu']}, {found['hardware']['cores']} cores, {found['date']}"


def _soaked(found: dict[str, Any]) -> str:
    kept = found["memory_mb"]
    return (
        f"{found['requests']:,} requests of {SOAK_WORDS} words ({found['seconds'] / 60:.0f} minutes, "
        f"{found['date']}): "
        f"{_errors(found):,} errors; all processes together had {kept['after_warm_up']:.0f} MB after a "
        f"warm-up of a fifth, {kept['at_the_end']:.0f} MB at the end ({100 * kept['growth']:+.1f} %)."
    )


def _row(load: str, found: dict[str, Any]) -> str:
    took = found["milliseconds"]
    return (
        f"| {load} | {found['requests_per_second']:,.0f} | {found['words_per_second']:,} | "
        f"{took['median']:.0f} ms, {took['p95']:.0f} ms | {_errors(found):,} |"
    )


def _errors(found: dict[str, Any]) -> int:
    good = sum(found["statuses"].get(status, 0) for status in ("200", "429"))
    errors: int = found["requests"] - good + found["broken_connections"]
    return errors


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=10, help="how often the bulk job gets each note")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--soak", type=int)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    texts = notes(Path(os.environ["MEDSPAN_DATA"]), SOAK_WORDS if options.soak else WORDS)
    with TemporaryDirectory() as name:
        if options.soak:
            found = soak(texts, Path(name), options.soak, options.workers)
        else:
            found = under_load(texts, Path(name), options)
    print(json.dumps({key: value for key, value in found.items() if key != "samples"}, indent=1))
    key = "soak" if options.soak else "load"
    result = merge_json(options.output, key, facts(None, notes=len(texts), workers=options.workers, **found))
    if options.output == OUTPUT and "load" in result:
        fill_page(ROOT / "docs" / "serve.md", OUTPUT, page_text(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
