"""Raw text to entities on disk: medspan beside its peers, same machine, same run, same text.

    MEDSPAN_DATA=DIR python benchmarks/speed.py --peers-python PEERS/bin/python \
        --models default=default ncbi-disease=FOLDER --peer-models spacy=FOLDER crfsuite=FOLDER

Every round runs every system once, in turning order: N fresh processes load it, annotate a small text, say
ready, wait, and then take their share, a JSONL file, to a JSONL file of id, start, end, label; the clock runs
from go to the last process' end. Shares have nearly equal characters. Words are those of medspan's tokenizer
on the input, whatever a system calls a word. Slow systems see the first documents of the same order. The
peers' environment is benchmarks/peers/requirements.txt; what was done for each stands in peers/systems.py.

F1 is strict, NCBI-disease test; peers get the corpus' words and sentences, medspan raw text. Untrained peers
have none. Figures that others published stand beside, marked so. Writes speed.json beside this file, from
which benchmarks/frontier.py draws.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from facts import command_line, facts, read_json, write_json
from peers import corpus, texts
from peers.systems import SYSTEMS

import medspan
from medspan.pipeline import find_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HERE = Path(__file__).resolve()
WORKER, ACCURACY = "peers.worker", "peers.accuracy"
PUBLISHED = HERE.parent / "peers" / "published.json"
OURS = "medspan:"
WARM_UP = (4, 800)  # documents, characters of each
THREAD_SETTINGS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "RAYON")


class Contender(NamedTuple):
    """A system as it runs here: its name in the results, what the worker is told, and its interpreter."""

    name: str
    system: str
    model: str
    python: str
    words: int


class Run(NamedTuple):
    """One run of one system."""

    seconds: float
    peak_rss_mb: int


def environment(threads: int) -> dict[str, str]:
    """The environment of workers: thread limits, no network, the project's source."""
    limits = {f"{name}_NUM_THREADS": str(threads) for name in THREAD_SETTINGS}
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    source = os.pathsep.join([str(HERE.parents[1] / "src"), str(HERE.parent)])
    return {**os.environ, **limits, **quiet, "PYTHONPATH": source, "PYTHONWARNINGS": "ignore"}


def start(contender: Contender, share: Path, warm_up: Path, threads: int) -> subprocess.Popen[str]:
    """Start a worker on a share; it will say ready."""
    files = ["--input", str(share), "--output", str(share.with_suffix(".found.jsonl"))]
    settings = ["--model", contender.model, "--threads", str(threads), "--warm-up", str(warm_up)]
    command = [contender.python, "-m", WORKER, contender.system, *files, *settings]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment(threads), stdin=pipe, stdout=pipe, text=True)


def say(worker: subprocess.Popen[str], word: str) -> None:
    """Write a line to a worker."""
    if worker.stdin is None:
        raise ValueError("the worker has no stdin")
    worker.stdin.write(f"{word}\n")
    worker.stdin.flush()


def hear(worker: subprocess.Popen[str]) -> str:
    """Read a line from a worker."""
    if worker.stdout is None:
        raise ValueError("the worker has no stdout")
    return worker.stdout.readline().strip()


def run_once(contender: Contender, documents: Sequence[texts.Text], processes: int, threads: int) -> Run:
    """One run in files of its own; every document must come back.

    Raises:
        SystemExit: if a worker fails or loses documents.
    """
    with tempfile.TemporaryDirectory() as folder:
        shares = [Path(folder) / f"share-{number}.jsonl" for number in range(processes)]
        for share, dealt in zip(shares, texts.deal(documents, processes), strict=True):
            texts.write(dealt, share)
        warm_up = Path(folder) / "warm-up.jsonl"
        count, length = WARM_UP
        texts.write([d._replace(text=d.text[:length]) for d in documents[:count]], warm_up)
        run = _time(contender, shares, warm_up, threads)
        found = sum(_lines(share.with_suffix(".found.jsonl")) for share in shares)
    if found != len(documents):
        raise SystemExit(f"{contender.name}: {found} of {len(documents)} documents came back")
    return run


def _time(contender: Contender, shares: Sequence[Path], warm_up: Path, threads: int) -> Run:
    """From go to the last worker's end; all are ready before the first begins."""
    with ExitStack() as stack:
        workers = [stack.enter_context(start(contender, share, warm_up, threads)) for share in shares]
        if not all(hear(worker) == "ready" for worker in workers):
            raise SystemExit(f"{contender.name}: a worker did not get ready; its message stands above")
        began = time.perf_counter()
        for worker in workers:
            say(worker, "go")
        said = [hear(worker) for worker in workers]
        seconds = time.perf_counter() - began
    if not all(said):
        raise SystemExit(f"{contender.name}: a worker failed; its message stands above")
    return Run(seconds, max(json.loads(line)["peak_rss_mb"] for line in said))


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)


