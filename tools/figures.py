"""Fill the figures of README.md from benchmarks/*.json: ``python -m tools.figures [--check]``.

Nothing between the two marks is written by hand; a test runs this with ``--check``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
MARKS = re.compile(r"(<!-- figures: begin[^>]*-->\n).*?(<!-- figures: end -->)", re.DOTALL)
CORPUS_NAMES = {
    "ncbi": "NCBI-disease",
    "cdr": "BC5CDR",
    "bc2gm": "BC2GM",
    "linnaeus": "linnaeus",
    "anatem": "AnatEM",
    "cg-cell": "BioNLP13CG, cells",
    "jnlpba": "JNLPBA, cells",
}


OURS = "medspan:default"
SYSTEM_NAMES = {
    OURS: "medspan, the model in the package (six types)",
    "medspan:ncbi-fast": "medspan, recipes/ncbi-fast.toml",
    "medspan:ncbi-window": "medspan, recipes/window.toml",
    "spacy": "spaCy `ner`",
    "crfsuite": "CRF (python-crfsuite)",
    "minilm": "MiniLM, 6 layers, PyTorch",
    "bert-base": "BERT-base shape, PyTorch",
    "flair-1024": "character LM 1024, Flair's manner, PyTorch",
    "flair-2048": "character LM 2048, Flair's manner, PyTorch",
}


def read(name: str) -> dict[str, Any]:
    """A result file, empty where it was never made."""
    path = BENCHMARKS / name
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return result


def percent(row: dict[str, Any]) -> str:
    """F1 and its interval as two cells."""
    return f"{100 * row['f1']:.2f} | {100 * row['low']:.2f} to {100 * row['high']:.2f}"


def shipped_lines(result: dict[str, Any]) -> list[str]:
    """The table of the shipped model."""
    if not result:
        return []
    lines = [
        f"The model in the package (`benchmarks/shipped.py`, {result['date']}), through `medspan annotate`:",
        "",
        "| test split | text | F1 | 95 % interval |",
        "|---|---|---|---|",
    ]
    for name, row in result["corpora"].items():
        lines.append(f"| {CORPUS_NAMES[name]} | {row['text']} | {percent(row)} |")
    return [*lines, ""]


def recipe_lines(result: dict[str, Any]) -> list[str]:
    """The table of single-corpus recipes, a row a seed."""
    if not result:
        return []
    lines = [
        "From scratch, no text but the training split (`benchmarks/recipes.py`, one thread):",
        "",
        "| recipe | seed | dev F1 | test F1 | 95 % interval | minutes |",
        "|---|---|---|---|---|---|",
    ]
    for name, entry in result.items():
        for run in entry["runs"]:
            for corpus, row in run["test"].items():
                dev = f"{100 * run['dev'][corpus]:.2f}"
                lines.append(
                    f"| recipes/{name}.toml | {run['seed']} | {dev} | {percent(row)} | {run['minutes']:.0f} |"
                )
    return [*lines, ""]


def speed_lines(result: dict[str, Any]) -> list[str]:
    """Training speed against the textbook network."""
    speed = result.get("speed")
    if not speed:
        return []
    rates = {name: f"{speed['words_per_second'][name]['median']:,}" for name in ("medspan", "plain")}
    sentence = (
        f"Training runs at {rates['medspan']} words/s; a textbook BiLSTM-CNN-CRF of the same sizes at "
        f"{rates['plain']}: {speed['ratio']['median']:.2f} times as fast "
        f"(`benchmarks/training_speed.py`, {speed['threads']} threads, {speed['date']})."
    )
    return [sentence, ""]


def beside_lines(result: dict[str, Any], shipped: dict[str, Any]) -> list[str]:
    """Annotation speed beside other systems: a row each, fastest first; ``shipped`` tells whether ours is."""
    systems = result.get("systems")
    if not systems:
        return []
    settings = result["settings"]
    setting = (
        f"{settings['processes']} processes of {settings['threads']} thread, median of {settings['rounds']} "
        "alternating rounds; F1 strict, NCBI-disease test; [how it is kept fair](docs/speed.md)"
    )
    lines = [
        f"Raw text to JSONL on disk, side by side (`benchmarks/speed.py`, {result['date']}; {setting}):",
        "",
        "| system | words/s | lowest to highest | F1 |",
        "|---|---|---|---|",
    ]
    present = shipped.get("corpora", {}).get("ncbi", {}).get("f1")
    for name, row in sorted(systems.items(), key=lambda item: -item[1]["words_per_second"]):
        rates = [f"{row[key]:,.0f}" for key in ("words_per_second", "low", "high")]
        f1 = f"{100 * row['f1']['f1']:.2f}" if row["f1"] else "speed only"
        said = _system_name(name, is_present=name != OURS or row["f1"]["f1"] == present)
        lines.append(f"| {said} | {rates[0]} | {rates[1]} to {rates[2]} | {f1} |")
    return [*lines, ""]


def _system_name(name: str, *, is_present: bool) -> str:
    if not is_present:
        return "medspan, the model in the package before the present one (of the same sizes)"
    return SYSTEM_NAMES.get(name, name.replace("medspan:", "medspan, "))


def latency_lines(result: dict[str, Any]) -> list[str]:
    """How soon something is found."""
    found = result.get("default")
    if not found:
        return []
    first, imported = (
        found[key]["median"] for key in ("cold_start_to_first_entity_seconds", "import_seconds")
    )
    note = found["note_of_200_words_ms"]["median"]
    sentence = (
        f"First entity {first:.2f} s after process start, import {imported:.2f} s, a note of 200 words in "
        f"{note:.0f} ms (`benchmarks/latency.py`, {found['date']})."
    )
    return [sentence, ""]


def memory_lines(result: dict[str, Any]) -> list[str]:
    """Memory of bulk jobs."""
    lines = [
        (
            f"A bulk job of {found['documents']:,} documents ({found['megabytes']:,} MB of text) takes up to "
            f"{max(worker['peak_rss_mb'] for worker in found['workers'])} MB a worker "
            f"(`benchmarks/memory.py`, {found['date']})."
        )
        for found in result.values()
    ]
    return [*lines, ""] if lines else []


def serving_lines(result: dict[str, Any]) -> list[str]:
    """The service under load."""
    found = result.get("load")
    if not found:
        return []
    served = sorted((each["served"] for each in found["rounds"]), key=lambda each: each["words_per_second"])
    middle = served[len(served) // 2]
    sentence = (
        f"The service answers {middle['requests_per_second']:,.0f} requests of 200 words a second from 32 "
        f"clients on the same cores (95 % within {middle['milliseconds']['p95']:.0f} ms), "
        f"{found['share_of_bulk']['median']:.2f} of what a bulk job does there "
        f"(`benchmarks/serving.py`, {found['date']})."
    )
    return [sentence, ""]


def hardware_line(*results: dict[str, Any]) -> list[str]:
    """What the figures were measured on."""
    seen = {
        f"{r['hardware']['cpu']}, {r['hardware']['cores']} shared cores" for r in results if "hardware" in r
    }
    return [f"Measured on: {'; '.join(sorted(seen))}."] if seen else []


def render() -> str:
    """All figures as Markdown."""
    shipped, recipes = read("shipped.json").get("default", {}), read("recipes.json")
    speed = read("training_speed.json")
    lines = [
        *shipped_lines(shipped),
        *beside_lines(read("speed.json"), shipped),
        *latency_lines(read("latency.json")),
        *memory_lines(read("memory.json")),
        *serving_lines(read("serving.json")),
        *recipe_lines(recipes),
        *speed_lines(speed),
        *hardware_line(shipped, *(run for entry in recipes.values() for run in entry["runs"])),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def main() -> int:
    """Write the figures, or with --check say whether they are those of the result files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if README.md is stale")
    options = parser.parse_args()
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    figures = render()
    new = MARKS.sub(lambda found: f"{found[1]}\n{figures}\n{found[2]}", old)
    if options.check:
        if new != old:
            sys.stderr.write("README.md: its figures are stale; run python -m tools.figures\n")
        return int(new != old)
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
