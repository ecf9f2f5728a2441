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
        "BLSTM-CNN-CRF from scratch, no text but the training split (`benchmarks/recipes.py`, one thread):",
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