def in_turn(names: Sequence[str], number: int) -> list[str]:
    """The order of a round: forwards, then backwards, so that no system always follows the same one."""
    return list(names) if number % 2 == 0 else list(reversed(names))


def spread(words: int, runs: Sequence[Run]) -> dict[str, Any]:
    """Words/s of every round, their median, lowest and highest, and the largest memory of a process."""
    rates = [round(words / run.seconds, 1) for run in runs]
    return {
        "words": words,
        "words_per_second": round(statistics.median(rates), 1),
        "low": min(rates),
        "high": max(rates),
        "rounds": rates,
        "seconds": [round(run.seconds, 2) for run in runs],
        "peak_rss_mb": max(run.peak_rss_mb for run in runs),
    }


def ratios(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Each medspan model over each peer: of the medians, and the lowest and highest of the rounds' pairs."""
    ours = [name for name in rows if name.startswith(OURS)]
    peers = [name for name in rows if not name.startswith(OURS)]
    return {our: {peer: _ratio(rows[our], rows[peer]) for peer in peers} for our in ours}


def _ratio(ours: Mapping[str, Any], peer: Mapping[str, Any]) -> dict[str, float]:
    pairs = [a / b for a, b in zip(ours["rounds"], peer["rounds"], strict=True)]
    median = ours["words_per_second"] / peer["words_per_second"]
    return {"median": round(median, 2), "low": round(min(pairs), 2), "high": round(max(pairs), 2)}


def our_accuracy(folder: str) -> dict[str, Any]:
    """Strict scores of a medspan model on the raw texts of NCBI-disease."""
    recognizer = medspan.load(folder, device="cpu")

    def annotate(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[tuple[int, int, str]]]]:
        for document in recognizer.annotate(medspan.Document(*pair) for pair in pairs):
            yield document.id, [(e.start, e.end, e.label) for e in document.entities]

    return {split: corpus.score_raw(split, annotate) for split in ("dev", "test")}


def accuracy(contender: Contender) -> dict[str, Any]:
    """The F1 part of a row: scores and how they were made, or null and why there are none."""
    if contender.system == "medspan":
        if "Disease" not in medspan.load(contender.model, device="cpu").labels:
            return {"f1": None, "why": "finds no Disease"}
        scores, setting = our_accuracy(contender.model), "raw text"
        more: dict[str, Any] = {}
    elif SYSTEMS[contender.system].is_trained:
        command = [contender.python, "-m", ACCURACY, contender.system, contender.model]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment(1))
        scores, setting = json.loads(done.stdout), "gold words and sentences"
        more = {"raw_text_f1": scores["raw_text"]["test"]["f1"]}
    else:
        return {"f1": None, "why": "weights are random or the head is untrained: speed only"}
    return {
        "f1": scores["test"],
        "dev_f1": scores["dev"]["f1"],
        "f1_on": f"NCBI-disease test, {setting}",
        **more,
    }


def probe(folder: str) -> dict[str, Any] | None:
    """Words/s of the bare encoder on this machine, where this medspan can measure it."""
    from medspan.cli.main import VERBS  # noqa: PLC0415 - asked once

    if "bench" not in VERBS:
        return None
    command = [sys.executable, "-m", "medspan", "bench", "--probe", "--model", folder, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment(1), check=False)
    if done.returncode:
        print(f"medspan bench --probe failed ({done.returncode}); no probe in the results", file=sys.stderr)
        return None
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def peer_versions(python: str) -> dict[str, str]:
    """Versions of the packages of the peers' environment that matter."""
    names = sorted({package for system in SYSTEMS.values() for package in system.packages})
    code = (
        "import importlib.metadata as m, json, platform, sys\n"
        "v = {'python': platform.python_version()}\n"
        "for n in sys.argv[1:]:\n"
        "    try: v[n] = m.version(n)\n"
        "    except m.PackageNotFoundError: v[n] = 'absent'\n"
        "print(json.dumps(v))"
    )
    done = subprocess.run([python, "-c", code, *names], check=True, stdout=subprocess.PIPE, text=True)
    value: dict[str, str] = json.loads(done.stdout)
    return value


def contenders(options: argparse.Namespace) -> list[Contender]:
    """Everything that runs, medspan's models first.

    Raises:
        SystemExit: if a trained peer has no folder.
    """
    ours = [
        Contender(OURS + name, "medspan", str(find_model(place)), sys.executable, options.words)
        for name, place in options.models.items()
    ]
    rows = []
    for name in options.systems:
        system, model = SYSTEMS[name], options.peer_models.get(name, "")
        if system.is_trained and not model:
            raise SystemExit(f"{name} is trained: name its folder with --peer-models {name}=FOLDER")
        words = min(options.words, options.budgets.get(name, system.words))
        rows.append(Contender(name, name, model, options.peers_python, words))
    return ours + rows


