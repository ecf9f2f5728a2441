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
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facts import command_line, facts, write_json
from peers import texts
from peers.processes import Contender, Run, run_once
from peers.scores import accuracy, peer_versions, probe
from peers.systems import MEDSPAN, SYSTEMS

from medspan.model.store import open_model
from medspan.model.tuning import settings_for
from medspan.pipeline import find_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE = Path(__file__).resolve()
PUBLISHED = HERE.parent / "peers" / "published.json"
OURS = "medspan:"
OUR_NOTE = "medspan.load(folder, threads=...).annotate between its JSONL reader and writer"


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


def contenders(options: argparse.Namespace) -> list[Contender]:
    """Everything that runs, medspan's models first.

    Raises:
        SystemExit: if a trained peer has no folder.
    """
    ours = [
        Contender(OURS + name, MEDSPAN, str(find_model(place)), sys.executable, options.words)
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


def measure(options: argparse.Namespace, chosen: Sequence[Contender]) -> Iterator[dict[str, dict[str, Any]]]:
    """The speed of each system, after every round."""
    sample = texts.sample(options.words)
    slices = {each.name: texts.first(sample, each.words) for each in chosen}
    runs: dict[str, list[Run]] = {each.name: [] for each in chosen}
    probes: dict[str, list[float]] = {each.name: [] for each in chosen if each.system == MEDSPAN}
    by_name = {each.name: each for each in chosen}
    for number in range(options.rounds):
        for name in in_turn(list(by_name), number):
            run = run_once(by_name[name], slices[name], options.processes, options.threads)
            runs[name].append(run)
            rate = sum(d.words for d in slices[name]) / run.seconds
            print(f"round {number + 1} {name}: {rate:,.0f} words/s in {run.seconds:.1f} s", flush=True)
            if name in probes and not options.no_probe:
                probes[name].append(probe(by_name[name].model, options.processes, options.threads))
        rows = {
            name: {"documents": len(part), **spread(sum(d.words for d in part), runs[name])}
            for name, part in slices.items()
        }
        yield {name: {**row, **beside_probe(row, probes.get(name, []))} for name, row in rows.items()}


def beside_probe(row: Mapping[str, Any], probes: Sequence[float]) -> dict[str, Any]:
    """Words/s of the bare encoder, measured after each run, and the share of it that the whole path has."""
    if not probes:
        return {}
    shares = [rate / bare for rate, bare in zip(row["rounds"], probes, strict=True)]
    return {
        "probe": {"words_per_second": round(statistics.median(probes)), "rounds": [round(p) for p in probes]},
        "share_of_probe": {
            "median": round(statistics.median(shares), 3),
            "low": round(min(shares), 3),
            "high": round(max(shares), 3),
        },
    }


def described(contender: Contender, options: argparse.Namespace) -> dict[str, Any]:
    """What is known of a system before it is timed: what it is, and its F1."""
    if contender.system == MEDSPAN:
        model = open_model(contender.model)
        about = {
            "note": OUR_NOTE,
            "graph_sha256": model.spec.files["model.onnx"],
            "batch_words": settings_for(model, threads=options.threads)[1],
        }
    else:
        about = {"note": SYSTEMS[contender.system].note}
    if options.no_accuracy:
        return {**about, "f1": None, "why": "not scored in this run"}
    return {**about, **accuracy(contender)}


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
    add("--no-accuracy", action="store_true", help="speed only")
    add("--no-probe", action="store_true", help="leave out `medspan bench --probe`")
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


def main() -> int:
    """Score, measure, write after every round."""
    options = options_of()
    chosen = contenders(options)
    about = {each.name: described(each, options) for each in chosen}
    result = facts(
        texts.SEED,
        command=said_command(sys.argv),
        settings={"processes": options.processes, "threads": options.threads, "rounds": options.rounds},
        load_before=[round(value, 2) for value in os.getloadavg()],
        text=f"{texts.NOTES} and {texts.ARTICLES}, as many notes as articles while there are notes",
        peer_versions=peer_versions(options.peers_python) if options.systems else {},
        published=[{"published": True, **row} for row in json.loads(PUBLISHED.read_text(encoding="utf-8"))],
    )
    for timed in measure(options, chosen):
        rows = {name: {**about[name], **timed[name]} for name in about}
        write_json(options.output, {**result, "ratios": ratios(rows), "systems": rows})
    print(json.dumps(ratios(rows), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