def measure(options: argparse.Namespace, chosen: list[Contender]) -> dict[str, Any]:
    """All rounds; a row for each system."""
    sample = texts.sample(options.words)
    slices = {each.name: texts.first(sample, each.words) for each in chosen}
    runs: dict[str, list[Run]] = {each.name: [] for each in chosen}
    by_name = {each.name: each for each in chosen}
    for number in range(options.rounds):
        for name in in_turn(list(by_name), number):
            run = run_once(by_name[name], slices[name], options.processes, options.threads)
            runs[name].append(run)
            rate = sum(d.words for d in slices[name]) / run.seconds
            print(f"round {number + 1} {name}: {rate:,.0f} words/s in {run.seconds:.1f} s", flush=True)
    return {name: _row(name, slices[name], runs[name]) for name in by_name}


def _row(name: str, documents: Sequence[texts.Text], runs: Sequence[Run]) -> dict[str, Any]:
    what = "medspan.load(folder, threads=...).annotate and its JSONL reader and writer"
    note = SYSTEMS[name].note if name in SYSTEMS else what
    return {"note": note, "documents": len(documents), **spread(sum(d.words for d in documents), runs)}


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not (name and found and value):
        raise argparse.ArgumentTypeError(f"{text}: write NAME=VALUE")
    return name, value


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--peers-python", default=sys.executable, help="interpreter of the peers' environment")
    add("--systems", default=",".join(SYSTEMS), help="peers, with commas; none for medspan alone")
    add("--models", nargs="+", type=_pair, default=[("default", "default")], metavar="NAME=FOLDER")
    add("--peer-models", nargs="+", type=_pair, default=[], metavar="NAME=FOLDER", help="trained peers")
    add("--processes", type=int, default=2)
    add("--threads", type=int, default=1, help="threads of a process")
    add("--rounds", type=int, default=5)
    add("--words", type=int, default=5_000_000, help="size of the sample")
    add("--budgets", nargs="+", type=_pair, default=[], metavar="NAME=WORDS", help="other slices for peers")
    add("--no-accuracy", action="store_true", help="speed only; F1 of an earlier result is kept")
    add("-o", "--output", type=Path, default=HERE.with_suffix(".json"), help="the result file")
    options = parser.parse_args(arguments)
    for name in ("models", "peer_models", "budgets"):
        setattr(options, name, dict(getattr(options, name)))
    options.budgets = {name: int(words) for name, words in options.budgets.items()}
    options.systems = [name for name in options.systems.split(",") if name and name != "none"]
    if unknown := [name for name in options.systems if name not in SYSTEMS]:
        parser.error(f"--systems: {', '.join(unknown)}: unknown; known: {', '.join(SYSTEMS)}")
    return options


def said_command(argv: Sequence[str]) -> str:
    """The command, of NAME=FOLDER pairs too only the folder's name."""
    parts = [_pair(part) if "=" in part and not part.startswith("-") else ("", part) for part in argv]
    return command_line([f"{name}={Path(place).name}" if name else place for name, place in parts])


def kept_accuracy(before: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The F1 part of an earlier row."""
    row = before.get("systems", {}).get(name, {})
    return {key: row[key] for key in ("f1", "dev_f1", "f1_on", "raw_text_f1", "why") if key in row}


def main() -> int:
    """Measure, score, write."""
    options = options_of()
    chosen = contenders(options)
    load_before = [round(value, 2) for value in os.getloadavg()]
    rows = measure(options, chosen)
    before = read_json(options.output)
    for each in chosen:
        keeps = options.no_accuracy
        rows[each.name] |= kept_accuracy(before, each.name) if keeps else accuracy(each)
    probes = {each.name: probe(each.model) for each in chosen if each.system == "medspan"}
    result = facts(
        texts.SEED,
        command=said_command(sys.argv),
        settings={"processes": options.processes, "threads": options.threads, "rounds": options.rounds},
        load_before=load_before,
        text=f"{texts.NOTES} and {texts.ARTICLES}, as many notes as articles while there are notes",
        peer_versions=peer_versions(options.peers_python) if options.systems else {},
        systems=rows,
        ratios=ratios(rows),
        probe={name: found for name, found in probes.items() if found},
        published=[{"published": True, **row} for row in json.loads(PUBLISHED.read_text(encoding="utf-8"))],
    )
    write_json(options.output, result)
    print(json.dumps(result["ratios"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
